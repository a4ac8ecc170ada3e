"""Local folders: what they hold, and whether they have changed since they were listed before."""

import errno
import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from dicomae.codes import Reason
from dicomae.sources.in_flight import Wait, watched
from dicomae.sources.io_errors import READ_ERRORS, explained
from dicomae.sources.listing import CHUNK, Folder, Listing, ListingBuilder

LINKED = "link"  # the mark of what is reached through a link
_RESTLESS_NS = 2 * 10**9  # the coarsest times that file systems keep (FAT) are of two seconds
_WRITTEN_NS = 10 * 10**9  # a file that was written to so short a while ago may be written to still

_LOOP = "a link to a folder above itself"


def list_local(
    folders: Sequence[str], marks: Sequence[str | None], top: str, timeout_seconds: float
) -> Listing:
    """As `list_folders`, of local folders.

    When a folder does not answer, the folders before it are listed a second time: what was found the first
    time belongs to the thread that still waits, and may still change.
    """
    visit = _Visit(top)
    try:
        watched(partial(visit.look_at_all, folders, marks), visit.wait, timeout_seconds)
        return visit.listing()
    except TimeoutError as error:
        late = str(error)
    # What was found is left to the thread that waits, which may go on: the folders before answer again.
    begun = visit.begun
    answered = list_local(folders[:begun], marks[:begun], top, timeout_seconds)
    silent = [(folder, Reason.TIMEOUT, late) for folder in folders[begun:]]
    return replace(answered, failures=tuple(sorted([*answered.failures, *silent])))


class _Visit:
    """A look at some folders, one after the other."""

    def __init__(self, top: str) -> None:
        self.wait = Wait()
        self.begun = 0  # which folder is being looked at
        self._top, self._behind_no_link = top, {top}
        self._found = ListingBuilder()
        self._links: set[str] = set()
        self._visited: list[Folder] = []
        self._settled: list[str] = []
        self._n_unmarkable = 0  # entries that can change though their folder's mark does not

    def listing(self) -> Listing:
        links, visited, settled = frozenset(self._links), tuple(self._visited), tuple(self._settled)
        return replace(self._found.sorted(), links=links, visited=visited, settled=settled)

    def look_at_all(self, folders: Sequence[str], marks: Sequence[str | None]) -> None:
        """Look at each folder: add what it holds, or why it cannot be listed.

        A folder that still has its mark is settled, and is not listed.
        """
        for self.begun, (folder, mark) in enumerate(zip(folders, marks, strict=True)):
            self.wait.begin()
            try:
                self._look_at(folder, mark)
            except READ_ERRORS as error:
                self._found.failures.append((folder, *explained(error)))
            self.wait.end()

    def _look_at(self, folder: str, before: str | None) -> None:
        is_known = before is not None and before != LINKED
        if is_known and self._is_behind_link(os.path.dirname(folder)):
            return
        ask = os.lstat if is_known else os.stat
        try:
            mark, n_files, n_unmarkable = _mark(folder, ask), self._found.n_files, self._n_unmarkable
        except (FileNotFoundError, NotADirectoryError):
            if not is_known:
                raise
            self._visited.append(Folder(folder, 0, ""))  # to be asked after again: it may come back
            return
        if mark is None:  # a link by now, which the folder that holds it shows
            return
        if is_known:
            self._behind_no_link.add(folder)
        if before and mark == before:
            self._settled.append(folder)
            return
        self._list(folder)
        if before != LINKED:
            # Of a disk that is mounted when it is listed, the mark was that of the place where it is mounted.
            if self._n_unmarkable != n_unmarkable or mark != _mark(folder, ask):
                mark = ""
            self._visited.append(Folder(folder, self._found.n_files - n_files, mark))

    def _is_behind_link(self, folder: str) -> bool:
        """Whether a folder below the top has become a link, or a folder between them has."""
        reached = []
        while folder not in self._behind_no_link and len(folder) > len(self._top):
            if os.path.islink(folder):
                return True
            reached.append(folder)
            folder = os.path.dirname(folder)
        self._behind_no_link.update(reached)
        return False

    def _list(self, folder: str) -> None:
        """Add the entries of a folder. Each takes one `stat`; a folder that is no link takes none."""
        since = time.time_ns() - _WRITTEN_NS
        with os.scandir(folder) as entries:
            while chunk := list(islice(entries, CHUNK)):
                for entry in self._in_utf8(chunk):
                    self.wait.begin()
                    try:
                        self._add(entry, since)
                    except FileNotFoundError:  # a link to nothing, gone since, or not there yet
                        self._n_unmarkable += 1
                    except OSError as error:
                        self._n_unmarkable += 1
                        self._found.failures.append((entry.path, *explained(error)))

    def _add(self, entry: os.DirEntry[str], since: int) -> None:
        if entry.is_dir(follow_symlinks=False):
            self._found.folders.append(entry.path)
            return
        about = entry.stat()
        self._n_unmarkable += entry.is_symlink()
        if stat.S_ISREG(about.st_mode):
            self._n_unmarkable += about.st_mtime_ns > since
            self._found.add_file(entry.path, about.st_size, about.st_mtime_ns)
        elif not stat.S_ISDIR(about.st_mode):
            self._found.add_no_file(entry.path)
        elif _leads_back(entry.path):
            self._found.failures.append((entry.path, Reason.NOT_A_FILE, _LOOP))
        else:
            self._found.folders.append(entry.path)
            self._links.add(entry.path)

    def _in_utf8(self, entries: list[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
        if _is_utf8("".join(entry.name for entry in entries)):
            return entries
        for entry in entries:
            if not _is_utf8(entry.name):
                self._add_unnameable(entry)
        return [entry for entry in entries if _is_utf8(entry.name)]

    def _add_unnameable(self, entry: os.DirEntry[str]) -> None:
        """Add an entry whose name is not UTF-8.

        Of such a folder, each file and each link below it is added: their paths are not UTF-8 either.
        """
        self._n_unmarkable += 1
        if not entry.is_dir(follow_symlinks=False):
            self._found.add_unnameable(os.fsencode(entry.path))
            return

        def refused(error: OSError) -> None:
            self._found.add_unnameable(os.fsencode(error.filename))

        for folder, inner, names in os.walk(entry.path, onerror=refused):
            self.wait.begin()
            links = (name for name in inner if os.path.islink(os.path.join(folder, name)))
            for name in (*names, *links):
                self._found.add_unnameable(os.fsencode(os.path.join(folder, name)))


def _mark(folder: str, ask: Callable[[str], os.stat_result]) -> str | None:
    """The mark of a folder, such as `131074:1714566605123456789`; None when it is a link.

    See `list_folders`. It is "" for a folder that changed less than two seconds ago: another change at once
    might give the same mark.

    Parameters
    ----------
    ask : `os.lstat`, or `os.stat`, which follows links and so never sees one.
    """
    about = ask(folder)
    if stat.S_ISLNK(about.st_mode):
        return None
    if not stat.S_ISDIR(about.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    is_at_rest = about.st_ctime_ns < time.time_ns() - _RESTLESS_NS
    return f"{about.st_ino}:{about.st_ctime_ns}" if is_at_rest else ""


def _is_utf8(name: str) -> bool:
    """Whether a name is UTF-8. Python shows bytes that are not as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leads_back(path: str) -> bool:
    """Whether a link leads to a folder through which it was reached. Following it would never end."""
    target = os.path.realpath(path)
    holder = os.path.dirname(path)
    reached = {os.path.realpath(holder)}
    while holder != os.path.dirname(holder):
        holder = os.path.dirname(holder)
        reached.add(os.path.realpath(holder))
    above = os.path.commonpath([os.path.realpath(os.path.dirname(path)), target]) == target
    return above or target in reached
