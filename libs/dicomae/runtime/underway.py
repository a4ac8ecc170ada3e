"""Runs that have begun and not ended, as notes below `_underway`.

What an interrupted run wrote names it as `run_id`; its note lets the next run give it a row of `runs`, and
remove what it staged. A run holds the lock of its note, and the kernel lets go of that however the process
ends; where a file system has no locks, no run is taken for interrupted. On S3 there are none, and so no
notes.
"""

import dataclasses
import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

from dicomae import tables
from dicomae.lake import delta, runs
from dicomae.lake.location import Location
from dicomae.lake.runs import Run

FOLDER = "_underway"
STAGING = "_staging"  # of folders named by their run, for what is no table yet


@contextmanager
def noted(root: Location, run: Run, before: dict[str, int]) -> Iterator[None]:
    """Keep a note while the block runs, and where it fails; `before` are the versions of what it writes."""
    if not isinstance(root, Path):
        yield
        return
    path = root / FOLDER / f"{run.run_id}.json"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"run": dataclasses.asdict(run), "before": before}, file, default=datetime.isoformat)
        file.flush()
        yield
    path.unlink(missing_ok=True)


def record_interrupted(root: Location) -> None:
    """Give each run that wrote and did not end its row of `runs`, without `finished`; forget the others.

    The folders that they staged in go.
    """
    if not isinstance(root, Path):
        return
    for path in sorted((root / FOLDER).glob("*.json")):
        try:
            file = path.open("r+", encoding="utf-8")
        except OSError:  # another run has just recorded it
            continue
        with file:
            note = _abandoned(file)  # and ours until it is closed: of runs that begin at once one records it
            if note is not None:
                _record(root, *note)
                path.unlink()


def changed(root: Location, before: dict[str, int]) -> dict[str, int]:
    """The newest versions of these tables that are others than before."""
    now = {table.name: delta.version(root, table) for table in tables.ALL if table.name in before}
    return {name: version for name, version in now.items() if version != before[name]}


def _abandoned(file: TextIO) -> tuple[Run, dict[str, int]] | None:
    """The note's run and its versions, where no process holds it any more."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        raw = json.load(file)
    except (OSError, json.JSONDecodeError):  # held, without locks, or killed before it was written
        return None
    return Run(**{**raw["run"], "started": datetime.fromisoformat(raw["run"]["started"])}), raw["before"]


def _record(root: Path, run: Run, before: dict[str, int]) -> None:
    wrote = changed(root, before)
    if wrote and run.run_id not in runs.recorded(root):
        summary = {"job": run.job, "run_id": run.run_id, "interrupted": True, "wrote": wrote}
        runs.record(root, run, summary, finished=None)
    shutil.rmtree(root / STAGING / run.run_id, ignore_errors=True)
