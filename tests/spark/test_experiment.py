"""The experiment as its users run it: killed at any moment, run again, and run once too often."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import HOME

from dicomae import synth, tables
from dicomae.codes import ModelKind, Space
from dicomae.evaluation.comparison import PAPER
from dicomae.features import elements
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta
from dicomae.models import registry
from dicomae.models.reductions import fit_pca

# Small, so that the test takes minutes: the moments matter, not the sizes. So little needs to be filled that
# what stands beside a canary alone is not dropped for being rare.
CONFIGURATION = f"""
extends = "{HOME}/conf/local.toml"
body_part_rules = "{HOME}/conf/bodypart.toml"
[sample]
minimum_per_modality = 5
[funnel]
minimum_fill = 0.01
[training]
epochs = 2
[clustering]
n_clusters = [4, 7, 11]
"""
# A job's first line, seconds after it, and whether the JVM dies with the driver.
MOMENTS = (
    ("[1/9] ingest: run", 1.0, True),
    ("  reading: ", 0.3, False),
    ("[3/9] tag_statistics: run", 1.0, True),
    ("[5/9] train: run", 4.0, True),
    ("[7/9] cluster: run", 3.0, False),
)
UNSTABLE = {"run_id"}  # names the run itself


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic archive, a configuration, and room for tables."""
    top = tmp_path_factory.mktemp("experiment")
    call = ["-m", "dicomae.synth", "--out", str(top / "pacs"), "--files", "500", "--seed", "3"]
    subprocess.run([sys.executable, *call], check=True, capture_output=True)
    (top / "conf.toml").write_text(CONFIGURATION)
    return top


def _start(place: Path, name: str) -> "subprocess.Popen[str]":
    script = [sys.executable, str(HOME / "jobs" / "experiment.py"), "--source", str(place / "pacs")]
    options = ["--tables", str(place / name), "--conf-file", str(place / "conf.toml")]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        script + options, stdout=pipe, stderr=pipe, text=True, cwd="/", start_new_session=True
    )


def _finish(place: Path, name: str) -> tuple[dict[str, Any], str]:
    process = _start(place, name)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1]), out + err


def _kill_at(place: Path, name: str, line: str, seconds: float, group: bool) -> None:
    process = _start(place, name)
    assert process.stderr is not None
    for text in process.stderr:
        if text.startswith(line):
            break
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill = os.killpg if group else os.kill
        kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    else:
        pytest.fail(f"the experiment was over before it could be killed after '{line}'")
    process.communicate()


def _contents(root: Path) -> Iterator[tuple[str, list[str]]]:
    for table in tables.ALL:
        if table is not tables.RUNS:
            rows = delta.read_small(root, table, [c for c in table.columns if c not in UNSTABLE])
            yield table.name, sorted(json.dumps(row, default=str, sort_keys=True) for row in rows.to_pylist())


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> tuple[dict[str, Any], str]:
    return _finish(place, "undisturbed")


def test_the_summary_says_what_was_done(undisturbed: tuple[dict[str, Any], str], place: Path) -> None:
    summary, _ = undisturbed
    assert summary["files"] == 500 == summary["rows"] + summary["quarantined"] + summary["duplicates"]
    assert list(summary["funnel"]) == ["occur", "vary", "used", "informative", "without_free_text"]
    assert sorted(summary["funnel"].values(), reverse=True) == list(summary["funnel"].values())
    assert summary["bottleneck"] == summary["width"] // 10
    assert {(row["label"], row["score"]) for row in summary["table_1"]} == {
        (label, score)
        for label in ("Modality", "BodyPartExamined")
        for score in ("homogeneity", "normalized_mutual_information")
    }
    assert summary["n_clusters"] is None or summary["n_clusters"] in (4, 7, 11)
    assert Path(summary["report"]).is_file()


LEDGER = {
    *("files", "rows", "duplicates", "conflicts", "quarantined", "containers", "unread", "vanished"),
    "reasons",
}
KEYS = {
    "ingest": {"source", "listed", "trusted", "unanswered", "new", "read", "stopped", *LEDGER},
    "retry": {"retried", "read", "stopped", *LEDGER},
    "sample": {"instances", "by_modality", "by_split", "normalised"},
    "tag_statistics": {"tags_in_archive", "funnel"},
    "fit_features": {"features", "width", "left_out"},
    "train": {"models"},
    "embed": {"models", "embedded"},
    "cluster": {"engine", "assigned", "n_clusters", "distinct_rows", "left_out"},
    "evaluate": {"test_instances", "table_1"},
    "report": {"report", "bytes"},
    "experiment": {
        *("files", "rows", "quarantined", "duplicates", "instances", "funnel", "width", "bottleneck"),
        *("n_clusters", "table_1", "report"),
    },
}


def _last_line(job: str, place: Path, name: str) -> dict[str, Any]:
    call = [sys.executable, str(HOME / "jobs" / f"{job}.py"), "--tables", str(place / name)]
    done = subprocess.run(
        [*call, "--conf-file", str(place / "conf.toml")], check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_last_lines_have_these_keys(undisturbed: tuple[dict[str, Any], str], place: Path) -> None:
    shutil.copytree(place / "undisturbed", place / "copy")  # for retry counts its attempts
    rows = delta.read_small(place / "copy", tables.RUNS, ["summary"])["summary"].to_pylist()
    lines = [undisturbed[0], *map(json.loads, rows)]
    lines += [_last_line(job, place, "copy") for job in ("report", "retry")]
    found = {line["job"]: set(line) for line in lines}
    assert found == {job: {"job", "run_id", *keys, "wrote", "seconds"} for job, keys in KEYS.items()}
    models = next(line["models"] for line in lines if line["job"] == "train")
    assert set(models) == {"all", "without_labels"}
    chosen = {"model_id", "candidate", "width", "bottleneck", "validation_error"}
    assert [set(model) for model in models.values()] == [chosen, chosen]
    compared = {"label", "score", "test", "p_value", "shapiro_original", "shapiro_compressed"}
    assert [set(row) for row in undisturbed[0]["table_1"]] == [compared] * 4


def test_jobs_write_what_they_say(
    undisturbed: tuple[dict[str, Any], str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HOME / "jobs")
    jobs = importlib.import_module("experiment").JOBS
    rows = delta.read_small(place / "undisturbed", tables.RUNS, ["job", "summary"]).to_pylist()
    wrote = {row["job"]: set(json.loads(row["summary"])["wrote"]) for row in rows}
    said = {job.name: {table.name for table in job.writes} for job in jobs if job.reads is not None}
    assert said == {name: wrote[name] for name in said}


def test_no_patient_leaves_the_tables(undisturbed: tuple[dict[str, Any], str], place: Path) -> None:
    summary, terminal = undisturbed
    names = delta.read_small(place / "undisturbed", tables.HEADERS, ["elements"])["elements"].to_pylist()
    assert any(synth.CANARY in value for row in names for _, value in row if value)
    assert any(synth.CANARY_ID_PREFIX in key for row in names for key, _ in row)
    report = Path(summary["report"]).read_text(encoding="utf-8")
    for canary in (synth.CANARY, synth.CANARY_ID_PREFIX):
        assert canary not in terminal
        assert canary not in report


def test_no_patient_is_in_what_was_learned(undisturbed: tuple[dict[str, Any], str], place: Path) -> None:
    root = place / "undisturbed"
    columns = ["scope", "key", "step", "decision", "why"]
    decided = delta.read_small(root, tables.TAG_STATISTICS, columns).to_pylist()
    left_at = {row["key"]: row["step"] for row in decided if row["scope"] == "sample"}
    # Their values are the canaries' IDs: a creator, and a private text of a creator that everybody has.
    assert left_at["00990011"] == "informative"
    assert left_at["0099xx01 DICOMAE ROUTER 1"] == "free_text"
    rows = [row["why"] for row in decided]
    for table in (tables.METRICS, tables.FEATURE_SPECS):
        rows += delta.read_small(root, table).to_pylist()
    assert synth.CANARY_ID_PREFIX not in str(rows)
    specs = list(root.glob("registry/*/spec.json"))
    assert specs
    assert not any(synth.CANARY_ID_PREFIX in spec.read_text(encoding="utf-8") for spec in specs)


def _add_pca(root: Path) -> str:
    """Place a PCA of all features beside the autoencoder of all features, as wide; its id."""
    rows = tables.model_rows(delta.read_small(root, tables.MODELS))
    (beside,) = (row for row in rows if row.key == PAPER.model)
    spec_json = registry.load(root / "registry", beside.model_id).spec_json
    headers = delta.read_small(root, tables.HEADERS, list(elements.COLUMNS)).combine_chunks()
    X = FeatureSpec.from_json(spec_json).encode(headers.to_batches()[0]).X
    model_id = registry.save(root / "registry", fit_pca(X, beside.bottleneck), {}, spec_json)
    added = replace(beside, kind=ModelKind.PCA, model_id=model_id, candidate="pca")
    written = [asdict(row) for row in (*rows, added)]
    assert delta.replace(root, tables.MODELS, pa.Table.from_pylist(written, schema=tables.MODELS.schema))
    return model_id


def test_a_second_kind_of_model_goes_all_the_way_and_changes_nothing_of_the_first(
    undisturbed: tuple[dict[str, Any], str], place: Path
) -> None:
    root = place / "second"
    shutil.copytree(place / "undisturbed", root)
    before = {name: set(rows) for name, rows in _contents(root)}
    model_id = _add_pca(root)
    names = ("embed", "cluster", "evaluate", "report")
    jobs = ", ".join(f"{name}.JOB" for name in names)
    program = f"import sys, {', '.join(names)}; sys.exit({names[0]}.main([{jobs}], '', report.add_arguments))"
    call = [sys.executable, "-c", program, "--tables", str(root), "--conf-file", str(place / "conf.toml")]
    path = os.pathsep.join([str(HOME / "jobs"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        call, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    after = {name: set(rows) for name, rows in _contents(root)}
    assert {name for name in before if before[name] - after[name]} == set()
    assert {name for name in before if after[name] - before[name]} == {
        "models", "embeddings", "medoids", "assignments", "metrics",
    }  # fmt: skip
    spaces = {Space.ORIGINAL, Space.PRINCIPAL_COMPONENTS}
    for table in (tables.MEDOIDS, tables.ASSIGNMENTS):
        rows = delta.read_small(root, table, ["model_id", "space"]).to_pylist()
        assert {row["space"] for row in rows if row["model_id"] == model_id} == spaces
    assert "All features, principal components" in (root / "report.html").read_text(encoding="utf-8")


def test_more_clusters_than_instances_are_a_bad_call(
    undisturbed: tuple[dict[str, Any], str], place: Path
) -> None:
    (place / "many.toml").write_text(CONFIGURATION.replace("[4, 7, 11]", "[4, 5000]"))
    call = [sys.executable, str(HOME / "jobs" / "cluster.py"), "--tables", str(place / "undisturbed")]
    done = subprocess.run(
        [*call, "--conf-file", str(place / "many.toml")], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "clustering.n_clusters: 5000 clusters of" in done.stderr.splitlines()[-1]


def test_more_clusters_than_instances_end_the_experiment_before_the_training(
    undisturbed: tuple[dict[str, Any], str], place: Path
) -> None:
    shutil.copytree(place / "undisturbed", place / "many")
    (place / "many.toml").write_text(CONFIGURATION.replace("[4, 7, 11]", "[4, 5000]"))
    options = ["--tables", str(place / "many"), "--conf-file", str(place / "many.toml")]
    script = [sys.executable, str(HOME / "jobs" / "experiment.py"), "--source", str(place / "pacs")]
    done = subprocess.run([*script, *options], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "clustering.n_clusters: 5000 clusters of" in done.stderr.splitlines()[-1]
    assert "[2/9]" in done.stderr
    assert "[3/9]" not in done.stderr


def test_killed_five_times_the_tables_are_the_same(
    undisturbed: tuple[dict[str, Any], str], place: Path
) -> None:
    for line, seconds, group in MOMENTS:
        _kill_at(place, "killed", line, seconds, group)
    _finish(place, "killed")
    expected, found = dict(_contents(place / "undisturbed")), dict(_contents(place / "killed"))
    assert {name for name in expected if expected[name] != found[name]} == set()
    known = set(delta.read_small(place / "killed", tables.RUNS, ["run_id"])["run_id"].to_pylist())
    for table in tables.ALL:
        assert set(delta.read_small(place / "killed", table, ["run_id"])["run_id"].to_pylist()) <= known


def test_a_second_run_changes_no_table_and_restores_a_lost_model(
    undisturbed: tuple[dict[str, Any], str], place: Path
) -> None:
    root = place / "undisturbed"
    models = {path.name for path in (root / "registry").iterdir()}
    shutil.rmtree(root / "registry")
    before = {table.name: delta.version(root, table) for table in tables.ALL}
    summary, _ = _finish(place, "undisturbed")
    assert {table.name: delta.version(root, table) for table in tables.ALL} == before
    assert summary["wrote"] == {}
    assert summary["funnel"] == undisturbed[0]["funnel"]
    assert {path.name for path in (root / "registry").iterdir()} == models
