"""What crosses to a task and back: paths mean the same there, and failures stay the sentences they were."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import cluster
from conftest import HOME
from files import write_file

FAILING = """
import sys
from pathlib import Path
import pyarrow as pa
from dicomae import errors, tables
from dicomae.runtime.command import main
from dicomae.runtime.job import Job
from dicomae.spark import frames, tasks

def run(context):
    kind, way = context.arguments.kind, context.arguments.way

    def task(_):
        raise getattr(errors, kind)("/pâcs: not\\nhere")

    if way == "items":
        return tasks.run(context.spark, [1, 2], task, pa.schema([]))
    return frames.write_parts(context.spark.range(9), context.root, tables.HEADERS, lambda: task)

def add_arguments(parser):
    parser.add_argument("--kind")
    parser.add_argument("--way")

task_fails = Job("sample", lambda context: run(context), None, (), creates_tables=True)
sys.exit(main([task_fails], "", add_arguments))
"""


@pytest.fixture(scope="module", params=["local", "cluster"])
def configuration(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration of two local cores, or of a cluster whose executors have other working directories."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "local":
        yield _configuration(folder, "local[2]")
        return
    with cluster(folder / "cluster", workers=1) as spark_cluster:
        yield _configuration(folder, spark_cluster.master)


def _configuration(folder: Path, master: str) -> Path:
    path = folder / "conf.toml"
    head = f'extends = "{HOME}/conf/local.toml"\nbody_part_rules = "{HOME}/conf/bodypart.toml"\n'
    path.write_text(f'{head}[spark]\nmaster = "{master}"\ndriver_memory = "1g"\n')
    return path


def _call(cwd: Path, *arguments: object) -> tuple[int, str, str]:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, timeout=300)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("kind", "way", "code"), [("UsageError", "items", 2), ("JobError", "rows", 1)])
def test_what_a_task_explains_ends_the_job_with_its_sentence_and_code(
    tmp_path: Path, configuration: Path, kind: str, way: str, code: int
) -> None:
    script = tmp_path / "sample.py"
    script.write_text(FAILING)
    named = ("--tables", tmp_path / "t", "--conf-file", configuration, "--kind", kind, "--way", way)
    found, out, errors = _call(tmp_path, script, *named)
    assert (found, out) == (code, ""), errors
    assert errors.endswith("error: /pâcs: not\nhere\n")
    assert not (tmp_path / "t" / "_last_error.txt").exists()


def test_relative_paths_are_those_of_the_driver(tmp_path: Path, configuration: Path) -> None:
    write_file(tmp_path / "pacs" / "1.dcm", "1.1")
    (tmp_path / "list.csv").write_text(f"path\n{tmp_path}/pacs/1.dcm\n")
    common = ("--tables", "t", "--conf-file", configuration)
    calls: list[tuple[str, ...]] = [
        ("ingest", "--source", "pacs"),
        ("ingest", "--source", "./pacs", "--inventory", "list.csv"),
        ("retry", "--source", "pacs"),
    ]
    for job, *named in calls:
        code, out, errors = _call(tmp_path, HOME / "jobs" / f"{job}.py", *named, *common)
        assert code == 0, errors
        counts = json.loads(out.splitlines()[-1])
        assert (counts["rows"], counts["quarantined"]) == (1, 0)
