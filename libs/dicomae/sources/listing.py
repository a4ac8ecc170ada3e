"""Listed files: what a file system or a list says of files, before any of them is opened.

    a folder, a list, an inventory, a DICOMDIR ──► `Listing` ──► rows of `LISTING_ROW` ──► `WholeListing`

Glossary. These words are used for nothing else.

- A *listed file* is a file that a source has named: its path, and its size, time and etag where the source
  says them. `LISTED_FILE` is the schema, `listed_files` makes rows of it. Example: `/pacs/a/1.dcm`, 524288
  bytes, 2024-05-01 12:30 UTC, no etag.
- A `ListingFailure` is what could not be listed: path, reason, detail. Example: `/pacs/locked`, `permission`,
  `PermissionError EACCES`.
- A `Folder` is a folder as it was when it was visited: how many files it held, and its mark.
- A `Listing` is one level of some folders, or the files of a list: listed files, folders and failures.
  `ListingBuilder` collects one.
- `LISTING_ROW` (in `ledger.outcome`) is the schema of a row that a task reads: a listed file to be read, or,
  with reason and detail, a listing failure; and how often it has been read before.
- A `ListingRequest` (in `ledger.listings`) is what a listing of a whole source is given: where it is written,
  what counts the files, how long an answer may take.
- A `WholeListing` (in `ledger.listings`) is what a listing of a whole source gave: its Parquet files of
  `LISTING_ROW`, and counts. `ListingWriter` writes one of these files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import pyarrow as pa
import pyarrow.fs as pafs

from dicomae import tables
from dicomae.codes import Reason
from dicomae.sources.hdfs import file_info
from dicomae.sources.in_flight import read_all
from dicomae.sources.io_errors import READ_ERRORS, explained
from dicomae.sources.links import Link

LISTED_FILE = pa.schema(
    [("path", pa.string()), ("size", pa.int64()), ("mtime", tables.TIME), ("etag", pa.string())]
)
CHUNK = 1 << 16  # entries that are Python objects at a time

_NOT_UTF8 = "the name is not UTF-8"
_NO_FILE = "neither a file nor a folder"

ListingFailure = tuple[str, Reason, str]


class Folder(NamedTuple):
    """A folder as it was when it was visited.

    Attributes
    ----------
    path : in its file system.
    files : how many files it held itself, without those of its folders.
    mark : changes when the folder does (see `list_folders`).
    """

    path: str
    files: int
    mark: str | None


@dataclass(frozen=True)
class Listing:
    """One level of some folders, or the files of a list.

    Attributes
    ----------
    files : schema `LISTED_FILE`, sorted by path. A size, time or etag that is unknown is null.
    folders : paths of the folders in them, sorted.
    failures : what could not be listed, sorted: a folder itself, or an entry that is no regular file. The
        path of a name that is not UTF-8 is escaped and ends in `/`, as no file's path does.
    links : links of a local file system that lead out of what is listed, when such links are followed.
    to_tables : paths of links that lead to the folder of the tables, which no run may read.
    visited : local folders that were listed and are not below a link; and known folders that are gone.
    settled : local folders that were not listed, because they still have the mark that was given.
    """

    files: pa.RecordBatch
    folders: tuple[str, ...]
    failures: tuple[ListingFailure, ...]
    links: tuple[Link, ...] = ()
    to_tables: tuple[str, ...] = ()
    visited: tuple[Folder, ...] = ()
    settled: tuple[str, ...] = ()


def list_paths(filesystem: pafs.FileSystem, paths: Sequence[str], timeout_seconds: float) -> Listing:
    """The files of a list with what the file system says of them; a path to nothing is a failure.

    Parameters
    ----------
    timeout_seconds : how long each answer may take, of any file system. A path whose answer takes longer is a
        failure.
    """
    found, late = ListingBuilder(), (Reason.TIMEOUT, f"no answer within {timeout_seconds:g} s")
    answers = read_all(partial(_info, filesystem, paths), len(paths), timeout_seconds)
    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, pafs.FileInfo):
            found.add([answer])
        else:
            found.failures.append((path, *(answer or late)))
    return found.sorted()


def _info(filesystem: pafs.FileSystem, paths: Sequence[str], i: int) -> pafs.FileInfo | tuple[Reason, str]:
    try:
        info = file_info(filesystem, paths[i])
    except READ_ERRORS as error:
        return explained(error)
    return (Reason.MISSING, "no such file") if info.type == pafs.FileType.NotFound else info


def listed_files(
    paths: Iterable[str],
    sizes: Iterable[int | None],
    mtimes: Iterable[int | None],
) -> pa.RecordBatch:
    """Rows of `LISTED_FILE` without etags.

    Parameters
    ----------
    sizes : bytes.
    mtimes : nanoseconds since 1970 in UTC.
    """
    text = pa.array(paths, pa.string())
    times = pa.array([None if t is None else t // 1000 for t in mtimes], pa.int64()).cast(tables.TIME)
    arrays = [text, pa.array(sizes, pa.int64()), times, pa.nulls(len(text), pa.string())]
    return pa.RecordBatch.from_arrays(arrays, schema=LISTED_FILE)


_NOTHING = listed_files([], [], [])


class ListingBuilder:
    """What has been found of a listing so far."""

    def __init__(self) -> None:
        self.n_files = 0
        self.folders: list[str] = []
        self.failures: list[ListingFailure] = []
        self._files: list[pa.RecordBatch] = []
        self._columns: tuple[list[str], list[int | None], list[int | None]] = [], [], []  # of `listed`

    def sorted(self) -> Listing:
        """The listing of all that was added."""
        self._pack()
        files = pa.concat_batches(self._files).sort_by("path") if self._files else _NOTHING
        return Listing(files, tuple(sorted(self.folders)), tuple(sorted(self.failures)))

    def add(self, infos: Iterable[pafs.FileInfo]) -> None:
        """Add entries as `pyarrow.fs` gives them."""
        for info in infos:
            try:
                path = info.path
            except UnicodeDecodeError as error:
                self.add_unnameable(error.object)
                continue
            if info.type == pafs.FileType.File:
                self.add_file(path, info.size, info.mtime_ns)
            elif info.type == pafs.FileType.Directory:
                self.folders.append(path)
            else:
                self.add_no_file(path)

    def add_file(self, path: str, size: int | None, mtime_ns: int | None) -> None:
        """Add a file. Its time is in nanoseconds since 1970 in UTC."""
        self.n_files += 1
        paths, sizes, mtimes = self._columns
        paths.append(path)
        sizes.append(size)
        mtimes.append(mtime_ns)
        if len(paths) >= CHUNK:
            self._pack()

    def add_no_file(self, path: str) -> None:
        """Add an entry that is neither a file nor a folder, such as a pipe."""
        self.failures.append((path, Reason.NOT_A_FILE, _NO_FILE))

    def add_unnameable(self, path: bytes) -> None:
        r"""Add an entry whose name is not UTF-8. Arrow and Delta hold no such name.

        The failure shows the bytes escaped, and no two names alike: `caf\xe9.dcm/` for `caf`, byte E9,
        `.dcm`.
        """
        shown = path.replace(b"\\", b"\\\\").decode("utf-8", errors="backslashreplace")
        self.failures.append((f"{shown}/", Reason.IO_ERROR, _NOT_UTF8))

    def _pack(self) -> None:
        """Turn what was added into Arrow, so that no more than a chunk of it is Python objects."""
        if self._columns[0]:
            self._files.append(listed_files(*self._columns))
            self._columns = [], [], []
