"""Rows of an inventory, whatever its columns are called and typed, as rows of `LISTED`."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_plus

import pyarrow as pa
import pyarrow.compute as pc

from dicomae import tables
from dicomae.dicom.listing import LISTED
from dicomae.errors import UsageError

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


@dataclass(frozen=True)
class Place:
    """The source of which an inventory tells.

    Attributes
    ----------
    folder : its path in its file system, as `open_source` gives it.
    prefix : what stands before such a path in the tables, as `path_prefix` gives it.
    """

    folder: str
    prefix: str = ""


@dataclass(frozen=True)
class Columns:
    """How the columns of an inventory are to be understood.

    Attributes
    ----------
    file : the inventory's path, for messages.
    has_encoded_keys : whether keys are URL-encoded, as S3 Inventory writes them in CSV.
    """

    file: str
    has_encoded_keys: bool


def listed_rows(batch: pa.RecordBatch, columns: Columns, place: Place) -> pa.RecordBatch:
    """Rows of `LISTED` of the files below a source.

    Raises
    ------
    UsageError
        A column is missing, or holds what is no path, size or time.
    """
    batch = _current(batch)
    paths = _paths(batch, columns, place)
    found = {
        "size": _sizes(_column(batch, "size"), columns),
        "mtime": _times(_column(batch, "mtime"), columns),
        "etag": _etags(_column(batch, "etag")),
    }
    arrays = [
        paths,
        *(pa.nulls(len(paths), LISTED.field(n).type) if a is None else a for n, a in found.items()),
    ]
    below = pc.starts_with(paths, place.folder.rstrip("/") + "/")
    return pa.RecordBatch.from_arrays(arrays, schema=LISTED).filter(below)


def _column(batch: pa.RecordBatch, word: str) -> pa.Array | None:
    """The inventory's column for one of our words; None where it has none."""
    for i, name in enumerate(batch.schema.names):
        if name.lower().replace("_", "").replace(" ", "") in NAMES[word]:
            return batch.column(i)
    return None


def _current(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without the versions of an object that are no longer the latest, and what marks it as deleted."""
    for word, wanted in (("is_latest", "true"), ("is_delete_marker", "false")):
        flags = _column(batch, word)
        if flags is not None:
            same = pc.equal(pc.utf8_lower(flags.cast(pa.string())), wanted)
            batch = batch.filter(pc.fill_null(same, True))
    return batch


def _paths(batch: pa.RecordBatch, columns: Columns, place: Place) -> pa.Array:
    """Paths in the source's file system; of another one, as they are, which is not below the source."""
    path = _column(batch, "path")
    if path is None:
        bucket, key = (_column(batch, word) for word in ("bucket", "key"))
        if bucket is None or key is None:
            there = ", ".join(batch.schema.names)
            raise UsageError(
                f"{columns.file}: no column path, nor bucket and key; it has {there}; rename one to path"
            )
        keys = _decoded(key) if columns.has_encoded_keys else key.cast(pa.string())
        paths = pc.binary_join_element_wise(bucket.cast(pa.string()), keys, "/")
    else:
        texts = path.cast(pa.string()).to_pylist()
        paths = pa.array([_in_source(text, place) for text in texts], pa.string())
    if paths.null_count:
        raise UsageError(f"{columns.file}: rows without a path; leave them out")
    return paths


def _decoded(keys: pa.Array) -> pa.Array:
    """Keys as they are; S3 writes them URL-encoded in CSV."""
    return pa.array([key and unquote_plus(key) for key in keys.to_pylist()], pa.string())


def _in_source(path: str | None, place: Place) -> str | None:
    """A path in the source's file system; where names are folders, `..` does not lead out of it."""
    if path is None:
        return None
    if place.prefix.endswith("://"):  # of objects: a path begins with the bucket, and `..` means nothing
        is_relative = "://" not in path and not path.startswith("/")
        return posixpath.join(place.folder, path) if is_relative else path.removeprefix(place.prefix)
    if path.startswith("file:///") and not place.prefix:
        path = unquote(path.removeprefix("file://"))
    path = path.removeprefix(place.prefix)
    return path if "://" in path else posixpath.normpath(posixpath.join(place.folder, path))


def _sizes(sizes: pa.Array | None, columns: Columns) -> pa.Array | None:
    return None if sizes is None else _cast(sizes, pa.int64(), "size", "whole bytes", columns)


def _etags(etags: pa.Array | None) -> pa.Array | None:
    return None if etags is None else pc.utf8_trim(etags.cast(pa.string()), characters='"')


def _times(times: pa.Array | None, columns: Columns) -> pa.Array | None:
    """Times in UTC from timestamps, ISO 8601 texts or seconds."""
    wanted = "ISO 8601 or seconds since 1970"
    if times is None or times.type == tables.TIME:
        return times
    if pa.types.is_timestamp(times.type):
        times = times if times.type.tz else pc.assume_timezone(times, "UTC")
        return pc.cast(times, tables.TIME, safe=False)
    if pa.types.is_string(times.type) or pa.types.is_large_string(times.type):
        if pc.all(pc.match_substring_regex(times, "^-?[0-9.]+$")).as_py():
            return _from_text(times, wanted, columns)
        has_zone = pc.match_substring_regex(times, "(Z|[+-][0-9]{2}:?[0-9]{2})$")
        zoned = pc.if_else(has_zone, times, pc.binary_join_element_wise(times, "Z", ""))
        return _cast(zoned, tables.TIME, "mtime", wanted, columns)
    return _from_seconds(_cast(times, pa.float64(), "mtime", wanted, columns))


def _from_text(seconds: pa.Array, wanted: str, columns: Columns) -> pa.Array:
    """Seconds without a float's error, cut at microseconds as a listing's are, to be equal to them."""
    cut = pc.replace_substring_regex(seconds, r"(\.[0-9]{9})[0-9]+$", r"\1")
    exact = _cast(cut, _SECONDS, "mtime", wanted, columns)
    microseconds = pc.floor(pc.multiply(exact, pa.scalar(10**6, pa.decimal128(7))))
    return _cast(microseconds, pa.int64(), "mtime", wanted, columns).cast(tables.TIME)


def _from_seconds(seconds: pa.Array) -> pa.Array:
    return pc.cast(pc.round(pc.multiply(seconds, 1e6)), pa.int64(), safe=False).cast(tables.TIME)


def _cast(values: pa.Array, kind: Any, word: str, wanted: str, columns: Columns) -> pa.Array:
    try:
        return pc.cast(values, kind)
    except pa.ArrowException as error:
        raise UsageError(
            f"{columns.file}: {word} is not in {wanted}; mend the column or leave it out"
        ) from error
