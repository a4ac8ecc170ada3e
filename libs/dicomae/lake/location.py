"""Where tables, and what is no table yet, lie: in a local or mounted folder, or on S3.

A local location is a plain `Path`, so that nothing stands between the jobs and the disk. One on S3 has as
much of a `Path` as they need. Either travels to the executors.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from dicomae.errors import JobError, UsageError
from dicomae.sources import uris
from dicomae.sources.io_errors import READ_ERRORS, explained

_SCHEME = "s3"

# deltalake 1.6.6 makes a URL of a path. With some of these it panics, with others it opens another path.
_NOT_OPENED = re.compile(r"[\[\]^|#?\\\x00-\x1f\x7f\ud800-\udfff]|%[0-9A-Fa-f]{2}")
_ROOM = 1 << 20  # bytes that a commit may need beside its rows


@dataclass(frozen=True)
class Remote:
    """A folder or an object on S3; as text `s3://bucket/path`, without credentials.

    Attributes
    ----------
    uri : names the store, as `pyarrow.fs` takes it: credentials, endpoint, region.
    path : the bucket and the path in it.
    """

    uri: str = field(repr=False)
    path: str

    def __str__(self) -> str:
        return f"{_SCHEME}://{self.path}"

    def __truediv__(self, name: str) -> "Remote":
        return replace(self, path=f"{self.path}/{name}")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def filesystem(self) -> pafs.FileSystem:
        """The store; one for each process."""
        return _filesystem(self.uri)[0]

    def mkdir(self, *, parents: bool = False) -> None:
        """Nothing: a store has objects alone."""


Location: TypeAlias = Path | Remote


def parse(text: str) -> Location:
    """The location that a path or a URI names.

    Raises
    ------
    UsageError
        The URI is of another kind, or cannot be understood; deltalake cannot open such a folder.
    """
    if "://" not in text:
        return _openable(Path(text).absolute(), os.path.realpath(text))
    if not text.startswith(f"{_SCHEME}://"):
        raise UsageError(f"--tables {uris.shown(text)}: give a local or mounted folder, or s3://bucket/path")
    try:
        path = _filesystem(text)[1].rstrip("/")
    except READ_ERRORS as error:  # whose text holds the URI
        raise UsageError(f"--tables {uris.shown(text)}: {_refused(error)}") from None
    if not path:
        raise UsageError(f"--tables {uris.shown(text)}: names no bucket; give s3://bucket/path")
    return _openable(Remote(text, path), path)


def _openable(folder: Location, resolved: str) -> Location:
    """The folder; raises UsageError when deltalake would take its name for another, or end the process."""
    wrong = _NOT_OPENED.search(resolved)
    if wrong is None:
        return folder
    shown = str(folder) if str(folder).isprintable() else repr(str(folder))
    raise UsageError(
        f"--tables {shown}: Delta cannot open a folder whose path has {wrong[0]!r}; give a path without "
        f"[ ] ^ | # ? \\, without % before two hexadecimal digits, and without control characters"
    )


def local(location: Location) -> Path:
    """The location as a path, for jobs that read tables by Spark, which has no connector of S3 here.

    Raises
    ------
    UsageError
        It is on S3.
    """
    if isinstance(location, Path):
        return location
    raise UsageError(
        f"--tables {location}: on S3 only jobs/ingest.py and jobs/retry.py keep tables; "
        f"copy or mount the folder, and give its local path"
    )


@contextmanager
def reached(location: Location) -> Iterator[None]:
    """Explain what a store refuses while the block runs; a disk's failure passes as it is.

    Raises
    ------
    UsageError
        There is no such bucket, credentials do not suffice, nothing answers.
    """
    try:
        yield
    except READ_ERRORS as error:
        if isinstance(location, Path):
            raise
        raise UsageError(f"--tables {location}: {_refused(error)}") from None


def make(folder: Location) -> None:
    """Make the folder, and those above it.

    Raises
    ------
    UsageError
        It cannot be made.
    """
    if isinstance(folder, Remote):
        with reached(folder):
            folder.filesystem.create_dir(folder.path)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--tables {folder}: cannot be made: {os.strerror(error.errno or 0)}") from error


def require_room(folder: Location, rows_bytes: int = 0) -> None:
    """Raise JobError when the folder's disk is full: deltalake's writer would panic beside its error.

    A store, and a file system that does not tell its size, always have room.
    """
    if isinstance(folder, Remote):
        return
    disk = os.statvfs(folder)
    if disk.f_blocks and disk.f_bavail * disk.f_frsize < rows_bytes + _ROOM:
        raise JobError(f"--tables {folder}: its disk is full; free space, then run again")


def is_folder(location: Location) -> bool:
    """Whether there is such a folder; see `reached`."""
    if isinstance(location, Path):
        return location.is_dir()
    with reached(location):
        return bool(location.filesystem.get_file_info(location.path).type == pafs.FileType.Directory)


def remove(folder: Location) -> None:
    """Remove a folder with all that is in it, as far as that goes."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
        return
    with suppress(*READ_ERRORS):
        folder.filesystem.delete_dir(folder.path)


def move(file: Location, place: Location) -> None:
    """Put a file in another's place, if there is one; both are local, or in one store."""
    if isinstance(file, Remote) and isinstance(place, Remote):
        file.filesystem.move(file.path, place.path)
        return
    os.replace(str(file), str(place))


def copy(file: Location, place: Location) -> None:
    """Copy a file; both are local, or in one store."""
    if isinstance(file, Remote) and isinstance(place, Remote):
        file.filesystem.copy_file(file.path, place.path)
    else:
        shutil.copyfile(str(file), str(place))


def size(file: Location) -> int:
    """Bytes of a file."""
    if isinstance(file, Path):
        return os.path.getsize(file)
    return int(file.filesystem.get_file_info(file.path).size)


def write_text(file: Location, text: str) -> None:
    """Make `text` the content of a file."""
    if isinstance(file, Path):
        file.write_text(text, encoding="utf-8")
        return
    with file.filesystem.open_output_stream(file.path) as stream:
        stream.write(text.encode())


def read_text(file: Location) -> str:
    """The content of a file that holds text."""
    if isinstance(file, Path):
        return file.read_text(encoding="utf-8")
    with file.filesystem.open_input_stream(file.path) as stream:
        return bytes(stream.read()).decode()


def parquet_file(file: Location) -> pq.ParquetFile:
    """A Parquet file, opened."""
    if isinstance(file, Path):
        return pq.ParquetFile(file)
    # A request for what lies together, not for each column.
    return pq.ParquetFile(file.path, filesystem=file.filesystem, pre_buffer=True)


def parquet_writer(file: Location, schema: pa.Schema, **options: Any) -> pq.ParquetWriter:
    """A writer of a new Parquet file; on S3 it is there when the writer is closed."""
    if isinstance(file, Path):
        return pq.ParquetWriter(file, schema, **options)
    return pq.ParquetWriter(file.path, schema, filesystem=file.filesystem, **options)


def delta_uri(folder: Location) -> str:
    """How deltalake names the folder."""
    return str(folder) if isinstance(folder, Path) else f"{_SCHEME}://{quote(folder.path)}"


def delta_options(folder: Location) -> dict[str, str] | None:
    """How deltalake reaches the folder; what the URI leaves open is taken from the environment."""
    return None if isinstance(folder, Path) else _options(folder.uri)


@cache
def _options(uri: str) -> dict[str, str]:
    parts = urlsplit(uri)
    query = dict(parse_qsl(parts.query))
    scheme, endpoint = query.get("scheme", "https"), query.get("endpoint_override")
    found = {
        "access_key_id": unquote(parts.username or ""),
        "secret_access_key": unquote(parts.password or ""),
        "region": _filesystem(uri)[0].region,  # which pyarrow finds out where the URI leaves it open
        "endpoint_url": f"{scheme}://{endpoint}" if endpoint else "",
        "allow_http": "true" if scheme == "http" else "",
        # A commit is made only where there is none of its version: of two writers one learns that it lost.
        "conditional_put": "etag",
    }
    return {key: value for key, value in found.items() if value}


@cache
def _filesystem(uri: str) -> tuple[pafs.FileSystem, str]:
    filesystem, path = pafs.FileSystem.from_uri(uri)
    return filesystem, path


def _refused(error: Exception) -> str:
    """What a store's refusal means, without its message: the store's own code, and what to check."""
    text = str(error)
    code = re.search(r"AWS Error (\w+)", text)
    if code is None and "not found" in text:
        return "no such bucket"
    if code is None and isinstance(error, pa.ArrowInvalid):
        return "no URI of S3; in keys write / as %2F, + as %2B and a space as %20"
    found = code[1].lower().replace("_", " ") if code else explained(error)[1]
    return f"{found}; check bucket, credentials, endpoint and region"
