"""Cluster the training split by K-medoids for every K, and assign all rows to the medoids found.

For each model this is done twice: with the original columns, and with the model's embeddings.

  .venv/bin/python jobs/cluster.py --tables DIR
"""

import sys
from dataclasses import dataclass

import pyarrow as pa

from dicomae.clustering import medoids
from dicomae.clustering.medoids import DistinctRows
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta, runs
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import bar, note, step
from dicomae.spark import assign, cluster
from dicomae.tables import ASSIGNMENTS, EMBEDDINGS, HEADERS, MEDOIDS, METRICS, MODELS, SAMPLE, ModelRow


@dataclass(frozen=True)
class ClusterCounts:
    """What was clustered."""

    engine: str
    assigned: int  # rows of `assignments`
    n_clusters: dict[str, int | None]  # "feature set, space" -> K of the elbow; None: there is no elbow
    distinct_rows: dict[str, int]  # likewise, by the model's space -> training rows that differ
    left_out: dict[str, list[int]]  # likewise -> every K above that


def run(context: Context) -> ClusterCounts:
    cluster.check(context.root, context.config.clustering)
    version = delta.version(context.root, ASSIGNMENTS)
    models = list(cluster.specs(context.root, context.registry))
    fitted = {f"{model.feature_set}, {model.space}": _fit(context, model, spec) for model, spec in models}
    found = pa.concat_tables([table for table, _ in fitted.values()])
    parts = [_assign(context, model, spec, found) for model, spec in models]
    delta.replace(context.root, MEDOIDS, found)
    assigned = delta.commit_parts(context.root, ASSIGNMENTS, pa.concat_tables(parts), version, overwrite=True)
    runs.write_metrics(context.root, "cluster", context.run_id, medoids.metrics(found))
    elbows = {f"{feature_set}, {space}": k for (feature_set, space), k in medoids.elbows(found).items()}
    rows = {name: distinct.rows for name, (_, distinct) in fitted.items()}
    left_out = {name: list(distinct.left_out) for name, (_, distinct) in fitted.items()}
    return ClusterCounts(context.config.clustering.engine, assigned, elbows, rows, left_out)


def _fit(context: Context, model: ModelRow, spec: FeatureSpec) -> tuple[pa.Table, DistinctRows]:
    config = context.config.clustering
    with step(context.spark, f"encoding the training split ({spec.feature_set})"):
        train = cluster.split_vectors(context.spark, context.root, model, spec, "train")
    distinct = medoids.distinct_rows(train, config.n_clusters)
    if distinct.left_out:
        note(f"  {distinct.words()} ({spec.feature_set})")
    fits = len(train.X) * (len(config.n_clusters) - len(distinct.left_out))
    with bar(f"K-medoids ({spec.feature_set})", fits, "fit") as shown:
        return medoids.fit(train, config, context.run_id, lambda: shown.update(1)), distinct


def _assign(context: Context, model: ModelRow, spec: FeatureSpec, found: pa.Table) -> pa.Table:
    of_model = [medoids.of_space(found, model.model_id, space) for space in model.spaces]
    with step(context.spark, f"assigning all rows ({spec.feature_set})"):
        return assign.write_assignments(context.spark, context.root, spec, of_model, context.run_id)


READS = (HEADERS, SAMPLE, MODELS, EMBEDDINGS)
JOB = Job("cluster", run, READS, ("clustering",), writes=(MEDOIDS, ASSIGNMENTS, METRICS))

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
