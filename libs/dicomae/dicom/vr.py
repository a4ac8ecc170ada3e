"""Value representations: the bytes of a value to its text, a table VR → reader."""

import struct
from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from dicomae.dicom import charset

PADDING = " \0"
BULK = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "UN"})
SEQUENCE_TEXT = "[sequence]"
_SEQUENCE_ENDS = (b"\xfe\xff\xdd\xe0", b"\xff\xfe\xe0\xdd")  # (FFFE,E0DD) in both byte orders
# Explicit VRs with two reserved bytes and a 32-bit length (PS3.5, table 7.1-1).
LONG_LENGTH = BULK | {"SQ", "SV", "UC", "UR", "UT", "UV"}


class UnreadableValue(Exception):
    """A value that is not what its VR says; the argument is a reason code, never the value."""


class Context(NamedTuple):
    """What reading a value needs beside its bytes."""

    little_endian: bool
    encodings: tuple[str, ...]  # Python codecs of SpecificCharacterSet


Reader = Callable[[bytes, Context], str]


def text_of(vr: str, value: bytes, context: Context) -> str | None:
    r"""Text of a value as `elements` holds it; several values are joined by `\`.

    Returns
    -------
    str or None
        None where nothing is left once the padding is gone.

    Raises
    ------
    UnreadableValue
        `unknown_vr`; `bad_length`: not a whole number of binary values; `undecodable`: not of the
        character set; `not_text`: control or 8-bit characters in DS or IS.

    References
    ----------
    DICOM PS3.5, section 6.2 and table 6.2-1.
    """
    if not value:
        return None
    reader = READERS.get(vr)
    if reader is None:
        raise UnreadableValue("unknown_vr")
    return reader(value, context) or None


def _decoded(value: bytes, encodings: tuple[str, ...], delimiters: frozenset[int]) -> str:
    try:
        return charset.decode(value, encodings, delimiters)
    except (UnicodeError, LookupError, ValueError, UserWarning):
        raise UnreadableValue("undecodable") from None


def _joined(text: str, strip: Callable[[str], str]) -> str:
    if "\\" not in text:
        return strip(text)
    values = [strip(value) for value in text.split("\\")]
    return "\\".join(values) if any(values) else ""


def _strip(text: str) -> str:
    return text.strip(PADDING)


def _strip_end(text: str) -> str:
    return text.rstrip(PADDING)


def _code(strip: Callable[[str], str]) -> Reader:
    """Values of the default repertoire, whatever the file's character set says."""
    return lambda value, _: _joined(value.decode("latin_1"), strip)


def _text(strip: Callable[[str], str], delimiters: frozenset[int] = charset.IN_VALUES) -> Reader:
    """Values in the file's character set."""
    return lambda value, context: _joined(_decoded(value, context.encodings, delimiters), strip)


def _paragraph(value: bytes, context: Context) -> str:
    """One value, in which a backslash is a character and leading blanks are layout."""
    return _strip_end(_decoded(value, context.encodings, charset.IN_PARAGRAPHS))


def _number_text(value: bytes, _: Context) -> str:
    """DS and IS as written: whether it is a number is for the features to judge."""
    text = _joined(value.decode("latin_1"), _strip)
    if not text.isascii() or not text.isprintable():
        raise UnreadableValue("not_text")
    return text


def _integers(size: int, signed: bool) -> Reader:
    codes = {1: "b", 2: "h", 4: "i", 8: "q"}
    code = codes[size] if signed else codes[size].upper()

    def read(value: bytes, context: Context) -> str:
        order = "<" if context.little_endian else ">"
        numbers = struct.unpack(f"{order}{_count(value, size)}{code}", value)
        return str(numbers[0]) if len(numbers) == 1 else "\\".join(map(str, numbers))

    return read


def _doubles(value: bytes, context: Context) -> str:
    order = "<" if context.little_endian else ">"
    return "\\".join(map(repr, struct.unpack(f"{order}{_count(value, 8)}d", value)))


def _floats(value: bytes, context: Context) -> str:
    """Shortest decimals that are these float32 values again; 0.1 stays 0.1."""
    _count(value, 4)
    numbers = np.frombuffer(value, dtype="<f4" if context.little_endian else ">f4")
    return "\\".join(map(str, numbers))


def _tags(value: bytes, context: Context) -> str:
    order = "<" if context.little_endian else ">"
    halves = struct.unpack(f"{order}{2 * _count(value, 4)}H", value)
    pairs = zip(halves[::2], halves[1::2], strict=True)
    return "\\".join(f"{group:04X}{element:04X}" for group, element in pairs)


def _bulk(value: bytes, _: Context) -> str:
    return bulk_text(len(value))


def _sequence(value: bytes, _: Context) -> str:
    """Nothing where a delimiter stands in the place of the first item."""
    return "" if value[:4] in _SEQUENCE_ENDS else SEQUENCE_TEXT


def bulk_text(n_bytes: int) -> str:
    """What stands for data that is not read."""
    return f"[{n_bytes} bytes]"


def _count(value: bytes, size: int) -> int:
    count, rest = divmod(len(value), size)
    if rest:
        raise UnreadableValue("bad_length")
    return count


READERS: MappingProxyType[str, Reader] = MappingProxyType(
    {
        "AE": _code(_strip),
        "AS": _code(_strip_end),
        "AT": _tags,
        "CS": _code(_strip),
        "DA": _code(_strip_end),
        "DS": _number_text,
        "DT": _code(_strip_end),
        "FD": _doubles,
        "FL": _floats,
        "IS": _number_text,
        "LO": _text(_strip),
        "LT": _paragraph,
        "PN": _text(_strip, charset.IN_NAMES),
        "SH": _text(_strip),
        "SL": _integers(4, signed=True),
        "SQ": _sequence,
        "SS": _integers(2, signed=True),
        "ST": _paragraph,
        "SV": _integers(8, signed=True),
        "TM": _code(_strip_end),
        "UC": _text(_strip_end),
        "UI": _code(_strip),
        "UL": _integers(4, signed=False),
        "UR": lambda value, _: _strip_end(value.decode("latin_1")),
        "US": _integers(2, signed=False),
        "UT": _paragraph,
        "UV": _integers(8, signed=False),
        **dict.fromkeys(BULK, _bulk),
    }
)
# Padding before a value is none of it (PS3.5, table 6.2-1; of UI, pydicom's reading).
STRIPPED_LEFT = frozenset({"AE", "CS", "DS", "IS", "LO", "PN", "SH", "UI"})
PARAGRAPHS = frozenset({"LT", "ST", "UR", "UT"})  # one value, in which a backslash is a character
# VRs whose text is the value as written: what an identifier or a promoted text may come from.
TEXTUAL = frozenset(READERS) - BULK - {"SQ", "AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"}
