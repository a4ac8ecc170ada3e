"""Fit the feature specifications on the training split: bounds, vocabularies and the order of columns.

There are two feature sets: all has every feature, and without_labels leaves out the tags of funnel.labels
(Modality and BodyPartExamined), with which the evaluation compares. A set without a column is left out.

  .venv/bin/python jobs/fit_features.py --tables DIR
"""

import sys
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dicomae.dicom import privacy
from dicomae.features import feature_sets, funnel
from dicomae.lake import delta, runs
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import note, step
from dicomae.spark import encode
from dicomae.tables import FEATURE_SPECS, HEADERS, METRICS, SAMPLE, TAG_STATISTICS, Metric


@dataclass(frozen=True)
class FitFeaturesCounts:
    """How wide the feature sets are, by their names."""

    features: dict[str, int]
    width: dict[str, int]  # columns of X
    left_out: list[str]  # feature sets without a column


def run(context: Context) -> FitFeaturesCounts:
    spark, root, config = context.spark, context.root, context.config
    statistics = delta.read_small(root, TAG_STATISTICS)
    decided = statistics.filter(pc.equal(statistics["scope"], "sample"))
    kept = decided.filter(pc.not_equal(decided["decision"], "dropped"))
    with step(spark, "reading the training split"):
        rows = encode.training_rows(spark, root, kept["key"].to_pylist())
    needing = funnel.needing_devices(kept, privacy.levels(config.funnel))
    fitted = feature_sets.fit(rows, decided, config.features, config.funnel.labels, needing)
    if fitted.left_out:
        note(f"  left out, for no tag of the training split is in it: {', '.join(fitted.left_out)}")
    table = [one.as_row(context.run_id) for one in fitted.specs]
    delta.replace(root, FEATURE_SPECS, pa.Table.from_pylist(table, schema=FEATURE_SPECS.schema))
    features = {one.feature_set: len(one.features) for one in fitted.specs}
    width = {one.feature_set: one.width for one in fitted.specs}
    metrics = [Metric("features", {"feature_set": name}, float(n)) for name, n in features.items()]
    metrics += [Metric("width", {"feature_set": name}, float(n)) for name, n in width.items()]
    runs.write_metrics(root, "fit_features", context.run_id, metrics)
    return FitFeaturesCounts(features, width, list(fitted.left_out))


READS = (HEADERS, SAMPLE, TAG_STATISTICS)
JOB = Job("fit_features", run, READS, ("funnel", "features"), writes=(FEATURE_SPECS, METRICS))

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
