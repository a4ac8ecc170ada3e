"""Read the headers of all DICOM files below a folder into the tables headers, quarantine and files.

Only what is new or changed since the last run is read; pixel data never is. Each file ends as exactly
one row of `files`: parsed, duplicate, duplicate_uid_conflict or quarantined with its reason.

  .venv/bin/python jobs/ingest.py --source DIR --tables DIR
"""

import argparse
import sys

from dicomae.spark import ingest
from dicomae.spark.ingest import Ingest
from dicomae.spark.job import Context, Job, Summary, main, staging_folder
from dicomae.spark.stopping import on_sigterm


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", required=True, help="folder of DICOM files: a path or a file URI")


def run(context: Context) -> Summary:
    with staging_folder(context) as staging, on_sigterm() as stop:
        about = Ingest(context.spark, context.root, staging, context.config, context.run_id, stop)
        return ingest.ingest(about, context.arguments.source)


JOB = Job("ingest", run, reads=None, sections=("ingest",), creates_tables=True, check=ingest.check)

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__, add_arguments))
