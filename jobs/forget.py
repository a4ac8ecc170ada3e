"""Forget patients or instances: their rows leave every table, and no later ingest takes them in again.

Write the PatientIDs or the SOPInstanceUIDs into a text file, one in each line. Delete the files in the
source first: while one is there, the next ingest refuses it, and notes its path in files as forgotten.

Only numbers come to the terminal. The old states of all tables are removed, and so is the report. No other
run may be at work meanwhile. After an interruption call it again. docs/privacy.md tells what it cannot reach,
such as backups, copies and trained weights.

  .venv/bin/python jobs/forget.py --patient-id-file patients.txt --tables DIR
  .venv/bin/python jobs/forget.py --uid-file instances.txt --tables DIR
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dicomae.config import Config
from dicomae.errors import UsageError
from dicomae.ingest import commits
from dicomae.lake import delta, history, location, sql
from dicomae.lake.parts import PART
from dicomae.ledger import erasure, known_folders, learned, tombstones
from dicomae.ledger.erasure import LOSING, Erased, Named
from dicomae.ledger.tombstones import Tombstones
from dicomae.runtime import underway
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job, staging_folder
from dicomae.runtime.progress import step
from dicomae.runtime.summary import Summary
from dicomae.sources.id_list import read_ids
from dicomae.tables import ALL, FEATURE_SPECS, MEDOIDS, METRICS, MODELS, RUNS, TAG_STATISTICS, TOMBSTONES

_NAMED = ("patients", "instances")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patient-id-file",
        type=Path,
        help="text file of PatientIDs, one a line, as the column PatientID of headers has them",
    )
    parser.add_argument("--uid-file", type=Path, help="text file of SOPInstanceUIDs, one a line")


def check(arguments: argparse.Namespace, _: Config) -> None:
    if arguments.patient_id_file is None and arguments.uid_file is None:
        raise UsageError("say whom to forget: give --patient-id-file or --uid-file")
    _named(arguments)


def _named(arguments: argparse.Namespace) -> Named:
    patients, instances = arguments.patient_id_file, arguments.uid_file
    return Named(
        () if patients is None else read_ids(patients, "--patient-id-file"),
        () if instances is None else read_ids(instances, "--uid-file"),
    )


@dataclass(frozen=True)
class ForgetCounts:
    """How many were named, and what has gone.

    Attributes
    ----------
    patients, instances : different ones that the files name.
    patients_not_found, instances_not_found : those of them that have no row, or none any more.
    removed : rows that have left, by table.
    """

    patients: int
    patients_not_found: int
    instances: int
    instances_not_found: int
    removed: dict[str, int]


def run(context: Context) -> ForgetCounts:
    root, named = context.root, _named(context.arguments)
    before = _rows(root)
    salt = tombstones.make_salt(root)
    with staging_folder(context) as staging, sql.connected(root, staging) as database:
        with step(context.spark, "finding their rows"):
            not_found = erasure.bury(database, salt, named, context.run_id)
            erased = erasure.find(database, salt, staging)
        if erased.is_in_headers_or_later:
            with step(context.spark, "removing what was made of their rows"):
                _remove_what_was_made(context, erased)
        delta.replace(root, RUNS, erasure.without_paths(database, erased.private))
        with step(context.spark, "removing their rows"):
            nothing, edited = PART.empty_table(), erased.edits
            commits.commit(
                context.spark, root, context.run_id, lambda _: edited, nothing, staging / "commits", LOSING
            )
    _remove_leftovers(root)
    with step(context.spark, "removing the old states of all tables"):
        for table in ALL:
            history.remove(root, table)
    after = _rows(root)
    return ForgetCounts(
        len(named.patients),
        not_found.patients,
        len(named.instances),
        not_found.instances,
        removed={name: rows - after[name] for name, rows in before.items() if rows > after[name]},
    )


def _rows(root: Path) -> dict[str, int]:
    return {table.name: delta.count(root, table) for table in ALL}


def _remove_what_was_made(context: Context, erased: Erased) -> None:
    """Remove what earlier jobs have made of the rows, while these are there to tell what that is."""
    root, known = context.root, Tombstones.of(context.root)
    (root / "report.html").unlink(missing_ok=True)
    learned.forget(root, context.registry, known, erased.header_parts)
    delta.replace(root, TAG_STATISTICS, TAG_STATISTICS.schema.empty_table())
    delta.replace(root, MEDOIDS, erasure.without_vectors(delta.read_small(root, MEDOIDS), known))


def _remove_leftovers(root: Path) -> None:
    """Remove what no table holds: the folders of sources by name, and what killed runs have staged."""
    location.remove(root / known_folders.KEPT)
    location.remove(root / underway.STAGING)


def summarise(summaries: Sequence[Summary]) -> tuple[str, Summary]:
    counts = summaries[-1].as_json()
    told = [f"{counts[name]:,} {name} named, {counts[f'{name}_not_found']:,} not found" for name in _NAMED]
    told += [f"  {table:<18} {rows:>10,} rows removed" for table, rows in counts["removed"].items()]
    return "\n".join(["", *told, "", ""]), summaries[-1]


WRITES = (*LOSING, TAG_STATISTICS, FEATURE_SPECS, MODELS, MEDOIDS, METRICS, TOMBSTONES)
JOB = Job("forget", run, reads=None, sections=(), writes=WRITES, alone=True, check=check)

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__, add_arguments, summarise))
