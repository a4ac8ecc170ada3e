"""The ledger `files` against a listing: what is new, what is to be read again, what has vanished."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from dicomae.codes import NO_ANSWER, NO_FILE, FileStatus, Reason
from dicomae.lake import delta, runs, sql
from dicomae.lake.location import Location
from dicomae.lake.sql import Database, quoted
from dicomae.ledger import edits
from dicomae.ledger.listings import VISITED, Listed
from dicomae.ledger.outcome import LISTING
from dicomae.tables import FILES, HEADERS, QUARANTINE, RUNS

# What a listing says of a file: unknown to the ledger; known and changed, or to be read again for another
# reason; a duplicate, or an archive that holds one, whose original has another instance, or may have when it
# is read; no longer in the source; there again, unchanged; needs no row any more, as a folder that can be
# listed again; an archive without members that it had, which nobody has marked; known, of which the source
# says nothing now, as it does not answer.
_KINDS = ("new", "again", "orphaned", "vanished", "returned", "gone", "shrunk", "unanswered")
NEW, AGAIN, ORPHANED, VANISHED, RETURNED, GONE, SHRUNK, UNANSWERED = _KINDS
ARCHIVES = r"\.(zip|tar|tgz|tar\.gz)$"  # what is read inside
_OF_ARCHIVES = (Reason.ARCHIVE_DAMAGED, Reason.ARCHIVE_BOMB)  # some of whose members may have been read
_JOBS = ("ingest", "retry")  # that write the ledger


@dataclass(frozen=True)
class Changes:
    """Parquet files below the staging folder.

    Attributes
    ----------
    new, again, orphaned : rows of `LISTING`.
    vanished, returned, gone, shrunk, unanswered : `path` of rows of the ledger.
    is_doubtful : whether the tables may disagree, for a run was killed between its commits.
    made_good : ids of such runs, whose traces `marks` takes away.
    """

    new: tuple[Location, ...] = ()
    again: tuple[Location, ...] = ()
    orphaned: tuple[Location, ...] = ()
    vanished: tuple[Location, ...] = ()
    returned: tuple[Location, ...] = ()
    gone: tuple[Location, ...] = ()
    shrunk: tuple[Location, ...] = ()
    unanswered: tuple[Location, ...] = ()
    is_doubtful: bool = False
    made_good: tuple[str, ...] = ()

    @property
    def ask_for_marks(self) -> bool:
        """Whether the tables may need `marks`."""
        return self.is_doubtful or any(
            (self.again, self.orphaned, self.vanished, self.returned, self.gone, self.shrunk)
        )


def changes(database: Database, listed: Listed, top: str | None, reach: str | None, together: int) -> Changes:
    """What the listing says that the ledger does not know.

    In the order of paths, so that a run that is interrupted and begun again decides on a contested
    SOPInstanceUID as one that is not; in any order where all that is listed is committed together.

    Parameters
    ----------
    top : the folder that the listing is complete for, as the ledger writes it; None where it is a mere
        list, which says nothing of what has vanished.
    reach : what the paths of all files begin with that can be read beside those listed; None where none can.
    together : files that are committed together.
    """
    root = database.root
    doubted = interrupted(root)
    if delta.is_empty(root, FILES) and top is not None and listed.files + listed.failures <= together:
        is_doubtful = not (delta.is_empty(root, HEADERS) and delta.is_empty(root, QUARANTINE))
        return Changes(new=tuple(listed.paths), is_doubtful=is_doubtful, made_good=doubted)
    below = "true" if top is None else _is_below("path", quoted(top.rstrip("/")))
    with database.session() as session:
        sql.name_table(session, root, FILES)
        sql.name_files(session, "listing", listed.paths, LISTING)
        sql.name_files(session, "visited", listed.visited, VISITED)
        is_doubtful = name_lost(session, root, doubted)
        if listed.settled:
            below += f" AND {FOLDER_OF} NOT IN (SELECT path FROM visited WHERE is_settled)"
        session.execute(_FOUND.format(join="LEFT" if top is None else "FULL", below=below))
        if listed.failures:
            session.execute(_HIDDEN)
        if top is None:
            session.execute(_TWICE)
            session.execute(_ONCE)
        ((has_copies, has_members),) = session.execute(_HAS_COPIES_AND_MEMBERS).fetchall()
        if reach is not None and has_copies:
            session.execute(_ORPHANED.format(reach=quoted(reach)))
            session.execute(_RETURNED_ORPHANS)
        if has_members:
            session.execute(_SHRUNK)
        found = _written(session, database.staging)
        return replace(found, is_doubtful=is_doubtful, made_good=doubted)


def orphaned(database: Database, reach: str) -> Changes:
    """Copies that were read before the file with their instance let go of it, by a later commit of a run."""
    with database.session() as session:
        sql.name_table(session, database.root, FILES)
        session.execute(_NO_LOST)
        session.execute(f"CREATE TEMP TABLE found AS SELECT {_of_ledger(AGAIN)} FROM files LIMIT 0")
        session.execute(_ORPHANED.format(reach=quoted(reach)))
        return _written(session, database.staging)


def to_retry(database: Database, top: str, reasons: Sequence[str]) -> Changes:
    """Quarantined files below `top`, of these reasons or all; of members, the archive that holds them.

    Rows of header tables are left out: only their table itself can be read again.
    """
    chosen = f"reason IN ({', '.join(map(quoted, reasons))})" if reasons else "true"
    chosen += f" AND {_is_below('path', quoted(top.rstrip('/')))}"
    doubted = interrupted(database.root)
    with database.session() as session:
        sql.name_table(session, database.root, FILES)
        is_doubtful = name_lost(session, database.root, doubted)
        session.execute(
            f"CREATE TEMP TABLE found AS SELECT {_of_ledger(AGAIN)} FROM files WHERE NOT {_WAS_NOT_LISTED} "
            f"AND path IN (SELECT {_ITS_FILE} FROM files WHERE {_IS_QUARANTINED} AND {chosen}) "
            f"AND {_IS_READ_BY_ITSELF} AND NOT vanished"
        )
        found = _written(session, database.staging)
        return replace(found, is_doubtful=is_doubtful, made_good=doubted)


def marks(database: Database, changes: Changes, staging: Location) -> edits.Edits:
    """Edits of the ledger for what has vanished, is there again, or needs no row any more.

    Members of an archive that was read again, by this run or one before, and not found in it, have vanished;
    as far as the archive could be reached. Where a run was killed, rows go of which one table alone knows and
    whose file cannot be read again, for it has vanished, or is another by now.
    """
    with database.session() as session:
        for table in (FILES, QUARANTINE):
            sql.name_table(session, database.root, table)
        for kind in (VANISHED, RETURNED, GONE):
            sql.name_files(session, kind, getattr(changes, kind), LISTING)
        returned = f"{_ITS_FILE} IN (SELECT path FROM returned) AND path NOT IN (SELECT path FROM {_MISSED})"
        found = [
            edits.marked(FILES, f"{_MISSED} WHERE NOT vanished", vanished=True),
            edits.marked(FILES, f"files WHERE {_ITS_FILE} IN (SELECT path FROM vanished)", vanished=True),
            edits.marked(FILES, f"files WHERE {returned}", vanished=False),
            edits.dropped(FILES, f"files WHERE {_ITS_FILE} IN (SELECT path FROM gone)"),
            edits.dropped(QUARANTINE, f"quarantine WHERE path IN ({_OF_GONE})"),
        ]
        if changes.is_doubtful:
            for table in (HEADERS, RUNS):
                sql.name_table(session, database.root, table)
            found += [edits.dropped(HEADERS, _UNKNOWN), edits.dropped(QUARANTINE, _UNKNOWN_FAILURES)]
            found.append(
                edits.dropped(FILES, f"{_LOST} WHERE vanished OR file IN (SELECT path FROM vanished)")
            )
        return edits.wanted(session, found, staging)


_ITS_FILE = "coalesce(container, path)"  # members go with their archive

_IS_PARSED, _IS_QUARANTINED = (f"status = '{is_so}'" for is_so in (FileStatus.PARSED, FileStatus.QUARANTINED))

_IS_READ_BY_ITSELF = f"(status <> '{FileStatus.CONTAINER}' OR regexp_matches(lower(path), '{ARCHIVES}'))"

# The first condition spares DuckDB to read more than the status of most rows.
_READ_ARCHIVES = f"""(SELECT path, size, mtime, etag, attempts, run_id FROM files
    WHERE status <> '{FileStatus.PARSED}' AND (status = '{FileStatus.CONTAINER}'
    OR reason IN {sql.listed((*_OF_ARCHIVES, Reason.EMPTY))}))"""

# Members that their archive had when an earlier run read it; a run's id begins with the time of its start.
# Of an archive that did not answer nothing is known.
_MISSED = f"""(SELECT member.* FROM files AS member JOIN {_READ_ARCHIVES} AS archive
    ON member.container = archive.path WHERE member.run_id < archive.run_id)"""

_NO_LOST = "CREATE TEMP TABLE lost (path VARCHAR, member VARCHAR)"

# Rows of `headers` and of `quarantine` that there should be.
_NUMBERS = f"SELECT count(*) FILTER ({_IS_PARSED}), count(*) FILTER ({_IS_QUARANTINED}) FROM files"

# Rows of the ledger, whose file is to be read again, without their row of `headers` or of `quarantine`.
_LOST = f"""(SELECT path, part, vanished, {_ITS_FILE} AS file FROM files
        ANTI JOIN headers USING (path, SOPInstanceUID, content_hash) WHERE {_IS_PARSED}
    UNION ALL SELECT path, part, vanished, {_ITS_FILE} FROM files
        ANTI JOIN quarantine USING (path, reason) WHERE {_IS_QUARANTINED})"""

_OF_GONE = f"SELECT path FROM files WHERE {_ITS_FILE} IN (SELECT path FROM gone)"

# The other way round. What a run that is still at work has read is not in the ledger yet; its row of `runs`
# comes last.
_UNKNOWN = f"""(SELECT path, part FROM headers
    ANTI JOIN (SELECT path, SOPInstanceUID, content_hash FROM files WHERE {_IS_PARSED})
        USING (path, SOPInstanceUID, content_hash)
    WHERE run_id IN (SELECT run_id FROM runs))"""
_UNKNOWN_FAILURES = f"""(SELECT path, part FROM quarantine
    ANTI JOIN (SELECT path, reason FROM files WHERE {_IS_QUARANTINED}) USING (path, reason)
    WHERE run_id IN (SELECT run_id FROM runs))"""


def _is_below(path: str, folder: str) -> str:
    return f"({path} = {folder} OR starts_with({path}, {folder} || '/'))"


def interrupted(root: Location) -> tuple[str, ...]:
    """Runs, perhaps killed between the commits of two tables, of which nothing was made good yet."""
    return tuple(runs.not_made_good(root, _JOBS))


def name_lost(session: duckdb.DuckDBPyConnection, root: Location, doubted: Sequence[str]) -> bool:
    """Let SQL know, as `lost`, rows of the ledger (`member`, of the file `path`) that no other table has.

    Parameters
    ----------
    doubted : runs that were `interrupted`.

    Returns
    -------
    Whether they were looked for: there are such runs, or the numbers of rows differ.
    """
    session.execute(_NO_LOST)
    (known,) = session.execute(_NUMBERS).fetchall()
    is_doubtful = bool(doubted) or known != (delta.count(root, HEADERS), delta.count(root, QUARANTINE))
    if is_doubtful:
        for table in (HEADERS, QUARANTINE):
            sql.name_table(session, root, table)
        session.execute(f"INSERT INTO lost SELECT file, path FROM {_LOST}")
    return is_doubtful


def _of_ledger(change: str) -> str:
    return f"path, size, mtime, etag, NULL AS reason, NULL AS detail, attempts, '{change}' AS change"


def _written(session: duckdb.DuckDBPyConnection, staging: Location) -> Changes:
    """What was found, a file of each kind."""
    kinds = [kind for (kind,) in session.execute("SELECT DISTINCT change FROM found").fetchall()]
    columns, found = ", ".join(LISTING.names), dict[str, Any]()
    for kind in kinds:
        path = staging / f"{kind}.parquet"
        sql.write(session, f"SELECT {columns} FROM found WHERE change = '{kind}' ORDER BY path", path)
        found[kind] = (path,)
    return Changes(**found)


# The folder that holds a file, also one whose path ends in `/` (`listings`).
FOLDER_OF = "parse_dirpath(CASE WHEN suffix(path, '/') THEN path[:-2] ELSE path END, 'forward_slash')"

# Of what could not be listed nothing is known; a list of files may leave out the size alone.
_WAS_NOT_LISTED = f"(status = '{FileStatus.QUARANTINED}' AND size IS NULL AND mtime IS NULL AND etag IS NULL)"

# By etag where both have one, else by what the listing knows of size and time; and a folder that failed as it
# failed before.
_IS_SAME = """coalesce(
        new.etag = old.etag,
        (new.size IS NULL OR new.size IS NOT DISTINCT FROM old.size)
            AND (new.mtime IS NULL OR new.mtime IS NOT DISTINCT FROM old.mtime)
    ) AND new.reason IS NOT DISTINCT FROM CASE WHEN old.was_not_listed THEN old.reason END"""

_NO_ANSWER, _NO_FILE = sql.listed(NO_ANSWER), sql.listed(NO_FILE)

# What could not be read again; and what may be there by now. Permission is asked for by `retry`.
_IS_OPEN = f"""CASE WHEN old.status = '{FileStatus.QUARANTINED}'
    THEN old.reason IN {sql.listed((*NO_FILE, Reason.TIMEOUT, Reason.IO_ERROR))} AND new.reason IS NULL
    ELSE old.reason IS NOT NULL END"""

_FOUND = f"""CREATE TEMP TABLE found AS SELECT * FROM (
    SELECT coalesce(new.path, old.path) AS path, new.size, new.mtime, new.etag, new.reason, new.detail,
        coalesce(old.attempts, 0)::INTEGER AS attempts,
        CASE WHEN old.path IS NULL THEN '{NEW}'
             WHEN new.path IS NULL AND old.was_not_listed THEN '{GONE}'
             WHEN new.path IS NULL OR (new.reason IN {_NO_FILE} AND NOT old.was_not_listed)
                 THEN CASE WHEN NOT old.vanished THEN '{VANISHED}' END
             WHEN new.reason IN {_NO_ANSWER} AND NOT old.was_not_listed THEN '{UNANSWERED}'
             WHEN old.is_lost OR NOT ({_IS_SAME}) OR {_IS_OPEN} THEN '{AGAIN}'
             WHEN old.vanished THEN '{RETURNED}' END AS change
    FROM listing AS new
    {{join}} JOIN (SELECT *, path IN (SELECT path FROM lost) AS is_lost, {_WAS_NOT_LISTED} AS was_not_listed
        FROM files WHERE container IS NULL AND {{below}}) AS old ON new.path = old.path
    ) WHERE change IS NOT NULL"""

# A list may name a file twice. No `DISTINCT ON` over all that is listed: DuckDB holds its rows in memory.
_TWICE = """CREATE TEMP TABLE twice AS SELECT DISTINCT ON (path) * FROM found
    WHERE path IN (SELECT path FROM found GROUP BY path HAVING count(*) > 1)"""
_ONCE = """DELETE FROM found WHERE path IN (SELECT path FROM twice); INSERT INTO found SELECT * FROM twice"""

# One look at the ledger, which mostly spares three joins of it with itself.
_HAS_COPIES_AND_MEMBERS = "SELECT count(original_path) > 0, count(container) > 0 FROM files"

# Nothing has vanished below a folder that could not be listed. Each path is taken apart into the folders
# above it: to compare each with each takes hours where many folders refuse.
_HIDDEN = f"""DELETE FROM found WHERE change IN ('{VANISHED}', '{GONE}') AND path IN (
    SELECT path FROM (
        SELECT path, unnest(list_transform(range(1, len(names)),
            lambda n: array_to_string(names[:n], '/'))) AS above
        FROM (SELECT path, string_split(path, '/') AS names FROM found
              WHERE change IN ('{VANISHED}', '{GONE}')))
    WHERE above IN (SELECT path FROM listing WHERE reason IS NOT NULL))"""

# Duplicates, of some, of what has changed or is lost, or of what an archive held that has: one of them may
# now be the only one of its instance, or of another content than its original. And those that an earlier run
# should have read: it was ended before, it read another store, or they were not there. Of members, the
# archive.
_ORPHANS = f"""WITH copy AS (SELECT * FROM files WHERE original_path IS NOT NULL AND {{of_some}}),
        original AS (SELECT * FROM files WHERE path IN (SELECT original_path FROM copy))
    SELECT coalesce(copy.container, copy.path)
    FROM copy LEFT JOIN original ON copy.original_path = original.path
    WHERE original.SOPInstanceUID IS DISTINCT FROM copy.SOPInstanceUID
        OR (original.content_hash = copy.content_hash) <> (copy.status = '{FileStatus.DUPLICATE}')
        OR coalesce(original.container, original.path) IN (SELECT path FROM found WHERE change = '{AGAIN}')
        OR original.path IN (SELECT member FROM lost) AND (original.vanished
            OR coalesce(original.container, original.path) IN (SELECT path FROM found
                WHERE change = '{VANISHED}'))"""

# What is in quarantine is read again for its own sake alone.
_ORPHANED = f"""INSERT INTO found SELECT {_of_ledger(ORPHANED)} FROM files
    WHERE path IN ({_ORPHANS.format(of_some="NOT vanished")})
    AND {_IS_READ_BY_ITSELF} AND NOT vanished AND starts_with(path, {{reach}})
    AND (NOT {_IS_QUARANTINED} OR reason IN {sql.listed(_OF_ARCHIVES)})
    AND path NOT IN (SELECT path FROM found)"""

_RETURNED_ORPHANS = f"""UPDATE found SET change = '{ORPHANED}' WHERE change = '{RETURNED}'
    AND path IN ({_ORPHANS.format(of_some="vanished")})"""

_SHRUNK = f"""INSERT INTO found SELECT {_of_ledger(SHRUNK)} FROM {_READ_ARCHIVES}
    WHERE path IN (SELECT container FROM {_MISSED} WHERE NOT vanished)
    AND path NOT IN (SELECT path FROM found)"""
