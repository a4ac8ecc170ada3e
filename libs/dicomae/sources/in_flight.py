"""Reads one after the other when the source is quick, many at once when it is slow.

    the caller watches ──► one thread reads ──► quick: it makes all reads
                               └─ slow: up to `THREADS` threads read ──► a read that hangs is given up

All reads are made in threads, so that a read that never returns holds nothing up. Its thread is left behind.
It is a daemon, and so does not keep the process alive. A thread cannot be ended: what it holds (a
descriptor, a few KiB) is held until the system answers.

A thread that has done its work waits for the next. The memory allocator gives what a thread has read back to
the system when the thread ends, and that costs more than the reads.
"""

import os
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from operator import length_hint
from typing import Generic, TypeVar

THREADS = 64
SLOW_SECONDS = 0.0005  # a read; a warm local disk takes a fiftieth
WATCH_SECONDS = 0.005  # between two looks at how it goes

T = TypeVar("T")


def read_all(read: Callable[[int], T], n: int, timeout_seconds: float) -> list[T | None]:
    """`read(i)` for each i below n; None for a read that takes longer than `timeout_seconds`.

    When all `THREADS` threads hang, the source does not answer: the reads that have not begun are None too.

    Raises
    ------
    Exception
        What `read` raised, of the first that did.
    """
    return _Crew(read, n, timeout_seconds).results()


class Wait:
    """How long an answer of the system has been waited for. One thread tells, another asks."""

    def __init__(self) -> None:
        self._since: float | None = None

    def begin(self) -> None:
        """Say that the system is asked now."""
        self._since = time.monotonic()

    def end(self) -> None:
        """Say that it has answered."""
        self._since = None

    def seconds(self) -> float:
        """Seconds since the system was asked; 0 while no answer is waited for."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since


def watched(work: Callable[[], T], wait: Wait, timeout_seconds: float) -> T:
    """`work()`, which may take long as a whole, but must not wait long for one answer of a system.

    Parameters
    ----------
    wait : where the work says when it begins and ends to wait.

    Raises
    ------
    TimeoutError
        An answer took longer than `timeout_seconds`. The thread that waits is left behind, with all it holds.
    Exception
        What `work` raised.
    """
    ended: queue.SimpleQueue[tuple[T] | Exception] = queue.SimpleQueue()

    def answer() -> None:
        try:
            ended.put((work(),))
        except Exception as error:  # noqa: BLE001 (raised in the caller's thread)
            ended.put(error)

    _begin(answer)
    while True:
        try:
            found = ended.get(timeout=min(1.0, timeout_seconds / 4))
        except queue.Empty:
            if wait.seconds() > timeout_seconds:
                raise TimeoutError(f"no answer within {timeout_seconds:g} s") from None
            continue
        if isinstance(found, Exception):
            raise found
        return found[0]


def answered(ask: Callable[[], T], timeout_seconds: float) -> T:
    """What one call of a system gives, `ask()`.

    Raises
    ------
    TimeoutError
        It took longer than `timeout_seconds`. The thread that waits is left behind, with all it holds.
    Exception
        What `ask` raised.
    """
    wait = Wait()
    wait.begin()
    return watched(ask, wait, timeout_seconds)


class _Crew(Generic[T]):
    """Threads that share a list of reads.

    The threads take no lock, because a quick read costs little more than a lock. Each step that they share
    (the next number, one entry of a list or of a dict) is a single operation of the interpreter.
    """

    def __init__(self, read: Callable[[int], T], n: int, timeout_seconds: float) -> None:
        self._read, self._timeout = read, timeout_seconds
        self._size = min(THREADS, n)
        self._results: list[T | None] = [None] * n
        self._left = iter(range(n))
        self._begun: dict[int, float] = {}  # a member's number → when its read began
        self._working: set[int] = set()
        self._hired = 0
        self._ended: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()

    def results(self) -> list[T | None]:
        self._hire(min(1, self._size))
        looked, left = time.monotonic(), length_hint(self._left)
        while self._working:
            try:
                ended = self._ended.get(timeout=WATCH_SECONDS)
            except queue.Empty:
                now, before, left = time.monotonic(), left, length_hint(self._left)
                if now - looked > SLOW_SECONDS * (before - left):
                    self._hire(self._size - self._hired)
                self._give_up(now)
                looked = now
                continue
            if isinstance(ended, Exception):
                raise ended
            self._working.discard(ended)
        return self._results

    def _hire(self, n: int) -> None:
        for member in range(self._hired, self._hired + n):
            self._working.add(member)
            _begin(partial(self._work, member))
        self._hired += n

    def _give_up(self, now: float) -> None:
        """Leave behind the members whose read takes too long."""
        self._working -= {
            member for member, began in list(self._begun.items()) if now - began > self._timeout
        }

    def _work(self, member: int) -> None:
        begun, working, results, read = self._begun, self._working, self._results, self._read
        try:
            for i in self._left:
                begun[member] = time.monotonic()
                result = read(i)
                if member not in working:
                    return
                results[i] = result
        except Exception as error:  # noqa: BLE001 (raised in the caller's thread)
            self._ended.put(error)
        begun.pop(member, None)
        self._ended.put(member)


class _Thread:
    """A thread that does one piece of work after another."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._live, daemon=True).start()

    def _live(self) -> None:
        while True:
            self.inbox.get()()
            _IDLE.append(self)


def _begin(work: Callable[[], None]) -> None:
    """Do the work in a thread that waits, or in a new one. The work must not raise."""
    try:
        thread = _IDLE.pop()
    except IndexError:
        thread = _Thread()
    thread.inbox.put(work)


_IDLE: list[_Thread] = []
os.register_at_fork(after_in_child=_IDLE.clear)  # threads do not come along
