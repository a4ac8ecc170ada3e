"""Everything the report shows, gathered from the tables."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dicomae.codes import FileStatus
from dicomae.config import Config
from dicomae.dicom.keys import is_creator_key, parts_of, shown_key
from dicomae.evaluation import cells
from dicomae.evaluation.cells import MINIMUM_PATIENTS
from dicomae.evaluation.comparison import PAPER
from dicomae.lake import delta
from dicomae.report import clusters
from dicomae.report.data import Metrics, ReportData
from dicomae.spark import frames
from dicomae.spark.modality import normalised
from dicomae.tables import (
    ASSIGNMENTS,
    EMBEDDINGS,
    FILES,
    HEADERS,
    METRICS,
    MODELS,
    RUNS,
    SAMPLE,
    TAG_STATISTICS,
    model_rows,
)

TITLE = "What is in this PACS, and does a tenth of its header say it?"
MAP_ROWS = 2000

_IS_FILE = f"status <> '{FileStatus.CONTAINER}'"  # a container is none: its members are
_IS_QUARANTINED = f"status = '{FileStatus.QUARANTINED}'"


def report_data(spark: SparkSession, root: Path, config: Config) -> ReportData:
    """The report's data; the tables of a job that has not run give nothing."""
    files, headers = frames.read(spark, root, FILES), frames.read(spark, root, HEADERS)
    return ReportData(
        title=TITLE,
        metrics=delta.read_small(root, METRICS),
        file_status=_counts(files.where(_IS_FILE), "status"),
        quarantine_reasons=_counts(files.where(_IS_QUARANTINED), "reason"),
        tag_statistics=_decided(delta.read_small(root, TAG_STATISTICS)),
        body_part_sources=cell_counts(headers, F.col("body_part_source")),
        modalities=cell_counts(headers, normalised()),
        sample_splits=_splits(delta.read_small(root, SAMPLE)),
        embeddings=_map_rows(spark, root),
        runs=delta.read_small(root, RUNS),
        evaluation=config.evaluation,
    )


def _decided(statistics: pa.Table) -> pa.Table:
    """The sample's tags: no creator elements, and no private creators that are not public."""
    of_sample = statistics.filter(pc.equal(statistics["scope"], "sample"))
    is_shown = [not is_creator_key(parts_of(key)[-1]) for key in of_sample["key"].to_pylist()]
    sample = of_sample.filter(pa.array(is_shown, pa.bool_()))
    keys = pa.array(map(shown_key, sample["key"].to_pylist()), pa.string())
    return sample.set_column(sample.schema.get_field_index("key"), "key", keys)


def cell_counts(headers: DataFrame, value: Column) -> dict[str, int]:
    """Rows of each value; those of fewer than `MINIMUM_PATIENTS` patients are "other".

    A file can say anything, even a name. All null PatientIDs count as one patient.
    """
    who = F.coalesce("PatientID", F.lit(""))
    named = headers.select(F.coalesce(value, F.lit("missing")).alias("name"), who.alias("who"))
    sizes = [F.count("*").alias("count"), F.countDistinct("who").alias("patients")]
    common = named.groupBy("name").agg(*sizes).where(F.col("patients") >= MINIMUM_PATIENTS)
    counts = _collected(common.select("name", "count"))
    (rest,) = named.where(~F.col("name").isin(*counts)).agg(*sizes).collect()
    return cells.folded(counts, rest["count"], rest["patients"])


def _counts(rows: DataFrame, column: str) -> dict[str, int]:
    return _collected(rows.groupBy(F.coalesce(column, F.lit("missing")).alias("name")).count())


def _collected(counted: DataFrame) -> dict[str, int]:
    return {row["name"]: row["count"] for row in counted.orderBy(F.desc("count"), "name").collect()}


def _splits(sample: pa.Table) -> dict[str, dict[str, int]]:
    counted = sample.group_by(["split", "Modality"]).aggregate([([], "count_all")])
    splits: dict[str, dict[str, int]] = {}
    for row in counted.sort_by([("split", "ascending"), ("Modality", "ascending")]).to_pylist():
        splits.setdefault(row["split"], {})[row["Modality"]] = row["count_all"]
    return splits


def _map_rows(spark: SparkSession, root: Path) -> pa.Table | None:
    """At most `MAP_ROWS` test rows without identity: embedding, and cluster of the K that the cards show."""
    models = model_rows(delta.read_small(root, MODELS))
    chosen = [model.model_id for model in models if model.key == PAPER.model]
    if not chosen:
        return None
    shown = clusters.shown(Metrics(delta.read_small(root, METRICS)))
    sample = frames.read(spark, root, SAMPLE).where("split = 'test'").drop("run_id")
    mine = F.col("model_id") == chosen[0]
    embedded = frames.read(spark, root, EMBEDDINGS).where(mine).select("SOPInstanceUID", "embedding")
    assigned = frames.read(spark, root, ASSIGNMENTS).where(mine & (F.col("space") == PAPER.space.value))
    cluster = F.col("cluster")[shown.n_clusters] if shown is not None else F.lit(None).cast("int")
    rows = sample.join(embedded, "SOPInstanceUID", how="inner").join(
        assigned.select("SOPInstanceUID", cluster.alias("cluster")), "SOPInstanceUID", how="left"
    )
    who = frames.read(spark, root, HEADERS).select("SOPInstanceUID", "PatientID")
    ordered = rows.join(who, "SOPInstanceUID", how="left").orderBy(F.xxhash64("SOPInstanceUID"))
    drawn = ordered.limit(MAP_ROWS).toArrow()
    patients = drawn["PatientID"].to_pylist()
    texts = {name: cells.shown(drawn[name].to_pylist(), patients) for name in ("Modality", "body_part")}
    named = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    return pa.table({"embedding": drawn["embedding"], **named, "cluster": drawn["cluster"]})
