"""What was learned of the erased alone: a word of a vocabulary, or the name of a private creator.

A category that five patients have names none of them, and `features.minimum_patients` lets no other become
one. With 1, as in the paper's preset, a word can be one patient's own. So can a key: `0099xx01 DOE^JANE`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dicomae.dicom.keys import shown_key
from dicomae.errors import UsageError
from dicomae.features import elements
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta, location
from dicomae.lake.location import Location
from dicomae.ledger.tombstones import Tombstones
from dicomae.tables import FEATURE_SPECS, HEADERS, METRICS, MODELS, Table

_COLUMNS = ["SOPInstanceUID", "PatientID", "body_part", "elements"]
_BATCH_ROWS = 4096

# A key and a value; None for the key itself, whatever its value.
Trace = tuple[str, str | None]


def forget(root: Path, registry: Path, tombstones: Tombstones, erased_parts: Sequence[str]) -> None:
    """Remove specifications that hold what only the erased have, and the models that were trained with them.

    Metrics that name such a word go too.

    Parameters
    ----------
    erased_parts : names of the parts of `headers` with erased rows.
    """
    texts = {row["spec_id"]: row["spec"] for row in delta.read_small(root, FEATURE_SPECS).to_pylist()}
    texts |= {path.parent.name: path.read_text(encoding="utf-8") for path in registry.glob("*/spec.json")}
    specs, unreadable = _parsed(texts)
    traces = {name: _traces(spec) for name, spec in specs.items()}
    alone = of_the_erased_alone(root, set[Trace]().union(*traces.values()), tombstones, erased_parts)
    names = [*unreadable, *(name for name, of_spec in traces.items() if of_spec & alone)]
    for name in names:
        location.remove(registry / name)
    words = {word for _, word in alone if word is not None}
    _keep(root, METRICS, lambda row: dict(row["labels"] or ()).get("value") not in words)
    _keep(root, MODELS, lambda row: row["model_id"] not in names and row["spec_id"] not in names)
    _keep(root, FEATURE_SPECS, lambda row: row["spec_id"] not in names)


def _keep(root: Path, table: Table, is_kept: Callable[[dict[str, Any]], bool]) -> None:
    """Let a small table have no other rows than these."""
    rows = delta.read_small(root, table)
    kept = rows.filter(pa.array([is_kept(row) for row in rows.to_pylist()], pa.bool_()))
    if len(kept) < len(rows):
        delta.replace(root, table, kept)


def _parsed(texts: Mapping[str, str]) -> tuple[dict[str, FeatureSpec], list[str]]:
    """Specifications by name, and the names of those that no job can read any more."""
    specs, unreadable = dict[str, FeatureSpec](), list[str]()
    for name, text in texts.items():
        try:
            specs[name] = FeatureSpec.from_json(text)
        except UsageError:
            unreadable.append(name)
    return specs, unreadable


def of_the_erased_alone(
    root: Path, wanted: set[Trace], tombstones: Tombstones, erased_parts: Sequence[str]
) -> set[Trace]:
    """Those of the wanted traces that, of all headers, only erased ones have.

    Parameters
    ----------
    erased_parts : names of the parts of `headers` with erased rows. Other rows are read until each trace that
        the erased rows have was found in one of them.
    """
    alone = set[Trace]()
    for erased, _ in _rows(root, [root / HEADERS.name / part for part in erased_parts], tombstones):
        alone |= _held(erased, wanted)
    if alone:
        for _, others in _rows(root, delta.parts(root, HEADERS), tombstones):
            alone -= _held(others, alone)
            if not alone:
                break
    return alone


def _traces(spec: FeatureSpec) -> set[Trace]:
    words = {(feature.key, word) for feature in spec.features for word in feature.vocabulary}
    # The name of a component that was left out ends in its number.
    names = {name[:end] for name in spec.left_out for end in (None, -1, -2)}
    keys = {feature.key for feature in spec.features} | names
    return words | {(key, None) for key in keys if shown_key(key) != key}


def _rows(
    root: Path, parts: list[Location], tombstones: Tombstones
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Rows of `headers`, batch by batch: those that are erased, and the others."""
    for part in parts:
        file = location.parquet_file(part)
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=_COLUMNS):
                is_erased = pa.array(tombstones.hold(batch))
                yield batch.filter(is_erased), batch.filter(pc.invert(is_erased))


def _held(batch: pa.RecordBatch, wanted: set[Trace]) -> set[Trace]:
    """Those of the wanted traces that the rows have."""
    found = elements.from_batch(batch, sorted({key for key, _ in wanted}))
    pairs = pa.table({"code": found.codes, "value": found.values}).group_by(["code", "value"]).aggregate([])
    seen = {(found.keys[row["code"]], row["value"]) for row in pairs.to_pylist()}
    return wanted & (seen | {(key, None) for key, _ in seen})
