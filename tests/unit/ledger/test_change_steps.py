"""Each step from a listing to changes, on tables written by hand."""

from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from tests.unit.ledger.ledger_tables import EARLY, LATE, Row, at, file

from dicomae.ledger import change_steps
from dicomae.ledger.outcome import LISTING_ROW
from dicomae.tables import FILES

CHANGED = LISTING_ROW.append(pa.field("change", pa.string()))
HEADERLESS = pa.schema([("file", pa.string()), ("path", pa.string())])


class Session:
    """A session that knows tables by the names that the steps give them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def know(self, name: str, schema: pa.Schema, rows: Iterable[Row] = ()) -> None:
        self.connection.register("rows_given", pa.Table.from_pylist(list(rows), schema=schema))
        self.connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows_given")

    def changed(self) -> dict[str, str]:
        rows = self.connection.execute("SELECT path, change FROM changed").fetchall()
        assert len(rows) == len(dict(rows))
        return dict(rows)


@pytest.fixture
def session() -> Iterator[Session]:
    with duckdb.connect() as connection:
        yield Session(connection)


def listed(path: str, **values: Any) -> Row:
    """A row of `LISTING_ROW` that says of a file what `file` says."""
    return {"path": path, "size": 1, "mtime": at(1), "attempts": 0, **values}


def refused(path: str, reason: str) -> Row:
    return {"path": path, "reason": reason, "detail": "why", "attempts": 0}


def compared(
    session: Session, files: list[Row], listing: list[Row], headerless: list[Row], is_whole: bool
) -> dict[str, str]:
    session.know("files", FILES.schema, files)
    session.know("listing", LISTING_ROW, listing)
    session.know("headerless", HEADERLESS, headerless)
    change_steps.compare(session.connection, "true", is_whole=is_whole)
    return session.changed()


UNREAD = {"status": "quarantined", "SOPInstanceUID": None, "content_hash": None}
FOLDER = {**UNREAD, "size": None, "mtime": None, "reason": "permission"}


@pytest.mark.parametrize(
    ("known", "now", "change"),
    [
        (None, {}, "new"),
        ({}, {}, None),
        ({}, {"size": 2}, "again"),
        ({}, {"mtime": at(2)}, "again"),
        ({}, {"size": None}, None),  # of which a list says nothing
        ({"etag": "x"}, {"etag": "x", "size": 2}, None),  # the etag decides
        ({"etag": "x"}, {"etag": "y"}, "again"),
        ({"etag": "x"}, {"etag": None}, None),
        ({}, None, "vanished"),
        ({"vanished": True}, None, None),
        ({"vanished": True}, {}, "returned"),
        ({"vanished": True}, {"size": 2}, "again"),
        ({"reason": "timeout"}, {}, "again"),  # it could not be read again, and keeps its row
        ({**UNREAD, "reason": "not_dicom"}, {}, None),
        ({**UNREAD, "reason": "missing"}, {}, "again"),
        ({**UNREAD, "reason": "timeout"}, {}, "again"),
        ({**UNREAD, "reason": "permission"}, {}, None),  # `retry` asks
        ({}, refused("/1", "missing"), "vanished"),
        ({}, refused("/1", "timeout"), "unanswered"),
        (FOLDER, refused("/1", "permission"), None),  # it fails as it failed before
        (FOLDER, refused("/1", "io_error"), "again"),
        ({**FOLDER, "reason": "missing"}, refused("/1", "missing"), None),
        (FOLDER, None, "gone"),
    ],
)
def test_what_a_whole_listing_says_of_a_file(
    session: Session, known: Row | None, now: Row | None, change: str | None
) -> None:
    files = [] if known is None else [file("/1", **known)]
    listing = [] if now is None else [listed("/1", **now) if "detail" not in now else now]
    found = compared(session, files, listing, [], is_whole=True)
    assert found == ({} if change is None else {"/1": change})


def test_a_mere_list_says_nothing_of_what_it_leaves_out(session: Session) -> None:
    assert compared(session, [file("/1"), file("/2")], [listed("/3")], [], is_whole=False) == {"/3": "new"}


def test_a_headerless_file_is_read_again(session: Session) -> None:
    half = [{"file": "/1", "path": "/1"}]
    found = compared(session, [file("/1"), file("/2")], [listed("/1"), listed("/2")], half, is_whole=True)
    assert found == {"/1": "again"}


def test_members_are_compared_with_their_archive_alone(session: Session) -> None:
    files = [file("/a.zip", "container"), file("/a.zip!1", container="/a.zip")]
    assert compared(session, files, [listed("/a.zip")], [], is_whole=True) == {}


def changed(session: Session, **changes: str) -> None:
    rows = [{"path": f"/{path.replace('_', '/')}", "change": change} for path, change in changes.items()]
    session.know("changed", CHANGED, rows)


def test_nothing_vanishes_below_a_folder_that_could_not_be_listed(session: Session) -> None:
    changed(session, a_b_1="vanished", a_b_c_2="gone", a_bc_3="vanished", a_b_4="new")
    session.know("listing", LISTING_ROW, [refused("/a/b", "permission"), listed("/a/bc")])
    change_steps.keep_hidden(session.connection)
    assert session.changed() == {"/a/bc/3": "vanished", "/a/b/4": "new"}


def test_a_file_that_is_named_twice_is_read_once(session: Session) -> None:
    twice = [{"path": "/1", "change": "new"}] * 2
    session.know("changed", CHANGED, [*twice, {"path": "/2", "change": "again"}])
    change_steps.keep_one_of_each(session.connection)
    assert session.changed() == {"/1": "new", "/2": "again"}


def copy(path: str, of: str, **values: Any) -> Row:
    name = of.strip("/")
    held = {"original_path": of, "SOPInstanceUID": name, "content_hash": name}
    return file(path, "duplicate", **{**held, **values})


@pytest.mark.parametrize(
    ("original", "changes", "headerless", "is_read"),
    [
        ({}, {}, [], False),
        ({"SOPInstanceUID": "other"}, {}, [], True),
        ({"content_hash": "other"}, {}, [], True),  # then it is no mere copy
        ({}, {"1": "again"}, [], True),
        ({}, {}, [{"file": "/1", "path": "/1"}], False),  # it is read again, and keeps the instance
        ({}, {"1": "vanished"}, [], False),
        ({}, {"1": "vanished"}, [{"file": "/1", "path": "/1"}], True),
        ({"vanished": True}, {}, [{"file": "/1", "path": "/1"}], True),
    ],
)
def test_a_copy_is_read_where_its_original_lets_go_of_the_instance(
    session: Session, original: Row, changes: dict[str, str], headerless: list[Row], is_read: bool
) -> None:
    session.know("files", FILES.schema, [file("/1", **original), copy("/copy", "/1")])
    session.know("headerless", HEADERLESS, headerless)
    changed(session, **changes)
    change_steps.add_orphaned(session.connection, "/")
    assert (session.changed().get("/copy") == "orphaned") == is_read


def test_of_a_copy_in_an_archive_the_archive_is_read(session: Session) -> None:
    archive = file("/a.zip", "container")
    member = copy("/a.zip!m", "/1", container="/a.zip")
    session.know("files", FILES.schema, [file("/1"), archive, member])
    session.know("headerless", HEADERLESS)
    changed(session, **{"1": "again"})
    change_steps.add_orphaned(session.connection, "/")
    assert session.changed() == {"/1": "again", "/a.zip": "orphaned"}


def test_a_copy_that_this_run_cannot_reach_is_left_alone(session: Session) -> None:
    session.know("files", FILES.schema, [file("/1"), copy("s3://pacs/copy", "/1")])
    session.know("headerless", HEADERLESS)
    changed(session, **{"1": "again"})
    change_steps.add_orphaned(session.connection, "/")
    assert session.changed() == {"/1": "again"}


@pytest.mark.parametrize(("uid", "change"), [("1", "returned"), ("other", "orphaned")])
def test_a_copy_that_is_there_again_is_read_where_its_original_is_another_by_now(
    session: Session, uid: str, change: str
) -> None:
    original = file("/1", SOPInstanceUID=uid)
    session.know("files", FILES.schema, [original, copy("/copy", "/1", vanished=True)])
    session.know("headerless", HEADERLESS)
    changed(session, copy="returned")
    change_steps.orphan_returned(session.connection)
    assert session.changed() == {"/copy": change}


@pytest.mark.parametrize(
    ("archive", "member", "has_shrunk"),
    [
        ({"run_id": EARLY}, {}, False),
        ({"run_id": LATE}, {}, True),  # that run did not find the member
        ({"run_id": LATE}, {"vanished": True}, False),
        ({"run_id": LATE, **UNREAD, "reason": "archive_damaged"}, {}, True),
        ({"run_id": LATE, **UNREAD, "reason": "timeout"}, {}, False),  # nothing is known of it
    ],
)
def test_an_archive_that_lost_a_member_has_shrunk(
    session: Session, archive: Row, member: Row, has_shrunk: bool
) -> None:
    row = file("/a.zip", **{"status": "container", **archive})
    session.know("files", FILES.schema, [row, file("/a.zip!1", container="/a.zip", **member)])
    changed(session)
    change_steps.add_shrunk(session.connection)
    assert session.changed() == ({"/a.zip": "shrunk"} if has_shrunk else {})


def test_quarantined_files_are_read_again_and_of_members_the_archive(session: Session) -> None:
    quarantined = {**UNREAD, "reason": "truncated"}
    files = [
        file("/1", **quarantined),
        file("/2", **{**quarantined, "reason": "empty"}),
        file("/3"),
        file("/gone", **quarantined, vanished=True),
        file("/folder", **FOLDER),  # which is listed, not read
        file("/a.zip", "container"),
        file("/a.zip!1", container="/a.zip", **quarantined),
        file("/t.parquet", "container"),  # a table of headers, which is no archive
        file("/t.parquet#rows 1-2", container="/t.parquet", **quarantined),
    ]
    session.know("files", FILES.schema, files)
    change_steps.begin(session.connection)
    change_steps.add_quarantined(session.connection, "reason <> 'empty'")
    assert session.changed() == {"/1": "again", "/a.zip": "again"}
