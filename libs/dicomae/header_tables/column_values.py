"""Values of Arrow's types to DICOM's texts: numbers, dates and times, person names.

References
----------
DICOM PS3.5, section 6.2 (DA, TM, DT, PN); PS3.18, F.2.2 (the parts of a person name).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dicomae.dicom import vr
from dicomae.headers import decimals

NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")

BINARY_FLOATS = frozenset({"FL", "FD"})

WHOLE = 2.0**53  # up to here a double holds every integer


class UnsuitableType(Exception):
    """The Arrow type holds no value of the VR; the message names types that do."""


def written(column: pa.Array, name: str) -> pa.StringArray:
    """Texts of values that are not text, for an element of VR `name`; null when there is no value.

    Raises
    ------
    UnsuitableType
        The column has a type that no value of that VR has.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if name != "AT" and (pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        if name in BINARY_FLOATS:
            return _floats(column.cast(pa.float64(), safe=False), name)
        return column.cast(pa.string()) if pa.types.is_integer(kind) else _decimals(column)
    if name != "AT" and pa.types.is_floating(kind):
        return _floats(column, name)
    if pa.types.is_date(kind) and name in ("DA", "DT"):
        return _dates(column)
    if pa.types.is_time(kind) and name == "TM":
        return _times(column)
    if pa.types.is_timestamp(kind) and (name == "DT" or (name in ("DA", "TM") and kind.tz is None)):
        return _timestamps(column, name)
    if pa.types.is_struct(kind) and name == "PN":
        return _names(column)
    allowed = ["text", "bytes of UTF-8"] if name in vr.TEXTUAL or name == "AT" else []
    allowed += ["integers", "floats", "decimals"] if name != "AT" else []
    allowed += {"DA": ["dates"], "TM": ["times"], "DT": ["dates", "timestamps"]}.get(name, [])
    allowed += ["timestamps without time zone"] if name in ("DA", "TM") else []
    allowed += ["structs of " + ", ".join(NAME_GROUPS)] if name == "PN" else []
    raise UnsuitableType(
        f"is {kind}, which holds no {name}; allowed are {', '.join(allowed)}, and lists of these"
    )


def _floats(column: pa.Array, name: str) -> pa.StringArray:
    """NaN is a value in FL and FD alone. In another VR it is null, since pandas writes null so."""
    if name == "FL" or pa.types.is_float16(column.type):
        column = column.cast(pa.float32(), safe=False)
    values, given = column.to_numpy(zero_copy_only=False), is_given(column)
    if name in BINARY_FLOATS:
        return _shortest(values, given)
    given &= ~np.isnan(values)
    whole = given & (np.abs(values) < WHOLE) & (values == np.trunc(values))
    integers = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.string())
    return pc.if_else(pa.array(whole), integers, _shortest(values, given))


def _shortest(values: npt.NDArray[Any], given: npt.NDArray[np.bool_]) -> pa.StringArray:
    size = values.dtype.itemsize
    start = np.arange(len(values), dtype=np.int64) * size
    texts, at = np.empty(len(values) * decimals.LONGEST, np.uint8), np.zeros(len(values) + 1, np.int64)
    raw = np.ascontiguousarray(values).view(np.uint8)
    sizes, is_big = np.full(len(values), size), np.zeros(len(values), np.bool_)
    decimals.write(raw, start, start + size, sizes, is_big, decimals.POWERS, texts, at)
    made = pa.LargeStringArray.from_buffers(len(values), pa.py_buffer(at), pa.py_buffer(texts))
    return pc.if_else(pa.array(given), made.cast(pa.string()), pa.scalar(None, pa.string()))


def _decimals(column: pa.Array) -> pa.StringArray:
    """Decimals without the zeros that the column's scale adds: 1.500 is `1.5`."""
    texts = column.cast(pa.string())
    texts = pc.replace_substring_regex(texts, r"^-?0E[-+]\d+$", "0")
    texts = pc.replace_substring_regex(texts, r"^(-?\d+\.\d*?)0+$", r"\1")
    return pc.replace_substring_regex(texts, r"\.$", "")


def _padded(numbers: pa.Array, width: int) -> pa.StringArray:
    return pc.utf8_lpad(numbers.cast(pa.string()), width, "0")


def _dates(column: pa.Array) -> pa.StringArray:
    days = column.cast(pa.date32(), safe=False)
    year, month, day = pc.year(days), pc.month(days), pc.day(days)
    return _padded(pc.add(pc.add(pc.multiply(year, 10000), pc.multiply(month, 100)), day), 8)


def _times(column: pa.Array) -> pa.StringArray:
    """HHMMSS, with six decimals when there is a fraction: 235959.500000."""
    micros = pc.divide(column.cast(pa.time64("ns")).cast(pa.int64()), 1000)
    seconds = pc.divide(micros, 1_000_000)
    hours, minutes = pc.divide(seconds, 3600), pc.divide(seconds, 60)
    minute = pc.subtract(minutes, pc.multiply(hours, 60))
    second = pc.subtract(seconds, pc.multiply(minutes, 60))
    whole = _padded(pc.add(pc.add(pc.multiply(hours, 10000), pc.multiply(minute, 100)), second), 6)
    rest = pc.subtract(micros, pc.multiply(seconds, 1_000_000))
    fraction = pc.if_else(pc.equal(rest, 0), "", pc.binary_join_element_wise(".", _padded(rest, 6), ""))
    return pc.binary_join_element_wise(whole, fraction, "")


def _timestamps(column: pa.Array, name: str) -> pa.StringArray:
    """DT, DA or TM; a DT of a column with a time zone is in UTC and ends with +0000."""
    zone = column.type.tz
    micros = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    moments = micros.cast(pa.timestamp("us"))
    day, time = _dates(moments.cast(pa.date32(), safe=False)), _times(moments.cast(pa.time64("us")))
    if name == "DT":
        return pc.binary_join_element_wise(day, time, "+0000" if zone else "", "")
    return day if name == "DA" else time


def _names(column: pa.Array) -> pa.StringArray:
    if {field.name for field in column.type} - set(NAME_GROUPS):
        allowed = ", ".join(NAME_GROUPS)
        raise UnsuitableType(f"is {column.type}, which is no person name; allowed fields are {allowed}")
    return pc.if_else(column.is_valid(), _fields(column, NAME_GROUPS, "="), pa.scalar(None, pa.string()))


def _fields(column: pa.Array, names: tuple[str, ...], separator: str) -> pa.StringArray:
    """Fields of structs in this order: Doe^Jane, without separators at the end."""
    parts = [_field(column, name) if column.type.get_field_index(name) >= 0 else "" for name in names]
    return pc.utf8_rtrim(pc.binary_join_element_wise(*parts, separator), separator)


def _field(column: pa.Array, name: str) -> pa.StringArray:
    field = pc.struct_field(column, name)
    if pa.types.is_struct(field.type):
        return _fields(field, NAME_PARTS, "^")
    if pa.types.is_nested(field.type):
        raise UnsuitableType(f"has a field '{name}' of {field.type}, which is no part of a person name")
    return pc.fill_null(decoded(field)[0], "")


def decoded(column: pa.Array) -> tuple[pa.StringArray, npt.NDArray[np.bool_]]:
    """Texts of text or bytes, null when they are no UTF-8; and for each row whether they are none."""
    try:
        texts = column.cast(pa.string())
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return _decoded_one_by_one(column)
    return texts, np.zeros(len(column), np.bool_)


def _decoded_one_by_one(column: pa.Array) -> tuple[pa.StringArray, npt.NDArray[np.bool_]]:
    texts: list[str | None] = []
    for value in column.cast(pa.large_binary()).to_pylist():
        try:
            texts.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            texts.append(None)
    read = pa.array(texts, pa.string())
    return read, is_given(column) & ~is_given(read)


def is_given(array: pa.Array) -> npt.NDArray[np.bool_]:
    """`(n,)`: whether a value is not null."""
    return np.array(array.is_valid().to_numpy(zero_copy_only=False))
