"""Members of a zip archive, each read from its own place."""

import io
import stat
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import cast

from dicomae.codes import Reason
from dicomae.sources.members import Bomb, Budget, Member
from dicomae.sources.range_file import RangeFile

MAXIMUM_MEMBERS = 200_000  # the directory of a zip is held in memory: 700 bytes a member
MAXIMUM_DIRECTORY = 1 << 26  # bytes
READ_AHEAD = 1 << 15  # bytes: the header of a member and its first bytes come at once

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # others may ask for gigabytes of memory
_ENCRYPTED = 0x1
_ENTRY = b"PK\1\2"


def members(file: RangeFile, budget: Budget) -> Iterator[Member]:
    """Files of a zip in the order of its directory. A damaged member harms no other."""
    # Nothing closes it: its members are read after the last of them is given.
    archive = zipfile.ZipFile(cast(io.BufferedIOBase, _Guarded(file, READ_AHEAD)))
    for info in archive.infolist():
        if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
            continue
        budget.count()
        yield _member(archive, info)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    name, size, mtime = info.filename, info.file_size, _mtime(info)
    if info.flag_bits & _ENCRYPTED:
        return Member(name, size, mtime, failure=(Reason.ARCHIVE_ENCRYPTED, "needs a password"))
    if info.compress_type not in _METHODS:
        detail = f"compression method {info.compress_type}"
        return Member(name, size, mtime, failure=(Reason.UNREADABLE, detail))
    return Member(name, size, mtime, partial(archive.open, info))


def _mtime(info: zipfile.ZipInfo) -> int | None:
    """Nanoseconds since 1970; None for an impossible time. A zip has no time zones: UTC is assumed."""
    try:
        return int(datetime(*info.date_time, tzinfo=UTC).timestamp()) * 10**9
    except ValueError:
        return None


class _Guarded(io.BufferedReader):
    """A zip whose directory has a bounded number of members. It is counted before any becomes an object."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAXIMUM_DIRECTORY:
            raise Bomb(f"a directory of more than {MAXIMUM_DIRECTORY} bytes")
        data = super().read(size)
        if data.count(_ENTRY) > MAXIMUM_MEMBERS:
            raise Bomb(f"more than {MAXIMUM_MEMBERS} members in a zip")
        return data
