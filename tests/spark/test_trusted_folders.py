"""`ingest.trust_folders`: folders that have not changed since the last whole run are left alone."""

import os
import shutil
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from files import write_file
from jobs.ingest import JOB
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.spark import delta, runs
from dicomae.spark.job import Context, execute

Night = Callable[[], dict[str, Any]]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = tmp_path / "pacs"
    for number in range(1, 5):
        write_file(top / f"study-{number // 3}" / f"{number}.dcm", f"1.{number}")
    return top


@pytest.fixture
def night(spark: SparkSession, root: Path, conf: Config, top: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setattr(runs, "_CLOCKS_DIFFER_SECONDS", 0)
    delta.prepare(root)
    trusting = replace(conf, ingest=replace(conf.ingest, trust_folders=True))
    arguments = Namespace(source=str(top), inventory=None, table=None, columns=None, tables=root)

    def run() -> dict[str, Any]:
        time.sleep(0.05)  # a file's times are those of the kernel's last tick
        return execute(JOB, Context(spark, trusting, root, arguments), "ingest")

    return run


def _files(root: Path) -> dict[str, dict[str, Any]]:
    return {Path(row["path"]).name: row for row in delta.read_small(root, tables.FILES).to_pylist()}


def test_a_night_looks_only_at_what_has_changed(night: Night, top: Path, root: Path) -> None:
    assert night()["listed"] == 4
    write_file(top / "study-1" / "5.dcm", "1.5")
    (top / "study-1" / "3.dcm").unlink()
    write_file(top / "new" / "6.dcm", "1.6")
    counts = night()
    assert (counts["listed"], counts["new"], counts["files"], counts["vanished"]) == (3, 2, 6, 1)
    assert _files(root)["3.dcm"]["vanished"]
    counts = night()
    assert (counts["listed"], counts["new"], counts["files"], counts["vanished"]) == (0, 0, 6, 1)


def test_what_was_written_over_in_place_is_seen_where_folders_are_not_trusted(
    night: Night, top: Path, root: Path, spark: SparkSession, conf: Config
) -> None:
    night()
    write_file(top / "study-0" / "1.dcm", "1.1", SeriesDescription="written over, and longer")
    assert night()["new"] == 0
    arguments = Namespace(source=str(top), inventory=None, table=None, columns=None, tables=root)
    assert execute(JOB, Context(spark, conf, root, arguments), "ingest")["new"] == 1


def test_a_folder_that_holds_a_file_in_quarantine_is_looked_at(night: Night, top: Path, root: Path) -> None:
    whole = write_file(top / "study-1" / "slow.dcm", "1.7").read_bytes()
    (top / "study-1" / "slow.dcm").write_bytes(whole[:200])
    night()
    assert _files(root)["slow.dcm"]["status"] == "quarantined"
    (top / "study-1" / "slow.dcm").write_bytes(whole)
    counts = night()
    assert (counts["listed"], counts["new"], counts["quarantined"]) == (3, 1, 0)


def test_a_folder_whose_headers_are_lost_is_looked_at(night: Night, top: Path, root: Path) -> None:
    night()
    shutil.rmtree(root / tables.HEADERS.name)
    delta.prepare(root)
    counts = night()
    assert (counts["listed"], counts["new"], counts["rows"], counts["vanished"]) == (4, 4, 4, 0)


def test_folders_that_were_moved_here_are_new(night: Night, top: Path, tmp_path: Path) -> None:
    write_file(tmp_path / "other" / "moved" / "series" / "8.dcm", "1.8")
    night()
    os.rename(tmp_path / "other" / "moved", top / "moved")  # the folder of the series itself is unchanged
    counts = night()
    assert (counts["new"], counts["files"]) == (1, 5)


def test_a_run_that_did_not_take_in_all_is_not_trusted(night: Night, root: Path, top: Path) -> None:
    night()
    assert runs.began_last_whole(root, "ingest", str(top)) is not None
    assert runs.began_last_whole(root, "ingest", str(top.parent)) is None
    rows = delta.read_small(root, tables.RUNS)
    stopped = rows["summary"][0].as_py().replace('"stopped": false', '"stopped": true')
    delta.replace(
        root, tables.RUNS, rows.set_column(rows.schema.get_field_index("summary"), "summary", [[stopped]])
    )
    assert runs.began_last_whole(root, "ingest", str(top)) is None
    assert night()["listed"] == 4


def test_a_file_that_could_not_be_told_from_a_member_stays_in_the_ledger(
    night: Night, top: Path, root: Path
) -> None:
    write_file(top / "study-1" / "some.zip!1.dcm", "1.9")
    assert night()["quarantined"] == 1
    for _ in range(2):
        assert night()["quarantined"] == 1
