"""Files that were found: paths, sizes and times as Arrow columns, beside what could not be listed."""

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

LISTED_FILE = pa.schema(
    [("path", pa.string()), ("size", pa.int64()), ("mtime", tables.TIME), ("etag", pa.string())]
)
CHUNK = 1 << 16  # entries that are Python objects at a time

_NOT_UTF8 = "the name is not UTF-8"
_NO_FILE = "neither a file nor a folder"

ListingFailure = tuple[str, Reason, str]


class Folder(NamedTuple):
    """A folder, how many files it holds itself, and its mark, as `list_folders` takes it."""

    path: str
    files: int
    mark: str | None


@dataclass(frozen=True)
class Listing:
    """One level of some folders, or the files of a list.

    Attributes
    ----------
    files : schema `LISTED_FILE`, sorted by path.
    folders : paths of the folders in them, sorted.
    failures : (path, reason, detail) of what could not be listed: a folder itself, or an entry that
        is no regular file; sorted. A name that is not UTF-8 is escaped, and ends in `/`, as no file's does.
    links : those of `folders` that are links, of a local file system.
    visited : local folders that were listed, but for those below a link; and those that are gone.
    settled : local folders that were not, for they still have the mark that was given.
    """

    files: pa.RecordBatch
    folders: tuple[str, ...]
    failures: tuple[ListingFailure, ...]
    links: frozenset[str] = frozenset()
    visited: tuple[Folder, ...] = ()
    settled: tuple[str, ...] = ()


def list_paths(filesystem: pafs.FileSystem, paths: Sequence[str], timeout_seconds: float) -> Listing:
    """The files of a list with what the file system says of them; a path to nothing is a failure.

    Parameters
    ----------
    timeout_seconds : for each answer, of any file system; beyond, the path is a failure.
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
    """What has been found so far."""

    def __init__(self) -> None:
        self.n_files = 0
        self.folders: list[str] = []
        self.failures: list[ListingFailure] = []
        self._files: list[pa.RecordBatch] = []
        self._columns: tuple[list[str], list[int | None], list[int | None]] = [], [], []  # of `listed`

    def sorted(self) -> Listing:
        """All of it."""
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
        """Add a file; its time in nanoseconds since 1970 in UTC."""
        self.n_files += 1
        paths, sizes, mtimes = self._columns
        paths.append(path)
        sizes.append(size)
        mtimes.append(mtime_ns)
        if len(paths) >= CHUNK:
            self._pack()

    def add_no_file(self, path: str) -> None:
        """Add what is neither a file nor a folder."""
        self.failures.append((path, Reason.NOT_A_FILE, _NO_FILE))

    def add_unnameable(self, path: bytes) -> None:
        """Add what has a name that is not UTF-8: Arrow and Delta hold no other; no two are shown alike."""
        shown = path.replace(b"\\", b"\\\\").decode("utf-8", errors="backslashreplace")
        self.failures.append((f"{shown}/", Reason.IO_ERROR, _NOT_UTF8))

    def _pack(self) -> None:
        """Let no more than a chunk be Python objects."""
        if self._columns[0]:
            self._files.append(listed_files(*self._columns))
            self._columns = [], [], []
