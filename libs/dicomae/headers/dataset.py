"""The bytes of a file to its raw elements: where the data set begins, how it is encoded, where it ends.

Nothing here reads a value. A sequence is stepped over and never built. Open levels are kept on a list, so no
nesting reaches Python's recursion limit.
"""

import struct
import zlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dicomae.dicom import keys, vr
from dicomae.headers.layout import MAXIMUM_ELEMENTS

PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
INFLATION_LIMIT = 64 << 20  # bytes of a deflated data set that are looked at
MAXIMUM_LEVELS = 1 << 14  # open at a time, of sequences and items of undefined length
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PREAMBLE = 132
_TRANSFER_SYNTAX, _MEDIA_INSTANCE_UID = 0x00020010, 0x00020003
_IMPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
# Deflated Explicit VR Little Endian, and JPIP and HTJ2K JPIP Referenced Deflate (PS3.5, A.5, A.6, A.9).
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
_LONG = frozenset(name.encode() for name in vr.LONG_LENGTH)
_NAMES = MappingProxyType({name.encode(): name for name in vr.READERS})

# By byte order (True: little endian): tag, VR and 16-bit length; tag and 32-bit length; that length.
_ORDERS = ((True, "<"), (False, ">"))
_EXPLICIT = {little: struct.Struct(f"{order}HH2sH").unpack_from for little, order in _ORDERS}
_IMPLICIT = {little: struct.Struct(f"{order}HHL").unpack_from for little, order in _ORDERS}
_LENGTH = {little: struct.Struct(f"{order}L").unpack_from for little, order in _ORDERS}

# Tag, VR as written (None under implicit VR), start and end of the value in the buffer.
RawElement = tuple[int, str | None, int, int]


class NeedsMoreBytes(Exception):
    """The buffer ends before the header does. What must be read next begins at the offset `at`."""

    def __init__(self, at: int = 0, detail: str = "") -> None:
        super().__init__(detail)
        self.at = at


class NotDicom(Exception):
    """The bytes do not begin like a DICOM file."""


class Malformed(Exception):
    """The bytes cannot be followed as a data set. The message holds tags and offsets, and no value."""


class TooLarge(Exception):
    """The header goes beyond a limit: of elements, of levels, or of bytes when inflated."""


@dataclass(frozen=True)
class Encoding:
    """How elements are written (PS3.5, section 7.1)."""

    implicit_vr: bool
    little_endian: bool

    @property
    def byte_order(self) -> Literal["little", "big"]:
        """Byte order as `int.from_bytes` takes it."""
        return "little" if self.little_endian else "big"


_EXPLICIT_LITTLE = Encoding(implicit_vr=False, little_endian=True)


@dataclass(frozen=True)
class RawDataset:
    """The top level of a data set up to the pixel data.

    Attributes
    ----------
    buffer : the bytes that the elements' offsets point into; of a deflated file the inflated ones.
    start, end : the part of `buffer` that is the data set up to the pixel data.
    at_pixel_data : whether `end` is the pixel data; else it is the end of the data set.
    transfer_syntax, media_instance_uid : from the file meta information; None when it has none.
    """

    buffer: bytes
    encoding: Encoding
    elements: list[RawElement]
    start: int
    end: int
    at_pixel_data: bool
    transfer_syntax: str | None
    media_instance_uid: str | None


def read(buffer: bytes, complete: bool) -> RawDataset:
    """Raw elements of a file from its first bytes.

    Parameters
    ----------
    buffer : the file's first bytes.
    complete : whether that is the whole file.

    Raises
    ------
    NeedsMoreBytes
        The header does not end in the buffer. When the file is complete, it is truncated.
    NotDicom, Malformed, TooLarge
    """
    start, meta = _file_meta(buffer, complete)
    syntax = meta.get(_TRANSFER_SYNTAX)
    beyond: Exception | None = None if complete else NeedsMoreBytes()
    is_deflated = syntax in DEFLATED
    if is_deflated:
        buffer, beyond = _inflated(buffer, start)
        start = 0
    encoding = _encoding(buffer, start, syntax)
    try:
        elements, end, at_pixel_data = walk(buffer, start, len(buffer), encoding)
    except NeedsMoreBytes as needs_more:
        if is_deflated:  # its offsets are not the file's
            raise (beyond or NeedsMoreBytes(detail=str(needs_more))) from None
        raise
    if beyond is not None and not at_pixel_data:
        raise beyond
    media_uid = meta.get(_MEDIA_INSTANCE_UID)
    return RawDataset(buffer, encoding, elements, start, end, at_pixel_data, syntax, media_uid)


def walk(buffer: bytes, start: int, stop: int, encoding: Encoding) -> tuple[list[RawElement], int, bool]:
    """Elements of one level between two offsets, in the order of the bytes.

    Returns
    -------
    elements : without group lengths. A sequence is one element; what is in it is not listed.
    end : the offset of the pixel data, else `stop`.
    at_pixel_data : whether `end` is the pixel data.

    Raises
    ------
    NeedsMoreBytes
        An element reaches beyond `stop`.
    Malformed
        An item or a delimiter is missing, or stands in a wrong place.
    TooLarge
        There are more than `MAXIMUM_ELEMENTS`.
    """
    elements: list[RawElement] = []
    at = start
    while stop - at >= 8:
        tag, name, value, length = _header(buffer, at, encoding)
        if tag in PIXEL_TAGS:
            return elements, at, True
        if length == _UNDEFINED:
            name = "SQ" if name is None or name == "UN" else name
            end, at = _end_of_items(buffer, value, _sequence_encoding(buffer, value, encoding))
        else:
            end = at = value + length
        if end > stop:
            raise NeedsMoreBytes(end, f"({tag >> 16:04X},{tag & 0xFFFF:04X}) reaches beyond offset {stop}")
        if tag & 0xFFFF:
            elements.append((tag, name, value, end))
        if len(elements) > MAXIMUM_ELEMENTS:
            raise TooLarge(f"more than {MAXIMUM_ELEMENTS} elements")
    if any(buffer[at:stop]):  # a few zeros are padding of the file
        raise NeedsMoreBytes(at, f"an element that begins at offset {at} is cut")
    return elements, stop, False


def first_item(buffer: bytes, start: int, end: int, encoding: Encoding) -> tuple[list[RawElement], Encoding]:
    """Elements of the first item of a sequence, and how they are written; no elements when there is no item.

    Raises
    ------
    NeedsMoreBytes, Malformed
        The item reaches beyond the sequence; something else stands in place of the item.
    """
    if start == end:
        return [], encoding
    encoding = _sequence_encoding(buffer, start, encoding)
    tag, length = _tag_and_length(buffer, start, encoding)
    if tag == _SEQUENCE_END:
        return [], encoding
    if tag != _ITEM:
        raise Malformed(f"no item where one must be, at offset {start}")
    content = start + 8
    inner = _item_encoding(buffer, content, encoding)
    stop = _end_of_items(buffer, content, inner, True)[0] if length == _UNDEFINED else content + length
    if stop > end:
        raise NeedsMoreBytes
    return walk(buffer, content, stop, inner)[0], inner


def _encoding_at(buffer: bytes, start: int, declared: Encoding) -> Encoding:
    """How the elements from `start` on are really written, whatever the transfer syntax says.

    VR is explicit when two capitals follow the first tag. The byte order is the declared one,
    unless a data set may begin with the first tag in the other byte order alone.
    """
    little = declared.little_endian
    if not _begins_well(buffer, start, little) and _begins_well(buffer, start, not little):
        little = not little
    letters = buffer[start + 4 : start + 6]
    implicit = not _are_capitals(letters) if len(letters) == 2 else declared.implicit_vr
    return Encoding(implicit, little)


def _file_meta(buffer: bytes, complete: bool) -> tuple[int, dict[int, str]]:
    """Where the data set begins, and the texts of the file meta information (PS3.10, 7.1)."""
    if len(buffer) < _PREAMBLE and not complete:
        raise NeedsMoreBytes
    if buffer[128:_PREAMBLE] == b"DICM":
        at = _PREAMBLE
    elif buffer[:2] == b"\x02\0" or _begins_like_a_dataset(buffer):
        at = 0
    else:
        raise NotDicom
    meta: dict[int, str] = {}
    while True:
        if buffer[at : at + 2] != b"\x02\0" and (len(buffer) - at >= 2 or complete):
            return at, meta
        tag, _, value, length = _header(buffer, at, _EXPLICIT_LITTLE)
        if value + length > len(buffer):
            raise NeedsMoreBytes(value + length)
        at = value + length
        if tag in (_TRANSFER_SYNTAX, _MEDIA_INSTANCE_UID) and length:
            meta[tag] = buffer[value:at].decode("latin_1").strip(vr.PADDING)


def _encoding(buffer: bytes, start: int, syntax: str | None) -> Encoding:
    declared = Encoding(syntax == _IMPLICIT_LITTLE, syntax != EXPLICIT_BIG)
    return _encoding_at(buffer, start, declared)


def _inflated(buffer: bytes, start: int) -> tuple[bytes, Exception | None]:
    """The inflated data set, and what to raise when its header does not end there."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = bytearray()
    for at in range(start, len(buffer), 1024):  # at most a thousandfold: a mebibyte a step
        try:
            inflated += inflater.decompress(buffer[at : at + 1024])
        except zlib.error:
            return bytes(inflated), Malformed("the deflated data set is damaged")
        if inflater.eof:
            return bytes(inflated), None
        if len(inflated) > INFLATION_LIMIT:
            return bytes(inflated), TooLarge(f"more than {INFLATION_LIMIT} bytes when inflated")
    return bytes(inflated), NeedsMoreBytes()


def _header(buffer: bytes, at: int, encoding: Encoding) -> tuple[int, str | None, int, int]:
    """Tag, VR as written, start and length of the value of the element at an offset.

    An element of explicit VR without two capitals after its tag is read as implicit: some writers change
    over, most often inside sequences.
    """
    if len(buffer) - at < 8:
        raise NeedsMoreBytes(at)
    if not encoding.implicit_vr:
        group, element, letters, length = _EXPLICIT[encoding.little_endian](buffer, at)
        name = _NAMES.get(letters)
        if name is None and _are_capitals(letters):
            name = letters.decode("ascii")
        if name is not None and group != 0xFFFE:
            if letters not in _LONG:
                return group << 16 | element, name, at + 8, length
            if len(buffer) - at < 12:
                raise NeedsMoreBytes(at)
            return group << 16 | element, name, at + 12, _LENGTH[encoding.little_endian](buffer, at + 8)[0]
    tag, length = _tag_and_length(buffer, at, encoding)
    return tag, None, at + 8, length


def _end_of_items(buffer: bytes, at: int, encoding: Encoding, inside_item: bool = False) -> tuple[int, int]:
    """Where a value of undefined length ends, and where the next element begins.

    When `inside_item` is true, `at` lies in an item of undefined length; else in a sequence.
    """
    levels = [(encoding, inside_item)]
    while True:
        encoding, inside_item = levels[-1]
        if inside_item:
            tag, _, value, length = _header(buffer, at, encoding)
            closed = tag == _ITEM_END
            in_place = closed or tag >> 16 != 0xFFFE
            inner = (_sequence_encoding(buffer, value, encoding), False)
        else:
            tag, length = _tag_and_length(buffer, at, encoding)
            value = at + 8
            closed = tag == _SEQUENCE_END
            in_place = closed or tag == _ITEM
            inner = (_item_encoding(buffer, value, encoding), True)
        if not in_place:
            raise Malformed(f"no item or delimiter where one must be, at offset {at}")
        if closed:
            levels.pop()
            if not levels:
                return at, value
        elif length == _UNDEFINED:
            levels.append(inner)
            if len(levels) > MAXIMUM_LEVELS:
                raise TooLarge(f"sequences nested deeper than {MAXIMUM_LEVELS // 2} levels")
        at = value if closed or length == _UNDEFINED else value + length


def _sequence_encoding(buffer: bytes, at: int, encoding: Encoding) -> Encoding:
    """The encoding, with the byte order that the tag of the first item shows.

    A UN sequence is little endian even in a big-endian file (PS3.5, 6.2.2).
    """
    if buffer[at : at + 2] not in (b"\xfe\xff", b"\xff\xfe"):
        return encoding
    return Encoding(encoding.implicit_vr, buffer[at] == 0xFE)


def _item_encoding(buffer: bytes, at: int, encoding: Encoding) -> Encoding:
    implicit = encoding.implicit_vr or not _are_capitals(buffer[at + 4 : at + 6])
    return Encoding(implicit, encoding.little_endian)


def _tag_and_length(buffer: bytes, at: int, encoding: Encoding) -> tuple[int, int]:
    if len(buffer) - at < 8:
        raise NeedsMoreBytes(at)
    group, element, length = _IMPLICIT[encoding.little_endian](buffer, at)
    return group << 16 | element, length


def _are_capitals(letters: bytes) -> bool:
    return len(letters) == 2 and letters.isalpha() and letters.isupper()


def _begins_well(buffer: bytes, at: int, little_endian: bool) -> bool:
    """Whether the tag at an offset is one with which a data set may begin."""
    if len(buffer) - at < 4:
        return False
    group, element = struct.unpack_from("<HH" if little_endian else ">HH", buffer, at)
    length_of_group = element == 0 and group % 2 == 0 and group <= 0x20
    return group > 0 and (length_of_group or keys.is_known(group << 16 | element))


def _begins_like_a_dataset(buffer: bytes) -> bool:
    """Whether bytes without a preamble may be a bare data set: a known tag, then a VR or a length."""
    for little in (True, False):
        if len(buffer) >= 8 and _begins_well(buffer, 0, little):
            length = int.from_bytes(buffer[4:8], "little" if little else "big")
            return buffer[4:6] in _NAMES or length < 1 << 16
    return False
