"""SIGTERM: what Ctrl-C is, or where an ingest reads and commits, a wish: it ends after its next commit."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dicomae.runtime.progress import note

CAME = threading.Event()  # SIGTERM has come to this process; perhaps to all of its group, Java among them


def interrupt_on_sigterm() -> None:
    """Let SIGTERM do from here on what Ctrl-C does, so that the job ends with a sentence."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    CAME.set()
    on_ctrl_c = signal.getsignal(signal.SIGINT)  # once Spark has started, it cancels what runs
    if callable(on_ctrl_c):
        on_ctrl_c(number, frame)
    raise KeyboardInterrupt


@contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """Where SIGTERM or Ctrl-C comes while the block runs, KeyboardInterrupt is raised at its end.

    A Java that is starting would stay for ever: PySpark removes the folder in which it is to say where it is.
    """
    came = threading.Event()

    def wish(number: int, _: FrameType | None) -> None:
        note("  interrupted: ends when Spark has started")
        came.set()
        if number == signal.SIGTERM:
            CAME.set()

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
def on_sigterm(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM set `stop` while the block runs; for the main thread, where Python has its signals."""

    def wish(_: int, __: FrameType | None) -> None:
        note("  SIGTERM: ends after the next commit")
        CAME.set()
        stop.set()

    before = signal.signal(signal.SIGTERM, wish)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
