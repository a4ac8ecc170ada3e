"""Pieces of work to parts of `headers` and `files`, unseen until they are committed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from dicomae.dicom import bodypart
from dicomae.dicom.bodypart_rules import BodyPartRules
from dicomae.ingest.readers import ReadBatch, Reader
from dicomae.ingest.tally import Tally
from dicomae.lake import parts
from dicomae.lake.location import Location
from dicomae.lake.parts import PART, PartWriter
from dicomae.lake.pieces import Piece
from dicomae.ledger import outcome
from dicomae.ledger.tombstones import Tombstones
from dicomae.spark import tasks
from dicomae.tables import FILES, HEADERS


@dataclass(frozen=True)
class Parsing:
    """What a task needs to turn what it reads into rows; travels to the executors."""

    root: Location
    reader: Reader
    rules: BodyPartRules
    run_id: str
    tally: Tally
    tombstones: Tombstones


def parse(spark: SparkSession, todo: Sequence[Piece], parsing: Parsing) -> pa.Table:
    """Read pieces, a task for each; it writes a part of each table, both under the same name.

    Returns
    -------
    The parts' descriptors: rows of `parts.PART`.
    """
    return tasks.run(spark, todo, _parser(parsing), PART)


def _parser(parsing: Parsing) -> Callable[[Piece], Iterator[pa.RecordBatch]]:
    def task(piece: Piece) -> Iterator[pa.RecordBatch]:
        name = parts.new_name()
        writers = [PartWriter(parsing.root, table, name) for table in (HEADERS, FILES)]
        for read in map(partial(_remembered, parsing.tombstones), parsing.reader(piece)):
            for writer, rows in zip(writers, _rows(read, parsing), strict=True):
                writer.write(rows)
            parsing.tally.add(read)
        yield from (writer.finish() for writer in writers)

    return task


def _remembered(tombstones: Tombstones, read: ReadBatch) -> ReadBatch:
    """The batch, in which what has been forgotten failed as `forgotten`."""
    return read if read.headers is None else read._replace(headers=tombstones.apart(read.headers))


def _rows(read: ReadBatch, parsing: Parsing) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Rows of `HEADERS` and of `FILES`."""
    if read.headers is None:
        nothing = pa.RecordBatch.from_pylist([], schema=HEADERS.schema)
        return nothing, outcome.container_row(read.listing, parsing.run_id)
    paths = read.listing.column("path").take(pa.array(read.headers.index))
    headers = _header_rows(read.headers.headers, paths, parsing)
    return headers, outcome.ledger_rows(read.listing, read.headers, read.container, parsing.run_id)


def _header_rows(read: pa.RecordBatch, paths: pa.Array, parsing: Parsing) -> pa.RecordBatch:
    descriptions = _element_columns(read.column("elements"), bodypart.SOURCES)
    body_part, body_part_source = bodypart.repair(
        parsing.rules, {"Modality": read.column("Modality"), **descriptions}
    )
    added = {
        "path": paths,
        "body_part": body_part,
        "body_part_source": body_part_source,
        "run_id": pa.repeat(parsing.run_id, len(paths)),
    }
    names = read.schema.names
    arrays = [added[n] if n in added else read.column(names.index(n)) for n in HEADERS.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=HEADERS.schema)


def _element_columns(elements: pa.MapArray, keywords: tuple[str, ...]) -> dict[str, pa.Array]:
    return {k: pc.map_lookup(elements, pa.scalar(k), "first") for k in keywords}
