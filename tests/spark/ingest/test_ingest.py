"""Ingest on real files and real tables: nothing lost, nothing twice, whatever happens in between."""

import csv
import os
import shutil
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from conftest import SHARED_DICOM
from files import CANARY, write_few, write_file
from ingesting import Ingesting
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.errors import JobError, UsageError
from dicomae.lake import delta


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three instances, a copy, a conflict, and three files that are none."""
    top = write_few(tmp_path / "pacs")
    (top / "b" / "letter.dcm").write_text("Dear colleague, " * 100)
    return top


@pytest.fixture
def run(spark: SparkSession, root: Path, conf: Config, archive: Path) -> Ingesting:
    return Ingesting(spark, root, conf, archive)


def test_each_file_is_one_row_with_its_status(run: Ingesting) -> None:
    counts = run()
    files = run.table(tables.FILES)
    assert {name: (row["status"], row["reason"]) for name, row in files.items()} == {
        "1.dcm": ("parsed", None),
        "2.dcm": ("parsed", None),
        "3.dcm": ("parsed", None),
        "copy.dcm": ("duplicate", None),
        "other.dcm": ("duplicate_uid_conflict", None),
        "nameless.dcm": ("quarantined", "no_instance_uid"),
        "empty.dcm": ("quarantined", "empty"),
        "letter.dcm": ("quarantined", "not_dicom"),
    }
    assert Path(files["copy.dcm"]["original_path"]).name == "1.dcm"
    assert sorted(row["SOPInstanceUID"] for row in run.table(tables.HEADERS).values()) == [
        "1.1",
        "1.2",
        "1.3",
    ]
    assert (counts["files"], counts["rows"], counts["duplicates"], counts["quarantined"]) == (8, 3, 2, 3)
    assert set(run.quarantine()) == {"nameless.dcm", "empty.dcm", "letter.dcm"}


def test_what_a_run_has_read_is_counted(run: Ingesting) -> None:
    assert run()["read"] == {
        "files": 8,
        "parsed": 5,
        "quarantined": 3,
        "bytes": sum(file.stat().st_size for file in run.top.rglob("*.dcm")),  # shorter than a first read
        "files_per_second": ANY,
    }
    assert run()["read"]["files"] == 0


def test_a_rerun_changes_no_table(run: Ingesting) -> None:
    run()
    before = run.versions()
    assert run()["new"] == 0
    assert run.versions() == before


def test_new_files_join_what_is_there(run: Ingesting) -> None:
    run()
    write_file(run.top / "0" / "earlier-by-name.dcm", "1.1", Modality="MR")
    write_file(run.top / "z" / "new.dcm", "1.9")
    counts = run()
    assert counts["new"] == 2
    files = run.table(tables.FILES)
    assert files["earlier-by-name.dcm"]["status"] == "duplicate_uid_conflict"
    assert files["new.dcm"]["status"] == "parsed"
    assert run.table(tables.HEADERS)["1.dcm"]["Modality"] == "CT"
    assert counts["rows"] == 4


def test_few_files_make_one_part(run: Ingesting, root: Path) -> None:
    run()
    assert len(delta.parts(root, tables.FILES)) == 1
    write_file(run.top / "z" / "1.dcm", "1.8")
    write_file(run.top / "z" / "2.dcm", "1.9")
    run()
    assert len(delta.parts(root, tables.FILES)) == 2


def test_a_changed_file_replaces_its_row(run: Ingesting) -> None:
    run()
    write_file(run.top / "a" / "2.dcm", "1.77", Modality="MR", SeriesDescription="longer than before")
    assert run()["new"] == 2  # the file, and the one that stood back behind it
    held = run.table(tables.HEADERS)
    assert held["other.dcm"]["SOPInstanceUID"] == "1.2"
    assert (held["2.dcm"]["SOPInstanceUID"], held["2.dcm"]["Modality"]) == ("1.77", "MR")
    assert run.table(tables.FILES)["2.dcm"]["attempts"] == 2


def test_a_copy_takes_the_place_of_a_file_that_changed(run: Ingesting) -> None:
    run()
    write_file(run.top / "a" / "1.dcm", "1.77", SeriesDescription="longer than before")
    assert run()["new"] == 2
    held = {row["SOPInstanceUID"]: name for name, row in run.table(tables.HEADERS).items()}
    assert held == {"1.77": "1.dcm", "1.1": "copy.dcm", "1.2": "2.dcm", "1.3": "3.dcm"}
    assert run.table(tables.FILES)["copy.dcm"]["status"] == "parsed"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_copy_is_read_after_the_file_that_changed_though_in_another_commit(
    run: Ingesting, stopped: bool
) -> None:
    run()
    shutil.copy(run.top / "a" / "1.dcm", run.top / "a" / "0.dcm")  # before the file by its path
    (run.top / "b" / "copy.dcm").unlink()
    run()
    write_file(run.top / "a" / "1.dcm", "1.77", SeriesDescription="longer than before")
    run.conf = replace(run.conf, ingest=replace(run.conf.ingest, files_per_commit=1))
    if stopped:
        run.stop.set()
        run()
        run.stop.clear()
        assert "0.dcm" not in run.table(tables.HEADERS)
    run()
    assert run.table(tables.HEADERS)["0.dcm"]["SOPInstanceUID"] == "1.1"
    assert run()["new"] == 0


def test_a_mended_file_leaves_quarantine(run: Ingesting) -> None:
    run()
    write_file(run.top / "b" / "empty.dcm", "1.8")
    run()
    assert set(run.quarantine()) == {"nameless.dcm", "letter.dcm"}
    assert run.table(tables.FILES)["empty.dcm"]["status"] == "parsed"


@pytest.mark.parametrize("table", [tables.HEADERS, tables.FILES])
def test_a_crash_leaves_nothing_behind(
    run: Ingesting, monkeypatch: pytest.MonkeyPatch, table: tables.Table
) -> None:
    commit = delta.commit_parts

    def crash(root: Path, written: tables.Table, *rest: Any, **named: Any) -> int:
        if written is table:
            raise RuntimeError("killed here")
        return commit(root, written, *rest, **named)

    with monkeypatch.context() as patched:
        patched.setattr(delta, "commit_parts", crash)
        with pytest.raises(RuntimeError, match="killed here"):
            run()
    counts = run()
    statuses = Counter(row["status"] for row in run.table(tables.FILES).values())
    assert statuses == {"parsed": 3, "duplicate": 1, "duplicate_uid_conflict": 1, "quarantined": 3}
    assert counts["rows"] == 3
    assert {row["attempts"] for row in run.table(tables.FILES).values()} == {1}


def _lose_headers(root: Path) -> None:
    shutil.rmtree(root / tables.HEADERS.name)
    delta.prepare(root)


def test_headers_that_were_lost_are_read_again(run: Ingesting) -> None:
    shutil.make_archive(str(run.top / "packed"), "zip", write_file(run.top.parent / "p" / "4", "1.4").parent)
    counts, statuses = run(), _statuses(run)
    held = run.table(tables.HEADERS)
    _lose_headers(run.root)
    again = run()
    assert (again["new"], again["rows"]) == (6, 4)  # three files, their two copies, an archive
    assert _statuses(run) == statuses
    assert _without_runs(run.table(tables.HEADERS)) == _without_runs(held)
    assert again["files"] == counts["files"]
    versions = run.versions()
    assert run()["new"] == 0
    assert run.versions() == versions


def test_of_headers_that_were_lost_a_copy_is_read_where_the_file_has_vanished(run: Ingesting) -> None:
    run()
    (run.top / "a" / "1.dcm").unlink()
    (run.top / "b" / "c" / "3.dcm").unlink()
    assert run()["vanished"] == 2
    _lose_headers(run.root)
    counts = run()
    assert sorted(run.table(tables.HEADERS)) == ["2.dcm", "copy.dcm"]
    assert (counts["files"], counts["rows"], counts["vanished"]) == (6, 2, 0)


def test_headers_of_another_source_that_were_lost_are_told(run: Ingesting, tmp_path: Path) -> None:
    run()
    _lose_headers(run.root)
    write_file(tmp_path / "other" / "7.dcm", "1.7")
    with pytest.raises(JobError, match="'headers' lacks 3 rows; ingest all sources again"):
        run.of(source=str(tmp_path / "other"))
    assert set(run.table(tables.HEADERS)) == {"7.dcm"}
    run()
    assert set(run.table(tables.HEADERS)) == {"1.dcm", "2.dcm", "3.dcm", "7.dcm"}


def _statuses(run: Ingesting) -> dict[str, str]:
    return {name: row["status"] for name, row in run.table(tables.FILES).items()}


def _without_runs(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {**row, "run_id": None} for name, row in rows.items()}


def test_retry_takes_up_the_reasons_that_are_named(run: Ingesting) -> None:
    run()
    again = run.top / "b" / "nameless.dcm"
    before = again.stat()
    write_file(again, "1.6")
    again.write_bytes(again.read_bytes()[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(again, ns=(before.st_atime_ns, before.st_mtime_ns))  # so that a plain ingest would not see it
    assert run()["new"] == 0
    assert run.retry("empty", "truncated")["retried"] == 1
    assert run.quarantine()["empty.dcm"]["attempts"] == 2
    assert run.quarantine()["nameless.dcm"]["attempts"] == 1
    assert run.retry()["retried"] == 3
    assert set(run.quarantine()) == {"empty.dcm", "letter.dcm"}
    assert run.table(tables.HEADERS)["nameless.dcm"]["SOPInstanceUID"] == "1.6"


def test_retry_leaves_what_has_vanished(run: Ingesting) -> None:
    run()
    (run.top / "b" / "letter.dcm").unlink()
    run()
    run.retry()
    row = run.table(tables.FILES)["letter.dcm"]
    assert (row["reason"], row["vanished"]) == ("not_dicom", True)


def test_of_an_archive_that_was_emptied_the_members_have_vanished(run: Ingesting) -> None:
    original = write_file(run.top / "a" / "7.dcm", "1.7")
    with zipfile.ZipFile(run.top / "z.zip", "w") as archive:
        archive.write(original, "copy-of-7.dcm")
        archive.write(write_file(run.top.parent / "8.dcm", "1.8"), "8.dcm")
    run()
    (run.top / "z.zip").write_bytes(b"")
    write_file(original, "1.9", BodyPartExamined="ANKLE")
    assert run()["vanished"] == 2
    versions = run.versions()
    run()
    assert run.versions() == versions


def test_a_folder_that_cannot_be_listed_is_kept_in_mind_until_it_can(run: Ingesting) -> None:
    run()
    (run.top / "a").rename(run.top / "kept")
    (run.top / "a").symlink_to(run.top)  # a link loop, since a test as root may read every folder
    assert run()["quarantined"] == 4
    assert not any(row["vanished"] for row in delta.read_small(run.root, tables.FILES).to_pylist())
    versions = run.versions()
    assert run()["new"] == 0
    assert run.versions() == versions
    (run.top / "a").unlink()
    (run.top / "kept").rename(run.top / "a")
    assert run()["quarantined"] == 3
    assert "a" not in run.table(tables.FILES)


def test_beside_a_folder_that_cannot_be_listed_files_can_vanish(run: Ingesting) -> None:
    beside = write_file(run.top / "a b" / "9.dcm", "1.9")
    run()
    beside.unlink()
    shutil.rmtree(run.top / "a")
    (run.top / "a").symlink_to(run.top)  # a link loop
    assert run()["vanished"] == 1
    assert run.table(tables.FILES)["9.dcm"]["vanished"] is True


def test_a_file_that_vanished_is_marked_and_one_that_is_there_again_is_not(run: Ingesting) -> None:
    run()
    (run.top / "a" / "2.dcm").rename(run.top.parent / "elsewhere")
    counts = run()
    assert (counts["vanished"], counts["files"], counts["rows"]) == (1, 8, 3)
    assert run.table(tables.FILES)["2.dcm"]["vanished"] is True
    assert "2.dcm" in run.table(tables.HEADERS)
    versions = run.versions()
    run()
    assert run.versions() == versions
    (run.top.parent / "elsewhere").rename(run.top / "a" / "2.dcm")
    assert run()["vanished"] == 0
    assert run.table(tables.FILES)["2.dcm"]["attempts"] == 1


def test_the_newest_content_takes_the_uid_where_that_is_the_rule(run: Ingesting) -> None:
    run.conf = replace(run.conf, ingest=replace(run.conf.ingest, same_uid="newest"))
    os.utime(run.top / "b" / "other.dcm", (1, 1))
    shutil.copy(run.top / "a" / "2.dcm", run.top / "a" / "copy-of-2.dcm")
    run()
    files = run.table(tables.FILES)
    assert (files["2.dcm"]["status"], files["other.dcm"]["status"]) == ("parsed", "duplicate_uid_conflict")
    late = write_file(run.top / "z" / "late.dcm", "1.2", BodyPartExamined="ANKLE")
    os.utime(late, (2**31, 2**31))
    counts = run()
    files = run.table(tables.FILES)
    found = {name: (row["status"], Path(row["original_path"] or "-").name) for name, row in files.items()}
    assert found["late.dcm"] == ("parsed", "-")
    assert found["2.dcm"] == ("duplicate_uid_conflict", "late.dcm")
    assert found["copy-of-2.dcm"] == ("duplicate_uid_conflict", "late.dcm")
    assert found["other.dcm"] == ("duplicate_uid_conflict", "late.dcm")
    assert (counts["rows"], counts["files"]) == (3, 10)


def test_a_content_is_as_new_as_the_newest_of_its_files(run: Ingesting) -> None:
    run.conf = replace(run.conf, ingest=replace(run.conf.ingest, same_uid="newest"))
    times = {"p.dcm": 1000, "copy.dcm": 3000}
    for name, time in times.items():
        os.utime(write_file(run.top / name, "1.7"), (time, time))
    run()
    os.utime(write_file(run.top / "q.dcm", "1.7", BodyPartExamined="ANKLE"), (2000, 2000))
    run()
    assert run.table(tables.FILES)["q.dcm"]["status"] == "duplicate_uid_conflict"
    for name in times:
        os.utime(run.top / name, (500, 500))  # as from a backup
    run()
    assert run.table(tables.FILES)["q.dcm"]["status"] == "parsed"


@pytest.mark.parametrize("files_per_commit", [1, 4])
def test_many_commits_decide_as_one_does(run: Ingesting, files_per_commit: int) -> None:
    write_file(run.top / "zero.dcm", "1.2", BodyPartExamined="ANKLE")  # listed first, the last by its path
    run.conf = replace(run.conf, ingest=replace(run.conf.ingest, files_per_commit=files_per_commit))
    run()
    files = run.table(tables.FILES)
    originals = {name: Path(row["original_path"]).name for name, row in files.items() if row["original_path"]}
    assert originals == {"copy.dcm": "1.dcm", "other.dcm": "2.dcm", "zero.dcm": "2.dcm"}


def test_tables_inside_the_source_are_a_bad_call(run: Ingesting) -> None:
    run.top = run.root.parent
    with pytest.raises(UsageError, match="lies inside --source"):
        run()


def test_a_folder_without_files_is_a_bad_call(run: Ingesting, tmp_path: Path) -> None:
    run.top = tmp_path / "nothing"
    run.top.mkdir()
    with pytest.raises(UsageError, match="no files here"):
        run()
    run.top = tmp_path / "missing"
    with pytest.raises(UsageError, match="missing"):
        run()


def test_quarantine_tells_no_patient_value(run: Ingesting) -> None:
    write_file(run.top / "cut.dcm", "1.5", PatientComments="x" * 4000)
    cut = run.top / "cut.dcm"
    os.truncate(cut, 2000)
    run()
    rows = run.quarantine()
    assert rows["cut.dcm"]["reason"] == "truncated"
    assert CANARY not in str(rows)


@pytest.mark.skipif(not SHARED_DICOM.is_dir(), reason="the folder of real files is not there")
def test_every_real_file_has_its_row(spark: SparkSession, root: Path, conf: Config) -> None:
    run = Ingesting(spark, root, conf, SHARED_DICOM)
    counts = run()
    with open(SHARED_DICOM / "manifest.csv", encoding="utf-8") as manifest:
        expected = {row["path"] for row in csv.DictReader(manifest)} | {"manifest.csv"}
    files = delta.read_small(root, tables.FILES).to_pylist()
    assert {os.path.relpath(row["path"], SHARED_DICOM) for row in files} == expected
    assert counts["files"] == counts["rows"] + counts["duplicates"] + counts["quarantined"]
    # 8 data sets name no instance, neither in themselves nor in the file meta; 3 end inside an element.
    assert counts["reasons"] == {"no_instance_uid": 8, "not_dicom": 2, "truncated": 3}
    uids = delta.read_small(root, tables.HEADERS, ["SOPInstanceUID"])["SOPInstanceUID"].to_pylist()
    assert len(set(uids)) == len(uids) == counts["rows"]


def test_a_copy_that_comes_back_takes_the_place_of_an_original_that_changed(run: Ingesting) -> None:
    run()
    (run.top / "b" / "copy.dcm").rename(run.top.parent / "away.dcm")
    run()
    write_file(run.top / "a" / "1.dcm", "1.77", SeriesDescription="longer than before")
    run()
    (run.top.parent / "away.dcm").rename(run.top / "b" / "copy.dcm")
    run()
    assert run.table(tables.HEADERS)["copy.dcm"]["SOPInstanceUID"] == "1.1"
    copy = run.table(tables.FILES)["copy.dcm"]
    assert (copy["status"], copy["vanished"]) == ("parsed", False)


def test_names_that_are_read_alike_are_told_apart(run: Ingesting) -> None:
    with zipfile.ZipFile(run.top / "some.zip", "w") as packed:
        packed.write(run.top / "a" / "1.dcm", "1.dcm")
    write_file(run.top / "some.zip!1.dcm", "1.81")
    write_file(run.top / "caf\\xe9.dcm", "1.82")
    Path(os.fsdecode(os.fsencode(run.top) + b"/caf\xe9.dcm")).write_bytes(b"1")
    counts = run()
    assert counts["files"] == 8 + 4
    statuses = {row["path"]: row["status"] for row in delta.read_small(run.root, tables.FILES).to_pylist()}
    assert statuses[f"{run.top}/some.zip!1.dcm/"] == "quarantined"
    assert statuses[f"{run.top}/some.zip!1.dcm"] == "duplicate"
    assert statuses[f"{run.top}/caf\\xe9.dcm"] == "parsed"
    assert statuses[f"{run.top}/caf\\xe9.dcm/"] == "quarantined"
    before = run.versions()
    assert run()["new"] == 0
    assert run.versions() == before
