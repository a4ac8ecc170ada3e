"""What archives have in common: members, bounds, and the bytes of an archive on any file system."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import pyarrow.fs as pafs

from dicomae.codes import Reason
from dicomae.sources.in_flight import Wait
from dicomae.sources.io_errors import READ_ERRORS, explained

MAXIMUM_READ = 1 << 20  # bytes of a member, or of a tar's own header, that are asked for at once
FREE_BYTES = 1 << 28  # decompressed before the ratio is looked at


@dataclass(frozen=True)
class Limits:
    """How far an archive is followed.

    Attributes
    ----------
    members : at the most.
    decompressed_bytes : of all members together.
    ratio : decompressed bytes for each byte of the archive, once they are more than `FREE_BYTES`.
    """

    members: int = 1_000_000
    decompressed_bytes: int = 1 << 40
    ratio: int = 200


@dataclass(frozen=True)
class Member:
    """A file in an archive, or why it is none that can be read.

    Attributes
    ----------
    name : as the archive has it, in UTF-8; bytes that are not are escaped.
    size : bytes.
    mtime : nanoseconds since 1970; None where the archive has no possible time.
    open : gives its bytes from the start on, decompressed; None with a failure.
    held_bytes : of them that are in memory already.
    """

    name: str
    size: int
    mtime: int | None
    open: Callable[[], IO[bytes]] | None = None
    failure: tuple[Reason, str] | None = None
    held_bytes: int = 0


class Bomb(Exception):
    """The archive is larger inside than `Limits` allow; the text says which."""


class Damaged(Exception):
    """The archive breaks its own format where the library says nothing."""


class BeforeStart(Damaged, OSError):
    """An offset before the start of the archive; `zipfile` looks for what is at such, and expects OSError."""


class Unreachable(Exception):
    """The file system failed, not the archive."""

    def __init__(self, error: Exception) -> None:
        self.reason, self.detail = explained(error)
        super().__init__(self.detail)


class Budget:
    """What is left of the limits of one archive of `archive_bytes`."""

    def __init__(self, limits: Limits, archive_bytes: int) -> None:
        self.limits = limits
        self.most = min(limits.decompressed_bytes, max(FREE_BYTES, limits.ratio * archive_bytes))
        self.members = self.spent = 0

    def count(self) -> None:
        """Note one more member, or raise `Bomb`."""
        self.members += 1
        if self.members > self.limits.members:
            raise Bomb(f"more than {self.limits.members} members")

    def spend(self, n_bytes: int) -> None:
        """Note decompressed bytes, or raise `Bomb`."""
        self.spent += n_bytes
        if self.spent > self.most:
            raise Bomb(f"more than {self.most} bytes decompressed")


class RangeFile(io.RawIOBase):
    """A file of any file system, read in ranges; its failures are `Unreachable`."""

    def __init__(self, filesystem: pafs.FileSystem, path: str, wait: Wait) -> None:
        super().__init__()
        self._wait = wait
        with _asking(wait):
            self._file = filesystem.open_input_file(path)
            self.size = int(self._file.size())
        self._at = 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes."""
        with _asking(self._wait):
            data = self._file.read_at(min(len(buffer), max(0, self.size - self._at)), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to an offset from the start, from here or from the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise BeforeStart("an offset before the start")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._at

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Close the file; reads that follow fail."""
        if not self.closed:
            self._file.close()
        super().close()


@contextmanager
def _asking(wait: Wait) -> Iterator[None]:
    wait.begin()
    try:
        yield
    except READ_ERRORS as error:
        raise Unreachable(error) from error
    finally:
        wait.end()


def take(file: IO[bytes], n: int) -> bytes:
    """The next n bytes, fewer at the end, of which never more than `MAXIMUM_READ` are asked for at once."""
    parts: list[bytes] = []
    while n > 0 and (data := file.read(min(n, MAXIMUM_READ))):
        parts.append(data)
        n -= len(data)
    return b"".join(parts)
