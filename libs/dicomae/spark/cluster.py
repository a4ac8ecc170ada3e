"""K-medoids of the training part, in both spaces of each model, as rows of `medoids`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from dicomae.clustering import distances, elbow, kmedoids
from dicomae.config import ClusteringConfig
from dicomae.errors import UsageError
from dicomae.features import packing
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta
from dicomae.models import registry
from dicomae.spark import encode, frames
from dicomae.spark.assign import Medoids
from dicomae.tables import EMBEDDINGS, MODELS, SAMPLE, Metric

SPACES = ("original", "compressed")


@dataclass(frozen=True)
class Part:
    """A part of the sample as one model sees it: X of each space by its name, rows in `uids`' order."""

    feature_set: str
    model_id: str
    uids: list[str]
    X: dict[str, npt.NDArray[np.float32]]


def check(root: Path, config: ClusteringConfig) -> None:
    """Raise UsageError where a K is above the number of training instances."""
    splits = delta.read_small(root, SAMPLE, ["split"])["split"].to_pylist()
    n, k = splits.count("train"), max(config.n_clusters)
    if k > n:
        raise UsageError(
            f"clustering.n_clusters: {k} clusters of {n} training instances; leave out K above {n}"
        )


def specs(root: Path, registry_root: Path) -> Iterator[tuple[dict[str, Any], FeatureSpec]]:
    """Each chosen model's row of `models`, and the specification frozen with it."""
    for row in delta.read_small(root, MODELS).to_pylist():
        yield row, FeatureSpec.from_json(registry.load(registry_root, row["model_id"]).spec_json)


def part(spark: SparkSession, root: Path, model: dict[str, Any], spec: FeatureSpec, split: str) -> Part:
    """Original and compressed rows of a split of the sample, on the driver."""
    uids, X = encode.of_split(spark, root, spec, split)
    chosen = frames.read(spark, root, SAMPLE).where(f"split = '{split}'").select("SOPInstanceUID")
    embedded = frames.read(spark, root, EMBEDDINGS).where(f"model_id = '{model['model_id']}'")
    rows = embedded.join(chosen, "SOPInstanceUID", how="left_semi").select("SOPInstanceUID", "embedding")
    compressed = rows.toArrow().sort_by("SOPInstanceUID")
    if compressed["SOPInstanceUID"].to_pylist() != uids:
        raise ValueError("embeddings and headers hold other instances: run jobs/embed.py again")
    matrix = packing.as_matrix(compressed["embedding"], model["bottleneck"])
    return Part(model["feature_set"], model["model_id"], uids, {"original": X, "compressed": matrix})


def fit(
    train: Part, config: ClusteringConfig, run_id: str, on_fit: Callable[[], object]
) -> list[dict[str, Any]]:
    """Rows of `MEDOIDS` for every space and K; the distance matrix of a space is computed once."""
    rows = []
    for space in SPACES:
        matrix = distances.manhattan(train.X[space])
        for k in config.n_clusters:
            found = kmedoids.fit(matrix, k, config.engine, config.maximum_iterations, config.seed)
            rows += _rows(train, space, found, config.engine, run_id)
            on_fit()
    return rows


def medoids_of(rows: pa.Table, model_id: str, space: str) -> Medoids:
    """The medoids of one model in one space, as the assignment takes them."""
    chosen = rows.filter(pc.and_(pc.equal(rows["model_id"], model_id), pc.equal(rows["space"], space)))
    by_k: dict[int, list[tuple[int, list[float]]]] = {}
    for row in chosen.select(["n_clusters", "cluster", "vector"]).to_pylist():
        by_k.setdefault(row["n_clusters"], []).append((row["cluster"], row["vector"]))
    vectors = {k: np.array([v for _, v in sorted(found)], np.float32) for k, found in by_k.items()}
    return Medoids(model_id, space, vectors)


def _rows(
    train: Part,
    space: str,
    found: kmedoids.KMedoids,
    engine: str,
    run_id: str,
) -> list[dict[str, Any]]:
    sizes, sums, squares = kmedoids.by_cluster(found)
    k = len(found.medoids)
    return [
        {
            "model_id": train.model_id,
            "feature_set": train.feature_set,
            "space": space,
            "n_clusters": k,
            "cluster": cluster,
            "SOPInstanceUID": train.uids[medoid],
            "vector": train.X[space][medoid].tolist(),
            "train_size": int(sizes[cluster]),
            "sum_of_distances": float(sums[cluster]),
            "sum_of_squares": float(squares[cluster]),
            "engine": engine,
            "run_id": run_id,
        }
        for cluster, medoid in enumerate(found.medoids)
    ]


def metrics(medoids: pa.Table) -> tuple[list[Metric], dict[str, int | None]]:
    """Sums for every K with the elbow of each series; the elbows by "feature set, space"."""
    keys = ["feature_set", "space", "n_clusters"]
    sums = ["sum_of_distances", "sum_of_squares"]
    by_k = medoids.group_by(keys).aggregate([(name, "sum") for name in sums])
    rows = by_k.sort_by([(key, "ascending") for key in keys]).to_pylist()
    found: list[Metric] = []
    series: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows:
        about = {key: row[key] for key in keys}
        found.append(Metric("sum_of_distances", about, row["sum_of_distances_sum"]))
        found.append(Metric("sum_of_squared_distances", about, row["sum_of_squares_sum"]))
        series.setdefault((row["feature_set"], row["space"]), {})[row["n_clusters"]] = row[
            "sum_of_squares_sum"
        ]
    elbows = {key: elbow.find(list(by_k), list(by_k.values())) for key, by_k in series.items()}
    for (feature_set, space), k in elbows.items():
        found.append(
            Metric("elbow", {"feature_set": feature_set, "space": space}, None if k is None else float(k))
        )
    return found, {f"{feature_set}, {space}": k for (feature_set, space), k in elbows.items()}
