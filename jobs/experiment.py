"""The whole method in one session: from a folder of DICOM files to the paper's Table I and a report.

Runs ingest, sample, tag_statistics, fit_features, train, embed, cluster, evaluate and report, in order.
What is up to date is not done again, so after an interruption the same call goes on.

  .venv/bin/python jobs/experiment.py --source DIR --tables DIR
"""

import argparse
import sys

import cluster
import embed
import evaluate
import fit_features
import ingest
import report
import sample
import tag_statistics
import train

from dicomae.spark.job import Summary, main

JOBS = [
    module.JOB
    for module in (ingest, sample, tag_statistics, fit_features, train, embed, cluster, evaluate, report)
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    ingest.add_arguments(parser)
    report.add_arguments(parser)


def summarise(summaries: list[Summary]) -> tuple[str, Summary]:
    by_job = {summary["job"]: summary for summary in summaries}
    model = by_job["train"]["models"]["all"]
    summary = {
        "job": "experiment",
        "run_id": summaries[-1]["run_id"],
        **{name: by_job["ingest"][name] for name in ("files", "rows", "quarantined", "duplicates")},
        "instances": by_job["sample"]["instances"],
        "funnel": by_job["tag_statistics"]["funnel"],
        "width": model["width"],
        "bottleneck": model["bottleneck"],
        "n_clusters": by_job["cluster"]["n_clusters"]["all, compressed"],
        "table_1": by_job["evaluate"]["table_1"],
        "report": by_job["report"]["report"],
        "seconds": round(sum(summary["seconds"] for summary in summaries), 1),
        "wrote": {name: version for summary in summaries for name, version in summary["wrote"].items()},
    }
    return _text(summary), summary


def _text(summary: Summary) -> str:
    funnel = " → ".join(f"{count:,} {step}" for step, count in summary["funnel"].items())
    clusters = summary["n_clusters"] or "no elbow"
    lines = [
        "",
        f"{summary['files']:,} files = {summary['rows']:,} headers + {summary['duplicates']:,} duplicates "
        f"+ {summary['quarantined']:,} quarantined; {summary['instances']:,} instances in the sample",
        f"tags: {funnel}; {summary['width']:,} columns compressed to {summary['bottleneck']:,}",
        f"clusters by the elbow: {clusters}; compressed against original, as in the paper's Table I:",
        *(
            f"  {row['score']} by {row['label']}: p = {_p(row['p_value'])} ({row['test']})"
            for row in summary["table_1"]
        ),
        f"report: {summary['report']}",
        "",
    ]
    return "\n".join(lines)


def _p(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main(JOBS, __doc__, add_arguments, summarise))
