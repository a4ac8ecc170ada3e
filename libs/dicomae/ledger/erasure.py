"""Which rows leave the tables, because their instance has a tombstone; all instances of a patient get one.

    named ──► tombstones ──► erased ──┬──► edits of Parquet parts: rows go
                                      └──► private places ──► companions in `files` go, too

Everything follows from the tombstones and from the tables as they are. So a killed run loses nothing: the
next one does what is left, whoever it names.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from dicomae.codes import FileStatus, Identifier, Reason
from dicomae.lake import delta, sql
from dicomae.lake.location import Location
from dicomae.lake.sql import Database
from dicomae.ledger import edits, tombstones
from dicomae.ledger.conditions import FOLDER_OF
from dicomae.ledger.edits import Edits, dropped
from dicomae.ledger.tombstones import Tombstones
from dicomae.tables import ASSIGNMENTS, EMBEDDINGS, FILES, HEADERS, MEDOIDS, RUNS, SAMPLE, TOMBSTONES, Table

# Tables that lose rows, in the order of their commits: `headers` before `files`, as an ingest commits them.
LOSING = (EMBEDDINGS, ASSIGNMENTS, SAMPLE, HEADERS, FILES)
_BY_INSTANCE = (EMBEDDINGS, ASSIGNMENTS, SAMPLE)
_INSTANCE, _PATIENT = Identifier.INSTANCE, Identifier.PATIENT


@dataclass(frozen=True)
class Named:
    """Who is to be forgotten: identifiers without padding, each once."""

    patients: tuple[str, ...]
    instances: tuple[str, ...]


@dataclass(frozen=True)
class NotFound:
    """How many of those who were named have no row: patients in `headers`, instances in `files`."""

    patients: int
    instances: int


@dataclass(frozen=True)
class Erased:
    """What is to go.

    Attributes
    ----------
    edits : of the tables `LOSING`, as they are now.
    private : those sources of earlier runs that are private places: `/pacs/DOE^JANE`.
    """

    edits: Edits
    private: frozenset[str]

    @property
    def is_in_headers_or_later(self) -> bool:
        """Whether a table other than the ledger has rows that are to go."""
        return any(table != FILES.name for table, *_ in self.edits.parts)

    @property
    def header_parts(self) -> list[str]:
        """Names of the parts of `headers` that lose rows."""
        return [part for table, part, _ in self.edits.parts if table == HEADERS.name]


def bury(database: Database, salt: str, named: Named, run_id: str) -> NotFound:
    """Add the tombstones of those who are named, and of all instances of these patients, by one commit.

    This comes first: all that is done afterwards follows from the tombstones.
    """
    of_named = ((_PATIENT, named.patients), (_INSTANCE, named.instances))
    given = pa.concat_tables(tombstones.rows(salt, *each, run_id) for each in of_named)
    by_kind = {
        "instance": tombstones.sql_digest(salt, _INSTANCE),
        "patient": tombstones.sql_digest(salt, _PATIENT),
    }
    with database.session() as session:
        _name_tables(session, database.root, (HEADERS, FILES, TOMBSTONES))
        session.register("given", given)
        session.execute(_BURIED.format(**by_kind))
        new: pa.Table = session.sql(_NEW.format(**by_kind)).to_arrow_table()
        ((patients, instances),) = session.execute(_NOT_FOUND.format(**by_kind)).fetchall()
    if len(new):
        run_ids = pa.array([run_id] * len(new), pa.string())
        delta.append(database.root, TOMBSTONES, new.append_column("run_id", run_ids))
    return NotFound(patients, instances)


# Headers of all patients who have a tombstone, or are to have one.
_BURIED = f"""CREATE TEMP TABLE buried AS
    SELECT {{patient}} AS patient, {{instance}} AS instance FROM headers WHERE {{patient}} IN
        (SELECT digest FROM given UNION ALL SELECT digest FROM tombstones WHERE kind = '{_PATIENT}')"""

_NEW = f"""SELECT digest, kind FROM given WHERE digest NOT IN (SELECT digest FROM tombstones)
    UNION SELECT instance, '{_INSTANCE}' FROM buried WHERE instance NOT IN (SELECT digest FROM tombstones)
    ORDER BY 1"""

_NOT_FOUND = f"""SELECT
    count(*) FILTER (WHERE kind = '{_PATIENT}' AND digest NOT IN (SELECT patient FROM buried)),
    count(*) FILTER (WHERE kind = '{_INSTANCE}' AND digest NOT IN
        (SELECT {{instance}} FROM files WHERE "{_INSTANCE}" IS NOT NULL))
    FROM given"""


def find(database: Database, salt: str, staging: Location) -> Erased:
    """What has a tombstone, and what else goes with it."""
    sources = {_source(summary) for summary in _summaries(_runs(database))}
    has_tombstone = _has_tombstone(salt)
    with database.session() as session:
        name_erased(session, database.root, salt)
        found = [
            dropped(table, f'(SELECT "{_INSTANCE}" AS path, part FROM {table.name} WHERE {has_tombstone})')
            for table in _BY_INSTANCE
        ]
        found += [dropped(HEADERS, "erased_headers"), dropped(FILES, "erased_files")]
        found.append(dropped(FILES, "companions"))
        places = session.execute(f"{_PRIVATE_AMONG} {sql.text_list(sources | {''})}").fetchall()
        edited = edits.wanted(session, found, staging)
    return Erased(edited, frozenset(place for (place,) in places))


def name_erased(session: duckdb.DuckDBPyConnection, root: Location, salt: str) -> None:
    """Find what is erased, the private places and the companions.

    Out: `erased_headers`, `erased_files` and `companions` (path, part), and `private` (place).
    """
    has_tombstone = _has_tombstone(salt)
    _name_tables(session, root, (*LOSING, TOMBSTONES))
    session.execute(_ERASED_HEADERS.format(has_tombstone=has_tombstone))
    session.execute(_ERASED_FILES.format(has_tombstone=has_tombstone))
    session.execute(_PRIVATE)
    session.execute(_COMPANIONS)


def _has_tombstone(salt: str) -> str:
    """The condition of rows whose SOPInstanceUID has a tombstone."""
    return f"{tombstones.sql_digest(salt, _INSTANCE)} IN (SELECT digest FROM tombstones)"


_ERASED_HEADERS = "CREATE TEMP TABLE erased_headers AS SELECT path, part FROM headers WHERE {has_tombstone}"
_ERASED_FILES = f"""CREATE TEMP TABLE erased_files AS SELECT path, part, container FROM files
    WHERE {{has_tombstone}} OR reason = '{Reason.FORGOTTEN}'"""

# Rows whose instance is known to be someone's; of a conflict it is not known whose.
_IS_SOMEONES = f"status IN {sql.text_list((FileStatus.PARSED, FileStatus.DUPLICATE))}"
_NOT_ERASED = "(SELECT * FROM files ANTI JOIN erased_files USING (path) WHERE {condition})"

# All folders above a path: of `/pacs/a/1.dcm` they are `/pacs` and `/pacs/a`.
_ABOVE = f"""list_transform(range(2, len(string_split({FOLDER_OF}, '/')) + 1),
    lambda depth: array_to_string(string_split({FOLDER_OF}, '/')[1:depth], '/'))"""


def _places(rows: str) -> str:
    """SQL for all folders above the paths of some rows of `files`, and the archives that hold them."""
    one_of_each_folder = f"SELECT any_value(path) AS path FROM {rows} GROUP BY {FOLDER_OF}"
    return f"""(SELECT unnest({_ABOVE}) AS place FROM ({one_of_each_folder})
        UNION SELECT container FROM {rows} WHERE container IS NOT NULL)"""


_PRIVATE = f"""CREATE TEMP TABLE private AS SELECT place FROM {_places("erased_files")}
    WHERE place NOT IN (SELECT place FROM {_places(_NOT_ERASED.format(condition=_IS_SOMEONES))})"""

_PRIVATE_AMONG = "SELECT place FROM private WHERE place IN"

_COMPANIONS = f"""CREATE TEMP TABLE companions AS SELECT DISTINCT path, part FROM (
        SELECT path, part, unnest(list_concat([rtrim(path, '/'), container], {_ABOVE})) AS place
        FROM {_NOT_ERASED.format(condition=f"NOT {_IS_SOMEONES}")})
    WHERE place IN (SELECT place FROM private)"""


def without_vectors(medoids: pa.Table, known: Tombstones) -> pa.Table:
    """Rows of `MEDOIDS`; those of erased instances without SOPInstanceUID and vector.

    The row stays, because its cluster does, and its sums are those of many rows.
    """
    are_erased = known.are(medoids["SOPInstanceUID"].combine_chunks(), _INSTANCE).tolist()
    nothing = {"SOPInstanceUID": None, "vector": None}
    rows = zip(medoids.to_pylist(), are_erased, strict=True)
    return pa.Table.from_pylist([row | nothing if erased else row for row, erased in rows], MEDOIDS.schema)


def without_paths(database: Database, private: Iterable[str]) -> pa.Table:
    """Rows of `RUNS` whose summaries name no file, and no source that is a private place.

    Versions before 0.1.0 told two paths of each reason, as `examples`.
    """
    rows = _runs(database)
    texts = []
    for summary in _summaries(rows):
        summary.pop("examples", None)
        if _source(summary) in private:
            summary["source"] = None
        texts.append(json.dumps(summary))
    return rows.set_column(rows.schema.get_field_index("summary"), "summary", pa.array(texts, pa.string()))


def _runs(database: Database) -> pa.Table:
    return delta.read_small(database.root, RUNS)


def _summaries(rows: pa.Table) -> list[dict[str, object]]:
    return [dict(json.loads(text or "{}")) for text in rows["summary"].to_pylist()]


def _source(summary: dict[str, object]) -> str:
    """The folder that an ingest listed, as places are written; "" where there is none."""
    return str(summary.get("source") or "").rstrip("/")


def _name_tables(session: duckdb.DuckDBPyConnection, root: Location, named: Iterable[Table]) -> None:
    for table in named:
        sql.name_table(session, root, table)
