"""Members of a tar archive, plain or compressed by gzip, read in one pass forwards."""

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Protocol, cast

from dicomae.codes import Reason
from dicomae.sources import tar_headers
from dicomae.sources.members import LINK_IN_ARCHIVE, Bomb, Budget, Damaged, Member
from dicomae.sources.range_file import MAXIMUM_READ, RangeFile, take
from dicomae.sources.tar_headers import BLOCK, LONGEST_NAME, Extended, TarHeader

READ_AHEAD = 1024  # bytes of a plain tar: the end of a member and the header of the next come at once
MAXIMUM_EXTENDED = 64  # extended headers of one member

_BEHIND = 1 << 16  # bytes behind the end that are looked at; tar fills up to 10 KiB by zeros
_LATEST = 253_402_300_800  # seconds: the year 10000
_NO_FILE = "neither a file nor a folder"


def members(file: RangeFile, budget: Budget) -> Iterator[Member]:
    """Files of a tar in their order. Each must be read before the next one is asked for."""
    yield from _members(io.BufferedReader(file, READ_AHEAD), budget, None)


def compressed_members(file: RangeFile, budget: Budget, held_bytes: int) -> Iterator[Member]:
    """Files of a tar.gz in their order. The first `held_bytes` of each are in memory."""
    inflated = gzip.GzipFile(fileobj=io.BufferedReader(file, MAXIMUM_READ))
    yield from _members(_Forward(inflated, budget), budget, held_bytes)


class _Bytes(Protocol):
    """The bytes of a tar."""

    def read(self, n: int, /) -> bytes:
        """The next bytes; fewer at the end alone."""

    def seek(self, offset: int, /) -> int:
        """Go there."""


@dataclass(frozen=True)
class _Entry:
    """A member as its headers tell it, and where its content begins.

    Attributes
    ----------
    has_data : whether content follows.
    """

    header: TarHeader
    extended: Extended
    start: int
    has_data: bool

    @property
    def name(self) -> bytes:
        """The name that an extended header gives, else that of the header."""
        return self.header.name if self.extended.name is None else self.extended.name

    @property
    def size(self) -> int:
        """Bytes of its content."""
        return _size(self.header, self.extended) if self.has_data else 0

    @property
    def end(self) -> int:
        """Where the next header is."""
        return self.start + -(-self.size // BLOCK) * BLOCK


def _members(file: _Bytes, budget: Budget, held_bytes: int | None) -> Iterator[Member]:
    for entry in _entries(file):
        if entry.header.kind != tar_headers.FOLDER or entry.has_data:
            budget.count()
            yield _member(file, entry, held_bytes)
    if file.read(_BEHIND).strip(b"\0"):
        raise Damaged("something stands behind the end-of-archive mark, as where archives were joined")


def _entries(file: _Bytes) -> Iterator[_Entry]:
    """All members up to the end-of-archive mark.

    Raises
    ------
    Bomb
        Extended headers of a member are longer, or more, than any archiver writes.
    Damaged
        A header is none, or the archive ends without its mark.
    """
    at, of_all, of_next = 0, Extended(), Extended()
    n_extended, long = 0, 0
    while (block := _block(file, at)) != bytes(BLOCK):
        header = tar_headers.header(block)
        at += BLOCK
        if header.kind not in tar_headers.EXTENDED:
            entry = _entry(file, header, of_next.or_else(of_all), at)
            yield entry
            at, of_next, n_extended, long = entry.end, Extended(), 0, 0
            continue
        n_extended, long = n_extended + 1, long + header.size
        if n_extended > MAXIMUM_EXTENDED or long > MAXIMUM_READ:
            raise Bomb(f"more than {MAXIMUM_EXTENDED} extended headers, or {MAXIMUM_READ} bytes of them")
        said = tar_headers.extended(header.kind, file.read(header.size))
        at += -(-header.size // BLOCK) * BLOCK
        if header.kind == tar_headers.PAX_OF_ALL:
            of_all = said.or_else(of_all)
        else:
            of_next = of_next.or_else(said)


def _block(file: _Bytes, at: int) -> bytes:
    file.seek(at)
    return file.read(BLOCK)


def _entry(file: _Bytes, header: TarHeader, extended: Extended, at: int) -> _Entry:
    at = _behind_map(file, header, at)
    if _size(header, extended) > tar_headers.LARGEST:
        raise Damaged("a member of an impossible size")
    has_data = header.kind not in tar_headers.WITHOUT_DATA
    if not has_data and _size(header, extended):
        # The size of such a member may be that of the file it leads to, or that of content that follows.
        has_data = len(block := _block(file, at)) == BLOCK and not tar_headers.is_header(block)
    return _Entry(header, extended, at, has_data)


def _behind_map(file: _Bytes, header: TarHeader, at: int) -> int:
    """Where the content of a sparse member begins: behind the rest of its map."""
    start, is_continued = at, header.is_continued
    while is_continued:
        block = _block(file, at)
        is_continued, at = len(block) == BLOCK and bool(block[504]), at + BLOCK
        if at - start > MAXIMUM_READ:
            raise Bomb(f"a map of a sparse member of more than {MAXIMUM_READ} bytes")
    return at


def _size(header: TarHeader, extended: Extended) -> int:
    return header.size if extended.size is None else extended.size


def _member(file: _Bytes, entry: _Entry, held_bytes: int | None) -> Member:
    name, kind = _shown(entry), entry.header.kind
    mtime = _mtime(entry)
    is_link = kind in (tar_headers.LINK, tar_headers.HARD_LINK)
    if failure := _failure(entry, is_link=is_link):
        return Member(name, entry.size, mtime, failure=failure)
    content = cast(IO[bytes], _Content(file, entry.start, entry.size))
    if held_bytes is None:
        return Member(name, entry.size, mtime, lambda: content, is_link=is_link)
    held = take(content, min(held_bytes, entry.size))
    return Member(name, entry.size, mtime, partial(io.BytesIO, held), held_bytes=len(held), is_link=is_link)


def _failure(entry: _Entry, *, is_link: bool) -> tuple[Reason, str] | None:
    """Why a member is not read; None for one that may hold a file, whatever its kind is called."""
    if len(entry.name) > LONGEST_NAME:
        return Reason.ARCHIVE_DAMAGED, f"a name of more than {LONGEST_NAME} bytes"
    if entry.header.kind == tar_headers.SPARSE or entry.extended.is_sparse:
        return Reason.UNREADABLE, "a sparse member, which is stored without its zeros"
    if is_link and not entry.has_data:
        return Reason.NOT_A_FILE, LINK_IN_ARCHIVE
    if entry.header.kind in tar_headers.REGULAR or is_link or entry.header.kind == tar_headers.FOLDER:
        return None
    return Reason.IO_ERROR, _NO_FILE


def _shown(entry: _Entry) -> str:
    name = entry.name[:LONGEST_NAME]
    if entry.header.kind == tar_headers.FOLDER:
        name = name.rstrip(b"/")
    return name.decode("utf-8", errors="backslashreplace")


def _mtime(entry: _Entry) -> int | None:
    """Nanoseconds since 1970; None for an impossible time."""
    seconds = entry.header.mtime if entry.extended.mtime is None else entry.extended.mtime
    return int(seconds * 10**9) if seconds is not None and 0 <= seconds < _LATEST else None


class _Content(io.RawIOBase):
    """The content of a member. It ends where the archive ends, when that is cut."""

    def __init__(self, file: _Bytes, start: int, size: int) -> None:
        super().__init__()
        self._file, self._at, self._end = file, start, start + size

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes."""
        self._file.seek(self._at)
        data = self._file.read(min(len(buffer), self._end - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def readable(self) -> bool:
        """It is."""
        return True


class _Forward:
    """A stream that goes forward, and back to its last block. All bytes that pass are noted in the budget."""

    def __init__(self, stream: gzip.GzipFile, budget: Budget) -> None:
        self._stream, self._budget = stream, budget
        self._at = self._passed = 0  # where the next read begins, and how many bytes have passed
        self._last = b""  # at most a block

    def read(self, n: int, /) -> bytes:
        """The next bytes."""
        behind = self._passed - self._at
        again = self._last[len(self._last) - behind :][:n]
        data = again + self._next(n - len(again))
        self._at += len(data)
        return data

    def seek(self, offset: int, /) -> int:
        """Go there. What is behind the last block is gone."""
        if offset < self._passed - len(self._last):
            raise Damaged("an offset before the last one")
        while self._passed < offset and self._next(min(offset - self._passed, MAXIMUM_READ)):
            pass
        self._at = min(offset, self._passed)
        return self._at

    def _next(self, n: int) -> bytes:
        data = self._stream.read(n) if n else b""
        if data:
            self._passed += len(data)
            self._last = data[-BLOCK:]
            self._budget.spend(len(data))
        return data
