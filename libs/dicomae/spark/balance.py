"""What the ledger holds, and that it is all there: files = rows of `headers` + duplicates + quarantined."""

import time
from typing import Any

from dicomae.errors import FileStatus, JobError
from dicomae.spark import delta, sql
from dicomae.spark.location import Location
from dicomae.tables import FILES, HEADERS

_LOOKS, _BETWEEN_LOOKS_SECONDS = 5, 0.5

# Two paths of each reason.
_EXAMPLES = "SELECT reason, min(path, 2) FROM files WHERE reason IS NOT NULL GROUP BY 1 ORDER BY 1"


def balanced(root: Location, staging: Location) -> dict[str, Any]:
    """The ledger's `counts`; while another run commits, those afterwards.

    Raises
    ------
    JobError
        Files are not rows + duplicates + quarantined.
    """
    for _ in range(_LOOKS):
        found = counts(root, staging)
        lost = found["files"] - (found["rows"] + found["duplicates"] + found["quarantined"])
        if not lost:
            return found
        time.sleep(_BETWEEN_LOOKS_SECONDS)
    if lost > 0:
        raise JobError(f"--tables {root}: table 'headers' lacks {lost} rows; ingest all sources again")
    raise JobError(
        f"--tables {root}: table 'headers' has {-lost} rows that the ledger does not know: another run "
        f"is writing, or was killed; ingest its source again"
    )


def counts(root: Location, staging: Location) -> dict[str, Any]:
    """What the ledger holds: files by status, and why some are in quarantine.

    Containers are no files: their members are. `rows` are those of `headers`.
    """
    with sql.connected(staging) as connection:
        sql.name_table(connection, root, FILES)
        by_status = dict(connection.execute("SELECT status, count(*) FROM files GROUP BY 1").fetchall())
        reasons = "SELECT reason, count(*) FROM files WHERE reason IS NOT NULL GROUP BY 1 ORDER BY 1"
        by_reason = dict(connection.execute(reasons).fetchall())
        examples = dict(connection.execute(_EXAMPLES).fetchall())
        vanished = connection.execute("SELECT count(*) FROM files WHERE vanished").fetchall()
    containers = by_status.pop(FileStatus.CONTAINER, 0)
    conflicts = by_status.get(FileStatus.DUPLICATE_UID_CONFLICT, 0)
    return {
        "files": sum(by_status.values()),
        "rows": delta.count(root, HEADERS),
        "duplicates": by_status.get(FileStatus.DUPLICATE, 0) + conflicts,
        "conflicts": conflicts,
        "quarantined": by_status.get(FileStatus.QUARANTINED, 0),
        "containers": containers,
        "vanished": vanished[0][0],
        "reasons": by_reason,
        "examples": examples,
    }
