"""Changes on real tables: listings as Parquet files in, a Parquet file of each change out."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.unit.ledger.ledger_tables import EARLY, LATE, Row, at, file, header, hold, run

from dicomae.lake.sql import Database
from dicomae.ledger import changes
from dicomae.ledger.changes import Changes
from dicomae.ledger.listings import VISITED, WholeListing
from dicomae.ledger.outcome import LISTING_ROW

KINDS = ("new", "again", "orphaned", "vanished", "returned", "gone", "shrunk", "unanswered")


def listing(root: Path, rows: Iterable[Row], visited: Iterable[Row] = ()) -> WholeListing:
    """A listing of these rows; each is of a file as `file` tells it."""
    told = [{"size": 1, "mtime": at(1), "attempts": 0, **row} for row in rows]
    pq.write_table(pa.Table.from_pylist(told, schema=LISTING_ROW), root / "listing.parquet")
    folders = pa.Table.from_pylist(list(visited), schema=VISITED)
    pq.write_table(folders, root / "visited.parquet")
    settled = sum(row["is_settled"] for row in folders.to_pylist())
    failures = sum(row.get("reason") is not None for row in told)
    return WholeListing(
        [root / "listing.parquet"],
        len(told) - failures,
        failures,
        [root / "visited.parquet"],
        settled=settled,
        trusted=0,
    )


def paths(found: Changes) -> dict[str, list[str]]:
    """The changes that there are, with their paths in order."""
    told = {kind: getattr(found, kind) for kind in KINDS}
    return {
        kind: [path for file in files for path in pq.read_table(file)["path"].to_pylist()]
        for kind, files in told.items()
        if files
    }


def test_all_is_new_to_an_empty_ledger(database: Database, root: Path) -> None:
    listed = listing(root, [{"path": "/b"}, {"path": "/a"}])
    found = changes.compared(database, listed, "/", "/", together=10)
    assert (paths(found), found.is_doubtful) == ({"new": ["/b", "/a"]}, False)
    in_order = changes.compared(database, listed, "/", "/", together=1)
    assert paths(in_order) == {"new": ["/a", "/b"]}


def test_only_what_lies_below_the_listed_folder_can_have_vanished(database: Database, root: Path) -> None:
    files = ["/pacs/1", "/pacs/2", "/pacs-old/3"]
    hold(root, [file(path) for path in files], [header(path) for path in files])
    found = changes.compared(database, listing(root, [{"path": "/pacs/1"}]), "/pacs", "/", 10)
    assert (paths(found), found.ask_for_marks) == ({"vanished": ["/pacs/2"]}, True)


def test_files_of_a_settled_folder_are_not_asked_after(database: Database, root: Path) -> None:
    files = ["/pacs/a/1", "/pacs/b/2"]
    hold(root, [file(path) for path in files], [header(path) for path in files])
    visited = [
        {"path": "/pacs/a", "files": 1, "mark": "m", "is_settled": True},
        {"path": "/pacs/b", "files": 1, "mark": "n", "is_settled": False},
    ]
    found = changes.compared(database, listing(root, [], visited), "/pacs", "/", 10)
    assert paths(found) == {"vanished": ["/pacs/b/2"]}


def test_a_file_that_lost_its_row_of_headers_is_read_again(database: Database, root: Path) -> None:
    hold(root, [file("/1"), file("/2")], [header("/2")])
    found = changes.compared(database, listing(root, [{"path": "/1"}, {"path": "/2"}]), "/", "/", 10)
    assert (paths(found), found.is_doubtful, found.made_good) == ({"again": ["/1"]}, True, ())


def test_a_killed_run_is_doubted_where_the_numbers_agree(database: Database, root: Path) -> None:
    bad = file("/1", "quarantined", reason="truncated", SOPInstanceUID=None, content_hash=None)
    # A retry had read /1, and an ingest had read /2: a row of `headers` is too many, and another is missing.
    hold(root, [bad, file("/2")], [header("/1", run_id=LATE)], [run(EARLY), run(LATE, has_ended=False)])
    found = changes.compared(database, listing(root, [{"path": "/1"}, {"path": "/2"}]), "/", "/", 10)
    assert (paths(found), found.made_good) == ({"again": ["/2"]}, (LATE,))


def test_nothing_has_changed(database: Database, root: Path) -> None:
    hold(root, [file("/1")], [header("/1")], [run(EARLY)])
    found = changes.compared(database, listing(root, [{"path": "/1"}]), "/", "/", 10)
    assert (paths(found), found.ask_for_marks) == ({}, False)


def test_quarantined_files_are_retried_by_reason_and_folder(database: Database, root: Path) -> None:
    def bad(path: str, reason: str) -> Row:
        return file(path, "quarantined", reason=reason, SOPInstanceUID=None, content_hash=None)

    hold(root, [bad("/a/1", "empty"), bad("/a/2", "truncated"), bad("/b/3", "empty"), file("/a/4")])
    assert paths(changes.to_retry(database, "/a", ["empty"])) == {"again": ["/a/1"]}
    assert paths(changes.to_retry(database, "/", [])) == {"again": ["/a/1", "/a/2", "/b/3"]}


def test_a_copy_is_found_after_a_commit_took_its_original_away(database: Database, root: Path) -> None:
    copy = file("/copy", "duplicate", original_path="/1", SOPInstanceUID="1", content_hash="1")
    hold(root, [file("/1", SOPInstanceUID="other"), copy])
    assert paths(changes.orphaned(database, "/")) == {"orphaned": ["/copy"]}
