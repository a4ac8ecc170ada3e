"""Which file keeps a UID, and what gives way: parts that nobody has committed and tables in, edits out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.ledger.ledger_tables import LATE, Row, at, edited, edits_of, file, header, hold, run, written

from dicomae.errors import UsageError
from dicomae.lake.sql import Database
from dicomae.ledger import identity
from dicomae.tables import FILES

Found = dict[tuple[str, str], Row]


def settled(database: Database, root: Path, given: Iterable[Row], same_uid: str = "first") -> Found:
    part = written(root, FILES, given)
    return edits_of(identity.contested(database, [part], same_uid, root / "_staging"))


def of(uid: str, content: str = "x", **values: Any) -> Row:
    return {"SOPInstanceUID": uid, "content_hash": content, **values}


def test_files_that_share_no_uid_need_no_edit(database: Database, root: Path) -> None:
    hold(root, [file("/held")], [header("/held")])
    assert settled(database, root, [file("/1"), file("/2")]) == {}


@pytest.mark.parametrize(("content", "status"), [("x", "duplicate"), ("other", "duplicate_uid_conflict")])
def test_of_files_that_were_read_together_the_first_by_path_keeps_the_uid(
    database: Database, root: Path, content: str, status: str
) -> None:
    found = settled(database, root, [file("/b", **of("1", content)), file("/a", **of("1"))])
    assert found == {
        ("headers", "/b"): {"drop": True},
        ("files", "/b"): {"status": status, "original_path": "/a"},
    }


def test_the_file_that_holds_a_uid_keeps_it(database: Database, root: Path) -> None:
    hold(root, [file("/z", **of("1"))], [header("/z", **of("1"))])
    found = settled(database, root, [file("/a", **of("1"))])
    assert found == {
        ("headers", "/a"): {"drop": True},
        ("files", "/a"): {"status": "duplicate", "original_path": "/z"},
    }


def test_newest_the_content_modified_last_takes_the_uid(database: Database, root: Path) -> None:
    copy = file("/copy", "duplicate", **of("1"), original_path="/old")
    hold(root, [file("/old", **of("1")), copy], [header("/old", **of("1"))])
    found = settled(database, root, [file("/new", **of("1", "y"), mtime=at(2))], "newest")
    assert found == {
        ("headers", "/old"): {"drop": True},
        ("files", "/old"): {"status": "duplicate_uid_conflict", "original_path": "/new"},
        ("files", "/copy"): {"status": "duplicate_uid_conflict", "original_path": "/new"},
    }


def test_newest_a_content_is_as_new_as_its_newest_copy(database: Database, root: Path) -> None:
    copy = file("/copy", "duplicate", **of("1"), original_path="/old", mtime=at(3))
    hold(root, [file("/old", **of("1")), copy], [header("/old", **of("1"))])
    found = settled(database, root, [file("/new", **of("1", "y"), mtime=at(2))], "newest")
    assert found == {
        ("headers", "/new"): {"drop": True},
        ("files", "/new"): {"status": "duplicate_uid_conflict", "original_path": "/old"},
    }


def test_newest_a_mere_copy_never_takes_the_uid(database: Database, root: Path) -> None:
    hold(root, [file("/old", **of("1"))], [header("/old", **of("1"))])
    found = settled(database, root, [file("/copy", **of("1"), mtime=at(2))], "newest")
    assert found[("files", "/copy")] == {"status": "duplicate", "original_path": "/old"}


def test_a_changed_file_takes_its_old_rows_away(database: Database, root: Path) -> None:
    hold(root, [file("/1", **of("1"))], [header("/1", **of("1"))])
    old = settled(database, root, [file("/1", **of("2"), run_id=LATE)])
    assert old == {("headers", "/1"): {"drop": True}, ("files", "/1"): {"drop": True}}


@pytest.mark.parametrize(("has_ended", "keeper"), [(True, "/b"), (False, "/a")])
def test_a_row_that_a_killed_run_left_holds_no_uid(
    database: Database, root: Path, has_ended: bool, keeper: str
) -> None:
    # The ledger knows nothing of /a: its run was killed, or is still at work and has no row of `runs`.
    hold(root, headers=[header("/a", **of("1"), run_id=LATE)], runs=[run(LATE, has_ended=False)] * has_ended)
    found = settled(database, root, [file("/b", **of("1"))])
    assert (("headers", "/a") in found) == (keeper == "/b")
    assert (("headers", "/b") in found) == (keeper == "/a")


SILENT = {"SOPInstanceUID": None, "content_hash": None, "detail": "why"}


@pytest.mark.parametrize(("reason", "vanished"), [("timeout", False), ("missing", True)])
def test_a_file_that_does_not_answer_keeps_its_row_with_the_reason(
    database: Database, root: Path, reason: str, vanished: bool
) -> None:
    hold(root, [file("/1")], [header("/1")])
    part = written(root, FILES, [file("/1", "quarantined", reason=reason, **SILENT)])
    edits = identity.contested(database, [part], "first", root / "_staging")
    assert {table for table, *_ in edits.parts} == {"files"}
    (row,) = edited(root, edits)  # the old one, in another part than the new one
    assert (row["path"], row["status"], row["reason"], row["detail"]) == ("/1", "parsed", reason, "why")
    assert row["vanished"] == vanished


def test_a_file_that_does_not_answer_and_lost_its_header_is_quarantined(
    database: Database, root: Path
) -> None:
    hold(root, [file("/1")])
    part = written(root, FILES, [file("/1", "quarantined", reason="timeout", **SILENT)])
    edits = identity.contested(database, [part], "first", root / "_staging")
    assert [name == part for _, name, _ in edits.parts] == [False]
    assert edited(root, edits) == []  # the old row has gone


def test_of_an_archive_that_does_not_answer_the_members_without_headers_go(
    database: Database, root: Path
) -> None:
    members = [file(f"/a.zip!{name}", container="/a.zip") for name in ("1", "2")]
    hold(root, [file("/a.zip", "container"), *members], [header("/a.zip!1")])
    part = written(root, FILES, [file("/a.zip", "quarantined", reason="timeout", **SILENT)])
    edits = identity.contested(database, [part], "first", root / "_staging")
    kept = {row["path"]: (row["status"], row["reason"]) for row in edited(root, edits)}
    assert kept == {"/a.zip": ("container", "timeout"), "/a.zip!1": ("parsed", None)}


def test_two_rows_of_one_path_are_refused(database: Database, root: Path) -> None:
    with pytest.raises(UsageError, match="1 rows of the table have the path of another row"):
        settled(database, root, [file("/t#1", **of("1")), file("/t#1", **of("2"))])
