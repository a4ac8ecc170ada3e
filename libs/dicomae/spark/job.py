"""What all jobs share: the command line, the session, the last line, the exit code."""

import argparse
import json
import logging
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from dicomae import config as configuration
from dicomae import tables
from dicomae.config import Config
from dicomae.errors import DicomaeError, UsageError
from dicomae.spark import delta, progress, runs, session
from dicomae.tables import Table

EXIT_CODES = (
    "exit codes: 0 done; 1 the job failed; 2 the call, the configuration or the data does not allow it"
)

Summary = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What a job's `run` is given."""

    spark: SparkSession
    config: Config
    root: Path  # --tables
    arguments: argparse.Namespace
    run_id: str = ""

    @property
    def registry(self) -> Path:
        """The folder of the model directories."""
        return self.root / "registry"


@dataclass(frozen=True)
class Job:
    """A job: what it reads decides whether it has anything to do.

    Attributes
    ----------
    reads : tables whose versions, with the configuration's `sections`, decide the result; where the
        newest run of the job had the same ones, it is not run again. None: it runs each time.
    run : reads, calls the library, writes; returns the counts of the summary.
    """

    name: str
    run: Callable[[Context], Summary]
    reads: tuple[Table, ...] | None
    sections: tuple[str, ...]


def execute(job: Job, context: Context) -> Summary:
    """Run the job, or find that it is up to date; the summary either way."""
    started, clock = datetime.now(UTC), time.monotonic()
    read_versions = {t.name: delta.version(context.root, t) for t in job.reads or ()}
    config_sha256 = context.config.sha256(*job.sections)
    mark = runs.fingerprint(job.name, config_sha256, read_versions)
    done = runs.last_summary(context.root, job.name, mark) if job.reads is not None else None
    if done is not None:
        progress.note(f"{job.name}: up to date since run {done['run_id']}")
        return {**done, "wrote": {}, "unchanged": True, "seconds": round(time.monotonic() - clock, 1)}
    run_id = f"{started:%Y%m%dT%H%M%S}-{job.name}-{secrets.token_hex(3)}"
    progress.note(f"{job.name}: run {run_id}")
    before = _versions(context.root)
    counts = job.run(replace(context, run_id=run_id))
    wrote = {name: v for name, v in _versions(context.root).items() if v != before[name]}
    summary = {"job": job.name, "run_id": run_id, **counts, "wrote": wrote}
    summary["seconds"] = round(time.monotonic() - clock, 1)
    if wrote or job.reads is not None:
        runs.record(context.root, summary, mark, started, datetime.now(UTC), config_sha256, read_versions)
    return summary


def main(
    jobs: Sequence[Job],
    doc: str,
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
    summarise: Callable[[list[Summary]], Summary] | None = None,
) -> int:
    """Run jobs in order in one session; the last line of standard output is one JSON object.

    Returns
    -------
    The exit code: see `EXIT_CODES`.
    """
    arguments = _parser(doc, add_arguments).parse_args()
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        with_jars = _configured(arguments)
        delta.prepare(arguments.tables)
        spark = session.start(f"dicomae {jobs[-1].name}", with_jars.spark, _home())
        context = Context(spark, with_jars, arguments.tables, arguments)
        summaries = [execute(job, context) for job in jobs]
    except UsageError as error:
        return _failed(str(error), 2)
    except DicomaeError as error:
        return _failed(str(error), 1)
    except KeyboardInterrupt:
        return _failed("interrupted; run again to go on", 1)
    except Exception as error:  # noqa: BLE001 - the boundary of the process: an exit code for anything
        # Messages of other libraries may quote data, so only the places reach the terminal.
        places = traceback.format_tb(error.__traceback__)
        return _failed(f"{type(error).__name__} in\n{''.join(places)}", 1)
    print(json.dumps(summarise(summaries) if summarise else summaries[-1]))
    return 0


def _parser(
    doc: str, add_arguments: Callable[[argparse.ArgumentParser], None] | None
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=doc, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if add_arguments is not None:
        add_arguments(parser)
    parser.add_argument("--tables", type=_folder, required=True, help="folder of the Delta tables")
    default = _home() / "conf" / "local.toml"
    parser.add_argument(
        "--conf-file", type=Path, default=default, help="configuration (default: conf/local.toml)"
    )
    parser.add_argument("--jars-dir", help="folder of the Delta jars (default: the configuration's)")
    return parser


def _configured(arguments: argparse.Namespace) -> Config:
    config = configuration.load(arguments.conf_file)
    if arguments.jars_dir is not None:
        config = replace(config, spark=replace(config.spark, jars_dir=arguments.jars_dir))
    return config


def _folder(text: str) -> Path:
    return Path(text).absolute()


def _home() -> Path:
    """The checkout: the folder above the one of the job's script."""
    return Path(sys.argv[0]).resolve().parents[1]


def _versions(root: Path) -> dict[str, int]:
    return {table.name: delta.version(root, table) for table in tables.ALL}


def _failed(text: str, code: int) -> int:
    print(f"error: {text}", file=sys.stderr)
    return code
