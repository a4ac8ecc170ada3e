"""Counts of one batch of headers.

Arrow and NumPy count whole arrays. Python code runs once for each unique (key, value), not for each
element.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dicomae.features import elements, tag_count, values
from dicomae.features.modality import normalised
from dicomae.features.tag_count import TagCount

_CODE_STRING = r"^[A-Z0-9_ ]{1,16}$"  # PS3.5, section 6.2: CS
_VR = r"^[A-Z]{2}$"


def counts(
    batch: pa.RecordBatch, modality: npt.NDArray[np.int64], modalities: list[str]
) -> dict[str, TagCount]:
    """Counts of each key of a header batch.

    Parameters
    ----------
    batch : columns `body_part`, `elements` and `vrs`.
    modality : int64 (n_rows,), place of each row's modality in `modalities`; -1 when it has none.
    modalities : the different modalities of the batch, such as `CT`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from dicomae.features.counting import counts
    >>> from dicomae.tables import TEXTS
    >>> batch = pa.record_batch({
    ...     "body_part": pa.array(["HEAD", None]),
    ...     "elements": pa.array([{"KVP": "120"}, {"KVP": None}], TEXTS),
    ...     "vrs": pa.array([{}, {"KVP": "LO"}], TEXTS),
    ... })
    >>> kvp = counts(batch, np.array([0, -1]), ["CT"])["KVP"]
    >>> kvp.present, kvp.filled, kvp.filled_by_modality, kvp.vrs
    (2, 1, {'CT': 1}, {'LO': 1})
    """
    found = elements.from_batch(batch)
    counted = _value_counts(found, modality, modalities)
    for key, vrs in _deviating_vrs(batch.column("vrs")).items():
        # A VR without its element stays, else the result would depend on the cut; `finish` drops it.
        if key != elements.BODY_PART:
            counted[key] = tag_count.merge(counted.get(key, TagCount()), TagCount(vrs=vrs))
    return counted


def modality_of_rows(column: pa.Array) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Place of each row's modality in the list of modalities, int64 (n_rows,), and that list.

    The place is -1 when the modality is null, or breaks the rules of its VR also when it is normalised.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.counting import modality_of_rows
    >>> places, modalities = modality_of_rows(pa.array(["MR", "CT", "ct", None, "(M)", "MR"]))
    >>> modalities, places.tolist()
    (['MR', 'CT'], [0, 1, 1, -1, -1, 0])
    """
    plain = normalised(column)
    encoded = pc.if_else(pc.match_substring_regex(plain, _CODE_STRING), plain, None).dictionary_encode()
    return encoded.indices.fill_null(-1).to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _value_counts(
    found: elements.Elements, modality: npt.NDArray[np.int64], modalities: list[str]
) -> dict[str, TagCount]:
    """Counts of each key, all but `vrs`."""
    n_keys = len(found.keys)
    encoded = found.values.dictionary_encode()
    texts = encoded.dictionary
    value = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    filled = np.append(values.is_filled(texts), False)[value]  # null, -1, finds the last: not filled
    read = np.append(values.is_read(texts), False)[value]
    present = np.bincount(found.codes, minlength=n_keys)
    n_filled = np.bincount(found.codes[filled], minlength=n_keys)
    key_of_pair, value_of_pair, n_of_pair = _pairs(found.codes[read], value[read], len(texts))
    starts = np.searchsorted(key_of_pair, np.arange(n_keys + 1))
    n_read = _sums(key_of_pair, n_of_pair, n_keys)
    numbers = _number_counts(texts, key_of_pair, value_of_pair, n_of_pair, n_keys)
    by_modality = _filled_by_modality(found, filled, modality, modalities)
    unique_texts = texts.take(pa.array(value_of_pair)).to_pylist()
    counted = {}
    for code, key in enumerate(found.keys):
        unique = unique_texts[starts[code] : starts[code + 1]]
        if present[code]:
            counted[key] = TagCount(
                present=int(present[code]),
                filled=int(n_filled[code]),
                read=int(n_read[code]),
                filled_by_modality=tag_count.add({}, by_modality.get(code, {})),
                varies=len(unique) > 1,
                sole=tag_count.digest(unique[0]) if len(unique) == 1 else None,
                sketch=tag_count.sketch_of(unique) if unique else b"",
                **{name: column[code].item() for name, column in numbers.items()},
            )
    return counted


def _number_counts(
    texts: pa.Array,
    key_of_pair: npt.NDArray[np.int64],
    value_of_pair: npt.NDArray[np.int64],
    n_of_pair: npt.NDArray[np.int64],
    n_keys: int,
) -> dict[str, npt.NDArray[Any]]:
    """`numeric`, `max_values`, `minimum` and `maximum` of each key; see `TagCount`."""
    parsed = values.parse_numbers(texts)
    numeric = parsed.meant_as_numbers()[value_of_pair]
    lowest, highest = parsed.bounds()
    max_values = np.zeros(n_keys, np.int64)
    minimum, maximum = np.full(n_keys, np.inf), np.full(n_keys, -np.inf)
    np.maximum.at(max_values, key_of_pair, parsed.lengths[value_of_pair])
    np.minimum.at(minimum, key_of_pair, lowest[value_of_pair])
    np.maximum.at(maximum, key_of_pair, highest[value_of_pair])
    return {
        "numeric": _sums(key_of_pair, n_of_pair * numeric, n_keys),
        "max_values": max_values,
        "minimum": minimum,
        "maximum": maximum,
    }


def _filled_by_modality(
    found: elements.Elements,
    filled: npt.NDArray[np.bool_],
    modality: npt.NDArray[np.int64],
    modalities: list[str],
) -> dict[int, dict[str, int]]:
    """Key's code -> modality -> number of filled elements."""
    of_element = modality[found.rows]
    counted = filled & (of_element >= 0)
    keys, codes, counts = _pairs(found.codes[counted], of_element[counted], len(modalities))
    by_key: dict[int, dict[str, int]] = {}
    for key, code, count in zip(keys.tolist(), codes.tolist(), counts.tolist(), strict=True):
        by_key.setdefault(key, {})[modalities[code]] = count
    return by_key


def _deviating_vrs(column: pa.Array) -> dict[str, dict[str, int]]:
    _, keys, vrs = elements.from_map(column)
    counted = pa.table({"key": keys, "vr": vrs}).filter(pc.match_substring_regex(vrs, _VR))
    by_key: dict[str, dict[str, int]] = {}
    for row in counted.group_by(["key", "vr"]).aggregate([([], "count_all")]).to_pylist():
        by_key.setdefault(row["key"], {})[row["vr"]] = row["count_all"]
    return {key: tag_count.add({}, counts) for key, counts in by_key.items()}


def _pairs(
    first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], n_second: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The different pairs, sorted, and how often each occurs."""
    # Arrow's hash table first: it leaves only what differs to be sorted.
    encoded = pa.array(first * max(n_second, 1) + second).dictionary_encode()
    unique = encoded.dictionary.to_numpy()
    counts = np.bincount(encoded.indices.to_numpy(), minlength=len(unique))
    order = np.argsort(unique)
    return unique[order] // max(n_second, 1), unique[order] % max(n_second, 1), counts[order]


def _sums(key: npt.NDArray[np.int64], count: npt.NDArray[np.int64], n_keys: int) -> npt.NDArray[np.int64]:
    total = np.zeros(n_keys, np.int64)
    np.add.at(total, key, count)
    return total
