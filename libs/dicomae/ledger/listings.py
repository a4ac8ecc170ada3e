"""Listings of sources, as Parquet files below the staging folder."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from dicomae.codes import Reason
from dicomae.lake import location
from dicomae.lake.location import Location
from dicomae.ledger.outcome import LISTING_ROW, listing_rows
from dicomae.sources.archives import archive_of
from dicomae.sources.listing import Folder, Listing, ListingFailure

_ROWS_TOGETHER = 1 << 16
_NOTHING_KNOWN: Mapping[str, Folder] = {}

# Folders to be listed: the files that each held, and the mark that it had, as `list_folders` takes it.
FOLDERS = pa.schema([("path", pa.string()), ("files", pa.int64()), ("mark", pa.string())])

# Folders that were visited: those that have their mark still, and those that were listed.
VISITED = FOLDERS.append(pa.field("is_settled", pa.bool_()))


class Counter(Protocol):
    """A number that other processes add to and this one reads, as Spark's accumulators."""

    @property
    def value(self) -> int:
        """The sum."""

    def add(self, term: int) -> None:
        """Add to it."""


@dataclass(frozen=True)
class ListingRequest:
    """What a listing is given.

    Attributes
    ----------
    folder : where it is written.
    found : the number of files is added to it as they are found.
    timeout_seconds : as `list_folders` takes it.
    """

    folder: Location
    found: Counter
    timeout_seconds: float


@dataclass(frozen=True)
class WholeListing:
    """What was found.

    Attributes
    ----------
    paths : Parquet files of `LISTING_ROW`.
    files, failures : how many of their rows are files, and are not.
    visited : Parquet files of `VISITED`.
    settled, trusted : how many of those folders are settled, and the files in them.
    """

    paths: list[Location]
    files: int
    failures: int
    visited: list[Location] = field(default_factory=list)
    settled: int = 0
    trusted: int = 0

    def __add__(self, other: "WholeListing") -> "WholeListing":
        """Both."""
        return WholeListing(
            self.paths + other.paths,
            self.files + other.files,
            self.failures + other.failures,
            self.visited + other.visited,
            self.settled + other.settled,
            self.trusted + other.trusted,
        )


def write_folders(folder: Location, folders: Sequence[Folder]) -> Location:
    """Write a Parquet file of `FOLDERS` there."""
    return _write(folder, folders, FOLDERS)


def _write(folder: Location, rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> Location:
    path = folder / f"folders-{uuid.uuid4()}.parquet"
    columns = [list(column) for column in zip(*rows, strict=True)]
    with location.parquet_writer(path, schema) as writer:
        writer.write_table(pa.table(columns, schema=schema))
    return path


class ListingWriter:
    """One Parquet file of `LISTING_ROW`, written when enough rows have come together."""

    def __init__(self, request: ListingRequest, prefix: str) -> None:
        self._request, self._prefix = request, prefix
        self.path = request.folder / f"listing-{uuid.uuid4()}.parquet"
        self.files = self.failures = self.settled = self.trusted = 0
        self._visited: list[tuple[str, int, str | None, bool]] = []
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._writer = location.parquet_writer(self.path, LISTING_ROW)

    def write(self, found: Listing, known: Mapping[str, Folder] = _NOTHING_KNOWN) -> None:
        """Add what was found in folders; `known` is what was known of those that are settled, and others."""
        self._visited += [(*folder, False) for folder in found.visited]
        self._visited += [(*known[path], True) for path in found.settled]
        self.settled += len(found.settled)
        self.trusted += sum(known[path].files for path in found.settled)
        if found.files.num_rows or found.failures:
            self._write_files(found)

    def _write_files(self, found: Listing) -> None:
        files, failures = _told_apart(found)
        self._waiting.append(listing_rows(files, failures))
        self._request.found.add(files.num_rows)
        self.files += files.num_rows
        self.failures += len(failures)
        self._rows += self._waiting[-1].num_rows
        if self._rows > _ROWS_TOGETHER:
            self._flush()

    def finish(self) -> WholeListing:
        """Close the file."""
        self._flush()
        self._writer.close()
        rows = self._visited
        visited = [_write(self._request.folder, rows, VISITED)] if rows else []
        return WholeListing([self.path], self.files, self.failures, visited, self.settled, self.trusted)

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting)
        if self._prefix:
            paths = pc.binary_join_element_wise(self._prefix, table["path"], "")
            table = table.set_column(0, LISTING_ROW[0], paths)
        self._writer.write_table(table)
        self._waiting, self._rows = [], 0


def _told_apart(found: Listing) -> tuple[pa.RecordBatch, tuple[ListingFailure, ...]]:
    """Files and failures, where a file whose name is that of a member of an archive is a failure.

    Its path, and that of what is not there, ends in `/`, as no file's does: the other belongs to the member.
    """
    paths = found.files.column("path")
    failed = tuple((f"{path}/" if archive_of(path) else path, why, how) for path, why, how in found.failures)
    if not pc.any(pc.match_substring(paths, "!")).as_py():
        return found.files, failed
    of_members = [archive_of(path) is not None for path in paths.to_pylist()]
    named = paths.filter(pa.array(of_members)).to_pylist()
    failures = ((f"{path}/", Reason.IO_ERROR, "its name is that of a member of an archive") for path in named)
    return found.files.filter(pc.invert(pa.array(of_members))), (*failed, *failures)
