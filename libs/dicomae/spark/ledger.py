"""The ledger `files` against a listing: what is new, what is to be read again, what has vanished."""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dicomae.dicom.outcome import LISTING
from dicomae.errors import FileStatus
from dicomae.spark import delta, edits
from dicomae.spark.discovery import Listed
from dicomae.spark.pieces import parquet_files
from dicomae.tables import FILES, HEADERS, QUARANTINE

NEW, AGAIN, VANISHED, RETURNED, GONE = "new", "again", "vanished", "returned", "gone"


@dataclass(frozen=True)
class Changes:
    """Parquet files in the staging folder.

    Attributes
    ----------
    new, again : rows of `LISTING` to be read: unknown to the ledger; known to it, and changed.
    vanished, returned, gone : `path` of ledger rows: no longer in the source; there again, unchanged; a
        folder that can be listed again, which needs no row.
    """

    new: list[str]
    again: list[str]
    vanished: list[str]
    returned: list[str]
    gone: list[str]


def changes(spark: SparkSession, root: Path, listed: Listed, top: str | None, staging: Path) -> Changes:
    """What the listing says that the ledger does not know.

    Parameters
    ----------
    top : the folder that the listing is complete for, as the ledger writes it; None where it is a mere
        list, which says nothing of what has vanished.
    """
    if delta.is_empty(root, FILES):
        return Changes(listed.paths, [], [], [], [])
    listing = spark.read.parquet(*listed.paths)
    known = delta.read(spark, root, FILES).where("container IS NULL")
    if top is not None:
        known = known.where(_below(F.col("path"), F.lit(top)))
    found = _compared(listing, known, complete=top is not None)
    if listed.failures and top is not None:
        found = _but_below(found, listing.where("reason IS NOT NULL"))
    folder = staging / "changes"
    found.write.partitionBy("change").parquet(str(folder))
    by_kind = {kind: parquet_files(folder / f"change={kind}") for kind in _KINDS}
    if by_kind[AGAIN]:
        by_kind[AGAIN] += _copies(spark, root, by_kind[AGAIN], staging / "copies")
    return Changes(**by_kind)


_KINDS = (NEW, AGAIN, VANISHED, RETURNED, GONE)


def to_retry(spark: SparkSession, root: Path, reasons: tuple[str, ...], staging: Path) -> Changes:
    """Quarantined files, of these reasons or all; of members, the archive that holds them."""
    quarantined = delta.read(spark, root, QUARANTINE)
    chosen = quarantined.where(F.col("reason").isin(*reasons)) if reasons else quarantined
    files = delta.read(spark, root, FILES)
    mine = files.join(chosen.select("path"), "path", how="left_semi")
    paths = mine.select(F.coalesce("container", "path").alias("path")).distinct()
    rows = files.where("size IS NOT NULL").join(paths, "path", how="left_semi")
    _as_listing(rows).write.parquet(str(staging / "retry"))
    return Changes([], parquet_files(staging / "retry"), [], [], [])


def marks(spark: SparkSession, root: Path, changes: Changes) -> DataFrame:
    """Edits of the ledger for what has vanished, is there again, or needs no row any more."""
    rows = delta.read_with_part(spark, root, FILES, "path", "container")
    # Members go with their archive.
    files = rows.withColumn("file", F.coalesce("container", "path"))

    def named(paths: list[str]) -> DataFrame:
        mine = spark.read.schema("path string").parquet(*paths).select(F.col("path").alias("file"))
        return files.join(mine, "file", how="left_semi")

    found = []
    if changes.vanished:
        found.append(edits.marked(FILES, named(changes.vanished), vanished=True))
    if changes.returned:
        found.append(edits.marked(FILES, named(changes.returned), vanished=False))
    if changes.gone:
        found.append(edits.dropped(FILES, named(changes.gone)))
        held = delta.read_with_part(spark, root, QUARANTINE, "path")
        gone = spark.read.schema("path string").parquet(*changes.gone)
        found.append(edits.dropped(QUARANTINE, held.join(gone, "path", how="left_semi")))
    return reduce(DataFrame.unionByName, found)


def _compared(listing: DataFrame, known: DataFrame, *, complete: bool) -> DataFrame:
    """Rows of `LISTING` and their `change`; what is as the ledger has it is left out."""
    old, new = known.alias("old"), listing.alias("new")
    joined = new.join(old, F.col("new.path") == F.col("old.path"), how="full" if complete else "left")
    is_folder = "old.size IS NULL"
    change = (
        F.when(F.col("old.path").isNull(), NEW)
        .when(F.col("new.path").isNull() & F.expr(is_folder), GONE)
        .when(F.col("new.path").isNull(), F.when(~F.col("old.vanished"), VANISHED))
        .when(~_same(), AGAIN)
        .when(F.col("old.vanished"), RETURNED)
    )
    columns = [
        F.coalesce("new.path", "old.path").alias("path"),
        *(F.col(f"new.{name}") for name in LISTING.names if name not in ("path", "attempts")),
        F.coalesce("old.attempts", F.lit(0)).alias("attempts"),
        change.alias("change"),
    ]
    return joined.select(*columns).where("change IS NOT NULL")


def _same() -> Column:
    """Whether a listed file is what the ledger has read: by etag where both have one, else size and time."""
    by_time = F.col("new.size").eqNullSafe(F.col("old.size")) & F.col("new.mtime").eqNullSafe(
        F.col("old.mtime")
    )
    is_same = F.coalesce(F.col("new.etag") == F.col("old.etag"), by_time)
    listed_before = F.when(F.col("old.size").isNull(), F.col("old.reason"))
    return is_same & F.col("new.reason").eqNullSafe(listed_before)


def _but_below(found: DataFrame, failed: DataFrame) -> DataFrame:
    """Nothing has vanished below a folder that could not be listed."""
    folders = failed.select(F.col("path").alias("folder"))
    hidden = (F.col("change") == VANISHED) & _below(F.col("path"), F.col("folder"))
    return found.join(F.broadcast(folders), hidden, how="left_anti")


def _copies(spark: SparkSession, root: Path, again: list[str], folder: Path) -> list[str]:
    """Duplicates of files that have changed: one of them may now be the only one of its instance."""
    paths = spark.read.parquet(*again).select("path")
    originals = paths.withColumnRenamed("path", "original_path")
    files = delta.read(spark, root, FILES).where("container IS NULL")
    copies = files.join(originals, "original_path", how="left_semi").join(paths, "path", how="left_anti")
    _as_listing(copies).write.parquet(str(folder))
    return parquet_files(folder)


def _as_listing(files: DataFrame) -> DataFrame:
    none = F.lit(None).cast("string")
    return files.select(
        "path", "size", "mtime", "etag", none.alias("reason"), none.alias("detail"), "attempts"
    )


def _below(path: Column, folder: Column) -> Column:
    return path.startswith(F.concat(F.rtrim(folder, F.lit("/")), F.lit("/"))) | (path == folder)


def counts(spark: SparkSession, root: Path) -> dict[str, Any]:
    """What the ledger holds: files by status, and why some are in quarantine.

    Containers are no files: their members are.
    """
    rows = delta.read(spark, root, FILES).groupBy("status", "reason", "vanished").count().collect()
    by_status = {status: sum(r["count"] for r in rows if r["status"] == status) for status in FileStatus}
    reasons: dict[str, int] = {}
    for row in sorted((r for r in rows if r["reason"]), key=lambda r: str(r["reason"])):
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["count"]
    conflicts = by_status[FileStatus.DUPLICATE_UID_CONFLICT]
    return {
        "files": sum(by_status.values()) - by_status[FileStatus.CONTAINER],
        "rows": delta.count(root, HEADERS),
        "duplicates": by_status[FileStatus.DUPLICATE] + conflicts,
        "conflicts": conflicts,
        "quarantined": by_status[FileStatus.QUARANTINED],
        "vanished": sum(row["count"] for row in rows if row["vanished"]),
        "reasons": reasons,
    }
