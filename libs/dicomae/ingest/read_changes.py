"""Read what has changed, batch by batch, and commit what comes of each batch before the next is read.

files to read ──► tasks write parts ──► edits where a UID is contested ──► commits ──► marks
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from dicomae.config import Config
from dicomae.dicom.bodypart_rules import load_rules
from dicomae.ingest import commits, headers, readers
from dicomae.ingest.tally import ReadCounts, Tally
from dicomae.lake import location, pieces
from dicomae.lake.location import Location
from dicomae.lake.parts import PART
from dicomae.lake.pieces import Piece
from dicomae.lake.sql import Database
from dicomae.ledger import identity, marks
from dicomae.ledger.changes import Changes, orphaned
from dicomae.ledger.edits import Edits
from dicomae.ledger.tombstones import Tombstones
from dicomae.runtime import progress
from dicomae.runtime.progress import step
from dicomae.sources import archives
from dicomae.tables import FILES

_TASKS_PER_CORE = 4  # so that a slow folder does not hold up the end
_FILES_A_TASK = 1000  # at least: to start a task takes as long as reading these


@dataclass(frozen=True)
class IngestRun:
    """What every step of a run is given."""

    spark: SparkSession
    database: Database
    config: Config
    run_id: str
    stop: threading.Event  # set: read no further batch


@dataclass(frozen=True)
class Done:
    """What was read, and whether that is all: a run that was told to stop leaves the rest to the next."""

    read: ReadCounts
    is_all: bool


def read_changes(
    run: IngestRun,
    changes: Changes,
    reader: readers.Reader,
    reach: str | None = None,
    *,
    is_table: bool = False,
) -> Done:
    """Read what is new and what is to be read again, and commit what comes of it.

    Parameters
    ----------
    reach : what the paths of all files begin with that `reader` can read; None where copies are left alone.
    is_table : whether the files are Parquet files whose rows are headers.
    """
    # What has changed lets go of the instance that it held before others are asked whether they have it.
    files: Sequence[Location] = (*changes.again, *changes.new, *changes.orphaned)
    if is_table:
        tables = (location.parquet_file(file).read(["path"]) for file in files)
        files = [Path(path) for table in tables for path in table["path"].to_pylist()]
    todo = pieces.whole(files)
    started, tally, whole = time.monotonic(), Tally.zero(run.spark), True
    if todo:
        with progress.files("reading", partial(tally.seen, pieces.rows(todo))):
            whole = _read(run, todo, reader, tally, "edits", is_table=is_table)
            are_several = pieces.rows(todo) > run.config.ingest.files_per_commit
            if whole and reach is not None and changes.again and are_several:
                left = pieces.whole(orphaned(run.database, reach).orphaned)
                whole = _read(run, left, reader, tally, "edits-of-copies", is_table=False)
    read = tally.counts(time.monotonic() - started)
    if whole and changes.ask_for_marks:
        with step(run.spark, "marking what has vanished"):
            wanted = partial(marks.wanted, run.database, changes)
            _commit(run, wanted, PART.empty_table(), "marks")
    return Done(read, whole)


def _read(
    run: IngestRun, todo: Sequence[Piece], reader: readers.Reader, tally: Tally, name: str, *, is_table: bool
) -> bool:
    """Read `todo` and commit batch by batch, until the run is told to stop; whether that was all."""
    rules = load_rules(Path(run.config.body_part_rules))
    root = run.database.root
    parsing = headers.Parsing(root, reader, rules, run.run_id, tally, Tombstones.of(root))
    each = _rows_a_task(run, todo)
    if each < _FILES_A_TASK and not is_table and not _any_archive(todo):
        each = _FILES_A_TASK
    for number, batch in enumerate(pieces.batches(todo, each, run.config.ingest.files_per_commit)):
        if run.stop.is_set():
            return False
        written = headers.parse(run.spark, batch, parsing)
        with step(run.spark, "committing"):
            _commit(run, partial(_contested, run, written), written, f"{name}-{number}")
    return True


def _rows_a_task(run: IngestRun, todo: Sequence[Piece]) -> int:
    together = min(pieces.rows(todo), run.config.ingest.files_per_commit)
    tasks = _TASKS_PER_CORE * run.spark.sparkContext.defaultParallelism
    return max(1, min(-(-together // tasks), run.config.ingest.files_per_part))


def _any_archive(todo: Sequence[Piece]) -> bool:
    """Whether a file of these listings holds other files."""
    return any(
        archives.is_archive(path)
        for piece in todo
        for batch in pieces.read(piece, _FILES_A_TASK, ["path"])
        for path in batch.column(0).to_pylist()
    )


def _contested(run: IngestRun, written: pa.Table, staging: Location) -> Edits:
    parts = written.filter(pc.equal(written["table"], FILES.name))["path"].to_pylist()
    return identity.contested(run.database, parts, run.config.ingest.same_uid, staging)


def _commit(run: IngestRun, wanted: commits.Wanted, written: pa.Table, name: str) -> None:
    staging = run.database.staging / name
    commits.commit(run.spark, run.database.root, run.run_id, wanted, written, staging)
