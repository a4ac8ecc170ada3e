"""Archives of which little can be learnt: one sentence and exit code 2, or an answer that says what lacks."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import HOME
from files import write_file

from dicomae import tables
from dicomae.lake import delta

CONFIGURATION = f"""
extends = "{HOME}/conf/local.toml"
body_part_rules = "{HOME}/conf/bodypart.toml"
[sample]
modalities = MODALITIES
minimum_per_modality = 5
split_by = "instance"
[features]
minimum_patients = 2
[training]
epochs = 1
[[training.candidates]]
name = "small"
hidden = []
bottleneck = 0.10
learning_rate = 0.001
[clustering]
n_clusters = [2, 3, 4, 5]
[evaluation]
bootstrap_samples = 100
"""
N = 60
Elements = dict[str, object]


def _experiment(
    tmp_path: Path,
    of_file: Callable[[int], Elements],
    modalities: str = '["CT"]',
    instead: Callable[[int], bytes] | None = None,
) -> Any:
    """The experiment on `N` files; `instead` gives the four bytes that stand for their KVP, which is 1234."""
    for i in range(N):
        given = {"patient": f"P{i % 12}", **of_file(i)}
        path = write_file(tmp_path / "pacs" / f"{i}.dcm", f"1.{i + 1}", **given)
        if instead:
            path.write_bytes(path.read_bytes().replace(b"1234", instead(i)))
    conf = tmp_path / "conf.toml"
    conf.write_text(CONFIGURATION.replace("MODALITIES", modalities))
    script = [sys.executable, str(HOME / "jobs" / "experiment.py"), "--source", str(tmp_path / "pacs")]
    call = [*script, "--tables", str(tmp_path / "t"), "--conf-file", str(conf)]
    return subprocess.run(call, check=False, capture_output=True, text=True, cwd="/", timeout=600)


def _refused(done: Any, words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last
    assert "Traceback" not in done.stderr


def _written(tmp_path: Path) -> set[str]:
    """The tables that have rows."""
    found = {table.name: delta.version(tmp_path / "t", table) for table in tables.ALL}
    return {name for name, version in found.items() if version > 0}


BEFORE_FEATURES = {"files", "headers", "sample", "tag_statistics", "metrics", "runs"}


def test_nothing_varies(tmp_path: Path) -> None:
    done = _experiment(tmp_path, lambda _: {})
    _refused(done, "no tag of the sample can be a feature: none varies")
    assert _written(tmp_path) == BEFORE_FEATURES
    assert not (tmp_path / "t" / "registry").exists()


def test_only_the_labels_vary(tmp_path: Path) -> None:
    parts = ("CHEST", "HEAD", "KNEE")
    of_file = lambda i: {"Modality": ("CT", "MR")[i % 2], "BodyPartExamined": parts[i % 3]}  # noqa: E731
    done = _experiment(tmp_path, of_file, '["CT", "MR"]')
    _refused(done, "labels alone can be features (BodyPartExamined, Modality)")
    assert _written(tmp_path) == BEFORE_FEATURES


def test_all_values_are_absurd(tmp_path: Path) -> None:
    absurd = (b"NaN ", b"inf ", b"1,5 ", b"-inf")
    done = _experiment(tmp_path, lambda _: {"KVP": "1234"}, instead=lambda i: absurd[i % 4])
    _refused(done, "no tag of the training split can be a feature")
    assert _written(tmp_path) == BEFORE_FEATURES


def _varying(i: int) -> Elements:
    chance = random.Random(i)
    return {
        "KVP": str(80 + 20 * chance.randrange(4)),
        "SliceThickness": str(1 + chance.randrange(50) / 10),
        "XRayTubeCurrent": str(chance.randrange(50, 500)),
        "BodyPartExamined": ("CHEST", "HEAD")[chance.randrange(2)],
    }


def _report(tmp_path: Path) -> str:
    html = (tmp_path / "t" / "report.html").read_text()
    return html[html.index("<h1>") : html.index("<nav")]


def test_one_modality_is_no_evidence(tmp_path: Path) -> None:
    done = _experiment(tmp_path, _varying)
    assert done.returncode == 0, done.stderr
    table_1 = {row["label"]: row["p_value"] for row in json.loads(done.stdout.splitlines()[-1])["table_1"]}
    assert table_1["Modality"] is None
    assert table_1["BodyPartExamined"] is not None
    metrics = delta.read_small(tmp_path / "t", tables.METRICS).to_pylist()
    of_modality = [row for row in metrics if ("label", "Modality") in row["labels"]]
    assert {row["value"] for row in of_modality if row["name"] != "label_values"} == {None}
    assert "of 2" in _report(tmp_path)
    assert "all instances have one Modality" in _report(tmp_path)
    assert "All instances of the test split are of one device" in _report(tmp_path)


def test_one_patient_is_no_sample_of_patients(tmp_path: Path) -> None:
    done = _experiment(tmp_path, lambda i: {**_varying(i), "patient": "P1"})
    assert done.returncode == 0, done.stderr
    assert {row["p_value"] for row in json.loads(done.stdout.splitlines()[-1])["table_1"]} == {None}
    assert "cannot be answered" in _report(tmp_path)
    assert "all instances are of one patient" in _report(tmp_path)


def test_fewer_different_rows_than_clusters(tmp_path: Path) -> None:
    done = _experiment(tmp_path, lambda i: {"KVP": ("80", "100", "120")[i % 3]})
    assert done.returncode == 0, done.stderr
    assert "3 training rows differ; K = 4, 5 left out (all)" in done.stderr
    rows = delta.read_small(tmp_path / "t", tables.RUNS, ["job", "summary"]).to_pylist()
    (line,) = [json.loads(row["summary"]) for row in rows if row["job"] == "cluster"]
    assert line["distinct_rows"] == {"all, compressed": 3, "without_labels, compressed": 3}
    assert line["left_out"] == {"all, compressed": [4, 5], "without_labels, compressed": [4, 5]}
    medoids = delta.read_small(tmp_path / "t", tables.MEDOIDS, ["n_clusters", "train_size"])
    assert set(medoids["n_clusters"].to_pylist()) == {2, 3}
    assert min(medoids["train_size"].to_pylist()) > 0


@pytest.mark.parametrize("job", ["ingest", "sample", "experiment"])
def test_a_mistyped_identifier_is_told_by_every_job(tmp_path: Path, job: str) -> None:
    (tmp_path / "pacs").mkdir()
    conf = tmp_path / "conf.toml"
    conf.write_text(f'extends = "{HOME}/conf/local.toml"\n[funnel]\nidentifiers = ["PatientNam"]\n')
    source = [] if job == "sample" else ["--source", str(tmp_path / "pacs")]
    call = [sys.executable, str(HOME / "jobs" / f"{job}.py"), *source, "--tables", str(tmp_path / "t")]
    call += ["--conf-file", str(conf)]
    done = subprocess.run(call, check=False, capture_output=True, text=True, timeout=300)
    _refused(
        done, "key 'funnel.identifiers': 'PatientNam' is no keyword of PS3.6; the nearest is 'PatientName'"
    )
    assert not (tmp_path / "t").exists()
