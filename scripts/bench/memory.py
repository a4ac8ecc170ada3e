"""Resident memory of a Spark session on one machine: the driver with its JVM, and the Python workers."""

import contextlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_SECONDS, MIB = 0.2, 1 << 20


@dataclass
class Memory:
    """Peaks of resident memory in MiB while the block runs, of this process and those it has started."""

    worker: float = 0.0
    driver: float = 0.0
    _done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Memory":
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            mine = processes(os.getpid())
            driver = [rss for name, pid, rss in mine if name == "java" or pid == os.getpid()]
            workers = [rss for name, pid, rss in mine if name.startswith("python") and pid != os.getpid()]
            self.driver = max(self.driver, sum(driver))
            self.worker = max(self.worker, *workers, 0.0)


def processes(top: int) -> list[tuple[str, int, float]]:
    """Name, id and resident MiB of a process and all below it."""
    found: dict[int, tuple[str, int, float]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            head, _, tail = stat.read_text(errors="replace").rpartition(")")
            fields = tail.split()
            rss = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / MIB
            found[int(stat.parent.name)] = (head.partition("(")[2], int(fields[1]), rss)
    below, new = {top}, {top}
    while new := {pid for pid, (_, parent, _) in found.items() if parent in new and pid not in below}:
        below |= new
    return [(found[pid][0], pid, found[pid][2]) for pid in below if pid in found]
