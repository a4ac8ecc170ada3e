"""Several processes write the files of a plan; the truth about them is a Parquet file beside them."""

import json
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydicom.dataset import Dataset

from dicomae.errors import UsageError
from dicomae.synth import spoil
from dicomae.synth.bodyparts import PARTS
from dicomae.synth.dataset import Instance, SeriesTruth, make_series
from dicomae.synth.draft import Draft
from dicomae.synth.habits import HABITS
from dicomae.synth.patients import make_patient
from dicomae.synth.plan import Study, make_plan
from dicomae.synth.writer import encode, put_pixels

TRUTH = pa.schema(
    [
        ("path", pa.string()),  # relative to the archive's folder
        ("size", pa.int64()),
        ("night", pa.int32()),
        ("kind", pa.string()),  # regular, spoilt, duplicate
        ("spoilt", pa.string()),  # key of spoil.KINDS; null unless spoilt
        ("duplicate_of", pa.string()),  # path; null unless duplicate
        ("conflict", pa.bool_()),  # a duplicate with other content
        ("SOPInstanceUID", pa.string()),
        ("patient", pa.int32()),  # number, not the PatientID
        ("study", pa.int32()),
        ("Modality", pa.string()),
        ("part", pa.string()),  # the true body part
        ("declared", pa.string()),  # BodyPartExamined; null: absent
        ("declared_how", pa.string()),
        ("described_how", pa.string()),
        ("habit", pa.string()),
    ]
)
_ARGUMENTS = b"dicomae.synth"  # key of the truth's Parquet metadata


@dataclass(frozen=True)
class Arguments:
    """All that decides an archive: the same arguments give the same bytes."""

    files: int
    seed: int
    nights: int = 1
    matrix: int = 128


def check(arguments: Arguments, out: Path, truth: Path) -> None:
    """Raise unless `arguments` make sense, and `out` is empty or was begun with the same arguments.

    Raises
    ------
    UsageError
        A number is out of its range, `truth` lies inside `out`, or `out` holds something else.
    """
    for name, low, high in (
        ("files", 1, 10**8),
        ("seed", 0, 2**63),
        ("nights", 1, 366),
        ("matrix", 16, 4096),
    ):
        value = getattr(arguments, name)
        if not low <= value <= high:
            raise UsageError(f"--{name} must be {low} to {high}, not {value}")
    if truth.resolve().is_relative_to(out.resolve()):
        raise UsageError(f"--truth must lie outside --out, and {truth} does not")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is no folder")
    if out.exists() and any(out.iterdir()) and _arguments_of(truth) != asdict(arguments):
        raise UsageError(f"--out {out} is not empty and was not made by the same call; choose another folder")


def finished(arguments: Arguments, out: Path, truth: Path) -> list[dict[str, Any]]:
    """Rows of `TRUTH` when an earlier call with the same arguments has written every file; else none."""
    if _arguments_of(truth) != asdict(arguments):
        return []
    rows = list(pq.read_table(truth).to_pylist())
    there = all(_size(out / row["path"]) == row["size"] for row in rows)
    return rows if there and len(rows) == arguments.files else []


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _arguments_of(truth: Path) -> Any:
    if not truth.is_file():
        return None
    try:
        metadata = pq.read_schema(truth).metadata or {}
    except (pa.ArrowInvalid, OSError):
        return None
    return json.loads(metadata.get(_ARGUMENTS, b"null"))


def write_truth(rows: Iterable[dict[str, Any]], arguments: Arguments, truth: Path) -> None:
    """Write the truth, sorted by path, with the arguments in its metadata."""
    schema = TRUTH.with_metadata({_ARGUMENTS: json.dumps(asdict(arguments))})
    ordered = sorted(rows, key=lambda row: str(row["path"]))
    truth.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(ordered, schema), truth, compression="zstd")


def generate(arguments: Arguments, out: Path, workers: int) -> Iterator[list[dict[str, Any]]]:
    """Write the archive; yields the rows of `TRUTH` study by study, in no promised order."""
    plan = make_plan(arguments.seed, arguments.files, arguments.nights, tuple(spoil.KINDS))
    tasks = [(arguments, study, out) for study in plan]
    if workers == 1:
        yield from map(_write_study, tasks)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(_write_study, tasks, chunksize=4)


def _write_study(task: tuple[Arguments, Study, Path]) -> list[dict[str, Any]]:
    arguments, study, out = task
    rng = np.random.default_rng([arguments.seed, 2, study.number])
    patient = make_patient(arguments.seed, study.patient, study.sex, study.birth_year)
    rows = []
    for series in study.series:
        draft = Draft(
            arguments.seed,
            study,
            series,
            patient,
            PARTS[series.part],
            HABITS[study.habit],
            arguments.matrix,
            rng,
        )
        truth, instances = make_series(draft)
        for instance in instances:
            rows += _write_instance(draft, truth, instance, out)
    return rows


def _write_instance(draft: Draft, truth: SeriesTruth, made: Instance, out: Path) -> list[dict[str, Any]]:
    series, study = draft.series, draft.study
    kind = series.spoilt.get(made.position)
    # A spoilt file is named `.dcm`, whatever is in it.
    name = f"{made.position + 1:05d}{'.dcm' if kind else draft.habit.suffix}"
    folder = f"study-{study.number:06d}/series-{series.number:02d}"
    path = f"night-{series.night + 1:02d}/" + (
        f"spoilt/{kind}/{folder}/{name}" if kind else f"{folder}/{name}"
    )
    content = _content(made, kind)
    row = {
        "path": path,
        "night": series.night + 1,
        "kind": "spoilt" if kind else "regular",
        "spoilt": kind,
        "SOPInstanceUID": str(made.dataset.SOPInstanceUID),
        "patient": study.patient,
        "study": study.number,
        "Modality": study.modality,
        "part": draft.part.name,
        "habit": study.habit,
        **asdict(truth),
    }
    rows = [{**row, "size": _save(out / path, content)}]
    for copy in series.copies:
        if copy.instance == made.position:
            again = f"night-{copy.night + 1:02d}/duplicates/{copy.kind}/{folder}/{name}"
            other = content if copy.kind == "same" else _content(_changed(made), None)
            kept = {"path": again, "night": copy.night + 1, "kind": "duplicate", "duplicate_of": path}
            rows.append(
                {**row, **kept, "conflict": copy.kind == "conflict", "size": _save(out / again, other)}
            )
    return rows


def _changed(made: Instance) -> Instance:
    """The same instance, with a corrected description and window: same UID, other content."""
    dataset = _copied(made.dataset)
    dataset.SeriesDescription = "corrected"
    dataset.InstanceCreationTime = "235959"
    return Instance(made.position, dataset, made.frames, made.syntax)


def _content(made: Instance, kind: str | None) -> bytes:
    if kind and made.frames is not None:
        return spoil.spoil(kind, _copied(made.dataset), made.frames)
    if made.frames is not None:
        put_pixels(made.dataset, made.frames, made.syntax)
    return encode(made.dataset, made.syntax)


def _copied(dataset: Dataset) -> Dataset:
    copy = Dataset()
    copy.update({tag: element for tag, element in dataset.items() if tag != 0x7FE00010})
    return deepcopy(copy)


def _save(path: Path, content: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return len(content)
