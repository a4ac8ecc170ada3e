"""When a job has something to do, and what it leaves in `runs`."""

import argparse
import errno
import fcntl
import json
import shutil
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.lake import delta, runs
from dicomae.runtime import underway
from dicomae.runtime.job import Context, Job, execute, staging_folder


def _rows(table: tables.Table, **values: object) -> pa.Table:
    return pa.Table.from_pylist([values], schema=table.schema)


@dataclass(frozen=True)
class _Counts:
    n: int


def _run(context: Context) -> _Counts:
    """A job that keeps the numbers of the sample's instances."""
    n = len(delta.read_small(context.root, tables.SAMPLE))
    delta.replace(
        context.root, tables.MODELS, _rows(tables.MODELS, feature_set=str(n), run_id=context.run_id)
    )
    return _Counts(n)


JOB = Job("train", _run, (tables.SAMPLE,), ("training",), writes=(tables.MODELS,))


@pytest.fixture
def context(spark: SparkSession, conf: Config, root: Path) -> Context:
    delta.append(root, tables.SAMPLE, _rows(tables.SAMPLE, SOPInstanceUID="1.1"))
    return Context(spark, conf, root, argparse.Namespace())


def _made_anew(root: Path, table: tables.Table) -> None:
    shutil.rmtree(root / table.name)
    delta.prepare(root)


def test_a_job_is_done_once(context: Context) -> None:
    first, again = execute(JOB, context, "train"), execute(JOB, context, "train")
    assert (first.counts, first.wrote, first.unchanged) == (_Counts(1), {"models": 1}, False)
    assert (again.run_id, again.unchanged, again.wrote) == (first.run_id, True, {})
    assert again.counts == {"n": 1}
    (row,) = delta.read_small(context.root, tables.RUNS).to_pylist()
    assert (row["run_id"], row["user"], row["host"]) == (first.run_id, runs.user(), socket.gethostname())


def test_a_table_made_anew_is_another_input_though_of_the_same_version(context: Context) -> None:
    execute(JOB, context, "train")
    before = delta.version(context.root, tables.SAMPLE)
    _made_anew(context.root, tables.SAMPLE)
    two = pa.concat_tables([_rows(tables.SAMPLE, SOPInstanceUID=uid) for uid in ("2.1", "2.2")])
    delta.append(context.root, tables.SAMPLE, two)
    assert delta.version(context.root, tables.SAMPLE) == before
    assert execute(JOB, context, "train").counts == _Counts(2)


def test_a_job_whose_table_is_lost_is_not_done(context: Context) -> None:
    execute(JOB, context, "train")
    _made_anew(context.root, tables.MODELS)
    assert execute(JOB, context, "train").wrote == {"models": 1}
    assert delta.read_small(context.root, tables.MODELS)["feature_set"].to_pylist() == ["1"]


def test_a_lost_table_is_noticed_after_a_run_that_left_it_as_it_was(context: Context) -> None:
    execute(JOB, context, "train")
    delta.replace(context.root, tables.SAMPLE, _rows(tables.SAMPLE, SOPInstanceUID="1.2"))
    assert execute(JOB, context, "train").wrote == {}
    _made_anew(context.root, tables.MODELS)
    assert execute(JOB, context, "train").wrote == {"models": 1}


def _fails(context: Context) -> _Counts:
    _run(context)
    raise MemoryError


@pytest.mark.parametrize("job", [JOB, replace(JOB, reads=None)], ids=["where it reads", "each time"])
def test_a_run_that_wrote_and_did_not_end_has_its_row(context: Context, job: Job) -> None:
    with pytest.raises(MemoryError):
        execute(replace(job, run=_fails), context, "train")
    again = execute(job, context, "train")
    assert again.wrote == {}
    rows = delta.read_small(context.root, tables.RUNS).to_pylist()
    broken = next(row for row in rows if row["finished"] is None)
    assert delta.read_small(context.root, tables.MODELS)["run_id"].to_pylist() == [broken["run_id"]]
    assert json.loads(broken["summary"])["wrote"] == {"models": 1}
    # What is up to date is so by a run that ended.
    assert [row["run_id"] for row in rows if row["finished"]] == ([again.run_id] if job.reads else [])
    execute(job, context, "train")
    assert len(delta.read_small(context.root, tables.RUNS)) == len(rows)


def test_a_run_that_wrote_nothing_and_did_not_end_leaves_no_row(context: Context) -> None:
    def fails(_: Context) -> _Counts:
        raise MemoryError

    with pytest.raises(MemoryError):
        execute(replace(JOB, run=fails), context, "train")
    execute(JOB, context, "train")
    assert [
        row["finished"] is not None for row in delta.read_small(context.root, tables.RUNS).to_pylist()
    ] == [True]


def _killed(context: Context) -> _Counts:
    """What SIGKILL leaves: nobody has removed the folder."""
    (context.root / "_staging" / context.run_id).mkdir(parents=True)
    raise MemoryError


def _staged(root: Path) -> int:
    return len(list((root / "_staging").iterdir()))


def test_what_an_interrupted_run_has_staged_is_removed(context: Context) -> None:
    with pytest.raises(MemoryError):
        execute(replace(JOB, run=_killed), context, "train")
    assert _staged(context.root) == 1
    execute(JOB, context, "train")
    assert _staged(context.root) == 0


def test_of_runs_that_begin_at_once_one_records_what_was_interrupted(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(inner: Context) -> _Counts:
        _run(inner)
        raise MemoryError

    with pytest.raises(MemoryError):
        execute(replace(JOB, run=killed), context, "train")
    record, others = runs.record, iter([underway.record_interrupted])

    def beside_another(*arguments: Any, **named: Any) -> None:
        for other in others:
            other(context.root)
        record(*arguments, **named)

    monkeypatch.setattr(runs, "record", beside_another)
    underway.record_interrupted(context.root)
    assert len(delta.read_small(context.root, tables.RUNS)) == 1


def test_where_nothing_has_locks_nothing_that_is_staged_is_removed(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(MemoryError):
        execute(replace(JOB, run=_killed), context, "train")
    execute(JOB, context, "train")
    assert _staged(context.root) == 1


def test_a_run_that_goes_on_is_not_taken_for_an_interrupted_one(context: Context) -> None:
    def run(inner: Context) -> _Counts:
        summary = _run(inner)
        with staging_folder(inner) as staging:
            execute(replace(JOB, name="embed"), context, "embed")
            assert staging.is_dir()
        return summary

    execute(replace(JOB, run=run), context, "train")
    rows = delta.read_small(context.root, tables.RUNS).to_pylist()
    assert sorted((row["job"], row["finished"] is not None) for row in rows) == [
        ("embed", True),
        ("train", True),
    ]
