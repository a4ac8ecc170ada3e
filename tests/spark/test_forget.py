"""Patients are forgotten after a whole experiment: no byte of them is left below the tables."""

import json
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import canaries
import pyarrow as pa
import pytest
from canaries import PATIENTS, UID, WORD, traces
from conftest import HOME
from processes import call
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.lake import delta, history, location
from dicomae.lake.parts import PART, PartWriter
from dicomae.ledger import erasure, learned
from dicomae.runtime import underway
from dicomae.runtime.job import Context, execute
from dicomae.tables import Table

# A category of one patient is a feature here, as in the paper's preset. Of many medoids some are theirs.
CONFIGURATION = f"""
extends = "{HOME}/conf/local.toml"
body_part_rules = "{HOME}/conf/bodypart.toml"
[sample]
minimum_per_modality = 5
[funnel]
minimum_fill = 0.01
[features]
minimum_patients = 1
[training]
epochs = 1
[clustering]
n_clusters = [4, 7, 60]
"""
EVERYWHERE = {
    *("files", "headers", "sample", "embeddings", "assignments", "medoids"),
    *("tag_statistics", "feature_specs", "registry"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with the patients in it, a configuration, their names, and an experiment's tables."""
    top = tmp_path_factory.mktemp("forget")
    synth = ["-m", "dicomae.synth", "--out", str(top / "pacs"), "--files", "400", "--seed", "3"]
    subprocess.run([sys.executable, *synth], check=True, capture_output=True)
    canaries.add_to(top / "pacs")
    (top / "conf.toml").write_text(CONFIGURATION)
    (top / "ids.txt").write_text("\n".join(["nobody", *PATIENTS, PATIENTS[0]]))
    (top / "nobody.txt").write_text("nobody")
    _experiment(top, top / "made")
    return top


def _done(job: str, place: Path, root: Path, *arguments: object) -> tuple[dict[str, Any], str]:
    options = ["--tables", root, "--conf-file", place / "conf.toml", *arguments]
    code, out, err = call(job, *map(str, options))
    assert code == 0, err
    return json.loads(out.splitlines()[-1]), out + err


def _experiment(place: Path, root: Path) -> dict[str, Any]:
    return _done("experiment", place, root, "--source", place / "pacs")[0]


def _forget(place: Path, root: Path, ids: str = "ids.txt") -> tuple[dict[str, Any], str]:
    return _done("forget", place, root, "--patient-id-file", place / ids)


def test_nothing_is_left_and_the_tables_go_on(place: Path) -> None:
    root = place / "tables"
    shutil.copytree(place / "made", root)
    assert traces(root) >= EVERYWHERE
    assert any(UID in str(uid) for uid in _column(root, tables.MEDOIDS, "SOPInstanceUID"))
    before = {table.name: delta.state(root, table).id for table in tables.ALL}

    counts, told = _forget(place, root)
    assert traces(root) == set()
    assert {table.name: delta.state(root, table).id for table in tables.ALL} == before
    assert (counts["patients"], counts["patients_not_found"]) == (4, 1)
    instances = len(PATIENTS) * 7
    assert (counts["removed"]["headers"], counts["removed"]["sample"] > 0) == (instances, True)
    assert counts["removed"]["files"] == instances + 4  # the copy, a cut file, a letter, an archive
    assert WORD not in told
    assert UID not in told
    assert not (root / "report.html").exists()
    assert not list((root / "_staging").glob("*"))

    # The source still has them: they stay out, and only their paths come back.
    summary = _experiment(place, root)
    assert summary["files"] == summary["rows"] + summary["duplicates"] + summary["quarantined"]
    rows = [row for row in delta.read_small(root, tables.FILES).to_pylist() if row["reason"] == "forgotten"]
    assert len(rows) == instances + 1
    assert {(row["status"], row["SOPInstanceUID"], row["content_hash"]) for row in rows} == {
        ("quarantined", None, None)
    }
    assert traces(root) == {"files", "_folders"}
    assert None not in _column(root, tables.MEDOIDS, "SOPInstanceUID")

    # Once they are deleted in the source, the paths go, too.
    for path in (f"{WORD}^JANE", "copy.dcm", f"{WORD}.zip"):
        found = place / "pacs" / path
        found.rename(place / path)
    try:
        _forget(place, root, "nobody.txt")
        assert traces(root) == set()
        _done("ingest", place, root, "--source", place / "pacs")
        assert traces(root) == set()
    finally:
        for path in (f"{WORD}^JANE", "copy.dcm", f"{WORD}.zip"):
            (place / path).rename(place / "pacs" / path)


def test_of_an_id_that_is_not_there_only_a_tombstone_is_written(place: Path) -> None:
    root = place / "unknown"
    shutil.copytree(place / "made", root)
    before = {table.name: delta.version(root, table) for table in tables.ALL}
    counts, told = _forget(place, root, "nobody.txt")
    assert (counts["patients"], counts["patients_not_found"], counts["removed"]) == (1, 1, {})
    assert "nobody" not in told.replace("nobody.txt", "")
    after = {table.name: delta.version(root, table) for table in tables.ALL}
    assert {name for name in after if after[name] != before[name]} == {"tombstones", "runs"}
    assert (root / "report.html").exists()
    assert _forget(place, root, "nobody.txt")[0]["wrote"] == {}


def test_killed_in_earnest_another_call_ends_it(place: Path) -> None:
    root = place / "killed"
    shutil.copytree(place / "made", root)
    script = [sys.executable, str(HOME / "jobs" / "forget.py"), "--patient-id-file", str(place / "ids.txt")]
    options = ["--tables", str(root), "--conf-file", str(place / "conf.toml")]
    process = subprocess.Popen([*script, *options], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("  removing what was made of their rows"):
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    assert traces(root) != set()
    _forget(place, root, "nobody.txt")
    assert traces(root) == set()
    interrupted = [row for row in delta.read_small(root, tables.RUNS).to_pylist() if row["finished"] is None]
    assert [row["job"] for row in interrupted] == ["forget"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "--uid-file {file}: no such file"),
        (b"", "--uid-file {file}: holds no identifier"),
        (b"QQ\n\xffQQ\n", "--uid-file {file}: line 2 is no UTF-8"),
    ],
)
def test_a_bad_list_is_a_bad_call(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "ids.txt"
    if content is not None:
        file.write_bytes(content)
    code, out, err = call("forget", "--uid-file", str(file), "--tables", str(tmp_path / "tables"))
    assert (code, out) == (2, "")
    assert words.format(file=file) in err.splitlines()[-1]
    assert "QQ" not in err
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize(("lists", "words"), [(0, "say whom to forget"), (1, "no such folder")])
def test_who_and_where_must_be_said(tmp_path: Path, lists: int, words: str) -> None:
    (tmp_path / "ids.txt").write_text("1.2.3")
    given = ["--uid-file", str(tmp_path / "ids.txt")][: 2 * lists]
    code, out, err = call("forget", *given, "--tables", str(tmp_path / "tables"))
    assert (code, out) == (2, "")
    assert words in err.splitlines()[-1]


def test_beside_another_run_it_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("1.2.3")
    with underway.at_work(root, alone=False):
        code, out, err = call("forget", "--uid-file", str(tmp_path / "ids.txt"), "--tables", str(root))
    assert (code, out) == (1, "")
    assert "another run is under way" in err.splitlines()[-1]
    assert delta.count(root, tables.TOMBSTONES) == 0


def _column(root: Path, table: Table, name: str) -> list[Any]:
    return list(delta.read_small(root, table, [name])[name].to_pylist())


# Killed between any two steps

SUMMARY = {"source": f"/pacs/{WORD}", "examples": {"empty": [WORD]}}  # as versions before told it
HELD = {
    tables.FILES: [
        {"path": f"/pacs/{WORD}/1.dcm", "status": "parsed", "SOPInstanceUID": f"{UID}.1", "vanished": False},
        {"path": f"/pacs/{WORD}/x", "status": "quarantined", "reason": "empty", "vanished": False},
        {"path": "/pacs/2.dcm", "status": "parsed", "SOPInstanceUID": "1.2", "vanished": False},
    ],
    tables.HEADERS: [
        {"path": f"/pacs/{WORD}/1.dcm", "SOPInstanceUID": f"{UID}.1", "PatientID": PATIENTS[0]},
        {"path": "/pacs/2.dcm", "SOPInstanceUID": "1.2", "PatientID": "P2"},
    ],
    **{
        table: [{"SOPInstanceUID": f"{UID}.1"}, {"SOPInstanceUID": "1.2"}]
        for table in (tables.SAMPLE, tables.EMBEDDINGS, tables.ASSIGNMENTS)
    },
    tables.MEDOIDS: [{"SOPInstanceUID": f"{UID}.1", "vector": [1.0]}, {"SOPInstanceUID": "1.2"}],
    tables.TAG_STATISTICS: [{"scope": "archive", "key": f"0099xx01 {WORD}"}],
    tables.RUNS: [{"run_id": "1", "summary": json.dumps(SUMMARY)}],
}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small tables that hold them everywhere, with others, in old parts, and beside the tables."""
    root = tmp_path_factory.mktemp("held") / "tables"
    delta.prepare(root)
    for table, rows in HELD.items():
        writer = PartWriter(root, table)
        written = pa.Table.from_pylist(rows, schema=table.schema)
        writer.write(written.to_batches()[0])
        part = pa.Table.from_batches([writer.finish()], PART)
        delta.append(root, table, written.slice(0, 1))
        delta.commit_parts(root, table, part, delta.version(root, table), overwrite=True)
    for name in ("_folders/a.parquet", "_staging/old/b.parquet", "report.html"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pa.parquet.write_table(pa.table({"a": [WORD]}), root / name)
    assert traces(root) == {*(table.name for table in HELD), "_folders", "_staging", "report.html"}
    return root


class Killer:
    """Raises KeyboardInterrupt before the n-th step that changes anything."""

    def __init__(self, patch: pytest.MonkeyPatch, n: int) -> None:
        self.left = n
        for module, name in (
            *((delta, name) for name in ("append", "replace", "commit_parts", "checkpoint")),
            *((location, "remove"), (history, "remove"), (learned, "forget"), (erasure, "bury")),
            (erasure, "find"),
        ):
            patch.setattr(module, name, self._step(getattr(module, name)))

    def _step(self, function: Any) -> Any:
        def step(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return function(*arguments, **named)

        return step


def _contents(root: Path) -> dict[str, list[str]]:
    return {
        table.name: sorted(
            json.dumps({**row, "run_id": "", "digest": ""}, default=str)
            for row in delta.read_small(root, table).to_pylist()
            if table is not tables.RUNS or row["run_id"] == "1"
        )
        for table in tables.ALL
    }


def test_killed_between_any_two_steps_it_ends_the_same(
    held: Path, tmp_path: Path, spark: SparkSession, conf: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HOME / "jobs")
    import forget

    (tmp_path / "ids.txt").write_text(PATIENTS[0])
    (tmp_path / "nobody.txt").write_text("nobody")

    def run(root: Path, ids: str = "ids.txt") -> None:
        arguments = Namespace(patient_id_file=tmp_path / ids, uid_file=None)
        execute(forget.JOB, Context(spark, conf, root, arguments), "forget")

    shutil.copytree(held, tmp_path / "undisturbed")
    run(tmp_path / "undisturbed")
    assert traces(tmp_path / "undisturbed") == set()
    expected = _contents(tmp_path / "undisturbed")
    tombstones = set(expected.pop("tombstones"))
    was_killed, n = True, 0
    while was_killed:
        root = tmp_path / str(n)
        shutil.copytree(held, root)
        with monkeypatch.context() as patch:
            Killer(patch, n)
            try:
                run(root)
            except KeyboardInterrupt:
                pass
            else:
                was_killed = False
        run(
            root, "ids.txt" if n < 3 else "nobody.txt"
        )  # until the tombstones are there, whom else could it know
        assert traces(root) == set(), n
        found = _contents(root)
        assert set(found.pop("tombstones")) == tombstones, n
        assert found == expected, n
        shutil.rmtree(root)
        n += 1
    assert n > 30
