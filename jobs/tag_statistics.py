"""Count how each tag is used, in all headers and in the sample, and decide which tags become features.

.venv/bin/python jobs/tag_statistics.py --tables DIR
"""

import sys
from dataclasses import dataclass

import pyarrow as pa

from dicomae.dicom import privacy
from dicomae.dicom.keys import standard_vr
from dicomae.features import funnel, statistics
from dicomae.lake import delta, runs
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import step
from dicomae.spark import frames
from dicomae.spark.statistics import tag_statistics
from dicomae.tables import HEADERS, METRICS, SAMPLE, TAG_STATISTICS, Metric


@dataclass(frozen=True)
class TagStatisticsCounts:
    """How many tags there are, and how many are left after each step of the funnel."""

    tags_in_archive: int
    funnel: dict[str, int]


def run(context: Context) -> TagStatisticsCounts:
    spark, root, config = context.spark, context.root, context.config.funnel
    headers, sampled = frames.read(spark, root, HEADERS), frames.read(spark, root, SAMPLE)
    with step(spark, "statistics of the archive"):
        archive = statistics.finish(tag_statistics(headers), standard_vr)
    with step(spark, "statistics of the sample"):
        in_sample = headers.join(sampled, "SOPInstanceUID", how="left_semi")
        counted = statistics.finish(tag_statistics(in_sample), standard_vr)
    decided = funnel.decide(counted, config, privacy.levels(config))
    scopes = {"archive": archive, "sample": decided}
    rows = [statistics.as_rows(found, scope, context.run_id) for scope, found in scopes.items()]
    delta.replace(root, TAG_STATISTICS, pa.concat_tables(rows))
    steps = funnel.steps(decided)
    metrics = [Metric("funnel", {"step": name}, float(count)) for name, count in steps.items()]
    runs.write_metrics(root, "tag_statistics", context.run_id, metrics)
    return TagStatisticsCounts(tags_in_archive=len(archive), funnel=steps)


JOB = Job(
    "tag_statistics", run, reads=(HEADERS, SAMPLE), sections=("funnel",), writes=(TAG_STATISTICS, METRICS)
)

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
