"""One level of folders, and the files of a list: paths, sizes and times as Arrow columns."""

import errno
import math
import os
import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
import pyarrow.fs as pafs

from dicomae import tables
from dicomae.dicom.hdfs import file_info
from dicomae.dicom.inflight import TIMEOUT_SECONDS, Wait, read_all, watched
from dicomae.dicom.ioerrors import READ_ERRORS, explained
from dicomae.errors import Reason

LISTED = pa.schema(
    [("path", pa.string()), ("size", pa.int64()), ("mtime", tables.TIME), ("etag", pa.string())]
)
CHUNK = 1 << 16  # entries that are Python objects at a time
LINKED = "link"
_RESTLESS_NS = 2 * 10**9  # the coarsest times that file systems keep (FAT) are of two seconds
TOGETHER = 16  # remote folders that are listed at a time, and held as Python objects

_NOT_UTF8 = "the name is not UTF-8"
_NO_FILE = "neither a file nor a folder"
_LOOP = "a link to a folder above itself"

Failed = tuple[str, Reason, str]


class Held(NamedTuple):
    """A folder, how many files it holds itself, and its mark, as `list_folders` takes it."""

    path: str
    files: int
    mark: str | None


@dataclass(frozen=True)
class Listing:
    """One level of some folders, or the files of a list.

    Attributes
    ----------
    files : schema `LISTED`: path, size in bytes, mtime in UTC and etag (null where unknown); sorted by path.
    folders : paths of the folders in them, sorted.
    failures : (path, reason, detail) of what could not be listed: a folder itself, or an entry that
        is no regular file; sorted. A name that is not UTF-8 is escaped, and ends in `/`, as no file's does.
    links : those of `folders` that are links, of a local file system.
    held : local folders that were listed, but for those below a link; and those that are gone.
    settled : local folders that were not, for they still have the mark that was given.
    """

    files: pa.RecordBatch
    folders: tuple[str, ...]
    failures: tuple[Failed, ...]
    links: frozenset[str] = frozenset()
    held: tuple[Held, ...] = ()
    settled: tuple[str, ...] = ()


def list_folders(
    filesystem: pafs.FileSystem,
    folders: Sequence[str],
    marks: Sequence[str | None] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Listing:
    """Files and folders directly in some folders; what cannot be listed is a value, never an exception.

    Links are followed, except to a folder above themselves; a link to nothing is not listed.

    Parameters
    ----------
    marks : of local folders, for each the mark that it had when it was listed before, "" where it had none;
        None where it is new, `LINKED` where that is reached through a link. One that has its mark still is
        not opened, and one that is gone, or a link by now, is no failure. A mark is inode and ctime: it
        changes when an entry comes, goes or takes another's place, and nobody can set it. What a link leads
        to can change without, so a folder that holds a link has none.
    timeout_seconds : for each answer of the system about a local folder; beyond, it is a failure, and so are
        those after it, for the source does not answer. Elsewhere there is no such bound: a folder comes in
        many requests, of which S3's client bounds each (`ioerrors`), and HDFS by its own configuration.
    """
    if not isinstance(filesystem, pafs.LocalFileSystem):
        return _remote(filesystem, folders)
    marks = marks or [None] * len(folders)
    found = _Found()
    try:
        watched(partial(found.add_all, folders, marks), found.wait, timeout_seconds)
        return found.sorted()
    except TimeoutError as error:
        late = str(error)
    # What was found is left to the thread that waits, which may go on: the folders before answer again.
    answered = list_folders(filesystem, folders[: found.begun], marks[: found.begun], timeout_seconds)
    silent = [(folder, Reason.TIMEOUT, late) for folder in folders[found.begun :]]
    return replace(answered, failures=tuple(sorted([*answered.failures, *silent])))


def _remote(filesystem: pafs.FileSystem, folders: Sequence[str]) -> Listing:
    """As `list_folders`; several folders at a time, for each makes one wait."""
    found = _Found()
    for start in range(0, len(folders), TOGETHER):
        together = folders[start : start + TOGETHER]
        answers = read_all(partial(_answer, filesystem, together), len(together), math.inf)
        for folder, answer in zip(together, answers, strict=True):
            if isinstance(answer, list):
                found.add(answer)
            elif answer is not None:
                found.failures.append((folder, *answer))
    return found.sorted()


def _answer(
    filesystem: pafs.FileSystem, folders: Sequence[str], i: int
) -> list[pafs.FileInfo] | tuple[Reason, str]:
    try:
        return list(filesystem.get_file_info(pafs.FileSelector(folders[i])))
    except READ_ERRORS as error:
        return explained(error)


def list_paths(
    filesystem: pafs.FileSystem, paths: Sequence[str], timeout_seconds: float = TIMEOUT_SECONDS
) -> Listing:
    """The files of a list with what the file system says of them; a path to nothing is a failure.

    Parameters
    ----------
    timeout_seconds : for each answer, of any file system; beyond, the path is a failure.
    """
    found, late = _Found(), (Reason.TIMEOUT, f"no answer within {timeout_seconds:g} s")
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


def listed(
    paths: Iterable[str],
    sizes: Iterable[int | None],
    mtimes: Iterable[int | None],
) -> pa.RecordBatch:
    """Rows of `LISTED` without etags.

    Parameters
    ----------
    sizes : bytes.
    mtimes : nanoseconds since 1970 in UTC.
    """
    text = pa.array(paths, pa.string())
    times = pa.array([None if t is None else t // 1000 for t in mtimes], pa.int64()).cast(tables.TIME)
    arrays = [text, pa.array(sizes, pa.int64()), times, pa.nulls(len(text), pa.string())]
    return pa.RecordBatch.from_arrays(arrays, schema=LISTED)


class _Found:
    """What folders hold, while they are listed."""

    def __init__(self) -> None:
        self.links: set[str] = set()
        self.held: list[Held] = []
        self.settled: list[str] = []
        self.folders: list[str] = []
        self.failures: list[Failed] = []
        self.wait = Wait()
        self.begun = 0  # which folder is being listed
        self._n_files = self._n_links = 0
        self._files: list[pa.RecordBatch] = []
        self._columns: tuple[list[str], list[int | None], list[int | None]] = [], [], []  # of `listed`

    def sorted(self) -> Listing:
        self._pack()
        files = pa.concat_batches(self._files)
        folders = tuple(sorted(self.folders))
        failures = tuple(sorted(self.failures))
        links, held, settled = frozenset(self.links), tuple(self.held), tuple(self.settled)
        return Listing(files.sort_by("path"), folders, failures, links, held, settled)

    def add_all(self, folders: Sequence[str], marks: Sequence[str | None]) -> None:
        """What each local folder holds that has not its mark still, or why it cannot be listed."""
        for self.begun, (folder, mark) in enumerate(zip(folders, marks, strict=True)):
            self.wait.begin()
            try:
                self._add_folder(folder, mark)
            except READ_ERRORS as error:
                self.failures.append((folder, *explained(error)))
            self.wait.end()

    def _add_folder(self, folder: str, before: str | None) -> None:
        is_known = before is not None and before != LINKED
        if is_known and os.path.islink(folder):  # which the folder above it shows
            return
        try:
            mark, n_files, n_links = _mark(folder), self._n_files, self._n_links
        except (FileNotFoundError, NotADirectoryError):
            if not is_known:
                raise
            self.held.append(Held(folder, 0, ""))  # to be asked after again: it may come back
            return
        if before and mark == before:
            self.settled.append(folder)
            return
        self.add_local(folder)
        if before != LINKED:
            self.held.append(Held(folder, self._n_files - n_files, mark if self._n_links == n_links else ""))

    def add(self, infos: Iterable[pafs.FileInfo]) -> None:
        """Entries as `pyarrow.fs` gives them."""
        for info in infos:
            try:
                path = info.path
            except UnicodeDecodeError as error:
                name = error.object.decode("utf-8", errors="backslashreplace")
                self.failures.append((f"{name}/", Reason.IO_ERROR, _NOT_UTF8))
                continue
            if info.type == pafs.FileType.File:
                self._add_file(path, info.size, info.mtime_ns)
            elif info.type == pafs.FileType.Directory:
                self.folders.append(path)
            else:
                self.failures.append((path, Reason.IO_ERROR, _NO_FILE))

    def add_local(self, folder: str) -> None:
        """Entries of a local folder: one `stat` each, and none for a folder that is no link."""
        with os.scandir(folder) as entries:
            while chunk := list(islice(entries, CHUNK)):
                for entry in self._in_utf8(chunk):
                    self.wait.begin()
                    try:
                        self._add_entry(entry)
                    except FileNotFoundError:  # a link to nothing, or gone since
                        continue
                    except OSError as error:
                        self.failures.append((entry.path, *explained(error)))

    def _add_entry(self, entry: os.DirEntry[str]) -> None:
        if entry.is_dir(follow_symlinks=False):
            self.folders.append(entry.path)
            return
        self._n_links += entry.is_symlink()
        about = entry.stat()
        if stat.S_ISREG(about.st_mode):
            self._add_file(entry.path, about.st_size, about.st_mtime_ns)
        elif not stat.S_ISDIR(about.st_mode):
            self.failures.append((entry.path, Reason.IO_ERROR, _NO_FILE))
        elif _leads_back(entry.path):
            self.failures.append((entry.path, Reason.IO_ERROR, _LOOP))
        else:
            self.folders.append(entry.path)
            self.links.add(entry.path)

    def _add_file(self, path: str, size: int | None, mtime_ns: int | None) -> None:
        self._n_files += 1
        paths, sizes, mtimes = self._columns
        paths.append(path)
        sizes.append(size)
        mtimes.append(mtime_ns)
        if len(paths) >= CHUNK:
            self._pack()

    def _pack(self) -> None:
        """Let no more than a chunk be Python objects."""
        self._files.append(listed(*self._columns))
        self._columns = [], [], []

    def _in_utf8(self, entries: list[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
        """The entries whose name is UTF-8: Arrow and Delta hold no other."""
        if _is_utf8("".join(entry.name for entry in entries)):
            return entries
        kept = [entry for entry in entries if _is_utf8(entry.name)]
        for entry in entries:
            if not _is_utf8(entry.name):
                name = os.fsencode(entry.path).decode("utf-8", errors="backslashreplace")
                self.failures.append((f"{name}/", Reason.IO_ERROR, _NOT_UTF8))
        return kept


def _mark(folder: str) -> str:
    """See `list_folders`; "" where a change that follows this one at once might give the same."""
    about = os.stat(folder)
    if not stat.S_ISDIR(about.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    is_settled = about.st_ctime_ns < time.time_ns() - _RESTLESS_NS
    return f"{about.st_ino}:{about.st_ctime_ns}" if is_settled else ""


def _is_utf8(name: str) -> bool:
    """Whether a name of the system is UTF-8; bytes that are not come as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leads_back(path: str) -> bool:
    """Whether a link leads to a folder through which it was reached: following it would never end."""
    target = os.path.realpath(path)
    holder = os.path.dirname(path)
    reached = {os.path.realpath(holder)}
    while holder != os.path.dirname(holder):
        holder = os.path.dirname(holder)
        reached.add(os.path.realpath(holder))
    above = os.path.commonpath([os.path.realpath(os.path.dirname(path)), target]) == target
    return above or target in reached
