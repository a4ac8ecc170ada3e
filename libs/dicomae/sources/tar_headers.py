"""Headers of a tar archive: blocks of 512 bytes, and the extended headers that stand before a member.

    x or g (PAX), L or K (GNU long names) ──► `Extended` ─┐
    a block ──► `TarHeader` ──────────────────────────────┴──► name, size and time of a member

A block holds numbers and names at fixed places. An extended header says more about the next member, in
records such as `27 path=a/long/name.dcm`. Only what names, places or dates a member is taken from it, and no
field asks for more memory or work than its own bytes. Python's `tarfile` has no such bound: 650 bytes of
records cost it 3 GiB, and before Python 3.11.10 258 digits cost it 49 seconds (CVE-2024-6232).

References
----------
POSIX.1-2017, pax: "pax Interchange Format", "ustar Interchange Format".
GNU tar manual: "Basic Tar Format".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dicomae.sources.members import Damaged

BLOCK = 512
LONGEST_NAME = 1 << 15  # bytes: Linux ends at 4096
LARGEST = 1 << 62  # bytes of a member

REGULAR = frozenset(b"07\0")
HARD_LINK, LINK, FOLDER = b"1"[0], b"2"[0], b"5"[0]
WITHOUT_DATA = frozenset(b"123456")  # links, devices, folders, pipes: their size often says nothing
SPARSE = b"S"[0]
PAX, PAX_OF_ALL, LONG_NAME, LONG_LINK = frozenset(b"xX"), b"g"[0], b"L"[0], b"K"[0]
EXTENDED = PAX | {PAX_OF_ALL, LONG_NAME, LONG_LINK}

_NO_PREFIX = frozenset(b"LKS")  # GNU has put other fields there
_OCTAL = re.compile(rb"[0-7]+")
_DIGITS = 8  # of a record's length: a header is shorter than 100 MB
_NUMBER = re.compile(rb"[0-9]{1,20}")
_TIME = re.compile(rb"-?[0-9]{1,20}(\.[0-9]{0,40})?")


@dataclass(frozen=True)
class Extended:
    """What extended headers say of a member; None where they say nothing.

    Attributes
    ----------
    name : bytes, at most `LONGEST_NAME` and one.
    size : bytes.
    mtime : seconds since 1970.
    is_sparse : whether the content is stored without its zeros.
    """

    name: bytes | None = None
    size: int | None = None
    mtime: float | None = None
    is_sparse: bool = False

    def or_else(self, other: "Extended") -> "Extended":
        """What either says; the first where both say something."""
        return Extended(
            self.name if self.name is not None else other.name,
            self.size if self.size is not None else other.size,
            self.mtime if self.mtime is not None else other.mtime,
            self.is_sparse or other.is_sparse,
        )


@dataclass(frozen=True)
class TarHeader:
    """What the block before a member says.

    Attributes
    ----------
    kind : the type flag, such as 48 for `0`.
    size : bytes, from 0 to `LARGEST`.
    mtime : seconds since 1970; None when the field holds no number.
    is_continued : whether more of a sparse member's map follows in blocks of its own.
    """

    name: bytes
    kind: int
    size: int
    mtime: float | None
    is_continued: bool = False


def header(block: bytes) -> TarHeader:
    """The header that a block holds.

    Raises
    ------
    Damaged
        The block is shorter than 512 bytes, its checksum is wrong, or its size is no number.
    """
    if len(block) < BLOCK or _field(block[148:156]) not in _checksums(block):
        raise Damaged("no header of a member")
    size = _field(block[124:136])
    if size is None or not 0 <= size <= LARGEST:
        raise Damaged("a member of an impossible size")
    name, kind, prefix = _text(block[:100]), block[156], _text(block[345:500])
    if kind == 0 and name.endswith(b"/"):  # as before POSIX
        kind = FOLDER
    if prefix and kind not in _NO_PREFIX:
        name = prefix + b"/" + name
    return TarHeader(name, kind, size, _field(block[136:148]), kind == SPARSE and bool(block[482]))


def is_header(block: bytes) -> bool:
    """Whether a block is a header, or the block of zeros that ends an archive."""
    if block == bytes(BLOCK):
        return True
    try:
        header(block)
    except Damaged:
        return False
    return True


def extended(kind: int, data: bytes) -> Extended:
    """What an extended header of a kind says. What follows a record that is none is left out."""
    if kind == LONG_NAME:
        return Extended(name=_text(data)[: LONGEST_NAME + 1])
    if kind == LONG_LINK:
        return Extended()
    said: dict[str, bytes | int | float] = {}
    is_sparse = False
    for keyword, value in _records(data):
        if keyword in (b"path", b"GNU.sparse.name") and value:
            said["name"] = value.rstrip(b"/")[: LONGEST_NAME + 1]
        elif keyword == b"size" and _NUMBER.fullmatch(value):
            said["size"] = int(value)
        elif keyword == b"mtime" and _TIME.fullmatch(value):
            said["mtime"] = float(value)
        is_sparse = is_sparse or keyword.startswith(b"GNU.sparse.")
    return Extended(**said, is_sparse=is_sparse)  # type: ignore[arg-type]


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keywords and values of PAX records: `27 path=a/long/name.dcm` and a newline.

    Each byte is looked at once, for a length must lead from its own record to the next.
    """
    at = 0
    while at < len(data):
        digits, space, _ = data[at : at + _DIGITS].partition(b" ")
        if not space or not _NUMBER.fullmatch(digits):
            return
        start, end = at + len(digits) + 1, at + int(digits)
        if not start < end <= len(data) or data[end - 1 : end] != b"\n":
            return
        keyword, equals, value = data[start : end - 1].partition(b"=")
        if not keyword or not equals:
            return
        yield keyword, value
        at = end


def _checksums(block: bytes) -> tuple[int, int]:
    """The sums of unsigned and of signed bytes, with blanks in place of the sum itself."""
    counted = block[:148] + block[156:]
    unsigned = sum(counted) + 8 * ord(" ")
    return unsigned, unsigned - 256 * len(counted.translate(None, _BELOW_128))


_BELOW_128 = bytes(range(128))


def _field(field: bytes) -> int | None:
    """A number in octal digits, or in base 256 when the highest bit is set; None when it is neither."""
    if field[0] in (0x80, 0xFF):
        number = int.from_bytes(field[1:], "big")
        return number if field[0] == 0x80 else number - (1 << 8 * (len(field) - 1))
    digits = _text(field).strip()
    if not digits:
        return 0
    return int(digits, 8) if _OCTAL.fullmatch(digits) else None


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]
