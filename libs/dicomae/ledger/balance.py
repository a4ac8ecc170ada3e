"""What the ledger holds, and that it is all there: files = rows of `headers` + duplicates + quarantined."""

import time
from collections import Counter
from dataclasses import dataclass

from dicomae.codes import FileStatus
from dicomae.errors import JobError
from dicomae.lake import delta, sql
from dicomae.lake.sql import Database
from dicomae.tables import FILES, HEADERS

_LOOKS, _BETWEEN_LOOKS_SECONDS = 5, 0.5

_KINDS = """SELECT status, reason, count(*), count(*) FILTER (WHERE vanished) FROM files
    GROUP BY 1, 2 ORDER BY 1, 2"""


@dataclass(frozen=True)
class LedgerCounts:
    """What the ledger holds, in numbers: a path could name a patient. Containers are no files, members are.

    Attributes
    ----------
    rows : of `headers`.
    duplicates : files whose SOPInstanceUID another file holds; `conflicts` are those with another content.
    unread : files that stay as they were, because they could not be read again.
    reasons : of quarantined files, with their numbers: `{"truncated": 3}`.
    """

    files: int
    rows: int
    duplicates: int
    conflicts: int
    quarantined: int
    containers: int
    unread: int
    vanished: int
    reasons: dict[str, int]


def balanced(database: Database) -> LedgerCounts:
    """The ledger's `counts`; when another run commits meanwhile, those after its commit.

    Raises
    ------
    JobError
        Files are not rows + duplicates + quarantined.
    """
    headers = f"--tables {database.root}: table 'headers'"
    for _ in range(_LOOKS):
        found = counts(database)
        lost = found.files - (found.rows + found.duplicates + found.quarantined)
        if not lost:
            return found
        time.sleep(_BETWEEN_LOOKS_SECONDS)
    if lost > 0:
        raise JobError(f"{headers} lacks {lost} rows; ingest all sources again")
    raise JobError(
        f"{headers} has {-lost} rows that the ledger does not know: another run is writing, "
        f"or was killed; ingest its source again"
    )


def counts(database: Database) -> LedgerCounts:
    """What the ledger holds: files by status, and why some are in quarantine."""
    with database.session() as session:
        sql.name_table(session, database.root, FILES)
        kinds = session.execute(_KINDS).fetchall()
    by_status, by_reason, unread = Counter[str](), Counter[str](), 0
    for status, reason, files, _ in kinds:
        by_status[status] += files
        if status == FileStatus.QUARANTINED:
            by_reason[reason] += files
        elif reason is not None:
            unread += files
    containers = by_status.pop(FileStatus.CONTAINER, 0)
    conflicts = by_status[FileStatus.DUPLICATE_UID_CONFLICT]
    return LedgerCounts(
        files=by_status.total(),
        rows=delta.count(database.root, HEADERS),
        duplicates=by_status[FileStatus.DUPLICATE] + conflicts,
        conflicts=conflicts,
        quarantined=by_status[FileStatus.QUARANTINED],
        containers=containers,
        unread=unread,
        vanished=sum(vanished for *_, vanished in kinds),
        reasons=dict(by_reason),
    )
