"""Paths from standard input: one a line, or each ended by NUL, as `find -print0` writes them."""

from collections.abc import Iterator
from typing import BinaryIO

from dicomae.errors import UsageError

LONGEST = 1 << 15  # bytes of a path: Linux ends at 4096, S3's keys at 1024
BATCH_PATHS = 1 << 16  # asked for together: a source that does not answer costs a timeout for each batch

_CHUNK = 1 << 16


def read_paths(stream: BinaryIO) -> Iterator[list[str]]:
    """Batches of paths in their order. An empty line is no path.

    NUL ends each path if the first 64 KiB hold a NUL, because no path holds one. Bytes that are no UTF-8 are
    escaped: no table holds them. There is no file at the escaped path, and so it becomes a failure.

    Raises
    ------
    UsageError
        A path is longer than `LONGEST`.
    """
    chunk = stream.read(_CHUNK)
    separator = b"\0" if b"\0" in chunk else b"\n"
    batch: list[str] = []
    rest = b""
    while chunk:
        *ended, rest = (rest + chunk).split(separator)
        if max(map(len, [*ended, rest])) > LONGEST:
            raise UsageError(f"standard input: a path of more than {LONGEST} bytes; give one path a line")
        for path in ended:
            batch += _text(path, separator)
            if len(batch) == BATCH_PATHS:
                yield batch
                batch = []
        chunk = stream.read(_CHUNK)
    batch += _text(rest, separator)
    if batch:
        yield batch


def _text(path: bytes, separator: bytes) -> list[str]:
    path = path.removesuffix(b"\r") if separator == b"\n" else path
    return [path.decode("utf-8", errors="backslashreplace")] if path else []
