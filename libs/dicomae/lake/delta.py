"""The only reader and writer of tables, through deltalake.

A table is the folder of its name below the root. Small tables are replaced whole; bulk rows come as
Parquet parts that tasks have written (`dicomae.lake.parts`) and enter by one commit.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from dicomae import tables
from dicomae.errors import ConflictError, UsageError
from dicomae.lake import location
from dicomae.lake.location import Location
from dicomae.tables import Table

_PROPERTIES = {
    "delta.enableDeletionVectors": "false",
    "delta.enableChangeDataFeed": "false",
    "delta.appendOnly": "false",
}

_RUN_ID = "run_id"

_KEPT: ContextVar[dict[str, DeltaTable] | None] = ContextVar("tables kept open", default=None)


class TableState(NamedTuple):
    """What a reader sees: a table made anew can be of the same version, and has another id."""

    id: str  # Delta's, given when the table was created
    version: int


class Commit(NamedTuple):
    """A commit of a table; one made anew or restored from a backup has others of the same versions."""

    table_id: str
    version: int
    timestamp: int  # milliseconds since 1970


def prepare(root: Location) -> None:
    """Create the tables that are missing below `root` and check those that are there.

    Raises
    ------
    UsageError
        `root` cannot be made, or a table there has other columns than this version's.
    JobError
        The disk is full.
    """
    location.make(root)
    location.require_room(root)
    with location.reached(root):
        for table in tables.ALL:
            _prepare(root, table)


def _prepare(root: Location, table: Table) -> None:
    if not exists(root, table):
        uri, options = _named(root, table)
        DeltaTable.create(
            uri, table.schema, mode="ignore", configuration=_PROPERTIES, storage_options=options
        )
    elif _open(root, table).schema() != Schema.from_arrow(table.schema):
        raise UsageError(
            f"--tables {root}: table '{table.name}' was made by another version of dicomae "
            f"(its columns differ); give another folder"
        )


def require(root: Location) -> None:
    """Check that `root` holds tables, so that `prepare` fills no folder of anything else.

    Raises
    ------
    UsageError
        There is no such folder, or no table in it.
    """
    if not location.is_folder(root):
        raise UsageError(f"--tables {root}: no such folder; jobs/ingest.py makes it")
    if not any(exists(root, table) for table in tables.ALL):
        raise UsageError(f"--tables {root}: no tables here; jobs/ingest.py makes them")


def exists(root: Location, table: Table) -> bool:
    """Whether the table's folder holds a Delta table."""
    uri, options = _named(root, table)
    return DeltaTable.is_deltatable(uri, storage_options=options)


def version(root: Location, table: Table) -> int:
    """The table's newest version."""
    return int(_open(root, table).version())


def state(root: Location, table: Table) -> TableState:
    """Which table this is, and its newest version."""
    found = _open(root, table)
    return TableState(str(found.metadata().id), int(found.version()))


def last_commit(root: Location, table: Table) -> Commit:
    """The table's newest commit."""
    found = _open(root, table)
    (newest,) = found.history(1)
    return Commit(str(found.metadata().id), int(found.version()), int(newest["timestamp"]))


def runs_since(root: Location, table: Table, commit: Commit) -> set[str] | None:
    """The runs of all later commits, "" for one that names none; None if the table never had that commit."""
    found = _open(root, table)
    if str(found.metadata().id) != commit.table_id or found.version() < commit.version:
        return None
    *later, same = found.history(found.version() - commit.version + 1)
    if Commit(commit.table_id, int(same["version"]), int(same["timestamp"])) != commit:
        return None
    return {str(each.get(_RUN_ID, "")) for each in later}


def parts_since(root: Location, table: Table, commit: Commit) -> list[Location] | None:
    """Parts that the table has now, and had not after one of its commits; None where its log is gone."""
    uri, options = _named(root, table)
    try:
        before = DeltaTable(uri, version=commit.version, storage_options=options).file_uris()
    except DeltaError:
        return None
    return _located(root, table, set(_open(root, table).file_uris()) - set(before))


def parts(root: Location, table: Table) -> list[Location]:
    """The table's Parquet parts as it stands now."""
    return _located(root, table, _open(root, table).file_uris())


def _located(root: Location, table: Table, uris: Iterable[str]) -> list[Location]:
    return [root / table.name / uri.rpartition("/")[2] for uri in uris]


def is_empty(root: Location, table: Table) -> bool:
    """Whether the table has no part, and so no row."""
    return not _open(root, table).file_uris()


def count(root: Location, table: Table) -> int:
    """Rows of the table, by its log."""
    return int(_open(root, table).count())


def read_small(root: Location, table: Table, columns: Sequence[str] | None = None) -> pa.Table:
    """A table that fits the driver's memory, without Spark."""
    wanted = pa.schema([table.schema.field(name) for name in columns or table.columns])
    # Not through deltalake's own Arrow dataset: beside pyarrow 25 it aborts the interpreter at exit.
    found = [location.parquet_file(part).read(wanted.names) for part in parts(root, table)]
    rows = [part.select(wanted.names).cast(wanted) for part in found]
    return pa.concat_tables([wanted.empty_table(), *rows])


def replace(root: Location, table: Table, rows: pa.Table, job: str | None = None) -> bool:
    """Make `rows` the table's content, or the content of `job` in it; whether that changed anything.

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
    location.require_room(root, rows.nbytes)
    uri, options = _named(root, table)
    write_deltalake(uri, rows, mode="overwrite", predicate=predicate, storage_options=options)
    return True


def _content(rows: pa.Table, table: Table) -> pa.Table:
    """What rows say beside the run that wrote them, in the order of their keys."""
    keys = list(zip(*(rows[name].to_pylist() for name in table.key), strict=True))
    order = sorted(range(len(rows)), key=lambda i: repr(keys[i]))  # a key can be a map, which Arrow sorts not
    content = rows.select([name for name in table.columns if name != "run_id"])
    return content.take(pa.array(order, pa.int64())).combine_chunks()


def append(root: Location, table: Table, rows: pa.Table) -> None:
    """Add rows to a small table."""
    uri, options = _named(root, table)
    rows = rows.select(table.columns).cast(table.schema)
    location.require_room(root, rows.nbytes)
    write_deltalake(uri, rows, mode="append", storage_options=options)


def commit_parts(
    root: Location,
    table: Table,
    parts: pa.Table,
    read_version: int,
    overwrite: bool,
    removed: Sequence[str] = (),
    run_id: str = "",
) -> int:
    """Add (or, to `overwrite`, put in place of all) the parts that tasks wrote, in one commit.

    Parameters
    ----------
    parts : rows of `parts.PART`.
    read_version : the table's version that the parts were computed from.
    removed : names of parts that leave the table by the same commit.
    run_id : of the run that commits, for `runs_since`.

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
    delta_table = _open(root, table)
    if int(delta_table.version()) != read_version:
        raise ConflictError(table.name)
    location.require_room(root)
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
            commit_properties=CommitProperties({_RUN_ID: run_id}, app_transactions=[transaction]),
        )
    except CommitFailedError as error:
        raise ConflictError(table.name) from error
    return int(pa.compute.sum(parts["rows"]).as_py() or 0)


def checkpoint(root: Location, table: Table) -> int:
    """Write what the table is now as a checkpoint, which needs no earlier commit; its version."""
    found = _open(root, table)
    found.create_checkpoint()
    return int(found.version())


@contextmanager
def kept_open() -> Iterator[None]:
    """While the block runs each table is read once, and then brought up to date; none may be made anew."""
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def _open(root: Location, table: Table) -> DeltaTable:
    """The table as it stands now."""
    uri, options = _named(root, table)
    kept = _KEPT.get()
    if kept is None:
        return DeltaTable(uri, storage_options=options)
    if uri in kept:
        kept[uri].update_incremental()
    else:
        kept[uri] = DeltaTable(uri, storage_options=options)
    return kept[uri]


def _named(root: Location, table: Table) -> tuple[str, dict[str, str] | None]:
    """The table's folder for deltalake, and how it is reached."""
    folder = root / table.name
    return location.delta_uri(folder), location.delta_options(folder)
