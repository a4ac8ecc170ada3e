"""Rows of `headers` of a run that was killed before it wrote the ledger, where their file has gone since."""

import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from files import write_file
from jobs.ingest import JOB
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.spark import delta
from dicomae.spark.job import Context, execute

Run = Callable[[], dict[str, Any]]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    write_file(tmp_path / "pacs" / "1.dcm", "1.1")
    return tmp_path / "pacs"


@pytest.fixture
def run(spark: SparkSession, conf: Config, root: Path, top: Path) -> Run:
    arguments = Namespace(source=str(top), inventory=None, table=None, columns=None, tables=root)
    return lambda: execute(JOB, Context(spark, conf, root, arguments), "ingest")


def _killed_before_the_ledger(run: Run) -> None:
    commit = delta.commit_parts

    def kill(root: Path, table: tables.Table, *rest: Any, **named: Any) -> int:
        if table is tables.FILES:
            raise RuntimeError("killed here")
        return commit(root, table, *rest, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delta, "commit_parts", kill)
        with pytest.raises(RuntimeError, match="killed here"):
            run()


def _held(root: Path) -> dict[str, str]:
    rows = delta.read_small(root, tables.HEADERS).to_pylist()
    return {Path(row["path"]).name: row["SOPInstanceUID"] for row in rows}


@pytest.mark.parametrize("is_first", [True, False])
def test_a_file_that_was_moved_takes_its_instance_along(
    run: Run, top: Path, root: Path, is_first: bool
) -> None:
    if not is_first:
        run()
    write_file(top / "2.dcm", "1.2")
    _killed_before_the_ledger(run)
    (top / "2.dcm").rename(top / "3.dcm")
    assert run()["files"] == 2
    assert _held(root) == {"1.dcm": "1.1", "3.dcm": "1.2"}


def test_a_file_that_has_gone_leaves_no_row(run: Run, top: Path, root: Path) -> None:
    run()
    write_file(top / "2.dcm", "1.2")
    _killed_before_the_ledger(run)
    (top / "2.dcm").unlink()
    counts = run()
    assert (counts["files"], counts["rows"]) == (1, 1)
    assert _held(root) == {"1.dcm": "1.1"}


def test_a_bad_file_that_has_gone_leaves_no_row_in_quarantine(run: Run, top: Path, root: Path) -> None:
    run()
    (top / "letter").write_text("Dear colleague, " * 20, encoding="utf-8")
    _killed_before_the_ledger(run)
    assert len(delta.read_small(root, tables.QUARANTINE)) == 1
    (top / "letter").unlink()
    assert run()["quarantined"] == 0
    assert len(delta.read_small(root, tables.QUARANTINE)) == 0


def test_what_another_run_is_about_to_write_stays(run: Run, top: Path, root: Path) -> None:
    run()
    write_file(top / "2.dcm", "1.2")
    commit, others = delta.commit_parts, iter([run])

    def beside_another(root: Path, table: tables.Table, *rest: Any, **named: Any) -> int:
        if table is tables.FILES:
            for other in others:
                (top / "2.dcm").rename(top / "kept")
                with pytest.raises(Exception, match="'headers' has 1 rows that the ledger does not know"):
                    other()
                (top / "kept").rename(top / "2.dcm")
        return commit(root, table, *rest, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delta, "commit_parts", beside_another)
        run()
    assert _held(root) == {"1.dcm": "1.1", "2.dcm": "1.2"}


def test_a_file_that_changed_back_has_its_row_again(run: Run, top: Path, root: Path) -> None:
    run()
    before, times = (top / "1.dcm").read_bytes(), (top / "1.dcm").stat()
    write_file(top / "1.dcm", "1.5", SeriesDescription="longer")
    _killed_before_the_ledger(run)
    (top / "1.dcm").write_bytes(before)
    os.utime(top / "1.dcm", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run()["new"] == 1
    assert _held(root) == {"1.dcm": "1.1"}
    assert run()["new"] == 0


def test_a_file_that_changed_and_was_moved_takes_its_new_instance_along(
    run: Run, top: Path, root: Path
) -> None:
    run()
    write_file(top / "1.dcm", "1.5", SeriesDescription="longer")
    _killed_before_the_ledger(run)
    (top / "1.dcm").rename(top / "2.dcm")
    counts = run()
    assert (counts["files"], counts["rows"], counts["duplicates"]) == (1, 1, 0)
    assert _held(root) == {"2.dcm": "1.5"}
