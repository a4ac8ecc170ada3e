"""The counts of a hand-written ledger, and what does not agree."""

from pathlib import Path

import pytest
from tests.unit.ledger.ledger_tables import Row, file, header, hold

from dicomae.errors import JobError
from dicomae.lake.sql import Database
from dicomae.ledger import balance


def bad(path: str, reason: str) -> Row:
    return file(path, "quarantined", reason=reason)


def test_files_are_counted_by_what_became_of_them(database: Database, root: Path) -> None:
    files = [
        file("/a/1"),
        file("/a/2", reason="timeout"),  # it could not be read again
        file("/a/3", vanished=True),
        file("/a/copy", "duplicate", original_path="/a/1"),
        file("/a/other", "duplicate_uid_conflict", original_path="/a/1"),
        file("/a.zip", "container"),
        *(bad(f"/b/{n}", "truncated") for n in (3, 1, 2)),
        bad("/b/4", "empty"),
    ]
    hold(root, files, [header(path) for path in ("/a/1", "/a/2", "/a/3")])
    assert balance.balanced(database) == balance.LedgerCounts(
        files=9,
        rows=3,
        duplicates=2,
        conflicts=1,
        quarantined=4,
        containers=1,
        unread=1,
        vanished=1,
        reasons={"empty": 1, "truncated": 3},
        examples={"empty": ["/b/4"], "truncated": ["/b/1", "/b/2"]},
    )


@pytest.mark.parametrize(
    ("headers", "told"),
    [([], "'headers' lacks 1 rows"), (["/1", "/2"], "'headers' has 1 rows that the ledger does not know")],
)
def test_what_does_not_agree_is_told(
    database: Database, root: Path, monkeypatch: pytest.MonkeyPatch, headers: list[str], told: str
) -> None:
    monkeypatch.setattr(balance, "_BETWEEN_LOOKS_SECONDS", 0)
    hold(root, [file("/1")], [header(path) for path in headers])
    with pytest.raises(JobError, match=told):
        balance.balanced(database)
