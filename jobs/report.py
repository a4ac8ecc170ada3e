"""Write the report: one HTML file that shows what was read, chosen, trained and measured.

.venv/bin/python jobs/report.py --tables DIR [--out FILE.html]
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from dicomae.errors import UsageError
from dicomae.report.page import render
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import step
from dicomae.spark.report import report_data
from dicomae.tables import HEADERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="the file to write (default: report.html in --tables)")


@dataclass(frozen=True)
class ReportCounts:
    """Where the report is."""

    report: str  # path of the file
    bytes: int  # its size


def run(context: Context) -> ReportCounts:
    out = (context.arguments.out or context.root / "report.html").absolute()
    with step(context.spark, "gathering and drawing"):
        page = render(report_data(context.spark, context.root, context.config))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = out.with_suffix(".unfinished")
        unfinished.write_text(page, encoding="utf-8")
        os.replace(unfinished, out)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written: {os.strerror(error.errno or 0)}") from error
    return ReportCounts(report=str(out), bytes=len(page.encode()))


JOB = Job("report", run, reads=None, sections=("evaluation",), needs=(HEADERS,))

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__, add_arguments))
