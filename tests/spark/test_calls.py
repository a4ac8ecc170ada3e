"""Bad calls of the jobs: one clear sentence on standard error, nothing on standard output, exit code 2."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import HOME
from deltalake import DeltaTable
from files import write_file


def _call(job: str, *arguments: object) -> tuple[int, str, str]:
    command = [sys.executable, str(HOME / "jobs" / f"{job}.py"), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", timeout=300)
    last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
    return done.returncode, done.stdout, last[0] if last else ""


def _configuration(folder: Path, text: str) -> Path:
    path = folder / "conf.toml"
    head = f'extends = "{HOME}/conf/local.toml"\nbody_part_rules = "{HOME}/conf/bodypart.toml"\n'
    path.write_text(head + text)
    return path


def test_a_missing_folder(tmp_path: Path) -> None:
    code, out, line = _call("ingest", "--source", tmp_path / "nowhere", "--tables", tmp_path / "t")
    assert (code, out) == (2, "")
    assert f"--source {tmp_path / 'nowhere'}: no such folder" in line
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("job", "call", "words"),
    [
        ("ingest", ("--source", "", "--tables", "{here}/t"), "argument --source: is empty; give a value"),
        ("ingest", ("--source", "{here}", "--tables", ""), "argument --tables: is empty; give a value"),
        ("ingest", ("--table", "x", "--columns", "", "--tables", "{here}/t"), "argument --columns: is empty"),
        ("ingest", ("--source", "{here}", "--tables", "{here}/t", "--jars-dir", ""), "--jars-dir: is empty"),
        ("retry", ("--source", "", "--tables", "{here}/t"), "argument --source: is empty; give a value"),
        ("retry", ("--reason", "", "--tables", "{here}/t"), "argument --reason: is empty; give a value"),
        ("retry", ("--conf-file", "", "--tables", "{here}/t"), "argument --conf-file: is empty"),
        ("retry", ("--source", "/nope", "--tables", "{here}/t"), "--source /nope: no such folder"),
    ],
)
def test_an_argument_that_names_nothing(tmp_path: Path, job: str, call: tuple[str, ...], words: str) -> None:
    code, out, line = _call(job, *(word.replace("{here}", str(tmp_path)) for word in call))
    assert (code, out) == (2, "")
    assert words in line
    assert list(tmp_path.iterdir()) == []


WAITING = """
import runpy, sys, time
from dicomae import config
load = config.load
def slowly(path):
    print("reads", flush=True)
    time.sleep(300)
config.load = slowly
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_sigterm_before_spark_starts(tmp_path: Path) -> None:
    script = HOME / "jobs" / "sample.py"
    command = [sys.executable, "-c", WAITING, str(script), "--tables", str(tmp_path / "t")]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert job.stdout is not None
    assert job.stdout.readline() == "reads\n"
    job.send_signal(signal.SIGTERM)
    out, errors = job.communicate(timeout=300)
    assert (job.returncode, out, errors) == (1, "", "error: interrupted; run again to go on\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 5000 + "]" * 5000, "nested deeper than 16 levels"),
        ("extends = '/dev/zero'", "/dev/zero: not a readable TOML file: not a regular file"),
        (f"[ingest]\nbatch_files = 1{'0' * 30}", "'ingest.batch_files' must be from 1 to 100000, not 1000"),
        ("[training]\nthreads = 100_000_000", "'training.threads' must be from 1 to 1024, not 100000000"),
        ("[evaluation]\nbootstrap_samples = 1_000_000_000_000", "bootstrap_samples' must be from 1 to 100"),
    ],
    ids=range(5),
)
def test_what_no_machine_can_take_is_told_before_anything_is_written(
    tmp_path: Path, text: str, words: str
) -> None:
    path = _configuration(tmp_path, text)
    if text.startswith("extends"):
        path.write_text(text)
    write_file(tmp_path / "pacs" / "1.dcm", "1.1")
    named = ("--source", tmp_path / "pacs", "--tables", tmp_path / "t", "--conf-file", path)
    code, out, line = _call("experiment", *named)
    assert (code, out) == (2, "")
    assert words in line
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%20b", "it's [a] {x}"])
def test_a_name_of_tables_that_delta_cannot_open(tmp_path: Path, name: str) -> None:
    write_file(tmp_path / "pacs" / "1.dcm", "1.1")
    code, out, line = _call("ingest", "--source", tmp_path / "pacs", "--tables", tmp_path / name)
    assert (code, out) == (2, "")
    assert f"--tables {tmp_path / name}: Delta cannot open a folder whose path has" in line
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("job", ["ingest", "experiment"])
@pytest.mark.parametrize("is_uri", [False, True])
def test_tables_inside_the_source_leave_it_as_it_was(tmp_path: Path, job: str, is_uri: bool) -> None:
    top = tmp_path / "sp ace"
    write_file(top / "1.dcm", "1.1")
    source = top.as_uri() if is_uri else top
    code, out, line = _call(job, "--source", source, "--tables", top / "t")
    assert (code, out) == (2, "")
    assert f"--tables {top / 't'} lies inside --source {source}" in line
    assert [path.name for path in top.iterdir()] == ["1.dcm"]


@pytest.mark.parametrize("job", ["ingest", "retry"])
def test_wrong_body_part_rules_are_told_before_anything_is_read_or_written(tmp_path: Path, job: str) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        "[regions]\nhead = ['HEAD']\n[[rules]]\npart = 'ELBOW'\nwords = ['elbow']\nexamples = ['elbow']"
    )
    conf = tmp_path / "conf.toml"
    conf.write_text(f'extends = "{HOME}/conf/local.toml"\nbody_part_rules = "rules.toml"\n')
    (tmp_path / "files").mkdir()
    named = ("--source", tmp_path / "files", "--tables", tmp_path / "t", "--conf-file", conf)
    code, out, line = _call(job, *named)
    assert (code, out) == (2, "")
    assert f"{rules}: rule 1: key 'part': 'ELBOW' is no term of 'regions'" in line
    assert not (tmp_path / "t").exists()


def test_no_files(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, line = _call("ingest", "--source", tmp_path / "empty", "--tables", tmp_path / "t")
    assert (code, out) == (2, "")
    assert "no files here" in line


def test_a_folder_of_tables_that_is_not_there(tmp_path: Path) -> None:
    code, out, line = _call("sample", "--tables", tmp_path / "mistyped")
    assert (code, out) == (2, "")
    assert f"--tables {tmp_path / 'mistyped'}: no such folder" in line
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize("job", ["sample", "report", "retry"])
def test_a_folder_of_anything_else_stays_as_it_is(tmp_path: Path, job: str) -> None:
    (tmp_path / "photos").mkdir()
    code, out, line = _call(job, "--tables", tmp_path)
    assert (code, out) == (2, "")
    assert f"--tables {tmp_path}: no tables here; jobs/ingest.py makes them" in line
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize("job", ["sample", "train", "cluster", "report"])
def test_a_job_before_its_time(root: Path, job: str) -> None:
    code, out, line = _call(job, "--tables", root)
    assert (code, out) == (2, "")
    assert "table 'headers' is empty; run jobs/ingest.py first" in line
    assert not (root / "report.html").exists()


def test_an_unknown_configuration_key(tmp_path: Path) -> None:
    path = _configuration(tmp_path, "[sample]\nper_modalty = 3\n")
    code, out, line = _call("sample", "--tables", tmp_path / "t", "--conf-file", path)
    assert (code, out) == (2, "")
    assert "unknown key 'sample.per_modalty'" in line


@pytest.mark.parametrize(
    ("job", "word"), [("ingest", "NoSuchSequence"), ("ingest", "Rows"), ("retry", "Rows")]
)
def test_a_keyword_of_no_sequence(tmp_path: Path, job: str, word: str) -> None:
    (tmp_path / "pacs").mkdir()
    path = _configuration(tmp_path, f'[ingest]\nflatten_sequences = ["{word}"]\n')
    call = ("--source", tmp_path / "pacs", "--tables", tmp_path / "t", "--conf-file", path)
    code, out, line = _call(job, *call)
    assert (code, out) == (2, "")
    assert f"ingest.flatten_sequences: '{word}' is no keyword of a sequence in PS3.6" in line
    assert not (tmp_path / "t").exists()


def test_a_tables_folder_of_another_version(tmp_path: Path) -> None:
    DeltaTable.create(str(tmp_path / "t" / "headers"), pa.schema([("SOPInstanceUID", pa.string())]))
    code, out, line = _call("sample", "--tables", tmp_path / "t")
    assert (code, out) == (2, "")
    assert "another version of dicomae" in line


def test_a_tables_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a file")
    code, out, line = _call("ingest", "--source", tmp_path, "--tables", tmp_path / "t")
    assert (code, out) == (2, "")
    assert f"--tables {tmp_path / 't'}" in line


def test_a_modality_with_too_few_files(tmp_path: Path) -> None:
    write_file(tmp_path / "pacs" / "1.dcm", "1.1")
    code, out, _ = _call("ingest", "--source", tmp_path / "pacs", "--tables", tmp_path / "t")
    assert code == 0
    assert out.splitlines()[-1].startswith('{"job": "ingest"')
    code, out, line = _call("sample", "--tables", tmp_path / "t")
    assert (code, out) == (2, "")
    assert "CT has 1 eligible instances" in line
    assert "minimum_per_modality" in line


@pytest.mark.parametrize("job", sorted(path.stem for path in (HOME / "jobs").glob("*.py")))
def test_help_teaches(job: str) -> None:
    code, out, _ = _call(job, "--help")
    assert code == 0
    assert f"jobs/{job}.py" in out
    assert "exit codes: 0 done" in out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    code, _, line = _call("ingest", "--source", tmp_path, "--tables", tmp_path / "locked" / "t")
    assert code == 2
    assert "Permission denied" in line
