"""How each tag is used in a set of headers: what the funnel decides from.

Memory holds one `TagCount` per key, whatever the number of rows. No text is kept: a HyperLogLog sketch
counts the distinct values, a digest tells whether all are the same, numbers leave their bounds.

At most `MAXIMUM_KEYS` keys are kept, so that a hostile archive cannot fill the memory. Standard keywords
are kept before all other keys. `overflow` counts the elements of the keys that are dropped. Which keys
stay depends on the set of keys alone, so that `merge` keeps its laws.
"""

import heapq
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from dicomae import tables
from dicomae.features import counting, tag_count, values
from dicomae.features.tag_count import TagCount

MAXIMUM_KEYS = 100_000
_NOT_A_KEYWORD = re.compile(r"[0-9A-F]{4}(xx[0-9A-F]{2} |[0-9A-F]{4}$)")
_COUNTS = pa.map_(pa.string(), pa.int64())

# How statistics travel: a row per key, and one without a key for the totals.
PARTIAL = pa.schema(
    [
        ("key", pa.string()),
        ("rows", pa.int64()),  # this and the next two: filled in the row without a key alone
        ("rows_by_modality", _COUNTS),
        ("overflow", pa.int64()),
        ("present", pa.int64()),  # this and the following: see TagCount
        ("filled", pa.int64()),
        ("read", pa.int64()),
        ("filled_by_modality", _COUNTS),
        ("varies", pa.bool_()),
        ("sole", pa.binary()),
        ("sketch", pa.binary()),
        ("numeric", pa.int64()),
        ("max_values", pa.int32()),
        ("minimum", pa.float64()),
        ("maximum", pa.float64()),
        ("vrs", _COUNTS),
    ]
)
_TOTALS = ("rows", "rows_by_modality", "overflow")
_PER_KEY = tuple(name for name in PARTIAL.names if name not in ("key", *_TOTALS))
_FINISHED = pa.schema(
    [f for f in tables.TAG_STATISTICS.schema if f.name not in ("scope", "step", "decision", "why", "run_id")]
)


@dataclass(frozen=True)
class TagStatistics:
    """How often each tag is present and filled, and whether it varies (see `finish`).

    Attributes
    ----------
    rows : headers counted.
    rows_by_modality : headers of each modality. A header whose modality is no CS value is in none.
    counts : of each key.
    overflow : elements whose keys were too many to keep.

    Examples
    --------
    >>> from dicomae.features.statistics import TagStatistics
    >>> from dicomae.features.tag_count import TagCount
    >>> found = TagStatistics(rows=10, counts={"KVP": TagCount(present=9, filled=8)})
    >>> found.counts["KVP"].filled / found.rows
    0.8
    """

    rows: int = 0
    rows_by_modality: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, TagCount] = field(default_factory=dict)
    overflow: int = 0


EMPTY = TagStatistics()


def from_batch(batch: pa.RecordBatch) -> TagStatistics:
    """Statistics of a header batch.

    Parameters
    ----------
    batch : columns `Modality: string`, `body_part: string`, `elements: map<string, string>`,
        `vrs: map<string, string>`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.statistics import from_batch
    >>> from dicomae.tables import TEXTS
    >>> batch = pa.record_batch({
    ...     "Modality": pa.array(["CT", "CT", "MR"]),
    ...     "body_part": pa.nulls(3, pa.string()),
    ...     "elements": pa.array([{"KVP": "80"}, {"KVP": "120"}, {}], TEXTS),
    ...     "vrs": pa.array([{}, {}, {}], TEXTS),
    ... })
    >>> found = from_batch(batch)
    >>> kvp = found.counts["KVP"]
    >>> found.rows_by_modality, kvp.varies, kvp.minimum, kvp.maximum
    ({'CT': 2, 'MR': 1}, True, 80.0, 120.0)
    """
    modality, modalities = counting.modality_of_rows(batch.column("Modality"))
    rows = np.bincount(modality[modality >= 0], minlength=len(modalities)).tolist()
    by_modality = tag_count.add({}, dict(zip(modalities, rows, strict=True)))
    return _bounded(TagStatistics(len(batch), by_modality, counting.counts(batch, modality, modalities)))


def merge(a: TagStatistics, b: TagStatistics) -> TagStatistics:
    """Statistics of both together. Associative and commutative; `EMPTY` changes nothing.

    Examples
    --------
    >>> from dicomae.features.statistics import EMPTY, TagStatistics, merge
    >>> from dicomae.features.tag_count import TagCount
    >>> monday = TagStatistics(rows=3, counts={"KVP": TagCount(present=3, filled=2)})
    >>> tuesday = TagStatistics(rows=2, counts={"KVP": TagCount(present=1, filled=1)})
    >>> both = merge(monday, tuesday)
    >>> both.rows, both.counts["KVP"].present, both.counts["KVP"].filled
    (5, 4, 3)
    >>> merge(both, EMPTY) == both
    True
    """
    counts = dict(a.counts)
    for key, count in b.counts.items():
        counts[key] = tag_count.merge(counts[key], count) if key in counts else count
    by_modality = tag_count.add(a.rows_by_modality, b.rows_by_modality)
    return _bounded(TagStatistics(a.rows + b.rows, by_modality, counts, a.overflow + b.overflow))


def to_arrow(statistics: TagStatistics) -> pa.RecordBatch:
    """The statistics as rows of `PARTIAL`: one row per key, and one without a key for the totals.

    Examples
    --------
    >>> from dicomae.features.statistics import TagStatistics, to_arrow
    >>> from dicomae.features.tag_count import TagCount
    >>> rows = to_arrow(TagStatistics(rows=3, counts={"KVP": TagCount(present=2)}))
    >>> rows["key"].to_pylist(), rows["rows"].to_pylist(), rows["present"].to_pylist()
    ([None, 'KVP'], [3, None], [None, 2])
    """
    totals = {name: getattr(statistics, name) for name in _TOTALS}
    per_key = [
        {"key": key} | {name: getattr(count, name) for name in _PER_KEY}
        for key, count in statistics.counts.items()
    ]
    return pa.RecordBatch.from_pylist([totals, *per_key], schema=PARTIAL)


def from_arrow(batch: pa.RecordBatch) -> TagStatistics:
    """Statistics from rows of `PARTIAL`, wherever Spark cut or joined their batches.

    The rows may be all of one `to_arrow`, some of them, or those of several. Once all are merged, the
    result is the same.

    Examples
    --------
    >>> from dicomae.features.statistics import TagStatistics, from_arrow, merge, to_arrow
    >>> from dicomae.features.tag_count import TagCount
    >>> found = TagStatistics(rows=3, counts={"KVP": TagCount(present=2), "Rows": TagCount(present=3)})
    >>> rows = to_arrow(found)
    >>> merge(from_arrow(rows.slice(2)), from_arrow(rows.slice(0, 2))) == found
    True
    """
    total = EMPTY
    counts: dict[str, TagCount] = {}
    for row in batch.to_pylist(maps_as_pydicts="strict"):
        key = row["key"]
        if key is None:
            total = merge(total, TagStatistics(**{name: row[name] for name in _TOTALS}))
            continue
        count = TagCount(**{name: row[name] for name in _PER_KEY})
        counts[key] = tag_count.merge(counts[key], count) if key in counts else count
    return merge(total, TagStatistics(counts=counts))


def finish(statistics: TagStatistics, standard_vr: Callable[[str], str | None]) -> pa.Table:
    """Columns `key` to `maximum` of `tables.TAG_STATISTICS`, sorted by key.

    Parameters
    ----------
    standard_vr : gives the dictionary's VR of a key, or None when the dictionary has none.

    Notes
    -----
    `numeric_share` is null when no value was read. `vr` is null when it is unknown. `minimum` and
    `maximum` are null when there is no number, and when the VR is not numeric. `fill_by_modality` leaves
    out modalities that never fill the tag.

    Examples
    --------
    >>> from dicomae.features.statistics import TagStatistics, finish
    >>> from dicomae.features.tag_count import TagCount
    >>> kvp = TagCount(present=3, filled=2, read=2, numeric=1, max_values=1, minimum=80.0, maximum=80.0)
    >>> table = finish(TagStatistics(rows=4, counts={"KVP": kvp}), {"KVP": "DS"}.get)
    >>> table.select(["vr", "fill", "numeric_share", "maximum"]).to_pylist()
    [{'vr': 'DS', 'fill': 0.5, 'numeric_share': 0.5, 'maximum': 80.0}]
    """
    rows = [
        _finished_row(statistics, key, count, standard_vr(key))
        for key, count in sorted(statistics.counts.items())
        if count.present
    ]
    return pa.Table.from_pylist(rows, schema=_FINISHED)


def as_rows(finished: pa.Table, scope: str, run_id: str) -> pa.Table:
    """Rows of `tag_statistics`; what the funnel adds is null when it was not asked, as for all of an archive.

    Parameters
    ----------
    finished : from `finish`, or from `funnel.decide`.
    scope : archive or sample.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.statistics import as_rows
    >>> (row,) = as_rows(pa.table({"key": ["KVP"], "rows": [3]}), "archive", "a-run").to_pylist()
    >>> row["scope"], row["key"], row["rows"], row["decision"], row["run_id"]
    ('archive', 'KVP', 3, None, 'a-run')
    """
    added = {"scope": scope, "run_id": run_id}
    arrays = [
        finished[field.name]
        if field.name in finished.column_names
        else pa.array([added.get(field.name)] * len(finished), field.type)
        for field in tables.TAG_STATISTICS.schema
    ]
    return pa.Table.from_arrays(arrays, schema=tables.TAG_STATISTICS.schema)


def _finished_row(
    statistics: TagStatistics, key: str, count: TagCount, standard: str | None
) -> dict[str, Any]:
    by_modality = statistics.rows_by_modality
    vr = _most_frequent_vr(count, standard)
    # Bounds of a birth date or an identifier of digits would show a patient's value.
    bounded = vr in values.NUMERIC_VRS and math.isfinite(count.minimum)
    return {
        "key": key,
        "vr": vr,
        "rows": statistics.rows,
        "present": count.present,
        "filled": count.filled,
        "fill": count.filled / statistics.rows,
        "fill_by_modality": {
            name: filled / by_modality[name]
            for name, filled in sorted(count.filled_by_modality.items())
            if name in by_modality
        },
        "varies": count.varies,
        "distinct_hll": tag_count.distinct(count.sketch),
        "numeric_share": count.numeric / count.read if count.read else None,
        "max_values": count.max_values,
        "minimum": count.minimum if bounded else None,
        "maximum": count.maximum if bounded else None,
    }


def _most_frequent_vr(count: TagCount, standard: str | None) -> str | None:
    candidates = dict(count.vrs)
    if standard is not None:
        candidates[standard] = candidates.get(standard, 0) + count.present - sum(count.vrs.values())
    return min(candidates, key=lambda vr: (-candidates[vr], vr != standard, vr), default=None)


def _bounded(statistics: TagStatistics) -> TagStatistics:
    counts = statistics.counts
    if len(counts) <= MAXIMUM_KEYS:
        return statistics
    kept = heapq.nsmallest(MAXIMUM_KEYS, counts, key=lambda key: (bool(_NOT_A_KEYWORD.match(key)), key))
    lost = sum(c.present for c in counts.values()) - sum(counts[key].present for key in kept)
    return replace(statistics, counts={key: counts[key] for key in kept}, overflow=statistics.overflow + lost)
