"""SIGTERM as a wish: the job ends after its next commit."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dicomae.spark.progress import note


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
