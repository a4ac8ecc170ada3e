"""Measure on the test split whether compressed rows group as well as original rows.

It does so in three ways: as the paper does; without the tags of funnel.labels (Modality and
BodyPartExamined) among the features; and with those rows alone whose file declares the body part.

  .venv/bin/python jobs/evaluate.py --tables DIR
"""

import sys
from dataclasses import dataclass

from dicomae.evaluation import cards, comparison
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta, runs
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import step
from dicomae.spark import cluster, encode
from dicomae.spark.evaluate import Assigned, assigned, spec_columns
from dicomae.tables import ASSIGNMENTS, HEADERS, MEDOIDS, METRICS, MODELS, SAMPLE, Metric


@dataclass(frozen=True)
class EvaluateCounts:
    """What was compared."""

    test_instances: int
    table_1: list[dict[str, object]]  # rows of the paper's Table I


def run(context: Context) -> EvaluateCounts:
    found = {row["feature_set"]: (row, spec) for row, spec in cluster.specs(context.root, context.registry)}
    with step(context.spark, "reading the test part"):
        test = {
            name: assigned(context.spark, context.root, row["model_id"], "test")
            for name, (row, _) in found.items()
        }
    _, elbows = cluster.metrics(delta.read_small(context.root, MEDOIDS))
    metrics = _compare(test, context)
    metrics += _cards(context, found["all"][1], test["all"], elbows["all, compressed"])
    runs.write_metrics(context.root, "evaluate", context.run_id, metrics)
    return EvaluateCounts(len(test["all"].declared), comparison.table_1(metrics))


def _compare(test: dict[str, Assigned], context: Context) -> list[Metric]:
    ways = {
        "paper": test["all"],
        "without_labels": test["without_labels"],
        "declared_only": test["all"].where(test["all"].declared),
    }
    metrics: list[Metric] = []
    for way, rows in ways.items():
        metrics += comparison.compare(way, rows.labels, rows.clusters, context.config.evaluation)
    return metrics


def _cards(context: Context, spec: FeatureSpec, test: Assigned, elbow: int | None) -> list[Metric]:
    by_k = test.clusters["compressed"]
    k = elbow if elbow is not None else sorted(by_k)[len(by_k) // 2]
    with step(context.spark, f"describing {k} clusters"):
        _, X = encode.of_split(context.spark, context.root, spec, "test")
    return cards.cards(by_k[k], test.labels, test.patients, X, spec_columns(spec))


JOB = Job(
    "evaluate", run, (HEADERS, SAMPLE, MODELS, MEDOIDS, ASSIGNMENTS), ("evaluation",), writes=(METRICS,)
)

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
