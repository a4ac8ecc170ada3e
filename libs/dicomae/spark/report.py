"""Everything the report shows, gathered from the tables."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dicomae.config import Config
from dicomae.report.data import ReportData
from dicomae.spark import delta
from dicomae.tables import (
    ASSIGNMENTS,
    EMBEDDINGS,
    FILES,
    HEADERS,
    METRICS,
    MODELS,
    QUARANTINE,
    RUNS,
    SAMPLE,
    TAG_STATISTICS,
)

TITLE = "What is in this PACS, and does a tenth of its header say it?"
MAP_ROWS = 2000


def report_data(spark: SparkSession, root: Path, config: Config) -> ReportData:
    """The report's data; parts whose job has not run are empty."""
    headers = delta.read(spark, root, HEADERS)
    statistics = delta.read_small(root, TAG_STATISTICS)
    return ReportData(
        title=TITLE,
        metrics=delta.read_small(root, METRICS),
        file_status=_counts(delta.read(spark, root, FILES), "status"),
        quarantine_reasons=_counts(delta.read(spark, root, QUARANTINE), "reason"),
        tag_statistics=statistics.filter(pc.equal(statistics["scope"], "sample")),
        body_part_sources=_counts(headers, "body_part_source"),
        modalities=_counts(headers, "Modality"),
        sample_splits=_splits(delta.read_small(root, SAMPLE)),
        embeddings=_map_rows(spark, root),
        runs=delta.read_small(root, RUNS),
        evaluation=config.evaluation,
    )


def _counts(rows: DataFrame, column: str) -> dict[str, int]:
    counted = rows.groupBy(F.coalesce(column, F.lit("missing")).alias("name")).count()
    return {row["name"]: row["count"] for row in counted.orderBy(F.desc("count"), "name").collect()}


def _splits(sample: pa.Table) -> dict[str, dict[str, int]]:
    counted = sample.group_by(["split", "Modality"]).aggregate([([], "count_all")])
    splits: dict[str, dict[str, int]] = {}
    for row in counted.sort_by([("split", "ascending"), ("Modality", "ascending")]).to_pylist():
        splits.setdefault(row["split"], {})[row["Modality"]] = row["count_all"]
    return splits


def _map_rows(spark: SparkSession, root: Path) -> pa.Table | None:
    """Test rows with embedding and cluster (at the elbow's K), at most `MAP_ROWS`, without identity."""
    models = delta.read_small(root, MODELS)
    chosen = models.filter(pc.equal(models["feature_set"], "all"))["model_id"].to_pylist()
    if not chosen:
        return None
    k = _elbow(delta.read_small(root, METRICS))
    sample = delta.read(spark, root, SAMPLE).where("split = 'test'").drop("run_id")
    mine = F.col("model_id") == chosen[0]
    embedded = delta.read(spark, root, EMBEDDINGS).where(mine).select("SOPInstanceUID", "embedding")
    clusters = delta.read(spark, root, ASSIGNMENTS).where(mine & (F.col("space") == "compressed"))
    cluster = F.col("cluster")[k] if k is not None else F.lit(None).cast("int")
    rows = sample.join(embedded, "SOPInstanceUID", how="inner").join(
        clusters.select("SOPInstanceUID", cluster.alias("cluster")), "SOPInstanceUID", how="left"
    )
    ordered = rows.orderBy(F.xxhash64("SOPInstanceUID")).limit(MAP_ROWS)
    return ordered.select("embedding", "Modality", "body_part", "cluster").toArrow()


def _elbow(metrics: pa.Table) -> int | None:
    wanted = {"feature_set": "all", "space": "compressed"}
    for row in metrics.filter(pc.equal(metrics["name"], "elbow")).to_pylist():
        if dict(row["labels"]) == wanted and row["value"] is not None:
            return int(row["value"])
    return None
