"""Inventories of a storage as tables of files: Parquet, CSV, or AWS S3 Inventory's manifest.

    manifest.json ──► its data files ─┐
    .parquet, .csv, .csv.gz ──────────┴──► columns by name ──► batches of `LISTED`

A path is a path or URI, or bucket and key; relative, it is below the source. Rows beyond the source are
left out, for an inventory is of a whole bucket. Size, mtime and etag may be absent or null. Times
without a zone are in UTC; a number is seconds since 1970, as `find -printf %T@` writes it.

References
----------
https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_plus

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from dicomae import tables
from dicomae.dicom.ioerrors import READ_ERRORS
from dicomae.dicom.listing import LISTED
from dicomae.errors import UsageError

BATCH_ROWS = 1 << 16
BLOCK_BYTES = 1 << 20  # of CSV text at a time; a line is shorter
MANIFEST_BYTES = 1 << 26

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


def read_inventory(
    filesystem: pafs.FileSystem, path: str, columns: Mapping[str, str], place: Place
) -> Iterator[pa.RecordBatch]:
    """Batches of `LISTED`: the files that an inventory names below a source, in its order.

    Parameters
    ----------
    filesystem, path : of the inventory.
    columns : the inventory's column for `path`, or for `bucket` and `key`, `size`, `mtime`, `etag`;
        those that are not given are found by their usual names.

    Raises
    ------
    UsageError
        The inventory cannot be read, lacks a column, or holds what is no path, size or time; or it names
        no file of the source.
    """
    kept = given = 0
    for file in _files(filesystem, path):
        try:
            for batch in file.batches(filesystem):
                listed = _listed(batch, file, columns, place)
                kept, given = kept + listed.num_rows, given + batch.num_rows
                yield listed
        except READ_ERRORS as error:
            raise UsageError(
                f"{file.path}: cannot be read as {file.kind} ({type(error).__name__}); check that it is whole"
            ) from error
    if given and not kept:
        raise UsageError(
            f"{path}: names no file below {place.prefix}{place.folder}; give the source that it is of"
        )


@dataclass(frozen=True)
class _File:
    """A data file; `names` of its columns where it has no header, and whether its keys are URL-encoded."""

    path: str
    kind: str  # Parquet or CSV
    names: tuple[str, ...] = ()
    encoded: bool = False

    def batches(self, filesystem: pafs.FileSystem) -> Iterator[pa.RecordBatch]:
        if self.kind == "Parquet":
            with filesystem.open_input_file(self.path) as file:
                yield from pq.ParquetFile(file).iter_batches(BATCH_ROWS)
            return
        read = pa.csv.ReadOptions(block_size=BLOCK_BYTES, column_names=self.names or None, use_threads=False)
        parse = pa.csv.ParseOptions(newlines_in_values=True)
        with filesystem.open_input_stream(self.path, compression=_compression(self.path)) as file:
            # The types are left to us: a key may look like a number.
            header = self.names or _header(filesystem, self.path)
            convert = pa.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
            )
            yield from pa.csv.open_csv(file, read, parse, convert)


def _header(filesystem: pafs.FileSystem, path: str) -> list[str]:
    with filesystem.open_input_stream(path, compression=_compression(path)) as file:
        options = pa.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)
        return list(pa.csv.open_csv(file, options).schema.names)


def _compression(path: str) -> str | None:
    return "gzip" if path.lower().endswith(".gz") else None


def _files(filesystem: pafs.FileSystem, path: str) -> list[_File]:
    name = path.lower()
    if name.endswith(".json"):
        return _of_manifest(filesystem, path)
    if name.endswith(".parquet"):
        return [_File(path, "Parquet")]
    if name.endswith((".csv", ".csv.gz")):
        return [_File(path, "CSV")]
    raise UsageError(f"{path}: no inventory by its name; give .parquet, .csv, .csv.gz or a manifest.json")


def _of_manifest(filesystem: pafs.FileSystem, path: str) -> list[_File]:
    """The data files that an S3 Inventory's manifest lists."""
    try:
        with filesystem.open_input_stream(path) as file:
            manifest = json.loads(file.read(MANIFEST_BYTES))
        kind = {"csv": "CSV", "parquet": "Parquet"}[manifest["fileFormat"].lower()]
        names = tuple(name.strip() for name in manifest["fileSchema"].split(",")) if kind == "CSV" else ()
        keys = [str(file["key"]) for file in manifest["files"]]
        bucket = str(manifest["destinationBucket"]).rpartition(":")[2]
    except READ_ERRORS as error:
        raise UsageError(f"{path}: cannot be read ({type(error).__name__}); check the path") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path}: no manifest of an S3 Inventory in CSV or Parquet; it needs fileFormat, fileSchema, "
            "destinationBucket and files"
        ) from error
    return [_File(_data_path(filesystem, path, bucket, key), kind, names, kind == "CSV") for key in keys]


def _data_path(filesystem: pafs.FileSystem, manifest: str, bucket: str, key: str) -> str:
    """Where a data file is: in its bucket, or, copied with its manifest, in `../data` or beside it."""
    beside, name = posixpath.dirname(manifest), posixpath.basename(key)
    places = [f"{bucket}/{key}"] if filesystem.type_name == "s3" else []
    places += [posixpath.join(posixpath.dirname(beside), "data", name), posixpath.join(beside, name)]
    for place in places:
        if filesystem.get_file_info(place).type == pafs.FileType.File:
            return place
    raise UsageError(f"{manifest}: its data file {name} is not there; copy the inventory's data folder too")


def _listed(batch: pa.RecordBatch, file: _File, columns: Mapping[str, str], place: Place) -> pa.RecordBatch:
    batch = _current(batch, file, columns)
    paths = _paths(batch, file, columns, place)
    found = {
        "size": _sizes(_column(batch, "size", columns, file), file),
        "mtime": _times(_column(batch, "mtime", columns, file), file),
        "etag": _etags(_column(batch, "etag", columns, file)),
    }
    arrays = [
        paths,
        *(pa.nulls(len(paths), LISTED.field(n).type) if a is None else a for n, a in found.items()),
    ]
    below = pc.starts_with(paths, place.folder.rstrip("/") + "/")
    return pa.RecordBatch.from_arrays(arrays, schema=LISTED).filter(below)


def _column(batch: pa.RecordBatch, word: str, columns: Mapping[str, str], file: _File) -> pa.Array | None:
    """The inventory's column for one of our words; None where it has none.

    Raises
    ------
    UsageError
        It was given by name and is not there.
    """
    if word in columns:
        if columns[word] not in batch.schema.names:
            there = ", ".join(batch.schema.names)
            raise UsageError(f"{file.path}: no column {columns[word]!r} for {word}; it has {there}")
        return batch.column(columns[word])
    for name in batch.schema.names:
        if name.lower().replace("_", "").replace(" ", "") in NAMES[word]:
            return batch.column(name)
    return None


def _current(batch: pa.RecordBatch, file: _File, columns: Mapping[str, str]) -> pa.RecordBatch:
    """Without the versions of an object that are no longer the latest, and what marks it as deleted."""
    for word, wanted in (("is_latest", "true"), ("is_delete_marker", "false")):
        flags = _column(batch, word, columns, file)
        if flags is not None:
            same = pc.equal(pc.utf8_lower(flags.cast(pa.string())), wanted)
            batch = batch.filter(pc.fill_null(same, True))
    return batch


def _paths(batch: pa.RecordBatch, file: _File, columns: Mapping[str, str], place: Place) -> pa.Array:
    """Paths in the source's file system; of another one, as they are, which is not below the source."""
    path = _column(batch, "path", columns, file)
    if path is None:
        bucket, key = (_column(batch, word, columns, file) for word in ("bucket", "key"))
        if bucket is None or key is None:
            there = ", ".join(batch.schema.names)
            raise UsageError(
                f"{file.path}: no column for the path, nor for bucket and key; it has {there}; name it"
            )
        keys = _decoded(key) if file.encoded else key.cast(pa.string())
        paths = pc.binary_join_element_wise(bucket.cast(pa.string()), keys, "/")
    else:
        texts = path.cast(pa.string()).to_pylist()
        paths = pa.array([_in_source(text, place) for text in texts], pa.string())
    if paths.null_count:
        raise UsageError(f"{file.path}: rows without a path; leave them out")
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


def _sizes(sizes: pa.Array | None, file: _File) -> pa.Array | None:
    return None if sizes is None else _cast(sizes, pa.int64(), "size", "whole bytes", file)


def _etags(etags: pa.Array | None) -> pa.Array | None:
    return None if etags is None else pc.utf8_trim(etags.cast(pa.string()), characters='"')


def _times(times: pa.Array | None, file: _File) -> pa.Array | None:
    """Times in UTC from timestamps, ISO 8601 texts or seconds."""
    wanted = "ISO 8601 or seconds since 1970"
    if times is None or times.type == tables.TIME:
        return times
    if pa.types.is_timestamp(times.type):
        times = times if times.type.tz else pc.assume_timezone(times, "UTC")
        return pc.cast(times, tables.TIME, safe=False)
    if pa.types.is_string(times.type) or pa.types.is_large_string(times.type):
        if not pc.any(pc.match_substring_regex(times, "[^0-9.]")).as_py():
            return _from_seconds(_cast(times, pa.float64(), "mtime", wanted, file))
        has_zone = pc.match_substring_regex(times, "(Z|[+-][0-9]{2}:?[0-9]{2})$")
        zoned = pc.if_else(has_zone, times, pc.binary_join_element_wise(times, "Z", ""))
        return _cast(zoned, tables.TIME, "mtime", wanted, file)
    return _from_seconds(_cast(times, pa.float64(), "mtime", wanted, file))


def _from_seconds(seconds: pa.Array) -> pa.Array:
    return pc.cast(pc.round(pc.multiply(seconds, 1e6)), pa.int64(), safe=False).cast(tables.TIME)


def _cast(values: pa.Array, kind: Any, word: str, wanted: str, file: _File) -> pa.Array:
    try:
        return pc.cast(values, kind)
    except pa.ArrowException as error:
        raise UsageError(
            f"{file.path}: {word} is not in {wanted}; mend the column or leave it out"
        ) from error
