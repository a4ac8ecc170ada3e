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
from dicomae.sources.links import LOOP, NOWHERE, OUTSIDE, Link, LinkRule, leads_back, real
from dicomae.sources.listing import CHUNK, Folder, Listing, ListingBuilder

LINKED = "link"  # the mark of what is reached through a link
_RESTLESS_NS = 2 * 10**9  # the coarsest times that file systems keep (FAT) are of two seconds
_WRITTEN_NS = 10 * 10**9  # a file that was written to so short a while ago may be written to still


def list_local(
    folders: Sequence[str], marks: Sequence[str | None], top: str, rule: LinkRule, timeout_seconds: float
) -> Listing:
    """As `list_folders`, of local folders.

    When a folder does not answer, the folders before it are listed a second time: what was found the first
    time belongs to the thread that still waits, and may still change.
    """
    visit = _Visit(top, rule)
    try:
        watched(partial(visit.look_at_all, folders, marks), visit.wait, timeout_seconds)
        return visit.listing()
    except TimeoutError as error:
        late = str(error)
    # What was found is left to the thread that waits, which may go on: the folders before answer again.
    begun = visit.begun
    answered = list_local(folders[:begun], marks[:begun], top, rule, timeout_seconds)
    silent = [(folder, Reason.TIMEOUT, late) for folder in folders[begun:]]
    return replace(answered, failures=tuple(sorted([*answered.failures, *silent])))


class _Visit:
    """A look at some folders, one after the other."""

    def __init__(self, top: str, rule: LinkRule) -> None:
        self.wait = Wait()
        self.begun = 0  # which folder is being looked at
        self._top, self._behind_no_link, self._rule = top, {top}, rule
        self._found = ListingBuilder()
        self._links: list[Link] = []
        self._to_tables: list[str] = []
        self._visited: list[Folder] = []
        self._settled: list[str] = []
        self._n_unmarkable = 0  # entries that can change though their folder's mark does not

    def listing(self) -> Listing:
        return replace(
            self._found.sorted(),
            links=tuple(sorted(self._links)),
            to_tables=tuple(sorted(self._to_tables)),
            visited=tuple(self._visited),
            settled=tuple(self._settled),
        )

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
        self._list(folder, real(folder) if before == LINKED else None)
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

    def _list(self, folder: str, target: str | None) -> None:
        """Add the entries of a folder. Each takes one `stat`; a folder that is no link takes none.

        Parameters
        ----------
        target : the folder's path without links when it was reached through one. What it holds may have been
            listed under another name.
        """
        since = time.time_ns() - _WRITTEN_NS
        with os.scandir(folder) as entries:
            while chunk := list(islice(entries, CHUNK)):
                for entry in self._in_utf8(chunk):
                    self.wait.begin()
                    try:
                        if target is None or os.path.join(target, entry.name) not in self._rule.roots:
                            self._add(entry, since)
                    except FileNotFoundError:  # gone since, or not there yet
                        self._n_unmarkable += 1
                    except OSError as error:
                        self._n_unmarkable += 1
                        self._found.failures.append((entry.path, *explained(error)))

    def _add(self, entry: os.DirEntry[str], since: int) -> None:
        if entry.is_dir(follow_symlinks=False):
            self._found.folders.append(entry.path)
            return
        if entry.is_symlink():
            self._n_unmarkable += 1
            self._add_link(entry)
            return
        about = entry.stat()
        if stat.S_ISREG(about.st_mode):
            self._n_unmarkable += about.st_mtime_ns > since
            self._found.add_file(entry.path, about.st_size, about.st_mtime_ns)
        else:
            self._found.add_no_file(entry.path)

    def _add_link(self, entry: os.DirEntry[str]) -> None:
        """Add a link that leads to what nothing else leads to, or why it is not followed."""
        try:
            about, target = entry.stat(), real(entry.path)
        except FileNotFoundError:
            self._found.failures.append((entry.path, Reason.MISSING, NOWHERE))
            return
        is_folder, is_file = stat.S_ISDIR(about.st_mode), stat.S_ISREG(about.st_mode)
        if is_folder and leads_back(entry.path, target):
            self._found.failures.append((entry.path, Reason.NOT_A_FILE, LOOP))
        elif self._rule.is_listed(target):
            return
        elif self._rule.leads_to_tables(target):
            self._to_tables.append(entry.path)
        elif not self._rule.follow:
            self._found.failures.append((entry.path, Reason.NOT_A_FILE, OUTSIDE))
        elif is_folder or is_file:
            identity = f"{about.st_dev}:{about.st_ino}"
            self._links.append(
                Link(entry.path, target, identity, is_folder, about.st_size, about.st_mtime_ns)
            )
        else:
            self._found.add_no_file(entry.path)

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
