"""Where an ingest reads from: what lists it, what the listing is complete for, what reads its pieces.

    folder ─────────── listed in executors ──┐
    inventory, paths, DICOMDIR, one file ────┴── files, and archives inside
    header table ───── its Parquet files ─────── rows

A listing says where the files are. A task reads one piece of it.
"""

import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from dicomae.config import IngestConfig
from dicomae.errors import UsageError
from dicomae.header_tables import convert
from dicomae.header_tables.column_map import ColumnMap
from dicomae.ingest import discovery
from dicomae.ingest.readers import Reader, file_reader, table_reader
from dicomae.lake import location
from dicomae.lake.location import Location
from dicomae.ledger.listings import ListingRequest, ListingWriter, WholeListing
from dicomae.runtime import progress
from dicomae.sources import dicomdir, inventory, links, path_list, uris
from dicomae.sources.inventory_columns import Place
from dicomae.sources.io_errors import explained
from dicomae.sources.links import LinkRule
from dicomae.sources.listing import Listing, list_paths
from dicomae.sources.read_settings import ReadSettings

T = TypeVar("T")

STANDARD_INPUT = "-"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_OWN_TABLES = "a run would ingest its own tables"
DICOMDIR = "DICOMDIR"  # PS3.10, section 8.6: the name is fixed


@dataclass(frozen=True)
class Origin:
    """What an ingest reads.

    Attributes
    ----------
    name : the argument that named it, for messages, such as `--source /pacs`.
    list_files : lists it.
    list_changed : lists what has changed in known folders; None when its folders have no marks.
    top : the folder, as the ledger writes it, that the listing is complete for; None when the origin is a
        list.
    reader : reads a piece of the listing; of a table, a piece of one of its files.
    reach : how all paths that `reader` can read begin, as the ledger writes them; None for a table.
    """

    name: str
    list_files: Callable[[SparkSession, ListingRequest], WholeListing]
    top: str | None
    reader: Reader
    reach: str | None
    list_changed: Callable[[SparkSession, ListingRequest, Location], WholeListing | None] | None = None

    @property
    def is_table(self) -> bool:
        """Whether the listed files are Parquet files of headers."""
        return self.reach is None


def of(arguments: Namespace, config: IngestConfig) -> Origin:
    """The origin that `--source`, `--inventory`, `--table` and `--columns` name.

    Raises
    ------
    UsageError
        Two of them exclude each other, one is missing, or one names nothing that can be opened.
    """
    settings, root = ReadSettings.of(config), getattr(arguments, "tables", None)
    uri, listed, table, columns = (getattr(arguments, n) for n in ("source", "inventory", "table", "columns"))
    _check_together(uri, listed, table, columns)
    if uri not in (None, STANDARD_INPUT):
        uri = on_any_machine(uri)
    if table is not None:
        if columns is None:
            raise UsageError(f"--table {table}: needs --columns, a column map such as conf/columns/idc.toml")
        return _of_table(table, columns, settings)
    if listed is not None:
        return _of_inventory(uri, listed, settings)
    if uri == STANDARD_INPUT:
        return _of_paths(settings, root)
    return _of_source(uri, settings, follow_links=config.follow_links, root=root)


def _check_together(uri: str | None, listed: str | None, table: str | None, columns: Path | None) -> None:
    if (uri is None) == (table is None):
        raise UsageError("give either --source, or --table with --columns")
    if uri is not None and columns is not None:
        raise UsageError("--source and --columns exclude each other; a column map is of a --table")
    if listed is not None and (table is not None or uri == STANDARD_INPUT):
        other = "--table" if uri is None else "--source -"
        raise UsageError(f"{other} and --inventory exclude each other; an inventory is of a --source folder")


def on_any_machine(uri: str) -> str:
    """The source as every process names it: an executor may have another working directory.

    Examples
    --------
    >>> on_any_machine("/pacs/./2024"), on_any_machine("s3://bucket/pacs")
    ('/pacs/2024', 's3://bucket/pacs')
    """
    return uri if "://" in uri else uris.absolute(uri)


def check_folder(uri: str) -> None:
    """Raise UsageError when `--source` is no folder that can be opened."""
    _opened("--source", uris.open_source, uri)


def check(arguments: Namespace) -> None:
    """Raise UsageError when the tables would lie inside the source, or the source inside the tables."""
    root = arguments.tables
    for argument, uri in (("--source", arguments.source), ("--table", arguments.table)):
        if uri in (None, STANDARD_INPUT):
            continue
        shown = uris.shown(uri)
        if argument == "--source" and _holds(uri, root):
            raise UsageError(f"--tables {root} lies inside --source {shown}; {_OWN_TABLES}")
        if _lies_in(uri, root):
            raise UsageError(f"{argument} {shown} lies inside --tables {root}; {_OWN_TABLES}")


def _holds(uri: str, root: Location) -> bool:
    if isinstance(root, Path):
        if uris.path_prefix(uri):  # not local
            return False
        _, top, _ = uris.open_either(uri)
        return root.resolve().is_relative_to(Path(top).resolve())
    return uri.startswith("s3://") and f"{root}/".startswith(f"{location.parse(uri)}/")


def _lies_in(uri: str, root: Location) -> bool:
    if isinstance(root, Path):
        return not uris.path_prefix(uri) and _real(uri).is_relative_to(root.resolve())
    return uri.startswith("s3://") and f"{location.parse(uri)}/".startswith(f"{root}/")


def _real(uri: str) -> Path:
    _, path, _ = uris.open_either(uri)
    return Path(path).resolve()


def _of_source(uri: str, settings: ReadSettings, *, follow_links: bool, root: Location | None) -> Origin:
    name = f"--source {uris.shown(uri)}"
    filesystem, path, is_file = _opened("--source", uris.open_either, uri)
    if not is_file:
        top = uris.path_prefix(uri) + path
        tables = links.real(str(root)) if isinstance(root, Path) else None
        rule = LinkRule(frozenset([links.real(path)]), follow_links, tables)
        listed = partial(discovery.list_files, uri=uri, rule=rule)
        is_local = isinstance(filesystem, pafs.LocalFileSystem)
        changed = partial(discovery.list_changed, uri=uri, rule=rule) if is_local else None
        return Origin(name, listed, top, file_reader(uri, settings), _reach(uri), changed)

    def found() -> Iterator[Listing]:
        if os.path.basename(path).upper() == DICOMDIR:
            yield dicomdir.read_dicomdir(filesystem, path, settings.read_timeout_seconds)
        else:
            yield list_paths(filesystem, [path], settings.read_timeout_seconds)

    return _of_list(name, uri, found, settings)


def _of_inventory(uri: str, path: str, settings: ReadSettings) -> Origin:
    _, top = _opened("--source", uris.open_source, uri)
    filesystem, file = _opened("--inventory", uris.open_file, path)

    def found() -> Iterator[Listing]:
        left_out, place, timeout = 0, Place(top, uris.path_prefix(uri)), settings.read_timeout_seconds
        for rows, batch in inventory.read_inventory(filesystem, file, place, timeout):
            left_out += rows - batch.num_rows
            yield Listing(batch, (), ())
        if left_out:
            progress.note(f"  left out: {left_out:,} rows of other folders or of old versions")

    return _of_list(f"--inventory {uris.shown(path)}", uri, found, settings)


def _of_paths(settings: ReadSettings, root: Location | None) -> Origin:
    filesystem = uris.open_filesystem("/")

    def found() -> Iterator[Listing]:
        for paths in path_list.read_paths(sys.stdin.buffer):
            files = [_local(path, root) for path in paths]
            yield list_paths(filesystem, files, settings.read_timeout_seconds)

    return _of_list("--source -", "/", found, settings)


def _local(path: str, root: Location | None) -> str:
    if _SCHEME.match(path):
        shown = uris.shown(path)
        raise UsageError(f"--source -: {shown}: not a local path; give an --inventory of what a store holds")
    file = uris.absolute(path)
    if isinstance(root, Path) and links.is_inside(file, uris.absolute(str(root))):
        raise UsageError(f"--source -: {path!r} lies inside --tables {root}; {_OWN_TABLES}")
    return file


def _opened(argument: str, opened: Callable[[str], T], uri: str) -> T:
    try:
        return opened(uri)
    except UsageError as error:
        raise UsageError(f"{argument} {error}") from error


def _of_list(name: str, uri: str, found: Callable[[], Iterator[Listing]], settings: ReadSettings) -> Origin:
    def list_files(_: SparkSession, request: ListingRequest) -> WholeListing:
        return _written(request, found(), uris.path_prefix(uri))

    return Origin(name, list_files, None, file_reader(uri, settings), _reach(uri))


def _reach(uri: str) -> str:
    return uris.path_prefix(uri) or "/"


def _of_table(table: str, columns: Path, settings: ReadSettings) -> Origin:
    read = convert.load_column_map(columns)
    paths = _parquet_files(table)
    for path in paths:  # before anything is written
        _check_file(path, read)

    def list_files(_: SparkSession, request: ListingRequest) -> WholeListing:
        filesystem = uris.open_filesystem("/")
        return _written(request, iter([list_paths(filesystem, paths, request.timeout_seconds)]), "")

    return Origin(f"--table {table}", list_files, None, table_reader(read, settings), None)


def _parquet_files(table: str) -> list[str]:
    """The Parquet files of a file, a folder or a Delta table."""
    path = Path(table).absolute()
    if path.is_file():
        return [str(path)]
    if DeltaTable.is_deltatable(str(path)):
        return _delta_files(path)
    found = sorted(str(file) for file in path.rglob("*.parquet") if file.is_file())
    if not found:
        raise UsageError(f"--table {table}: no Parquet file, folder of them, or Delta table is here")
    return found


def _delta_files(table: Path) -> list[str]:
    """The Parquet files of a Delta table.

    Only a table whose files alone say what it holds is read: one without deleted rows and renamed columns.

    References
    ----------
    Delta Transaction Log Protocol: Deletion Vectors, Column Mapping.
    """
    found = DeltaTable(str(table))
    if found.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        raise UsageError(f"--table {table}: its columns have other names in its files; export it as Parquet")
    if found.deletion_vectors().read_all().num_rows:
        raise UsageError(
            f"--table {table}: rows of it are deleted, and still in its files; "
            f"run REORG TABLE ... APPLY (PURGE), or export it as Parquet"
        )
    return sorted(found.file_uris())


def _check_file(path: str, columns: ColumnMap) -> None:
    """Raise UsageError when a file is no Parquet file, or lacks a column that the map names."""
    try:
        schema = pq.read_schema(path)
    except FileNotFoundError:  # of a Delta table that has lost it: the listing says so
        return
    except pa.ArrowException as error:
        raise UsageError(f"--table {path}: not a Parquet file; check that it is whole") from error
    except OSError as error:
        raise UsageError(f"--table {path}: cannot be read ({explained(error)[1]})") from error
    convert.check(schema, columns)


def _written(request: ListingRequest, found: Iterator[Listing], prefix: str) -> WholeListing:
    writer = ListingWriter(request, prefix)
    for listing in found:
        writer.write(listing)
    return writer.finish()
