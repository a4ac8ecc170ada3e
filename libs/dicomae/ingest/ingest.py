"""The ingest of one source, from the listing to the ledger, in the order that makes a crash harmless.

    listing ──► changes to the ledger ──► tasks write parts ──► edits where a UID is contested ──► commits

What a batch of files has become is committed before the next is read (`dicomae.ingest.commits`).
"""

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from dicomae.config import Config
from dicomae.dicom.bodypart_rules import load_rules
from dicomae.dicom.keys import standard_vr
from dicomae.errors import UsageError
from dicomae.ingest import commits, headers, origins, readers
from dicomae.ingest.origins import Origin
from dicomae.ingest.tally import Tally
from dicomae.lake import location, pieces, runs, sql
from dicomae.lake.location import Location
from dicomae.lake.parts import PART
from dicomae.lake.pieces import Piece
from dicomae.lake.sql import Database
from dicomae.ledger import balance, identity, known_folders, marks
from dicomae.ledger.changes import Changes, compared, orphaned, to_retry
from dicomae.ledger.edits import Edits
from dicomae.ledger.listings import ListingRequest, WholeListing
from dicomae.runtime import progress
from dicomae.runtime.job import Context, staging_folder
from dicomae.runtime.progress import Seen, step
from dicomae.runtime.stopping import on_sigterm
from dicomae.sources import archives, uris
from dicomae.sources.read_settings import ReadSettings
from dicomae.tables import FILES, HEADERS

WRITES = (HEADERS, FILES)
_TASKS_PER_CORE = 4  # so that a slow folder does not hold up the end
_FILES_A_TASK = 1000  # at least: to start a task takes as long as reading these


@dataclass(frozen=True)
class Ingest:
    """What every step of a run is given."""

    spark: SparkSession
    database: Database
    config: Config
    run_id: str
    stop: threading.Event  # set: read no further batch


@contextmanager
def prepared(context: Context) -> Iterator[Ingest]:
    """What a job's run needs, while it is at work."""
    with (
        staging_folder(context) as staging,
        sql.connected(context.location, staging) as database,
    ):
        yield Ingest(context.spark, database, context.config, context.run_id, threading.Event())


def ingest(run: Ingest, origin: Origin) -> dict[str, Any]:
    """Take in what is new or changed; counts of the ledger afterwards.

    Raises
    ------
    UsageError
        There is no file.
    """
    began = known_folders.ledger_state(run.database.root)
    listed = _listed(run, origin, began)
    if listed.files + listed.failures + listed.trusted == 0:
        raise UsageError(f"{origin.name}: no files here")
    with step(run.spark, f"comparing {listed.files:,} files with the ledger"):
        together = run.config.ingest.files_per_commit
        changes = compared(run.database, listed, origin.top, origin.reach, together)
    unanswered = pieces.rows(pieces.whole(changes.unanswered))
    if unanswered:
        progress.note(f"  not answered: {unanswered:,} files that are known; they stay as they were")
    with on_sigterm(run.stop):
        read, whole = take_in(run, changes, origin.reader, origin.reach, is_table=origin.is_table)
        ended = _ended(run, changes, read, whole)
        if whole and origin.top is not None and origin.list_changed is not None:
            known_folders.remember(run.database, origin.top, listed.visited, began, run.run_id)
    told = {"listed": listed.files, "trusted": listed.trusted, "unanswered": unanswered, "new": read["files"]}
    return {"source": origin.top, **told, **ended}


def _listed(run: Ingest, origin: Origin, state: known_folders.LedgerState) -> WholeListing:
    """The listing; where folders are trusted, without the files of those that have not changed."""
    found, timeout = run.spark.sparkContext.accumulator(0), run.config.ingest.read_timeout_seconds
    request = ListingRequest(run.database.staging / "listing", found, timeout)
    request.folder.mkdir()
    with progress.files("listing", lambda: Seen(request.found.value)):
        listed = _list_changed(run, origin, request, state) or origin.list_files(run.spark, request)
    if listed.settled:
        progress.note(
            f"  trusted: {listed.trusted:,} files in {listed.settled:,} folders that have not changed"
        )
    return listed


def _list_changed(
    run: Ingest, origin: Origin, request: ListingRequest, state: known_folders.LedgerState
) -> WholeListing | None:
    """The listing without what has not changed; None where all must be listed."""
    if not run.config.ingest.trust_folders or origin.top is None or origin.list_changed is None:
        return None
    known = known_folders.remembered(run.database, origin.top, state)
    return None if known is None else origin.list_changed(run.spark, request, known)


def check(arguments: argparse.Namespace, config: Config) -> None:
    """Raise UsageError where the source cannot be read or holds `--tables`, and as `check_config`."""
    check_config(config)
    origins.of(arguments, config.ingest)
    origins.check(arguments)


def check_config(config: Config) -> None:
    """Raise UsageError for a wrong keyword, and for wrong body-part rules."""
    for keyword in config.ingest.flatten_sequences:
        if standard_vr(keyword) != "SQ":
            raise UsageError(f"ingest.flatten_sequences: '{keyword}' is no keyword of a sequence in PS3.6")
    load_rules(Path(config.body_part_rules))


def retry(run: Ingest, uri: str, reasons: Sequence[str]) -> dict[str, Any]:
    """Read quarantined files below `uri` again, of `reasons` or all; counts of the ledger afterwards."""
    _, top = uris.open_source(uri)
    changes = to_retry(run.database, uris.path_prefix(uri) + top, reasons)
    with on_sigterm(run.stop):
        read, whole = take_in(run, changes, readers.file_reader(uri, ReadSettings.of(run.config.ingest)))
        return {"retried": read["files"], **_ended(run, changes, read, whole)}


def take_in(
    run: Ingest, changes: Changes, reader: readers.Reader, reach: str | None = None, *, is_table: bool = False
) -> tuple[dict[str, Any], bool]:
    """Read what is new and what is to be read again, and commit what comes of it.

    Parameters
    ----------
    reach : what the paths of all files begin with that `reader` can read; None where copies are left alone.
    is_table : whether the files are Parquet files whose rows are headers.

    Returns
    -------
    `Tally.counts`, and whether that is all: the run may have been told to stop.
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
    return read, whole


def _read(
    run: Ingest, todo: Sequence[Piece], reader: readers.Reader, tally: Tally, name: str, *, is_table: bool
) -> bool:
    """Read `todo` and commit batch by batch, until the run is told to stop; whether that was all."""
    rules = load_rules(Path(run.config.body_part_rules))
    parsing = headers.Parsing(run.database.root, reader, rules, run.run_id, tally)
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


def _rows_a_task(run: Ingest, todo: Sequence[Piece]) -> int:
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


def _contested(run: Ingest, written: pa.Table, staging: Location) -> Edits:
    parts = written.filter(pc.equal(written["table"], FILES.name))["path"].to_pylist()
    return identity.contested(run.database, parts, run.config.ingest.same_uid, staging)


def _commit(run: Ingest, wanted: commits.Wanted, written: pa.Table, name: str) -> None:
    staging = run.database.staging / name
    commits.commit(run.spark, run.database.root, run.run_id, wanted, written, staging)


def _ended(run: Ingest, changes: Changes, read: dict[str, Any], whole: bool) -> dict[str, Any]:
    made_good = {runs.MADE_GOOD: list(changes.made_good)} if whole and changes.made_good else {}
    return {"read": read, "stopped": not whole, **made_good, **balance.balanced(run.database)}
