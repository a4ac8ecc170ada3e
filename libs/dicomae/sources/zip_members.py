"""Members of a zip archive, each read from its own place."""

import io
import stat
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import IO, cast

from dicomae.codes import Reason
from dicomae.sources import zip_directory
from dicomae.sources.members import Bomb, Budget, Damaged, Member
from dicomae.sources.range_file import MAXIMUM_READ, RangeFile
from dicomae.sources.zip_directory import Entry

MAXIMUM_MEMBERS = 200_000
MAXIMUM_DIRECTORY = 1 << 26  # bytes, which are held in memory
READ_AHEAD = 1 << 15  # bytes: the header of a member and its first bytes come at once

_STORED, _DEFLATED = 0, 8  # other methods may ask for gigabytes of memory
_ENCRYPTED, _PATCHED = 0x1, 0x20
_HEADER = struct.Struct("<4s2B4H3L2H")
_AT_ONCE = 1 << 14  # deflated bytes
_MODE = 16  # where the mode of a Unix file begins in the attributes


def members(file: RangeFile, budget: Budget) -> Iterator[Member]:
    """Files of a zip in the order of its directory. A damaged member harms no other."""
    buffered = io.BufferedReader(file, READ_AHEAD)
    found = zip_directory.find(buffered)
    for entry in zip_directory.entries(_read(buffered, found), found.shift):
        if entry.size or not entry.name.endswith("/"):
            budget.count()
            yield _member(buffered, entry, budget)


def _read(file: io.BufferedIOBase, found: zip_directory.Directory) -> bytes:
    """The bytes of a directory, whose members are counted before any becomes an object."""
    if found.size > MAXIMUM_DIRECTORY:
        raise Bomb(f"a directory of more than {MAXIMUM_DIRECTORY} bytes")
    file.seek(found.start)
    data = file.read(found.size)
    if data.count(zip_directory.ENTRY) > MAXIMUM_MEMBERS:
        raise Bomb(f"more than {MAXIMUM_MEMBERS} members in a zip")
    return data


def _member(file: io.BufferedIOBase, entry: Entry, budget: Budget) -> Member:
    name = entry.name.rstrip("/") if entry.name.endswith("/") else entry.name
    size, mtime = entry.size, _mtime(entry)
    if entry.flags & _ENCRYPTED:
        return Member(name, size, mtime, failure=(Reason.ARCHIVE_ENCRYPTED, "needs a password"))
    if entry.method not in (_STORED, _DEFLATED):
        detail = f"compression method {entry.method}"
        return Member(name, size, mtime, failure=(Reason.UNREADABLE, detail))
    if entry.flags & _PATCHED:
        return Member(name, size, mtime, failure=(Reason.UNREADABLE, "patched data"))
    if entry.is_lost:
        detail = "its place stands nowhere in the directory"
        return Member(name, size, mtime, failure=(Reason.ARCHIVE_DAMAGED, detail))
    is_link = stat.S_ISLNK(entry.attributes >> _MODE)
    return Member(name, size, mtime, partial(_opened, file, entry, budget), is_link=is_link)


def _mtime(entry: Entry) -> int | None:
    """Nanoseconds since 1970; None for an impossible time. A zip has no time zones: UTC is assumed."""
    year, month, day = (entry.date >> 9) + 1980, entry.date >> 5 & 0xF, entry.date & 0x1F
    hour, minute, second = entry.time >> 11, entry.time >> 5 & 0x3F, (entry.time & 0x1F) * 2
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) * 10**9
    except ValueError:
        return None


def _opened(file: io.BufferedIOBase, entry: Entry, budget: Budget) -> IO[bytes]:
    """The content of a member. The name in its own header is not compared with that in the directory."""
    if entry.offset < 0:
        raise Damaged("a member before the start of the file")
    file.seek(entry.offset)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(b"PK\3\4"):
        raise Damaged("no header of a member")
    named, extra = _HEADER.unpack(header)[-2:]
    return cast(IO[bytes], _Content(file, entry, entry.offset + _HEADER.size + named + extra, budget))


class _Content(io.RawIOBase):
    """The decompressed bytes of a member. At its end its checksum is compared.

    Deflated bytes are charged to the budget, for they may become nothing: a part of the archive in which many
    members lie one over the other would be read once for each of them.
    """

    def __init__(self, file: io.BufferedIOBase, entry: Entry, start: int, budget: Budget) -> None:
        super().__init__()
        self._file, self._budget = file, budget
        self._at, self._end = start, start + entry.stored
        self._left, self._crc, self._expected = entry.size, 0, entry.crc
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == _DEFLATED else None
        self._is_over = False

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes."""
        wanted = 0 if self._is_over else min(len(buffer), self._left)
        data = self._inflated(wanted) if self._inflater else self._stored(min(wanted, MAXIMUM_READ))
        self._left -= len(data)
        self._crc = zlib.crc32(data, self._crc)
        buffer[: len(data)] = data
        at_end = self._inflater.eof if self._inflater else self._at == self._end
        self._is_over = at_end or not self._left
        if self._is_over and self._crc != self._expected:
            raise Damaged("a wrong checksum")
        return len(data)

    def readable(self) -> bool:
        """It is."""
        return True

    def _inflated(self, wanted: int) -> bytes:
        inflater, data = self._inflater, b""
        while wanted and inflater and not data and not inflater.eof:
            raw = inflater.unconsumed_tail
            if not raw:
                raw = self._stored(_AT_ONCE)
                self._budget.spend(len(raw))
            data = inflater.decompress(raw, wanted)
        return data

    def _stored(self, wanted: int) -> bytes:
        """The next bytes as they are stored."""
        n = min(wanted, self._end - self._at)
        self._file.seek(self._at)
        data = self._file.read(n) if n else b""
        if wanted and not data:
            raise Damaged("a member that is cut")
        self._at += len(data)
        return data
