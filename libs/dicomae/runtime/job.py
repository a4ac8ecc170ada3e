"""What a job is, what its `run` is given, and when it has something to do."""

import argparse
import platform
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession

from dicomae.config import Config
from dicomae.errors import UsageError
from dicomae.lake import delta, location, runs
from dicomae.lake.location import Location
from dicomae.runtime import progress, underway
from dicomae.runtime.summary import Counts, Summary, up_to_date
from dicomae.tables import Table


@dataclass(frozen=True)
class Context:
    """What a job's `run` is given."""

    spark: SparkSession
    config: Config
    location: Location  # of the tables: --tables, a local folder or s3://bucket/path
    arguments: argparse.Namespace
    run_id: str = ""  # such as "20261201T021500-train-5ef2a1"; "" before the run begins

    @property
    def root(self) -> Path:
        """The folder of the tables, for jobs that read them by Spark: their `--tables` is never on S3."""
        return location.local(self.location)

    @property
    def registry(self) -> Path:
        """The folder of the model directories."""
        return self.root / "registry"


@dataclass(frozen=True)
class Job:
    """A job of the folder jobs/.

    A job that has `reads` is not run again while three things hold: its `reads` have the versions that its
    last run read, its `sections` have the values of that run, and all that it wrote is still there.

    Attributes
    ----------
    name : also the name of its script: "train" is jobs/train.py.
    run : does the work. It returns the job's own numbers for the last line, such as the `instances` of
        `sample`.
    reads : tables whose content decides the result. `train` reads `sample`: when `sample` has a new version,
        `train` runs again. None means that the job runs each time, as `ingest` does, whose input is a folder.
        A job does not start while one of these tables is empty.
    sections : sections of the configuration that decide the result. `train` has ("training",): it runs again
        when `training.epochs` changes, and not when `spark.master` does.
    writes : tables that the job fills. When one of them has been deleted since, the job runs again. A run
        that gives one of them a new version gets a row in `runs`.
    needs : further tables that must not be empty. `report` needs `headers`; it shows the other tables too,
        and does without those that are empty.
    check : raises UsageError when the call cannot succeed, as when `--source` names no folder. It is called
        before Java starts and before anything is written.
    on_s3 : whether `--tables` may be on S3. Only a job that leaves the tables to deltalake can say so: Spark
        has no connector to S3 here.
    alone : whether no other run may be at work meanwhile, as `forget`, which rewrites the logs of tables.
    creates_tables : whether `--tables` may be a missing or empty folder. `ingest` fills it; for any other job
        such a folder is a mistake in the call.
    afterwards : raises UsageError when a later job cannot succeed. After `sample`, the experiment compares
        the largest K with the number of training instances. It is called when the job was up to date too.
    intact : whether what the job wrote beside the tables is still there. `train` looks for its models in the
        folder `registry`; when one is missing or damaged, `train` runs again.
    """

    name: str
    run: Callable[[Context], Counts]
    reads: tuple[Table, ...] | None
    sections: tuple[str, ...]
    writes: tuple[Table, ...] = ()
    needs: tuple[Table, ...] = ()
    check: Callable[[argparse.Namespace, Config], None] = lambda _, __: None
    on_s3: bool = False
    alone: bool = False
    creates_tables: bool = False
    afterwards: Callable[[Context], None] = lambda _: None
    intact: Callable[[Context], bool] = lambda _: True


@contextmanager
def staging_folder(context: Context) -> Iterator[Location]:
    """A folder for files of this run that belong to no table yet; removed when the block ends."""
    staging = context.location / underway.STAGING / context.run_id
    staging.mkdir(parents=True)
    try:
        yield staging
    finally:
        location.remove(staging)


def require_input(job: Job, tables: Location) -> None:
    """Raise UsageError when a table that the job reads or needs is empty; it names the job that fills it."""
    for table in (*(job.reads or ()), *job.needs):
        if delta.is_empty(tables, table):
            raise UsageError(
                f"--tables {tables}: table '{table.name}' is empty; run jobs/{table.made_by}.py first"
            )


def execute(job: Job, context: Context, title: str) -> Summary:
    """The job's summary; it runs unless it is up to date. `title` heads its progress: "[5/9] train"."""
    with underway.at_work(context.location, alone=job.alone), delta.kept_open():
        return _executed(job, context, title)


def _executed(job: Job, context: Context, title: str) -> Summary:
    clock = time.monotonic()
    require_input(job, context.location)
    underway.record_interrupted(context.location)
    written = {table.name: delta.state(context.location, table) for table in job.writes}
    before = {name: state.version for name, state in written.items()}
    run = _begun(job, context, {name: state.id for name, state in written.items()})
    done = runs.last_summary(context.location, job.name, run.fingerprint) if job.reads is not None else None
    if done is not None and job.intact(context):
        progress.note(f"{title}: up to date since run {done['run_id']}")
        return up_to_date(done, _seconds_since(clock))
    progress.note(f"{title}: run {run.run_id}")
    with underway.noted(context.location, run, before):
        counts = job.run(replace(context, run_id=run.run_id))
        wrote = underway.changed(context.location, before)
        summary = Summary(job.name, run.run_id, counts, wrote, _seconds_since(clock))
        line = summary.as_json()
        if wrote or runs.MADE_GOOD in line or (job.reads is not None and done is None):
            runs.record(context.location, run, line, datetime.now(UTC))
    return summary


def _seconds_since(clock: float) -> float:
    return round(time.monotonic() - clock, 1)


def _begun(job: Job, context: Context, written: dict[str, str]) -> runs.Run:
    """A run that begins now; `written` are the ids of the tables that the job writes."""
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
        user=runs.user(),
        host=platform.node(),
    )
