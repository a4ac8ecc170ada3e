"""List files in executors, folder by folder, so that the driver never holds the listing."""

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from dicomae.dicom import source
from dicomae.errors import JobError
from dicomae.tables import TIME

MAXIMUM_ROUNDS = 64  # a round lists a level of folders at least
FOLDERS_PER_TASK = 256  # listed before a task hands on what it found below them

LISTING = pa.schema(
    [
        ("kind", pa.string()),  # file, folder, failure
        ("path", pa.string()),
        ("size", pa.int64()),
        ("mtime", TIME),
        ("reason", pa.string()),  # errors.Reason of a folder that could not be listed
        ("detail", pa.string()),
    ]
)
LISTING_DDL = "kind string, path string, size bigint, mtime timestamp, reason string, detail string"


def list_files(spark: SparkSession, uri: str, staging: Path) -> DataFrame:
    """Every file below `uri`, and every folder that could not be listed: rows of `LISTING`.

    The listing is written below `staging` round by round; the driver learns only whether folders are
    left. A task goes down by itself for `FOLDERS_PER_TASK` folders, so a small source is one round.
    """
    _, top = source.open_source(uri)
    folders = spark.createDataFrame([(top,)], "path string")
    rounds: list[str] = []
    while not rounds or not folders.isEmpty():
        if len(rounds) == MAXIMUM_ROUNDS:
            raise JobError(f"--source {uri}: folders are nested too deep; is there a link loop?")
        tasks = 4 * spark.sparkContext.defaultParallelism if rounds else 1
        listed = folders.repartition(tasks).mapInArrow(_lister(uri), LISTING_DDL)
        rounds.append(str(staging / f"listing-{len(rounds):02d}"))
        listed.write.parquet(rounds[-1])
        folders = spark.read.parquet(rounds[-1]).where("kind = 'folder'").select("path")
    return spark.read.parquet(*rounds).where("kind != 'folder'")


def _lister(uri: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        filesystem, _ = source.open_source(uri)
        left = FOLDERS_PER_TASK
        for batch in batches:
            folders = deque(batch.column("path").to_pylist())
            while folders and left > 0:
                listing = source.list_folder(filesystem, folders.popleft())
                folders.extend(listing.folders)
                left -= 1
                yield _rows(listing)
            yield pa.RecordBatch.from_pylist([{"kind": "folder", "path": f} for f in folders], schema=LISTING)

    return task


def _rows(listing: source.Listing) -> pa.RecordBatch:
    rows = [{"kind": "file", **file} for file in listing.files.to_pylist()]
    rows += [
        {"kind": "failure", "path": path, "reason": str(reason), "detail": detail}
        for path, reason, detail in listing.failures
    ]
    return pa.RecordBatch.from_pylist(rows, schema=LISTING)
