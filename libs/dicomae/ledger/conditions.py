"""Conditions and expressions of SQL about rows of `files`, each with the name of what it says."""

from enum import StrEnum

from dicomae.codes import FileStatus, Reason
from dicomae.lake import sql


class Change(StrEnum):
    """What a listing says of a file that the ledger does not say: the words of `dicomae.ledger`."""

    NEW = "new"
    AGAIN = "again"
    ORPHANED = "orphaned"
    VANISHED = "vanished"
    RETURNED = "returned"
    GONE = "gone"
    SHRUNK = "shrunk"
    UNANSWERED = "unanswered"


ARCHIVES = r"\.(zip|tar|tgz|tar\.gz)$"  # of paths in lower case: what is read inside
OF_ARCHIVES = (Reason.ARCHIVE_DAMAGED, Reason.ARCHIVE_BOMB)  # some members may have been read all the same

# The file that is read for the sake of a row: of a member its archive, else the file itself.
ITS_FILE = "coalesce(container, path)"

# The folder that holds a file. The path of what is no file ends in `/` (`listings`): `/pacs/pipe/` → `/pacs`.
FOLDER_OF = "parse_dirpath(CASE WHEN suffix(path, '/') THEN path[:-2] ELSE path END, 'forward_slash')"

IS_PARSED = f"status = '{FileStatus.PARSED}'"
IS_QUARANTINED = f"status = '{FileStatus.QUARANTINED}'"

# Of a table made by others only the table itself can be read, not a row of it.
IS_READ_BY_ITSELF = f"(status <> '{FileStatus.CONTAINER}' OR regexp_matches(lower(path), '{ARCHIVES}'))"

# A folder, or what is no file, has neither size nor time. A mere list of files may leave out the size alone.
WAS_NOT_LISTED = f"({IS_QUARANTINED} AND size IS NULL AND mtime IS NULL AND etag IS NULL)"

# Archives as they were last read. Of most rows DuckDB reads the status alone, thanks to the first condition.
READ_ARCHIVES = f"""(SELECT path, size, mtime, etag, attempts, run_id FROM files
    WHERE status <> '{FileStatus.PARSED}' AND (status = '{FileStatus.CONTAINER}'
    OR reason IN {sql.text_list((*OF_ARCHIVES, Reason.EMPTY))}))"""

# Members that an earlier run found in their archive, and the newest read of it did not: a run's id begins
# with the time of its start. Nothing is known of an archive that did not answer: it is no `READ_ARCHIVES`.
LOST_MEMBERS = f"""(SELECT member.* FROM files AS member JOIN {READ_ARCHIVES} AS archive
    ON member.container = archive.path WHERE member.run_id < archive.run_id)"""


def is_below(path: str, folder: str) -> str:
    """The condition that a path is the folder or lies below it; both are SQL: `'/pacs'`."""
    return f"({path} = {folder} OR starts_with({path}, {folder} || '/'))"
