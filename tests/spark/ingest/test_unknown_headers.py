"""What a run has left that was killed before it wrote the ledger: rows that one table alone knows."""

import os
import zipfile
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from files import write_file
from jobs.ingest import JOB
from jobs.retry import JOB as RETRY
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.errors import JobError
from dicomae.lake import delta
from dicomae.runtime.job import Context, Job, execute

Run = Callable[[], dict[str, Any]]
RunOf = Callable[..., Run]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    write_file(tmp_path / "pacs" / "1.dcm", "1.1")
    return tmp_path / "pacs"


@pytest.fixture
def run_of(spark: SparkSession, conf: Config, root: Path) -> RunOf:
    def run_of(job: Job, top: Path, conf: Config = conf) -> Run:
        named = {"inventory": None, "table": None, "columns": None, "reason": []}
        arguments = Namespace(source=str(top), tables=root, **named)
        return lambda: execute(job, Context(spark, conf, root, arguments), job.name).as_json()

    return run_of


@pytest.fixture
def run(run_of: RunOf, top: Path) -> Run:
    return run_of(JOB, top)


def _killed_before_the_ledger(run: Run, table: tables.Table = tables.FILES, nth: int = 0) -> None:
    commit, last, before = delta.commit_parts, table, iter(range(nth))

    def kill(root: Path, table: tables.Table, *rest: Any, **named: Any) -> int:
        if table is last and next(before, None) is None:
            raise RuntimeError("killed here")
        return commit(root, table, *rest, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delta, "commit_parts", kill)
        with pytest.raises(RuntimeError, match="killed here"):
            run()


def _changed(file: Path, content: bytes) -> None:
    """Another content of the same size and time."""
    times = file.stat()
    file.write_bytes(content.ljust(times.st_size, b" "))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def _zip(path: Path, *uids: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number, uid in enumerate(uids):
            archive.write(write_file(path.parent.parent / "member", uid), f"{number}.dcm")


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


def test_what_was_killed_is_doubted_until_its_own_source_is_read(
    run: Run, run_of: RunOf, top: Path, root: Path, tmp_path: Path
) -> None:
    run()
    before, times = (top / "1.dcm").read_bytes(), (top / "1.dcm").stat()
    write_file(top / "1.dcm", "1.5", SeriesDescription="longer")
    _killed_before_the_ledger(run)
    write_file(tmp_path / "other" / "2.dcm", "1.2")
    with pytest.raises(JobError, match="'headers' lacks 1 rows; ingest all sources again"):
        run_of(JOB, tmp_path / "other")()
    (top / "1.dcm").write_bytes(before)
    os.utime(top / "1.dcm", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len(run()["made_good"]) == 2
    assert _held(root) == {"1.dcm": "1.1", "2.dcm": "1.2"}
    assert "made_good" not in run()


@pytest.mark.parametrize("is_archive", [False, True])
@pytest.mark.parametrize("is_ingested", [False, True])
def test_a_retry_that_was_killed_is_as_if_it_had_not_begun(
    run: Run, run_of: RunOf, top: Path, root: Path, is_archive: bool, is_ingested: bool
) -> None:
    good = write_file(top.parent / "2.dcm", "1.2").read_bytes()
    if is_archive:
        with zipfile.ZipFile(top.parent / "2.zip", "w") as archive:
            archive.writestr("m.dcm", good)
        good = (top.parent / "2.zip").read_bytes()
    bad = top / ("2.zip" if is_archive else "2.dcm")
    bad.write_bytes(b"x" * len(good))
    assert run()["quarantined"] == 1
    _changed(bad, good)
    _killed_before_the_ledger(run_of(RETRY, top))
    if is_ingested:
        assert [run()[name] for name in ("files", "rows", "quarantined")] == [2, 1, 1]
        assert _held(root) == {"1.dcm": "1.1"}
    counts = run_of(RETRY, top)()
    assert [counts[name] for name in ("files", "rows", "quarantined")] == [2, 2, 0]
    assert set(_held(root).values()) == {"1.1", "1.2"}
    run()
    versions = [delta.version(root, table) for table in tables.ALL]
    run()
    assert [delta.version(root, table) for table in tables.ALL] == versions


def test_of_an_archive_that_has_gone_the_members_stay_that_have_their_rows(
    run: Run, top: Path, root: Path
) -> None:
    _zip(top / "a.zip", "1.2", "1.3")
    write_file(top / "copy.dcm", "1.2")
    run()
    _zip(top / "a.zip", "1.2", "1.4")
    _killed_before_the_ledger(run)
    (top / "a.zip").unlink()
    counts = run()
    assert (counts["rows"], counts["duplicates"], counts["vanished"]) == (2, 1, 2)
    assert set(_held(root).values()) == {"1.1", "1.2"}


def test_a_copy_of_what_a_killed_run_changed_is_known_as_another_content(
    run_of: RunOf, conf: Config, top: Path, root: Path
) -> None:
    one_by_one = replace(conf, ingest=replace(conf.ingest, files_per_commit=1))
    run = run_of(JOB, top, one_by_one)
    write_file(top / "2.dcm", "1.1")
    run()
    write_file(top / "1.dcm", "1.1", SeriesDescription="longer")
    _killed_before_the_ledger(run, tables.HEADERS, nth=1)
    counts = run()
    assert (counts["duplicates"], counts["conflicts"]) == (1, 1)


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
