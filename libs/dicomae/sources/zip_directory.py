"""The directory of a zip archive: where each member is, and how it is stored.

    the end of the file ──► where the directory is ──► its bytes ──► an `Entry` for each member

An entry that breaks the format in a name, a version or an extra field harms no other: a name that is called
UTF-8 and is not is escaped, and a member that cannot be found is `is_lost`. `zipfile` gives up the whole
archive for each of these.

References
----------
PKWARE, APPNOTE.TXT - .ZIP File Format Specification, sections 4.3.12 to 4.3.16, 4.4.4 and 4.5.3.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from dicomae.sources.members import Damaged

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s2B2B4H3L5H2L")
ENTRY = b"PK\1\2"

_LONGEST_COMMENT = 1 << 16
_IN_EXTRA = 0xFFFFFFFF  # of a size or an offset that stands in the extra field of zip64
_ZIP64 = 1
_UTF8 = 0x800


@dataclass(frozen=True)
class Directory:
    """Where the directory is, and by how much all offsets in it are too small."""

    start: int
    size: int
    shift: int


@dataclass(frozen=True)
class Entry:
    """A member as the directory tells it.

    Attributes
    ----------
    name : decoded, and cut at a NUL. May be empty.
    flags, method : as the format numbers them.
    time, date : in DOS's way.
    crc : of the decompressed content.
    stored, size : bytes in the archive, and decompressed.
    attributes : of the system that made the archive. The upper half is the mode of a Unix file.
    offset : of the member's own header.
    is_lost : whether size or offset is said to stand in an extra field, and does not.
    """

    name: str
    flags: int
    method: int
    time: int
    date: int
    crc: int
    stored: int
    size: int
    attributes: int
    offset: int
    is_lost: bool


def find(file: io.BufferedIOBase) -> Directory:
    """Where the directory of a zip is.

    Raises
    ------
    Damaged
        The file is no zip, or a zip of several disks.
    """
    size = file.seek(0, io.SEEK_END)
    for comment in (0, _LONGEST_COMMENT):
        first = max(0, size - comment - _END.size)
        file.seek(first)
        tail = file.read(size - first)
        at = tail.rfind(b"PK\5\6", 0, max(0, len(tail) - _END.size + 4))
        if at >= 0 and (comment or tail.endswith(b"\0\0")):
            break
    else:
        raise Damaged("not a zip file")
    *_, length, offset, _ = _END.unpack_from(tail, at)
    end = first + at
    if (larger := _zip64(file, end)) is not None:
        length, offset = larger
        end -= _END_64.size + _LOCATOR_64.size
    start = end - length
    if start < 0:
        raise Damaged("a directory before the start of the file")
    return Directory(start, length, start - offset)


def _zip64(file: io.BufferedIOBase, end: int) -> tuple[int, int] | None:
    """Size and offset of the directory as zip64 tells them; None when the archive has no such record."""
    start = end - _LOCATOR_64.size - _END_64.size
    if start < 0:
        return None
    file.seek(start)
    data = file.read(_END_64.size + _LOCATOR_64.size)
    locator, disk, _, disks = _LOCATOR_64.unpack_from(data, _END_64.size)
    if locator != b"PK\6\7":
        return None
    if disk or disks > 1:
        raise Damaged("a zip of several disks")
    record, *_, length, offset = _END_64.unpack_from(data)
    return (length, offset) if record == b"PK\6\6" else None


def entries(data: bytes, shift: int) -> Iterator[Entry]:
    """The entries of a directory.

    Raises
    ------
    Damaged
        What comes next is no entry, or ends too early.
    """
    at = 0
    while at < len(data):
        if len(data) - at < _ENTRY.size or not data.startswith(ENTRY, at):
            raise Damaged("no entry of a directory")
        found = _ENTRY.unpack_from(data, at)
        flags, method, time, date, crc, stored, size = found[5:12]
        named, extra_length, commented = found[12:15]
        attributes, offset = found[17:19]
        name = data[at + _ENTRY.size : at + _ENTRY.size + named]
        extra = data[at + _ENTRY.size + named : at + _ENTRY.size + named + extra_length]
        (size, stored, offset), is_lost = _in_64(extra, (size, stored, offset))
        name_text = _text(name, is_utf8=bool(flags & _UTF8))
        yield Entry(
            name_text, flags, method, time, date, crc, stored, size, attributes, offset + shift, is_lost
        )
        at += _ENTRY.size + named + extra_length + commented


def _in_64(extra: bytes, numbers: tuple[int, int, int]) -> tuple[tuple[int, ...], bool]:
    """The numbers, with those that stand in the extra field; and whether one of them does not stand there."""
    if _IN_EXTRA not in numbers:
        return numbers, False
    field = io.BytesIO(_extra_field(extra, _ZIP64))
    found, is_lost = list(numbers), False
    for i, number in enumerate(numbers):
        if number == _IN_EXTRA:
            eight = field.read(8)
            found[i] = int.from_bytes(eight, "little")
            is_lost = is_lost or len(eight) < 8 or found[i] >= 1 << 62
    return (tuple(found), False) if not is_lost else ((0, 0, 0), True)


def _extra_field(extra: bytes, wanted: int) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == wanted:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return b""


def _text(name: bytes, *, is_utf8: bool) -> str:
    name = name.partition(b"\0")[0]
    return name.decode("utf-8", errors="backslashreplace") if is_utf8 else name.decode("cp437")
