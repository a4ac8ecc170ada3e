"""What a person or a log sees of long work, on standard error: bars on a terminal, lines anywhere else."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from pyspark.sql import SparkSession
from tqdm import tqdm

_POLL_SECONDS = 0.3
_LINE_SECONDS = 15.0


class Seen(NamedTuple):
    """How far work has come."""

    done: int
    total: int | None = None  # None: not known
    detail: str = ""  # what else is worth telling: "3 quarantined, 12 MB"


def note(text: str) -> None:
    """Write one line to standard error; a bar that is being drawn stays below it."""
    tqdm.write(text, file=sys.stderr)


def bar(title: str, total: int | None, unit: str) -> "tqdm[Any]":
    """A bar for work that the driver does itself; it is drawn only on a terminal."""
    return tqdm(total=total, desc=f"  {title}", unit=unit, file=sys.stderr, leave=False, disable=None)


@contextmanager
def step(spark: SparkSession, title: str) -> Iterator[None]:
    """While the block runs, show how many of Spark's tasks are done; afterwards, how long it took."""
    with _watched(title, " tasks", partial(_tasks, spark)) as started:
        yield
    note(f"  {title}: {time.monotonic() - started:.1f} s")


@contextmanager
def files(title: str, look: Callable[[], Seen]) -> Iterator[None]:
    """While the block runs, show the files done, the rate and the time left; afterwards, the totals."""
    with _watched(title, " files", look) as started:
        yield
    seconds, seen = time.monotonic() - started, look()
    told = f"{seen.done:,} files, {seen.done / max(seconds, 1e-3):,.0f} files/s"
    note(f"  {title}: {seconds:.1f} s ({told}{seen.detail and ', '}{seen.detail})")


@contextmanager
def _watched(title: str, unit: str, look: Callable[[], Seen]) -> Iterator[float]:
    """Show what `look` returns until the block ends; the value of the block is the time when it began."""
    started, ended = time.monotonic(), threading.Event()
    watch = _draw if sys.stderr.isatty() else _tell
    watcher = threading.Thread(target=watch, args=(title, unit, look, ended), daemon=True)
    watcher.start()
    try:
        yield started
    finally:
        ended.set()
        watcher.join()


def _draw(title: str, unit: str, look: Callable[[], Seen], ended: threading.Event) -> None:
    with bar(title, None, unit) as shown:
        while not ended.wait(_POLL_SECONDS):
            shown.n, shown.total, detail = look()
            shown.set_postfix_str(detail, refresh=False)
            shown.refresh()


def _tell(title: str, unit: str, look: Callable[[], Seen], ended: threading.Event) -> None:
    started = time.monotonic()
    while not ended.wait(_LINE_SECONDS):
        note(f"  {title}: {in_words(look(), unit, time.monotonic() - started)}")


def in_words(seen: Seen, unit: str, seconds: float) -> str:
    """What is done after so many seconds: "1,200 of 5,000 files, 300 files/s, 00:12 left"."""
    rate = seen.done / seconds
    total = seen.total if seen.total and seen.done <= seen.total else None  # an archive holds many files
    told = [f"{seen.done:,} of {total:,}{unit}" if total else f"{seen.done:,}{unit}"]
    told.append(f"{rate:,.0f}{unit}/s" if rate >= 1 else f"{rate:.2f}{unit}/s")
    if total and seen.done:
        told.append(f"{tqdm.format_interval((total - seen.done) / rate)} left")
    return ", ".join([*told, *filter(None, [seen.detail])])


def _tasks(spark: SparkSession) -> Seen:
    tracker = spark.sparkContext.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    known = [stage for stage in stages if stage is not None]
    return Seen(sum(s.numCompletedTasks for s in known), sum(s.numTasks for s in known))
