"""The folders of a source as its last whole run left them: a night may ask after them instead of their files.

They are a Parquet file for each source below `_folders`. Where it is lost the next night is a slow one; and a
folder is trusted only where the ledger agrees with it.
"""

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from dicomae.errors import FileStatus
from dicomae.spark import delta, ledger, location, sql
from dicomae.spark.listings import FOLDERS, VISITED
from dicomae.spark.location import Location
from dicomae.spark.sql import Database
from dicomae.tables import FILES, HEADERS

KEPT = "_folders"


def known(database: Database, top: str) -> Location | None:
    """The folders below `top` as the last whole run left them, a file of `FOLDERS`; None where none has.

    Without a mark are those in doubt: that hold a file in quarantine, which may have been cut while it was
    written and is whole now; and, where others have written the tables since, of which the ledger has not as
    many files as were seen, as after a loss, or whose rows of `headers` are lost.
    """
    remembered = _place(database.root, top)
    try:
        about = location.parquet_file(remembered).metadata
    except (OSError, pa.ArrowInvalid):  # never written; or not yet on the disk when the power failed
        return None
    path, is_fresh = database.staging / "known-folders.parquet", _note(about) == _state(database.root)
    with database.session() as session:
        sql.name_files(session, "remembered", [remembered], FOLDERS)
        if not is_fresh:
            sql.name_table(session, database.root, FILES)
            ledger.name_lost(session, database.root)
        # A copy in any case: another run may put its own in place of what is remembered.
        rows = sql.write(session, f"SELECT {_COLUMNS} FROM remembered" if is_fresh else _KNOWN, path)
    return path if rows else None


def remember(database: Database, top: str, visited: Sequence[Location]) -> None:
    """Keep what a whole run visited (files of `VISITED`) for the next one, and what the ledger was then."""
    written, place = database.staging / "visited-folders.parquet", _place(database.root, top)
    state = _state(database.root)
    with database.session() as session:
        sql.name_table(session, database.root, FILES)
        sql.name_files(session, "visited", visited, VISITED)
        sql.write(session, _VISITED, written, state)
    location.make(database.root / KEPT)
    location.move(written, place)


def _place(root: Location, top: str) -> Location:
    return root / KEPT / f"{hashlib.sha256(top.encode()).hexdigest()}.parquet"


def _state(root: Location) -> str:
    """What differs after any other run has written, and after a backup has been restored."""
    return " ".join(delta.last_commit(root, table) for table in (FILES, HEADERS))


def _note(about: pq.FileMetaData) -> str:
    return str(about.metadata.get(sql.NOTE.encode(), b"").decode())


_COLUMNS = ", ".join(FOLDERS.names)

_IN_QUARANTINE = f"status = '{FileStatus.QUARANTINED}'"

_IN_PLACE = "container IS NULL AND NOT vanished"

_VISITED = f"""SELECT path, files, CASE WHEN path NOT IN (SELECT {ledger.FOLDER_OF} FROM files
        WHERE {_IN_QUARANTINE} AND {_IN_PLACE}) THEN mark ELSE '' END AS mark
    FROM visited"""

_KNOWN = f"""SELECT path, files, CASE WHEN coalesce(held, 0) = files AND NOT coalesce(is_doubtful, false)
        THEN mark ELSE '' END AS mark
    FROM remembered LEFT JOIN (
        SELECT {ledger.FOLDER_OF} AS path, count(*) AS held,
            bool_or({_IN_QUARANTINE} OR path IN (SELECT path FROM lost)) AS is_doubtful
        FROM files WHERE {_IN_PLACE} GROUP BY 1) USING (path)"""
