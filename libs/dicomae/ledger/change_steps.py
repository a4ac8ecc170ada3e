"""The steps from a listing to changes, each of them SQL on a session of DuckDB.

The session knows these by name:

    files         the ledger
    listing       rows of `LISTING_ROW`: what was listed, and what could not be
    visited       rows of `VISITED`: the folders of which a trusting night has asked
    headerless  rows of the ledger to be read again for their own sake (`doubt`)

The first step makes `changed`: rows of `LISTING_ROW` with their `change`, a value of `Change`. The others add
rows, take rows away, or give them another change.
"""

import duckdb

from dicomae.codes import NO_ANSWER, NO_FILE, FileStatus, Reason
from dicomae.lake import sql
from dicomae.lake.sql import quoted
from dicomae.ledger.conditions import (
    IS_QUARANTINED,
    IS_READ_BY_ITSELF,
    ITS_FILE,
    LOST_MEMBERS,
    OF_ARCHIVES,
    READ_ARCHIVES,
    WAS_NOT_LISTED,
    Change,
)

_NO_ANSWER, _NO_FILE = sql.text_list(NO_ANSWER), sql.text_list(NO_FILE)

# The etag decides where both have one, else what the listing knows of size and time. What could not be listed
# is the same when it fails as it failed before.
_IS_SAME = """coalesce(
        new.etag = old.etag,
        (new.size IS NULL OR new.size IS NOT DISTINCT FROM old.size)
            AND (new.mtime IS NULL OR new.mtime IS NOT DISTINCT FROM old.mtime)
    ) AND new.reason IS NOT DISTINCT FROM CASE WHEN old.was_not_listed THEN old.reason END"""

# Files that were missing, or did not answer, can be there by now; so can a file that keeps its row because it
# could not be read again. A file that may not be read is asked for by `retry` alone.
_CAN_BE_THERE = f"""CASE WHEN old.{IS_QUARANTINED}
    THEN old.reason IN {sql.text_list((*NO_FILE, Reason.TIMEOUT, Reason.IO_ERROR))} AND new.reason IS NULL
    ELSE old.reason IS NOT NULL END"""

_COMPARED = f"""CREATE TEMP TABLE changed AS SELECT * FROM (
    SELECT coalesce(new.path, old.path) AS path, new.size, new.mtime, new.etag, new.reason, new.detail,
        coalesce(old.attempts, 0)::INTEGER AS attempts,
        CASE WHEN old.path IS NULL THEN '{Change.NEW}'
             WHEN new.path IS NULL AND old.was_not_listed THEN '{Change.GONE}'
             WHEN new.path IS NULL OR (new.reason IN {_NO_FILE} AND NOT old.was_not_listed)
                 THEN CASE WHEN NOT old.vanished THEN '{Change.VANISHED}' END
             WHEN new.reason IN {_NO_ANSWER} AND NOT old.was_not_listed THEN '{Change.UNANSWERED}'
             WHEN old.is_headerless OR NOT ({_IS_SAME}) OR {_CAN_BE_THERE} THEN '{Change.AGAIN}'
             WHEN old.vanished THEN '{Change.RETURNED}' END AS change
    FROM listing AS new
    {{join}} JOIN (SELECT *, path IN (SELECT file FROM headerless) AS is_headerless,
        {WAS_NOT_LISTED} AS was_not_listed
        FROM files WHERE container IS NULL AND {{below}}) AS old ON new.path = old.path
    ) WHERE change IS NOT NULL"""


def compare(session: duckdb.DuckDBPyConnection, below: str, *, is_whole: bool) -> None:
    """Compare each listed file with its row of the ledger.

    In: `listing`, `files`, `headerless`. Out: `changed`, where the two differ.

    Parameters
    ----------
    below : the condition of the rows of `files` that the listing is about.
    is_whole : whether the listing names all files there; then a row of the ledger without one has vanished.
    """
    session.execute(_COMPARED.format(join="FULL" if is_whole else "LEFT", below=below))


# Each path is taken apart into the folders above it. To compare each path with each folder takes hours where
# many folders refuse.
_HIDDEN = f"""DELETE FROM changed WHERE change IN ('{Change.VANISHED}', '{Change.GONE}') AND path IN (
    SELECT path FROM (
        SELECT path, unnest(list_transform(range(1, len(names)),
            lambda n: array_to_string(names[:n], '/'))) AS above
        FROM (SELECT path, string_split(path, '/') AS names FROM changed
              WHERE change IN ('{Change.VANISHED}', '{Change.GONE}')))
    WHERE above IN (SELECT path FROM listing WHERE reason IS NOT NULL AND reason <> '{Reason.MISSING}'))"""


def keep_hidden(session: duckdb.DuckDBPyConnection) -> None:
    """Take nothing for vanished below a folder that could not be listed. One that is missing hides nothing.

    In: `changed`, `listing`. Out: `changed`, without such rows.
    """
    session.execute(_HIDDEN)


# No `DISTINCT ON` over all that is listed: DuckDB holds its rows in memory.
_TWICE = """CREATE TEMP TABLE twice AS SELECT DISTINCT ON (path) * FROM changed
    WHERE path IN (SELECT path FROM changed GROUP BY path HAVING count(*) > 1)"""
_ONCE = "DELETE FROM changed WHERE path IN (SELECT path FROM twice); INSERT INTO changed SELECT * FROM twice"


def keep_one_of_each(session: duckdb.DuckDBPyConnection) -> None:
    """Keep one row of each path; a mere list may name a file twice.

    In: `changed`. Out: `changed`, in which each path stands once.
    """
    session.execute(_TWICE)
    session.execute(_ONCE)


_HAS_COPIES_AND_MEMBERS = "SELECT count(original_path) > 0, count(container) > 0 FROM files"


def has_copies_and_members(session: duckdb.DuckDBPyConnection) -> tuple[bool, bool]:
    """Whether the ledger has copies, and members of archives; mostly it spares joins of it with itself."""
    ((has_copies, has_members),) = session.execute(_HAS_COPIES_AND_MEMBERS).fetchall()
    return has_copies, has_members


# Paths of copies whose original has let go of the instance, or may have. That is so where
# - the two hold other instances, or are not as alike as the copy's status says: an earlier run should have
#   read the copy, and was ended before, read another source, or did not find it;
# - the original is read again;
# - the original has vanished and is headerless.
# Of a copy that is a member, the archive is read.
_COPIES = f"""WITH copy AS (SELECT * FROM files WHERE original_path IS NOT NULL AND {{of_some}}),
        original AS (SELECT *, {ITS_FILE} AS file FROM files
            WHERE path IN (SELECT original_path FROM copy))
    SELECT coalesce(copy.container, copy.path)
    FROM copy LEFT JOIN original ON copy.original_path = original.path
    WHERE original.SOPInstanceUID IS DISTINCT FROM copy.SOPInstanceUID
        OR (original.content_hash = copy.content_hash) <> (copy.status = '{FileStatus.DUPLICATE}')
        OR original.file IN (SELECT path FROM changed WHERE change = '{Change.AGAIN}')
        OR original.path IN (SELECT path FROM headerless) AND (original.vanished
            OR original.file IN (SELECT path FROM changed WHERE change = '{Change.VANISHED}'))"""


def _of_ledger(change: Change) -> str:
    """Columns of `changed`, of a row of `files` that nobody has listed."""
    return f"path, size, mtime, etag, NULL AS reason, NULL AS detail, attempts, '{change}' AS change"


_ORPHANED = f"""INSERT INTO changed SELECT {_of_ledger(Change.ORPHANED)} FROM files
    WHERE path IN ({_COPIES.format(of_some="NOT vanished")})
    AND {IS_READ_BY_ITSELF} AND NOT vanished AND starts_with(path, {{reach}})
    AND (NOT {IS_QUARANTINED} OR reason IN {sql.text_list(OF_ARCHIVES)})
    AND path NOT IN (SELECT path FROM changed)"""

_RETURNED_COPIES = f"""UPDATE changed SET change = '{Change.ORPHANED}' WHERE change = '{Change.RETURNED}'
    AND path IN ({_COPIES.format(of_some="vanished")})"""


def add_orphaned(session: duckdb.DuckDBPyConnection, reach: str) -> None:
    """Add the copies to be read again, because the file with their instance may have let go of it.

    In: `changed`, `files`, `headerless`. Out: `changed`, with more rows.

    Parameters
    ----------
    reach : what the paths begin with that can be read in this run.
    """
    session.execute(_ORPHANED.format(reach=quoted(reach)))


def orphan_returned(session: duckdb.DuckDBPyConnection) -> None:
    """Have copies that are there again read, where the file with their instance has let go of it.

    In: `changed`, `files`, `headerless`. Out: `changed`, with `orphaned` for `returned` in some rows.
    """
    session.execute(_RETURNED_COPIES)


_SHRUNK = f"""INSERT INTO changed SELECT {_of_ledger(Change.SHRUNK)} FROM {READ_ARCHIVES}
    WHERE path IN (SELECT container FROM {LOST_MEMBERS} WHERE NOT vanished)
    AND path NOT IN (SELECT path FROM changed)"""


def add_shrunk(session: duckdb.DuckDBPyConnection) -> None:
    """Add archives with members that their newest read did not find, and that nobody has marked.

    In: `changed`, `files`. Out: `changed`, with more rows.
    """
    session.execute(_SHRUNK)


def begin(session: duckdb.DuckDBPyConnection) -> None:
    """Out: `changed` without rows, where there is no listing."""
    session.execute(f"CREATE TEMP TABLE changed AS SELECT {_of_ledger(Change.AGAIN)} FROM files LIMIT 0")


def add_quarantined(session: duckdb.DuckDBPyConnection, chosen: str) -> None:
    """Add quarantined files to be read again; of a member, the archive.

    In: `files`. Out: `changed`, with more rows.

    Parameters
    ----------
    chosen : the condition of their rows of `files`.
    """
    session.execute(
        f"INSERT INTO changed SELECT {_of_ledger(Change.AGAIN)} FROM files WHERE NOT {WAS_NOT_LISTED} "
        f"AND path IN (SELECT {ITS_FILE} FROM files WHERE {IS_QUARANTINED} AND {chosen}) "
        f"AND {IS_READ_BY_ITSELF} AND NOT vanished"
    )
