"""Marks on real tables: changes in, the rows that are left out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.ledger.ledger_tables import EARLY, LATE, edits_of, file, header, hold, run

from dicomae.lake.sql import Database
from dicomae.ledger import marks
from dicomae.ledger.changes import Changes
from dicomae.ledger.outcome import LISTING_ROW

MEMBERS = [file("/a.zip", "container", run_id=LATE), file("/a.zip!old", container="/a.zip")]


def of(root: Path, **paths: Iterable[str]) -> dict[str, Any]:
    """Files of `LISTING_ROW` for `Changes`."""
    found = {}
    for change, named in paths.items():
        rows = [{"path": path} for path in named]
        pq.write_table(pa.Table.from_pylist(rows, schema=LISTING_ROW), root / f"{change}.parquet")
        found[change] = (root / f"{change}.parquet",)
    return found


def marked(database: Database, root: Path, changes: Changes) -> dict[tuple[str, str], dict[str, Any]]:
    return edits_of(marks.wanted(database, changes, root / "_staging"))


def test_what_has_vanished_is_marked_and_members_with_their_archive(database: Database, root: Path) -> None:
    hold(root, [file("/1"), file("/2"), file("/b.zip", "container"), file("/b.zip!m", container="/b.zip")])
    found = marked(database, root, Changes(**of(root, vanished=["/1", "/b.zip"])))
    assert found == {("files", path): {"vanished": True} for path in ("/1", "/b.zip", "/b.zip!m")}


def test_what_is_there_again_loses_the_mark_but_for_lost_members(database: Database, root: Path) -> None:
    gone = [{**row, "vanished": True} for row in MEMBERS]
    found = file("/a.zip!new", container="/a.zip", run_id=LATE, vanished=True)
    hold(root, [file("/1", vanished=True), *gone, found])
    told = marked(database, root, Changes(**of(root, returned=["/1", "/a.zip"])))
    assert told == {("files", path): {"vanished": False} for path in ("/1", "/a.zip", "/a.zip!new")}


def test_a_member_that_the_newest_read_did_not_find_has_vanished(database: Database, root: Path) -> None:
    hold(root, MEMBERS)
    assert marked(database, root, Changes()) == {("files", "/a.zip!old"): {"vanished": True}}


def test_a_folder_that_can_be_listed_by_now_needs_no_row(database: Database, root: Path) -> None:
    hold(root, [file("/locked", "quarantined", reason="permission"), file("/1")])
    assert marked(database, root, Changes(**of(root, gone=["/locked"]))) == {
        ("files", "/locked"): {"drop": True}
    }


@pytest.mark.parametrize("has_ended", [True, False])
def test_headers_that_the_ledger_does_not_know_go_when_their_run_has_ended(
    database: Database, root: Path, has_ended: bool
) -> None:
    runs = [run(EARLY), *([run(LATE, has_ended=False)] if has_ended else [])]
    hold(root, [file("/1")], [header("/1"), header("/2", run_id=LATE)], runs)
    found = marked(database, root, Changes(is_doubtful=True))
    assert found == ({("headers", "/2"): {"drop": True}} if has_ended else {})


def test_a_file_without_its_header_goes_where_it_cannot_be_read(database: Database, root: Path) -> None:
    paths = ["/there", "/gone", "/going"]
    hold(root, [file(path, vanished=path == "/gone") for path in paths], runs=[run(EARLY)])
    found = marked(database, root, Changes(is_doubtful=True, **of(root, vanished=["/going"])))
    assert {key: edit.get("drop") for key, edit in found.items()} == {
        ("files", "/gone"): True,
        ("files", "/going"): True,
    }


def test_a_quarantined_file_that_has_vanished_keeps_its_row_after_a_killed_retry(
    database: Database, root: Path
) -> None:
    bad = file("/1", "quarantined", reason="empty", SOPInstanceUID=None, content_hash=None, vanished=True)
    hold(root, [bad], [header("/1")], [run(EARLY, has_ended=False)])
    assert marked(database, root, Changes(is_doubtful=True)) == {("headers", "/1"): {"drop": True}}
