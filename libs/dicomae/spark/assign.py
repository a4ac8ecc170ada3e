"""Each row to its nearest medoid, for every K, in both spaces."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import SparkSession

from dicomae.clustering import kmedoids
from dicomae.features import packing
from dicomae.features.spec import FeatureSpec
from dicomae.spark import encode, frames
from dicomae.spark.frames import Kernel, write_parts
from dicomae.tables import ASSIGNMENTS, EMBEDDINGS, HEADERS


@dataclass(frozen=True)
class Medoids:
    """The medoids of one model in one space: K -> vectors float32 (K, width), by cluster."""

    model_id: str
    space: str
    vectors: dict[int, npt.NDArray[np.float32]]

    @property
    def width(self) -> int:
        """Columns of the space."""
        return int(next(iter(self.vectors.values())).shape[1])


def write_assignments(
    spark: SparkSession, root: Path, spec: FeatureSpec, medoids: tuple[Medoids, ...], run_id: str
) -> pa.Table:
    """Assign all rows to the original and the compressed medoids of a model; descriptors of the parts."""
    original, compressed = medoids
    headers = frames.read(spark, root, HEADERS).select(*encode.COLUMNS)
    embeddings = frames.read(spark, root, EMBEDDINGS).where(f"model_id = '{compressed.model_id}'")
    parts = [
        write_parts(headers, root, ASSIGNMENTS, lambda: original_kernel(spec, original, run_id)),
        write_parts(embeddings, root, ASSIGNMENTS, lambda: compressed_kernel(compressed, run_id)),
    ]
    return pa.concat_tables(parts)


def original_kernel(spec: FeatureSpec, medoids: Medoids, run_id: str) -> Kernel:
    """Header rows -> rows of `ASSIGNMENTS` in the original space."""

    def kernel(batch: pa.RecordBatch) -> pa.RecordBatch:
        X = spec.encode(batch).X
        return _assigned(batch.column("SOPInstanceUID"), X, medoids, run_id)

    return kernel


def compressed_kernel(medoids: Medoids, run_id: str) -> Kernel:
    """Rows of `embeddings` -> rows of `ASSIGNMENTS` in the compressed space."""

    def kernel(batch: pa.RecordBatch) -> pa.RecordBatch:
        X = packing.as_matrix(batch.column("embedding"), medoids.width)
        return _assigned(batch.column("SOPInstanceUID"), X, medoids, run_id)

    return kernel


def _assigned(uids: pa.Array, X: npt.NDArray[np.float32], medoids: Medoids, run_id: str) -> pa.RecordBatch:
    sizes = sorted(medoids.vectors)
    nearest = [kmedoids.assign(X, medoids.vectors[k]) for k in sizes]
    n = len(uids)
    keys = np.tile(np.array(sizes, np.int32), n)
    clusters = np.stack([labels for labels, _ in nearest], axis=1).reshape(-1)
    distances = np.stack([distance for _, distance in nearest], axis=1).reshape(-1)
    return pa.RecordBatch.from_arrays(
        [
            uids,
            pa.array([medoids.model_id] * n, pa.string()),
            pa.array([medoids.space] * n, pa.string()),
            _maps(keys, pa.array(clusters, pa.int32()), len(sizes)),
            _maps(keys, pa.array(distances, pa.float32()), len(sizes)),
            pa.array([run_id] * n, pa.string()),
        ],
        schema=ASSIGNMENTS.schema,
    )


def _maps(keys: npt.NDArray[np.int32], values: pa.Array, each: int) -> pa.MapArray:
    offsets = pa.array(np.arange(len(keys) // each + 1, dtype=np.int32) * each)
    return pa.MapArray.from_arrays(offsets, pa.array(keys), values)
