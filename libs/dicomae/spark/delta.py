"""The only reader and writer of tables, through deltalake on the driver and through Spark.

A table is the folder of its name below the root. Small tables are replaced whole; bulk rows come as
Parquet parts that tasks have written (`dicomae.spark.parts`) and enter by one commit.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction
from pyspark.sql import DataFrame, SparkSession

from dicomae import tables
from dicomae.errors import ConflictError, UsageError
from dicomae.tables import Table

_PROPERTIES = {
    "delta.enableDeletionVectors": "false",
    "delta.enableChangeDataFeed": "false",
    "delta.appendOnly": "false",
}


class State(NamedTuple):
    """What a reader sees: a table made anew can be of the same version, and has another id."""

    id: str  # Delta's, given when the table was created
    version: int


def prepare(root: Path) -> None:
    """Create the tables that are missing below `root` and check those that are there.

    Raises
    ------
    UsageError
        `root` cannot be made, or a table there has other columns than this version's.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--tables {root}: cannot be made: {os.strerror(error.errno or 0)}") from error
    for table in tables.ALL:
        if not version_exists(root, table):
            DeltaTable.create(_path(root, table), table.schema, mode="ignore", configuration=_PROPERTIES)
        elif _open(root, table).schema() != Schema.from_arrow(table.schema):
            raise UsageError(
                f"--tables {root}: table '{table.name}' was made by another version of dicomae "
                f"(its columns differ); give another folder"
            )


def require(root: Path) -> None:
    """Check that `root` holds tables, so that `prepare` fills no folder of anything else.

    Raises
    ------
    UsageError
        There is no such folder, or no table in it.
    """
    if not root.is_dir():
        raise UsageError(f"--tables {root}: no such folder; jobs/ingest.py makes it")
    if not any(version_exists(root, table) for table in tables.ALL):
        raise UsageError(f"--tables {root}: no tables here; jobs/ingest.py makes them")


def version_exists(root: Path, table: Table) -> bool:
    """Whether the table's folder holds a Delta table."""
    return DeltaTable.is_deltatable(_path(root, table))


def version(root: Path, table: Table) -> int:
    """The table's newest version."""
    return int(_open(root, table).version())


def state(root: Path, table: Table) -> State:
    """Which table this is, and its newest version."""
    found = _open(root, table)
    return State(str(found.metadata().id), int(found.version()))


def read(spark: SparkSession, root: Path, table: Table) -> DataFrame:
    """The table as it stands now; every use of the frame sees this version."""
    reader = spark.read.format("delta").option("versionAsOf", version(root, table))
    return reader.load(_path(root, table)).select(*table.columns)


def parts(root: Path, table: Table) -> list[str]:
    """Paths of the table's Parquet parts as it stands now."""
    return [unquote(urlsplit(uri).path) if "://" in uri else uri for uri in _open(root, table).file_uris()]


def is_empty(root: Path, table: Table) -> bool:
    """Whether the table has no part, and so no row."""
    return not _open(root, table).file_uris()


def count(root: Path, table: Table) -> int:
    """Rows of the table, by its log."""
    return int(_open(root, table).count())


def read_small(root: Path, table: Table, columns: Sequence[str] | None = None) -> pa.Table:
    """A table that fits the driver's memory, without Spark."""
    wanted = pa.schema([table.schema.field(name) for name in columns or table.columns])
    # Not through deltalake's own Arrow dataset: beside pyarrow 25 it aborts the interpreter at exit.
    uris = _open(root, table).file_uris()
    read_parts = [pq.read_table(uri, columns=wanted.names, partitioning=None) for uri in uris]
    parts = [part.select(wanted.names).cast(wanted) for part in read_parts]
    return pa.concat_tables([wanted.empty_table(), *parts])


def replace(root: Path, table: Table, rows: pa.Table, job: str | None = None) -> bool:
    """Make `rows` the table's content (with `job`: that job's rows); True where that changed anything.

    Rows that differ from the old ones in `run_id` or in their order alone change nothing, so a rerun is
    no new version.
    """
    old = read_small(root, table)
    if job is not None:
        old = old.filter(pa.compute.equal(old["job"], job))
    # In one chunk: the writer puts several into the file in no fixed order.
    rows = rows.select(table.columns).cast(table.schema).combine_chunks()
    if _content(old, table).equals(_content(rows, table)):
        return False
    predicate = f"job = '{job}'" if job is not None else None
    write_deltalake(_path(root, table), rows, mode="overwrite", predicate=predicate)
    return True


def _content(rows: pa.Table, table: Table) -> pa.Table:
    """What rows say beside the run that wrote them, in the order of their keys."""
    keys = list(zip(*(rows[name].to_pylist() for name in table.key), strict=True))
    order = sorted(range(len(rows)), key=lambda i: repr(keys[i]))  # a key can be a map, which Arrow sorts not
    content = rows.select([name for name in table.columns if name != "run_id"])
    return content.take(pa.array(order, pa.int64())).combine_chunks()


def append(root: Path, table: Table, rows: pa.Table) -> None:
    """Add rows to a small table."""
    write_deltalake(_path(root, table), rows.select(table.columns).cast(table.schema), mode="append")


def commit_parts(
    root: Path,
    table: Table,
    parts: pa.Table,
    read_version: int,
    overwrite: bool,
    removed: Sequence[str] = (),
) -> int:
    """Add (or, to `overwrite`, put in place of all) the parts that tasks wrote, in one commit.

    Parameters
    ----------
    parts : rows of `parts.PART`.
    read_version : the table's version that the parts were computed from.
    removed : names of parts that leave the table by the same commit.

    Returns
    -------
    Rows committed.

    Raises
    ------
    ConflictError
        Another run wrote the table meanwhile: nothing was committed.
    """
    if len(parts) == 0 and not removed and not overwrite:
        return 0
    delta_table = DeltaTable(_path(root, table), version=read_version)
    if int(_open(root, table).version()) != read_version:
        raise ConflictError(table.name)
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [RemoveAction(name, True, now) for name in removed]
    actions += [
        AddAction(p["path"], p["size"], {}, p["modified"], True, p["stats"]) for p in parts.to_pylist()
    ]
    # The transaction makes two writers of the same version conflict instead of both appending.
    transaction = Transaction(f"dicomae-{table.name}", read_version + 1)
    try:
        delta_table.create_write_transaction(
            actions,
            "overwrite" if overwrite else "append",
            Schema.from_arrow(table.schema),
            commit_properties=CommitProperties(app_transactions=[transaction]),
        )
    except CommitFailedError as error:
        raise ConflictError(table.name) from error
    return int(pa.compute.sum(parts["rows"]).as_py() or 0)


def _path(root: Path, table: Table) -> str:
    return str(root / table.name)


def _open(root: Path, table: Table) -> DeltaTable:
    return DeltaTable(_path(root, table))
