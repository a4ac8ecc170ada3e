"""The counts of a hand-written ledger, what does not agree, and that no path is said."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.unit.ledger.ledger_tables import Row, file, header, hold

from dicomae.codes import FileStatus, Reason
from dicomae.errors import JobError
from dicomae.ingest import summary
from dicomae.lake.sql import Database
from dicomae.ledger import balance

FOLDER = "/pacs/DOE^JANE"


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


@pytest.fixture
def counted(root: Path, database: Database) -> balance.LedgerCounts:
    """Of six files two are read, one is a copy, three are in quarantine."""
    quarantined = [
        file(f"{FOLDER}/{name}", FileStatus.QUARANTINED, reason=str(reason))
        for name, reason in (
            ("letter.pdf", Reason.NOT_DICOM),
            ("cut.dcm", Reason.TRUNCATED),
            ("x", Reason.TRUNCATED),
        )
    ]
    copy = file(f"{FOLDER}/copy.dcm", FileStatus.DUPLICATE, original_path=f"{FOLDER}/1.dcm")
    read = [f"{FOLDER}/1.dcm", f"{FOLDER}/2.dcm"]
    hold(root, [*map(file, read), copy, *quarantined], map(header, read))
    return balance.balanced(database)


def test_files_are_rows_and_duplicates_and_quarantined(counted: balance.LedgerCounts) -> None:
    assert (counted.files, counted.rows, counted.duplicates, counted.quarantined) == (6, 2, 1, 3)
    assert counted.reasons == {"not_dicom": 1, "truncated": 2}


def test_a_summary_names_no_path(counted: balance.LedgerCounts) -> None:
    told = json.dumps(asdict(counted)) + "\n".join(summary.lines(asdict(counted)))
    assert "DOE" not in told
    assert "truncated                   2" in told
