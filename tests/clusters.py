"""Spark's own cluster on loopback, of the pyspark package alone: a master and workers of one core each."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pyspark
from processes import PATIENCE, below

SPARK = Path(pyspark.__file__).parent
_CLASS = "org.apache.spark.deploy"
EXECUTOR = "CoarseGrainedExecutorBackend"


class Cluster:
    """Processes of a cluster; `master` is what a configuration names."""

    def __init__(self, folder: Path, workers: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.master, self.folder = f"spark://127.0.0.1:{port}", folder
        self.processes = [self._start("master.Master", "--port", port)]
        self._wait_for("Starting Spark master", 1)
        for _ in range(workers):
            self.processes.append(self._start("worker.Worker", "-c", "1", "-m", "2g", self.master))
        self._wait_for("Registering worker", workers)

    def executors(self) -> list[int]:
        """Ids of the executors' processes."""
        pids = [pid for process in self.processes for pid in below(process.pid)]
        return [pid for pid in pids if EXECUTOR in _command(pid)]

    def end(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(PATIENCE)

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(SPARK / "bin" / "spark-class"), f"{_CLASS}.{what}", "--host", "127.0.0.1"]
        environment = {**os.environ, "SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": "127.0.0.1"}
        environment["SPARK_WORKER_DIR"] = str(self.folder)
        with open(self.folder / f"{what}.log", "ab") as log:
            whole = [*command, "--webui-port", "0", *arguments]
            return subprocess.Popen(whole, env=environment, stdout=log, stderr=log)

    def _wait_for(self, text: str, times: int) -> None:
        log = self.folder / "master.Master.log"
        for _ in range(PATIENCE * 10):
            if log.read_text().count(text) >= times:
                return
            assert all(process.poll() is None for process in self.processes), log.read_text()
            time.sleep(0.1)
        raise TimeoutError(log.read_text())


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    """A cluster that ends with the context."""
    folder.mkdir()
    started = Cluster(folder, workers)
    try:
        yield started
    finally:
        started.end()


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):  # it has ended meanwhile
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""
