"""Header bytes written by hand, and a seeded mutator of them."""

import random
import re
import struct
from collections.abc import Sequence
from pathlib import Path

from dicomae.headers import plain
from dicomae.headers.parse import HeaderBatch, parse_headers

SHARED = Path(__file__).resolve().parents[2] / "shared" / "dicom"
FLATTEN = ("RequestAttributesSequence", "ReferencedStudySequence")
GROUPS = (
    "FrameVOILUTSequence[0].WindowCenter",
    "PixelMeasuresSequence[0].PixelSpacing",
    "FrameAnatomySequence[0].AnatomicRegionSequence[0].CodeMeaning",
    "FrameAnatomySequence[0].FrameLaterality",
)
EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
LONG = ("OB", "OW", "OD", "OF", "OL", "OV", "UN", "SQ", "SV", "UC", "UR", "UT", "UV")  # PS3.5, 7.1-1

_VR_AND_LENGTH = re.compile(rb"[A-Z]{2}..", re.DOTALL)
_VRS = (b"SQ", b"UN", b"OB", b"US", b"FD", b"FL", b"AT", b"PN", b"UT", b"SV", b"ZZ", b"  ", b"\0\0")
_TELLING = (
    b"\xff\xff\xff\xff",
    b"\xfe\xff\x00\xe0",
    b"\xfe\xff\x0d\xe0\0\0\0\0",
    b"\xfe\xff\xdd\xe0\0\0\0\0",
    b"\xff\xfe\xe0\x00",
    b"SQ\0\0\xff\xff\xff\xff",
    b"\x1b$B",
    b"\\",
    b"\0",
    b"\xe0\x7f\x10\0",
)
_LENGTHS = (0, 1, 7, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def element(tag: int, vr: str, value: bytes, syntax: str = EXPLICIT) -> bytes:
    """An element as PS3.5, section 7.1, has it."""
    order = ">" if syntax == BIG else "<"
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT:
        return head + struct.pack("<L", len(value)) + value
    if vr in LONG:
        return head + vr.encode() + struct.pack(f"{order}HL", 0, len(value)) + value
    return head + vr.encode() + struct.pack(f"{order}H", len(value)) + value


def part10(content: bytes, syntax: str = EXPLICIT) -> bytes:
    """A file: preamble, prefix, file meta information, data set."""
    meta = element(0x00020003, "UI", b"1.2.9\0") + element(0x00020010, "UI", syntax.encode())
    return bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<L", len(meta))) + meta + content


def hand_made() -> list[bytes]:
    """Small files with a bit of everything, in each of the usual encodings."""
    return [_hand_made(syntax) for syntax in (EXPLICIT, IMPLICIT, BIG)]


def _hand_made(syntax: str) -> bytes:
    order = ">" if syntax == BIG else "<"
    # A sequence in UN is implicit and little endian in any file (PS3.5, 6.2.2).
    inner = _open_sequence(0x0040A730, "UN", element(0x00080100, "", b"12", IMPLICIT), IMPLICIT)
    item = struct.pack(f"{order}HHL", 0xFFFE, 0xE000, 18) + element(0x00080100, "SH", b"CODE VALUE", syntax)
    parts = (
        (0x00080005, "CS", b"ISO_IR 100"),
        (0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL "),
        (0x00080018, "UI", b"1.2.3\0"),
        (0x00080060, "CS", b"MR"),
        (0x00081030, "LO", b"Sch\xe4del \\  b "),
        (0x00081140, "SQ", item),
        (0x00082112, "", _open_sequence(0x00082112, "UN", inner, syntax)),
        (0x0008A730, "", _open_sequence(0x0008A730, "SQ", inner, syntax)),
        (0x00100010, "PN", b"Doe^J\xf6rg=\x1b$B;3ED\x1b(B "),
        (0x00180050, "DS", b"2.5 "),
        (0x00189087, "FD", struct.pack(f"{order}2d", 0.1, -1e-7)),
        (0x00191001, "UN", b"abcd"),
        (0x00280002, "US", struct.pack(f"{order}H", 1)),
        (0x00280009, "AT", struct.pack(f"{order}2H", 0x18, 0x1063)),
        (0x00280010, "US", struct.pack(f"{order}H", 512)),
        (0x00280103, "US", struct.pack(f"{order}H", 1)),
        (0x00280106, "SS", struct.pack(f"{order}h", -7)),
        (0x00291010, "LO", b"ACME 1.0"),
        (0x00400275, "SQ", item + item),
        (0x7FE00010, "OW", bytes(16)),
    )
    # Without a VR: written already.
    return part10(b"".join(element(*part, syntax) if part[1] else part[2] for part in parts), syntax)


def enhanced() -> list[bytes]:
    """Small files with functional groups, in each usual encoding, with defined and undefined lengths."""
    return [_enhanced(syntax, is_open) for syntax in (EXPLICIT, IMPLICIT, BIG) for is_open in (False, True)]


def _enhanced(syntax: str, is_open: bool) -> bytes:
    def nested(tag: int, *items: bytes) -> bytes:
        return sequence(tag, items, syntax, is_open)

    meaning = nested(0x00082218, element(0x00080104, "LO", b"Sch\xe4del", syntax))
    laterality = element(0x00209072, "CS", b"U ", syntax)
    spacing = element(0x00280030, "DS", b"0.5\\0.7 ", syntax)
    centre, width = element(0x00281050, "DS", b"40", syntax), element(0x00281051, "DS", b"400 ", syntax)
    shared = nested(0x00209071, meaning + laterality)
    shared += nested(0x00289110, spacing) + nested(0x00289132, centre + width)
    frame = nested(0x00209111, element(0x00189074, "DT", b"2024", syntax)) + nested(0x00289132, width)
    parts = (
        element(0x00080005, "CS", b"ISO_IR 100", syntax),
        element(0x00080018, "UI", b"1.2.3\0", syntax),
        element(0x00280010, "US", struct.pack(">H" if syntax == BIG else "<H", 512), syntax),
        nested(0x52009229, shared),
        nested(0x52009230, frame, shared),
        element(0x7FE00010, "OW", bytes(16), syntax),
    )
    return part10(b"".join(parts), syntax)


def sequence(tag: int, items: Sequence[bytes], syntax: str, is_open: bool = False) -> bytes:
    """A sequence of items; when `is_open`, it and its items are of undefined length."""
    order = ">" if syntax == BIG else "<"
    end = (
        [struct.pack(f"{order}HHL", 0xFFFE, number, 0) for number in (0xE00D, 0xE0DD)]
        if is_open
        else [b"", b""]
    )
    content = b""
    for item in items:
        length = 0xFFFFFFFF if is_open else len(item)
        content += struct.pack(f"{order}HHL", 0xFFFE, 0xE000, length) + item + end[0]
    whole = element(tag, "SQ", content + end[1], syntax)
    if not is_open:
        return whole
    length_at = 4 if syntax == IMPLICIT else 8
    return whole[:length_at] + b"\xff\xff\xff\xff" + whole[length_at + 4 :]


def _open_sequence(tag: int, vr: str, content: bytes, syntax: str) -> bytes:
    """A sequence and an item of undefined length; in UN and in big endian the item is little endian."""
    order = ">" if syntax == BIG else "<"
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    head += b"\xff\xff\xff\xff" if syntax == IMPLICIT else vr.encode() + b"\0\0\xff\xff\xff\xff"
    item, ends = (
        struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF),
        struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0),
    )
    return head + item + content + ends


def real_files(longest: int) -> list[bytes]:
    """The first bytes of the real files; none where they are absent."""
    contents = [path.read_bytes()[:longest] for path in sorted(SHARED.rglob("*")) if path.is_file()]
    return [content for content in contents if content]


def mutant(content: bytes, chance: random.Random) -> bytes:
    """The bytes after one to four changes: bits, cuts, lengths, VRs, doubled parts, item tags."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(128, len(changed) // 2), len(changed)) if len(changed) > 1 else 0
        kind = chance.randrange(8)
        if kind == 0 and changed:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[at : at + chance.randint(1, 9)]
        elif kind == 2 and chance.random() < 0.3:
            del changed[at:]
        elif kind == 3:
            changed[at:at] = changed[at : at + chance.randint(1, 40)]
        elif kind == 4:
            changed[at : at + 4] = chance.choice(_TELLING)
        elif kind == 5:
            nested = b"".join(_opened(chance) for _ in range(chance.randint(1, 90)))
            changed[at:at] = nested
        else:
            _spoil_header(changed, at, kind == 6, chance)
    return bytes(changed)


def _spoil_header(changed: bytearray, at: int, is_length: bool, chance: random.Random) -> None:
    """Blow up the length, or replace the VR, of the first explicit element from an offset on."""
    found = _VR_AND_LENGTH.search(changed, at)
    if not found:
        return
    start = found.start()
    if not is_length:
        changed[start : start + 2] = chance.choice(_VRS)
    elif chance.random() < 0.5:
        changed[start + 2 : start + 4] = struct.pack("<H", chance.choice(_LENGTHS) & 0xFFFF)
    else:
        changed[start + 4 : start + 8] = struct.pack("<L", chance.choice(_LENGTHS))


def _opened(chance: random.Random) -> bytes:
    """A sequence and an item of undefined length that nothing closes."""
    sequence = struct.pack("<HH2sHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    return sequence + struct.pack("<HHL", 0xFFFE, 0xE000, chance.choice((0xFFFFFFFF, 0, 8)))


def mutants(contents: Sequence[bytes], count: int, seed: int) -> list[bytes]:
    """Mutants of files drawn at random."""
    chance = random.Random(seed)
    return [mutant(chance.choice(contents), chance) for _ in range(count)]


def cut(buffers: Sequence[bytes], seed: int) -> list[list[bytes]]:
    """The buffers in batches of random sizes, many of one."""
    chance, batches, at = random.Random(seed), [], 0
    while at < len(buffers):
        size = chance.choice((1, 1, 2, 7, 64))
        batches.append(list(buffers[at : at + size]))
        at += size
    return batches


def check_equal(
    buffers: Sequence[bytes],
    complete: Sequence[bool],
    flatten: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> HeaderBatch:
    """The kernel's result, after it was found to be plain Python's to the last text."""
    ours = parse_headers(buffers, complete, flatten, groups)
    theirs = plain.parse_headers(buffers, complete, flatten, groups)
    assert ours.failures == theirs.failures
    assert ours.incomplete == theirs.incomplete
    assert ours.index.tolist() == theirs.index.tolist()
    ours.headers.validate(full=True)
    if not ours.headers.equals(theirs.headers):
        differences = [
            (int(position), name)
            for i, position in enumerate(ours.index)
            for name in ours.headers.schema.names
            if not ours.headers.column(name)[i].equals(theirs.headers.column(name)[i])
        ]
        raise AssertionError(f"position and column: {differences[:5]}")
    return ours
