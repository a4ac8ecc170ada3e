"""Edits of the ledger for files that nobody has to read: vanished, there again, or of no use any more."""

import duckdb

from dicomae.lake import sql
from dicomae.lake.location import Location
from dicomae.lake.sql import Database
from dicomae.ledger import edits
from dicomae.ledger.changes import Changes
from dicomae.ledger.conditions import ITS_FILE, LOST_MEMBERS
from dicomae.ledger.doubt import HEADERLESS, UNKNOWN_HEADERS
from dicomae.ledger.outcome import LISTING_ROW
from dicomae.tables import FILES, HEADERS, RUNS


def wanted(database: Database, changes: Changes, staging: Location) -> edits.Edits:
    """The marks that changes ask for, as edits of the parts that the tables have now.

    A member has vanished when the newest read of its archive did not find it. After a killed run, a row goes
    when one table alone knows it and its file cannot be read again.
    """
    with database.session() as session:
        sql.name_table(session, database.root, FILES)
        for name in ("vanished", "returned", "gone"):
            sql.name_files(session, name, getattr(changes, name), LISTING_ROW)
        found = [*_vanished(), *_returned(), *_gone()]
        if changes.is_doubtful:
            found += _headerless(session, database.root)
        return edits.wanted(session, found, staging)


def _vanished() -> list[str]:
    """Mark files that have vanished, and lost members. In: `files`, `vanished`."""
    return [
        edits.marked(FILES, f"{LOST_MEMBERS} WHERE NOT vanished", vanished=True),
        edits.marked(FILES, f"files WHERE {ITS_FILE} IN (SELECT path FROM vanished)", vanished=True),
    ]


def _returned() -> list[str]:
    """Take the mark from files that are there again, but for lost members. In: `files`, `returned`."""
    is_there = f"{ITS_FILE} IN (SELECT path FROM returned) AND path NOT IN (SELECT path FROM {LOST_MEMBERS})"
    return [edits.marked(FILES, f"files WHERE {is_there}", vanished=False)]


def _gone() -> list[str]:
    """Drop rows that are needed no more. In: `files`, `gone`."""
    return [edits.dropped(FILES, f"files WHERE {ITS_FILE} IN (SELECT path FROM gone)")]


def _headerless(session: duckdb.DuckDBPyConnection, root: Location) -> list[str]:
    """Drop what one table alone knows and cannot be read again. In: `files`, `vanished`."""
    for table in (HEADERS, RUNS):
        sql.name_table(session, root, table)
    is_over = "vanished OR file IN (SELECT path FROM vanished)"
    return [edits.dropped(HEADERS, UNKNOWN_HEADERS), edits.dropped(FILES, f"{HEADERLESS} WHERE {is_over}")]
