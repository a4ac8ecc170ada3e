"""The log of runs: what each read, wrote and counted; and whether a job has anything to do.

A run that changed nothing leaves no row, so that running a job twice changes no table.
"""

import hashlib
import json
from datetime import datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import pyarrow as pa

from dicomae.spark import delta
from dicomae.spark.delta import State
from dicomae.tables import METRICS, RUNS

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


def packages() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    return {name: package_version(name) for name in _PACKAGES}


def fingerprint(job: str, config_sha256: str, read: dict[str, State], written: dict[str, str]) -> str:
    """Hash of everything that decides what a job writes, and of the ids of the tables that it wrote."""
    parts = [job, config_sha256, read, written, packages()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def last_summary(root: Path, job: str, wanted: str) -> dict[str, Any] | None:
    """Summary of the job's newest run where that run had the fingerprint `wanted`."""
    rows = delta.read_small(root, RUNS, ["job", "fingerprint", "finished", "summary"]).to_pylist()
    mine = sorted((row for row in rows if row["job"] == job), key=lambda row: row["finished"])
    if not mine or mine[-1]["fingerprint"] != wanted:
        return None
    return dict(json.loads(mine[-1]["summary"]))


def record(
    root: Path,
    summary: dict[str, Any],
    mark: str,
    started: datetime,
    finished: datetime,
    config_sha256: str,
    read: dict[str, State],
) -> None:
    """Add a run to `runs`."""
    row = {
        "run_id": summary["run_id"],
        "job": summary["job"],
        "fingerprint": mark,
        "started": started,
        "finished": finished,
        "config_sha256": config_sha256,
        "read_versions": sorted((name, state.version) for name, state in read.items()),
        "packages": sorted(packages().items()),
        "summary": json.dumps(summary),
    }
    delta.append(root, RUNS, pa.Table.from_pylist([row], schema=RUNS.schema))


def write_metrics(
    root: Path, job: str, run_id: str, metrics: list[tuple[str, dict[str, object], float | None]]
) -> None:
    """Make (name, labels, value) the metrics of `job`."""
    rows = [
        {
            "job": job,
            "name": name,
            "labels": sorted((key, str(label)) for key, label in labels.items()),
            "value": value,
            "run_id": run_id,
        }
        for name, labels, value in metrics
    ]
    delta.replace(root, METRICS, pa.Table.from_pylist(rows, schema=METRICS.schema), job=job)
