"""Count how each tag is used, in the archive and in the sample, and decide which become features.

.venv/bin/python jobs/tag_statistics.py --tables DIR
"""

import sys

import pyarrow as pa

from dicomae.dicom.keys import standard_vr
from dicomae.evaluation.comparison import Metric
from dicomae.features import funnel, statistics
from dicomae.lake import delta, runs
from dicomae.runtime.job import Context, Job, Summary, main
from dicomae.runtime.progress import step
from dicomae.spark import frames
from dicomae.spark.statistics import tag_statistics
from dicomae.tables import HEADERS, METRICS, SAMPLE, TAG_STATISTICS


def run(context: Context) -> Summary:
    spark, root = context.spark, context.root
    headers, sampled = frames.read(spark, root, HEADERS), frames.read(spark, root, SAMPLE)
    with step(spark, "statistics of the archive"):
        archive = statistics.finish(tag_statistics(headers), standard_vr)
    with step(spark, "statistics of the sample"):
        in_sample = headers.join(sampled, "SOPInstanceUID", how="left_semi")
        decided = funnel.decide(
            statistics.finish(tag_statistics(in_sample), standard_vr), context.config.funnel
        )
    rows = [_as_table(archive, "archive", context.run_id), _as_table(decided, "sample", context.run_id)]
    delta.replace(root, TAG_STATISTICS, pa.concat_tables(rows))
    steps = funnel.steps(decided)
    metrics: list[Metric] = [("funnel", {"step": name}, float(count)) for name, count in steps.items()]
    runs.write_metrics(root, "tag_statistics", context.run_id, metrics)
    return {"tags_in_archive": len(archive), "funnel": steps}


def _as_table(rows: pa.Table, scope: str, run_id: str) -> pa.Table:
    added = {"scope": scope, "run_id": run_id}
    columns = {name: rows[name] for name in rows.column_names}
    arrays = [
        columns[field.name]
        if field.name in columns
        else pa.array([added.get(field.name)] * len(rows), field.type)
        for field in TAG_STATISTICS.schema
    ]
    return pa.Table.from_arrays(arrays, schema=TAG_STATISTICS.schema)


JOB = Job(
    "tag_statistics", run, reads=(HEADERS, SAMPLE), sections=("funnel",), writes=(TAG_STATISTICS, METRICS)
)

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
