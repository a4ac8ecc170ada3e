"""The elements of many rows as flat arrays, and rows of `HEADER` from them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128

from dicomae.dicom import vr
from dicomae.header_tables.column_values import is_given
from dicomae.headers import keybook, promote
from dicomae.headers.batch import HEADER

_COLUMN = {key: column for column, key in enumerate(keybook.PROMOTED)}


@dataclass(frozen=True)
class Flat:
    """The elements of all rows of a batch, one after the other, and what each row has beside them.

    Attributes
    ----------
    names : the different keys.
    rows : int64 (n_elements,), the row of each element, ascending.
    codes : int64 (n_elements,), the position of each element's key in `names`.
    values : string (n_elements,), null when the element is empty or unreadable.
    vrs : string (n_elements,), null when the VR is the dictionary's; None when all are.
    errors : string (n_elements,), null when the element is readable; None when all are.
    uids, syntaxes : string (n_rows,), UID of the instance and of its transfer syntax.
    has_pixels : bool (n_rows,), whether the row has pixel data.
    """

    names: list[str]
    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    values: pa.StringArray
    vrs: pa.StringArray | None
    errors: pa.StringArray | None
    uids: pa.StringArray
    syntaxes: pa.StringArray
    has_pixels: npt.NDArray[np.bool_]


def headers(flat: Flat) -> pa.RecordBatch:
    """Rows of `HEADER`; SOPInstanceUID is null when a row has none."""
    n_rows = len(flat.uids)
    keys = pa.array(flat.names, pa.string()).take(pa.array(flat.codes))
    first = np.searchsorted(flat.rows, np.arange(n_rows + 1)).astype(np.int32)
    columns = {
        **promote.columns(flat.values, _places(flat)),
        "SOPInstanceUID": flat.uids,
        "TransferSyntaxUID": flat.syntaxes,
        "content_hash": pa.array(_digests(keys, flat.values, first), pa.string()),
        "elements": pa.MapArray.from_arrays(pa.array(first), keys, flat.values),
        "vrs": _map(flat.vrs, keys, first),
        "element_errors": _map(flat.errors, keys, first),
    }
    columns["has_pixel_data"] = pa.array(flat.has_pixels | is_given(columns["PhotometricInterpretation"]))
    return pa.RecordBatch.from_arrays([columns[name] for name in HEADER.names], schema=HEADER)


def _places(flat: Flat) -> npt.NDArray[np.int64]:
    """`(n_rows, n_promoted)`: the places of the elements to promote, as `promote.columns` takes them."""
    columns = np.array([_COLUMN.get(name, -1) for name in flat.names], np.int64)[flat.codes]
    if flat.vrs is not None:
        is_text = pc.is_in(flat.vrs, pa.array([None, *sorted(vr.TEXTUAL)], pa.string()))
        columns[(columns < len(keybook.TEXTS)) & ~np.asarray(is_text)] = -1
    found = np.flatnonzero(columns >= 0)
    places = np.full((len(flat.uids), len(keybook.PROMOTED)), -1, np.int64)
    places[flat.rows[found], columns[found]] = found
    return places


def _map(texts: pa.StringArray | None, keys: pa.StringArray, first: npt.NDArray[np.int32]) -> pa.MapArray:
    """A map for each row, of those elements that have one of these texts."""
    places = np.zeros(0, np.int64) if texts is None else np.flatnonzero(is_given(texts))
    given = pa.nulls(0, pa.string()) if texts is None else texts.take(pa.array(places))
    return promote.map_of(keys, first, places, given)


def _digests(keys: pa.StringArray, values: pa.StringArray, first: npt.NDArray[np.int32]) -> list[str]:
    """Hash of each row: the lengths of its keys and texts, then the keys, then the texts; null is like ""."""
    key_at, key_bytes = promote.text_buffers(keys)
    value_at, value_bytes = promote.text_buffers(values)
    lengths = np.stack([np.diff(key_at), np.diff(value_at)], axis=1)
    sizes = lengths.astype(np.int32).tobytes()
    starts, ends = first[:-1], first[1:]
    found = []
    for bounds in zip(
        (starts * 8).tolist(), (ends * 8).tolist(), key_at[starts].tolist(), key_at[ends].tolist(),
        value_at[starts].tolist(), value_at[ends].tolist(), strict=True,
    ):  # fmt: skip
        digest = xxh3_128(sizes[bounds[0] : bounds[1]])
        digest.update(key_bytes.data[bounds[2] : bounds[3]])
        digest.update(value_bytes.data[bounds[4] : bounds[5]])
        found.append(digest.hexdigest())
    return found
