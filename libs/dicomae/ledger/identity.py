"""One file for each SOPInstanceUID: which file holds it, and which rows give way.

    given ──► read ──┐
                     ├──► candidates ──► losers ──► edits of Parquet parts
    headers ► holders┘

A candidate is a file that was just read, or one whose row `headers` has. Of several candidates with one UID
the best holds it, and the others lose it. What comes out are edits (`dicomae.ledger.edits`) of the parts that
tasks have just written and nobody has committed, and of the parts that the tables have.
"""

from collections.abc import Sequence

import duckdb

from dicomae.codes import NO_ANSWER, NO_FILE, FileStatus
from dicomae.errors import UsageError
from dicomae.lake import sql
from dicomae.lake.location import Location
from dicomae.lake.sql import Database
from dicomae.ledger import edits
from dicomae.ledger.conditions import IS_PARSED, IS_QUARANTINED, ITS_FILE
from dicomae.ledger.edits import Edits, dropped, restated
from dicomae.tables import FILES, HEADERS, RUNS, Table


def contested(database: Database, parts: Sequence[str], same_uid: str, staging: Location) -> Edits:
    """Edits without which the parts that tasks wrote would break a key of the tables.

    Parameters
    ----------
    parts : names of the parts of `files` that tasks wrote and nobody has committed.
    same_uid : `first`: the file in `headers` keeps its UID; when none is there, the first by path gets it.
        `newest`: of several contents, the one whose file was modified last gets it. A mere copy never does.

    Raises
    ------
    UsageError
        Two rows that were read have one path.
    """
    root = database.root
    with database.session() as session:
        sql.name_files(session, "given", [root / FILES.name / part for part in parts], FILES.schema)
        for table in (HEADERS, FILES, RUNS):
            sql.name_table(session, root, table)
        check_paths(session)
        is_any_unread = tell_unread(session)
        find_holders(session, root)
        find_losers(session, same_uid)
        found = _of_what_was_read()
        if is_any_unread:
            found += _of_what_was_unread()
        if session.execute("SELECT 1 FROM losers WHERE is_holder LIMIT 1").fetchall():
            found.append(restated(FILES, _DEMOTED))
        return edits.wanted(session, found, staging)


def check_paths(session: duckdb.DuckDBPyConnection) -> None:
    """Raise UsageError where two rows of `given` have one path; only a column map can let that happen."""
    ((rows, paths),) = session.execute("SELECT count(*), count(DISTINCT path) FROM given").fetchall()
    if rows != paths:
        raise UsageError(
            f"{rows - paths} rows of the table have the path of another row; "
            f"let 'path' in the column map name columns that tell them apart"
        )


_SILENT = f"""CREATE TEMP TABLE silent AS SELECT path, part, reason, detail FROM given
    WHERE {IS_QUARANTINED} AND reason IN {sql.text_list((*NO_FILE, *NO_ANSWER))}"""

# A file that had been read keeps its row when it is silent; but not where its row of `headers` is missing.
_UNREAD = f"""WITH known AS (SELECT path, SOPInstanceUID, content_hash, status FROM files
            WHERE path IN (SELECT path FROM silent) AND NOT {IS_QUARANTINED}),
        kept AS (SELECT path, SOPInstanceUID, content_hash FROM headers
            WHERE path IN (SELECT path FROM known))
    SELECT silent.* FROM silent JOIN known USING (path)
        LEFT JOIN kept USING (path, SOPInstanceUID, content_hash)
    WHERE known.status <> '{FileStatus.PARSED}' OR kept.path IS NOT NULL"""

_READ = """CREATE TEMP TABLE read AS SELECT path, part, mtime, status, SOPInstanceUID, content_hash FROM given
    WHERE path NOT IN (SELECT path FROM unread)"""


def tell_unread(session: duckdb.DuckDBPyConnection) -> bool:
    """Tell what was read from what could not be read again and keeps its row; whether there is any of that.

    In: `given`, `files`, `headers`. Out: `unread` (path, part, reason, detail) and `read`, the other rows.
    """
    session.execute(_SILENT)
    is_any = bool(session.execute("SELECT 1 FROM silent LIMIT 1").fetchall())
    session.execute(f"CREATE TEMP TABLE unread AS {_UNREAD if is_any else 'SELECT * FROM silent'}")
    session.execute(_READ)
    return is_any


_IS_CONTESTED = "path IN (SELECT path FROM read) OR SOPInstanceUID IN (SELECT SOPInstanceUID FROM read)"

_CONTESTED_PARTS = f"SELECT DISTINCT part FROM headers WHERE {_IS_CONTESTED}"
_CONTESTED_HEADERS = f"""CREATE TEMP TABLE contested_headers AS
    SELECT SOPInstanceUID, content_hash, path, part, run_id FROM header_parts WHERE {_IS_CONTESTED}"""

_CONCERNED_FILES = """CREATE TEMP TABLE concerned_files AS SELECT path, part FROM files
    WHERE path IN (SELECT path FROM read UNION ALL SELECT path FROM contested_headers)"""
_CONCERNED_PARTS = "SELECT DISTINCT part FROM concerned_files SEMI JOIN contested_headers USING (path)"

# A row of `headers` is stale where its file now holds something else. It is stale, too, where the ledger says
# otherwise of a file that was not read: a run that was killed before it wrote the ledger has read what is no
# longer there. The row of a run in `runs` comes last, so that a run still at work is left alone.
_HOLDERS = """CREATE TEMP TABLE holders AS
    SELECT h.SOPInstanceUID, h.content_hash, h.path, h.part,
    CASE WHEN now.path IS NOT NULL THEN now.mtime ELSE ledger.mtime END AS mtime,
    CASE WHEN now.path IS NOT NULL
         THEN (now.SOPInstanceUID, now.content_hash) IS DISTINCT FROM (h.SOPInstanceUID, h.content_hash)
         ELSE (ledger.SOPInstanceUID, ledger.content_hash)
                IS DISTINCT FROM (h.SOPInstanceUID, h.content_hash)
            AND h.run_id IN (SELECT run_id FROM runs) END AS is_stale
    FROM contested_headers AS h LEFT JOIN read AS now ON h.path = now.path
    LEFT JOIN file_parts AS ledger ON h.path = ledger.path"""


def find_holders(session: duckdb.DuckDBPyConnection, root: Location) -> None:
    """Find the rows of `headers` whose file, or whose UID, was read.

    In: `read`, `headers`, `files`, `runs`. Out: `holders`, with the file's `mtime`, and with `is_stale`,
    whether the file holds another instance by now; and `concerned_files`, `path` and `part` of the ledger's
    rows of them.

    DuckDB reads all columns that are asked for, of each row of what it scans. So whole tables are asked for
    keys alone, and the other columns of those parts alone that hold what is looked for.
    """

    def parts_of(table: Table, query: str) -> list[Location]:
        return [root / table.name / part for (part,) in session.execute(query).fetchall()]

    sql.name_files(session, "header_parts", parts_of(HEADERS, _CONTESTED_PARTS), HEADERS.schema)
    session.execute(_CONTESTED_HEADERS)
    session.execute(_CONCERNED_FILES)
    sql.name_files(session, "file_parts", parts_of(FILES, _CONCERNED_PARTS), FILES.schema)
    session.execute(_HOLDERS)


_CANDIDATES = f"""CREATE TEMP VIEW candidates AS
    SELECT SOPInstanceUID, content_hash, path, mtime, part, false AS is_holder FROM read WHERE {IS_PARSED}
    UNION ALL SELECT SOPInstanceUID, content_hash, path, mtime, part, true FROM holders WHERE NOT is_stale"""

_STATUS = (
    f"CASE WHEN content_hash = original_hash THEN '{FileStatus.DUPLICATE}' "
    f"ELSE '{FileStatus.DUPLICATE_UID_CONFLICT}' END AS status"
)

_LOSERS = f"""CREATE TEMP TABLE losers AS
    WITH rivals AS (SELECT * FROM candidates
        WHERE SOPInstanceUID IN (SELECT SOPInstanceUID FROM candidates GROUP BY 1 HAVING count(*) > 1)),
    contents AS (SELECT SOPInstanceUID, content_hash, max(mtime) AS newest
        FROM (SELECT SOPInstanceUID, content_hash, mtime FROM rivals {{copies}}) GROUP BY 1, 2),
    ranked AS (
        SELECT *, row_number() OVER best AS place, first_value(path) OVER best AS original_path,
            first_value(content_hash) OVER best AS original_hash
        FROM rivals JOIN contents USING (SOPInstanceUID, content_hash)
        WINDOW best AS (PARTITION BY SOPInstanceUID ORDER BY {{newest_first}} is_holder DESC, path))
    SELECT *, {_STATUS} FROM ranked WHERE place > 1"""

_NEWEST_FIRST = "newest DESC NULLS LAST,"

# A content is as new as the newest of its files, copies among them.
_COPIES = """UNION ALL SELECT SOPInstanceUID, content_hash, mtime FROM files
    WHERE original_path IS NOT NULL AND NOT vanished AND path NOT IN (SELECT path FROM read)
    AND SOPInstanceUID IN (SELECT SOPInstanceUID FROM rivals)"""


def find_losers(session: duckdb.DuckDBPyConnection, same_uid: str) -> None:
    """Find the candidates that give way to another one with their UID; `same_uid` is as in `contested`.

    In: `read`, `holders`, `files`. Out: `losers`, each with its new `status`, with the `original_path` and
    `original_hash` of the file that holds the UID, and with `is_holder`, whether it held the UID before.
    """
    session.execute(_CANDIDATES)
    newest_first, copies = (_NEWEST_FIRST, _COPIES) if same_uid == "newest" else ("", "")
    session.execute(_LOSERS.format(newest_first=newest_first, copies=copies))


def _of_what_was_read() -> list[str]:
    """Edits for what was read: rows of `headers` that go, and rows of `files` that change or go."""
    return [
        dropped(HEADERS, "holders WHERE is_stale"),
        dropped(HEADERS, "losers"),
        restated(FILES, "losers WHERE NOT is_holder AND path <> original_path"),
        dropped(FILES, "concerned_files WHERE path IN (SELECT path FROM read)"),
    ]


# A file that is not there has vanished, and the members of an archive with it.
_NOT_THERE = f"""files WHERE NOT vanished AND {ITS_FILE} IN
    (SELECT path FROM unread WHERE reason IN {sql.text_list(NO_FILE)})"""

_WITH_REASON = """(SELECT files.path, files.part, unread.reason, unread.detail FROM files
    JOIN unread USING (path) WHERE files.reason IS DISTINCT FROM unread.reason)"""

# Members of an archive that did not answer, without their row of `headers`: they go, and the archive is read
# again as soon as it is there.
_HEADERLESS_MEMBERS = f"""(WITH member AS (SELECT path, part, SOPInstanceUID, content_hash FROM files
        WHERE {IS_PARSED} AND container IN (SELECT path FROM unread))
    SELECT path, part FROM member ANTI JOIN
        (SELECT path, SOPInstanceUID, content_hash FROM headers WHERE path IN (SELECT path FROM member))
        USING (path, SOPInstanceUID, content_hash))"""


def _of_what_was_unread() -> list[str]:
    """Edits for what could not be read again: its new row goes, and its old one stays, with the reason."""
    return [
        dropped(FILES, "unread"),
        edits.marked(FILES, _NOT_THERE, vanished=True),
        edits.unread(FILES, _WITH_REASON),
        dropped(FILES, _HEADERLESS_MEMBERS),
    ]


# Files of the ledger that lose the UID they held, and the copies behind them.
_DEMOTED = f"""(SELECT path, part, original_path, {_STATUS} FROM (
    SELECT files.path, files.part, losers.original_path, losers.original_hash, files.content_hash
    FROM files JOIN losers ON coalesce(files.original_path, files.path) = losers.path
    WHERE losers.is_holder AND files.path <> losers.original_path))"""
