"""Inventories of a storage as tables of files: Parquet, CSV, or AWS S3 Inventory's manifest.

    manifest.json ──► its data files ─┐
    .parquet, .csv, .csv.gz ──────────┴──► columns by name ──► batches of `LISTED_FILE`

A row names a file by a path, by a URI, or by bucket and key. A relative path is below the source: with the
source `/pacs`, `a/1.dcm` is `/pacs/a/1.dcm`. Rows of files elsewhere are left out, because an inventory is
often of a whole bucket. Size, mtime and etag may be absent or null. A time without a zone is in UTC. A time
that is a number is in seconds since 1970, as `find -printf %T@` writes it.

The file system that holds an inventory may take so long for each answer and no longer.

References
----------
https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

import io
import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.csv
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from dicomae.errors import UsageError
from dicomae.sources.inventory_columns import Place, Rows, listed_files_below
from dicomae.sources.io_errors import READ_ERRORS
from dicomae.sources.range_file import take
from dicomae.sources.storage import Storage

BATCH_ROWS = 1 << 16
BLOCK_BYTES = 1 << 20  # of CSV text at a time; a line is shorter
MANIFEST_BYTES = 1 << 26

_ROW = re.compile(r"Row #([0-9]+)")  # in Arrow's message of a row of CSV with fewer or more values

__all__ = ["Place", "read_inventory"]


def read_inventory(
    filesystem: pafs.FileSystem, path: str, place: Place, timeout_seconds: float
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of an inventory in its order: how many rows it has, and those below a source as `LISTED_FILE`.

    Parameters
    ----------
    filesystem, path : of the inventory. Its columns are found by their usual names (`NAMES`).
    timeout_seconds : how long each answer of the file system may take.

    Raises
    ------
    UsageError
        The inventory cannot be read, or the file system does not answer. It lacks a column, or a value is no
        path, size or time. It names no file of the source.
    """
    storage = Storage(filesystem, timeout_seconds)
    kept = given = 0
    for file in _files(storage, path):
        first = file.first_row
        try:
            for batch in file.batches(storage):
                listed = listed_files_below(Rows(batch, file.path, first, file.has_encoded_keys), place)
                first += batch.num_rows
                kept, given = kept + listed.num_rows, given + batch.num_rows
                yield batch.num_rows, listed
        except TimeoutError as late:
            raise UsageError(f"{file.path}: {late}; check its storage") from late
        except READ_ERRORS as error:
            told = _ROW.search(str(error))
            where = f"{file.path}: row {told[1]}" if told else file.path
            raise UsageError(
                f"{where}: cannot be read as {file.kind} ({type(error).__name__}); check that it is whole"
            ) from error
    if given and not kept:
        raise UsageError(
            f"{path}: names no file below {place.prefix}{place.folder}; give the source that it is of"
        )


@dataclass(frozen=True)
class _File:
    """A data file of an inventory.

    Attributes
    ----------
    kind : Parquet or CSV.
    names : of its columns; empty when the file has a header.
    has_encoded_keys : whether its keys are URL-encoded.
    """

    path: str
    kind: str  # Parquet or CSV
    names: tuple[str, ...] = ()
    has_encoded_keys: bool = False

    @property
    def first_row(self) -> int:
        """Number of the first row of the batches. A header is row 1."""
        return 2 if self.kind == "CSV" and not self.names else 1

    def batches(self, storage: Storage) -> Iterator[pa.RecordBatch]:
        if self.kind == "Parquet":
            with storage.open(self.path) as file:
                yield from pq.ParquetFile(file).iter_batches(BATCH_ROWS)
            return
        read = pa.csv.ReadOptions(block_size=BLOCK_BYTES, column_names=self.names or None, use_threads=False)
        parse = pa.csv.ParseOptions(newlines_in_values=True)
        # The types are left to us: a key may look like a number.
        header = self.names or _header(storage, self.path)
        with _text(storage, self.path) as file:
            convert = pa.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
            )
            yield from pa.csv.open_csv(file, read, parse, convert)


def _header(storage: Storage, path: str) -> list[str]:
    with _text(storage, path) as file:
        options = pa.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)
        return list(pa.csv.open_csv(file, options).schema.names)


def _text(storage: Storage, path: str) -> pa.NativeFile:
    """The text of a CSV file, decompressed, from its start to its end."""
    file = pa.PythonFile(io.BufferedReader(storage.open(path), BLOCK_BYTES), mode="r")
    return pa.CompressedInputStream(file, "gzip") if path.lower().endswith(".gz") else file


def _files(storage: Storage, path: str) -> list[_File]:
    name = path.lower()
    if name.endswith(".json"):
        return _of_manifest(storage, path)
    if name.endswith(".parquet"):
        return [_File(path, "Parquet")]
    if name.endswith((".csv", ".csv.gz")):
        return [_File(path, "CSV")]
    raise UsageError(f"{path}: no inventory by its name; give .parquet, .csv, .csv.gz or a manifest.json")


def _of_manifest(storage: Storage, path: str) -> list[_File]:
    """The data files that the manifest of an S3 Inventory lists."""
    try:
        with storage.open(path) as file:
            manifest = json.loads(take(file, MANIFEST_BYTES))
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
    return [_File(_data_path(storage, path, bucket, key), kind, names, kind == "CSV") for key in keys]


def _data_path(storage: Storage, manifest: str, bucket: str, key: str) -> str:
    """Where a data file is: in its bucket; or, copied with the manifest, in `../data` or beside it."""
    beside, name = posixpath.dirname(manifest), posixpath.basename(key)
    places = [f"{bucket}/{key}"] if storage.filesystem.type_name == "s3" else []
    places += [posixpath.join(posixpath.dirname(beside), "data", name), posixpath.join(beside, name)]
    for place in places:
        try:
            info = storage.ask(partial(storage.filesystem.get_file_info, place))
        except TimeoutError as late:
            raise UsageError(f"{place}: {late}; check its storage") from late
        if info.type == pafs.FileType.File:
            return place
    raise UsageError(f"{manifest}: its data file {name} is not there; copy the inventory's data folder too")
