"""A job as a command: its arguments, its session, its last line and its exit code."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dicomae import config as configuration
from dicomae.config import Config
from dicomae.dicom import privacy
from dicomae.errors import DicomaeError, UsageError
from dicomae.lake import delta, location
from dicomae.lake.location import Location
from dicomae.runtime import failures, quiet, session, stopping, streams
from dicomae.runtime.job import Context, Job, execute, require_input
from dicomae.runtime.summary import Summary

EXIT_CODES = (
    "exit codes: 0 done; 1 the job failed; 2 the call, the configuration or the data does not allow it"
)

_TABLES = "folder of the Delta tables, local or mounted; ingest and retry also take s3://bucket/path"

AddArguments = Callable[[argparse.ArgumentParser], None]


def main(
    jobs: Sequence[Job],
    doc: str,
    add_arguments: AddArguments | None = None,
    summarise: Callable[[Sequence[Summary]], tuple[str, Summary]] | None = None,
) -> int:
    """Run jobs in order in one session, and return the exit code (see `EXIT_CODES`).

    The last line of standard output is one JSON object, unless something failed.

    Parameters
    ----------
    doc : what `--help` says.
    add_arguments : adds the arguments that these jobs have beside the common ones.
    summarise : makes one summary of those of all jobs, and a text that is printed above it. None means the
        last job's summary and no text. It is not called when SIGTERM has ended a job early.
    """
    streams.keep_errors_apart()
    arguments = _parser(doc, add_arguments).parse_args()
    quiet.log_to_standard_error()
    try:
        stopping.interrupt_on_sigterm()
        config = _configured(arguments)
        _check(jobs, arguments, config)
        with stopping.interrupted_afterwards():
            spark = session.start(f"dicomae {jobs[-1].name}", config.spark)
        context = Context(spark, config, arguments.tables, arguments)
        summaries = list(_in_order(jobs, context))
    except KeyboardInterrupt:
        return _failed("interrupted; run again to go on", 1)
    except BaseException as error:  # the boundary of the process: an exit code for anything
        if not failures.is_failure(error):
            raise
        tables = None if isinstance(arguments.tables, str) else arguments.tables
        return _failed(*_explained(error, tables))
    is_whole = len(summaries) == len(jobs)
    text, summary = summarise(summaries) if summarise and is_whole else ("", summaries[-1])
    print(text, end="")
    print(json.dumps(summary.as_json()))
    if summaries[-1].stopped:
        return _failed("stopped by SIGTERM; what was read is committed, run again to go on", 1)
    return 0


def _check(jobs: Sequence[Job], arguments: argparse.Namespace, config: Config) -> None:
    """Raise UsageError when the call cannot succeed; else `arguments.tables` has all tables afterwards."""
    arguments.tables = location.parse(arguments.tables)
    for job in jobs:
        if not job.on_s3:
            location.local(arguments.tables)
        job.check(arguments, config)
    if not jobs[0].creates_tables:
        delta.require(arguments.tables)
    delta.prepare(arguments.tables)
    require_input(jobs[0], arguments.tables)


def _in_order(jobs: Sequence[Job], context: Context) -> Iterator[Summary]:
    """The jobs' summaries; the last is that of the last job, or of the job that SIGTERM ended early."""
    for title, job in _titled(jobs):
        summary = execute(job, context, title)
        job.afterwards(context)
        yield summary
        if summary.stopped:
            return


def _titled(jobs: Sequence[Job]) -> list[tuple[str, Job]]:
    several = len(jobs) > 1
    return [(f"[{i}/{len(jobs)}] {job.name}" if several else job.name, job) for i, job in enumerate(jobs, 1)]


def _parser(doc: str, add_arguments: AddArguments | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=doc, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.register("type", None, _given)  # for arguments that name no type
    parser.register("type", Path, lambda text: Path(_given(text)))
    if add_arguments is not None:
        add_arguments(parser)
    parser.add_argument("--tables", required=True, help=_TABLES)
    default = session.HOME / "conf" / "local.toml"
    parser.add_argument(
        "--conf-file", type=Path, default=default, help="configuration (default: conf/local.toml)"
    )
    parser.add_argument("--jars-dir", help="folder of the Delta jars (default: the configuration's)")
    return parser


def _given(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a value, or leave the argument out")
    return text


def _configured(arguments: argparse.Namespace) -> Config:
    config = configuration.load(arguments.conf_file)
    privacy.check(config.funnel, str(arguments.conf_file))
    if arguments.jars_dir is not None:
        config = replace(config, spark=replace(config.spark, jars_dir=arguments.jars_dir))
    return config


def _explained(error: BaseException, tables: Location | None) -> tuple[str, int]:
    """A failure's sentence and exit code; it may have come from a task."""
    told = error if isinstance(error, DicomaeError) else failures.of_a_task(error)
    if told is None:
        return failures.sentence(error, tables), 1
    return str(told), 2 if isinstance(told, UsageError) else 1


def _failed(text: str, code: int) -> int:
    print(f"error: {text}", file=sys.stderr)
    return code
