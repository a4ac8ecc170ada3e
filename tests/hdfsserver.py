"""A real HDFS on loopback, for the tests: Hadoop's mini cluster, in a Java process of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
from conftest import HOME

FOLDER = Path(os.environ.get("ARROW_LIBHDFS_DIR", "/nonexistent"))  # as scripts/stage-hdfs fills it
CLUSTER = FOLDER / "hadoop-client-minicluster.jar"
_JARS = Path(pyspark.__file__).parent / "jars"  # Hadoop's client is among them
# A client gives up a data node after seconds; not here.
_SETTINGS = """<configuration>
<property><name>dfs.client.retry.window.base</name><value>10</value></property>
</configuration>"""


class Hdfs:
    """A name node and a data node."""

    def __init__(self, process: subprocess.Popen[str], settings: Path) -> None:
        self._process, self._settings = process, settings
        port = self._answer()
        if not port.isdigit():
            raise RuntimeError("the mini cluster did not start; is `java` a JDK?")
        self.uri = f"hdfs://127.0.0.1:{port}"

    def do(self, *command: str) -> None:
        """`stop` or `start` the data node, or do what the shell of Hadoop knows: `-put`, `-chmod`."""
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(command) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if answer != "0":
            raise RuntimeError(f"{command}: {answer}")

    def environment(self, user: str) -> dict[str, str]:
        """What a job needs to reach it, as a user who is not its owner."""
        java = Path(os.environ.get("JAVA_HOME") or Path(shutil.which("java") or "").resolve().parents[1])
        named = {"CLASSPATH": f"{self._settings}:{_JARS}/*", "JAVA_HOME": str(java), "HADOOP_USER_NAME": user}
        return {**os.environ, **named}

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def serving(folder: Path) -> Iterator[Hdfs]:
    """An HDFS that is empty, and ends with the context."""
    (folder / "hdfs-site.xml").write_text(_SETTINGS)
    java = ["java", "-Xmx256m", "-cp", f"{CLUSTER}:{_JARS}/*", "-Dfile.encoding=UTF-8"]
    command = [*java, str(HOME / "tests" / "MiniHdfs.java"), str(folder / "data")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}  # by which Java takes the names of files
    with subprocess.Popen(command, text=True, env=environment, **pipes) as process:
        try:
            yield Hdfs(process, folder)
        finally:
            process.kill()
