"""Value representations: a table VR → reader, and a reader makes text from the bytes of a value."""

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


class ValueEncoding(NamedTuple):
    """How the bytes of a value are to be read: their order, and the character set of texts."""

    little_endian: bool
    codecs: tuple[str, ...]  # Python codecs of SpecificCharacterSet, such as ("latin_1",)


Reader = Callable[[bytes, ValueEncoding], str]


def text_of(vr: str, value: bytes, encoding: ValueEncoding) -> str | None:
    r"""Text of a value as `elements` holds it; several values are joined by `\`.

    Returns
    -------
    str or None
        None when nothing is left without the padding.

    Raises
    ------
    UnreadableValue
        `unknown_vr`: no such VR. `bad_length`: the bytes are no whole number of binary values.
        `undecodable`: they are no text of the character set. `not_text`: a DS or IS holds control or
        8-bit characters.

    References
    ----------
    DICOM PS3.5, section 6.2 and table 6.2-1.

    Examples
    --------
    >>> from dicomae.dicom.vr import ValueEncoding, text_of
    >>> encoding = ValueEncoding(little_endian=True, codecs=("latin_1",))
    >>> print(text_of("DS", rb"0.5 \0.70 ", encoding))
    0.5\0.70
    >>> text_of("US", bytes([0, 2]), encoding), text_of("OW", bytes(12), encoding)
    ('512', '[12 bytes]')
    >>> text_of("US", bytes([0]), encoding)
    Traceback (most recent call last):
    ...
    dicomae.dicom.vr.UnreadableValue: bad_length
    """
    if not value:
        return None
    reader = READERS.get(vr)
    if reader is None:
        raise UnreadableValue("unknown_vr")
    return reader(value, encoding) or None


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
    return lambda value, encoding: _joined(_decoded(value, encoding.codecs, delimiters), strip)


def _paragraph(value: bytes, encoding: ValueEncoding) -> str:
    """One value, in which a backslash is a character and leading blanks are layout."""
    return _strip_end(_decoded(value, encoding.codecs, charset.IN_PARAGRAPHS))


def _number_text(value: bytes, _: ValueEncoding) -> str:
    """DS and IS as written; the features decide later whether that is a number."""
    text = _joined(value.decode("latin_1"), _strip)
    if not text.isascii() or not text.isprintable():
        raise UnreadableValue("not_text")
    return text


def _integers(size: int, signed: bool) -> Reader:
    codes = {1: "b", 2: "h", 4: "i", 8: "q"}
    code = codes[size] if signed else codes[size].upper()

    def read(value: bytes, encoding: ValueEncoding) -> str:
        order = "<" if encoding.little_endian else ">"
        numbers = struct.unpack(f"{order}{_count(value, size)}{code}", value)
        return str(numbers[0]) if len(numbers) == 1 else "\\".join(map(str, numbers))

    return read


def _doubles(value: bytes, encoding: ValueEncoding) -> str:
    order = "<" if encoding.little_endian else ">"
    return "\\".join(map(repr, struct.unpack(f"{order}{_count(value, 8)}d", value)))


def _floats(value: bytes, encoding: ValueEncoding) -> str:
    """Shortest decimals that give these float32 values again: the one nearest to 0.1 is `0.1`."""
    _count(value, 4)
    numbers = np.frombuffer(value, dtype="<f4" if encoding.little_endian else ">f4")
    return "\\".join(map(str, numbers))


def _tags(value: bytes, encoding: ValueEncoding) -> str:
    order = "<" if encoding.little_endian else ">"
    halves = struct.unpack(f"{order}{2 * _count(value, 4)}H", value)
    pairs = zip(halves[::2], halves[1::2], strict=True)
    return "\\".join(f"{group:04X}{element:04X}" for group, element in pairs)


def _bulk(value: bytes, _: ValueEncoding) -> str:
    return bulk_text(len(value))


def _sequence(value: bytes, _: ValueEncoding) -> str:
    """`[sequence]`; no text when the sequence's delimiter stands in the place of the first item."""
    return "" if value[:4] in _SEQUENCE_ENDS else SEQUENCE_TEXT


def bulk_text(n_bytes: int) -> str:
    """Placeholder that stands for data that is not read.

    Examples
    --------
    >>> from dicomae.dicom.vr import bulk_text
    >>> bulk_text(12)
    '[12 bytes]'
    """
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
# VRs whose leading padding does not belong to the value (PS3.5, table 6.2-1; UI as pydicom reads it).
STRIPPED_LEFT = frozenset({"AE", "CS", "DS", "IS", "LO", "PN", "SH", "UI"})
PARAGRAPHS = frozenset({"LT", "ST", "UR", "UT"})  # one value, in which a backslash is a character
# VRs whose text is the value as written: an identifier or a promoted text comes from these alone.
TEXTUAL = frozenset(READERS) - BULK - {"SQ", "AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"}
