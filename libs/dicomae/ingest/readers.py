"""What a task of an ingest reads of its piece, batch by batch: rows of `LISTING_ROW`, and their headers."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs

from dicomae.codes import Reason
from dicomae.header_tables import convert
from dicomae.header_tables.column_map import ColumnMap, columns_read
from dicomae.headers.batch import Failure, HeaderBatch
from dicomae.lake import location, pieces
from dicomae.lake.pieces import Piece
from dicomae.ledger.outcome import listing_rows, mere_paths, with_files
from dicomae.sources import archives, uris
from dicomae.sources.listing import Listing, list_paths, listed_files
from dicomae.sources.read_settings import ReadSettings
from dicomae.sources.reading import read_headers

_FAILED, _FILE, _ARCHIVE = range(3)  # kinds of rows of a listing
_JSON_ROWS = 2048  # data sets as JSON are large
_TABLE_ROWS = 1 << 16


class ReadBatch(NamedTuple):
    """A batch that was read.

    Attributes
    ----------
    listing : schema `LISTING_ROW`.
    headers : what became of each row; None when the only row is a container whose members have been read.
    container : the archive or table that holds all of the rows; None when nothing does.
    """

    listing: pa.RecordBatch
    headers: HeaderBatch | None
    container: str | None = None


Reader = Callable[[Piece], Iterator[ReadBatch]]


def file_reader(uri: str, settings: ReadSettings) -> Reader:
    """A reader of files and archives below `uri`. Its pieces are rows of `LISTING_ROW`."""

    def read(piece: Piece) -> Iterator[ReadBatch]:
        filesystem = uris.open_filesystem(uri)
        prefix = uris.path_prefix(uri)
        files = partial(_files, filesystem, prefix, settings)
        for rows in pieces.read(piece, settings.batch_files):
            listing = _asked(filesystem, prefix, settings.read_timeout_seconds, rows)
            kinds = _kinds(listing)
            for kind, task in ((_FAILED, _failed), (_FILE, files)):
                chosen = listing.filter(pa.array(kinds == kind))
                if chosen.num_rows:
                    yield from task(chosen)
            for i in np.flatnonzero(kinds == _ARCHIVE):
                yield from _members(filesystem, listing.slice(i, 1), prefix, settings)

    return read


def _asked(
    filesystem: pafs.FileSystem, prefix: str, timeout: float, listing: pa.RecordBatch
) -> pa.RecordBatch:
    """The listing, with size and time of the files of which a list tells only the path.

    They stay null when the file system does not answer.
    """
    paths = [path[len(prefix) :] for path in mere_paths(listing).to_pylist()]
    if not paths:
        return listing
    return with_files(listing, _prefixed(prefix, list_paths(filesystem, paths, timeout).files))


def _prefixed(prefix: str, files: pa.RecordBatch) -> pa.RecordBatch:
    """Rows of `LISTED_FILE` with paths as the ledger writes them, such as `s3://bucket/key`."""
    paths = pc.binary_join_element_wise(prefix, files.column("path"), "")
    return files.set_column(0, files.schema.field(0), paths)


def _kinds(listing: pa.RecordBatch) -> npt.NDArray[np.int8]:
    kinds = [_ARCHIVE if archives.is_archive(path) else _FILE for path in listing.column("path").to_pylist()]
    failed = listing.column("reason").is_valid().to_numpy(zero_copy_only=False)
    return np.where(failed, _FAILED, np.array(kinds, np.int8))


def _failed(listing: pa.RecordBatch) -> Iterator[ReadBatch]:
    """Rows of a listing that could not be listed, as failures with their own reasons."""
    told = zip(listing.column("reason").to_pylist(), listing.column("detail").to_pylist(), strict=True)
    failures = [Failure(i, Reason(reason), detail) for i, (reason, detail) in enumerate(told)]
    yield ReadBatch(listing, HeaderBatch.of_failures(*failures))


def _files(
    filesystem: pafs.FileSystem, prefix: str, settings: ReadSettings, listing: pa.RecordBatch
) -> Iterator[ReadBatch]:
    paths = [path[len(prefix) :] for path in listing.column("path").to_pylist()]
    sizes = listing.column("size").to_pylist()
    for headers in read_headers(filesystem, paths, sizes, settings):
        yield ReadBatch(*headers.of(listing))


def _members(
    filesystem: pafs.FileSystem, row: pa.RecordBatch, prefix: str, settings: ReadSettings
) -> Iterator[ReadBatch]:
    """The members of an archive, and at the end the archive itself: read, or failed with its reason."""
    (named,) = row.column("path").to_pylist()
    path = named[len(prefix) :]
    for members, headers in archives.read_archive(filesystem, path, settings):
        if members.column("path")[0].as_py() == path:
            yield ReadBatch(row, headers)
            return
        yield ReadBatch(listing_rows(_prefixed(prefix, members)), headers, named)
    yield ReadBatch(row, None)


def _whole(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch | None]:
    """The batches. When a page of the file is damaged, None comes in its place, and nothing after it."""
    try:
        yield from batches
    except (pa.ArrowException, OSError):  # neither names a value, but a message might
        yield None


def _damaged(table: str, start: int, stop: int) -> ReadBatch:
    """Rows of a table that cannot be read, as one failure."""
    damaged = listing_rows(listed_files([f"{table}#rows {start}-{stop - 1}"], [None], [None]))
    failure = Failure(0, Reason.UNREADABLE, "a page of the Parquet file is damaged")
    return ReadBatch(damaged, HeaderBatch.of_failures(failure), table)


def _table(found: Listing) -> Iterator[ReadBatch]:
    """A header table as its file system lists it, after all its rows.

    It is a container; or a failure, when the file system does not answer.
    """
    if found.files.num_rows:
        yield ReadBatch(listing_rows(found.files), None)
    else:
        yield from _failed(listing_rows(found.files, found.failures))


def table_reader(columns: ColumnMap, settings: ReadSettings) -> Reader:
    """A reader of header tables. Its pieces are rows of their Parquet files."""
    rows = _JSON_ROWS if columns.json else _TABLE_ROWS

    def read(piece: Piece) -> Iterator[ReadBatch]:
        filesystem = uris.open_filesystem("/")
        table = str(piece.path)
        file = location.parquet_file(piece.path)
        wanted = columns_read(file.schema_arrow, columns)
        at = piece.start
        for batch in _whole(pieces.read(piece, rows, wanted)):
            if batch is None:
                yield _damaged(table, at, piece.stop)
                break
            headers = convert.from_table(batch, columns)
            paths = convert.paths(batch, headers, columns, table, at).to_pylist()
            unknown = [None] * len(paths)
            yield ReadBatch(listing_rows(listed_files(paths, unknown, unknown)), headers, table)
            at += batch.num_rows
        if piece.stop == file.metadata.num_rows:  # committed last: until then it is not known to the ledger
            yield from _table(list_paths(filesystem, [table], settings.read_timeout_seconds))

    return read
