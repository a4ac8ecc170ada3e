"""Runs that have begun and not ended: each has a note, such as `_underway/20261201T021500-train-5ef2a1.json`.

Rows that an interrupted run wrote carry its `run_id`. From its note, the next run gives the interrupted run
its row of `runs`, and removes the files that it staged.

A run holds a lock on its note. The kernel releases the lock when the process ends, even by SIGKILL: a note
without a lock is that of an interrupted run. On a file system without locks no run is taken for interrupted.
On S3, which has no locks, there are no notes.

`_underway/lock` keeps a run that must be alone, such as `forget`, apart from all others: every run shares it,
and a run that must be alone holds it for itself.
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
from dicomae.errors import JobError, UsageError
from dicomae.lake import delta, runs
from dicomae.lake.location import Location
from dicomae.lake.runs import Run

FOLDER = "_underway"
STAGING = "_staging"  # has a folder for each run, with its files that belong to no table yet
LOCK = "lock"


@contextmanager
def at_work(root: Location, *, alone: bool) -> Iterator[None]:
    """Hold the tables while the block runs: together with other runs or, when `alone`, without any.

    Raises
    ------
    JobError
        Another run is under way and must be alone, or this one must.
    UsageError
        This one must be alone, and the file system has no locks.
    """
    if not isinstance(root, Path):
        yield
        return
    (root / FOLDER).mkdir(exist_ok=True)
    with (root / FOLDER / LOCK).open("a") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobError(f"--tables {root}: {_BUSY[alone]}") from None
        except OSError:
            if alone:
                raise UsageError(f"--tables {root}: {_NO_LOCKS}") from None
        yield


_BUSY = {
    True: "another run is under way, and this one needs the tables alone; run it again when that has ended",
    False: "a run that needs the tables alone is under way (jobs/forget.py); run again when it has ended",
}
_NO_LOCKS = "its file system has no locks, so other runs cannot be kept away; work on a copy on a local disk"


@contextmanager
def noted(root: Location, run: Run, before: dict[str, int]) -> Iterator[None]:
    """Keep the run's note while the block runs, and also when the block fails.

    Parameters
    ----------
    before : version of each table that the run writes, before it does.
    """
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
    """Give each interrupted run that changed a table its row of `runs`, in which `finished` is null.

    The notes of all interrupted runs are removed, and so are the files that they staged.
    """
    if not isinstance(root, Path):
        return
    for path in sorted((root / FOLDER).glob("*.json")):
        try:
            file = path.open("r+", encoding="utf-8")
        except OSError:  # another run has just recorded it
            continue
        with file:
            note = _abandoned(file)  # locked until it is closed, so that one of several runs records it
            if note is not None:
                _record(root, *note)
                path.unlink()


def changed(root: Location, before: dict[str, int]) -> dict[str, int]:
    """The tables whose newest version is not the one in `before`, each with that newest version."""
    now = {table.name: delta.version(root, table) for table in tables.ALL if table.name in before}
    return {name: version for name, version in now.items() if version != before[name]}


def _abandoned(file: TextIO) -> tuple[Run, dict[str, int]] | None:
    """The run of a note, and its table versions; None while a process holds the note."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        raw = json.load(file)
    except (OSError, json.JSONDecodeError):  # locked, no locks here, or killed before the note was written
        return None
    return Run(**{**raw["run"], "started": datetime.fromisoformat(raw["run"]["started"])}), raw["before"]


def _record(root: Path, run: Run, before: dict[str, int]) -> None:
    wrote = changed(root, before)
    if wrote and run.run_id not in runs.recorded(root):
        summary = {"job": run.job, "run_id": run.run_id, "interrupted": True, "wrote": wrote}
        runs.record(root, run, summary, finished=None)
    shutil.rmtree(root / STAGING / run.run_id, ignore_errors=True)
