"""One level of folders, of any file system."""

import math
from collections.abc import Sequence
from functools import partial

import pyarrow.fs as pafs

from dicomae.codes import Reason
from dicomae.sources.in_flight import read_all
from dicomae.sources.io_errors import READ_ERRORS, explained
from dicomae.sources.listing import Listing, ListingBuilder
from dicomae.sources.local_folders import list_local

TOGETHER = 16  # remote folders that are listed at a time, and held as Python objects


def list_folders(
    filesystem: pafs.FileSystem,
    folders: Sequence[str],
    timeout_seconds: float,
    marks: Sequence[str | None] | None = None,
    top: str = "/",
) -> Listing:
    """Files and folders directly in some folders; what cannot be listed is a value, never an exception.

    Links are followed, except to a folder above themselves; a link to nothing is not listed.

    Parameters
    ----------
    marks : of local folders, for each the mark that it had when it was listed before, "" where it had none;
        None where it is new, `LINKED` where that is reached through a link. One that has its mark still is
        not opened, and one that is gone, or behind a link by now, is no failure. A mark is inode and ctime:
        it changes when an entry comes, goes or takes another's place, and nobody can set it. What a link
        leads to, and a file that is being written, can change without: a folder that holds such has none.
    top : the folder from which all with a mark were reached, through no link below it.
    timeout_seconds : for each answer of the system about a local folder; beyond, it is a failure, and so are
        those after it, for the source does not answer. Elsewhere there is no such bound: a folder comes in
        many requests, of which S3's client bounds each (`ioerrors`), and HDFS by its own configuration.
    """
    if isinstance(filesystem, pafs.LocalFileSystem):
        return list_local(folders, marks or [None] * len(folders), top, timeout_seconds)
    return _list_remote(filesystem, folders)


def _list_remote(filesystem: pafs.FileSystem, folders: Sequence[str]) -> Listing:
    """As `list_folders`; several folders at a time, for each makes one wait."""
    found = ListingBuilder()
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
