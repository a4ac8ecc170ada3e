#!/usr/bin/env python
"""What the driver does for an ingest, on a ledger of many files: seconds of each step, and memory.

The tables are Parquet parts in a Delta table, as after a first run over folders of 100 files each; then one
file in a hundred is new, in new folders. No file is read, and Spark is not started. The last line of
standard output is one JSON object.

    .venv/bin/python scripts/bench/ledger.py --rows 30000000
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa
from memory import Memory

from dicomae.lake import delta, sql
from dicomae.lake.location import Location
from dicomae.lake.parts import PART, new_name
from dicomae.ledger import balance, identity, known_folders
from dicomae.ledger.changes import Changes, compared
from dicomae.ledger.listings import WholeListing
from dicomae.tables import FILES, HEADERS, Table

T = TypeVar("T")

PART_ROWS, FOLDER_FILES, NEW_SHARE, TOGETHER = 1_000_000, 100, 100, 1_000_000
TOP = "/pacs"

# SQL for the file with a number `i`.
_FOLDER = f"printf('{TOP}/study-%07d/series-%02d', i // {10 * FOLDER_FILES}, i // {FOLDER_FILES} % 10)"
_PATH = f"{_FOLDER} || printf('/%08d.dcm', i)"
_UID = "'1.2.826.0.1.3680043.8.498.' || i || '.1'"
_LISTED = (
    f"{_PATH} AS path, 500000 + i % 7 AS size, to_timestamp(1700000000 + i) AS mtime, NULL::VARCHAR AS etag"
)
_LISTING = f"{_LISTED}, NULL::VARCHAR AS reason, NULL::VARCHAR AS detail, 0::INTEGER AS attempts"
_FILES = f"""{_LISTED}, NULL::VARCHAR AS container, 'parsed' AS status, NULL::VARCHAR AS reason,
    NULL::VARCHAR AS detail, 1::INTEGER AS attempts, {_UID} AS SOPInstanceUID,
    md5(i::VARCHAR) AS content_hash, NULL::VARCHAR AS original_path, false AS vanished,
    '20240501T120000-ingest-000000' AS run_id"""
_HEADERS = f"""{_PATH} AS path, {_UID} AS SOPInstanceUID, md5(i::VARCHAR) AS content_hash,
    '20240501T120000-ingest-000000' AS run_id"""
_VISITED = (
    f"""{_FOLDER} AS path, {FOLDER_FILES}::BIGINT AS files, 'mark' AS mark, {{settled}} AS is_settled"""
)


def write(columns: str, path: Path, start: int, stop: int, step: int = 1) -> Path:
    """Rows of the files with these numbers as one Parquet file."""
    query = f"SELECT {columns} FROM range({start}, {stop}, {step}) AS numbers(i)"
    duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    return path


def in_parts(columns: str, folder: Path, start: int, stop: int) -> list[Path]:
    """As `write`, in several files."""
    cuts = range(start, stop, PART_ROWS)
    return [write(columns, folder / new_name(), at, min(at + PART_ROWS, stop)) for at in cuts]


def make(root: Path, rows: int) -> None:
    """The tables `files` and `headers` with so many rows."""
    delta.prepare(root)
    for table, columns in ((FILES, _FILES), (HEADERS, _HEADERS)):
        parts = in_parts(columns, root / table.name, 0, rows)
        described = pa.Table.from_pylist([part(table, path) for path in parts], schema=PART)
        delta.commit_parts(root, table, described, 0, overwrite=False)


def part(table: Table, path: Path) -> dict[str, object]:
    """A row of `PART`."""
    (rows,) = duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchone() or (0,)
    stats = json.dumps({"numRecords": rows})
    size = {"size": path.stat().st_size, "rows": rows, "modified": 0}
    return {"table": table.name, "path": path.name, **size, "stats": stats}


def timed(steps: dict[str, float], name: str, step: Callable[[], T]) -> T:
    """The step's result; its seconds are kept."""
    start = time.perf_counter()
    result = step()
    steps[name] = round(time.perf_counter() - start, 2)
    print(f"{name:>28} {steps[name]:>8.2f} s", flush=True)
    return result


def measure(root: Path, rows: int) -> dict[str, float]:
    """Seconds of each step."""
    steps: dict[str, float] = {}
    new = range(rows, rows + rows // NEW_SHARE)
    staging = root / "_staging"
    for name in ("whole", "night", "commit"):
        (staging / name).mkdir(parents=True)
    with sql.connected(root, staging) as database:
        came: list[Location] = [*in_parts(_LISTING, staging, new.start, new.stop)]
        seen = in_parts(_LISTING, staging, 0, rows)
        visited: list[Location] = [
            write(_VISITED.format(settled=settled), staging / new_name(), start, stop, FOLDER_FILES)
            for settled, start, stop in (("true", 0, rows), ("false", new.start, new.stop))
        ]
        began = known_folders.ledger_state(root)
        timed(steps, "remember", lambda: known_folders.remember(database, TOP, visited, began, "run"))
        timed(steps, "known", lambda: known_folders.remembered(database, TOP, began))
        night = WholeListing(came, len(new), 0, visited, settled=rows // FOLDER_FILES, trusted=rows)
        whole = WholeListing([*seen, *came], rows + len(new), 0)

        def changes(listed: WholeListing) -> Changes:
            return compared(database, listed, TOP, "/", TOGETHER)

        timed(steps, "changes, trusting folders", lambda: changes(night))
        timed(steps, "changes, after every file", lambda: changes(whole))
        read = in_parts(_FILES, root / FILES.name, new.start, new.stop)
        names = [path.name for path in read]
        timed(steps, "contested", lambda: identity.contested(database, names, "first", staging / "commit"))
        counts = timed(steps, "counts", lambda: balance.counts(database))
    if counts.files != rows:
        raise SystemExit(f"{counts.files} files of {rows}")
    return steps


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table and one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=30_000_000, help="a multiple of 100,000")
    parser.add_argument("--folder", type=Path, help="where the tables are made (default: a temporary folder)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=given.folder) as work:
        make(Path(work), given.rows)
        with Memory() as memory:
            steps = measure(Path(work), given.rows)
    told = {"benchmark": "ledger", "rows": given.rows, "load": [round(load, 2) for load in os.getloadavg()]}
    print(json.dumps({**told, "seconds": steps, "driver_mib": round(memory.driver)}))


if __name__ == "__main__":
    main()
