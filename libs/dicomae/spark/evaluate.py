"""What the evaluation takes from the tables: a split with its clusters, and the names of the columns of X."""

from pathlib import Path

from pyspark.sql import SparkSession

from dicomae.dicom.keys import shown_key
from dicomae.evaluation import assigned
from dicomae.evaluation.assigned import Assigned
from dicomae.evaluation.cards import Column
from dicomae.features import devices
from dicomae.features.spec import FeatureSpec
from dicomae.spark import frames
from dicomae.spark.encode import device_columns
from dicomae.tables import ASSIGNMENTS, HEADERS, SAMPLE


def assigned_split(spark: SparkSession, root: Path, model_id: str, split: str) -> Assigned:
    """Labels, patients, devices and clusters of a split under one model."""
    sample = frames.read(spark, root, SAMPLE).where(f"split = '{split}'").drop("run_id", "split")
    clusters = frames.read(spark, root, ASSIGNMENTS).where(f"model_id = '{model_id}'")
    chosen = clusters.select("SOPInstanceUID", "space", "cluster")
    headers = frames.read(spark, root, HEADERS)
    origins = headers.select("SOPInstanceUID", "PatientID", *device_columns())
    joined = sample.join(chosen, "SOPInstanceUID", how="inner").join(origins, "SOPInstanceUID", how="inner")
    rows = joined.toArrow()
    return assigned.from_rows(rows.append_column("device", devices.of_rows(rows)))


def spec_columns(spec: FeatureSpec) -> list[Column]:
    """What each column of X stands for, in names that may be shown."""
    columns = []
    for feature in spec.features:
        name = feature.name.replace(feature.key, shown_key(feature.key), 1)
        values = feature.vocabulary if feature.kind == "categorical" else (None,)
        columns += [Column(name, feature.kind, value) for value in values]
    return columns
