"""Headers of files. Each file is read from its start, and only as far as its header goes.

    16 KiB of every file ──► parse ──► rows and failures
                 ▲             └─ incomplete: at least n bytes are needed
                 └── from where the buffer ends up to n + 31 KiB ◄──┘

The first bytes of local files come all at once when the disk is quick. Otherwise each file is read by itself,
many at a time. Bytes that are held are not read again. A file is opened for each of its reads.

A file may grow, shrink or be replaced between two reads. It then gives what was there at each read: a row, or
a failure (`truncated` when it now ends inside the header). The listing keeps the size and time from before,
and so the next run finds that the file has changed.
"""

import os
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.fs as pafs

from dicomae.codes import Reason
from dicomae.headers.batch import BATCH_BYTES, Arena, Failure, HeaderBatch
from dicomae.headers.parse import parse_headers
from dicomae.sources import in_flight
from dicomae.sources.first_bytes import read_starts
from dicomae.sources.io_errors import READ_ERRORS, explained
from dicomae.sources.read_settings import ReadSettings

# Bytes read beyond what is known to be needed. With a first read of 16 KiB that is done up to three times
# (`_started`), no more than 64 KiB beyond the header.
AHEAD = 31 << 10
DOUBLING = 1 << 20  # bytes of header from which a read doubles it: each read is followed by a parse
GROUP_BYTES = 16 << 20  # read and parsed together, unless one file alone is more

_PROBED = 4  # files whose time says whether the source is quick
_PATIENCE_SECONDS = 0.1  # for the system to do something else meanwhile


class ByteRange(NamedTuple):
    """A range of bytes of the file at a position.

    Attributes
    ----------
    position : of the file among those that are read.
    start : where the range begins, and where the last range of the file ended.
    length : bytes.
    """

    position: int
    start: int
    length: int


Started = tuple[Arena, list[int]]
Fetched = bytes | tuple[Reason, str]
Fetch = Callable[[Sequence[ByteRange]], Sequence[Fetched]]


def read_headers(
    filesystem: pafs.FileSystem,
    paths: Sequence[str],
    sizes: Sequence[int | None],
    settings: ReadSettings,
) -> Iterator[HeaderBatch]:
    """Headers of files, most often in one batch. Positions are those in `paths`, in no order.

    Parameters
    ----------
    sizes : bytes of each file, as listed; None when unknown.
    settings : the timeout is for opening a file and one read of it. A file that takes longer is a failure.

    Returns
    -------
    Each file is a row or a failure of one of the batches. Nothing is `incomplete`.
    """
    local, timeout = isinstance(filesystem, pafs.LocalFileSystem), settings.read_timeout_seconds

    def read(byte_range: ByteRange) -> Fetched:
        path = paths[byte_range.position]
        try:
            return _local_range(path, byte_range) if local else _range(filesystem, path, byte_range)
        except READ_ERRORS as error:
            return explained(error)

    def fetch(ranges: Sequence[ByteRange]) -> list[Fetched]:
        found = in_flight.read_all(lambda i: read(ranges[i]), len(ranges), timeout)
        late = (Reason.TIMEOUT, f"no answer within {timeout:g} s")
        return [late if data is None else data for data in found]

    def start(positions: Sequence[int], wanted: int) -> Started | None:
        return _started([paths[i] for i in positions], wanted) if local else None

    return grown_headers(fetch, sizes, settings, start)


def grown_headers(
    fetch: Fetch,
    sizes: Sequence[int | None],
    settings: ReadSettings,
    start: Callable[[Sequence[int], int], Started | None] = lambda positions, wanted: None,
) -> Iterator[HeaderBatch]:
    """As `read_headers`, of as many files as there are sizes, by a function that reads ranges of them.

    Parameters
    ----------
    fetch : gives the bytes of each range, fewer when the file ends, or says why there are none. The ranges of
        a file are asked for in order, without a gap.
    start : gives the first bytes of files at once, when that is quick; None when it is not.
    """
    parts = [parse_headers([], [], ())]
    for part in _grown(fetch, sizes, settings, start):
        parts.append(part)
        if sum(part.headers.nbytes for part in parts) >= BATCH_BYTES:
            yield _concatenated(parts)
            parts.clear()
    if parts:
        yield _concatenated(parts)


def _grown(
    fetch: Fetch,
    sizes: Sequence[int | None],
    settings: ReadSettings,
    start: Callable[[Sequence[int], int], Started | None],
) -> Iterator[HeaderBatch]:
    """What became of each group of files, as far as it is known by then."""
    first = min(settings.first_read_bytes, settings.header_limit_bytes)
    for all_new in _groups([_Held(i, b"", first) for i in range(len(sizes))]):
        groups = [all_new]
        started = start([file.position for file in all_new], first)
        if started is not None:
            again = [all_new[i] for i in started[1]]  # to learn why they could not be read
            part, more = _parsed_group(all_new, started[0], set(started[1]), sizes, settings)
            yield part
            groups = list(_groups([*again, *more]))
        while groups:
            part, more = _read_group(fetch, groups.pop(), sizes, settings)
            yield part
            groups.extend(_groups(more))


class _Held(NamedTuple):
    """The bytes of a file that are held, and how many should be held after the next read."""

    position: int
    buffer: bytes
    wanted: int


def _groups(files: Sequence[_Held]) -> Iterator[list[_Held]]:
    group: list[_Held] = []
    total = 0
    for file in files:
        if group and total + file.wanted > GROUP_BYTES:
            yield group
            group, total = [], 0
        group.append(file)
        total += file.wanted
    if group:
        yield group


def _read_group(
    fetch: Fetch, group: list[_Held], sizes: Sequence[int | None], settings: ReadSettings
) -> tuple[HeaderBatch, list[_Held]]:
    """What became of the files of a group, and the files of which more is to be read."""
    ranges = [ByteRange(file.position, len(file.buffer), file.wanted - len(file.buffer)) for file in group]
    failures: list[Failure] = []
    read: list[_Held] = []
    buffers: list[bytes] = []
    for file, data in zip(group, fetch(ranges), strict=True):
        if isinstance(data, tuple):
            failures.append(Failure(file.position, *data))
        else:
            read.append(file)
            buffers.append(file.buffer + data if file.buffer else data)
    part, more = _parsed_group(read, buffers, frozenset(), sizes, settings)
    return replace(part, failures=(*failures, *part.failures)), more


def _parsed_group(
    group: list[_Held],
    buffers: Sequence[bytes] | Arena,
    unanswered: Set[int],
    sizes: Sequence[int | None],
    settings: ReadSettings,
) -> tuple[HeaderBatch, list[_Held]]:
    """As `_read_group`, of bytes that were read. The files in `unanswered` are left out."""
    lengths = buffers.sizes.tolist() if isinstance(buffers, Arena) else [len(buffer) for buffer in buffers]
    # A short read is the file's end.
    complete = [length < file.wanted for length, file in zip(lengths, group, strict=True)]
    batch = parse_headers(buffers, complete, settings.flatten_sequences, settings.functional_groups)
    positions = [file.position for file in group]
    failures = [
        Failure(positions[f.index], f.reason, f.detail) for f in batch.failures if f.index not in unanswered
    ]
    more: list[_Held] = []
    limit = settings.header_limit_bytes
    for i, needed in batch.incomplete.items():
        wanted = _next_end(lengths[i], needed, sizes[positions[i]], limit) if needed else group[i].wanted
        if wanted is None:
            detail = f"the header goes on beyond {limit} bytes"
            failures.append(Failure(positions[i], Reason.TOO_LARGE, detail))
        else:
            held = buffers.buffer(i) if isinstance(buffers, Arena) else buffers[i]
            more.append(_Held(positions[i], held, wanted))
    index = np.asarray(positions, np.int64)[batch.index]
    bytes_read = sum(lengths) - sum(len(file.buffer) for file in group)
    return HeaderBatch(batch.headers, index, tuple(failures), {}, bytes_read), more


def _next_end(held: int, needed: int, size: int | None, limit: int) -> int | None:
    """Up to where a file is read next; None when its header goes on beyond the limit.

    A length in a file may say anything. When it leads beyond the file's own end, the rest of the file is
    read, up to the limit: such a header is cut, and not too large.
    """
    if held >= limit or (needed > limit and size is not None and size > limit):
        return None
    wanted = max(needed, held + 1) + AHEAD
    if held >= DOUBLING:
        wanted = max(wanted, 2 * held)
    return min(wanted, limit)


def _started(paths: Sequence[str], wanted: int) -> Started | None:
    """The first bytes of local files in one piece of memory, and which files could not be read.

    None when a few of them, read first, are slow, or when all together take as long as slow ones. It is then
    better to read each file by itself, beside others and with a bound on its time.
    """
    if any("\0" in path for path in paths):
        return None
    few = np.full(min(len(paths), _PROBED), wanted)
    everything = np.full(len(paths), wanted)
    for some, seconds in ((few, _PROBED * in_flight.SLOW_SECONDS), (everything, _PATIENCE_SECONDS)):
        seconds += len(some) * in_flight.SLOW_SECONDS
        (started,) = in_flight.read_all(partial(_starts, paths[: len(some)], some), 1, seconds)
        if started is None:
            return None
    return started


def _starts(paths: Sequence[str], wanted: npt.NDArray[np.int64], _: int) -> Started:
    arena, failed = read_starts(paths, wanted)
    return arena, failed.tolist()


def _local_range(path: str, byte_range: ByteRange) -> bytes:
    # What has become a pipe since it was listed must not be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.pread(descriptor, byte_range.length, byte_range.start)
    finally:
        os.close(descriptor)


def _range(filesystem: pafs.FileSystem, path: str, byte_range: ByteRange) -> bytes:
    with filesystem.open_input_file(path) as file:
        return bytes(file.read_at(byte_range.length, byte_range.start))


def _concatenated(parts: Sequence[HeaderBatch]) -> HeaderBatch:
    filled = [part for part in parts if len(part.index)] or parts[:1]
    headers = pa.concat_batches([part.headers for part in filled]) if len(filled) > 1 else filled[0].headers
    index = np.concatenate([part.index for part in filled])
    failures = sorted((f for part in parts for f in part.failures), key=lambda failure: failure.index)
    return HeaderBatch(headers, index, tuple(failures), {}, sum(part.bytes_read for part in parts))
