"""Listings of sources, as Parquet files below the staging folder."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from pyspark import Accumulator

from dicomae.dicom.archive import archive_of
from dicomae.dicom.listing import Failed, Listing
from dicomae.dicom.outcome import LISTING, as_listing
from dicomae.errors import Reason
from dicomae.spark import location
from dicomae.spark.location import Location

_ROWS_TOGETHER = 1 << 16


FOLDERS = pa.schema([("path", pa.string())])


@dataclass(frozen=True)
class Wish:
    """What a listing is given.

    Attributes
    ----------
    folder : where it is written.
    found : the number of files is added to it as they are found.
    timeout_seconds, settled_before : as `list_folders` takes them.
    """

    folder: Location
    found: Accumulator[int]
    timeout_seconds: float
    settled_before: int | None = None


@dataclass(frozen=True)
class Listed:
    """Parquet files of `LISTING`, how many rows are files and failures; and of `FOLDERS` that are settled."""

    paths: list[Location]
    files: int
    failures: int
    settled: list[Location] = field(default_factory=list)

    def __add__(self, other: "Listed") -> "Listed":
        """Both."""
        return Listed(
            self.paths + other.paths,
            self.files + other.files,
            self.failures + other.failures,
            self.settled + other.settled,
        )


def write_folders(folder: Location, paths: Iterable[str]) -> Location:
    """Write a Parquet file of `FOLDERS` there."""
    written = folder / f"folders-{uuid.uuid4()}.parquet"
    with location.parquet_writer(written, FOLDERS) as writer:
        writer.write_table(pa.table([pa.array(paths, pa.string())], schema=FOLDERS))
    return written


class ListingWriter:
    """One Parquet file of `LISTING`, written when enough rows have come together."""

    def __init__(self, wish: Wish, prefix: str) -> None:
        self._wish, self._prefix = wish, prefix
        self.path = wish.folder / f"listing-{uuid.uuid4()}.parquet"
        self.files = self.failures = 0
        self._settled: list[str] = []
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._writer = location.parquet_writer(self.path, LISTING)

    def write(self, found: Listing) -> None:
        """Add what was found."""
        files, failures = _told_apart(found)
        self._waiting.append(as_listing(files, failures))
        self._settled += found.settled
        self._wish.found.add(files.num_rows)
        self.files += files.num_rows
        self.failures += len(failures)
        self._rows += self._waiting[-1].num_rows
        if self._rows > _ROWS_TOGETHER:
            self._flush()

    def finish(self) -> Listed:
        """Close the file."""
        self._flush()
        self._writer.close()
        settled = [write_folders(self._wish.folder, self._settled)] if self._settled else []
        return Listed([self.path], self.files, self.failures, settled)

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting)
        if self._prefix:
            paths = pc.binary_join_element_wise(self._prefix, table["path"], "")
            table = table.set_column(0, LISTING[0], paths)
        self._writer.write_table(table)
        self._waiting, self._rows = [], 0


def _told_apart(found: Listing) -> tuple[pa.RecordBatch, tuple[Failed, ...]]:
    """Files and failures, where a file whose name is that of a member of an archive is a failure.

    Its path ends in `/`, as no file's does: the other belongs to the member.
    """
    paths = found.files.column("path")
    if not pc.any(pc.match_substring(paths, "!")).as_py():
        return found.files, found.failures
    of_members = [archive_of(path) is not None for path in paths.to_pylist()]
    named = paths.filter(pa.array(of_members)).to_pylist()
    failures = ((f"{path}/", Reason.IO_ERROR, "its name is that of a member of an archive") for path in named)
    return found.files.filter(pc.invert(pa.array(of_members))), (*found.failures, *failures)
