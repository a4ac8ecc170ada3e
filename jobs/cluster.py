"""Find K medoids of the training split for every K, and assign all rows to the nearest of them.

It does so for each feature set, with the original rows and with the compressed ones.

  .venv/bin/python jobs/cluster.py --tables DIR
"""

import sys
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta, runs
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import bar, step
from dicomae.spark import assign, cluster
from dicomae.tables import ASSIGNMENTS, EMBEDDINGS, HEADERS, MEDOIDS, METRICS, MODELS, SAMPLE


@dataclass(frozen=True)
class ClusterCounts:
    """What was clustered."""

    engine: str
    assigned: int  # rows of `assignments`
    n_clusters: dict[str, int | None]  # "feature set, space" -> K of the elbow; None: there is no elbow


def run(context: Context) -> ClusterCounts:
    cluster.check(context.root, context.config.clustering)
    version = delta.version(context.root, ASSIGNMENTS)
    found = list(cluster.specs(context.root, context.registry))
    medoids = _fit(context, found)
    parts = [_assign(context, row["model_id"], spec, medoids) for row, spec in found]
    metrics, elbows = cluster.metrics(medoids)
    delta.replace(context.root, MEDOIDS, medoids)
    assigned = delta.commit_parts(context.root, ASSIGNMENTS, pa.concat_tables(parts), version, overwrite=True)
    runs.write_metrics(context.root, "cluster", context.run_id, metrics)
    return ClusterCounts(context.config.clustering.engine, assigned, n_clusters=elbows)


def _fit(context: Context, found: list[tuple[dict[str, Any], FeatureSpec]]) -> pa.Table:
    config = context.config.clustering
    rows = []
    for model, spec in found:
        with step(context.spark, f"encoding the training part ({spec.feature_set})"):
            train = cluster.part(context.spark, context.root, model, spec, "train")
        with bar(f"K-medoids ({spec.feature_set})", 2 * len(config.n_clusters), "fit") as shown:
            rows += cluster.fit(train, config, context.run_id, lambda: shown.update(1))
    return pa.Table.from_pylist(rows, schema=MEDOIDS.schema)


def _assign(context: Context, model_id: str, spec: FeatureSpec, medoids: pa.Table) -> pa.Table:
    both = tuple(cluster.medoids_of(medoids, model_id, space) for space in cluster.SPACES)
    with step(context.spark, f"assigning all rows ({spec.feature_set})"):
        return assign.write_assignments(context.spark, context.root, spec, both, context.run_id)


READS = (HEADERS, SAMPLE, MODELS, EMBEDDINGS)
JOB = Job("cluster", run, READS, ("clustering",), writes=(MEDOIDS, ASSIGNMENTS, METRICS))

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
