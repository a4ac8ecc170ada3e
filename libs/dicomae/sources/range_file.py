"""A file of any file system as a Python file. It is read in ranges; its bytes are never held."""

import io
from collections.abc import Callable
from typing import IO, Protocol, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

T = TypeVar("T")

MAXIMUM_READ = 1 << 20  # bytes that are asked for at once


class BeforeStart(OSError):
    """An offset before the start of the file. `zipfile` looks there, and expects an OSError."""


class Ask(Protocol):
    """A way to wait for an answer of a file system: it makes the call, and gives what the call gives."""

    def __call__(self, call: Callable[[], T], /) -> T:
        """What the call gives."""


class RangeFile(io.RawIOBase):
    """A file of any file system, read in ranges; its opening and each read go through `ask`."""

    def __init__(self, filesystem: pafs.FileSystem, path: str, ask: Ask) -> None:
        super().__init__()
        self._ask = ask
        self._file, self.size = ask(lambda: _opened(filesystem, path))
        self._at = 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes."""
        start, length = self._at, min(len(buffer), max(0, self.size - self._at))
        data = self._ask(lambda: self._file.read_at(length, start))
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


def _opened(filesystem: pafs.FileSystem, path: str) -> tuple[pa.NativeFile, int]:
    file = filesystem.open_input_file(path)
    return file, int(file.size())


def take(file: IO[bytes] | io.RawIOBase, n: int) -> bytes:
    """The next n bytes; fewer at the end. No read asks for more than `MAXIMUM_READ` of them."""
    parts: list[bytes] = []
    while n > 0 and (data := file.read(min(n, MAXIMUM_READ))):
        parts.append(data)
        n -= len(data)
    return b"".join(parts)
