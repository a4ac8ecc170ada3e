"""The ingest of one source, from the listing to the ledger, in the order that makes a crash harmless."""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from dicomae.config import Config
from dicomae.dicom import bodypart
from dicomae.errors import FileStatus, UsageError
from dicomae.spark import delta, headers
from dicomae.spark.discovery import list_files
from dicomae.spark.progress import step
from dicomae.tables import FILES, HEADERS, QUARANTINE

_TASKS_PER_CORE = 4  # so that a slow folder does not hold up the end


def ingest(
    spark: SparkSession, root: Path, uri: str, staging: Path, config: Config, run_id: str
) -> dict[str, Any]:
    """Take in what is new or changed below `uri`; counts of the ledger afterwards.

    Raises
    ------
    UsageError
        `uri` is no folder, or holds no file.
    """
    rules = bodypart.load_rules(Path(config.body_part_rules))
    with step(spark, "listing"):
        listing = list_files(spark, uri, staging)
        listed = listing.count()
    if listed == 0:
        raise UsageError(f"--source {uri}: no files here")
    todo = headers.unseen(listing, delta.read(spark, root, FILES))
    todo.write.parquet(str(staging / "todo"))
    todo = spark.read.parquet(str(staging / "todo"))
    new = todo.count()
    if new:
        parsing = headers.Parsing(uri, root, staging, config.ingest, rules, run_id)
        _take_in(spark, root, todo, new, parsing)
    return {"listed": listed, "new": new, **_counts(spark, root)}


def _take_in(spark: SparkSession, root: Path, todo: DataFrame, new: int, parsing: headers.Parsing) -> None:
    read_version = delta.version(root, HEADERS)
    with step(spark, f"parsing {new:,} files"):
        parts = headers.parse(todo.where("kind = 'file'"), _tasks(spark, new, parsing), parsing)
    with step(spark, "finding duplicates"):
        ledger = headers.ledger(spark, parts, todo)
        decided = _staged(headers.resolve(spark, root, ledger), parsing.staging / "decided")
        if headers.delete_stale(spark, root, decided):
            read_version = delta.version(root, HEADERS)
        kept = headers.without_dropped(parts, decided, root)
    with step(spark, "committing"):
        if pc.sum(kept["rows"]).as_py():
            delta.commit_parts(root, HEADERS, kept, read_version, overwrite=False)
        headers.write_ledger(spark, root, decided, parsing.run_id)


def _tasks(spark: SparkSession, files: int, parsing: headers.Parsing) -> int:
    fewest = _TASKS_PER_CORE * spark.sparkContext.defaultParallelism
    useful = -(-files // parsing.config.batch_files)
    return max(min(fewest, useful), -(-files // parsing.config.files_per_part))


def _staged(rows: DataFrame, folder: Path) -> DataFrame:
    """Computed once, and the same however the tables change afterwards."""
    rows.write.parquet(str(folder))
    return rows.sparkSession.read.parquet(str(folder))


def _counts(spark: SparkSession, root: Path) -> dict[str, Any]:
    counted = delta.read(spark, root, FILES).groupBy("status").count().collect()
    by_status = {row["status"]: row["count"] for row in counted}
    reasons = delta.read(spark, root, QUARANTINE).groupBy("reason").count().orderBy("reason").collect()
    return {
        "files": sum(by_status.values()),
        "rows": delta.read(spark, root, HEADERS).count(),
        "duplicates": by_status.get(FileStatus.DUPLICATE.value, 0)
        + by_status.get(FileStatus.DUPLICATE_UID_CONFLICT.value, 0),
        "conflicts": by_status.get(FileStatus.DUPLICATE_UID_CONFLICT.value, 0),
        "quarantined": by_status.get(FileStatus.QUARANTINED.value, 0),
        "reasons": {row["reason"]: row["count"] for row in reasons},
    }
