"""Work cut into pieces: rows that wait in Parquet files of the staging folder, and a Spark task for each cut.

The rows themselves never cross the JVM: the driver knows files and numbers of rows, a task reads its own.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import SparkSession

from dicomae.lake import location
from dicomae.lake.location import Location

Item = TypeVar("Item")


@dataclass(frozen=True)
class Piece:
    """Rows `start` to `stop` of a Parquet file."""

    path: Location
    start: int
    stop: int

    @property
    def rows(self) -> int:
        """How many they are."""
        return self.stop - self.start


def cut(files: Sequence[Piece], rows: int) -> Iterator[Piece]:
    """All rows of `whole` files in pieces of at most `rows`, in order."""
    for file in files:
        for start in range(0, file.stop, rows):
            yield Piece(file.path, start, min(start + rows, file.stop))


def whole(paths: Sequence[Location]) -> list[Piece]:
    """All rows of each file as one piece; each file is opened for its number of rows."""
    return [Piece(path, 0, location.parquet_file(path).metadata.num_rows) for path in paths]


def batches(files: Sequence[Piece], each: int, together: int) -> Iterator[list[Piece]]:
    """Pieces of at most `each` rows, in lists of about `together` rows (no fewer, but the last)."""
    batch: list[Piece] = []
    for piece in cut(files, min(each, together)):
        batch.append(piece)
        if rows(batch) >= together:
            yield batch
            batch = []
    if batch:
        yield batch


def rows(some: Sequence[Piece]) -> int:
    """Rows of all of them."""
    return sum(piece.rows for piece in some)


def read(piece: Piece, batch_rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a piece in batches of at most `batch_rows`; of all columns, or of some."""
    file = location.parquet_file(piece.path)
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    ends = list(accumulate(sizes))
    groups = [i for i, end in enumerate(ends) if piece.start < end and end - sizes[i] < piece.stop]
    at = ends[groups[0]] - sizes[groups[0]] if groups else 0
    for batch in file.iter_batches(batch_rows, row_groups=groups, columns=columns):
        first, last = max(piece.start - at, 0), min(piece.stop - at, batch.num_rows)
        if first < last:
            yield batch.slice(first, last - first)
        at += batch.num_rows


def run(
    spark: SparkSession,
    items: Sequence[Item],
    task: Callable[[Item], Iterator[pa.RecordBatch]],
    schema: pa.Schema,
) -> pa.Table:
    """What the tasks yield, one Spark task for each item; small: it comes to the driver."""
    if not items:
        return schema.empty_table()

    def run_one(item: Item) -> Iterator[pa.RecordBatch]:
        gc.freeze()  # what lives between tasks are modules: Spark collects garbage after each
        return task(item)

    # Not `mapInArrow`: to plan and start such a query costs more than a small night's work.
    batches = spark.sparkContext.parallelize(items, len(items)).flatMap(run_one).collect()
    return pa.Table.from_batches(batches, schema)
