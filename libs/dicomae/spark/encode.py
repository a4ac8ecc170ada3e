"""Header rows to X, and X to embeddings, in executors; the model is rebuilt once in each worker."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from pyspark import Broadcast
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dicomae.codes import ModelKind
from dicomae.features import devices, elements
from dicomae.features.packing import as_lists, pack, unpack
from dicomae.features.spec import FeatureSpec
from dicomae.models.kinds import KINDS, Model
from dicomae.spark import frames
from dicomae.spark.frames import Kernel
from dicomae.tables import EMBEDDINGS, HEADERS, SAMPLE

COLUMNS = elements.COLUMNS


def encode(headers: DataFrame, spec: FeatureSpec) -> DataFrame:
    """SOPInstanceUID and x: a row of X as packed little-endian float32."""

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            packed = pack(spec.encode(batch).X)
            yield pa.RecordBatch.from_arrays([batch.column(0), packed], names=["SOPInstanceUID", "x"])

    return headers.select(*COLUMNS).mapInArrow(task, "SOPInstanceUID string, x binary")


def of_split(
    spark: SparkSession, root: Path, spec: FeatureSpec, split: str
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """A split of the sample on the driver: SOPInstanceUIDs in order, and their X (n, width)."""
    chosen = frames.read(spark, root, SAMPLE).where(F.col("split") == split)
    headers = frames.read(spark, root, HEADERS).join(
        chosen.select("SOPInstanceUID"), "SOPInstanceUID", how="left_semi"
    )
    rows = encode(headers, spec).toArrow().sort_by("SOPInstanceUID")
    return rows["SOPInstanceUID"].to_pylist(), unpack(rows["x"], spec.width)


def training_rows(spark: SparkSession, root: Path, keys: Sequence[str]) -> pa.Table:
    """Rows of the training split on the driver, ordered by UID.

    Their columns are `COLUMNS` with the elements `keys` alone, PatientID, and those that tell the device.
    """
    train = frames.read(spark, root, SAMPLE).where(F.col("split") == "train")
    headers = frames.read(spark, root, HEADERS).join(train, "SOPInstanceUID", how="left_semi")
    kept = F.map_filter("elements", lambda key, _: key.isin(*keys))
    rows = headers.select(*COLUMNS, "PatientID", *device_columns()).withColumn("elements", kept)
    return rows.toArrow().sort_by("SOPInstanceUID")


def device_columns() -> list[Column]:
    """`devices.COLUMNS` of the table `headers`: those it has, the others from its elements."""
    return [
        F.col(name) if name in HEADERS.columns else F.element_at("elements", name).alias(name)
        for name in devices.COLUMNS
    ]


def embedding_kernel(
    weights: "Broadcast[bytes]",
    kind: ModelKind,
    spec: FeatureSpec,
    model_id: str,
    batch_rows: int,
    run_id: str,
) -> Kernel:
    """Header rows -> rows of `EMBEDDINGS`."""
    model = _built(model_id, kind, weights.value)

    def kernel(batch: pa.RecordBatch) -> pa.RecordBatch:
        encoded = spec.encode(batch)
        embedding, error = KINDS[kind].compress(model, encoded.X, batch_rows)
        n = batch.num_rows
        return pa.RecordBatch.from_arrays(
            [
                batch.column(0),
                pa.array([model_id] * n, pa.string()),
                as_lists(embedding),
                pa.array(error, pa.float32()),
                pa.array(encoded.out_of_vocabulary, pa.int32()),
                pa.array(encoded.clipped, pa.int32()),
                pa.array(encoded.unparsed, pa.int32()),
                pa.array([run_id] * n, pa.string()),
            ],
            schema=EMBEDDINGS.schema,
        )

    return kernel


@lru_cache(maxsize=4)
def _built(model_id: str, kind: ModelKind, weights: bytes) -> Model:
    """The model of this worker, built once; `model_id` is the content's hash."""
    torch.set_num_threads(1)  # Spark runs one task per core already
    model: Model = KINDS[kind].from_bytes(weights)
    return model
