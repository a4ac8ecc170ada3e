"""A source on HDFS, by the jobs' own entry points: as the same files on a disk; what fails has its reason."""

import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hdfsserver
import pytest
from files import write_few, write_file
from hdfsserver import Hdfs
from ingesting import LEDGER, Ingesting, rows_below
from processes import call
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.lake import delta

pytestmark = pytest.mark.skipif(
    not hdfsserver.CLUSTER.exists(), reason="ARROW_LIBHDFS_DIR is no folder of scripts/stage-hdfs"
)


@pytest.fixture(scope="module")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    with hdfsserver.serving(tmp_path_factory.mktemp("hdfs")) as found:
        yield found


def _job(hdfs: Hdfs, job: str, path: str, root: Path) -> dict[str, Any]:
    arguments = ("--source", hdfs.uri + path, "--tables", str(root))
    code, out, err = call(job, *arguments, env=hdfs.environment("reader"))
    assert code == 0, err
    summary: dict[str, Any] = json.loads(out.splitlines()[-1])
    return summary


def _quarantine(root: Path, top: str) -> dict[str, str]:
    rows = delta.read_small(root, tables.FILES).to_pylist()
    bad = (row for row in rows if row["status"] == "quarantined")
    return {row["path"].removeprefix(top): row["reason"] for row in bad}


def _archive(top: Path, uid: str) -> None:
    with zipfile.ZipFile(top / "c.zip", "w") as file:
        file.write(write_file(top.parent / uid, uid), "in/4.dcm")
        file.write(top / "a" / "1.dcm", "1.dcm")


def test_tables_of_a_folder_are_those_of_the_same_files_on_a_disk(
    spark: SparkSession, root: Path, conf: Config, tmp_path: Path, hdfs: Hdfs
) -> None:
    top = write_few(tmp_path / "pacs")
    _archive(top, "1.4")
    with tarfile.open(top / "d.tar.gz", "w:gz") as file:
        file.add(write_file(tmp_path / "5", "1.5"), "5.dcm")
    for n, name in enumerate(("two\nlines", "ü%20 #?!", "plus+[x]{a,b};", "日本"), 40):
        write_file(top / "odd" / f"{name}.dcm", f"1.{n}")
    local, on_hdfs = Ingesting(spark, root, conf, top), tmp_path / "on_hdfs"

    def same() -> None:
        here, there = local(), _job(hdfs, "ingest", "/pacs", on_hdfs)
        for name in ("files", "rows", "new", "duplicates", "quarantined", "containers", "vanished"):
            assert there[name] == here[name]
        for table in LEDGER:
            assert rows_below(on_hdfs, table, f"{hdfs.uri}/pacs/") == rows_below(root, table, f"{top}/")

    hdfs.do("-put", str(top), "/pacs")
    same()
    write_file(top / "odd" / "new.dcm", "1.9")
    write_file(top / "a" / "2.dcm", "1.77", SeriesDescription="longer than before")
    _archive(top, "1.78")
    (top / "b" / "c" / "3.dcm").unlink()
    hdfs.do("-put", str(top / "odd" / "new.dcm"), "/pacs/odd")
    hdfs.do("-put", "-f", str(top / "a" / "2.dcm"), "/pacs/a")
    hdfs.do("-put", "-f", str(top / "c.zip"), "/pacs")
    hdfs.do("-rm", "/pacs/b/c/3.dcm")
    same()


def test_what_cannot_be_read_is_quarantined_until_it_can(tmp_path: Path, hdfs: Hdfs) -> None:
    top, root = tmp_path / "some", tmp_path / "tables"
    for n, name in enumerate(("locked/1", "secret", "𠮷", "open")):
        write_file(top / f"{name}.dcm", f"1.{n}")
    hdfs.do("-put", str(top), "/some")
    hdfs.do("-chmod", "700", "/some/locked")
    hdfs.do("-chmod", "600", "/some/secret.dcm")

    def quarantine() -> dict[str, str]:
        return _quarantine(root, f"{hdfs.uri}/some/")

    assert _job(hdfs, "ingest", "/some", root)["rows"] == 1
    beyond = r"\xed\xa1\x82\xed\xbe\xb7.dcm/"  # Java hands out U+20BB7 as two surrogates, which is no UTF-8
    assert quarantine() == {"locked": "permission", "secret.dcm": "permission", beyond: "io_error"}

    hdfs.do("-chmod", "755", "/some/locked")
    hdfs.do("-chmod", "644", "/some/secret.dcm")
    hdfs.do("stop")
    assert _job(hdfs, "ingest", "/some", root)["rows"] == 1
    assert quarantine() == {"locked/1.dcm": "io_error", "secret.dcm": "permission", beyond: "io_error"}
    hdfs.do("start")
    assert _job(hdfs, "retry", "/some", root)["rows"] == 3
    assert quarantine() == {beyond: "io_error"}


def test_a_path_that_may_not_be_seen_is_not_taken_for_a_missing_one(tmp_path: Path, hdfs: Hdfs) -> None:
    hdfs.do("-put", str(write_file(tmp_path / "hidden" / "1", "1.1").parent), "/hidden")
    hdfs.do("-chmod", "700", "/hidden")
    # In another process, for this one would keep the JVM.
    code = (
        "import sys; from dicomae.sources import listing, uris; paths = ['/gone', '/hidden/1'];"
        "print(*listing.list_paths(uris.open_filesystem(sys.argv[1]), paths, 120).failures, sep='\\n')"
    )
    command, env = [sys.executable, "-c", code, f"{hdfs.uri}/"], hdfs.environment("reader")
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout.splitlines()
    assert [line.split("'")[1:4:2] for line in told] == [["/gone", "missing"], ["/hidden/1", "permission"]]


def test_a_source_that_cannot_be_opened_is_told_why(tmp_path: Path, hdfs: Hdfs) -> None:
    hdfs.do("-mkdir", "/locked")
    hdfs.do("-chmod", "700", "/locked")
    for uri, told in (
        (f"{hdfs.uri}/nowhere", "no such folder"),
        (f"{hdfs.uri}/locked/in", r"cannot be opened (PermissionError)"),
        ("hdfs://someone@127.0.0.1:1/pacs", "cannot be opened (OSError)"),
    ):
        code, out, err = call(
            "ingest", "--source", uri, "--tables", str(tmp_path / "t"), env=hdfs.environment("reader")
        )
        assert (code, out) == (2, "")
        assert f"error: --source {uri.replace('someone@', '')}: {told}" in err
