"""One level of folders, of any file system."""

import math
from collections.abc import Sequence
from functools import partial

import pyarrow.fs as pafs

from dicomae.codes import Reason
from dicomae.sources.in_flight import read_all
from dicomae.sources.io_errors import READ_ERRORS, explained
from dicomae.sources.links import LinkRule, real
from dicomae.sources.listing import Listing, ListingBuilder
from dicomae.sources.local_folders import list_local

TOGETHER = 16  # remote folders that are listed at a time, and held as Python objects


def list_folders(
    filesystem: pafs.FileSystem,
    folders: Sequence[str],
    timeout_seconds: float,
    marks: Sequence[str | None] | None = None,
    top: str = "/",
    rule: LinkRule | None = None,
) -> Listing:
    """Files and folders directly in some folders. What cannot be listed is a value, never an exception.

    A link is followed nowhere here. One that leads into what is listed anyway is left out, because what it
    leads to has a row of its own. Each other link is a failure, or one of `links` when it is to be followed.

    A local folder that still has its mark is not opened again. A mark is made of inode and ctime. It changes
    when an entry comes, goes or takes another's place, and nobody can set it. It does not change when a file
    is written to, or when the target of a link changes: a folder that holds a link, or a file written within
    the last seconds, therefore has the mark "".

    Parameters
    ----------
    timeout_seconds : how long each answer about a local folder may take. A folder whose answer takes longer
        is a failure, and so are the folders after it, because the source does not answer. Other file systems
        have no such bound here: a folder comes in many requests. The client of S3 bounds each of them
        (`io_errors`), and HDFS does so by its own configuration.
    marks : for each folder the mark that it had when it was listed before; "" where it had none; None where
        the folder is new; `LINKED` where it was reached through a link. A folder with a mark that is gone, or
        is behind a link by now, is no failure.
    top : the folder from which all folders with a mark were reached, through no link below it.
    rule : what is listed anyway, and whether other links are followed; None when `top` is all there is.
    """
    if isinstance(filesystem, pafs.LocalFileSystem):
        rule = rule or LinkRule(frozenset([real(top)]))
        return list_local(folders, marks or [None] * len(folders), top, rule, timeout_seconds)
    return _list_remote(filesystem, folders)


def _list_remote(filesystem: pafs.FileSystem, folders: Sequence[str]) -> Listing:
    """As `list_folders`, of file systems that are not local.

    Several folders are listed at a time, because each answer takes long.
    """
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
