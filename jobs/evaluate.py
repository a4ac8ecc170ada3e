"""Measure on the test split whether compressed rows group as well as original rows.

It does so in three ways: as the paper does; without the tags of funnel.labels (Modality and
BodyPartExamined) among the features; and with those rows alone whose file declares the body part.

  .venv/bin/python jobs/evaluate.py --tables DIR
"""

import sys
from dataclasses import dataclass

from dicomae.clustering import elbow, medoids
from dicomae.evaluation import cards, comparison
from dicomae.evaluation.assigned import Assigned
from dicomae.evaluation.comparison import PAPER
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta, runs
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import step
from dicomae.spark import cluster, encode
from dicomae.spark.evaluate import assigned_split, spec_columns
from dicomae.tables import ASSIGNMENTS, HEADERS, MEDOIDS, METRICS, MODELS, SAMPLE, Metric


@dataclass(frozen=True)
class EvaluateCounts:
    """What was compared."""

    test_instances: int
    table_1: list[dict[str, object]]  # rows of the paper's Table I


def run(context: Context) -> EvaluateCounts:
    models = list(cluster.specs(context.root, context.registry))
    with step(context.spark, "reading the test split"):
        test = {
            model.key: assigned_split(context.spark, context.root, model.model_id, "test")
            for model, _ in models
        }
    metrics = comparison.compare_ways(test, context.config.evaluation)
    for model, spec in models:
        if model.key == PAPER.model:
            metrics += _cards(context, spec, test[PAPER.model])
    runs.write_metrics(context.root, "evaluate", context.run_id, metrics)
    instances = len(next(iter(test.values())).declared)
    return EvaluateCounts(instances, comparison.table_1(metrics))


def _cards(context: Context, spec: FeatureSpec, test: Assigned) -> list[Metric]:
    elbows = medoids.elbows(delta.read_small(context.root, MEDOIDS))
    by_k = test.clusters[PAPER.space]
    k = elbow.shown(elbows[PAPER.feature_set, PAPER.space], list(by_k))
    with step(context.spark, f"describing {k} clusters"):
        _, X = encode.of_split(context.spark, context.root, spec, "test")
    return cards.cards(by_k[k], test.labels, test.patients, X, spec_columns(spec))


JOB = Job(
    "evaluate", run, (HEADERS, SAMPLE, MODELS, MEDOIDS, ASSIGNMENTS), ("evaluation",), writes=(METRICS,)
)

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
