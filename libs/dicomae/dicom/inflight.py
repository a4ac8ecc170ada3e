"""Reads one after the other where the source is quick, many at once where it makes one wait.

    the caller waits ──► one thread reads ──► quick: it reads them all
                              └─ slow: up to `THREADS` read ──► a read that hangs is given up

All reads run in threads, so that one that never returns holds nothing up: its thread is left behind,
and, being a daemon, does not keep the process alive. A thread cannot be ended: what it holds (a
descriptor, a few KiB) is held until the system answers.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

THREADS = 64
SLOW_SECONDS = 0.0005  # a read; a warm local disk takes a fortieth
WATCH_SECONDS = 0.01  # between two looks at how it goes

T = TypeVar("T")


def read_all(read: Callable[[int], T], n: int, timeout_seconds: float) -> list[T | None]:
    """`read(i)` for each i below n; None for a read that takes longer than `timeout_seconds`.

    When all `THREADS` threads hang, what was not begun is None too: the source does not answer.

    Raises
    ------
    Exception
        What `read` raised, of the first that did.
    """
    return _Crew(read, n, timeout_seconds).results()


class _Crew(Generic[T]):
    """Threads that share a list of reads."""

    def __init__(self, read: Callable[[int], T], n: int, timeout_seconds: float) -> None:
        self._read, self._n, self._timeout = read, n, timeout_seconds
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._results: list[T | None] = [None] * n
        self._next = self._settled = self._hired = 0
        self._busy: dict[object, tuple[int, float]] = {}  # a thread's own token → its read, and since when
        self._error: Exception | None = None

    def results(self) -> list[T | None]:
        if self._n == 0:
            return []
        self._hire(1)
        looked, settled = time.monotonic(), 0
        while not self._over.wait(WATCH_SECONDS):
            now = time.monotonic()
            # No thread is hired twice for the same wait: the crew grows once.
            if now - looked > SLOW_SECONDS * (self._settled - settled):
                self._hire(min(THREADS, self._n) - self._hired)
            looked, settled = now, self._settled
            self._give_up(now)
        if self._error is not None:
            raise self._error
        return self._results

    def _hire(self, n: int) -> None:
        for _ in range(n):
            self._hired += 1
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        token = object()
        i = self._take(token)
        while i is not None:
            try:
                result = self._read(i)
            except Exception as error:  # noqa: BLE001 (handed to the caller's thread)
                self._error = self._error or error
                self._over.set()
                return
            i = self._take(token, i, result)

    def _take(self, token: object, done: int | None = None, result: T | None = None) -> int | None:
        """Hand in a result and take the next read; None when there is none, or the thread was given up."""
        with self._lock:
            if done is not None:
                if self._busy.pop(token, None) is None:
                    return None
                self._results[done] = result
                self._settle(1)
            if self._next == self._n or self._over.is_set():
                return None
            i = self._next
            self._next += 1
            self._busy[token] = i, time.monotonic()
            return i

    def _give_up(self, now: float) -> None:
        """Leave behind the threads that hang; without any other to read on, that is all."""
        with self._lock:
            hanging = [token for token, (_, since) in self._busy.items() if now - since > self._timeout]
            for token in hanging:
                del self._busy[token]
            self._settle(len(hanging))
            if hanging and not self._busy and self._hired == THREADS:
                self._over.set()

    def _settle(self, n: int) -> None:
        self._settled += n
        if self._settled == self._n:
            self._over.set()
