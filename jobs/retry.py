"""Read quarantined files again: all of them, or those with the given reasons, as when a disk was mended.

.venv/bin/python jobs/retry.py --tables DIR [--reason truncated --reason permission]
"""

import argparse
import sys

from dicomae.codes import Reason
from dicomae.config import Config
from dicomae.ingest import ingest, origins, summary
from dicomae.ingest.ingest import RetryCounts
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    codes = [reason.value for reason in Reason]
    parser.add_argument(
        "--source", default="/", help="read only files below this folder (default: /, all local files)"
    )
    text = f"read only files with this reason (can be given several times): {', '.join(codes)}"
    parser.add_argument("--reason", action="append", default=[], choices=codes, metavar="CODE", help=text)


def check(arguments: argparse.Namespace, config: Config) -> None:
    ingest.check_config(config)
    origins.check_folder(arguments.source)


def run(context: Context) -> RetryCounts:
    with ingest.prepared(context) as prepared:
        return ingest.retry(prepared, context.arguments.source, context.arguments.reason)


JOB = Job("retry", run, reads=None, sections=("ingest",), writes=ingest.WRITES, on_s3=True, check=check)

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__, add_arguments, summary.summarise))
