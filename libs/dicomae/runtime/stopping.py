"""What SIGTERM does: it ends a job as Ctrl-C does, and an ingest that reads files after its next commit."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dicomae.runtime.progress import note

# Set when SIGTERM comes to this process. It may have come to the whole process group, and so to Java too.
CAME = threading.Event()


def interrupt_on_sigterm() -> None:
    """Let SIGTERM do what Ctrl-C does from now on, so that the job ends with a sentence."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    CAME.set()
    on_ctrl_c = signal.getsignal(signal.SIGINT)  # once Spark has started, it cancels what runs
    if callable(on_ctrl_c):
        on_ctrl_c(number, frame)
    raise KeyboardInterrupt


@contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """When SIGTERM or Ctrl-C comes while the block runs, raise KeyboardInterrupt at the end of the block.

    The block starts Java. If it were interrupted, Java would stay for ever: PySpark would remove the folder
    in which Java writes its port.
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
    """Let SIGTERM set `stop` while the block runs; only Python's main thread may call it."""

    def wish(_: int, __: FrameType | None) -> None:
        note("  SIGTERM: ends after the next commit")
        CAME.set()
        stop.set()

    before = signal.signal(signal.SIGTERM, wish)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
