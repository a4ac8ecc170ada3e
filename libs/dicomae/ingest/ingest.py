"""The ingest of one source, from the listing to the ledger, in the order that makes a crash harmless.

    listing ──► changes to the ledger ──► tasks write parts ──► edits where a UID is contested ──► commits

What a batch of files has become is committed before the next is read (`dicomae.ingest.commits`).
"""

import argparse
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicomae.config import Config
from dicomae.dicom.bodypart_rules import load_rules
from dicomae.dicom.keys import standard_vr
from dicomae.errors import UsageError
from dicomae.headers import functional_groups
from dicomae.ingest import origins, readers
from dicomae.ingest.origins import Origin
from dicomae.ingest.read_changes import Done, IngestRun, read_changes
from dicomae.ingest.tally import ReadCounts
from dicomae.lake import pieces, sql
from dicomae.ledger import balance, known_folders
from dicomae.ledger.balance import LedgerCounts
from dicomae.ledger.changes import Changes, compared, to_retry
from dicomae.ledger.listings import ListingRequest, WholeListing
from dicomae.runtime import progress
from dicomae.runtime.job import Context, staging_folder
from dicomae.runtime.progress import Seen, step
from dicomae.runtime.stopping import on_sigterm
from dicomae.sources import uris
from dicomae.sources.read_settings import ReadSettings
from dicomae.tables import FILES, HEADERS

WRITES = (HEADERS, FILES)


@dataclass(frozen=True)
class EndedCounts(LedgerCounts):
    """What an ingest and a retry count: the ledger afterwards, and what was read.

    Attributes
    ----------
    stopped : whether the run was told to stop, and left files to the next one.
    made_good : ids of killed runs whose traces this run has taken away.
    """

    read: ReadCounts
    stopped: bool
    made_good: tuple[str, ...]


@dataclass(frozen=True)
class IngestCounts(EndedCounts):
    """What an ingest counts.

    Attributes
    ----------
    source : the folder that the listing is complete for; None of a mere list.
    listed : files that were listed.
    trusted : files in folders that have not changed, which were not listed.
    unanswered : known files that the source said nothing of; they stay as they were.
    new : files that were read.
    """

    source: str | None
    listed: int
    trusted: int
    unanswered: int
    new: int


@dataclass(frozen=True)
class RetryCounts(EndedCounts):
    """What a retry counts: `retried` files were read again."""

    retried: int


@contextmanager
def prepared(context: Context) -> Iterator[IngestRun]:
    """What a job's run needs, while it is at work."""
    with (
        staging_folder(context) as staging,
        sql.connected(context.location, staging) as database,
    ):
        yield IngestRun(context.spark, database, context.config, context.run_id, threading.Event())


def ingest(run: IngestRun, origin: Origin) -> IngestCounts:
    """Take in what is new or changed.

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
        done = read_changes(run, changes, origin.reader, origin.reach, is_table=origin.is_table)
        ended = _ended(run, changes, done)
        if done.is_all and origin.top is not None and origin.list_changed is not None:
            known_folders.remember(run.database, origin.top, listed.visited, began, run.run_id)
    return IngestCounts(
        **vars(ended),
        source=origin.top,
        listed=listed.files,
        trusted=listed.trusted,
        unanswered=unanswered,
        new=done.read.files,
    )


def _listed(run: IngestRun, origin: Origin, state: known_folders.LedgerState) -> WholeListing:
    """The listing. When folders are trusted, it lacks the files of folders that have not changed."""
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
    run: IngestRun, origin: Origin, request: ListingRequest, state: known_folders.LedgerState
) -> WholeListing | None:
    """The listing without what has not changed; None when all must be listed."""
    if not run.config.ingest.trust_folders or origin.top is None or origin.list_changed is None:
        return None
    known = known_folders.remembered(run.database, origin.top, state)
    return None if known is None else origin.list_changed(run.spark, request, known)


def check(arguments: argparse.Namespace, config: Config) -> None:
    """Raise UsageError when the source cannot be read or holds `--tables`; and see `check_config`."""
    check_config(config)
    origins.of(arguments, config.ingest)
    origins.check(arguments)


def check_config(config: Config) -> None:
    """Raise UsageError for a wrong keyword or path, and for wrong body-part rules."""
    for keyword in config.ingest.flatten_sequences:
        if standard_vr(keyword) != "SQ":
            raise UsageError(f"ingest.flatten_sequences: '{keyword}' is no keyword of a sequence in PS3.6")
    for path in config.ingest.functional_groups:
        if reason := functional_groups.fault(path):
            raise UsageError(f"ingest.functional_groups: {reason}")
    load_rules(Path(config.body_part_rules))


def retry(run: IngestRun, uri: str, reasons: Sequence[str]) -> RetryCounts:
    """Read quarantined files below `uri` again, of these reasons or of all."""
    uri = origins.on_any_machine(uri)
    _, top = uris.open_source(uri)
    changes = to_retry(run.database, uris.path_prefix(uri) + top, reasons)
    with on_sigterm(run.stop):
        done = read_changes(run, changes, readers.file_reader(uri, ReadSettings.of(run.config.ingest)))
        return RetryCounts(**vars(_ended(run, changes, done)), retried=done.read.files)


def _ended(run: IngestRun, changes: Changes, done: Done) -> EndedCounts:
    made_good = changes.made_good if done.is_all else ()
    counts = vars(balance.balanced(run.database))
    return EndedCounts(**counts, read=done.read, stopped=not done.is_all, made_good=made_good)
