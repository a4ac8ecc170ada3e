"""Where files come from: folders and byte ranges of any file system that `pyarrow.fs` knows."""

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs

from dicomae import tables
from dicomae.dicom.header import Failure, HeaderBatch, parse_headers
from dicomae.errors import Reason, UsageError

GROWTH = 8  # factor from one read of a file to the next
BATCH_BYTES = 64 << 20  # read together at the most, unless one file alone is more

LISTED = pa.schema([("path", pa.string()), ("size", pa.int64()), ("mtime", tables.TIME)])


@dataclass(frozen=True)
class Listing:
    """One level of a folder.

    Attributes
    ----------
    files : schema `LISTED`: path, size in bytes, mtime in UTC (null where unknown); sorted by path.
    folders : paths of the folders in it, sorted.
    failures : (path, reason, detail) of what could not be listed: the folder itself, or an entry that
        is no regular file.
    """

    files: pa.RecordBatch
    folders: tuple[str, ...]
    failures: tuple[tuple[str, Reason, str], ...]


def open_source(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system and the folder that a local path or a URI names.

    Raises
    ------
    UsageError
        There is no such folder, or nothing can open it.
    """
    try:
        filesystem, folder = _resolved(uri)
        kind = filesystem.get_file_info(folder).type
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UsageError(
            f"{_shown(uri)}: cannot be opened ({type(error).__name__}); check the URI"
        ) from error
    if kind == pafs.FileType.NotFound:
        raise UsageError(f"{_shown(uri)}: no such folder; give the folder that holds the DICOM files")
    if kind != pafs.FileType.Directory:
        raise UsageError(f"{_shown(uri)}: not a folder; give the folder that holds the file")
    return filesystem, folder


def list_folder(filesystem: pafs.FileSystem, folder: str) -> Listing:
    """Files and folders directly in a folder; what cannot be listed is a value, never an exception.

    Links are followed, except to a folder above themselves; a link to nothing is not listed.
    """
    try:
        infos = filesystem.get_file_info(pafs.FileSelector(folder))
    except (OSError, pa.ArrowException) as error:
        return Listing(_files([]), (), ((folder, *_explained(error)),))
    files: list[tuple[str, int, int | None]] = []
    folders: list[str] = []
    failures: list[tuple[str, Reason, str]] = []
    for info in infos:
        try:
            path = info.path
        except UnicodeDecodeError as error:
            name = error.object.decode("utf-8", errors="backslashreplace")
            failures.append((name, Reason.IO_ERROR, "the name is not UTF-8"))
            continue
        if info.type == pafs.FileType.File:
            files.append((path, info.size, info.mtime_ns))
        elif info.type != pafs.FileType.Directory:
            failures.append((path, Reason.IO_ERROR, "neither a file nor a folder"))
        elif _leads_back(filesystem, path):
            failures.append((path, Reason.IO_ERROR, "a link to a folder above itself"))
        else:
            folders.append(path)
    return Listing(_files(sorted(files)), tuple(sorted(folders)), tuple(sorted(failures)))


def read_headers(
    filesystem: pafs.FileSystem,
    paths: Sequence[str],
    sizes: Sequence[int],
    first_read_bytes: int,
    header_limit_bytes: int,
    flatten: Sequence[str] = (),
) -> HeaderBatch:
    """Headers of files, each read from its start only as far as its header goes.

    The first `first_read_bytes` of every file are read; those whose header goes on are read again,
    eightfold, up to `header_limit_bytes`. Positions of the result are positions in `paths`.

    Parameters
    ----------
    sizes : bytes of each file, as listed.

    Returns
    -------
    HeaderBatch
        Nothing is `incomplete`; a file that cannot be read is a failure.
    """
    parts: list[HeaderBatch] = []
    pending: Sequence[int] = range(len(paths))
    wanted = min(first_read_bytes, header_limit_bytes)
    while pending:
        grown: list[int] = []
        for group in _groups(pending, max(1, BATCH_BYTES // wanted)):
            part = _parsed(filesystem, paths, sizes, group, wanted, flatten)
            parts.append(part)
            grown.extend(part.incomplete)
        if wanted == header_limit_bytes:
            parts.append(_too_large(grown, header_limit_bytes))
            break
        pending, wanted = grown, min(wanted * GROWTH, header_limit_bytes)
    return _concatenated(parts)


def _parsed(
    filesystem: pafs.FileSystem,
    paths: Sequence[str],
    sizes: Sequence[int],
    group: Sequence[int],
    wanted: int,
    flatten: Sequence[str],
) -> HeaderBatch:
    """The first `wanted` bytes of the files of a group, parsed; positions are those of `paths`."""
    read: list[int] = []
    buffers: list[bytes] = []
    failures: list[Failure] = []
    for i in group:
        try:
            buffers.append(_first_bytes(filesystem, paths[i], wanted))
            read.append(i)
        except (OSError, ValueError, pa.ArrowException) as error:
            failures.append(Failure(i, *_explained(error)))
    # A short read is the file's end even where the listing's size is out of date.
    complete = [len(b) < wanted or len(b) >= sizes[i] for i, b in zip(read, buffers, strict=True)]
    batch = parse_headers(buffers, complete, flatten)
    positions = np.asarray(read, dtype=np.int64)
    failures += [Failure(read[f.index], f.reason, f.detail) for f in batch.failures]
    incomplete = {read[i]: needed for i, needed in batch.incomplete.items()}
    return HeaderBatch(batch.headers, positions[batch.index], tuple(failures), incomplete)


def _first_bytes(filesystem: pafs.FileSystem, path: str, wanted: int) -> bytes:
    with filesystem.open_input_file(path) as file:
        return bytes(file.read_at(wanted, 0))


def _groups(pending: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (pending[at : at + size] for at in range(0, len(pending), size))


def _too_large(positions: Sequence[int], limit: int) -> HeaderBatch:
    detail = f"the header goes on beyond {limit} bytes"
    failures = tuple(Failure(i, Reason.TOO_LARGE, detail) for i in positions)
    return replace(parse_headers([], []), failures=failures)


def _concatenated(parts: Sequence[HeaderBatch]) -> HeaderBatch:
    if not parts:
        return parse_headers([], [])
    headers = pa.concat_batches([part.headers for part in parts])
    index = np.concatenate([part.index for part in parts])
    failures = sorted((f for part in parts for f in part.failures), key=lambda failure: failure.index)
    return HeaderBatch(headers, index, tuple(failures), {})


def _explained(error: Exception) -> tuple[Reason, str]:
    """Reason and detail of a failure to read: the class and the system's code, never the message."""
    code = errno.errorcode.get(getattr(error, "errno", None) or 0)
    detail = f"{type(error).__name__} {code}" if code else type(error).__name__
    return (Reason.PERMISSION if isinstance(error, PermissionError) else Reason.IO_ERROR), detail


def _resolved(uri: str) -> tuple[pafs.FileSystem, str]:
    if "://" in uri:
        filesystem, folder = pafs.FileSystem.from_uri(uri)
        return filesystem, folder
    return pafs.LocalFileSystem(), os.path.abspath(uri)


def _shown(uri: str) -> str:
    """The URI without what may be a password: `s3://key:secret@bucket` → `s3://bucket`."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return uri
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def _leads_back(filesystem: pafs.FileSystem, path: str) -> bool:
    """Whether a local folder is a link to a folder that holds it: following it would never end."""
    if not isinstance(filesystem, pafs.LocalFileSystem) or not os.path.islink(path):
        return False
    target = os.path.realpath(path)
    return os.path.commonpath([os.path.realpath(os.path.dirname(path)), target]) == target


def _files(files: list[tuple[str, int, int | None]]) -> pa.RecordBatch:
    times = [None if mtime is None else mtime // 1000 for _, _, mtime in files]
    arrays = [
        pa.array([path for path, _, _ in files], pa.string()),
        pa.array([size for _, size, _ in files], pa.int64()),
        pa.array(times, pa.int64()).cast(tables.TIME),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=LISTED)
