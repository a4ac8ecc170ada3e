"""Hand-written rows of the ledger's tables."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dicomae.lake import delta, pieces
from dicomae.lake.parts import PartWriter
from dicomae.ledger.edits import Edits, editor
from dicomae.tables import FILES, HEADERS, RUNS, Table

Row = dict[str, Any]

EARLY, LATE = "20240501T010000-ingest-a", "20240502T010000-ingest-b"


def at(day: int) -> datetime:
    return datetime(2024, 5, day, tzinfo=UTC)


def file(path: str, status: str = "parsed", **values: Any) -> Row:
    """A row of `files`, of a file whose UID and content are its name, where nothing else is said."""
    name = Path(path).stem if status in ("parsed", "duplicate", "duplicate_uid_conflict") else None
    told = {"path": path, "status": status, "size": 1, "mtime": at(1), "attempts": 1, "vanished": False}
    return {**told, "SOPInstanceUID": name, "content_hash": name, "run_id": EARLY, **values}


def header(path: str, **values: Any) -> Row:
    """The row of `headers` of a file as `file` tells it."""
    name = Path(path).stem
    return {"path": path, "SOPInstanceUID": name, "content_hash": name, "run_id": EARLY, **values}


def run(run_id: str, *, has_ended: bool = True) -> Row:
    """A row of `runs`."""
    ended = at(2) if has_ended else None
    return {"run_id": run_id, "job": "ingest", "started": at(1), "finished": ended, "summary": "{}"}


def hold(
    root: Path, files: Iterable[Row] = (), headers: Iterable[Row] = (), runs: Iterable[Row] = ()
) -> None:
    """Add rows to the tables."""
    for table, rows in ((FILES, files), (HEADERS, headers), (RUNS, runs)):
        found = pa.Table.from_pylist(list(rows), schema=table.schema)
        if len(found):
            delta.append(root, table, found)


def written(root: Path, table: Table, rows: Iterable[Row]) -> str:
    """The name of a part of these rows, which nobody has committed."""
    writer = PartWriter(root, table)
    writer.write(pa.RecordBatch.from_pylist(list(rows), schema=table.schema))
    return str(writer.finish()["path"][0].as_py())


def edits_of(edits: Edits) -> dict[tuple[str, str], Row]:
    """(table, path) -> what its edit says: `drop`, or the columns that get another value."""
    found = {}
    for table, _, piece in edits.parts:
        rows = [row for batch in pieces.read(piece, 1000) for row in batch.to_pylist()]
        for row in rows:
            told = {name: value for name, value in row.items() if name not in ("table", "part", "path")}
            said = {"drop": True} if told.pop("drop") else told
            found[table, row["path"]] = {name: v for name, v in said.items() if v is not None}
    return found


def edited(root: Path, edits: Edits) -> list[Row]:
    """The rows that are left of the parts that are edited."""
    task, rows = editor(root), list[Row]()
    for part in edits.parts:
        for batch in task(part):
            (name,) = batch.column("path").to_pylist()
            if name is not None:
                rows += pq.ParquetFile(root / part[0] / name).read().to_pylist()
    return rows
