"""Objects of a store as DuckDB reads them: by pyarrow, under a protocol of our own.

DuckDB's own reader of S3 would have to be downloaded. It asks of a file again and again, at each of its
queries; objects of ours are written once, so that one that is there is asked about once.
"""

import io
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
from fsspec.implementations.arrow import ArrowFSWrapper

PROTOCOL = "dicomae"


class Objects(ArrowFSWrapper):  # type: ignore[misc]
    """A store whose objects never change."""

    protocol = PROTOCOL
    cachable = False  # or fsspec keeps it for ever

    def __init__(self, filesystem: pafs.FileSystem) -> None:
        super().__init__(filesystem)
        self._known: dict[str, dict[str, Any]] = {}
        self._opened: dict[str, pa.NativeFile] = {}

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix(f"{PROTOCOL}://")

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """What is known of an object."""
        path = self._strip_protocol(path)
        if path not in self._known:
            self._known[path] = super().info(path)
        return self._known[path]

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is such an object."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def modified(self, path: str) -> datetime | None:
        """When the object was written."""
        found: datetime | None = self.info(path)["mtime"]
        return found

    def glob(self, path: str, **_: Any) -> list[str]:
        """The object itself: our paths are no patterns."""
        return [self._strip_protocol(path)] if self.exists(path) else []

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode != "rb":
            return super()._open(path, mode, **options)
        if path not in self._opened:
            self._opened[path] = self.fs.open_input_file(path)
        return _Reader(self._opened[path])


class _Reader(io.RawIOBase):
    """A position of its own in an object that others read, too."""

    def __init__(self, file: pa.NativeFile) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size()}
        self._at = start[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        wanted = size if size >= 0 else self._file.size() - self._at
        content = bytes(self._file.read_at(wanted, self._at))
        self._at += len(content)
        return content
