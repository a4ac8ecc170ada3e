"""Read the headers of all DICOM files below a folder into the tables headers, quarantine and files.

Only what is new or changed since the last run is read; pixel data never is. Each file ends as exactly
one row of `files`: parsed, duplicate, duplicate_uid_conflict or quarantined with its reason.

  .venv/bin/python jobs/ingest.py --source DIR --tables DIR
"""

import argparse
import shutil
import sys

from dicomae.errors import JobError
from dicomae.spark import ingest
from dicomae.spark.job import Context, Job, Summary, main


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", required=True, help="folder of DICOM files: a path or a file URI")


def run(context: Context) -> Summary:
    staging = context.root / "_staging" / context.run_id
    staging.mkdir(parents=True)
    try:
        counts = ingest.ingest(
            context.spark, context.root, context.arguments.source, staging, context.config, context.run_id
        )
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if counts["files"] != counts["rows"] + counts["duplicates"] + counts["quarantined"]:
        raise JobError(f"files are not rows + duplicates + quarantined: {counts}; please report this")
    return counts


JOB = Job("ingest", run, reads=None, sections=("ingest",))

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__, add_arguments))
