r"""An Arrow column to the texts of one element, as `elements` holds them: whole arrays, no loop over rows.

null: the element is absent      "", or padding alone: the element is present but empty
lists: values joined by `\`; an empty list is absent, since BigQuery has no null list
integers: decimal      floats: the shortest decimal that is the same number; 40.0 is `40`, in FL and FD `40.0`
dates, times, timestamps: DA, TM, DT      structs: person names, or `[sequence]`
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dicomae.dicom import vr
from dicomae.header_tables import column_values
from dicomae.header_tables.column_values import UnsuitableType, is_given

__all__ = ["Texts", "UnsuitableType", "texts_of"]

UNDECODABLE, NOT_TEXT, NO_BYTES = "undecodable", "not_text", "no_bytes"

_BACKSLASH = "\\"
_NULL = pa.scalar(None, pa.string())
# Dates and times as databases write them in text; replacements by RE2.
_ISO = {
    "DA": (r"^(\d{4})-(\d{2})-(\d{2})$", r"\1\2\3"),
    "TM": (r"^(\d{2}):(\d{2}):(\d{2}(?:\.\d{1,6})?)$", r"\1\2\3"),
}


@dataclass(frozen=True)
class Texts:
    """Texts of an element in the rows of a batch.

    Attributes
    ----------
    present : bool (n,), whether the row has the element.
    values : string (n,), null when the element is absent, empty or unreadable.
    errors : string (n,), the reason when the element is unreadable, else null; None when all are readable.
    """

    present: npt.NDArray[np.bool_]
    values: pa.StringArray
    errors: pa.StringArray | None


def texts_of(column: pa.Array, name: str) -> Texts:
    """Texts of a column that holds an element of VR `name`.

    Raises
    ------
    UnsuitableType
        The column has a type that no value of that VR has.
    """
    if name == "SQ":
        return _readable(_sequences(column))
    if name in vr.BULK:
        return _bulk(column)
    texts, bad = _lists(column, name) if _is_list(column.type) else _scalars(column, name)
    present = is_given(texts) | bad
    texts = _stripped(texts, name)
    errors = _where(bad, UNDECODABLE)
    if name in ("DS", "IS"):
        errors = pc.coalesce(errors, _where(~_is_plain(texts), NOT_TEXT))
    return _with_errors(present, texts, errors)


def _is_plain(texts: pa.StringArray) -> npt.NDArray[np.bool_]:
    """`(n,)`: whether a text is printable ASCII, as a number is; true for an empty text and for null."""
    printable = pc.or_(pc.utf8_is_printable(texts), pc.equal(texts, ""))
    plain = pc.fill_null(pc.and_(printable, pc.string_is_ascii(texts)), True)
    return np.array(plain.to_numpy(zero_copy_only=False))


def _where(rows: npt.NDArray[np.bool_], text: str) -> pa.StringArray:
    return pc.if_else(pa.array(rows), text, _NULL) if rows.any() else pa.nulls(len(rows), pa.string())


def _readable(texts: pa.StringArray) -> Texts:
    return _with_errors(is_given(texts), texts, pa.nulls(len(texts), pa.string()))


def _with_errors(present: npt.NDArray[np.bool_], texts: pa.StringArray, errors: pa.StringArray) -> Texts:
    values = pc.if_else(pc.and_(pc.not_equal(texts, ""), errors.is_null()), texts, _NULL)
    return Texts(present, values, errors if errors.null_count < len(errors) else None)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _sequences(column: pa.Array) -> pa.StringArray:
    """`[sequence]` when there is an item, else null: an empty list may mean that the element is absent."""
    if _is_list(column.type):
        filled = pc.greater(pc.list_value_length(column), 0)
        return pc.if_else(pc.fill_null(filled, False), vr.SEQUENCE_TEXT, _NULL)
    return pc.if_else(column.is_valid(), vr.SEQUENCE_TEXT, _NULL)


def _bulk(column: pa.Array) -> Texts:
    if not _is_bytes(column.type):
        present = is_given(column)
        return _with_errors(present, pa.nulls(len(column), pa.string()), _where(present, NO_BYTES))
    count = pc.binary_length(column)
    digits = count.cast(pa.string())
    words = pc.binary_join_element_wise("[", digits, " bytes]", "")
    return _readable(pc.if_else(pc.equal(count, 0), "", words))


def _lists(column: pa.Array, name: str) -> tuple[pa.StringArray, npt.NDArray[np.bool_]]:
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    texts, bad = _scalars(pc.list_flatten(column), name)
    values = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pc.fill_null(texts, ""))
    joined = pc.if_else(pa.array(counts > 0), pc.binary_join(values, _BACKSLASH), _NULL)
    rows = np.repeat(np.arange(len(column)), counts)
    return joined, np.bincount(rows[bad], minlength=len(column)) > 0


def _scalars(column: pa.Array, name: str) -> tuple[pa.StringArray, npt.NDArray[np.bool_]]:
    """Texts, null when there is no value; and for each row whether its bytes are no UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_bytes(kind):
        texts, bad = column_values.decoded(column)
        return (pc.replace_substring_regex(texts, *_ISO[name]) if name in _ISO else texts), bad
    return column_values.written(column, name), np.zeros(len(column), np.bool_)


def _stripped(texts: pa.StringArray, name: str) -> pa.StringArray:
    """The texts without the padding that PS3.5 allows for the VR."""
    trim = pc.utf8_trim if name in vr.STRIPPED_LEFT else pc.utf8_rtrim
    if name not in vr.PARAGRAPHS and pc.any(pc.match_substring(texts, _BACKSLASH)).as_py():
        padding = r"[ \x00]*\\[ \x00]*" if name in vr.STRIPPED_LEFT else r"[ \x00]*\\"
        texts = pc.replace_substring_regex(texts, padding, r"\\")
        texts = pc.if_else(pc.equal(pc.utf8_trim(texts, "\\ \0"), ""), "", texts)
    return trim(texts, vr.PADDING)
