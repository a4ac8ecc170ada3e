"""Jobs as processes of their own, and those that it has started, by /proc."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conftest import HOME

PATIENCE = 300  # seconds; nothing takes that long unless it hangs


def call(job: str, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a job."""
    command = [sys.executable, str(HOME / "jobs" / f"{job}.py"), *arguments]
    settings: dict[str, Any] = {"capture_output": True, "text": True, "cwd": "/", "env": env}
    done = subprocess.run(command, check=False, timeout=PATIENCE, **settings)
    return done.returncode, done.stdout, done.stderr


class Run:
    """A run of jobs/ingest.py; `seen` are the processes below it when one was killed.

    Parameters
    ----------
    starter : a command that starts the job's.
    """

    def __init__(
        self, source: Path, root: Path, configuration: Path, log: Path, starter: Sequence[str] = ()
    ) -> None:
        arguments = ["--source", source, "--tables", root, "--conf-file", configuration]
        command = [*starter, sys.executable, str(HOME / "jobs" / "ingest.py"), *map(str, arguments)]
        self.log, self.answer = log.with_suffix(".err"), log.with_suffix(".out")
        with open(self.log, "wb") as errors, open(self.answer, "wb") as answer:
            self.process = subprocess.Popen(command, stdout=answer, stderr=errors)
        self.seen: set[int] = set()

    def wait_for(self, seen: Callable[[], bool]) -> bool:
        """Whether something was seen before the job ended."""
        for _ in range(PATIENCE * 100):
            if self.process.poll() is not None:
                return False
            if seen():
                return True
            time.sleep(0.01)
        raise TimeoutError

    def has_begun(self) -> bool:
        return "ingest: run " in self.log.read_text(errors="replace")

    def end(self) -> tuple[int, list[str], str]:
        """Exit code, the last line of standard output where there is one, standard error."""
        code = self.process.wait(PATIENCE)
        return code, self.answer.read_text().splitlines()[-1:], self.log.read_text(errors="replace")

    def kill(self, victim: str, chance: random.Random) -> bool:
        """SIGKILL the driver, its JVM or one of the Python workers; whether there was one to kill."""
        mine = below(self.process.pid)
        self.seen |= set(mine)
        found = {
            "driver": [self.process.pid],
            "jvm": [pid for pid, name in mine.items() if name == "java"],
            "worker": [pid for pid, name in mine.items() if name.startswith("python")],
        }[victim]
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(sorted(found)), signal.SIGKILL)
        return bool(found)

    def leaves_nothing(self) -> bool:
        """Whether all that was seen of its processes ends too."""
        for _ in range(PATIENCE * 10):
            if not any(Path(f"/proc/{pid}").exists() for pid in self.seen):
                return True
            time.sleep(0.1)
        return False


def below(top: int) -> dict[int, str]:
    """Id and name of every process below one, itself left out."""
    found: dict[int, tuple[int, str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            head, _, tail = stat.read_text(errors="replace").rpartition(")")
            found[int(stat.parent.name)] = (int(tail.split()[1]), head.partition("(")[2])
    known, new = {top}, {top}
    while new := {pid for pid, (parent, _) in found.items() if parent in new and pid not in known}:
        known |= new
    return {pid: found[pid][1] for pid in known - {top}}
