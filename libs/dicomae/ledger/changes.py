"""What has changed between a listing and the ledger: which files to read, and which rows to mark.

    listing ──┐
              ├──► changed ──► a Parquet file of each change, below the staging folder
    files ────┘

What each change means stands in `dicomae.ledger`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from dicomae.lake import delta, sql
from dicomae.lake.location import Location
from dicomae.lake.sql import Database, quoted
from dicomae.ledger import change_steps, doubt
from dicomae.ledger.conditions import FOLDER_OF, is_below
from dicomae.ledger.listings import VISITED, WholeListing
from dicomae.ledger.outcome import LISTING_ROW
from dicomae.tables import FILES, HEADERS


@dataclass(frozen=True)
class Changes:
    """Parquet files of `LISTING_ROW` below the staging folder, one of each change that there is.

    Attributes
    ----------
    new, again, orphaned : to be read.
    vanished, returned, gone, shrunk : to be marked.
    unanswered : to be left as they are, and counted.
    is_doubtful : whether the tables may disagree, because a run was killed between its commits.
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


def compared(
    database: Database, listed: WholeListing, top: str | None, reach: str | None, together: int
) -> Changes:
    """The changes that a listing brings.

    They are in the order of paths. So a run that was interrupted, and begun again, decides on a contested
    SOPInstanceUID as one that was not. Any order will do when all that is listed is committed together.

    Parameters
    ----------
    top : the folder that the listing is complete for: `/pacs`. None for a mere list, which says nothing of
        what has vanished.
    reach : the beginning of all paths that this run can read, listed or not: `s3://`. None when it can read
        the listed files alone.
    together : files that are committed together.
    """
    root = database.root
    doubted = doubt.interrupted(root)
    if delta.is_empty(root, FILES) and top is not None and listed.files + listed.failures <= together:
        is_doubtful = not delta.is_empty(root, HEADERS)
        return Changes(new=tuple(listed.paths), is_doubtful=is_doubtful, made_good=doubted)
    with database.session() as session:
        sql.name_table(session, root, FILES)
        sql.name_files(session, "listing", listed.paths, LISTING_ROW)
        sql.name_files(session, "visited", listed.visited, VISITED)
        is_doubtful = doubt.name_headerless(session, root, doubted)
        change_steps.compare(session, _asked_after(top, listed), is_whole=top is not None)
        if listed.failures:
            change_steps.keep_hidden(session)
        if top is None:
            change_steps.keep_one_of_each(session)
        has_copies, has_members = change_steps.has_copies_and_members(session)
        if reach is not None and has_copies:
            change_steps.add_orphaned(session, reach)
            change_steps.orphan_returned(session)
        if has_members:
            change_steps.add_shrunk(session)
        found = _written(session, database.staging)
    return replace(found, is_doubtful=is_doubtful, made_good=doubted)


def _asked_after(top: str | None, listed: WholeListing) -> str:
    """The condition of the rows of `files` that the listing is about; files of trusted folders are none."""
    below = "true" if top is None else is_below("path", quoted(top.rstrip("/")))
    if listed.settled:
        below += f" AND {FOLDER_OF} NOT IN (SELECT path FROM visited WHERE is_settled)"
    return below


def orphaned(database: Database, reach: str) -> Changes:
    """Copies whose original let go of their instance in a later commit of the same run."""
    with database.session() as session:
        sql.name_table(session, database.root, FILES)
        doubt.name_headerless(session, database.root)
        change_steps.begin(session)
        change_steps.add_orphaned(session, reach)
        return _written(session, database.staging)


def to_retry(database: Database, top: str, reasons: Sequence[str]) -> Changes:
    """Quarantined files below `top` as `again`, of these reasons or of all; of a member, its archive.

    Rows of header tables are left out: only their table itself can be read again.
    """
    chosen = f"reason IN {sql.text_list(reasons)}" if reasons else "true"
    chosen += f" AND {is_below('path', quoted(top.rstrip('/')))}"
    doubted = doubt.interrupted(database.root)
    with database.session() as session:
        sql.name_table(session, database.root, FILES)
        is_doubtful = doubt.name_headerless(session, database.root, doubted)
        change_steps.begin(session)
        change_steps.add_quarantined(session, chosen)
        found = _written(session, database.staging)
    return replace(found, is_doubtful=is_doubtful, made_good=doubted)


def _written(session: duckdb.DuckDBPyConnection, staging: Location) -> Changes:
    """The rows of `changed`, in a file of each change."""
    kinds = [kind for (kind,) in session.execute("SELECT DISTINCT change FROM changed").fetchall()]
    columns, found = ", ".join(LISTING_ROW.names), dict[str, Any]()
    for kind in kinds:
        path = staging / f"{kind}.parquet"
        sql.write(session, f"SELECT {columns} FROM changed WHERE change = '{kind}' ORDER BY path", path)
        found[kind] = (path,)
    return Changes(**found)
