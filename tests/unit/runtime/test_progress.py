"""What is told of long work."""

import itertools
import threading

import pytest

from dicomae.runtime import progress
from dicomae.runtime.progress import Seen


def test_work_is_told_in_numbers_rate_and_time_left():
    seen = Seen(120_000, 2_000_000, "3 quarantined, 12 MB")
    assert progress.in_words(seen, " files", 15.0) == (
        "120,000 of 2,000,000 files, 8,000 files/s, 03:55 left, 3 quarantined, 12 MB"
    )
    assert progress.in_words(Seen(500), " files", 10.0) == "500 files, 50 files/s"
    assert progress.in_words(Seen(1, 8), " tasks", 4.0) == "1 of 8 tasks, 0.25 tasks/s, 00:28 left"
    assert progress.in_words(Seen(12, 3), " files", 4.0) == "12 files, 3 files/s"
    assert progress.in_words(Seen(0, 8), " tasks", 4.0) == "0 of 8 tasks, 0.00 tasks/s"


def test_where_there_is_no_terminal_lines_come_while_work_goes_on_and_one_at_its_end(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.001)
    looks, enough = itertools.count(10), threading.Event()

    def look() -> Seen:
        done = next(looks)
        if done == 12:
            enough.set()
        return Seen(done, 20_000, "1 quarantined")

    with progress.files("reading", look):
        assert enough.wait(60)
    told = capsys.readouterr()
    assert told.out == ""
    *lines, last = told.err.splitlines()
    assert all(line.startswith("  reading: ") for line in (*lines, last))
    assert " of 20,000 files, " in lines[0]
    assert last.endswith(" files/s, 1 quarantined)")


def test_work_that_fails_ends_what_is_told(capsys):
    with pytest.raises(ValueError, match="broken"), progress.files("reading", lambda: Seen(1)):
        raise ValueError("broken")
    assert capsys.readouterr().err == ""
