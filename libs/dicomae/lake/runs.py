"""The log of runs: what each read, wrote and counted; and whether a job has anything to do.

A run that changed nothing leaves no row, so that running a job twice changes no table.
"""

import dataclasses
import hashlib
import json
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version as package_version
from typing import Any

import pyarrow as pa

from dicomae.lake import delta
from dicomae.lake.delta import TableState
from dicomae.lake.location import Location
from dicomae.tables import METRICS, RUNS, Metric

_PACKAGES = (
    "dicomae",
    "delta-spark",
    "deltalake",
    "numba",
    "numpy",
    "pyarrow",
    "pydicom",
    "pyspark",
    "torch",
)


MADE_GOOD = "made_good"  # key of a summary: ids of interrupted runs whose traces the run has taken away


@dataclass(frozen=True)
class Run:
    """What is known of a run when it begins: columns of `RUNS`."""

    run_id: str
    job: str
    fingerprint: str
    started: datetime
    config_sha256: str
    read_versions: dict[str, int]
    packages: dict[str, str]
    user: str = ""
    host: str = ""


@cache
def packages() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    return {name: package_version(name) for name in _PACKAGES}


def user() -> str:
    """The name of the account that this process runs under, or its number when it has none."""
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def fingerprint(job: str, config_sha256: str, read: dict[str, TableState], written: dict[str, str]) -> str:
    """Hash of everything that decides what a job writes, and of the ids of the tables that it wrote."""
    parts = [job, config_sha256, read, written, packages()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def last_summary(root: Location, job: str, wanted: str) -> dict[str, Any] | None:
    """Summary of the job's newest run that ended, where that run had the fingerprint `wanted`."""
    rows = delta.read_small(root, RUNS, ["job", "fingerprint", "finished", "summary"]).to_pylist()
    ended = [row for row in rows if row["job"] == job and row["finished"] is not None]
    mine = sorted(ended, key=lambda row: row["finished"])
    if not mine or mine[-1]["fingerprint"] != wanted:
        return None
    return dict(json.loads(mine[-1]["summary"]))


def not_made_good(root: Location, jobs: Sequence[str]) -> list[str]:
    """Ids of these jobs' runs that did not end, and whose traces no run since says to have taken away."""
    rows = delta.read_small(root, RUNS, ["run_id", "job", "finished", "summary"]).to_pylist()
    interrupted = {row["run_id"] for row in rows if row["job"] in jobs and row["finished"] is None}
    if not interrupted:
        return []
    return sorted(interrupted.difference(*(json.loads(row["summary"]).get(MADE_GOOD, ()) for row in rows)))


def record(root: Location, run: Run, summary: dict[str, Any], finished: datetime | None) -> None:
    """Add a run to `runs`; `finished` is None where it was interrupted."""
    row = {
        **dataclasses.asdict(run),
        "finished": finished,
        "read_versions": sorted(run.read_versions.items()),
        "packages": sorted(run.packages.items()),
        "summary": json.dumps(summary),
    }
    delta.append(root, RUNS, pa.Table.from_pylist([row], schema=RUNS.schema))


def recorded(root: Location) -> set[str]:
    """The run_ids of all runs that have a row."""
    return set(delta.read_small(root, RUNS, ["run_id"])["run_id"].to_pylist())


def write_metrics(root: Location, job: str, run_id: str, metrics: Sequence[Metric]) -> None:
    """Make these the metrics of `job`, in place of those that it had."""
    rows = [
        {
            "job": job,
            "name": metric.name,
            "labels": sorted((key, str(label)) for key, label in metric.labels.items()),
            "value": metric.value,
            "run_id": run_id,
        }
        for metric in metrics
    ]
    delta.replace(root, METRICS, pa.Table.from_pylist(rows, schema=METRICS.schema), job=job)
