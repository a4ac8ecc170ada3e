"""`ingest.trust_folders`: folders that have not changed since the last whole run are left alone."""

import errno
import os
import random
import shutil
import threading
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import files
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingesting import Ingesting
from jobs.ingest import JOB
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.errors import UsageError
from dicomae.ingest import discovery, ingest
from dicomae.lake import delta
from dicomae.lake.pieces import Piece
from dicomae.ledger import known_folders
from dicomae.ledger.listings import ListingRequest, WholeListing, write_folders
from dicomae.runtime.job import Context, execute
from dicomae.sources.links import LinkRule
from dicomae.sources.listing import Folder
from dicomae.sources.local_folders import LINKED

Night = Callable[[], dict[str, Any]]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = tmp_path / "pacs"
    for number in range(1, 5):
        _write(top / f"study-{number // 3}" / f"{number}.dcm", f"1.{number}")
    return top


@pytest.fixture
def following(conf: Config) -> Config:
    """Links are followed, for nothing else leads out of what is known of a source."""
    return replace(conf, ingest=replace(conf.ingest, follow_links=True))


@pytest.fixture
def night(spark: SparkSession, root: Path, following: Config, top: Path) -> Night:
    return _nights(spark, root, following, top)


def _nights(spark: SparkSession, root: Path, conf: Config, top: Path) -> Night:
    delta.prepare(root)
    trusting = replace(conf, ingest=replace(conf.ingest, trust_folders=True))
    arguments = Namespace(source=str(top), inventory=None, table=None, columns=None, tables=root)

    def run() -> dict[str, Any]:
        return execute(JOB, Context(spark, trusting, root, arguments), "ingest").as_json()

    return run


@pytest.fixture
def older(spark: SparkSession, root: Path, following: Config, top: Path) -> Ingesting:
    """A run that trusts no folder."""
    return Ingesting(spark, root, following, top)


def _write(path: Path, uid: str, **elements: object) -> Path:
    """A file that was last written to an hour ago."""
    files.write_file(path, uid, **elements)
    os.utime(path, (0, time.time() - 3600))
    return path


def _rest() -> None:
    """Until the folders have been left alone so long that a night gives them their marks."""
    time.sleep(2.1)


def _files(root: Path) -> dict[str, dict[str, Any]]:
    return {Path(row["path"]).name: row for row in delta.read_small(root, tables.FILES).to_pylist()}


def test_a_night_looks_only_at_what_has_changed(night: Night, top: Path, root: Path) -> None:
    _rest()
    assert night()["listed"] == 4
    _write(top / "study-1" / "5.dcm", "1.5")
    (top / "study-1" / "3.dcm").unlink()
    _write(top / "new" / "6.dcm", "1.6")
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
    _write(top / "study-0" / "1.dcm", "1.1", SeriesDescription="written over, and longer")
    assert night()["new"] == 0
    arguments = Namespace(source=str(top), inventory=None, table=None, columns=None, tables=root)
    assert execute(JOB, Context(spark, conf, root, arguments), "ingest").as_json()["new"] == 1


def test_a_folder_that_holds_a_file_in_quarantine_is_looked_at(night: Night, top: Path, root: Path) -> None:
    whole = _write(top / "study-1" / "slow.dcm", "1.7").read_bytes()
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
    _write(tmp_path / "other" / "moved" / "series" / "8.dcm", "1.8")
    _rest()
    night()
    os.rename(tmp_path / "other" / "moved", top / "moved")  # the folder of the series itself is unchanged
    counts = night()
    assert (counts["new"], counts["files"]) == (1, 5)


def test_a_file_that_could_not_be_told_from_a_member_stays_in_the_ledger(
    night: Night, top: Path, root: Path
) -> None:
    _write(top / "study-1" / "some.zip!1.dcm", "1.9")
    _rest()
    assert night()["quarantined"] == 1
    for _ in range(2):
        assert night()["quarantined"] == 1


def test_another_folder_in_the_place_of_one_is_seen_and_so_is_a_link_that_leads_elsewhere(
    night: Night, top: Path, root: Path, tmp_path: Path
) -> None:
    for name, uid in (("kept", "2.1"), ("one", "2.2"), ("two", "2.3")):
        _write(tmp_path / name / "1.dcm", uid)
    (top / "link").symlink_to(tmp_path / "one")
    (top / "folder").mkdir()
    _write(top / "folder" / "1.dcm", "2.4")
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
    (remembered,) = (root / known_folders.KEPT).iterdir()
    rows = pq.read_table(remembered)
    hostile = pa.table({"path": [f"{top}/{'x' * 300}"], "files": [0], "mark": [""]}, schema=rows.schema)
    pq.write_table(pa.concat_tables([rows, hostile]), remembered)
    assert night()["listed"] == 4
    assert night()["listed"] == 0
    pq.write_table(rows.slice(0, 0), remembered)
    assert night()["listed"] == 4


def test_a_disk_behind_a_link_may_be_away_for_a_night(night: Night, top: Path, tmp_path: Path) -> None:
    _write(tmp_path / "disk" / "study" / "9.dcm", "1.9")
    (top / "disk").symlink_to(tmp_path / "disk")
    _rest()
    assert night()["new"] == 5
    os.rename(tmp_path / "disk", tmp_path / "away")
    assert night()["vanished"] == 1
    os.rename(tmp_path / "away", tmp_path / "disk")
    _write(tmp_path / "disk" / "new" / "10.dcm", "1.10")
    counts = night()
    assert (counts["new"], counts["vanished"]) == (1, 0)


def test_a_source_may_itself_be_a_link(
    spark: SparkSession, root: Path, conf: Config, top: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(top)
    _write(top / "0.dcm", "1.0")
    delta.prepare(root)
    trusting = replace(conf, ingest=replace(conf.ingest, trust_folders=True))
    named = Namespace(source=f"{tmp_path}/link", inventory=None, table=None, columns=None, tables=root)
    context = Context(spark, trusting, root, named)
    _rest()
    assert execute(JOB, context, "ingest").as_json()["new"] == 5
    for number in (6, 7):
        _write(top / f"new-{number}" / "1.dcm", f"1.{number}")
        counts = execute(JOB, context, "ingest").as_json()
        assert (counts["new"], counts["vanished"]) == (1, 0)


def test_a_folder_behind_a_link_that_refuses_ends_no_listing(
    spark: SparkSession, top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "_FILES_TOGETHER", 1)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (top / name).symlink_to(tmp_path / name)
    scandir = os.scandir

    def locked(folder: str) -> object:
        if folder == str(top / "a"):
            raise PermissionError(errno.EACCES, "locked")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", locked)
    request = ListingRequest(tmp_path, spark.sparkContext.accumulator(0), 60.0)
    behind = [Folder(str(top / name), 0, LINKED) for name in ("a", "b")]
    first = write_folders(tmp_path, [*behind, Folder(str(top), 0, None)])
    search = discovery._Search(spark, request, str(top), LinkRule(frozenset([str(top)]), follow=True))
    (told,) = discovery._lister(search, 100, None)(Piece(first, 0, 3))
    (row,) = told.to_pylist()
    assert (row["files"], row["failures"], row["refused"], row["left"]) == (4, 1, False, None)


def test_a_link_to_a_folder_above_itself_is_no_way_in(night: Night, top: Path, tmp_path: Path) -> None:
    _write(tmp_path / "other" / "9.dcm", "1.9")
    (top / "study-0" / "link").symlink_to(tmp_path / "other")
    _rest()
    night()
    (top / "study-0" / "link").unlink()
    (top / "study-0" / "link").symlink_to(top)
    counts = night()
    assert (counts["files"], counts["duplicates"], counts["vanished"]) == (6, 0, 0)
    assert counts["reasons"] == {"not_a_file": 1}


def test_a_folder_that_gave_its_place_to_a_link_to_one_above_it_is_no_way_in(
    night: Night, top: Path, tmp_path: Path
) -> None:
    """Nor is what lies below it, though a folder of that name was known there."""
    _write(top / "a" / "study-0" / "series" / "5.dcm", "1.5")
    _write(tmp_path / "other" / "6.dcm", "1.6")
    (tmp_path / "other" / "study-0").symlink_to(top)
    _rest()
    night()
    (top / "a").rename(tmp_path / "a")
    _write(top / "series" / "7.dcm", "1.7")
    (top / "a").symlink_to(tmp_path / "other")
    counts = night()
    assert (counts["rows"], counts["duplicates"], counts["vanished"]) == (7, 0, 0)  # below a link, who knows
    assert counts["reasons"] == {"not_a_file": 1}


def test_what_another_run_read_in_a_folder_is_looked_at(
    night: Night, top: Path, root: Path, tmp_path: Path, older: Ingesting
) -> None:
    """It may have been another folder then, which had its place for a while."""
    _write(top / "a" / "sub" / "1.dcm", "2.1")
    _write(tmp_path / "b" / "sub" / "1.dcm", "3.1", SeriesDescription="of another size")
    _rest()
    night()
    (top / "a").rename(tmp_path / "a")
    (tmp_path / "b").rename(top / "a")
    assert older.of(source=str(top / "a"))["new"] == 1
    (top / "a").rename(tmp_path / "b")
    (tmp_path / "a").rename(top / "a")
    assert night()["new"] == 1
    held = {row["path"]: row["SOPInstanceUID"] for row in delta.read_small(root, tables.FILES).to_pylist()}
    assert held[f"{top}/a/sub/1.dcm"] == "2.1"
    assert night()["listed"] == 0


def test_where_an_older_run_writes_last_all_it_wrote_is_looked_at(
    night: Night, top: Path, root: Path, older: Ingesting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had listed before a file came that the newer run found, and takes it for vanished."""
    _rest()
    night()
    listed, remember, found = ingest._listed, known_folders.remember, list[WholeListing]()
    with monkeypatch.context() as patched:
        patched.setattr(ingest, "_listed", lambda *given: found.append(listed(*given)) or found[0])
        older()

    def after_the_older(*given: Any) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(known_folders, "remember", remember)
            patched.setattr(ingest, "_listed", lambda *_: found[0])
            older()
        remember(*given)

    _write(top / "study-1" / "late.dcm", "1.9")
    _rest()
    with monkeypatch.context() as patched:
        patched.setattr(known_folders, "remember", after_the_older)
        night()
    assert _files(root)["late.dcm"]["vanished"]
    night()
    assert not _files(root)["late.dcm"]["vanished"]
    assert night()["listed"] == 0


def test_a_ledger_that_was_restored_is_compared_with_all(night: Night, root: Path, top: Path) -> None:
    """Also where it has as many files: the power may have failed before the last commit was on the disk."""
    _rest()
    night()
    shutil.copytree(root / tables.FILES.name, root / "backup")
    (top / "study-0" / "1.dcm").unlink()
    _write(top / "study-0" / "9.dcm", "1.9")
    _rest()
    night()
    shutil.rmtree(root / tables.FILES.name)
    (root / "backup").rename(root / tables.FILES.name)
    assert night()["listed"] == 4
    assert {name for name, row in _files(root).items() if not row["vanished"]} == {
        f"{number}.dcm" for number in (9, 2, 3, 4)
    }


def test_where_the_folders_are_forgotten_or_the_ledger_is_all_is_listed(night: Night, root: Path) -> None:
    _rest()
    night()
    (remembered,) = (root / known_folders.KEPT).iterdir()
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
    _write(top / "new" / "7.dcm", "1.7")
    with monkeypatch.context() as patched:
        patched.setattr("dicomae.ingest.ingest.on_sigterm", _stopped)
        assert night()["stopped"]
    _rest()
    assert [night()[told] for told in ("new", "listed")] == [1, 0]


@pytest.mark.parametrize("follow", [False, True])
def test_nights_that_trust_find_what_nights_that_do_not_find(
    top: Path, root: Path, spark: SparkSession, conf: Config, tmp_path: Path, follow: bool
) -> None:
    """Files, folders and links come, go, move and take each other's places at random, between other runs."""
    chance = random.Random(7)
    conf = replace(conf, ingest=replace(conf.ingest, follow_links=follow))
    night = _nights(spark, root, conf, top)
    delta.prepare(tmp_path / "other-tables")
    whole = Ingesting(spark, tmp_path / "other-tables", conf, top)
    beside = Ingesting(spark, root, conf, top)
    (tmp_path / "elsewhere").mkdir()
    for number in range(6):
        for _ in range(8):
            _something_happens(top, tmp_path / "elsewhere", chance)
        _rest()
        some = str(chance.choice([path for path in top.rglob("*") if path.is_dir()] or [top]))
        for each in (whole, beside):
            with suppress(UsageError):  # no files there
                each.of(source=some)
        for _ in range(2):
            _something_happens(top, tmp_path / "elsewhere", chance)
        night()
        whole()
        assert _seen(root) == _seen(whole.root), number


def _something_happens(top: Path, elsewhere: Path, chance: random.Random) -> None:
    placed = sorted(top.rglob("*"))
    placed_files = [path for path in placed if path.is_file()]
    inside = [top, *(path for path in placed if path.is_dir() and not path.is_symlink())]
    new, folder, other = (chance.choice(inside) for _ in range(3))
    new /= f"{chance.randrange(10**6)}"
    match chance.randrange(8):
        case 0:
            _write(new / "deep" / "1.dcm", f"3.{new.name}")
        case 1:
            _write(new.with_suffix(".dcm"), f"3.{new.name}")
        case 2:
            chance.choice(placed_files).unlink()
        case 3:
            os.rename(chance.choice(placed_files), new.with_suffix(".moved"))
        case 4 if folder != top and not new.is_relative_to(folder):
            os.rename(folder, new)
        case 5 if top not in (folder, other) and not _are_nested(folder, other):
            os.rename(folder, elsewhere / new.name)
            os.rename(other, folder)
            os.rename(elsewhere / new.name, other)
        case 6 if folder != top:
            os.rename(folder, elsewhere / new.name)
            folder.symlink_to(elsewhere / new.name)
        case 7:
            new.symlink_to(chance.choice([folder, elsewhere, *elsewhere.iterdir()]))


def _are_nested(a: Path, b: Path) -> bool:
    return a.is_relative_to(b) or b.is_relative_to(a)


def _seen(root: Path) -> set[tuple[object, ...]]:
    columns = ["path", "SOPInstanceUID", "size", "vanished", "status", "reason", "original_path"]
    rows = delta.read_small(root, tables.FILES, columns).to_pylist()
    held = delta.read_small(root, tables.HEADERS, ["path", "SOPInstanceUID"]).to_pylist()
    return {tuple(row.values()) for row in (*rows, *held)}
