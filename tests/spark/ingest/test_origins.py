"""Sources of an ingest beside folders: archives, DICOMDIR, lists, inventories, tables made by others, S3."""

import io
import os
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import HOME
from deltalake import write_deltalake
from files import write_dicomdir, write_file
from ingesting import Ingesting
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.codes import Reason
from dicomae.config import Config
from dicomae.errors import UsageError
from dicomae.ingest import origins, summary
from dicomae.lake import delta
from dicomae.ledger import marks
from dicomae.sources import listing
from dicomae.sources.listing import Listing


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        write_file(tmp_path / "pacs" / f"{number}.dcm", f"1.2.{number}")
    return tmp_path / "pacs"


@pytest.fixture
def run(spark: SparkSession, root: Path, conf: Config, top: Path) -> Ingesting:
    return Ingesting(spark, root, conf, top)


def statuses(run: Ingesting) -> dict[str, str]:
    """Status by path below the source's parent."""
    rows = delta.read_small(run.root, tables.FILES).to_pylist()
    return {row["path"].removeprefix(f"{run.top.parent}/"): row["status"] for row in rows}


def test_archives_are_read_inside_and_count_as_no_files(run: Ingesting) -> None:
    with zipfile.ZipFile(run.top / "some.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(run.top / "1.dcm", "in/1.dcm")
        archive.write(write_file(run.top.parent / "4", "1.2.4"), "4.dcm")
    with tarfile.open(run.top / "more.tar.gz", "w:gz") as archive:
        archive.add(write_file(run.top.parent / "5", "1.2.5"), "5.dcm")
        archive.addfile(tarfile.TarInfo("letter"), io.BytesIO())
    (run.top / "broken.zip").write_bytes(b"PK nothing")
    counts = run()
    assert statuses(run) == {
        **{f"pacs/{n}.dcm": "parsed" for n in (1, 2, 3)},
        "pacs/some.zip": "container",
        "pacs/some.zip!in/1.dcm": "duplicate",
        "pacs/some.zip!4.dcm": "parsed",
        "pacs/more.tar.gz": "container",
        "pacs/more.tar.gz!5.dcm": "parsed",
        "pacs/more.tar.gz!letter": "quarantined",
        "pacs/broken.zip": "quarantined",
    }
    assert (counts["files"], counts["containers"], counts["rows"]) == (8, 2, 5)
    assert counts["reasons"] == {"archive_damaged": 1, "empty": 1}
    versions = run.versions()
    assert run()["new"] == 0
    assert run.versions() == versions


def _packed(run: Ingesting, *members: str) -> None:
    with zipfile.ZipFile(run.top / "some.zip", "w") as archive:
        for name in members:
            archive.write(write_file(run.top.parent / name, f"1.2.{name}"), name)


def _vanished(run: Ingesting) -> list[str]:
    rows = delta.read_small(run.root, tables.FILES).to_pylist()
    return sorted(Path(row["path"]).name for row in rows if row["vanished"])


def test_members_that_an_archive_lost_have_vanished(run: Ingesting) -> None:
    for members in ("45", "56"):
        _packed(run, *members)
        counts = run()
    assert (counts["files"], counts["rows"], counts["vanished"]) == (6, 6, 1)
    assert _vanished(run) == ["some.zip!4"]
    (run.top / "some.zip").rename(run.top.parent / "elsewhere")
    assert run()["vanished"] == 4  # the archive, and its three members
    (run.top.parent / "elsewhere").rename(run.top / "some.zip")
    run()
    assert _vanished(run) == ["some.zip!4"]


def test_members_that_an_archive_lost_have_vanished_whatever_becomes_of_the_run_that_read_it(
    run: Ingesting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise RuntimeError("killed here")

    _packed(run, "4", "5")
    run()
    _packed(run, "5", "6")
    with monkeypatch.context() as patched:
        patched.setattr(marks, "wanted", killed)
        with pytest.raises(RuntimeError, match="killed here"):
            run()
    assert _vanished(run) == []
    run()
    assert _vanished(run) == ["some.zip!4"]
    versions = run.versions()
    run()
    assert run.versions() == versions


def test_retry_reads_the_archive_of_a_member(run: Ingesting) -> None:
    with zipfile.ZipFile(run.top / "some.zip", "w") as archive:
        archive.writestr("letter", "Dear colleague, " * 20)
    assert run()["quarantined"] == 1
    assert run.retry("truncated")["retried"] == 0
    counts = run.retry("not_dicom")
    assert (counts["retried"], counts["quarantined"]) == (1, 1)


def test_a_dicomdir_names_the_files(run: Ingesting) -> None:
    for number in (1, 2, 3):
        (run.top / f"{number}.dcm").rename(run.top / f"im{number}")
    dicomdir = write_dicomdir(run.top / "DICOMDIR", [None, ["IM1"], ["IM2"], ["IM4"]])
    counts = run.of(source=dicomdir)
    assert (counts["rows"], counts["reasons"]) == (2, {"missing": 1})


def test_paths_come_from_standard_input(run: Ingesting, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"{run.top}/1.dcm"
    typed = io.TextIOWrapper(io.BytesIO(f"{line}\n{line}\n{run.top}/9.dcm\n".encode()))
    monkeypatch.setattr("sys.stdin", typed)
    counts = run.of(source="-")
    assert statuses(run) == {"pacs/1.dcm": "parsed", "pacs/9.dcm": "quarantined"}
    assert (counts["reasons"], counts["vanished"]) == ({"missing": 1}, 0)


def test_a_list_may_name_an_archive_and_what_is_in_it(
    run: Ingesting, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = shutil.make_archive(str(run.top / "packed"), "zip", run.top, "1.dcm")
    named = [packed, f"{packed}!1.dcm", f"{run.top}/2.dcm"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(named).encode())))
    counts = run.of(source="-")
    assert (counts["rows"], counts["containers"], counts["reasons"]) == (2, 1, {"missing": 1})


def test_a_list_names_no_stores(run: Ingesting, monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"s3://key:secret@bucket/1.dcm?region=x\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
    with pytest.raises(UsageError, match=r"^--source -: s3://bucket/1\.dcm: not a local path; give an --inv"):
        run.of(source="-")


def test_a_list_that_names_a_member_takes_nothing_from_its_archive(
    run: Ingesting, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = shutil.make_archive(str(run.top / "packed"), "zip", run.top, "1.dcm")
    (run.top / "1.dcm").unlink()
    held = run()["rows"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{packed}!1.dcm".encode())))
    counts = run.of(source="-")
    assert (counts["rows"], counts["reasons"]) == (held, {"missing": 1})
    assert (run()["rows"], statuses(run)["pacs/packed.zip!1.dcm"]) == (held, "parsed")


def test_an_inventory_says_what_it_leaves_out(run: Ingesting, capsys: pytest.CaptureFixture[str]) -> None:
    listed = run.top.parent / "inventory.csv"
    listed.write_text("path\n1.dcm\n/elsewhere/1.dcm\n2.dcm\n/elsewhere/2.dcm\n", encoding="utf-8")
    assert run.of(source=str(run.top), inventory=str(listed))["files"] == 2
    assert "left out: 2 rows of other folders" in capsys.readouterr().err


def test_what_a_list_names_and_is_not_there_any_more_has_vanished(
    run: Ingesting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a disk is not mounted: its rows stay."""

    def listed() -> dict[str, Any]:
        paths = "\n".join(f"{run.top}/{name}" for name in ("1.dcm", "2.dcm", "packed.zip"))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(paths.encode())))
        return run.of(source="-")

    write_file(run.top / "inside" / "9.dcm", "1.9")
    shutil.make_archive(str(run.top / "packed"), "zip", run.top / "inside")
    assert [listed()[told] for told in ("rows", "vanished")] == [3, 0]
    held = delta.read_small(run.root, tables.HEADERS)
    run.top.rename(run.top.parent / "away")
    assert [listed()[told] for told in ("rows", "vanished", "quarantined", "new")] == [3, 4, 0, 0]
    assert delta.read_small(run.root, tables.HEADERS) == held
    (run.top.parent / "away").rename(run.top)
    assert [listed()[told] for told in ("rows", "vanished", "new")] == [3, 0, 0]


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.PERMISSION, Reason.IO_ERROR])
def test_known_files_of_which_the_source_says_nothing_stay_as_they_were(
    run: Ingesting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reason: Reason
) -> None:
    run()
    before = delta.read_small(run.root, tables.FILES)
    silent = ((f"{run.top}/1.dcm", reason, "ETIMEDOUT"), (f"{run.top}/unknown.dcm", reason, "ETIMEDOUT"))
    nothing = listing.listed_files([], [], [])
    monkeypatch.setattr("dicomae.ingest.origins.list_paths", lambda *_: Listing(nothing, (), silent))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1.dcm")))
    counts = run.of(source="-")
    assert (counts["unanswered"], counts["reasons"]) == (1, {str(reason): 1})
    assert "not answered: 1 files that are known" in capsys.readouterr().err
    kept = delta.read_small(run.root, tables.FILES)
    assert [row for row in kept.to_pylist() if "unknown" not in row["path"]] == before.to_pylist()


def _inventory(run: Ingesting, *rows: str) -> dict[str, Any]:
    """Counts of an ingest of files with their sizes."""
    listed = run.top.parent / "inventory.csv"
    listed.write_text("\n".join(["path,size", *rows]), encoding="utf-8")
    return run.of(source=str(run.top), inventory=str(listed))


def test_what_gave_its_place_to_what_is_no_file_has_vanished(run: Ingesting) -> None:
    _packed(run, "4", "5")
    held = run()["rows"]
    for name in ("1.dcm", "some.zip"):
        (run.top / name).rename(run.top.parent / name)
        os.mkfifo(run.top / name)
    assert [run()[told] for told in ("rows", "vanished", "quarantined")] == [held, 4, 0]
    for name in ("1.dcm", "some.zip"):
        (run.top / name).unlink()
    assert [run()[told] for told in ("rows", "vanished", "quarantined")] == [held, 4, 0]
    for name in ("1.dcm", "some.zip"):
        (run.top.parent / name).rename(run.top / name)
    assert [run()[told] for told in ("rows", "vanished", "new")] == [held, 0, 0]


def test_what_is_gone_when_it_is_to_be_read_again_has_vanished(run: Ingesting) -> None:
    """An inventory may be days old: it names another size of what has been removed since."""
    run()
    held = delta.read_small(run.root, tables.HEADERS)
    _packed(run, "4", "5")
    run()
    run.top.rename(run.top.parent / "away")
    run.top.mkdir()
    counts = _inventory(run, "1.dcm,5", "new.dcm,5", "some.zip,5")
    assert (counts["rows"], counts["vanished"], counts["reasons"]) == (len(held) + 2, 4, {"missing": 1})
    shutil.rmtree(run.top)
    (run.top.parent / "away").rename(run.top)
    write_file(run.top / "new.dcm", "1.77")
    counts = _inventory(run, "1.dcm,5", "new.dcm,5", "some.zip,5")
    assert (counts["vanished"], counts["reasons"], counts["rows"]) == (0, {}, len(held) + 3)


def test_what_cannot_be_read_again_stays_as_it_was_until_it_can(run: Ingesting) -> None:
    run()
    held = delta.read_small(run.root, tables.HEADERS)
    (run.top / "1.dcm").rename(run.top.parent / "1.dcm")
    (run.top / "1.dcm").mkdir()  # opens, and cannot be read
    for _ in range(2):
        counts = _inventory(run, "1.dcm,5")
        assert (counts["unread"], counts["quarantined"], counts["new"]) == (1, 0, 1)
        assert delta.read_small(run.root, tables.HEADERS) == held
    assert "1 could not be read again" in "\n".join(summary.lines(counts))
    assert run.table(tables.FILES)["1.dcm"]["reason"] == "io_error"
    (run.top / "1.dcm").rmdir()
    write_file(run.top / "1.dcm", "1.1", SeriesDescription="changed meanwhile")
    counts = _inventory(run, "1.dcm,5")
    assert (counts["unread"], counts["rows"]) == (0, len(held))
    assert run.table(tables.FILES)["1.dcm"]["reason"] is None
    assert delta.read_small(run.root, tables.HEADERS) != held


@pytest.mark.parametrize("held", ["2.dcm", "some.zip"])
def test_what_cannot_be_read_again_may_lose_its_uid_to_a_newer_file(run: Ingesting, held: str) -> None:
    run.conf = replace(run.conf, ingest=replace(run.conf.ingest, same_uid="newest"))
    _packed(run, "4", "5")
    run()
    (run.top / held).unlink()
    loser, uid = ("2.dcm", "1.2.2") if held == "2.dcm" else ("some.zip!4", "1.2.4")
    write_file(run.top / "newer.dcm", uid, SeriesDescription="another content")
    os.utime(run.top / "newer.dcm", (2**31, 2**31))
    listed = run.top.parent / "inventory.csv"
    listed.write_text(f"path,size,mtime\n{held},5,\nnewer.dcm,6,{2**31}\n", encoding="utf-8")
    for _ in range(2):
        counts = run.of(source=str(run.top), inventory=str(listed))
        assert (counts["rows"], counts["conflicts"], counts["quarantined"]) == (5, 1, 0)
        row = run.table(tables.FILES)[loser]
        assert (row["status"], row["vanished"]) == ("duplicate_uid_conflict", True)


def test_members_that_lost_their_headers_are_read_as_soon_as_their_archive_is_there(run: Ingesting) -> None:
    _packed(run, "4", "5")
    rows = run()["rows"]
    shutil.rmtree(run.root / tables.HEADERS.name)
    delta.prepare(run.root)
    (run.top / "some.zip").rename(run.top.parent / "some.zip")
    counts = _inventory(run, "1.dcm,5", "2.dcm,5", "3.dcm,5", "some.zip,5")
    assert (counts["rows"], counts["files"], counts["containers"]) == (rows - 2, rows - 2, 1)
    (run.top.parent / "some.zip").rename(run.top / "some.zip")
    assert run()["rows"] == rows


def test_a_rerun_that_cannot_read_either_writes_nothing(run: Ingesting) -> None:
    run()
    (run.top / "1.dcm").unlink()
    (run.top / "1.dcm").mkdir()
    _inventory(run, "1.dcm,5")
    versions = run.versions()
    assert _inventory(run, "1.dcm,5")["unread"] == 1
    assert run.versions() == versions


def test_what_cannot_be_read_again_and_has_lost_its_header_is_in_quarantine(run: Ingesting) -> None:
    run()
    shutil.rmtree(run.root / tables.HEADERS.name)
    delta.prepare(run.root)
    (run.top / "1.dcm").unlink()
    (run.top / "1.dcm").mkdir()
    counts = _inventory(run, "1.dcm,5", "2.dcm,5", "3.dcm,5")
    assert (counts["rows"], counts["reasons"]) == (counts["files"] - 1, {"io_error": 1})


def test_what_an_inventory_does_not_say_of_a_file_counts_as_unchanged(run: Ingesting) -> None:
    run()
    listed = run.top.parent / "inventory.csv"
    listed.write_text("path\n1.dcm\n2.dcm\n", encoding="utf-8")
    before = delta.read_small(run.root, tables.FILES)
    assert run.of(source=str(run.top), inventory=str(listed))["new"] == 0
    assert delta.read_small(run.root, tables.FILES) == before
    listed.write_text("path,size\n1.dcm,5\n", encoding="utf-8")
    assert run.of(source=str(run.top), inventory=str(listed))["new"] == 1


def test_an_inventory_spares_the_listing(run: Ingesting) -> None:
    size = (run.top / "1.dcm").stat().st_size
    listed = run.top.parent / "inventory.csv"
    listed.write_text(f"path,size,etag\n1.dcm,{size},a\n2.dcm,{size},b\n", encoding="utf-8")
    assert run.of(source=str(run.top), inventory=str(listed))["rows"] == 2
    assert run.of(source=str(run.top), inventory=str(listed))["new"] == 0
    listed.write_text(f"path,size,etag\n1.dcm,{size},a2\n", encoding="utf-8")
    counts = run.of(source=str(run.top), inventory=str(listed))
    assert (counts["new"], counts["vanished"], counts["files"]) == (1, 0, 2)


def test_a_bad_file_of_a_list_of_mere_paths_is_a_file(run: Ingesting) -> None:
    bad = run.top / "bad.dcm"
    bad.write_text("Dear colleague, " * 20, encoding="utf-8")
    listed = run.top.parent / "paths.csv"
    listed.write_text("path\n1.dcm\nbad.dcm\n", encoding="utf-8")
    named = {"source": str(run.top), "inventory": str(listed)}
    assert run.of(**named)["quarantined"] == 1
    versions = run.versions()
    assert run.of(**named)["new"] == 0
    assert run.versions() == versions
    assert run.retry()["retried"] == 1
    bad.unlink()
    assert run()["vanished"] == 1


def header_table(run: Ingesting, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Arguments for a table of rows, and its column map."""
    columns = run.top.parent / "columns.toml"
    columns.write_text('instance = "uid"\npath = "place"\n[elements]\nModality = "kind"\n', encoding="utf-8")
    table = run.top.parent / "extracted.parquet"
    pq.write_table(pa.Table.from_pylist(rows), table)
    return {"table": str(table), "columns": columns}


def test_a_table_made_by_others_fills_headers(run: Ingesting) -> None:
    rows = [{"uid": f"1.2.{n}", "place": f"/far/{n}", "kind": "CT"} for n in range(4, 8)]
    named = header_table(run, [*rows, {"uid": None, "place": "/far/8", "kind": "MR"}])
    run()
    counts = run.of(**named)
    assert (counts["files"], counts["rows"], counts["containers"]) == (8, 7, 1)
    assert counts["reasons"] == {"no_instance_uid": 1}
    held = {row["path"]: row["Modality"] for row in delta.read_small(run.root, tables.HEADERS).to_pylist()}
    assert held["/far/4"] == "CT"
    versions = run.versions()
    assert run.of(**named)["new"] == 0
    assert run.versions() == versions
    assert run()["vanished"] == 0  # the table's rows are not below the folder


def test_a_table_is_read_to_its_end_though_a_run_was_killed_within(
    run: Ingesting, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.conf = replace(run.conf, ingest=replace(run.conf.ingest, files_per_commit=1))
    named = header_table(run, [{"uid": f"1.2.{n}", "place": f"/far/{n}", "kind": "CT"} for n in (4, 5, 6)])
    commit, parts = delta.commit_parts, iter(range(10))

    def killed(*arguments: Any, **named: Any) -> int:
        if next(parts) == 3:  # the second commit of `headers`: each is followed by two others
            raise RuntimeError("killed here")
        return commit(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(delta, "commit_parts", killed)
        with pytest.raises(RuntimeError, match="killed here"):
            run.of(**named)
    counts = run.of(**named)
    assert (counts["files"], counts["rows"], counts["containers"], counts["vanished"]) == (3, 3, 1, 0)
    assert run.of(**named)["new"] == 0


def test_what_a_damaged_page_held_is_in_quarantine(run: Ingesting) -> None:
    named = header_table(run, [])
    rows = [{"uid": f"1.2.{n}", "place": f"/far/{n}", "kind": "CT"} for n in range(4, 10)]
    pq.write_table(pa.Table.from_pylist(rows), named["table"], row_group_size=2, use_dictionary=False)
    page = pq.read_metadata(named["table"]).row_group(1).column(0).data_page_offset
    with open(named["table"], "r+b") as file:
        file.seek(page)
        file.write(b"\xff" * 16)
    counts = run.of(**named)
    # Of six rows: each has its task.
    assert (counts["rows"], counts["containers"], counts["reasons"]) == (4, 1, {"unreadable": 2})
    files = delta.read_small(run.root, tables.FILES).to_pylist()
    failed = sorted(row["path"] for row in files if row["status"] == "quarantined")
    assert failed == [f"{named['table']}#rows 2-2", f"{named['table']}#rows 3-3"]
    assert run.of(**named)["new"] == 0
    header_table(run, rows)
    counts = run.of(**named)
    assert (counts["rows"], counts["quarantined"], counts["vanished"]) == (6, 2, 2)


def test_a_delta_table_is_read_as_it_stands(run: Ingesting) -> None:
    named = header_table(run, [{"uid": "1.2.9", "place": "/far/9", "kind": "CT"}])
    folder = str(run.top.parent / "delta")
    write_deltalake(folder, pq.read_table(named["table"]))
    write_deltalake(
        folder, pa.table({"uid": ["1.2.10"], "place": ["/far/10"], "kind": ["MR"]}), mode="overwrite"
    )
    assert run.of(**{**named, "table": folder})["rows"] == 1


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"delta.enableDeletionVectors": "true"}, "rows of it are deleted, and still in its files"),
        ({"delta.columnMapping.mode": "name"}, "its columns have other names in its files"),
    ],
)
def test_a_delta_table_that_its_files_alone_do_not_tell_is_refused(
    run: Ingesting, option: dict[str, str], sentence: str
) -> None:
    named = header_table(run, [{"uid": f"1.2.{n}", "place": f"/far/{n}", "kind": "CT"} for n in range(9)])
    folder = str(run.top.parent / "delta")
    rows = run.spark.read.parquet(named["table"]).coalesce(1)
    rows.write.format("delta").options(**option).save(folder)
    run.spark.sql(f"DELETE FROM delta.`{folder}` WHERE uid = '1.2.4'")
    with pytest.raises(UsageError, match=f"--table {folder}: {sentence}"):
        run.of(**{**named, "table": folder})


def test_rows_with_one_path_are_refused_before_anything_is_written(run: Ingesting) -> None:
    named = header_table(run, [{"uid": f"1.2.{n}", "place": "/far", "kind": "CT"} for n in (4, 5)])
    with pytest.raises(UsageError, match="1 rows of the table have the path of another row"):
        run.of(**named)
    assert delta.is_empty(run.root, tables.HEADERS)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, "give either --source, or --table with --columns"),
        ({"source": "/", "table": "x"}, "give either --source, or --table with --columns"),
        ({"table": "x"}, "needs --columns"),
        ({"table": "nothing.parquet", "columns": HOME / "conf/columns/idc.toml"}, "no Parquet file"),
        ({"source": "nothing://here"}, "cannot be opened"),
        ({"source": "/", "columns": Path("x")}, "--source and --columns exclude each other"),
        ({"source": "-", "inventory": "x"}, "--source - and --inventory exclude each other"),
        (
            {"table": "x", "columns": Path("x"), "inventory": "x"},
            "--table and --inventory exclude each other",
        ),
    ],
)
def test_bad_calls_say_what_is_wrong(run: Ingesting, named: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run.of(**named)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"uid": "1.2"}, "columns.toml: key 'path': no column 'place' in the table; its columns are: uid"),
        ({"place": "/far", "kind": "CT"}, "columns.toml: key 'instance': no column 'uid' in the table"),
        ({"place": "/far", "uid": "1.2"}, "columns.toml: key 'elements.Modality': no column 'kind'"),
        ({"place": "/far", "uid": "1.2", "kind": {"a": 1}}, "key 'elements.Modality': column 'kind'"),
    ],
)
def test_each_file_of_a_table_must_have_the_columns_of_the_map(
    run: Ingesting, row: dict[str, Any], message: str
) -> None:
    named = header_table(run, [{"uid": "1.2.4", "place": "/far/4", "kind": "CT"}])
    folder = run.top.parent / "table"
    (folder / "others.parquet").mkdir(parents=True)  # as Spark names a folder of its parts
    Path(named["table"]).rename(folder / "1.parquet")
    pq.write_table(pa.Table.from_pylist([row]), folder / "others.parquet" / "2.parquet")
    with pytest.raises(UsageError, match=message):
        origins.of(run.named(**named | {"table": str(folder)}), run.conf.ingest)


def test_a_table_that_is_no_parquet_file(run: Ingesting) -> None:
    named = header_table(run, [])
    Path(named["table"]).write_text("uid,place,kind\n1.2,/far,CT\n")
    with pytest.raises(UsageError, match=r"--table .*extracted\.parquet: not a Parquet file"):
        origins.of(run.named(**named), run.conf.ingest)


def test_copies_of_what_an_archive_held_take_its_place(run: Ingesting) -> None:
    one, other = (write_file(run.top / "copy.dcm", uid).read_bytes() for uid in ("1.7", "1.6"))

    def pack(name: str, content: bytes) -> None:
        with zipfile.ZipFile(run.top / name, "w") as archive:
            archive.writestr("1.dcm", content)

    def holder() -> str:
        return next(n for n, row in run.table(tables.HEADERS).items() if row["SOPInstanceUID"] == "1.6")

    pack("a.zip", other)
    pack("b.zip", other)
    run()
    assert holder() == "a.zip!1.dcm"
    pack("a.zip", one + bytes(2))
    run()
    assert holder() == "b.zip!1.dcm"
    pack("b.zip", one + bytes(4))
    counts = run()
    assert holder() == "copy.dcm"
    assert counts["files"] == counts["rows"] + counts["duplicates"] + counts["quarantined"]


def test_files_of_unknown_size_that_have_gone_are_marked(run: Ingesting) -> None:
    listed = run.top.parent / "inventory.csv"
    listed.write_text("path,etag\n1.dcm,a\n2.dcm,b\n", encoding="utf-8")
    run.of(source=str(run.top), inventory=str(listed))
    (run.top / "1.dcm").unlink()
    counts = run()
    assert (counts["files"], counts["rows"], counts["vanished"]) == (3, 3, 1)


def test_a_quarantined_file_of_unknown_size_is_read_again_when_asked_for(run: Ingesting) -> None:
    (run.top / "letter").write_text("Dear colleague, " * 20, encoding="utf-8")
    listed = run.top.parent / "inventory.csv"
    listed.write_text("path,etag\nletter,a\n", encoding="utf-8")
    run.of(source=str(run.top), inventory=str(listed))
    assert run.of(source=str(run.top), inventory=str(listed))["new"] == 0
    assert run.retry()["retried"] == 1


def test_members_have_not_vanished_where_their_archive_does_not_answer(run: Ingesting) -> None:
    _packed(run, "4", "5")
    run()
    (run.top / "some.zip").unlink()
    (run.top / "some.zip").mkdir()  # opens, and cannot be read
    listed = run.top.parent / "inventory.csv"
    listed.write_text(f"path,size\n{run.top}/some.zip,1\n", encoding="utf-8")
    counts = run.of(source=str(run.top), inventory=str(listed))
    assert (counts["unread"], counts["quarantined"], counts["vanished"]) == (1, 0, 0)


def test_a_table_that_changed_leaves_the_files_behind_its_rows_to_their_source(run: Ingesting) -> None:
    named = header_table(run, [{"uid": "1.2.1", "place": "/far/1", "kind": "CT"}])
    run.of(**named)
    assert (run()["rows"], statuses(run)["pacs/1.dcm"]) == (3, "duplicate_uid_conflict")
    named = header_table(run, [{"uid": "1.2.19", "place": "/far/1", "kind": "CT, and longer than before"}])
    assert run.of(**named)["rows"] == 3
    counts = run()
    assert (counts["new"], counts["rows"], statuses(run)["pacs/1.dcm"]) == (1, 4, "parsed")
    assert run()["new"] == 0
