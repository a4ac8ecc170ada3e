"""A batch of headers as flat arrays, one entry per element: (row, key, value)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dicomae.features import modality
from dicomae.features.values import is_read

BODY_PART = "BodyPartExamined"  # its value comes from the repaired column `body_part`


# The columns of the table `headers` that a header batch for features has.
COLUMNS = ("SOPInstanceUID", "Modality", "body_part", "elements", "vrs")


@dataclass(frozen=True)
class Elements:
    """Elements of a batch, in no promised order.

    Attributes
    ----------
    rows : int64 (n,), the batch's row of each element.
    codes : int64 (n,), place of each element's key in `keys`.
    values : string array (n,); null when the element is present but empty.
    keys : the different keys.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from dicomae.features.elements import Elements
    >>> found = Elements(
    ...     np.array([0, 0, 1]), np.array([1, 0, 1]), pa.array(["120", "512", None]), ["Rows", "KVP"]
    ... )
    >>> [found.keys[code] for code in found.codes]
    ['KVP', 'Rows', 'KVP']
    """

    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    values: pa.Array
    keys: list[str]


def from_batch(batch: pa.RecordBatch, wanted: list[str] | None = None) -> Elements:
    """Elements of a header batch; with `wanted`, those of these keys alone.

    The value of BodyPartExamined is the repaired one, from the column `body_part`. Modality is normalised.

    Parameters
    ----------
    batch : columns `body_part: string` and `elements: map<string, string>`; others are ignored.
    wanted : distinct keys; the result's `keys` are these, in this order.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.elements import from_batch
    >>> from dicomae.tables import TEXTS
    >>> batch = pa.record_batch({
    ...     "body_part": pa.array(["HEAD", None]),
    ...     "elements": pa.array([{"BodyPartExamined": "KOPF"}, {"KVP": None, "Rows": "512"}], TEXTS),
    ... })
    >>> found = from_batch(batch, ["Rows", "BodyPartExamined"])
    >>> found.rows.tolist(), found.codes.tolist(), found.values.to_pylist()
    ([1, 0], [0, 1], ['512', 'HEAD'])
    """
    rows, keys, values = from_map(batch.column("elements"))
    codes, names = _codes(keys, wanted)
    if BODY_PART not in names and wanted is None:
        names.append(BODY_PART)
    body_part = names.index(BODY_PART) if BODY_PART in names else -1
    kept = np.flatnonzero((codes >= 0) & (codes != body_part))
    rows, codes, values = rows[kept], codes[kept], values.take(pa.array(kept))
    if modality.KEYWORD in names:
        is_modality = (codes == names.index(modality.KEYWORD)) & is_read(values)
        values = pc.if_else(pa.array(is_modality), modality.normalised(values), values)
    if body_part >= 0:
        repaired = batch.column("body_part").cast(pa.string())
        known = np.flatnonzero(pc.is_valid(repaired).to_numpy(zero_copy_only=False))
        rows = np.concatenate([rows, known])
        codes = np.concatenate([codes, np.full(len(known), body_part)])
        values = pa.concat_arrays([values, repaired.drop_null()])
    return Elements(rows, codes, values, names)


def from_map(column: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array, pa.Array]:
    """Row, key and value of every entry of a `map<string, string>` column; a null map has no entry.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.elements import from_map
    >>> from dicomae.tables import TEXTS
    >>> rows, keys, values = from_map(pa.array([{"KVP": "120", "Rows": "512"}, None, {"KVP": "80"}], TEXTS))
    >>> rows.tolist(), keys.to_pylist(), values.to_pylist()
    ([0, 0, 2], ['KVP', 'Rows', 'KVP'], ['120', '512', '80'])
    """
    column = column.cast(pa.map_(pa.string(), pa.string()))
    offsets = column.offsets.to_numpy().astype(np.int64)
    first, last = (int(offsets[0]), int(offsets[-1])) if len(column) else (0, 0)
    rows = np.repeat(np.arange(len(column)), np.diff(offsets)) if len(column) else np.empty(0, np.int64)
    keys = column.keys.slice(first, last - first)
    values = column.items.slice(first, last - first)
    if column.null_count:
        # A null map may still own entries of the children: Arrow's columnar format allows it.
        valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
        kept = np.flatnonzero(valid[rows])
        rows, keys, values = rows[kept], keys.take(pa.array(kept)), values.take(pa.array(kept))
    return rows, keys, values


def _codes(keys: pa.Array, wanted: list[str] | None) -> tuple[npt.NDArray[np.int64], list[str]]:
    if wanted is None:
        encoded = keys.dictionary_encode()
        return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()
    found = pc.index_in(keys, value_set=pa.array(wanted, pa.string()))
    return found.fill_null(-1).to_numpy().astype(np.int64), list(wanted)
