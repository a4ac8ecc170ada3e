"""Jobs under spark-submit: results on standard output, progress and errors on standard error."""

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import HOME
from files import write_file


def _submit(job: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    submit = [str(Path(sys.executable).parent / "spark-submit"), "--master", "local[1]"]
    environment = {**os.environ, "SPARK_CONF_DIR": str(HOME / "conf"), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment["PYSPARK_PYTHON"] = sys.executable
    command = [*submit, str(HOME / "jobs" / f"{job}.py"), *map(str, arguments)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/", env=environment, timeout=300
    )


def test_progress_is_not_on_standard_output(tmp_path: Path) -> None:
    write_file(tmp_path / "pacs" / "1.dcm", "1.1")
    done = _submit("ingest", "--source", tmp_path / "pacs", "--tables", tmp_path / "t")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["rows"] == 1
    assert "ingest: run" not in done.stdout
    assert "ingest: run" in done.stderr
    assert " INFO " not in done.stderr


def test_an_error_is_on_standard_error(tmp_path: Path) -> None:
    done = _submit("sample", "--tables", tmp_path / "mistyped→")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: --tables {tmp_path / 'mistyped→'}: no such folder" in done.stderr
