"""SIGTERM: what Ctrl-C is, or where an ingest reads, a wish: it ends after its next commit."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dicomae.spark.progress import note


def interrupt_on_sigterm() -> None:
    """Let SIGTERM raise KeyboardInterrupt from here on, so that the job ends with a sentence."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """Where SIGTERM or Ctrl-C comes while the block runs, KeyboardInterrupt is raised at its end.

    A Java that is starting would stay for ever: PySpark removes the folder in which it is to say where it is.
    """
    came = threading.Event()

    def wish(_: int, __: FrameType | None) -> None:
        note("  interrupted: ends when Spark has started")
        came.set()

    before = {number: signal.signal(number, wish) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is wish:  # for Ctrl-C Spark has its own by now
                signal.signal(number, handler)
    if came.is_set():
        raise KeyboardInterrupt


@contextmanager
def on_sigterm() -> Iterator[threading.Event]:
    """An event that SIGTERM sets while the block runs; for the main thread, where Python has its signals."""
    stop = threading.Event()

    def wish(_: int, __: FrameType | None) -> None:
        note("  SIGTERM: ends after the next commit")
        stop.set()

    before = signal.signal(signal.SIGTERM, wish)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
