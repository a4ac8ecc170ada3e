"""Joins of the ledger, by DuckDB on the driver: in bounded memory, it spills to disk.

A Spark join of two small tables takes a second or two before it begins; a nightly run of few new files
over a large ledger is hardly more than such joins. DuckDB reads the very same Parquet parts; tried with 30
million rows (2026-11-26, `scripts/bench/ledger.py`).
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from dicomae.lake import delta
from dicomae.lake.location import Location, Remote
from dicomae.lake.objects import PROTOCOL, Objects
from dicomae.tables import Table

MEMORY_LIMIT = "512MB"  # beyond, it spills
NOTE = "note"


@dataclass(frozen=True)
class Database:
    """DuckDB for one run.

    Attributes
    ----------
    root : the tables that it reads.
    staging : a folder of the run for what is written; SQL reaches files where this is.
    """

    root: Location
    staging: Location
    _connection: duckdb.DuckDBPyConnection

    @contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that knows no names yet; those it gives are temporary, and its own."""
        with self._connection.cursor() as session:
            yield session


@contextmanager
def connected(root: Location, staging: Location) -> Iterator[Database]:
    """A database in memory, which spills to the driver's temporary folder."""
    with tempfile.TemporaryDirectory(prefix="dicomae-") as spilled:
        settings: dict[str, Any] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": spilled,
            "autoinstall_known_extensions": False,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(config=settings) as connection:
            connection.execute("SET parquet_metadata_cache = true")  # parts never change
            if isinstance(staging, Remote):
                connection.register_filesystem(Objects(Remote(staging.uri, "").filesystem))
            yield Database(root, staging, connection)


def name_table(connection: duckdb.DuckDBPyConnection, root: Location, table: Table) -> None:
    """Let SQL know the table, as it stands now, by its name; `part` is the part that holds a row."""
    name_files(connection, table.name, delta.parts(root, table), table.schema)


def name_files(
    connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Location], schema: pa.Schema
) -> None:
    """Let SQL know Parquet files of a schema by a name; `part` is the name of the file of a row."""
    if paths:
        files = ", ".join(address(path) for path in paths)
        rows = f"SELECT *, parse_filename(filename) AS part FROM read_parquet([{files}], filename = true)"
        connection.execute(f"CREATE TEMP VIEW {name} AS {rows}")
        return
    nothing = schema.empty_table().append_column("part", pa.array([], pa.string()))
    connection.register(name, nothing)


def write(connection: duckdb.DuckDBPyConnection, query: str, path: Location, note: str = "") -> int:
    """Write the rows of a query as one Parquet file, and a note into its metadata; the number of rows."""
    options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{NOTE}: {quoted(note)}}}"
    copied = connection.execute(f"COPY ({query}) TO {address(path)} ({options})")
    (rows,) = copied.fetchone() or (0,)
    return int(rows)


def address(file: Location) -> str:
    """A Parquet file as SQL names it."""
    return quoted(f"{PROTOCOL}://{file.path}" if isinstance(file, Remote) else str(file))


def text_list(texts: Iterable[str]) -> str:
    """Texts as SQL writes the right side of IN."""
    return f"({', '.join(map(quoted, texts))})"


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
