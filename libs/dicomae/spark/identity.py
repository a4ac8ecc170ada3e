"""One file for each SOPInstanceUID: which rows that were read give way, and which of the held they replace.

What comes out are edits of Parquet parts (`dicomae.spark.edits`): of those that tasks have just written,
and of those that the tables hold.
"""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from dicomae.errors import FileStatus
from dicomae.spark import delta
from dicomae.spark.edits import dropped, restated
from dicomae.tables import FILES, HEADERS, QUARANTINE

_CANDIDATE = ("SOPInstanceUID", "content_hash", "path", "mtime", "part", "is_held")


def contested(spark: SparkSession, root: Path, parts: Sequence[str], same_uid: str) -> DataFrame:
    """Edits without which the parts that tasks wrote would break a key of the tables.

    Parameters
    ----------
    parts : names of the parts of `files` that tasks wrote and nobody has committed.
    same_uid : `first`: the file that `headers` holds keeps its UID, else the first by path; `newest`: of
        several contents the one modified last takes it. A mere copy never takes it.
    """
    read = spark.read.parquet(*(str(root / FILES.name / part) for part in parts))
    read = read.select("path", "mtime", "status", "SOPInstanceUID", "content_hash", _part())
    parsed = read.where(F.col("status") == FileStatus.PARSED.value).withColumn("is_held", F.lit(False))
    candidates = parsed.select(*_CANDIDATE)
    found = []
    if not delta.is_empty(root, HEADERS):
        held = delta.read_with_part(spark, root, HEADERS, "SOPInstanceUID", "content_hash", "path")
        stale = _stale(held, read)
        found.append(dropped(HEADERS, stale))
        candidates = candidates.unionByName(_known(spark, root, held, stale, parsed))
    lost = _lost(candidates, same_uid)
    found += [dropped(HEADERS, lost), restated(FILES, lost.where("NOT is_held AND path != original_path"))]
    for table in (FILES, QUARANTINE):
        if not delta.is_empty(root, table):
            rows = delta.read_with_part(spark, root, table, "path")
            found.append(dropped(table, rows.join(read.select("path"), "path", how="left_semi")))
    if same_uid == "newest" and not delta.is_empty(root, FILES):
        found.append(_demoted(spark, root, lost.where("is_held")))
    return reduce(DataFrame.unionByName, found)


def _stale(held: DataFrame, read: DataFrame) -> DataFrame:
    """Rows of `headers` whose file, read again, holds something else."""
    now = read.select("path", F.struct("SOPInstanceUID", "content_hash").alias("now"))
    same = F.col("now").eqNullSafe(F.struct(F.col("SOPInstanceUID"), F.col("content_hash")))
    return held.join(now, "path").where(~same).select("path", "part")


def _known(
    spark: SparkSession, root: Path, held: DataFrame, stale: DataFrame, parsed: DataFrame
) -> DataFrame:
    """Rows of `headers` whose instance has been read again, here or elsewhere."""
    known = held.join(parsed.select("SOPInstanceUID"), "SOPInstanceUID", how="left_semi")
    known = known.join(stale.select("path"), "path", how="left_anti")
    mtimes = delta.read(spark, root, FILES).select("path", "mtime")
    return known.join(mtimes, "path", how="left").withColumn("is_held", F.lit(True)).select(*_CANDIDATE)


def _lost(candidates: DataFrame, same_uid: str) -> DataFrame:
    """Candidates that another one keeps from their UID: their status, and `original_path`, its path."""
    several = candidates.groupBy("SOPInstanceUID").count().where("count > 1")
    rivals = candidates.join(several.select("SOPInstanceUID"), "SOPInstanceUID", how="left_semi")
    newest = F.max("mtime").over(Window.partitionBy("SOPInstanceUID", "content_hash"))
    order: list[Column] = [F.col("is_held").desc(), F.col("path")]
    if same_uid == "newest":
        order.insert(0, F.col("newest").desc_nulls_last())
    first = Window.partitionBy("SOPInstanceUID").orderBy(*order)
    ranked = rivals.withColumn("newest", newest).withColumns(
        {
            "rank": F.row_number().over(first),
            "original_path": F.first("path").over(first),
            "original_hash": F.first("content_hash").over(first),
        }
    )
    lost = ranked.where("rank > 1").withColumn("status", _status(F.col("content_hash")))
    return lost.select(*_CANDIDATE, "status", "original_path", "original_hash")


def _demoted(spark: SparkSession, root: Path, lost: DataFrame) -> DataFrame:
    """Edits of the ledger for files that lose the UID they had, and for the duplicates behind them."""
    rows = delta.read_with_part(spark, root, FILES, "path", "original_path", "content_hash")
    behind = rows.withColumn("loser", F.coalesce("original_path", "path")).drop("original_path")
    losers = lost.select(F.col("path").alias("loser"), "original_path", "original_hash")
    mine = behind.join(losers, "loser").where("path != original_path")
    return restated(FILES, mine.withColumn("status", _status(F.col("content_hash"))))


def _status(content_hash: Column) -> Column:
    same = content_hash == F.col("original_hash")
    return F.when(same, FileStatus.DUPLICATE.value).otherwise(FileStatus.DUPLICATE_UID_CONFLICT.value)


def _part() -> Column:
    return F.col("_metadata.file_name").alias("part")
