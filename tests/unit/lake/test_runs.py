"""Who ran a job, as the table `runs` has it."""

import getpass
import os

import pytest

from dicomae.lake import runs


def test_the_account_is_that_of_the_process_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    known = getpass.getuser()
    monkeypatch.setenv("LOGNAME", "somebody else")
    assert runs.user() == known


def test_an_account_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 2_000_000_001)
    assert runs.user() == "2000000001"
