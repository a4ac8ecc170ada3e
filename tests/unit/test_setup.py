"""The scripts: their pins agree, they are polite, and each obstacle is one sentence."""

import hashlib
import os
import re
import shutil
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("demo", "setup", "stage-jars", "test")
JARS = ROOT / ".jars"
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
UV_LOCK = (ROOT / "scripts" / "uv.lock").read_text(encoding="utf-8")

jars_needed = pytest.mark.skipif(not JARS.is_dir(), reason="scripts/setup has not put the jars into .jars")


def run(*command: object, **settings: object) -> subprocess.CompletedProcess[str]:
    """What became of a command: its exit code, standard output and standard error."""
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload]


def sha256sums() -> dict[str, str]:
    lines = (ROOT / "conf/jars/sha256sums").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# The pins


def test_the_lock_holds_every_pin_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    locked = dict(re.findall(r"^([^=\s]+)==(\S+)", LOCK, flags=re.MULTILINE))
    for requirement in wanted:
        name, _, version = requirement.partition("==")
        name = name.partition("[")[0]  # an extra is locked by what it brings
        assert normalised(name) in locked, requirement
        assert version in {"", locked[normalised(name)]}, requirement


@pytest.mark.parametrize("lock", [LOCK, UV_LOCK], ids=["requirements.lock", "uv.lock"])
def test_every_locked_package_has_hashes_and_no_host(lock: str) -> None:
    packages = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]
    assert packages
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in lock


def test_the_seven_jars_are_pinned_once() -> None:
    wanted = ET.parse(ROOT / "conf/jars/ivy.xml").iter("dependency")
    names = {f"{jar.get('name')}-{jar.get('rev')}.jar" for jar in wanted}
    assert len(names) == 7
    assert names == set(sha256sums())


def test_delta_is_the_same_for_python_and_the_jvm() -> None:
    version = re.search(r"^delta-spark==(\S+)", LOCK, flags=re.MULTILINE)
    spark = re.search(r"^pyspark==(\d+\.\d+)", LOCK, flags=re.MULTILINE)
    assert version
    assert spark
    assert f"delta-spark_{spark[1]}_2.13-{version[1]}.jar" in sha256sums()


def test_spark_defaults_are_keys_and_values() -> None:
    text = (ROOT / "conf/spark-defaults.conf").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    settings = dict(line.split(maxsplit=1) for line in lines)
    assert len(settings) == len(lines)
    assert all(key.startswith("spark.") for key in settings)
    assert settings["spark.sql.extensions"] == "io.delta.sql.DeltaSparkSessionExtension"
    assert settings["spark.sql.catalog.spark_catalog"] == "org.apache.spark.sql.delta.catalog.DeltaCatalog"


# How they are called


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_a_few_lines_on_standard_output(script: str) -> None:
    answer = run(ROOT / "scripts" / script, "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"usage: scripts/{script}")
    assert 5 <= len(answer.stdout.splitlines()) <= 10
    assert answer.stderr == ""


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (["demo", "--flies", "3"], "no such option: --flies"),
        (["demo", "--files", "three"], "--files must be a whole number above 0, not 'three'"),
        (["demo", "--files=0"], "--files must be a whole number above 0, not '0'"),
        (["demo", "--out"], "--out needs a value"),
        (["setup", "now"], "usage: scripts/setup"),
        (["stage-jars"], "usage: scripts/stage-jars"),
    ],
    ids=" ".join,
)
def test_a_bad_call_ends_with_2_and_a_sentence(call: list[str], sentence: str) -> None:
    answer = run(ROOT / "scripts" / call[0], *call[1:])
    assert answer.returncode == 2
    assert sentence in answer.stdout + answer.stderr


def test_ci_runs_the_same_checks_as_a_developer() -> None:
    assert "scripts/test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert os.access(ROOT / ".ci/run", os.X_OK)


# The jars for machines without a network


@jars_needed
def test_staged_jars_are_the_pinned_ones(tmp_path: Path) -> None:
    folder = tmp_path / "jars for the hospital"
    assert run(ROOT / "scripts/stage-jars", folder).returncode == 0
    staged = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert staged == sha256sums()


@jars_needed
def test_staging_again_mends_and_leaves_other_files(tmp_path: Path) -> None:
    assert run(ROOT / "scripts/stage-jars", tmp_path).returncode == 0
    name, digest = min(sha256sums().items())
    (tmp_path / name).write_bytes(b"half a ja")
    (tmp_path / "hadoop-aws-3.5.0.jar").write_bytes(b"theirs")
    assert run(ROOT / "scripts/stage-jars", tmp_path).returncode == 0
    assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert (tmp_path / "hadoop-aws-3.5.0.jar").read_bytes() == b"theirs"


# What stands in the way of a set-up. The stand-ins come before the machine's own commands on PATH.

OLD_JAVA = "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2"
NEW_JAVA = "echo 'openjdk version \"21.0.1\" 2023-10-17' >&2"
FULL_DISK = "printf 'Filesystem 1024-blocks Used Available\\n/dev/x 100 90 10485\\n'"
ROOMY_DISK = "printf 'Filesystem 1024-blocks Used Available\\n/dev/x 100 1 99999999\\n'"
NO_PYTHON = "exit 127"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh clone, as far as scripts/setup looks at it."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    shutil.copytree(ROOT / "conf", root / "conf")
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, root / name)
    return root


def set_up(root: Path, settings: dict[str, str] | None = None, **stand_ins: str) -> tuple[int, str]:
    """Exit code and standard error of scripts/setup, some commands being replaced."""
    commands = root.parent / "commands"
    commands.mkdir(exist_ok=True)
    for name, body in stand_ins.items():
        path = commands / name.replace("_", "-").replace("python311", "python3.11")
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if key != "JAVA_HOME"}
    environment = {**kept, "PATH": f"{commands}:{kept['PATH']}", **(settings or {})}
    answer = run(root / "scripts/setup", env=environment)
    assert answer.stdout == ""
    return answer.returncode, answer.stderr


def test_a_missing_java_is_one_sentence(checkout: Path) -> None:
    code, words = set_up(checkout, java=OLD_JAVA, id="echo 1000")
    assert code == 1
    assert words.count("\n") == 1
    assert "Java 17 or newer is missing: install it" in words


def test_a_wrong_java_home_is_named(checkout: Path) -> None:
    code, words = set_up(checkout, {"JAVA_HOME": "/opt/java-8"}, java=NEW_JAVA)
    assert code == 1
    assert words.count("\n") == 1
    assert "JAVA_HOME is /opt/java-8" in words


@pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="apt is Debian's")
def test_root_on_debian_gets_java_by_apt_with_a_word_about_it(checkout: Path) -> None:
    packaged = checkout.parent / "packaged-java"
    packaged.write_text(f"#!/bin/sh\n{NEW_JAVA}\n", encoding="utf-8")
    code, words = set_up(
        checkout,
        java=OLD_JAVA,
        id="echo 0",
        apt_cache="exit 0",
        apt_get=f'[ "$1" = update ] || cat {packaged} >{checkout.parent}/commands/java',
        df=FULL_DISK,
    )
    assert "Java 17 is missing; installing it with apt-get" in words
    assert "Java 17 or newer is missing" not in words
    assert (code, "make room" in words) == (1, True)  # it went on to the next obstacle


def test_a_missing_python_is_one_sentence(checkout: Path) -> None:
    stand_ins = {"python311": NO_PYTHON, "python3": NO_PYTHON, "python": NO_PYTHON}
    code, words = set_up(checkout, java=NEW_JAVA, **stand_ins)
    assert code == 1
    assert words.count("\n") == 1
    assert "Python 3.11 is missing" in words


def test_a_full_disk_is_one_sentence(checkout: Path) -> None:
    code, words = set_up(checkout, java=NEW_JAVA, df=FULL_DISK)
    assert code == 1
    assert words.count("\n") == 1
    assert "has 0 GB free and the packages need 7 GB" in words


def test_no_network_is_one_sentence_and_the_log_is_named(checkout: Path) -> None:
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
    }
    code, words = set_up(checkout, nowhere, java=NEW_JAVA, df=ROOMY_DISK)
    first, second = words.splitlines()
    assert code == 1
    assert first.startswith("setup: installing the pinned Python packages")
    assert "could not install uv: no network, or the package index is out of reach" in second
    assert str(checkout / ".cache/setup.log") in second
    assert not (checkout / ".venv/.dicomae-stamp").exists()  # so that the next start makes it anew
