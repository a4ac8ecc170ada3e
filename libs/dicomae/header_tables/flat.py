"""Elements of many rows in one array each, and rows of `HEADER` from them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128

from dicomae import tables
from dicomae.dicom import keys, vr
from dicomae.headers.batch import HEADER

_INT32 = (-(1 << 31), (1 << 31) - 1)
_INTEGER = r"^[+-]?[0-9]{1,10}$"


@dataclass(frozen=True)
class Flat:
    """Elements of a batch's rows, one after the other, and what a row has beside them.

    Attributes
    ----------
    names : the different keys.
    rows : int64 (n_elements,), ascending.
    codes : int64 (n_elements,), the place of an element's key in `names`.
    values : string (n_elements,), null where the element is empty or unreadable.
    vrs : string (n_elements,), null where the VR is the dictionary's; None where all are.
    errors : string (n_elements,), null where the element is readable; None where all are.
    uids, syntaxes : string (n_rows,), of the instance and of its transfer syntax.
    has_pixels : bool (n_rows,), whether pixel data is an element.
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
    """Rows of `HEADER`; SOPInstanceUID is null where a row has none."""
    n_rows = len(flat.uids)
    words = pa.array(flat.names, pa.string()).take(pa.array(flat.codes))
    first = np.searchsorted(flat.rows, np.arange(n_rows + 1)).astype(np.int32)
    window = [_is_filled(_lookup(flat, key)) for key in ("WindowCenter", "WindowWidth")]
    columns = {
        **{key: _promoted(flat, key) for key in tables.PROMOTED_TEXT},
        **{key: _integer(_lookup(flat, key)) for key in tables.PROMOTED_INTEGER},
        "SOPInstanceUID": flat.uids,
        "TransferSyntaxUID": flat.syntaxes,
        "has_window": pa.array(window[0] & window[1]),
        "content_hash": pa.array(_digests(words, flat.values, first), pa.string()),
        "elements": pa.MapArray.from_arrays(pa.array(first), words, flat.values),
        "vrs": _map(flat.vrs, words, flat.rows, n_rows),
        "element_errors": _map(flat.errors, words, flat.rows, n_rows),
    }
    pixels = flat.has_pixels | _is_filled(columns["PhotometricInterpretation"])
    columns["has_pixel_data"] = pa.array(pixels)
    return pa.RecordBatch.from_arrays([columns[name] for name in HEADER.names], schema=HEADER)


def _lookup(flat: Flat, key: str, array: pa.Array | None = None) -> pa.StringArray:
    """Value of a key in each row; null where it is absent, empty or unreadable."""
    array = flat.values if array is None else array
    if key not in flat.names:
        return pa.nulls(len(flat.uids), pa.string())
    found = np.flatnonzero(flat.codes == flat.names.index(key))
    at = np.full(len(flat.uids), -1, np.int64)
    at[flat.rows[found]] = found
    return array.take(pa.array(at, mask=at < 0))


def _promoted(flat: Flat, key: str) -> pa.StringArray:
    """Only where the VR is one of text: `[64 bytes]` is no identifier."""
    texts = _lookup(flat, key)
    if flat.vrs is None:
        return texts
    names = pc.fill_null(_lookup(flat, key, flat.vrs), keys.standard_vr(key))
    return pc.if_else(pc.is_in(names, pa.array(sorted(vr.TEXTUAL))), texts, pa.scalar(None, pa.string()))


def _integer(texts: pa.StringArray) -> pa.Int32Array:
    """The one int32 that a text is; null where it is anything else."""
    is_integer = pc.match_substring_regex(texts, _INTEGER)
    bare = pc.utf8_ltrim(pc.if_else(is_integer, texts, pa.scalar(None, pa.string())), "+")
    numbers = bare.cast(pa.int64())
    fits = pc.and_(pc.greater_equal(numbers, _INT32[0]), pc.less_equal(numbers, _INT32[1]))
    return pc.if_else(fits, numbers, pa.scalar(None, pa.int64())).cast(pa.int32())


def _is_filled(texts: pa.StringArray) -> npt.NDArray[np.bool_]:
    return np.array(texts.is_valid().to_numpy(zero_copy_only=False))


def _map(
    texts: pa.StringArray | None, words: pa.StringArray, rows: npt.NDArray[np.int64], n_rows: int
) -> pa.MapArray:
    """Map of the elements that have a text."""
    if texts is None:
        texts, rows = pa.nulls(0, pa.string()), rows[:0]
    filled = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
    offsets = np.searchsorted(rows[filled], np.arange(n_rows + 1)).astype(np.int32)
    which = pa.array(filled)
    return pa.MapArray.from_arrays(pa.array(offsets), words.take(which), texts.take(which))


def _digests(words: pa.StringArray, values: pa.StringArray, first: npt.NDArray[np.int32]) -> list[str]:
    """Of each row: the lengths of its keys and texts, then the keys, then the texts; null is nothing."""
    key_at, key_bytes = _text_buffers(words)
    value_at, value_bytes = _text_buffers(values)
    lengths = np.stack([np.diff(key_at), np.diff(value_at)], axis=1)
    sizes = lengths.astype(np.int32).tobytes()
    starts, ends = first[:-1], first[1:]
    found = []
    for bounds in zip(
        (starts * 8).tolist(), (ends * 8).tolist(), key_at[starts].tolist(), key_at[ends].tolist(),
        value_at[starts].tolist(), value_at[ends].tolist(), strict=True,
    ):  # fmt: skip
        digest = xxh3_128(sizes[bounds[0] : bounds[1]])
        digest.update(key_bytes[bounds[2] : bounds[3]])
        digest.update(value_bytes[bounds[4] : bounds[5]])
        found.append(digest.hexdigest())
    return found


def _text_buffers(texts: pa.StringArray) -> tuple[npt.NDArray[np.int32], memoryview]:
    """Offsets and bytes of texts."""
    _, offsets, data = texts.buffers()
    if offsets is None or not len(texts):
        return np.zeros(len(texts) + 1, np.int32), memoryview(b"")
    at = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return at, memoryview(data) if data is not None else memoryview(b"")
