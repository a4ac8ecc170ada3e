"""Work cut into pieces: rows that wait in Parquet files of the staging folder, and a Spark task for each cut.

The rows themselves never cross the JVM: the driver knows files and numbers of rows, a task reads its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import pyarrow as pa

from dicomae.lake import location
from dicomae.lake.location import Location


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
