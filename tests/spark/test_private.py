"""Only the owner reads what jobs make, nothing is left outside the tables, and nobody listens for others."""

import getpass
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import HOME
from files import CANARY, write_file
from processes import PATIENCE, below

SECRET = "correct-horse-battery-staple"
SETTINGS = f"""
body_part_rules = "{HOME}/conf/bodypart.toml"
[spark]
driver_memory = "1g"
[spark.options]
"spark.hadoop.fs.s3a.secret.key" = "{SECRET}"
"spark.ui.enabled" = "true"
[sample]
modalities = ["CT"]
split_by = "instance"
[funnel]
minimum_fill = 0.01
[training]
epochs = 1
candidates = [{{name = "a", hidden = [], bottleneck = 0.1, learning_rate = 0.001}}]
[clustering]
n_clusters = [2, 3]
[evaluation]
bootstrap_samples = 10
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
TORCH = f"torchinductor_{getpass.getuser()}"  # an empty cache of torch


class Watched:
    """What could be seen of a job by others while it ran: paths, command lines, addresses that answer."""

    def __init__(self, command: list[str], temporary: Path) -> None:
        self.readable: set[str] = set()
        self.commands: set[str] = set()
        self.addresses: set[str] = set()
        temporary.mkdir(mode=0o755)
        environment = {**os.environ, "TMPDIR": str(temporary)}
        environment.pop("SPARK_LOCAL_IP", None)
        command = ["sh", "-c", 'umask 0; exec "$@"', "sh", *command]
        out = temporary.with_suffix(".out")
        with open(out, "wb") as log:
            job = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd="/")
        for _ in range(PATIENCE * 10):
            if job.poll() is not None:
                break
            self._look(job.pid, temporary)
            time.sleep(0.1)
        self.code, self.text = job.returncode, out.read_text()

    def _look(self, pid: int, temporary: Path) -> None:
        self.readable |= set(_readable(temporary))
        for each in (pid, *below(pid)):
            self.commands.add(_read(Path(f"/proc/{each}/cmdline")).replace("\0", " "))
            self.addresses |= set(_listening(each))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def _listening(pid: int) -> Iterator[str]:
    """Addresses that a process listens on, as /proc/net/tcp writes them: 0100007F is 127.0.0.1."""
    try:
        opened = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return
    for table in ("tcp", "tcp6"):
        for line in _read(Path(f"/proc/{pid}/net/{table}")).splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in opened:
                yield local.partition(":")[0]


def _readable(top: Path) -> Iterator[str]:
    """Paths below `top` that others can read, or could in a folder that they can enter."""
    for path in sorted(top.iterdir()):
        try:
            mode = path.lstat().st_mode
            if stat.S_IMODE(mode) & 0o077:
                yield str(path)
            if stat.S_ISDIR(mode) and mode & 0o011:
                yield from _readable(path)
        except OSError:
            continue


def _open_to_others(top: Path) -> list[str]:
    return [str(path) for path in (top, *top.rglob("*")) if path.lstat().st_mode & 0o077]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few files with a canary, and a configuration."""
    top = tmp_path_factory.mktemp("private")
    for i in range(60):
        described = {"SeriesDescription": f"kind {i % 3}", "KVP": str(80 + i % 7), "XRayTubeCurrent": str(i)}
        write_file(top / "pacs" / f"{i}.dcm", f"1.{i}", f"P{i % 30}", BodyPartExamined="HEAD", **described)
    (top / "conf.toml").write_text(f'extends = "{HOME}/conf/local.toml"\n{SETTINGS}')
    return top


def test_others_read_nothing_of_an_experiment(place: Path) -> None:
    tables, out = place / "t", place / "out" / "report.html"
    named = ["--source", place / "pacs", "--tables", tables, "--out", out, "--conf-file", place / "conf.toml"]
    script = str(HOME / "jobs" / "experiment.py")
    seen = Watched([sys.executable, script, *map(str, named)], place / "tmp")
    assert seen.code == 0, seen.text
    assert _open_to_others(tables) + _open_to_others(out.parent) == []
    assert {path for path in seen.readable if not Path(path).name.startswith("tmp")} == set()
    assert [path for path in (place / "tmp").iterdir() if path.name != TORCH] == []
    assert any("java" in command for command in seen.commands)
    assert [command for command in seen.commands if SECRET in command or CANARY in command] == []
    assert seen.addresses
    assert seen.addresses <= LOOPBACK


def test_under_spark_submit_too(place: Path) -> None:
    tables = place / "submitted"
    named = ["--source", place / "pacs", "--tables", tables, "--conf-file", place / "conf.toml"]
    submit = [str(Path(sys.executable).parent / "spark-submit"), "--master", "local[1]"]
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    seen = Watched([*submit, str(HOME / "jobs" / "ingest.py"), *map(str, named)], place / "tmp2")
    assert seen.code == 0, seen.text
    assert _open_to_others(tables) == []
    assert list((place / "tmp2").iterdir()) == []
    assert seen.addresses
    assert seen.addresses <= LOOPBACK
