"""Tables on S3: the same as local ones, by the jobs' own entry points; two writers do not lose each other."""

import importlib.util
import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pytest
import s3server
from conftest import HOME
from files import write_few, write_file
from ingesting import LEDGER, Ingesting, rows_below
from processes import call
from pyspark.sql import SparkSession
from s3server import KEY, SECRET, uri_of

from dicomae import tables
from dicomae.config import Config
from dicomae.errors import ConflictError, UsageError
from dicomae.lake import delta, location
from dicomae.lake.location import Location, Remote
from dicomae.lake.parts import PartWriter

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("moto") is None, reason="moto is not installed: pip install -e .[dev]"
)


@pytest.fixture
def store(address: str) -> pafs.FileSystem:
    return s3server.empty(address, "pacs", "tables")


@pytest.fixture
def remote(address: str, store: pafs.FileSystem, tmp_path: Path) -> Remote:
    """A folder of empty tables on S3; each test has another, for objects are read as never changing."""
    root = location.parse(uri_of(address, f"tables/of a/{tmp_path.name}"))
    assert isinstance(root, Remote)
    delta.prepare(root)
    return root


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Instances, a copy, a conflict, members of an archive, and files that are none."""
    top = write_few(tmp_path / "pacs" / "in")
    with zipfile.ZipFile(top / "c.zip", "w") as file:
        file.write(write_file(tmp_path / "4.dcm", "1.4"), "4.dcm")
        file.write(top / "b" / "c" / "3.dcm", "3.dcm")
    return top


def _mirror(top: Path, store: pafs.FileSystem) -> None:
    """Make the bucket `pacs` hold what is in a folder; what is the same stays as it is."""
    there = {i.path: i for i in store.get_file_info(pafs.FileSelector("pacs", recursive=True)) if i.is_file}
    here = {f"pacs/in/{path.relative_to(top)}": path for path in top.rglob("*") if path.is_file()}
    for key in there.keys() - here.keys():
        store.delete_file(key)
    for key, path in here.items():
        content = path.read_bytes()
        if key in there and store.open_input_file(key).read() == content:
            continue
        with store.open_output_stream(key, compression=None) as stream:
            stream.write(content)


def test_tables_on_s3_are_those_of_a_local_run_and_tell_no_secret(
    spark: SparkSession, root: Path, remote: Remote, conf: Config, archive: Path, address: str, store: Any
) -> None:
    local = Ingesting(spark, root, conf, archive)
    on_s3 = ("--source", uri_of(address, "pacs/in"), "--tables", remote.uri)
    told = []

    def same(job: str, counts: dict[str, Any]) -> None:
        code, out, err = call(job, *on_s3)
        assert code == 0, err
        told.append(out + err)
        summary = json.loads(out.splitlines()[-1])
        names = ("files", "rows", "duplicates", "conflicts", "quarantined", "containers", "vanished")
        assert {name: summary[name] for name in names} == {name: counts[name] for name in names}
        assert summary["files"] == summary["rows"] + summary["duplicates"] + summary["quarantined"]
        for table in LEDGER:
            assert rows_below(remote, table, "s3://pacs/in/") == rows_below(root, table, f"{archive}/")
            assert delta.version(remote, table) == delta.version(root, table)

    _mirror(archive, store)
    same("ingest", local())
    write_file(archive / "z" / "new.dcm", "1.9")
    write_file(archive / "a" / "2.dcm", "1.77", Modality="MR", SeriesDescription="longer than before")
    (archive / "b" / "c" / "3.dcm").unlink()
    _mirror(archive, store)
    same("ingest", local())
    nameless = archive / "b" / "nameless.dcm"
    content = write_file(archive.parent / "x.dcm", "1.6").read_bytes()
    nameless.write_bytes(content.ljust(nameless.stat().st_size, b"\0"))
    _mirror(archive, store)
    same("retry", local.retry())

    told += [str(delta.read_small(remote, table).to_pylist()) for table in tables.ALL]
    objects = store.get_file_info(pafs.FileSelector("tables", recursive=True))
    told += [str(store.open_input_file(info.path).read()) for info in objects if info.is_file]
    assert not any(secret in text for secret in (KEY, "wJalr") for text in told)
    assert not [info.path for info in objects if info.is_file and "/_staging/" in info.path]
    assert len(delta.read_small(remote, tables.RUNS)) == 3


def _part(root: Location, *paths: str) -> pa.Table:
    writer = PartWriter(root, tables.FILES)
    rows: list[dict[str, Any]] = [{"path": path, "status": "parsed", "vanished": False} for path in paths]
    writer.write(pa.RecordBatch.from_pylist(rows, schema=tables.FILES.schema))
    return pa.Table.from_batches([writer.finish()])


def test_of_two_writers_of_the_same_version_one_learns_that_it_lost(
    remote: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = _part(remote, "a"), _part(remote, "b")
    transaction = delta.Transaction

    def overtaken(*named: Any) -> Any:  # called after the version was looked at, before it is written
        monkeypatch.setattr(delta, "Transaction", transaction)
        assert delta.commit_parts(remote, tables.FILES, theirs, 0, overwrite=False) == 1
        return transaction(*named)

    monkeypatch.setattr(delta, "Transaction", overtaken)
    with pytest.raises(ConflictError):
        delta.commit_parts(remote, tables.FILES, ours, 0, overwrite=False)
    assert delta.read_small(remote, tables.FILES)["path"].to_pylist() == ["b"]


def test_an_ingest_that_another_one_overtakes_goes_on_from_there(
    spark: SparkSession, remote: Location, conf: Config, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, rival = Ingesting(spark, remote, conf, archive), Ingesting(spark, remote, conf, archive / "b")
    rival.runs = 1
    transaction = delta.Transaction

    def overtaken(*named: Any) -> Any:
        monkeypatch.setattr(delta, "Transaction", transaction)
        assert rival()["files"] == 5
        return transaction(*named)

    monkeypatch.setattr(delta, "Transaction", overtaken)
    counts = run()
    files = delta.read_small(remote, tables.FILES)["path"].to_pylist()
    assert len(set(files)) == len(files) == 10  # nine files, and the archive
    assert (counts["files"], counts["containers"]) == (9, 1)
    # 1.1 and 1.2 are those of `b`, which was first; 1.3 is there and in the archive.
    assert (counts["rows"], counts["duplicates"], counts["quarantined"]) == (4, 3, 2)
    assert counts["conflicts"] == 1


def test_what_a_killed_run_left_is_made_good_by_the_next(
    spark: SparkSession, root: Path, remote: Remote, conf: Config, archive: Path, store: pafs.FileSystem
) -> None:
    undisturbed = Ingesting(spark, root, conf, archive)()
    headers = remote / "headers" / "_delta_log" / "00000000000000000001.json"
    command = [
        sys.executable,
        str(HOME / "jobs" / "ingest.py"),
        "--source",
        str(archive),
        "--tables",
        remote.uri,
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        while not store.get_file_info(headers.path).is_file and killed.poll() is None:
            time.sleep(0.01)
        killed.kill()  # between the commits, of which the ledger's is the last
    counts = Ingesting(spark, remote, conf, archive)()
    names = ("files", "rows", "duplicates", "conflicts", "quarantined", "containers", "vanished")
    assert {name: counts[name] for name in names} == {name: undisturbed[name] for name in names}
    for table in LEDGER:
        assert rows_below(remote, table, f"{archive}/") == rows_below(root, table, f"{archive}/")


@pytest.mark.parametrize("job", ["sample", "experiment"])
def test_other_jobs_refuse_at_once_and_name_the_remedy(job: str, address: str, tmp_path: Path) -> None:
    source = ("--source", str(tmp_path)) if job == "experiment" else ()
    code, out, err = call(job, *source, "--tables", uri_of(address, "tables/t"))
    assert (code, out) == (2, "")
    assert err.startswith("error: --tables s3://tables/t: on S3 only jobs/ingest.py and jobs/retry.py")
    assert "wJalr" not in err


@pytest.mark.usefixtures("store")
def test_nights_trust_folders_by_tables_on_s3(
    spark: SparkSession, remote: Remote, conf: Config, tmp_path: Path
) -> None:
    trusting = replace(conf, ingest=replace(conf.ingest, trust_folders=True))
    night = Ingesting(spark, remote, trusting, tmp_path / "pacs")
    told = []
    for number in range(4):
        file = write_file(tmp_path / "pacs" / f"study-{number}" / "1.dcm", f"1.{number}")
        os.utime(file, (0, 0))
        time.sleep(2.1)  # until the folder has been left alone for so long that it is given a mark
        with delta.kept_open():
            told.append(night())
    assert [(one["files"], one["listed"], one["trusted"]) for one in told] == [
        (1, 1, 0),
        (2, 1, 1),
        (3, 1, 2),
        (4, 1, 3),
    ]


def test_a_retry_fills_no_bucket_of_anything_else(address: str, store: pafs.FileSystem) -> None:
    store.create_dir("tables/photos")
    for path, told in (("photos", "no tables here"), ("mistyped", "no such folder")):
        code, out, err = call("retry", "--tables", uri_of(address, f"tables/{path}"))
        assert (code, out) == (2, "")
        assert f"error: --tables s3://tables/{path}: {told}" in err
    found = store.get_file_info(pafs.FileSelector("tables", recursive=True))
    assert [info.path for info in found] == ["tables/photos"]


def test_a_bad_source_is_told_without_its_secret(address: str, store: pafs.FileSystem) -> None:
    tables_uri = uri_of(address, "tables/t")
    for path, told in (("pacs/nowhere", "no such folder"), ("pacs", "no files here")):
        code, out, err = call("ingest", "--source", uri_of(address, path), "--tables", tables_uri)
        assert (code, out) == (2, "")
        assert f"error: --source s3://{path}: {told}" in err
        assert "wJalr" not in err
        assert KEY not in err


def test_tables_inside_a_source_on_s3_are_a_badcall(
    spark: SparkSession, remote: Remote, conf: Config, address: str, tmp_path: Path
) -> None:
    run = Ingesting(spark, remote, conf, tmp_path)
    for inside in ("tables", "tables/of a", remote.path):
        with pytest.raises(UsageError, match="lies inside --source s3://tables") as raised:
            run.of(source=uri_of(address, inside))
        assert SECRET not in str(raised.value)
    with pytest.raises(UsageError, match="no such folder"):  # a name that begins alike holds nothing of it
        run.of(source=uri_of(address, "tables/of"))
