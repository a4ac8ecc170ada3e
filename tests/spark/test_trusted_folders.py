"""`ingest.trust_folders`: folders that have not changed since the last whole run are left alone."""

import errno
import os
import random
import shutil
import threading
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files import write_file
from jobs.ingest import JOB
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.dicom.listing import Held
from dicomae.errors import UsageError
from dicomae.spark import delta, discovery, folders
from dicomae.spark.job import Context, execute
from dicomae.spark.listings import Wish, write_folders
from dicomae.spark.pieces import Piece

Night = Callable[[], dict[str, Any]]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = tmp_path / "pacs"
    for number in range(1, 5):
        write_file(top / f"study-{number // 3}" / f"{number}.dcm", f"1.{number}")
    return top


@pytest.fixture
def night(spark: SparkSession, root: Path, conf: Config, top: Path) -> Night:
    delta.prepare(root)
    trusting = replace(conf, ingest=replace(conf.ingest, trust_folders=True))
    arguments = Namespace(source=str(top), inventory=None, table=None, columns=None, tables=root)

    def run() -> dict[str, Any]:
        return execute(JOB, Context(spark, trusting, root, arguments), "ingest")

    return run


def _rest() -> None:
    """Until the folders have been left alone so long that a night gives them their marks."""
    time.sleep(2.1)


def _files(root: Path) -> dict[str, dict[str, Any]]:
    return {Path(row["path"]).name: row for row in delta.read_small(root, tables.FILES).to_pylist()}


def test_a_night_looks_only_at_what_has_changed(night: Night, top: Path, root: Path) -> None:
    _rest()
    assert night()["listed"] == 4
    write_file(top / "study-1" / "5.dcm", "1.5")
    (top / "study-1" / "3.dcm").unlink()
    write_file(top / "new" / "6.dcm", "1.6")
    _rest()
    counts = night()
    assert (counts["listed"], counts["new"], counts["files"], counts["vanished"]) == (3, 2, 6, 1)
    assert counts["trusted"] == 2
    assert _files(root)["3.dcm"]["vanished"]
    counts = night()
    assert (counts["listed"], counts["new"], counts["files"], counts["vanished"]) == (0, 0, 6, 1)


def test_what_was_written_over_in_place_is_seen_where_folders_are_not_trusted(
    night: Night, top: Path, root: Path, spark: SparkSession, conf: Config
) -> None:
    _rest()
    night()
    write_file(top / "study-0" / "1.dcm", "1.1", SeriesDescription="written over, and longer")
    assert night()["new"] == 0
    arguments = Namespace(source=str(top), inventory=None, table=None, columns=None, tables=root)
    assert execute(JOB, Context(spark, conf, root, arguments), "ingest")["new"] == 1


def test_a_folder_that_holds_a_file_in_quarantine_is_looked_at(night: Night, top: Path, root: Path) -> None:
    whole = write_file(top / "study-1" / "slow.dcm", "1.7").read_bytes()
    (top / "study-1" / "slow.dcm").write_bytes(whole[:200])
    _rest()
    night()
    assert _files(root)["slow.dcm"]["status"] == "quarantined"
    (top / "study-1" / "slow.dcm").write_bytes(whole)
    counts = night()
    assert (counts["listed"], counts["new"], counts["quarantined"]) == (3, 1, 0)


def test_a_folder_whose_headers_are_lost_is_looked_at(night: Night, top: Path, root: Path) -> None:
    _rest()
    night()
    shutil.rmtree(root / tables.HEADERS.name)
    delta.prepare(root)
    counts = night()
    assert (counts["listed"], counts["new"], counts["rows"], counts["vanished"]) == (4, 4, 4, 0)


def test_folders_that_were_moved_here_are_new(night: Night, top: Path, tmp_path: Path) -> None:
    write_file(tmp_path / "other" / "moved" / "series" / "8.dcm", "1.8")
    _rest()
    night()
    os.rename(tmp_path / "other" / "moved", top / "moved")  # the folder of the series itself is unchanged
    counts = night()
    assert (counts["new"], counts["files"]) == (1, 5)


def test_a_file_that_could_not_be_told_from_a_member_stays_in_the_ledger(
    night: Night, top: Path, root: Path
) -> None:
    write_file(top / "study-1" / "some.zip!1.dcm", "1.9")
    _rest()
    assert night()["quarantined"] == 1
    for _ in range(2):
        assert night()["quarantined"] == 1


def test_another_folder_in_the_place_of_one_is_seen_and_so_is_a_link_that_leads_elsewhere(
    night: Night, top: Path, root: Path, tmp_path: Path
) -> None:
    for name, uid in (("kept", "2.1"), ("one", "2.2"), ("two", "2.3")):
        write_file(tmp_path / name / "1.dcm", uid)
    (top / "link").symlink_to(tmp_path / "one")
    (top / "folder").mkdir()
    write_file(top / "folder" / "1.dcm", "2.4")
    _rest()
    night()
    os.rename(top / "folder", tmp_path / "away")
    os.rename(tmp_path / "kept", top / "folder")
    (top / "link").unlink()
    (top / "link").symlink_to(tmp_path / "two")
    assert night()["new"] == 2
    uids = {row["path"]: row["SOPInstanceUID"] for row in delta.read_small(root, tables.FILES).to_pylist()}
    assert uids[f"{top}/folder/1.dcm"] == "2.1"
    assert uids[f"{top}/link/1.dcm"] == "2.3"


def test_a_source_that_holds_no_file_any_more_is_an_error(night: Night, top: Path, root: Path) -> None:
    """As on other nights: a disk that is not mounted looks like that."""
    _rest()
    night()
    for folder in top.iterdir():
        shutil.rmtree(folder)
        folder.mkdir()
    with pytest.raises(UsageError, match="no files here"):
        night()
    assert not any(row["vanished"] for row in _files(root).values())


def test_a_night_that_cannot_ask_after_a_folder_lists_all_as_others_do(
    night: Night, top: Path, root: Path
) -> None:
    """And one that remembers nothing, as after a top that could not be listed."""
    _rest()
    night()
    (remembered,) = (root / folders.KEPT).iterdir()
    rows = pq.read_table(remembered)
    hostile = pa.table({"path": [f"{top}/{'x' * 300}"], "files": [0], "mark": [""]}, schema=rows.schema)
    pq.write_table(pa.concat_tables([rows, hostile]), remembered)
    assert night()["listed"] == 4
    assert night()["listed"] == 0
    pq.write_table(rows.slice(0, 0), remembered)
    assert night()["listed"] == 4


def test_a_disk_behind_a_link_may_be_away_for_a_night(night: Night, top: Path, tmp_path: Path) -> None:
    write_file(tmp_path / "disk" / "study" / "9.dcm", "1.9")
    (top / "disk").symlink_to(tmp_path / "disk")
    _rest()
    assert night()["new"] == 5
    os.rename(tmp_path / "disk", tmp_path / "away")
    assert night()["vanished"] == 1
    os.rename(tmp_path / "away", tmp_path / "disk")
    write_file(tmp_path / "disk" / "new" / "10.dcm", "1.10")
    counts = night()
    assert (counts["new"], counts["vanished"]) == (1, 0)


def test_a_source_may_itself_be_a_link(
    spark: SparkSession, root: Path, conf: Config, top: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(top)
    write_file(top / "0.dcm", "1.0")
    delta.prepare(root)
    trusting = replace(conf, ingest=replace(conf.ingest, trust_folders=True))
    named = Namespace(source=f"{tmp_path}/link", inventory=None, table=None, columns=None, tables=root)
    context = Context(spark, trusting, root, named)
    _rest()
    assert execute(JOB, context, "ingest")["new"] == 5
    for number in (6, 7):
        write_file(top / f"new-{number}" / "1.dcm", f"1.{number}")
        counts = execute(JOB, context, "ingest")
        assert (counts["new"], counts["vanished"]) == (1, 0)


def test_a_folder_behind_a_link_that_refuses_ends_no_listing(
    spark: SparkSession, top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "_FOLDERS_TOGETHER", 1)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (top / name).symlink_to(tmp_path / name)
    scandir = os.scandir

    def locked(folder: str) -> object:
        if folder == str(top / "a"):
            raise PermissionError(errno.EACCES, "locked")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", locked)
    wish = Wish(tmp_path, spark.sparkContext.accumulator(0), 60.0)
    first = write_folders(tmp_path, [Held(str(top), 0, None)])
    (told,) = discovery._lister(str(top), wish, 100, None)(Piece(first, 0, 1))
    (row,) = told.to_pylist()
    assert (row["files"], row["failures"], row["refused"], row["left"]) == (4, 1, False, None)


def test_a_link_to_a_folder_above_itself_is_no_way_in(night: Night, top: Path, tmp_path: Path) -> None:
    write_file(tmp_path / "other" / "9.dcm", "1.9")
    (top / "study-0" / "link").symlink_to(tmp_path / "other")
    _rest()
    night()
    (top / "study-0" / "link").unlink()
    (top / "study-0" / "link").symlink_to(top)
    counts = night()
    assert (counts["files"], counts["duplicates"], counts["vanished"]) == (6, 0, 0)
    assert counts["reasons"] == {"io_error": 1}


def test_where_the_folders_are_forgotten_or_the_ledger_is_all_is_listed(night: Night, root: Path) -> None:
    _rest()
    night()
    (remembered,) = (root / folders.KEPT).iterdir()
    assert night()["listed"] == 0
    remembered.write_bytes(b"")  # the power failed
    assert night()["listed"] == 4
    assert night()["listed"] == 0
    remembered.unlink()
    assert night()["listed"] == 4
    for table in (tables.FILES, tables.HEADERS):
        shutil.rmtree(root / table.name)
    delta.prepare(root)
    counts = night()
    assert (counts["listed"], counts["new"], counts["rows"]) == (4, 4, 4)


def _stopped(stop: threading.Event) -> AbstractContextManager[None]:
    stop.set()
    return nullcontext()


def test_a_run_that_was_stopped_is_not_trusted(
    night: Night, top: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rest()
    night()
    write_file(top / "new" / "7.dcm", "1.7")
    with monkeypatch.context() as patched:
        patched.setattr("dicomae.spark.ingest.on_sigterm", _stopped)
        assert night()["stopped"]
    _rest()
    assert [night()[told] for told in ("new", "listed")] == [1, 0]


def test_nights_that_trust_find_what_nights_that_do_not_find(
    night: Night, top: Path, root: Path, spark: SparkSession, conf: Config, tmp_path: Path
) -> None:
    """Files and folders come, go, move and give their place to others, at random."""
    other, chance = tmp_path / "other-tables", random.Random(7)
    delta.prepare(other)
    arguments = Namespace(source=str(top), inventory=None, table=None, columns=None, tables=other)
    for number in range(5):
        for _ in range(6):
            _something_happens(top, chance)
        _rest()
        night()
        execute(JOB, Context(spark, conf, other, arguments), "ingest")
        assert _seen(root) == _seen(other), number


def _something_happens(top: Path, chance: random.Random) -> None:
    placed = sorted(path for path in top.rglob("*") if not path.name.startswith("."))
    files, inside = [p for p in placed if p.is_file()], [top, *(p for p in placed if p.is_dir())]
    new = chance.choice(inside) / f"{chance.randrange(10**6)}"
    match chance.randrange(5):
        case 0:
            write_file(new / "deep" / "1.dcm", f"3.{new.name}")
        case 1:
            write_file(new.with_suffix(".dcm"), f"3.{new.name}")
        case 2:
            chance.choice(files).unlink()
        case 3:
            os.rename(chance.choice(files), new.with_suffix(".moved"))
        case 4:
            moved = chance.choice(inside)
            if moved != top and not new.is_relative_to(moved):
                os.rename(moved, new)


def _seen(root: Path) -> set[tuple[object, ...]]:
    rows = delta.read_small(root, tables.FILES).to_pylist()
    return {(row["path"], row["SOPInstanceUID"], row["size"], row["vanished"]) for row in rows}
