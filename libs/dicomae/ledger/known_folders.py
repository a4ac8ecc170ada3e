"""The folders of a source as its last whole run left them: a night may ask after them instead of their files.

    visited by a run ──► remembered ──► known to the next ──┬──► settled: has its mark still; files trusted
                                                            └──► listed: has another, or was in doubt

Each source has a Parquet file of them below `_folders`. When the file is lost, the next night is a slow one.
A folder is in doubt when other runs may have changed what the ledger says of it.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow.parquet as pq

from dicomae.lake import delta, location, sql
from dicomae.lake.location import Location
from dicomae.lake.sql import Database
from dicomae.ledger import doubt
from dicomae.ledger.conditions import FOLDER_OF
from dicomae.ledger.listings import FOLDERS, VISITED
from dicomae.tables import FILES, HEADERS

KEPT = "_folders"


class LedgerState(NamedTuple):
    """The newest commits of the ledger, and of the rows that it speaks of."""

    files: delta.Commit
    headers: delta.Commit


def ledger_state(root: Location) -> LedgerState:
    """What the ledger is now. When it is the same later, no other run has written meanwhile."""
    return LedgerState(*(delta.last_commit(root, table) for table in (FILES, HEADERS)))


def remembered(database: Database, top: str, now: LedgerState) -> Location | None:
    """The folders below `top` as the last whole run left them, a file of `FOLDERS`; None when there is none.

    A folder in doubt has no mark, so that it is listed again. These are in doubt:

    - a folder with a quarantined file, which may have been cut while it was written and be whole now;
    - a folder with a file that could not be read again;
    - when other runs have written the tables since: a folder with rows that they wrote, a folder with
      headerless rows, and one of which the ledger has another number of files than was seen.

    Parameters
    ----------
    now : the `ledger_state`.
    """
    copied = database.staging / "remembered-folders.parquet"
    try:
        location.copy(_place(database.root, top), copied)  # another run may put its own in its place
        about = location.parquet_file(copied).metadata
        then = _noted(about)
    except (OSError, ValueError):  # never written; or not yet on the disk when the power failed
        return None
    if then == now:
        return copied if about.num_rows else None
    # Restored from a backup, made anew, or its log was cleaned.
    written = delta.parts_since(database.root, FILES, then.files)
    if written is None or None in _runs_since(database.root, then):
        return None
    doubted = doubt.interrupted(database.root)
    with database.session() as session:
        sql.name_files(session, "remembered", [copied], FOLDERS)
        sql.name_files(session, "written", written, FILES.schema)
        sql.name_table(session, database.root, FILES)
        doubt.name_headerless(session, database.root, doubted)
        path = database.staging / "known-folders.parquet"
        rows = sql.write(session, _KNOWN, path)
    return path if rows else None


def remember(
    database: Database, top: str, visited: Sequence[Location], began: LedgerState, run_id: str
) -> None:
    """Keep what a whole run visited (files of `VISITED`) for the next one, and what the ledger is.

    Parameters
    ----------
    began : the `ledger_state` before anything was listed. This is what is kept when other runs have written
        since, for they may have seen the files otherwise.
    """
    written, place = database.staging / "visited-folders.parquet", _place(database.root, top)
    now = ledger_state(database.root)
    have_others = any(runs is None or runs - {run_id} for runs in _runs_since(database.root, began))
    note = json.dumps(began if have_others else now)
    with database.session() as session:
        sql.name_table(session, database.root, FILES)
        sql.name_files(session, "visited", visited, VISITED)
        sql.write(session, _VISITED, written, note)
    location.make(database.root / KEPT)
    location.move(written, place)


def _runs_since(root: Location, then: LedgerState) -> list[set[str] | None]:
    return [delta.runs_since(root, *each) for each in ((FILES, then.files), (HEADERS, then.headers))]


def _noted(about: pq.FileMetaData) -> LedgerState:
    note = about.metadata.get(sql.NOTE.encode(), b"")
    return LedgerState(*(delta.Commit(*commit) for commit in json.loads(note)))


def _place(root: Location, top: str) -> Location:
    return root / KEPT / f"{hashlib.sha256(top.encode()).hexdigest()}.parquet"


_IN_PLACE = "container IS NULL AND NOT vanished"

_VISITED = f"""SELECT path, files, CASE WHEN path NOT IN (SELECT {FOLDER_OF} FROM files
        WHERE reason IS NOT NULL AND {_IN_PLACE}) THEN mark ELSE '' END AS mark
    FROM visited"""

_KNOWN = f"""SELECT path, files, CASE WHEN coalesce(files_now, 0) = files AND NOT coalesce(is_doubtful, false)
        THEN mark ELSE '' END AS mark
    FROM remembered LEFT JOIN (
        SELECT {FOLDER_OF} AS path, count(*) AS files_now,
            bool_or(part IN (SELECT part FROM written)
                OR path IN (SELECT file FROM headerless)) AS is_doubtful
        FROM files WHERE {_IN_PLACE} GROUP BY 1) USING (path)"""
