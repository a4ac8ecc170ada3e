"""What is remembered of folders, and which of them are in doubt the next time, on hand-written tables."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.unit.ledger.ledger_tables import LATE, Row, file, header, hold, run

from dicomae.lake.sql import Database
from dicomae.ledger import known_folders
from dicomae.ledger.listings import VISITED

FILES = ("/pacs/a/1", "/pacs/b/2", "/pacs/c/3")


def remember(database: Database, root: Path, files: Sequence[Row]) -> None:
    """A run that has visited folders of one file each, and whose files are these."""
    began = known_folders.ledger_state(root)
    hold(root, files, [header(row["path"]) for row in files if row["status"] == "parsed"])
    rows = [
        {"path": str(Path(row["path"]).parent), "files": 1, "mark": "m", "is_settled": False} for row in files
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=VISITED), root / "visited.parquet")
    known_folders.remember(database, "/pacs", [root / "visited.parquet"], began, "")


def marks(database: Database, root: Path) -> dict[str, str]:
    found = known_folders.remembered(database, "/pacs", known_folders.ledger_state(root))
    assert isinstance(found, Path)
    rows = pq.read_table(found).to_pylist()
    return {Path(row["path"]).name: row["mark"] for row in rows}


def test_folders_are_as_the_last_run_left_them(database: Database, root: Path) -> None:
    assert known_folders.remembered(database, "/pacs", known_folders.ledger_state(root)) is None
    remember(database, root, [file(path) for path in FILES])
    assert marks(database, root) == {"a": "m", "b": "m", "c": "m"}


def test_a_folder_with_a_file_to_be_read_again_has_no_mark(database: Database, root: Path) -> None:
    quarantined = file("/pacs/b/2", "quarantined", reason="truncated")
    remember(database, root, [file("/pacs/a/1"), quarantined, file("/pacs/c/3", reason="timeout")])
    assert marks(database, root) == {"a": "m", "b": "", "c": ""}


def test_a_folder_that_another_run_has_written_since_has_no_mark(database: Database, root: Path) -> None:
    remember(database, root, [file(path) for path in FILES])
    hold(root, [file("/pacs/b/new", run_id=LATE)], [header("/pacs/b/new")])
    assert marks(database, root) == {"a": "m", "b": "", "c": "m"}


def test_a_folder_with_a_headerless_file_has_no_mark(database: Database, root: Path) -> None:
    remember(database, root, [file(path) for path in FILES])
    # A killed run of another source is doubted; /elsewhere/4 lacks its row, and so does /pacs/c/5.
    hold(root, [file("/elsewhere/4"), file("/pacs/c/5")], runs=[run(LATE, has_ended=False)])
    assert marks(database, root) == {"a": "m", "b": "m", "c": ""}
