"""Who may hold the tables beside whom."""

import errno
import fcntl
import multiprocessing
from pathlib import Path

import pytest

from dicomae.errors import DicomaeError, JobError, UsageError
from dicomae.runtime.underway import at_work


def _refusal(root: Path, alone: bool) -> str | None:
    try:
        with at_work(root, alone=alone):
            return None
    except DicomaeError as error:
        return str(error)


def _elsewhere(root: Path, alone: bool) -> str | None:
    """What another process is told."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_refusal, (root, alone))


def test_runs_are_at_work_beside_each_other_but_none_beside_one_that_must_be_alone(tmp_path: Path) -> None:
    with at_work(tmp_path, alone=False):
        assert _elsewhere(tmp_path, alone=False) is None
        assert "another run is under way" in str(_elsewhere(tmp_path, alone=True))
    with at_work(tmp_path, alone=True):
        assert "jobs/forget.py" in str(_elsewhere(tmp_path, alone=False))
        assert "another run is under way" in str(_elsewhere(tmp_path, alone=True))
    assert _elsewhere(tmp_path, alone=True) is None


def test_a_run_that_failed_is_at_work_no_more(tmp_path: Path) -> None:
    with pytest.raises(MemoryError), at_work(tmp_path, alone=True):
        raise MemoryError
    with at_work(tmp_path, alone=False):
        pass


def test_without_locks_only_a_run_that_must_be_alone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with at_work(tmp_path, alone=False):
        pass
    with pytest.raises(UsageError, match="has no locks"), at_work(tmp_path, alone=True):
        pass


def test_the_refusal_is_that_of_a_job_that_may_be_run_again(tmp_path: Path) -> None:
    with at_work(tmp_path, alone=True), pytest.raises(JobError), at_work(tmp_path, alone=False):
        pass
