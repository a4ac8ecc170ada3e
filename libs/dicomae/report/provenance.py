"""Where the numbers come from: runs, configuration, versions of tables and packages."""

import json
from typing import Any

import pyarrow as pa

_MOST_RUNS = 40


def runs(table: pa.Table) -> dict[str, Any]:
    """The latest runs, newest first, with the tables and the configuration that they read.

    `left` counts the older runs that are not shown.

    Of a run's summary only the seconds are taken: the rest may name paths.
    """
    columns = ("job", "run_id", "finished", "config_sha256", "read_versions", "summary")
    rows = table.select(columns).to_pylist()
    rows.sort(
        key=lambda row: (row["finished"] is not None, row["finished"], row["run_id"] or ""), reverse=True
    )
    shown = [
        {
            "job": row["job"],
            "run_id": row["run_id"],
            "finished": f"{row['finished']:%Y-%m-%d %H:%M:%S}" if row["finished"] else "",
            "config": row["config_sha256"] or "",
            "read": [f"{name} {version}" for name, version in sorted(row["read_versions"] or ())],
            "seconds": _seconds(row["summary"]),
        }
        for row in rows[:_MOST_RUNS]
    ]
    configs = sorted({row["config"] for row in shown} - {""})
    return {"rows": shown, "left": max(0, len(rows) - _MOST_RUNS), "configs": configs}


def packages(table: pa.Table) -> list[tuple[str, str]]:
    """Each package with its version; with several versions when runs differ."""
    versions: dict[str, set[str]] = {}
    for row in table.column("packages").to_pylist():
        for name, version in row or ():
            versions.setdefault(name, set()).add(version or "")
    return [(name, ", ".join(sorted(found))) for name, found in sorted(versions.items())]


def _seconds(summary: str | None) -> float | None:
    try:
        found = json.loads(summary or "{}")
    except json.JSONDecodeError:
        return None
    seconds = found.get("seconds") if isinstance(found, dict) else None
    return float(seconds) if isinstance(seconds, int | float) else None
