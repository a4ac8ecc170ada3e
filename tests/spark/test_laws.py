"""What Spark computes is what the kernels compute, however the rows are cut."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from dicomae import tables
from dicomae.clustering.medoids import Medoids
from dicomae.codes import ModelKind, Space
from dicomae.config import Config
from dicomae.dicom import privacy
from dicomae.dicom.keys import standard_vr
from dicomae.features import funnel, packing, spec, statistics
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta
from dicomae.models import reductions
from dicomae.models.autoencoder import AutoencoderConfig, TagAutoencoder
from dicomae.models.kinds import KINDS, Model
from dicomae.spark import assign, encode
from dicomae.spark.frames import write_parts
from dicomae.spark.statistics import tag_statistics
from dicomae.synth.rows import header_rows

PARTITIONS = pytest.mark.parametrize("partitions", [1, 2, 7])


@pytest.fixture(scope="module")
def rows() -> pa.RecordBatch:
    return header_rows(seed=5, start=0, count=400)


@pytest.fixture(scope="module")
def fitted(rows: pa.RecordBatch, conf: Config) -> FeatureSpec:
    counted = statistics.finish(statistics.from_batch(rows), standard_vr)
    decided = funnel.decide(counted, conf.funnel, privacy.levels(conf.funnel))
    return spec.fit(rows, decided, conf.features, "all", conf.funnel.labels)


@pytest.fixture(scope="module")
def models(fitted: FeatureSpec, rows: pa.RecordBatch) -> dict[ModelKind, Model]:
    bottleneck = fitted.width // 10
    return {
        ModelKind.AUTOENCODER: TagAutoencoder(AutoencoderConfig(fitted.width, (32,), bottleneck, 0.01)),
        ModelKind.PCA: reductions.fit_pca(fitted.encode(rows).X, bottleneck),
    }


@pytest.fixture
def headers(spark: SparkSession, rows: pa.RecordBatch, partitions: int) -> DataFrame:
    columns = pa.Table.from_batches([rows]).select([*encode.COLUMNS])
    return spark.createDataFrame(columns.to_pandas(maps_as_pydicts="strict"), _ddl()).repartition(partitions)


def _ddl() -> str:
    maps = {"elements", "vrs"}
    return ", ".join(f"{c} {'map<string,string>' if c in maps else 'string'}" for c in encode.COLUMNS)


@PARTITIONS
def test_statistics_do_not_depend_on_partitions(headers: DataFrame, rows: pa.RecordBatch) -> None:
    found = statistics.finish(tag_statistics(headers), standard_vr)
    assert found.equals(statistics.finish(statistics.from_batch(rows), standard_vr))


@PARTITIONS
def test_x_does_not_depend_on_partitions(
    headers: DataFrame, rows: pa.RecordBatch, fitted: FeatureSpec
) -> None:
    found = encode.encode(headers, fitted).toArrow().sort_by("SOPInstanceUID")
    order = np.argsort(rows.column("SOPInstanceUID").to_pylist(), kind="stable")
    assert np.array_equal(packing.unpack(found["x"], fitted.width), fitted.encode(rows).X[order])


@pytest.mark.parametrize("kind", ModelKind)
@PARTITIONS
def test_embeddings_do_not_depend_on_partitions(
    spark: SparkSession,
    headers: DataFrame,
    rows: pa.RecordBatch,
    fitted: FeatureSpec,
    models: dict[ModelKind, Model],
    root: Path,
    kind: ModelKind,
) -> None:
    weights = spark.sparkContext.broadcast(KINDS[kind].to_bytes(models[kind]))
    parts = write_parts(
        headers,
        root,
        tables.EMBEDDINGS,
        lambda: encode.embedding_kernel(weights, kind, fitted, kind, 64, "r"),
    )
    delta.commit_parts(root, tables.EMBEDDINGS, parts, 0, overwrite=False)
    found = delta.read_small(root, tables.EMBEDDINGS).sort_by("SOPInstanceUID")
    embedding, error = KINDS[kind].compress(models[kind], fitted.encode(rows).X, 64)
    order = np.argsort(rows.column("SOPInstanceUID").to_pylist(), kind="stable")
    assert np.array_equal(packing.as_matrix(found["embedding"], embedding.shape[1]), embedding[order])
    assert np.array_equal(found["reconstruction_error"].to_numpy(), error[order])


@PARTITIONS
def test_assignments_are_those_of_brute_force(
    headers: DataFrame, rows: pa.RecordBatch, fitted: FeatureSpec, root: Path
) -> None:
    X = fitted.encode(rows).X
    medoids = Medoids("m", Space.ORIGINAL, {2: X[[0, 1]], 3: X[[5, 60, 200]]})
    kernel = assign.header_kernel(fitted, medoids, "r")
    parts = write_parts(headers, root, tables.ASSIGNMENTS, lambda: kernel)
    assert delta.commit_parts(root, tables.ASSIGNMENTS, parts, 0, overwrite=True) == len(X)
    found = delta.read_small(root, tables.ASSIGNMENTS).to_pylist()
    by_uid = {row["SOPInstanceUID"]: row for row in found}
    for i, uid in enumerate(rows.column("SOPInstanceUID").to_pylist()):
        for k, vectors in medoids.vectors.items():
            distances = np.abs(X[i].astype(np.float64) - vectors.astype(np.float64)).sum(axis=1)
            cluster = dict(by_uid[uid]["cluster"])[k]
            assert distances[cluster] <= distances.min() + 1e-4
            assert dict(by_uid[uid]["distance"])[k] == pytest.approx(distances.min(), abs=1e-3)
