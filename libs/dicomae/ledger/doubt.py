"""Whether `files` and `headers` agree; they may not, where a run was killed between two commits.

An ingest commits `headers` first and `files` last. A run that was killed in between has left one of these:

    headers has a row, and files has none      new.dcm was read; it will be read again
    headers has a row, files is quarantined    a retry had read bad.dcm; the row goes, as if it had not begun
    headers has no row, and files is parsed    changed.dcm was read; it will be read again
"""

from collections.abc import Sequence

import duckdb

from dicomae.lake import delta, runs, sql
from dicomae.lake.location import Location
from dicomae.ledger.conditions import IS_PARSED, ITS_FILE
from dicomae.tables import HEADERS

_JOBS = ("ingest", "retry")  # that write the ledger

# Parsed files without their row of `headers`; `file` is what must be read to mend that.
HEADERLESS = f"""(SELECT path, part, vanished, {ITS_FILE} AS file FROM files
    ANTI JOIN headers USING (path, SOPInstanceUID, content_hash) WHERE {IS_PARSED})"""

# Rows of `headers` that `files` does not know. A run gets its row of `runs` when it has ended: what a run
# that is still at work has written is left alone.
UNKNOWN_HEADERS = f"""(SELECT path, part FROM headers
    ANTI JOIN (SELECT path, SOPInstanceUID, content_hash FROM files WHERE {IS_PARSED})
        USING (path, SOPInstanceUID, content_hash)
    WHERE run_id IN (SELECT run_id FROM runs))"""

_NO_HEADERLESS = "CREATE TEMP TABLE headerless (file VARCHAR, path VARCHAR)"
_PARSED = f"SELECT count(*) FROM files WHERE {IS_PARSED}"


def interrupted(root: Location) -> tuple[str, ...]:
    """Ids of runs that were killed, and after which no run has put things right."""
    return tuple(runs.not_made_good(root, _JOBS))


def name_headerless(
    session: duckdb.DuckDBPyConnection, root: Location, doubted: Sequence[str] | None = None
) -> bool:
    """Let SQL know the headerless rows; whether there may be any.

    In: `files`. Out: `headerless`, with the `path` of each row and the `file` to be read for it. It is
    empty where no run was killed and `headers` has as many rows as `files` has parsed files.

    Parameters
    ----------
    doubted : runs that were `interrupted`; None where nothing is to be looked for.
    """
    session.execute(_NO_HEADERLESS)
    if doubted is None:
        return False
    ((parsed,),) = session.execute(_PARSED).fetchall()
    if not doubted and parsed == delta.count(root, HEADERS):
        return False
    sql.name_table(session, root, HEADERS)
    session.execute(f"INSERT INTO headerless SELECT file, path FROM {HEADERLESS}")
    return True
