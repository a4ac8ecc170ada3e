"""Fit the feature specifications on the training split: bounds, vocabularies and the order of columns.

There are two feature sets: all has every feature, and without_labels leaves out the tags of funnel.labels
(Modality and BodyPartExamined), with which the evaluation compares.

  .venv/bin/python jobs/fit_features.py --tables DIR
"""

import sys
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dicomae.features import spec
from dicomae.lake import delta, runs
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import step
from dicomae.spark import encode
from dicomae.tables import FEATURE_SPECS, HEADERS, METRICS, SAMPLE, TAG_STATISTICS, Metric


@dataclass(frozen=True)
class FitFeaturesCounts:
    """How wide the feature sets are, by their names."""

    features: dict[str, int]
    width: dict[str, int]  # columns of X


def run(context: Context) -> FitFeaturesCounts:
    spark, root, config = context.spark, context.root, context.config
    statistics = delta.read_small(root, TAG_STATISTICS)
    decided = statistics.filter(pc.equal(statistics["scope"], "sample"))
    keys = decided.filter(pc.not_equal(decided["decision"], "dropped"))["key"].to_pylist()
    with step(spark, "reading the training split"):
        rows = encode.training_rows(spark, root, keys)
    specs = [
        spec.fit(rows, decided, config.features, name, config.funnel.labels) for name in spec.FEATURE_SETS
    ]
    table = [fitted.as_row(context.run_id) for fitted in specs]
    delta.replace(root, FEATURE_SPECS, pa.Table.from_pylist(table, schema=FEATURE_SPECS.schema))
    metrics = [Metric("features", {"feature_set": s.feature_set}, float(len(s.features))) for s in specs]
    metrics += [Metric("width", {"feature_set": s.feature_set}, float(s.width)) for s in specs]
    runs.write_metrics(root, "fit_features", context.run_id, metrics)
    return FitFeaturesCounts(
        features={s.feature_set: len(s.features) for s in specs},
        width={s.feature_set: s.width for s in specs},
    )


READS = (HEADERS, SAMPLE, TAG_STATISTICS)
JOB = Job("fit_features", run, READS, ("funnel", "features"), writes=(FEATURE_SPECS, METRICS))

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
