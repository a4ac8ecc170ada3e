"""Members of a tar archive, plain or compressed by gzip, read in one pass forwards."""

import gzip
import io
import os
import tarfile
from collections.abc import Iterator
from typing import IO, cast

from dicomae.codes import Reason
from dicomae.sources.members import Bomb, Budget, Damaged, Member
from dicomae.sources.range_file import MAXIMUM_READ, RangeFile, take

READ_AHEAD = 1024  # bytes of a plain tar: the end of a member and the header of the next come at once
MAXIMUM_GLOBALS = 256  # of the extended header that holds for all that follow

_BEHIND = 1 << 16  # bytes behind the end that are looked at; tar fills up to 10 KiB by zeros
_LATEST = 253_402_300_800  # seconds: the year 10000


def members(file: RangeFile, budget: Budget) -> Iterator[Member]:
    """Files of a tar in their order. Each must be read before the next one is asked for."""
    yield from _members(_Guarded(io.BufferedReader(file, READ_AHEAD)), budget, None)


def compressed_members(file: RangeFile, budget: Budget, held_bytes: int) -> Iterator[Member]:
    """Files of a tar.gz in their order. The first `held_bytes` of each are in memory."""
    inflated = gzip.GzipFile(fileobj=io.BufferedReader(file, MAXIMUM_READ))
    yield from _members(_Guarded(_Forward(inflated, budget)), budget, held_bytes)


def _members(file: "_Guarded", budget: Budget, held_bytes: int | None) -> Iterator[Member]:
    # What is no header of a member, tarfile takes for the end unless it is the first.
    with tarfile.open(fileobj=cast(IO[bytes], file), mode="r:") as archive:
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # or it would hold them all
            if len(archive.pax_headers) > MAXIMUM_GLOBALS:
                raise Bomb(f"more than {MAXIMUM_GLOBALS} global headers")
            if not (info.isdir() or info.issym() or info.islnk()):
                budget.count()
                yield _member(archive, info, held_bytes)
    if file.last != bytes(tarfile.BLOCKSIZE):
        raise Damaged("no end-of-archive mark")
    if file.read(_BEHIND).strip(b"\0"):
        raise Damaged("something stands behind the end-of-archive mark, as where archives were joined")


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo, held_bytes: int | None) -> Member:
    name = os.fsencode(info.name).decode("utf-8", errors="backslashreplace")
    mtime = int(info.mtime * 10**9) if 0 <= info.mtime < _LATEST else None
    if not info.isreg():
        return Member(name, info.size, mtime, failure=(Reason.IO_ERROR, "neither a file nor a folder"))
    content = cast(IO[bytes], archive.extractfile(info))
    if held_bytes is None:
        return Member(name, info.size, mtime, lambda: content)
    held = take(content, min(held_bytes, info.size))
    return Member(name, info.size, mtime, lambda: io.BytesIO(held), held_bytes=len(held))


class _Guarded:
    """A tar none of whose header fields can ask for more than `MAXIMUM_READ` bytes at once."""

    def __init__(self, file: "io.BufferedReader | _Forward") -> None:
        self._file = file
        self.last = b""  # what was read last
        self.seek, self.tell = file.seek, file.tell

    def read(self, n: int) -> bytes:
        if n > MAXIMUM_READ:
            raise Bomb(f"a header of more than {MAXIMUM_READ} bytes")
        self.last = self._file.read(n)
        return self.last


class _Forward:
    """A stream that only goes forward. All bytes that pass are noted in the budget."""

    def __init__(self, stream: gzip.GzipFile, budget: Budget) -> None:
        self._stream, self._budget, self._at = stream, budget, 0

    def read(self, n: int = -1, /) -> bytes:
        data = self._stream.read(n)
        self._at += len(data)
        self._budget.spend(len(data))
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence or offset < self._at:
            raise Damaged("an offset before the last one")
        while self._at < offset and self.read(min(offset - self._at, MAXIMUM_READ)):
            pass
        return self._at

    def tell(self) -> int:
        return self._at
