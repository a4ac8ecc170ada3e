"""Commits of an ingest, in the order that makes a crash harmless.

    headers ──► files

Each table has its commit, the ledger the last: after a crash at any point the files are read again and found
to be there. What another run has overtaken starts again from the edits, as the tables stand then.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from dicomae.errors import ConflictError, JobError
from dicomae.lake import delta
from dicomae.lake.location import Location
from dicomae.lake.parts import PART
from dicomae.ledger.edits import EDITED, Edits, editor
from dicomae.spark import tasks
from dicomae.tables import FILES, HEADERS, Table

_ORDER = (HEADERS, FILES)
_TRIES = 20

# Edits that are to go with a commit as the tables stand now, written below a folder.
Wanted: TypeAlias = Callable[[Location], Edits]


def commit(
    spark: SparkSession,
    root: Location,
    run_id: str,
    wanted: Wanted,
    written: pa.Table,
    staging: Location,
    order: Sequence[Table] = _ORDER,
) -> None:
    """Commit the parts that a run's tasks wrote (rows of `parts.PART`), and the edits that go with them.

    Parameters
    ----------
    order : the tables that may change, in the order of their commits.

    Raises
    ------
    JobError
        Other runs were always faster.
    """
    for attempt in range(_TRIES):
        folder = staging / str(attempt)
        folder.mkdir(parents=True)
        # Read before the edits are found: what changes the tables meanwhile makes the commit fail.
        versions = {table.name: delta.version(root, table) for table in order}
        edited = apply(spark, wanted(folder), root)
        try:
            for table in order:
                _replace(root, run_id, table, versions[table.name], written, edited)
        except ConflictError:
            continue
        return
    raise JobError(f"--tables {root}: other runs write all the time; run again when they have ended")


def apply(spark: SparkSession, edits: Edits, root: Location) -> pa.Table:
    """Write the edited parts again, a task for each.

    Returns
    -------
    A row for each part that was edited: its name as `part`, and `parts.PART` of what takes its place.
    When no row of it is left, nothing takes its place, and all but `part` and `table` are null.
    """
    return tasks.run(spark, edits.parts, editor(root), EDITED)


def _replace(
    root: Location, run_id: str, table: Table, version: int, written: pa.Table, edited: pa.Table
) -> None:
    """Commit a table's new parts; of those that were edited, what they have become."""
    new, changed = (rows.filter(pc.equal(rows["table"], table.name)) for rows in (written, edited))
    stays = pc.invert(pc.is_in(new["path"], changed["part"]))
    become = changed.filter(pc.is_valid(changed["path"])).select(PART.names)
    held = pc.invert(pc.is_in(changed["part"], new["path"]))
    removed = changed["part"].filter(held).to_pylist()
    added = pa.concat_tables([new.filter(stays), become])
    delta.commit_parts(root, table, added, version, overwrite=False, removed=removed, run_id=run_id)
