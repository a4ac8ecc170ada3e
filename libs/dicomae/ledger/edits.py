"""Edits of Parquet parts: a part that must lose or change rows is written again, under a new name.

This is how every row of `headers` and `files` changes: copies of the parts concerned take
their place in one commit, which another run either sees whole or makes fail.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dicomae import tables
from dicomae.lake import location, pieces, sql
from dicomae.lake.location import Location
from dicomae.lake.parts import PART, PartWriter
from dicomae.lake.pieces import Piece
from dicomae.tables import Table

_BATCH_ROWS = 4096
_BY_NAME = {table.name: table for table in tables.ALL}

# Columns that edits give other values.
_VALUES = {
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "detail": "VARCHAR",
    "original_path": "VARCHAR",
    "vanished": "BOOLEAN",
}

# A part that was edited, and what takes its place.
EDITED = pa.schema([("part", pa.string()), *PART])


class Edits(NamedTuple):
    """For each part to be edited, its table, its name, and the piece of a Parquet file that has the edits.

    An edit is a path, and either `drop` or the values that are not null. Where a table has no paths, such as
    `embeddings`, a SOPInstanceUID stands for the path.
    """

    parts: tuple[tuple[str, str, Piece], ...]


def dropped(table: Table, rows: str) -> str:
    """SQL for edits that drop `rows`, something to select `part` and `path` from."""
    return _edits(table, rows, drop="true")


def unread(table: Table, rows: str) -> str:
    """SQL for edits that give rows another `reason` and `detail`."""
    return _edits(table, rows, reason="reason", detail="detail")


def restated(table: Table, rows: str) -> str:
    """SQL for edits that give rows another `status` and `original_path`."""
    return _edits(table, rows, status="status", original_path="original_path")


def marked(table: Table, rows: str, *, vanished: bool) -> str:
    """SQL for edits that mark rows as vanished, or as there again."""
    return _edits(table, rows, vanished=str(vanished).lower())


def wanted(connection: duckdb.DuckDBPyConnection, found: Sequence[str], staging: Location) -> Edits:
    """The edits of all these queries, written below `staging`; those of one row together."""
    written = staging / "edits.parquet"
    values = ", ".join(f'any_value("{name}") AS "{name}"' for name in _VALUES)
    together = f"""SELECT "table", part, path, bool_or("drop") AS "drop", {values}
        FROM ({" UNION ALL ".join(found)}) GROUP BY 1, 2, 3 ORDER BY 1, 2"""
    if not sql.write(connection, together, written):
        return Edits(())
    sizes = f'SELECT "table", part, count(*) FROM read_parquet({sql.address(written)}) GROUP BY 1, 2'
    parts: list[tuple[str, str, Piece]] = []
    at = 0
    for table, part, rows in connection.execute(sizes + " ORDER BY 1, 2").fetchall():
        parts.append((table, part, Piece(written, at, at + rows)))
        at += rows
    return Edits(tuple(parts))


def _edits(table: Table, rows: str, **values: str) -> str:
    nothing = {"drop": "false", **{name: f"NULL::{kind}" for name, kind in _VALUES.items()}}
    columns = ", ".join(f'{value} AS "{name}"' for name, value in {**nothing, **values}.items())
    return f"(SELECT '{table.name}' AS \"table\", part, path, {columns} FROM {rows})"


def editor(root: Location) -> Callable[[tuple[str, str, Piece]], Iterator[pa.RecordBatch]]:
    """A task that writes an edited part again; see `apply` of `ingest.commits`."""

    def task(item: tuple[str, str, Piece]) -> Iterator[pa.RecordBatch]:
        table, part, piece = item
        rows = pa.Table.from_batches(pieces.read(piece, piece.rows)).combine_chunks()
        yield _edited(root, _BY_NAME[table], part, rows)

    return task


def _edited(root: Location, table: Table, part: str, edits: pa.Table) -> pa.RecordBatch:
    drops = edits.filter(edits["drop"])["path"]
    changes = edits.filter(pc.invert(edits["drop"]))
    writer = PartWriter(root, table)
    name = "path" if "path" in table.columns else "SOPInstanceUID"
    for batch in _batches(location.parquet_file(root / table.name / part)):
        kept = batch.filter(pc.invert(pc.is_in(batch.column(name), drops)))
        writer.write(_changed(kept, changes) if len(changes) else kept)
    written = writer.finish()
    old = pa.array([part], pa.string())
    columns = written.columns if written.num_rows else [pa.nulls(1, field.type) for field in PART]
    if not written.num_rows:
        columns[0] = pa.array([table.name], pa.string())
    return pa.RecordBatch.from_arrays([old, *columns], schema=EDITED)


def _batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """All rows, of no two row groups together: these are bounded in bytes."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(_BATCH_ROWS, row_groups=[group])


def _changed(batch: pa.RecordBatch, changes: pa.Table) -> pa.RecordBatch:
    """The rows with the new values of those that are named."""
    which = pc.index_in(batch.column("path"), changes["path"])
    for name in _VALUES:
        at = batch.schema.get_field_index(name)
        values = changes[name].take(which).combine_chunks()
        batch = batch.set_column(at, batch.schema.field(at), pc.coalesce(values, batch.column(at)))
    return batch
