"""Rows of an inventory, whatever its columns are called and typed, as rows of `LISTED_FILE`."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

import pyarrow as pa
import pyarrow.compute as pc

from dicomae import tables
from dicomae.errors import UsageError
from dicomae.sources.listing import LISTED_FILE

# Our word → the names it goes by, in small letters without `_`.
NAMES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file", "filename", "filepath", "uri", "url"),
    "bucket": ("bucket", "bucketname"),
    "key": ("key", "object", "objectkey"),
    "size": ("size", "bytes", "filesize", "length"),
    "mtime": ("mtime", "lastmodifieddate", "lastmodified", "modified", "modificationtime"),
    "etag": ("etag", "md5", "checksum"),
    "is_latest": ("islatest",),
    "is_delete_marker": ("isdeletemarker",),
}

_SECONDS = pa.decimal128(27, 9)
_LATEST = 32_503_680_000  # seconds: the year 3000
_NO_SIZE = "size is not in whole bytes"
_MEND = "mend it, or leave the column out"
_NO_TIME = "mtime is not in ISO 8601 or seconds since 1970"


@dataclass(frozen=True)
class Place:
    """The source that an inventory tells of.

    Attributes
    ----------
    folder : its path in its file system, as `open_source` gives it, such as `pacs/2024`.
    prefix : what stands before such a path in the tables, as `path_prefix` gives it, such as `s3://`.
    """

    folder: str
    prefix: str = ""


@dataclass(frozen=True)
class Rows:
    """Some rows of an inventory.

    Attributes
    ----------
    batch : all their columns.
    file : the inventory's path, for messages.
    first : number of the first row in the file, from 1. A header counts as a row.
    has_encoded_keys : whether keys are URL-encoded, as S3 Inventory writes them in CSV.
    """

    batch: pa.RecordBatch
    file: str
    first: int
    has_encoded_keys: bool

    def column(self, word: str) -> pa.Array | None:
        """The column for one of our words (`NAMES`); None when there is none."""
        for i, name in enumerate(self.batch.schema.names):
            if name.lower().replace("_", "").replace(" ", "") in NAMES[word]:
                return self.batch.column(i)
        return None

    def error(self, i: int, wrong: str) -> UsageError:
        """The error to raise for a value in row `i` of these."""
        return UsageError(f"{self.file}: row {self.first + i}: {wrong}")


def listed_files_below(rows: Rows, place: Place) -> pa.RecordBatch:
    """The files below a source, as rows of `LISTED_FILE`.

    Raises
    ------
    UsageError
        A column is missing, or a value is no path, size or time.
    """
    found = [_paths(rows, place), _sizes(rows), _times(rows), _etags(rows)]
    nothing = [pa.nulls(rows.batch.num_rows, kind) for kind in LISTED_FILE.types]
    arrays = [none if array is None else array for array, none in zip(found, nothing, strict=True)]
    is_below = pc.starts_with(arrays[0], place.folder.rstrip("/") + "/")
    return pa.RecordBatch.from_arrays(arrays, schema=LISTED_FILE).filter(pc.and_(is_below, _is_current(rows)))


def _is_current(rows: Rows) -> pa.Array:
    """False for an old version of an object, and for a marker that an object is deleted."""
    current = pa.repeat(True, rows.batch.num_rows)
    for word, wanted in (("is_latest", "true"), ("is_delete_marker", "false")):
        flags = rows.column(word)
        if flags is not None:
            same = pc.equal(pc.utf8_lower(flags.cast(pa.string())), wanted)
            current = pc.and_(current, pc.fill_null(same, True))
    return current


def _paths(rows: Rows, place: Place) -> pa.Array:
    """Paths in the source's file system.

    A path of another file system stays as it is. It is then not below the source.
    """
    path = rows.column("path")
    if path is None:
        bucket, key = rows.column("bucket"), rows.column("key")
        if bucket is None or key is None:
            there = ", ".join(rows.batch.schema.names)
            raise UsageError(
                f"{rows.file}: no column path, nor bucket and key; it has {there}; rename one to path"
            )
        keys = _decoded(key) if rows.has_encoded_keys else key.cast(pa.string())
        paths = pc.binary_join_element_wise(bucket.cast(pa.string()), keys, "/")
    else:
        texts = path.cast(pa.string()).to_pylist()
        paths = pa.array([_in_source(text, place) for text in texts], pa.string())
    if paths.null_count:
        raise rows.error(pc.index(paths.is_null(), True).as_py(), "no path; leave the row out")
    return paths


def _decoded(keys: pa.Array) -> pa.Array:
    """Keys as the storage has them. S3 writes them URL-encoded in CSV."""
    return pa.array([key and unquote_plus(key) for key in keys.to_pylist()], pa.string())


def _in_source(path: str | None, place: Place) -> str | None:
    """A path in the source's file system.

    When names are folders, `..` does not lead out of the source: below `/pacs`, `../etc/passwd` is
    `/etc/passwd`, which is not below it.
    """
    if path is None:
        return None
    if place.prefix.endswith("://"):  # of objects: a path begins with the bucket, and `..` means nothing
        is_relative = "://" not in path and not path.startswith("/")
        return posixpath.join(place.folder, path) if is_relative else path.removeprefix(place.prefix)
    if path.startswith("file:///") and not place.prefix:
        path = unquote(path.removeprefix("file://"))
    path = path.removeprefix(place.prefix)
    return path if "://" in path else posixpath.normpath(posixpath.join(place.folder, path))


def _sizes(rows: Rows) -> pa.Array | None:
    given = rows.column("size")
    if given is None:
        return None
    sizes = _cast(given, pa.int64(), _NO_SIZE, rows)
    below_zero = pc.index(pc.less(sizes, 0), True).as_py()
    if below_zero >= 0:
        raise rows.error(below_zero, f"{_NO_SIZE}; {_MEND}")
    return sizes


def _etags(rows: Rows) -> pa.Array | None:
    etags = rows.column("etag")
    return None if etags is None else pc.utf8_trim(etags.cast(pa.string()), characters='"')


def _times(rows: Rows) -> pa.Array | None:
    """Times in UTC. They are given as timestamps, as ISO 8601 texts or as seconds since 1970."""
    times = rows.column("mtime")
    if times is None or times.type == tables.TIME:
        return times
    if pa.types.is_timestamp(times.type):
        times = times if times.type.tz else pc.assume_timezone(times, "UTC")
        return pc.cast(times, tables.TIME, safe=False)
    texts = _cast(times, pa.string(), _NO_TIME, rows)  # of a float the shortest that is no other float
    is_number = pc.match_substring_regex(texts, r"^-?[0-9.]+(e[+-]?[0-9]+)?$")
    seconds, others = pc.if_else(is_number, texts, None), pc.if_else(is_number, None, texts)
    return pc.coalesce(_from_seconds(seconds, rows), _from_iso(others, rows))


def _from_iso(texts: pa.Array, rows: Rows) -> pa.Array:
    has_zone = pc.match_substring_regex(texts, "(Z|[+-][0-9]{2}:?[0-9]{2})$")
    zoned = pc.if_else(has_zone, texts, pc.binary_join_element_wise(texts, "Z", ""))
    return _cast(zoned, tables.TIME, _NO_TIME, rows)


def _from_seconds(texts: pa.Array, rows: Rows) -> pa.Array:
    """Seconds cut at microseconds. A listing cuts its times too, and the two must be equal.

    A float of today's seconds is exact to 0.2 µs.
    """
    cut = pc.replace_substring_regex(texts, r"(\.[0-9]{9})[0-9]+$", r"\1")
    exact = _cast(cut, _SECONDS, _NO_TIME, rows)
    late = pc.index(pc.greater(exact, pa.scalar(_LATEST, pa.decimal128(12))), True).as_py()
    if late >= 0:
        raise rows.error(late, f"{_NO_TIME}, but perhaps in milliseconds; {_MEND}")
    microseconds = pc.floor(pc.multiply(exact, pa.scalar(10**6, pa.decimal128(7))))
    return _cast(microseconds, pa.int64(), _NO_TIME, rows).cast(tables.TIME)


def _cast(values: pa.Array, kind: pa.DataType, wrong: str, rows: Rows) -> pa.Array:
    """The values as another type; the first that has none is told by its row, never by itself."""
    try:
        return pc.cast(values, kind)
    except pa.ArrowException as error:
        bad = next(i for i in range(len(values)) if not _is_castable(values[i], kind))
        raise rows.error(bad, f"{wrong}; {_MEND}") from error


def _is_castable(value: pa.Scalar, kind: pa.DataType) -> bool:
    try:
        pc.cast(value, kind)
    except pa.ArrowException:
        return False
    return True
