"""Files to `headers`, `quarantine` and the ledger `files`: nothing lost, nothing twice.

Tasks write header parts and small ledger parts, both unseen. Spark joins the ledger parts with
themselves and with what `headers` holds, so that each SOPInstanceUID keeps one file; parts that hold
a duplicate are written again without it. Then headers are committed, then quarantine, and the ledger
last: after a crash at any point the files are parsed again and found to be there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSystem
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from dicomae.config import IngestConfig
from dicomae.dicom import bodypart, source
from dicomae.errors import FileStatus
from dicomae.spark import delta
from dicomae.spark.parts import PART, PART_DDL, PartWriter
from dicomae.tables import FILES, HEADERS, QUARANTINE, TIME

LEDGER = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("mtime", TIME),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("SOPInstanceUID", pa.string()),
        ("content_hash", pa.string()),
        ("part", pa.string()),  # the header part that holds the row
    ]
)
Task = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_PARSED_DDL = PART_DDL + ", ledger string"


@dataclass(frozen=True)
class Parsing:
    """What a task needs to parse files; travels to the executors."""

    uri: str
    root: Path
    staging: Path
    config: IngestConfig
    rules: bodypart.BodyPartRules
    run_id: str


def unseen(listing: DataFrame, files: DataFrame) -> DataFrame:
    """Rows of the listing that the ledger has not, or has with another size or time.

    With a file that changed come its duplicates: one of them may now be the only one of its instance.
    """
    seen = files.select("path", "size", "mtime")
    same = (
        (listing["path"] == seen["path"])
        & listing["size"].eqNullSafe(seen["size"])
        & listing["mtime"].eqNullSafe(seen["mtime"])
    )
    new = listing.join(seen, same, how="left_anti")
    return new.unionByName(_duplicates_of(new, files))


def _duplicates_of(changed: DataFrame, files: DataFrame) -> DataFrame:
    paths = changed.select("path")
    originals = paths.withColumnRenamed("path", "original_path")
    duplicates = files.join(originals, "original_path", how="left_semi").join(paths, "path", how="left_anti")
    return as_listing(duplicates)


def as_listing(files: DataFrame) -> DataFrame:
    """Rows of the ledger as `discovery.LISTING` has them."""
    none = F.lit(None).cast("string")
    kind, reason, detail = F.lit("file").alias("kind"), none.alias("reason"), none.alias("detail")
    return files.select(kind, "path", "size", "mtime", reason, detail)


def forget_listed_folders(spark: SparkSession, root: Path, uri: str, listing: DataFrame) -> None:
    """Delete from the ledger the folders below `uri` that could not be listed before and can be now."""
    _, top = source.open_source(uri)
    below = F.col("path").startswith(top.rstrip("/") + "/") | (F.col("path") == top)
    folders = delta.read(spark, root, QUARANTINE).where(F.col("size").isNull() & below).select("path")
    listed = folders.join(listing.where("kind = 'failure'").select("path"), "path", how="left_anti")
    gone = [(row["path"],) for row in listed.collect()]  # what an administrator has unlocked: few
    if gone:
        for table in (QUARANTINE, FILES):
            rows = spark.createDataFrame(gone, "path string")
            delta.delete(spark, root, table, rows, "old.path = new.path")


def parse(files: DataFrame, tasks: int, parsing: Parsing) -> pa.Table:
    """Parse files in `tasks` tasks; each writes a header part and a ledger part.

    Returns
    -------
    One row of `PART` and the ledger part's path for each task that had files.
    """
    ordered = files.select("path", "size", "mtime").repartitionByRange(tasks, "path")
    return ordered.sortWithinPartitions("path").mapInArrow(_parser(parsing), _PARSED_DDL).toArrow()


def ledger(spark: SparkSession, parts: pa.Table, todo: DataFrame) -> DataFrame:
    """One row of `LEDGER` for each file that was parsed and each folder that could not be listed."""
    schema = from_arrow_schema(LEDGER)
    parsed = spark.read.schema(schema).parquet(*parts["ledger"].to_pylist()) if len(parts) else None
    failed = todo.where("kind = 'failure'").withColumn("status", F.lit(FileStatus.QUARANTINED.value))
    missing = [F.lit(None).cast("string").alias(n) for n in ("SOPInstanceUID", "content_hash", "part")]
    failures = failed.select("path", "size", "mtime", "status", "reason", "detail", *missing)
    return failures if parsed is None else parsed.unionByName(failures)


def resolve(spark: SparkSession, root: Path, ledger: DataFrame) -> DataFrame:
    """The ledger rows with their final status, and `drop` where the header part must lose the row.

    The file that `headers` already holds keeps its SOPInstanceUID, else the first by path; another
    file with the same header is a duplicate, with another header a conflict.
    """
    parsed = ledger.where(F.col("status") == FileStatus.PARSED.value)
    first = parsed.groupBy("SOPInstanceUID").agg(
        F.min_by(F.struct("path", "content_hash"), F.col("path")).alias("first")
    )
    held = _held(spark, root, ledger).where("NOT stale")
    known = held.select("SOPInstanceUID", F.struct("path", "content_hash").alias("known"))
    joined = ledger.join(first, "SOPInstanceUID", how="left").join(known, "SOPInstanceUID", how="left")
    keeper = F.coalesce("known", "first")
    is_parsed = F.col("status") == FileStatus.PARSED.value
    loses = is_parsed & (F.col("path") != keeper["path"])
    same = F.col("content_hash") == keeper["content_hash"]
    duplicate = F.when(same, FileStatus.DUPLICATE.value).otherwise(FileStatus.DUPLICATE_UID_CONFLICT.value)
    return joined.select(
        *(name for name in LEDGER.names if name != "status"),
        F.when(loses, duplicate).otherwise(F.col("status")).alias("status"),
        F.when(loses, keeper["path"]).alias("original_path"),
        (is_parsed & (loses | F.col("known").isNotNull())).alias("drop"),
    )


def without_dropped(parts: pa.Table, decided: DataFrame, root: Path) -> pa.Table:
    """The parts to commit: those that hold a dropped row are written again without it."""
    dropped = decided.where("drop").groupBy("part").agg(F.collect_list("path").alias("paths"))
    rewritten = dropped.mapInArrow(_rewriter(root), "part string, " + PART_DDL).toArrow()
    stays = pa.compute.invert(pa.compute.is_in(parts["path"], rewritten["part"]))
    kept = pa.concat_tables([parts.filter(stays).select(PART.names), rewritten.select(PART.names)])
    return kept.filter(pa.compute.greater(kept["rows"], 0))


def delete_stale(spark: SparkSession, root: Path, ledger: DataFrame) -> None:
    """Delete header rows of files that changed since."""
    stale = _held(spark, root, ledger).where("stale").select("path")
    if not stale.isEmpty():
        delta.delete(spark, root, HEADERS, stale, "old.path = new.path")


def _held(spark: SparkSession, root: Path, ledger: DataFrame) -> DataFrame:
    """Identity of each header row; `stale` where its file, read again, holds something else."""
    held = delta.read(spark, root, HEADERS).select("SOPInstanceUID", "content_hash", "path")
    again = ledger.select("path", F.struct(F.col("SOPInstanceUID"), F.col("content_hash")).alias("now"))
    joined = held.join(again, "path", how="left")
    unchanged = F.col("now").eqNullSafe(F.struct("SOPInstanceUID", "content_hash"))
    return joined.withColumn("stale", F.col("now").isNotNull() & ~unchanged).drop("now")


def write_ledger(spark: SparkSession, root: Path, decided: DataFrame, run_id: str) -> None:
    """MERGE the outcome into `quarantine`, then into `files`."""
    attempts = delta.read(spark, root, FILES).select("path", F.col("attempts").alias("before"))
    rows = decided.join(attempts, "path", how="left").withColumns(
        {"attempts": F.coalesce("before", F.lit(0)) + 1, "run_id": F.lit(run_id)}
    )
    bad = f"new.status = '{FileStatus.QUARANTINED.value}'"
    delta.merge(spark, root, QUARANTINE, rows, delete_when=f"NOT ({bad})", insert_when=bad)
    delta.merge(spark, root, FILES, rows)


def _parser(parsing: Parsing) -> Task:
    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        filesystem, _ = source.open_source(parsing.uri)
        writer = PartWriter(parsing.root, HEADERS)
        ledger_path = parsing.staging / f"ledger-{writer.name}"
        with pq.ParquetWriter(ledger_path, LEDGER) as ledger:
            for batch in batches:
                for start in range(0, batch.num_rows, parsing.config.batch_files):
                    files = batch.slice(start, parsing.config.batch_files)
                    headers, outcome = parse_files(filesystem, files, parsing, writer.name)
                    writer.write(headers)
                    ledger.write_batch(outcome)
        part = writer.finish()
        if writer.rows == 0:
            writer.path.unlink()
        yield part.append_column("ledger", pa.array([str(ledger_path)]))

    return task


def parse_files(
    filesystem: FileSystem, files: pa.RecordBatch, parsing: Parsing, part: str
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Rows of `HEADERS` for the files that parse, and one row of `LEDGER` for each file."""
    paths = files.column("path").to_pylist()
    read = source.read_headers(
        filesystem,
        paths,
        files.column("size").to_pylist(),
        parsing.config.first_read_bytes,
        parsing.config.header_limit_bytes,
        parsing.config.flatten_sequences,
    )
    headers = _header_rows(read.headers, [paths[i] for i in read.index], parsing)
    rows = files.select(["path", "size", "mtime"]).to_pylist()
    for failure in read.failures:
        outcome = {"reason": str(failure.reason), "detail": failure.detail}
        rows[failure.index].update(outcome, status=FileStatus.QUARANTINED.value)
    uids, digests = (headers.column(name).to_pylist() for name in ("SOPInstanceUID", "content_hash"))
    for i, uid, digest in zip(read.index, uids, digests, strict=True):
        rows[i].update(SOPInstanceUID=uid, content_hash=digest, part=part, status=FileStatus.PARSED.value)
    return headers, pa.RecordBatch.from_pylist(rows, schema=LEDGER)


def _header_rows(read: pa.RecordBatch, paths: list[str], parsing: Parsing) -> pa.RecordBatch:
    descriptions = _element_columns(read.column("elements"), bodypart.SOURCES)
    body_part, body_part_source = bodypart.repair(
        parsing.rules, {"Modality": read.column("Modality"), **descriptions}
    )
    added = {
        "path": pa.array(paths, pa.string()),
        "body_part": body_part,
        "body_part_source": body_part_source,
        "run_id": pa.array([parsing.run_id] * len(paths), pa.string()),
    }
    names = read.schema.names
    arrays = [added[n] if n in added else read.column(names.index(n)) for n in HEADERS.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=HEADERS.schema)


def _element_columns(elements: pa.MapArray, keywords: tuple[str, ...]) -> dict[str, pa.Array]:
    return {k: pa.compute.map_lookup(elements, pa.scalar(k), "first") for k in keywords}


def _rewriter(root: Path) -> Task:
    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                yield _rewritten(root, row["part"], row["paths"])

    return task


def _rewritten(root: Path, part: str, dropped: list[str]) -> pa.RecordBatch:
    writer = PartWriter(root, HEADERS)
    for batch in pq.ParquetFile(root / HEADERS.name / part).iter_batches(1024):
        stays = pa.compute.invert(pa.compute.is_in(batch.column("path"), pa.array(dropped, pa.string())))
        writer.write(batch.filter(stays))
    descriptor = writer.finish()
    return pa.RecordBatch.from_arrays(
        [pa.array([part]), *descriptor.columns], names=["part", *descriptor.schema.names]
    )
