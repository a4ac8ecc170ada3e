"""A table keeps what it is, and loses what it was."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dicomae import tables
from dicomae.lake import delta, history
from dicomae.lake.parts import PartWriter
from dicomae.tables import FILES, SAMPLE

GONE = "CANARY"


def _sample(uid: str) -> pa.Table:
    return pa.Table.from_pylist([{"SOPInstanceUID": uid, "run_id": "r"}], schema=SAMPLE.schema)


def _bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.fixture
def folder(root: Path) -> Path:
    """The folder of `sample`, which held what is gone, and of which a killed run left a part."""
    delta.append(root, SAMPLE, _sample(GONE))
    delta.append(root, SAMPLE, _sample(f"{GONE}.2"))
    delta.replace(root, SAMPLE, _sample("1.2.3"))
    writer = PartWriter(root, SAMPLE)
    writer.write(_sample(f"{GONE}.3").to_batches()[0])
    writer.finish()
    assert GONE.encode() in _bytes(root / SAMPLE.name)
    return root / SAMPLE.name


def test_nothing_is_left_of_what_was(root: Path, folder: Path) -> None:
    before = delta.state(root, SAMPLE), delta.read_small(root, SAMPLE)
    history.remove(root, SAMPLE)
    assert GONE.encode() not in _bytes(folder)
    assert (delta.state(root, SAMPLE), delta.read_small(root, SAMPLE)) == before
    assert len(list(folder.glob("*.parquet"))) == 1
    assert sorted(path.name for path in (folder / "_delta_log").iterdir()) == [
        f"{3:020}.checkpoint.parquet",
        f"{3:020}.json",
        "_last_checkpoint",
    ]


def test_the_table_goes_on(root: Path, folder: Path) -> None:
    with delta.kept_open():  # as in a job
        delta.version(root, SAMPLE)
        history.remove(root, SAMPLE)
        commit = delta.last_commit(root, SAMPLE)
        delta.append(root, SAMPLE, _sample("1.2.4"))
        assert delta.version(root, SAMPLE) == commit.version + 1
        assert delta.runs_since(root, SAMPLE, commit) == {""}
        assert sorted(delta.read_small(root, SAMPLE)["SOPInstanceUID"].to_pylist()) == ["1.2.3", "1.2.4"]
    delta.prepare(root)  # which checks the columns


def test_a_commit_of_before_is_not_taken_for_one_of_now(root: Path, folder: Path) -> None:
    early = delta.last_commit(root, SAMPLE)._replace(version=1)
    history.remove(root, SAMPLE)
    assert delta.runs_since(root, SAMPLE, early) is None
    assert delta.parts_since(root, SAMPLE, early) is None


def test_a_second_time_changes_nothing(root: Path, folder: Path) -> None:
    history.remove(root, SAMPLE)
    before = sorted(path.name for path in folder.rglob("*"))
    history.remove(root, SAMPLE)
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_table_without_rows_stays_a_table(root: Path) -> None:
    for table in tables.ALL:
        history.remove(root, table)
    delta.prepare(root)
    assert [delta.count(root, table) for table in tables.ALL] == [0] * len(tables.ALL)


@pytest.mark.parametrize("killed_at", range(8))
def test_killed_at_any_removal_it_ends_the_same(
    root: Path, folder: Path, killed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed, unlink = [], Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if len(removed) == killed_at:
            raise KeyboardInterrupt
        removed.append(path)
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        try:
            history.remove(root, SAMPLE)
        except KeyboardInterrupt:
            assert delta.read_small(root, SAMPLE)["SOPInstanceUID"].to_pylist() == ["1.2.3"]
        else:
            assert killed_at >= 6  # three commits, three parts
    history.remove(root, SAMPLE)
    assert GONE.encode() not in _bytes(folder)
    assert delta.read_small(root, SAMPLE)["SOPInstanceUID"].to_pylist() == ["1.2.3"]


def test_what_spark_leaves_beside_a_commit_goes_too(root: Path, folder: Path) -> None:
    log = folder / "_delta_log"
    newest = log / f"{3:020}.json"
    lines = newest.read_text().splitlines()
    first = json.loads(lines[0])
    first["commitInfo"]["operationParameters"] = {"predicate": f"[PatientID = {GONE}]", "mode": "Overwrite"}
    newest.write_text("\n".join([json.dumps(first), *lines[1:]]))
    for place in (log / f"{3:020}.crc", log / f".{3:020}.json.crc", folder / ".part.crc"):
        place.write_text(GONE)
    os.makedirs(log / "_staged_commits")
    (log / "_staged_commits" / "x.json").write_text(GONE)
    history.remove(root, SAMPLE)
    assert GONE.encode() not in _bytes(folder)
    assert DeltaTable(str(folder)).history(1)[0]["operationParameters"] == {"mode": "Overwrite"}
    assert delta.read_small(root, SAMPLE)["SOPInstanceUID"].to_pylist() == ["1.2.3"]


def test_other_tables_are_left_alone(root: Path, folder: Path) -> None:
    delta.append(root, FILES, pa.Table.from_pylist([{"path": "/a", "vanished": False}], schema=FILES.schema))
    names = sorted(path.name for path in (root / FILES.name).rglob("*"))
    history.remove(root, SAMPLE)
    assert sorted(path.name for path in (root / FILES.name).rglob("*")) == names
