"""One file for each SOPInstanceUID: which rows that were read give way, and which of the held they replace.

What comes out are edits of Parquet parts (`dicomae.ledger.edits`): of those that tasks have just written,
and of those that the tables hold.
"""

from collections.abc import Sequence

import duckdb

from dicomae.codes import NO_ANSWER, NO_FILE, FileStatus
from dicomae.errors import UsageError
from dicomae.lake import sql
from dicomae.lake.location import Location
from dicomae.lake.sql import Database
from dicomae.ledger import edits
from dicomae.ledger.edits import Edits, dropped, restated
from dicomae.tables import FILES, HEADERS, QUARANTINE, RUNS, Table


def contested(database: Database, parts: Sequence[str], same_uid: str, staging: Location) -> Edits:
    """Edits without which the parts that tasks wrote would break a key of the tables.

    Parameters
    ----------
    parts : names of the parts of `files` that tasks wrote and nobody has committed.
    same_uid : `first`: the file that `headers` holds keeps its UID, else the first by path; `newest`: of
        several contents the one takes it of which a file was modified last. A mere copy never takes it.
    """
    root = database.root
    with database.session() as session:
        sql.name_files(session, "given", [root / FILES.name / part for part in parts], FILES.schema)
        for table in (HEADERS, FILES, QUARANTINE, RUNS):
            sql.name_table(session, root, table)
        _check_paths(session)
        is_any_unread = _name_read(session)
        _name_held(session, root)
        session.execute(_CANDIDATES)
        newest_first, copies = (_NEWEST_FIRST, _COPIES) if same_uid == "newest" else ("", "")
        session.execute(_LOST.format(newest_first=newest_first, copies=copies))
        found = [
            dropped(HEADERS, "held WHERE is_stale"),
            dropped(HEADERS, "lost"),
            restated(FILES, "lost WHERE NOT is_held AND path <> original_path"),
            dropped(FILES, "known WHERE path IN (SELECT path FROM read)"),
            dropped(QUARANTINE, "quarantine WHERE path IN (SELECT path FROM given)"),
        ]
        if is_any_unread:
            found += [dropped(table, "unread") for table in (FILES, QUARANTINE)]
            found += [edits.marked(FILES, _GONE, vanished=True), edits.unread(FILES, _STAYS)]
            found.append(dropped(FILES, _LOST_MEMBERS))
        if session.execute("SELECT 1 FROM lost WHERE is_held LIMIT 1").fetchall():
            found.append(restated(FILES, _DEMOTED))
        return edits.wanted(session, found, staging)


def _name_read(session: duckdb.DuckDBPyConnection) -> bool:
    """Let SQL know what was `read`, and what is `unread`: could not be read again; whether there is such."""
    session.execute(_SILENT)
    is_any = bool(session.execute("SELECT 1 FROM silent LIMIT 1").fetchall())
    session.execute(f"CREATE TEMP TABLE unread AS {_UNREAD if is_any else 'SELECT * FROM silent'}")
    session.execute(_READ)
    return is_any


def _name_held(session: duckdb.DuckDBPyConnection, root: Location) -> None:
    """Let SQL know, as `held`, rows of `headers` that what was read may contest.

    DuckDB reads all columns that are asked for of each row of what it scans: of whole tables these are keys.
    """

    def parts_of(table: Table, query: str) -> list[Location]:
        return [root / table.name / part for (part,) in session.execute(query).fetchall()]

    sql.name_files(session, "holders", parts_of(HEADERS, _HOLDERS), HEADERS.schema)
    session.execute(_HOLDS)
    session.execute(_KNOWN)
    sql.name_files(session, "ledger", parts_of(FILES, _OF_HOLDS), FILES.schema)
    session.execute(_HELD)


def _check_paths(session: duckdb.DuckDBPyConnection) -> None:
    """Files have one path each; of rows of a table made by others only its column map can say so."""
    (rows, paths) = session.execute("SELECT count(*), count(DISTINCT path) FROM given").fetchall()[0]
    if rows != paths:
        raise UsageError(
            f"{rows - paths} rows of the table have the path of another row; "
            f"let 'path' in the column map name columns that tell them apart"
        )


# What was read again, without an answer, though it had been read: it stays as it was, unless its row of
# `headers` is lost. Its part has the same name in each table. Of an archive, members whose rows are lost go:
# it is read again as soon as it is there.
_SILENT = f"""CREATE TEMP TABLE silent AS SELECT path, part, reason FROM given
    WHERE status = '{FileStatus.QUARANTINED}' AND reason IN {sql.listed((*NO_FILE, *NO_ANSWER))}"""

_UNREAD = f"""WITH known AS (SELECT path, SOPInstanceUID, content_hash, status FROM files
            WHERE path IN (SELECT path FROM silent) AND status <> '{FileStatus.QUARANTINED}'),
        kept AS (SELECT path, SOPInstanceUID, content_hash FROM headers
            WHERE path IN (SELECT path FROM known))
    SELECT silent.* FROM silent JOIN known USING (path)
        LEFT JOIN kept USING (path, SOPInstanceUID, content_hash)
    WHERE known.status <> '{FileStatus.PARSED}' OR kept.path IS NOT NULL"""

_READ = """CREATE TEMP TABLE read AS SELECT path, part, mtime, status, SOPInstanceUID, content_hash FROM given
    WHERE path NOT IN (SELECT path FROM unread)"""

_GONE = f"""files WHERE NOT vanished AND coalesce(container, path) IN
    (SELECT path FROM unread WHERE reason IN {sql.listed(NO_FILE)})"""

_STAYS = """(SELECT files.path, files.part, unread.reason FROM files JOIN unread USING (path)
    WHERE files.reason IS DISTINCT FROM unread.reason)"""

_LOST_MEMBERS = f"""(WITH member AS (SELECT path, part, SOPInstanceUID, content_hash FROM files
        WHERE status = '{FileStatus.PARSED}' AND container IN (SELECT path FROM unread))
    SELECT path, part FROM member ANTI JOIN
        (SELECT path, SOPInstanceUID, content_hash FROM headers WHERE path IN (SELECT path FROM member))
        USING (path, SOPInstanceUID, content_hash))"""

_IS_READ = "path IN (SELECT path FROM read) OR SOPInstanceUID IN (SELECT SOPInstanceUID FROM read)"

# Parts with rows of `headers` whose file or whose instance has been read again; and those rows.
_HOLDERS = f"SELECT DISTINCT part FROM headers WHERE {_IS_READ}"

_HOLDS = f"""CREATE TEMP TABLE holds AS
    SELECT SOPInstanceUID, content_hash, path, part, run_id FROM holders WHERE {_IS_READ}"""

# Which part of the ledger has the row of a file that was read, or that holds what was read.
_KNOWN = """CREATE TEMP TABLE known AS SELECT path, part FROM files
    WHERE path IN (SELECT path FROM read UNION ALL SELECT path FROM holds)"""

_OF_HOLDS = "SELECT DISTINCT part FROM known SEMI JOIN holds USING (path)"

# A row is stale where its file now holds something else; or where the ledger does, or nothing: a run that was
# killed before it wrote the ledger has read what is no longer there. Runs have their row of `runs` when they
# have ended.
_HELD = """CREATE TEMP TABLE held AS
    SELECT h.SOPInstanceUID, h.content_hash, h.path, h.part,
    CASE WHEN now.path IS NOT NULL THEN now.mtime ELSE ledger.mtime END AS mtime,
    CASE WHEN now.path IS NOT NULL
         THEN (now.SOPInstanceUID, now.content_hash) IS DISTINCT FROM (h.SOPInstanceUID, h.content_hash)
         ELSE (ledger.SOPInstanceUID, ledger.content_hash)
                IS DISTINCT FROM (h.SOPInstanceUID, h.content_hash)
            AND h.run_id IN (SELECT run_id FROM runs) END AS is_stale
    FROM holds AS h LEFT JOIN read AS now ON h.path = now.path LEFT JOIN ledger ON h.path = ledger.path"""

_CANDIDATES = f"""CREATE TEMP VIEW candidates AS
    SELECT SOPInstanceUID, content_hash, path, mtime, part, false AS is_held
    FROM read WHERE status = '{FileStatus.PARSED}'
    UNION ALL SELECT SOPInstanceUID, content_hash, path, mtime, part, true FROM held WHERE NOT is_stale"""

_STATUS = (
    f"CASE WHEN content_hash = original_hash THEN '{FileStatus.DUPLICATE}' "
    f"ELSE '{FileStatus.DUPLICATE_UID_CONFLICT}' END AS status"
)

# Candidates that another one keeps from their UID; `original_path` is its path.
_LOST = f"""CREATE TEMP TABLE lost AS
    WITH rivals AS (SELECT * FROM candidates
        WHERE SOPInstanceUID IN (SELECT SOPInstanceUID FROM candidates GROUP BY 1 HAVING count(*) > 1)),
    contents AS (SELECT SOPInstanceUID, content_hash, max(mtime) AS newest
        FROM (SELECT SOPInstanceUID, content_hash, mtime FROM rivals {{copies}}) GROUP BY 1, 2),
    ranked AS (
        SELECT *, row_number() OVER best AS place, first_value(path) OVER best AS original_path,
            first_value(content_hash) OVER best AS original_hash
        FROM rivals JOIN contents USING (SOPInstanceUID, content_hash)
        WINDOW best AS (PARTITION BY SOPInstanceUID ORDER BY {{newest_first}} is_held DESC, path))
    SELECT *, {_STATUS} FROM ranked WHERE place > 1"""

_NEWEST_FIRST = "newest DESC NULLS LAST,"

# A content is as new as the newest of its files.
_COPIES = """UNION ALL SELECT SOPInstanceUID, content_hash, mtime FROM files
    WHERE original_path IS NOT NULL AND NOT vanished AND path NOT IN (SELECT path FROM read)
    AND SOPInstanceUID IN (SELECT SOPInstanceUID FROM rivals)"""

# Files of the ledger that lose the UID they had, and the duplicates behind them.
_DEMOTED = f"""(SELECT path, part, original_path, {_STATUS} FROM (
    SELECT files.path, files.part, lost.original_path, lost.original_hash, files.content_hash
    FROM files JOIN lost ON coalesce(files.original_path, files.path) = lost.path
    WHERE lost.is_held AND files.path <> lost.original_path))"""
