"""What a person or a log sees of long work: bars on a terminal, lines elsewhere; standard error only."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession
from tqdm import tqdm

_POLL_SECONDS = 0.3
_LINE_SECONDS = 15.0


def note(text: str) -> None:
    """One line to standard error, above a bar that may be there."""
    tqdm.write(text, file=sys.stderr)


def bar(title: str, total: int, unit: str) -> "tqdm[Any]":
    """A bar for work that the driver does itself; nothing where standard error is no terminal."""
    return tqdm(total=total, desc=f"  {title}", unit=unit, file=sys.stderr, leave=False, disable=None)


@contextmanager
def step(spark: SparkSession, title: str) -> Iterator[None]:
    """Show how many of Spark's tasks are done while the block runs, and its seconds afterwards."""
    started = time.monotonic()
    done = threading.Event()
    watch = _draw if sys.stderr.isatty() else _tell
    watcher = threading.Thread(target=watch, args=(spark, title, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    note(f"  {title}: {time.monotonic() - started:.1f} s")


def _draw(spark: SparkSession, title: str, done: threading.Event) -> None:
    with bar(title, 0, "task") as shown:
        while not done.wait(_POLL_SECONDS):
            finished, total = _tasks(spark)
            if total and shown.total != total:
                shown.reset(total)
            shown.n = finished
            shown.refresh()


def _tell(spark: SparkSession, title: str, done: threading.Event) -> None:
    while not done.wait(_LINE_SECONDS):
        finished, total = _tasks(spark)
        note(f"  {title}: {finished} of {total} tasks")


def _tasks(spark: SparkSession) -> tuple[int, int]:
    tracker = spark.sparkContext.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    known = [stage for stage in stages if stage is not None]
    return sum(s.numCompletedTasks for s in known), sum(s.numTasks for s in known)
