"""Promoted columns: those of `HEADER` that repeat an element of each row, such as Modality and Rows.

The elements of all rows lie one after the other. A place is the number of an element among them; -1 is none.
The kernel (`assemble`) and header tables (`header_tables.flat`) both come here. Plain Python (`plain`)
promotes in its own way, since the kernel is compared with it.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dicomae import tables
from dicomae.headers import gather, keybook


def columns(values: pa.StringArray, places: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    """Columns by name: those of `keybook.TEXTS`, those of `tables.PROMOTED_INTEGER`, and `has_window`.

    Parameters
    ----------
    values : string (n_elements,), null where an element is empty or unreadable.
    places : int64 (n_rows, n_promoted), of the elements `keybook.PROMOTED`. A column of text takes any text:
        give -1 for an element whose VR is none of text, since `[64 bytes]` is no identifier.
    """
    flat = places.T.ravel()  # one column after the other, so that one call takes them all
    taken = values.take(pa.array(flat, mask=flat < 0))
    n_texts, n_integers = len(keybook.TEXTS) * len(places), len(tables.PROMOTED_INTEGER) * len(places)
    centre, width = _cut(taken.slice(n_texts + n_integers), keybook.WINDOW).values()
    return {
        **_cut(taken.slice(0, n_texts), keybook.TEXTS),
        **_cut(integers(taken.slice(n_texts, n_integers)), tables.PROMOTED_INTEGER),
        "has_window": pc.and_(centre.is_valid(), width.is_valid()),
    }


def _cut(columns: pa.Array, names: tuple[str, ...]) -> dict[str, pa.Array]:
    """Columns of equal length, by name, from one array that holds them one after the other."""
    n_rows = len(columns) // len(names)
    return {name: columns.slice(i * n_rows, n_rows) for i, name in enumerate(names)}


def integers(texts: pa.StringArray) -> pa.Int32Array:
    r"""The one int32 that each text is, null when it is anything else: `+7` is 7, `7.5` and `7\8` are not."""
    numbers, valid = np.empty(len(texts), np.int32), np.empty(len(texts), np.bool_)
    text_at, text = text_buffers(texts)
    gather.integers(text, text_at, numbers, valid)
    return pa.array(numbers, mask=~valid)


def map_of(
    keys: pa.StringArray, first: npt.NDArray[np.int32], places: npt.NDArray[np.int64], texts: pa.StringArray
) -> pa.MapArray:
    """`(n_rows,)`: a map for each row, with a text for some of its elements, by their keys.

    Parameters
    ----------
    keys : string (n_elements,).
    first : int32 (n_rows + 1,), the place of each row's first element.
    places, texts : int64 and string (n,): which elements, ascending, and the text for each.
    """
    offsets = np.searchsorted(places, first).astype(np.int32)
    return pa.MapArray.from_arrays(pa.array(offsets), keys.take(pa.array(places)), texts)


def text_buffers(texts: pa.StringArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """int32 (n + 1,), where each text begins and the last one ends; uint8, the bytes of all texts."""
    _, offsets, data = texts.buffers()
    if offsets is None or not len(texts):
        return np.zeros(len(texts) + 1, np.int32), np.zeros(0, np.uint8)
    at = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return at, np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
