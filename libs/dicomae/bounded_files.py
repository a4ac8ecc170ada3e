"""Files whose content must fit the memory: regular ones alone, up to a number of bytes."""

import os
import stat
from pathlib import Path


def read_bounded(path: Path, limit_bytes: int) -> bytes:
    """The content of a regular file.

    Nothing else is opened: a FIFO would wait for ever, and `/dev/zero` has no end.

    Raises
    ------
    OSError
        There is no such file, or it cannot be read.
    ValueError
        It is no regular file, or larger than `limit_bytes`.

    Examples
    --------
    >>> read_bounded(Path("/dev/zero"), 1024)
    Traceback (most recent call last):
    ...
    ValueError: not a regular file
    """
    _check(os.stat(path), limit_bytes)
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        _check(os.fstat(file.fileno()), limit_bytes)  # it may have become another file meanwhile
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise ValueError(f"larger than {limit_bytes} bytes")
    return content


def why(error: OSError | ValueError) -> str:
    """What was wrong with a file, in words: "Permission denied", "not a regular file"; never empty.

    Examples
    --------
    >>> why(OSError())
    'OSError'
    """
    told = error.strerror if isinstance(error, OSError) else str(error)
    return told or type(error).__name__


def _check(found: os.stat_result, limit_bytes: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise ValueError("a folder, not a file")
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")
    if found.st_size > limit_bytes:
        raise ValueError(f"larger than {limit_bytes} bytes")
