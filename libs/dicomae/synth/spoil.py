"""Files as they should not be: one function for each kind of trouble that real archives hold.

References
----------
PS3.5 sections 6.2 (value representations) and 7 (data set encoding); PS3.10 section 7.1.
"""

import struct
import zlib
from collections.abc import Callable

from pydicom.dataset import Dataset

from dicomae.synth.image import Frames
from dicomae.synth.writer import encode, put_pixels

_NESTING = 1500  # deeper than Python's recursion limit allows a reader that recurses
_MANY = 160_000  # elements
_VR_OF_LONG = (b"OB", b"OW", b"UN", b"SQ", b"UT")


def spoil(kind: str, dataset: Dataset, frames: Frames) -> bytes:
    """The bytes of a file with this trouble; `dataset` is a copy that may be changed.

    Raises
    ------
    KeyError
        `kind` is no key of `KINDS`.
    """
    return KINDS[kind](dataset, frames)


def _plain(dataset: Dataset, frames: Frames) -> bytes:
    put_pixels(dataset, frames, "explicit")
    return encode(dataset, "explicit")


def _with_raw(*elements: tuple[int, str, bytes]) -> Callable[[Dataset, Frames], bytes]:
    """A kind that differs from a good file in the bytes of some explicit VR elements."""

    def spoilt(dataset: Dataset, frames: Frames) -> bytes:
        for tag, _, _ in elements:
            dataset.pop(tag, None)
        good = _plain(dataset, frames)
        for tag, vr, value in elements:
            good = inserted(good, tag, vr.encode(), value)
        return good

    return spoilt


def data_start(content: bytes) -> int:
    """Offset of the data set: after preamble, prefix and file meta of a good file."""
    return 144 + int(struct.unpack_from("<I", content, 140)[0])


def explicit_element(tag: int, vr: bytes, value: bytes) -> bytes:
    """An element in explicit VR little endian; an odd value stays odd."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    if vr in _VR_OF_LONG:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def place_of(content: bytes, tag: int) -> int:
    """Offset of the first element whose tag is `tag` or greater, in a good explicit VR file."""
    at = data_start(content)
    while at < len(content):
        group, element, vr = struct.unpack_from("<HH2s", content, at)
        if group << 16 | element >= tag:
            break
        at = _next(content, at, vr)
    return at


def inserted(content: bytes, tag: int, vr: bytes, value: bytes) -> bytes:
    """A good explicit VR little endian file with one more element, in the order of tags."""
    at = place_of(content, tag)
    return content[:at] + explicit_element(tag, vr, value) + content[at:]


def _next(content: bytes, at: int, vr: bytes) -> int:
    if vr in _VR_OF_LONG or vr in (b"OF", b"OD", b"OL", b"UC", b"UR"):
        length = struct.unpack_from("<I", content, at + 8)[0]
        return at + 12 + int(length)
    return at + 8 + int(struct.unpack_from("<H", content, at + 6)[0])


def _no_preamble(dataset: Dataset, frames: Frames) -> bytes:
    put_pixels(dataset, frames, "implicit")
    content = encode(dataset, "implicit")
    return content[data_start(content) :]


def _implicit_under_explicit(dataset: Dataset, frames: Frames) -> bytes:
    put_pixels(dataset, frames, "implicit")
    body = encode(dataset, "implicit")
    meta = _plain(dataset, frames)
    return meta[: data_start(meta)] + body[data_start(body) :]


def _big_endian(dataset: Dataset, frames: Frames) -> bytes:
    put_pixels(dataset, frames, "big")
    return encode(dataset, "big")


def _deflated(dataset: Dataset, frames: Frames) -> bytes:
    put_pixels(dataset, frames, "deflated")
    return encode(dataset, "deflated")


def _truncated_header(dataset: Dataset, frames: Frames) -> bytes:
    content = _plain(dataset, frames)
    return content[: place_of(content, 0x00280010) + 5]  # within the head of Rows


def _truncated_pixels(dataset: Dataset, frames: Frames) -> bytes:
    content = _plain(dataset, frames)
    return content[: -frames.nbytes // 2]


def _after_pixels(dataset: Dataset, frames: Frames) -> bytes:
    content = _plain(dataset, frames)
    trailing = explicit_element(0x00204000, b"LT", b"comment after the pixel data")
    return content + explicit_element(0xFFFCFFFC, b"OB", b"\0" * 64) + trailing


def _items_at_root(dataset: Dataset, frames: Frames) -> bytes:
    content = _plain(dataset, frames)
    at = place_of(content, 0x00100010)
    stray = bytes.fromhex("feff00e000000000 feff0de000000000")
    return content[:at] + stray + content[at:]


def _nested(dataset: Dataset, frames: Frames) -> bytes:
    dataset.pop(0x00081140, None)
    undefined = b"\xff" * 4
    sequence = explicit_element(0x00081140, b"SQ", b"")[:-4] + undefined
    nest = (sequence + b"\xfe\xff\x00\xe0" + undefined) * _NESTING
    nest += bytes.fromhex("feff0de000000000 feffdde000000000") * _NESTING
    content = _plain(dataset, frames)
    at = place_of(content, 0x00081140)
    return content[:at] + nest + content[at:]


def _many_elements(dataset: Dataset, frames: Frames) -> bytes:
    dataset.pop(0x00081140, None)
    item = b"".join(explicit_element(0x00081150 + i, b"UI", b"2.25.1") for i in (0, 5, 8, 0xA))
    items = (b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item) * (_MANY // 4)
    return inserted(_plain(dataset, frames), 0x00081140, b"SQ", items)


def _not_dicom(dataset: Dataset, frames: Frames) -> bytes:
    size = frames.shape[1]
    return b"GIF89a" + zlib.compress(frames.tobytes()[: size * size // 4])


def _empty(dataset: Dataset, frames: Frames) -> bytes:
    return b""


def _private_without_creator(dataset: Dataset, frames: Frames) -> bytes:
    content = inserted(_plain(dataset, frames), 0x00431001, b"DS", b"12.5")
    return inserted(content, 0x00431002, b"LO", b"ORPHAN")


def _private_binary_creator(dataset: Dataset, frames: Frames) -> bytes:
    content = inserted(_plain(dataset, frames), 0x00510010, b"UN", b"\x01\x02\xfe\xff\x00\x07")
    return inserted(content, 0x00511001, b"LO", b"VALUE ")


def _charset(value: bytes | None) -> Callable[[Dataset, Frames], bytes]:
    """A file in Latin 1 whose SpecificCharacterSet is `value`, or is missing when that is None."""

    def spoilt(dataset: Dataset, frames: Frames) -> bytes:
        for tag in (0x00080005, 0x00100010, 0x00081030):
            dataset.pop(tag, None)
        dataset.SpecificCharacterSet = "ISO_IR 192"
        content = _plain(dataset, frames)
        at = content.index(b"\x08\x00\x05\x00CS")
        content = content[:at] + content[at + 18 :]
        content = inserted(content, 0x00100010, b"PN", "Müller^Jürgen ".encode("latin-1"))
        content = inserted(content, 0x00081030, b"LO", "Schädel nativ ".encode("latin-1"))
        return content if value is None else inserted(content, 0x00080005, b"CS", value)

    return spoilt


KINDS: dict[str, Callable[[Dataset, Frames], bytes]] = {
    "padded_numbers": _with_raw((0x00180050, "DS", b"\x002.5\x00\x00"), (0x00200011, "IS", b"  7 \x00\x00")),
    "integer_with_decimals": _with_raw((0x00181152, "IS", b"12.5"), (0x00181150, "IS", b"500.000 ")),
    "decimal_with_comma": _with_raw((0x00180050, "DS", b"2,5 "), (0x00180060, "DS", b"120,0 ")),
    "decimal_with_exponent": _with_raw((0x00180050, "DS", b"2.5E+00 "), (0x00180060, "DS", b"1.2e2 ")),
    "window_width_zero": _with_raw((0x00281050, "DS", b"40"), (0x00281051, "DS", b"0 ")),
    "several_windows": _with_raw(
        (0x00281050, "DS", b"40\\-600\\300 "), (0x00281051, "DS", b"400\\1600\\1500 ")
    ),
    "vr_unlike_dictionary": _with_raw(
        (0x00180060, "LO", b"120 "), (0x00280011, "UL", struct.pack("<I", 128))
    ),
    "tag_with_several_vrs": _with_raw((0x00181030, "SH", b"PROTOCOL"), (0x00189073, "DS", b"12.5")),
    "private_without_creator": _private_without_creator,
    "private_binary_creator": _private_binary_creator,
    "charset_missing": _charset(None),
    "charset_misspelt": _charset(b"ISO-IR_100"),
    "backslash_in_text": _with_raw(
        (0x00081030, "LO", b"CT\\Abdomen"), (0x00080080, "LO", b"Hospital\\Ward ")
    ),
    "no_preamble": _no_preamble,
    "implicit_under_explicit": _implicit_under_explicit,
    "big_endian": _big_endian,
    "deflated": _deflated,
    "truncated_header": _truncated_header,
    "truncated_pixels": _truncated_pixels,
    "elements_after_pixels": _after_pixels,
    "items_at_root": _items_at_root,
    "nested_sequences": _nested,
    "many_elements": _many_elements,
    "not_dicom": _not_dicom,
    "empty": _empty,
}
