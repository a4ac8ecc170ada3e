"""What all jobs share: the command line, the session, the last line, the exit code."""

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from dicomae import config as configuration
from dicomae.config import Config
from dicomae.errors import DicomaeError, UsageError
from dicomae.lake import delta, location, runs
from dicomae.lake.location import Location
from dicomae.runtime import failures, progress, quiet, session, stopping, streams, underway
from dicomae.tables import Table

EXIT_CODES = (
    "exit codes: 0 done; 1 the job failed; 2 the call, the configuration or the data does not allow it"
)

_TABLES = "folder of the Delta tables, local or mounted; of ingest and retry also s3://bucket/path"

Summary = dict[str, Any]

_MADE_BY = {
    "headers": "ingest",
    "sample": "sample",
    "tag_statistics": "tag_statistics",
    "feature_specs": "fit_features",
    "models": "train",
    "embeddings": "embed",
    "medoids": "cluster",
    "assignments": "cluster",
}


@dataclass(frozen=True)
class Context:
    """What a job's `run` is given."""

    spark: SparkSession
    config: Config
    location: Location  # of the tables: --tables, a local folder or s3://bucket/path
    arguments: argparse.Namespace
    run_id: str = ""

    @property
    def root(self) -> Path:
        """The folder of the tables, for jobs that read them by Spark; such jobs never see one on S3."""
        return location.local(self.location)

    @property
    def registry(self) -> Path:
        """The folder of the model directories."""
        return self.root / "registry"


@dataclass(frozen=True)
class Job:
    """A job: what it reads decides whether it has anything to do.

    Attributes
    ----------
    reads : tables whose ids and versions, with the configuration's `sections`, decide the result; where the
        newest run of the job had the same ones, it is not run again. None: it runs each time.
    writes : tables that the job makes; where one was lost since, the job is run again. Whether they have new
        versions decides whether a run leaves a row in `runs`; so does what it has made good.
    run : reads, calls the library, writes; returns the counts of the summary.
    intact : whether what it wrote beside the tables is still there; else it is run again.
    needs : tables that must not be empty, beside those in `reads`.
    check : raises UsageError where the call cannot succeed; asked before a folder is written and Java starts.
    afterwards : raises UsageError where what is there now does not allow a later job; asked each time.
    on_s3 : whether the tables may be on S3; Spark, where a job reads them by it, does not know S3.
    creates_tables : the folder of the tables may be missing or empty; for other jobs that is a bad call.
    """

    name: str
    run: Callable[[Context], Summary]
    reads: tuple[Table, ...] | None
    sections: tuple[str, ...]
    writes: tuple[Table, ...] = ()
    needs: tuple[Table, ...] = ()
    check: Callable[[argparse.Namespace, Config], None] = lambda _, __: None
    on_s3: bool = False
    creates_tables: bool = False
    afterwards: Callable[[Context], None] = lambda _: None
    intact: Callable[[Context], bool] = lambda _: True


@contextmanager
def staging_folder(context: Context) -> Iterator[Location]:
    """A folder of this run for what is no table yet; gone afterwards."""
    staging = context.location / underway.STAGING / context.run_id
    staging.mkdir(parents=True)
    try:
        yield staging
    finally:
        location.remove(staging)


def execute(job: Job, context: Context, title: str) -> Summary:
    """Run the job, or find that it is up to date; the summary either way. `title` heads its progress."""
    with delta.kept_open():
        return _executed(job, context, title)


def _executed(job: Job, context: Context, title: str) -> Summary:
    clock = time.monotonic()
    _require(job, context.location)
    underway.record_interrupted(context.location)
    written = {table.name: delta.state(context.location, table) for table in job.writes}
    before = {name: state.version for name, state in written.items()}
    run = _begun(job, context, {name: state.id for name, state in written.items()})
    done = runs.last_summary(context.location, job.name, run.fingerprint) if job.reads is not None else None
    if done is not None and job.intact(context):
        progress.note(f"{title}: up to date since run {done['run_id']}")
        return {**done, "wrote": {}, "unchanged": True, "seconds": round(time.monotonic() - clock, 1)}
    progress.note(f"{title}: run {run.run_id}")
    with underway.noted(context.location, run, before):
        counts = job.run(replace(context, run_id=run.run_id))
        wrote = underway.changed(context.location, before)
        summary = {"job": job.name, "run_id": run.run_id, **counts, "wrote": wrote}
        summary["seconds"] = round(time.monotonic() - clock, 1)
        if wrote or counts.get(runs.MADE_GOOD) or (job.reads is not None and done is None):
            runs.record(context.location, run, summary, datetime.now(UTC))
    return summary


def _begun(job: Job, context: Context, written: dict[str, str]) -> runs.Run:
    started = datetime.now(UTC)
    read = {table.name: delta.state(context.location, table) for table in job.reads or ()}
    config_sha256 = context.config.sha256(*job.sections)
    return runs.Run(
        run_id=f"{started:%Y%m%dT%H%M%S}-{job.name}-{secrets.token_hex(3)}",
        job=job.name,
        fingerprint=runs.fingerprint(job.name, config_sha256, read, written),
        started=started,
        config_sha256=config_sha256,
        read_versions={name: state.version for name, state in read.items()},
        packages=runs.packages(),
    )


def main(
    jobs: Sequence[Job],
    doc: str,
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
    summarise: Callable[[list[Summary]], tuple[str, Summary]] | None = None,
) -> int:
    """Run jobs in order in one session; the last line of standard output is one JSON object.

    Parameters
    ----------
    summarise : text for a person and the JSON object, of several jobs' summaries.

    Returns
    -------
    The exit code: see `EXIT_CODES`.
    """
    streams.keep_errors_apart()
    arguments = _parser(doc, add_arguments).parse_args()
    quiet.log_to_standard_error()
    try:
        stopping.interrupt_on_sigterm()
        config = _configured(arguments)
        arguments.tables = location.parse(arguments.tables)
        for job in jobs:
            if not job.on_s3:
                location.local(arguments.tables)
            job.check(arguments, config)
        if not jobs[0].creates_tables:
            delta.require(arguments.tables)
        delta.prepare(arguments.tables)
        _require(jobs[0], arguments.tables)
        with stopping.interrupted_afterwards():
            spark = session.start(f"dicomae {jobs[-1].name}", config.spark)
        context = Context(spark, config, arguments.tables, arguments)
        summaries = list(_in_order(jobs, context))
    except UsageError as error:
        return _failed(str(error), 2)
    except DicomaeError as error:
        return _failed(str(error), 1)
    except KeyboardInterrupt:
        return _failed("interrupted; run again to go on", 1)
    except Exception as error:  # noqa: BLE001 - the boundary of the process: an exit code for anything
        return _failed(failures.sentence(error, arguments.tables), 1)
    is_whole = len(summaries) == len(jobs)
    text, summary = summarise(summaries) if summarise and is_whole else ("", summaries[-1])
    print(text, end="")
    print(json.dumps(summary))
    if summaries[-1].get("stopped"):
        return _failed("stopped by SIGTERM; what was read is committed, run again to go on", 1)
    return 0


def _in_order(jobs: Sequence[Job], context: Context) -> Iterator[Summary]:
    """Summaries of the jobs, up to one that was told to stop."""
    for title, job in _titled(jobs):
        summary = execute(job, context, title)
        job.afterwards(context)
        yield summary
        if summary.get("stopped"):
            return


def _titled(jobs: Sequence[Job]) -> list[tuple[str, Job]]:
    several = len(jobs) > 1
    return [(f"[{i}/{len(jobs)}] {job.name}" if several else job.name, job) for i, job in enumerate(jobs, 1)]


def _require(job: Job, root: Location) -> None:
    for table in (*(job.reads or ()), *job.needs):
        if delta.version(root, table) == 0:
            first = _MADE_BY[table.name]
            raise UsageError(f"--tables {root}: table '{table.name}' is empty; run jobs/{first}.py first")


def _parser(
    doc: str, add_arguments: Callable[[argparse.ArgumentParser], None] | None
) -> argparse.ArgumentParser:
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
    if arguments.jars_dir is not None:
        config = replace(config, spark=replace(config.spark, jars_dir=arguments.jars_dir))
    return config


def _failed(text: str, code: int) -> int:
    print(f"error: {text}", file=sys.stderr)
    return code
