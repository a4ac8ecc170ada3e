"""Each row to its nearest medoid, for every K, in every space of a model."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from dicomae.clustering import medoids
from dicomae.clustering.medoids import Medoids
from dicomae.codes import Space
from dicomae.features import packing
from dicomae.features.spec import FeatureSpec
from dicomae.spark import encode, frames
from dicomae.spark.frames import Kernel, write_parts
from dicomae.tables import ASSIGNMENTS, EMBEDDINGS, HEADERS


def write_assignments(
    spark: SparkSession, root: Path, spec: FeatureSpec, of_model: Sequence[Medoids], run_id: str
) -> pa.Table:
    """Assign all rows to a model's medoids, space by space; descriptors of the Parquet parts."""
    return pa.concat_tables([_write(spark, root, spec, of_space, run_id) for of_space in of_model])


def _write(spark: SparkSession, root: Path, spec: FeatureSpec, of_space: Medoids, run_id: str) -> pa.Table:
    if of_space.space == Space.ORIGINAL:
        headers = frames.read(spark, root, HEADERS).select(*encode.COLUMNS)
        return write_parts(headers, root, ASSIGNMENTS, lambda: header_kernel(spec, of_space, run_id))
    embeddings = frames.read(spark, root, EMBEDDINGS).where(f"model_id = '{of_space.model_id}'")
    return write_parts(embeddings, root, ASSIGNMENTS, lambda: embedding_kernel(of_space, run_id))


def header_kernel(spec: FeatureSpec, of_space: Medoids, run_id: str) -> Kernel:
    """Header rows -> rows of `ASSIGNMENTS` in the original space."""

    def kernel(batch: pa.RecordBatch) -> pa.RecordBatch:
        X = spec.encode(batch).X
        return medoids.assign(batch.column("SOPInstanceUID"), X, of_space, run_id)

    return kernel


def embedding_kernel(of_space: Medoids, run_id: str) -> Kernel:
    """Rows of `embeddings` -> rows of `ASSIGNMENTS` in the space of the model."""

    def kernel(batch: pa.RecordBatch) -> pa.RecordBatch:
        X = packing.as_matrix(batch.column("embedding"), of_space.width)
        return medoids.assign(batch.column("SOPInstanceUID"), X, of_space, run_id)

    return kernel
