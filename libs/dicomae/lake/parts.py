"""Bulk rows never cross the JVM: tasks write Parquet parts, and only their descriptors travel."""

import json
import time
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dicomae.lake import location
from dicomae.lake.location import Location
from dicomae.lake.parquet import ROW_GROUP, writer_options
from dicomae.tables import Table

# What a task tells of a part: its table, its path inside the table's folder, bytes, rows, Delta's statistics.
PART = pa.schema(
    [
        ("table", pa.string()),
        ("path", pa.string()),
        ("size", pa.int64()),
        ("rows", pa.int64()),
        ("modified", pa.int64()),  # milliseconds since the epoch
        ("stats", pa.string()),
    ]
)

ROW_GROUP_BYTES = 64 << 20  # of Arrow: readers take a row group at once, and Arrow's texts end at 2 GiB


def new_name() -> str:
    """A name that no other part has."""
    return f"part-{uuid.uuid4()}.zstd.parquet"


class PartWriter:
    """One Parquet part of a table; unlisted, so unseen, until a commit."""

    def __init__(self, root: Location, table: Table, name: str | None = None) -> None:
        self.table = table
        self.name = name or new_name()
        self.path = root / table.name / self.name
        self.rows = 0
        self._bounds: dict[str, list[Any]] = {}
        self._nulls: dict[str, int] = {}
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._writer: pq.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows of the table's schema."""
        if not batch.num_rows:
            return
        self._waiting.append(batch)
        self.rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        is_long = sum(waiting.num_rows for waiting in self._waiting) >= ROW_GROUP
        if is_long or self._waiting_bytes >= ROW_GROUP_BYTES:
            self._flush()
        for name in (*self.table.key, *self.table.cluster_by):
            self._count(name, batch.column(name))

    def finish(self) -> pa.RecordBatch:
        """Close the file; its descriptor, one row of `PART`; none where nothing was written."""
        if not self.rows:
            return pa.RecordBatch.from_pylist([], schema=PART)
        self._flush().close()
        stats = {
            "numRecords": self.rows,
            "minValues": {name: low for name, (low, _) in self._bounds.items()},
            "maxValues": {name: high for name, (_, high) in self._bounds.items()},
            "nullCount": self._nulls,
        }
        row = {
            "table": self.table.name,
            "path": self.name,
            "size": location.size(self.path),
            "rows": self.rows,
            "modified": int(time.time() * 1000),
            "stats": json.dumps(stats),
        }
        return pa.RecordBatch.from_pylist([row], schema=PART)

    def _flush(self) -> pq.ParquetWriter:
        """Write what waits as a row group: small ones are slow to write and large on disk."""
        schema = self.table.schema
        if self._writer is None:
            self._writer = location.parquet_writer(self.path, schema, **writer_options(schema))
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, schema=schema))
        self._waiting, self._waiting_bytes = [], 0
        return self._writer

    def _count(self, name: str, column: pa.Array) -> None:
        self._nulls[name] = self._nulls.get(name, 0) + column.null_count
        bounds = pc.min_max(column).as_py()
        if bounds["min"] is None:
            return
        low, high = self._bounds.get(name, [bounds["min"], bounds["max"]])
        self._bounds[name] = [min(low, bounds["min"]), max(high, bounds["max"])]
