"""Bulk rows never cross the JVM: tasks write Parquet parts, and only their descriptors travel."""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from dicomae.tables import Table

# What a task tells of a part: its path inside the table's folder, bytes, rows, Delta's statistics.
PART = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("rows", pa.int64()),
        ("modified", pa.int64()),  # milliseconds since the epoch
        ("stats", pa.string()),
    ]
)
PART_DDL = "path string, size bigint, rows bigint, modified bigint, stats string"

Kernel = Callable[[pa.RecordBatch], pa.RecordBatch]


class PartWriter:
    """One Parquet part of a table, under a unique name; unlisted, so unseen, until a commit."""

    def __init__(self, root: Path, table: Table) -> None:
        self.table = table
        self.name = f"part-{uuid.uuid4()}.zstd.parquet"
        self.path = root / table.name / self.name
        self.rows = 0
        self._bounds: dict[str, list[Any]] = {}
        self._nulls: dict[str, int] = {}
        self._writer = pq.ParquetWriter(self.path, table.schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows of the table's schema."""
        self._writer.write_batch(batch)
        self.rows += batch.num_rows
        for name in (*self.table.key, *self.table.cluster_by):
            self._count(name, batch.column(name))

    def finish(self) -> pa.RecordBatch:
        """Close the file; its descriptor, one row of `PART`."""
        self._writer.close()
        stats = {
            "numRecords": self.rows,
            "minValues": {name: low for name, (low, _) in self._bounds.items()},
            "maxValues": {name: high for name, (_, high) in self._bounds.items()},
            "nullCount": self._nulls,
        }
        row = {
            "path": self.name,
            "size": os.path.getsize(self.path),
            "rows": self.rows,
            "modified": int(time.time() * 1000),
            "stats": json.dumps(stats),
        }
        return pa.RecordBatch.from_pylist([row], schema=PART)

    def _count(self, name: str, column: pa.Array) -> None:
        self._nulls[name] = self._nulls.get(name, 0) + column.null_count
        bounds = pc.min_max(column).as_py()
        if bounds["min"] is None:
            return
        low, high = self._bounds.get(name, [bounds["min"], bounds["max"]])
        self._bounds[name] = [min(low, bounds["min"]), max(high, bounds["max"])]


def write_parts(rows: DataFrame, root: Path, table: Table, kernel: Callable[[], Kernel]) -> pa.Table:
    """Send each Arrow batch of `rows` through a kernel and write what it returns as parts.

    Parameters
    ----------
    kernel : builds the kernel, once in each task: (columns of `rows`) -> (the table's schema).

    Returns
    -------
    Descriptors (`PART`), one of each non-empty partition, for `delta.commit_parts`.
    """

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        writer: PartWriter | None = None
        run = kernel()
        for batch in batches:
            if batch.num_rows == 0:
                continue
            writer = writer or PartWriter(root, table)
            writer.write(run(batch))
        if writer is not None:
            yield writer.finish()

    return rows.mapInArrow(task, PART_DDL).toArrow().cast(PART)
