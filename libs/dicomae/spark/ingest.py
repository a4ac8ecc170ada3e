"""The ingest of one source, from the listing to the ledger, in the order that makes a crash harmless."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dicomae.config import Config
from dicomae.dicom import bodypart, source
from dicomae.errors import FileStatus, JobError, UsageError
from dicomae.spark import delta, headers
from dicomae.spark.discovery import list_files
from dicomae.spark.progress import step
from dicomae.tables import FILES, HEADERS, QUARANTINE

_TOP = "/"  # of the file system: the ledger's paths are absolute
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
    _, top = source.open_source(uri)
    if root.resolve().is_relative_to(Path(top).resolve()):
        raise UsageError(f"--tables {root} lies inside --source {uri}; each run would ingest its own tables")
    with step(spark, "listing"):
        listing = list_files(spark, uri, staging)
        listed = listing.count()
    if listed == 0:
        raise UsageError(f"--source {uri}: no files here")
    headers.forget_listed_folders(spark, root, uri, listing)
    todo = _staged(headers.unseen(listing, delta.read(spark, root, FILES)), staging / "todo")
    new = take_in(spark, root, todo, _parsing(uri, root, staging, config, run_id))
    return {"listed": listed, "new": new, **counts(spark, root)}


def retry(
    spark: SparkSession, root: Path, reasons: Sequence[str], staging: Path, config: Config, run_id: str
) -> dict[str, Any]:
    """Read quarantined files again, those of `reasons` or all; counts of the ledger afterwards."""
    quarantined = delta.read(spark, root, QUARANTINE).where("size IS NOT NULL")
    chosen = quarantined.where(F.col("reason").isin(*reasons)) if reasons else quarantined
    seen = delta.read(spark, root, FILES).join(chosen.select("path"), "path", how="left_semi")
    todo = _staged(headers.as_listing(seen), staging / "todo")
    again = take_in(spark, root, todo, _parsing(_TOP, root, staging, config, run_id))
    return {"retried": again, **counts(spark, root)}


def take_in(spark: SparkSession, root: Path, todo: DataFrame, parsing: headers.Parsing) -> int:
    """Parse the files of `todo` (rows of `discovery.LISTING`) and commit what comes of it; their number."""
    new = todo.count()
    if new == 0:
        return 0
    with step(spark, f"parsing {new:,} files"):
        parts = headers.parse(todo.where("kind = 'file'"), _tasks(spark, new, parsing), parsing)
    with step(spark, "finding duplicates"):
        ledger = headers.ledger(spark, parts, todo)
        decided = _staged(headers.resolve(spark, root, ledger), parsing.staging / "decided")
        headers.delete_stale(spark, root, decided)
        read_version = delta.version(root, HEADERS)
        kept = headers.without_dropped(parts, decided, root)
    with step(spark, "committing"):
        delta.commit_parts(root, HEADERS, kept, read_version, overwrite=False)
        headers.write_ledger(spark, root, decided, parsing.run_id)
    return new


def _parsing(uri: str, root: Path, staging: Path, config: Config, run_id: str) -> headers.Parsing:
    rules = bodypart.load_rules(Path(config.body_part_rules))
    return headers.Parsing(uri, root, staging, config.ingest, rules, run_id)


def _tasks(spark: SparkSession, files: int, parsing: headers.Parsing) -> int:
    fewest = _TASKS_PER_CORE * spark.sparkContext.defaultParallelism
    useful = -(-files // parsing.config.batch_files)
    return max(min(fewest, useful), -(-files // parsing.config.files_per_part))


def _staged(rows: DataFrame, folder: Path) -> DataFrame:
    """Computed once, and the same however the tables change afterwards."""
    rows.write.parquet(str(folder))
    return rows.sparkSession.read.parquet(str(folder))


def counts(spark: SparkSession, root: Path) -> dict[str, Any]:
    """What the ledger holds: files by status, and why some are in quarantine."""
    statuses = delta.read(spark, root, FILES).groupBy("status").count().collect()
    by_status = {row["status"]: row["count"] for row in statuses}
    reasons = delta.read(spark, root, QUARANTINE).groupBy("reason").count().orderBy("reason").collect()
    counted = {
        "files": sum(by_status.values()),
        "rows": delta.read(spark, root, HEADERS).count(),
        "duplicates": by_status.get(FileStatus.DUPLICATE.value, 0)
        + by_status.get(FileStatus.DUPLICATE_UID_CONFLICT.value, 0),
        "conflicts": by_status.get(FileStatus.DUPLICATE_UID_CONFLICT.value, 0),
        "quarantined": by_status.get(FileStatus.QUARANTINED.value, 0),
        "reasons": {row["reason"]: row["count"] for row in reasons},
    }
    if counted["files"] != counted["rows"] + counted["duplicates"] + counted["quarantined"]:
        raise JobError(f"files are not rows + duplicates + quarantined: {counted}; please report this")
    return counted
