"""Read the headers of DICOM files into the tables headers and files.

It reads the files that are new or have changed since the last run, and never their pixel data. Each file has
exactly one row in `files`, whose status is parsed, duplicate, duplicate_uid_conflict or quarantined; a
quarantined file has a reason, such as truncated. SIGTERM ends a listing at once, and reading after the next
commit (ingest.files_per_commit); the same call goes on from there.

  .venv/bin/python jobs/ingest.py --source /pacs --tables DIR             a folder and its archives
  .venv/bin/python jobs/ingest.py --source /pacs --tables DIR --conf-file conf/nightly.toml
                                                    at night: leaves out folders that have not changed
  .venv/bin/python jobs/ingest.py --source s3://bucket/pacs --tables DIR  an object store
  .venv/bin/python jobs/ingest.py --source /pacs --tables 's3://bucket/dicomae?region=eu-south-1'
  .venv/bin/python jobs/ingest.py --source /media/cd/DICOMDIR --tables DIR
  find /pacs -newer mark -print0 | .venv/bin/python jobs/ingest.py --source - --tables DIR
  .venv/bin/python jobs/ingest.py --source /pacs --inventory list.parquet --tables DIR
  .venv/bin/python jobs/ingest.py --table headers.parquet --columns conf/columns/idc.toml --tables DIR
"""

import argparse
import sys
from pathlib import Path

from dicomae.ingest import ingest, origins, summary
from dicomae.ingest.ingest import IngestCounts
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--source",
        help="path or URI of a folder, archive, DICOMDIR or file; - reads paths from standard input",
    )
    add(
        "--inventory",
        help="list of the source's files (Parquet, CSV or the manifest.json of S3 Inventory)",
    )
    add(
        "--table",
        help="headers that others have extracted: a Parquet file, a folder of such files or a Delta table",
    )
    add("--columns", type=Path, help="the table's column map (TOML; conf/columns has some)")


def run(context: Context) -> IngestCounts:
    origin = origins.of(context.arguments, context.config.ingest)
    with ingest.prepared(context) as prepared:
        return ingest.ingest(prepared, origin)


JOB = Job(
    "ingest",
    run,
    reads=None,
    sections=("ingest",),
    writes=ingest.WRITES,
    on_s3=True,
    creates_tables=True,
    check=ingest.check,
)

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__, add_arguments, summary.summarise))
