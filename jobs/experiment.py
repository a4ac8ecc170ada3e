"""The whole method in one session: from a folder of DICOM files to the paper's Table I and a report.

It runs the jobs ingest, sample, tag_statistics, fit_features, train, embed, cluster, evaluate and report, in
this order. A job that is up to date is not run again, so after an interruption the same call goes on.

  .venv/bin/python jobs/experiment.py --source DIR --tables DIR
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

import cluster
import embed
import evaluate
import fit_features
import ingest
import report
import sample
import tag_statistics
import train

from dicomae.report.summary import experiment_counts, in_words
from dicomae.runtime.command import main
from dicomae.runtime.job import Context
from dicomae.runtime.summary import Summary, together
from dicomae.spark.cluster import check


def enough_to_cluster(context: Context) -> None:
    check(context.root, context.config.clustering)


JOBS = [
    ingest.JOB,
    replace(sample.JOB, afterwards=enough_to_cluster),  # before the training, not after it
    *(module.JOB for module in (tag_statistics, fit_features, train, embed, cluster, evaluate, report)),
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    ingest.add_arguments(parser)
    report.add_arguments(parser)


def summarise(summaries: Sequence[Summary]) -> tuple[str, Summary]:
    counts = experiment_counts({summary.job: summary.as_json() for summary in summaries})
    return in_words(counts), together("experiment", summaries, counts)


if __name__ == "__main__":
    sys.exit(main(JOBS, __doc__, add_arguments, summarise))
