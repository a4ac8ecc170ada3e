"""Header bytes of many files to descriptors of their elements, in numba.

A descriptor says where the value of an element lies, which key the element has, and by which VR it is read.
Nothing here reads a value. A file is `ODD` when it is deflated or broken, or when its tags do not rise;
`plain` reads it then. Every read is checked against the end of the file's own bytes.
"""

from typing import Any

import numpy as np

from dicomae.headers import layout
from dicomae.headers.compiled import entry, inlined, inner, load8

_UN, _SQ, _SS, _US = 20 * 26 + 13, 18 * 26 + 16, 18 * 26 + 18, 20 * 26 + 18
_UNDEFINED, _TURNED_ITEMS = 0xFFFFFFFF, 0xFEFF
_ITEMS, _ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE, 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_FLOAT_PIXELS, _DOUBLE_PIXELS, _PIXELS = 0x7FE00008, 0x7FE00009, 0x7FE00010
_CHARACTER_SET, _PIXEL_REPRESENTATION = 0x00080005, 0x00280103
_TRANSFER_SYNTAX, _MEDIA_INSTANCE_UID = 0x00020010, 0x00020003
_PREAMBLE, _PREFIX = 132, 0x4D434944  # "DICM"
_LONGEST_CREATOR, _CUT, _MALFORMED = 64, -1, -2
_LOW_BYTES = 0x00FF00FF00FF00FF  # of each 16 bits
_IMPLICIT, _BIG, _INSIDE_ITEM = 1, 2, 4  # bits of how elements are written
_SPREAD = -7046029254386353131  # 2^64 over the golden ratio, odd: spreads numbers over the slots


@entry
def walk(batch: Any, book: Any, found: Any) -> None:
    """Fill `found`: given with -1 in `files` and `promoted`, 0 in `n`, and room for any element."""
    files, n = found.files, found.n
    for i in range(len(files)):
        files[i, layout.FIRST], first, n_misses = n[0], n[0], n[1]
        status = _walk_meta(batch, book, files, i)
        if status == layout.PARSED:
            status = _walk_file(batch, book, found, i)
            names_nobody = found.promoted[i, layout.INSTANCE_UID] < 0 and files[i, layout.MEDIA_UID] < 0
            is_too_much = n[0] - first > layout.MAXIMUM_ELEMENTS or n[1] - n_misses > layout.MAXIMUM_NEW
            status = layout.ODD if is_too_much or (status == layout.PARSED and names_nobody) else status
        if status != layout.PARSED:
            n[0], n[1] = first, n_misses
        files[i, layout.STATUS], files[i, layout.COUNT] = status, n[0] - first


@inner
def _walk_file(batch: Any, book: Any, found: Any, i: int) -> int:
    """Status of the data set that begins at START; `dataset.walk` is its twin."""
    buffer, vr_flags, stop, whole = batch.buffer, batch.vr_flags, batch.bounds[i + 1], batch.complete[i]
    slots, about, files, misses, n = book.slots, book.about, found.files, found.misses, found.n
    elements, promoted, blocks, depths = found.elements, found.promoted, found.blocks, found.depths
    at = files[i, layout.START]
    encoding = _encoding_at(buffer, at, stop, files[i, layout.IS_BIG], slots, about)
    if encoding < 0:
        return layout.ODD
    files[i, layout.IS_BIG] = 1 if encoding & _BIG else 0
    before, group, signed = 0, -1, False
    while stop - at >= 8:
        tag, vr, value, length = _element(buffer, at, stop, encoding, vr_flags)
        if tag < 0:
            return _cut(files, i, at, whole)
        if tag in (_PIXELS, _FLOAT_PIXELS, _DOUBLE_PIXELS):
            files[i, layout.AT_PIXELS] = 1
            break
        if length == _UNDEFINED:
            vr = _SQ if vr in (layout.NO_VR, _UN) else vr
            end, at = _end_of_items(buffer, value, stop, encoding, vr_flags, depths)
            if end < 0:
                return _cut(files, i, at, whole) if end == _CUT else layout.ODD
        else:
            end = at = value + length
        if end > stop:
            return _cut(files, i, end, whole)
        if tag & 0xFFFF == 0:  # a group length
            continue
        if tag <= before:
            return layout.ODD
        before = tag
        creator: Any = layout.NOBODY
        if tag & 0x10000:  # private
            if tag >> 16 != group:
                group = tag >> 16
                blocks[:] = layout.NOBODY
            creator = np.int64(blocks[(tag >> 8) & 0xFF])
            if 0x10 <= tag & 0xFFFF <= 0xFF:
                _reserve(buffer, value, end, tag & 0xFF, book, blocks, misses, n)
        elif tag == _CHARACTER_SET:
            files[i, layout.CHARSET], files[i, layout.CHARSET_END] = value, end
        elif tag == _PIXEL_REPRESENTATION:
            signed = _is_one(buffer, value, end, encoding)
        if creator != layout.UNSEEN and not _add(
            elements, promoted, misses, n, i, slots, about, creator, tag, vr, value, end
        ):
            return layout.ODD
    files[i, layout.END] = at if files[i, layout.AT_PIXELS] == 1 else stop
    if files[i, layout.AT_PIXELS] != 1 and not (whole and _are_zeros(buffer, at, stop)):
        return _cut(files, i, at, whole)
    _close_signs(elements, files[i, layout.FIRST], n[0], signed)
    return layout.PARSED


@inlined
def _add(
    elements: Any,
    promoted: Any,
    misses: Any,
    n: Any,
    i: int,
    slots: Any,
    about: Any,
    creator: int,
    tag: int,
    vr: Any,
    start: int,
    end: int,
) -> bool:
    """Write the descriptor of an element, or note that its key is missing; False when the file is odd."""
    slot = find_slot(slots, creator << 32 | tag)
    key = slots[slot, 1]
    if key < 0:
        _note(misses, n, creator << 32 | tag, -1)
        return True
    flags = about[key, layout.FLAGS]
    if flags & layout.IS_WANTED:
        return False
    if tag >> 16 == _ITEMS:
        vr = layout.STRAY
    elif vr in (layout.NO_VR, _UN):
        vr = np.int64(about[key, layout.STANDARD])
        vr = layout.SIGN_OPEN if flags & layout.SIGN_DEPENDS else _UN if vr == layout.NO_VR else vr
    place, column = n[0], about[key, layout.COLUMN]
    if column >= 0:
        promoted[i, column] = place
    elements[place, layout.KEY], elements[place, layout.VR] = key, vr
    elements[place, layout.VALUE], elements[place, layout.VALUE_END] = start, end
    n[0] = place + 1
    return True


@inner
def _close_signs(elements: Any, first: int, end: int, signed: bool) -> None:
    """Give each element that PS3.6 calls "US or SS" its VR: SS when PixelRepresentation is 1, else US."""
    for place in range(first, end):
        if elements[place, layout.VR] == layout.SIGN_OPEN:
            elements[place, layout.VR] = _SS if signed else _US


@inner
def _walk_meta(batch: Any, book: Any, files: Any, i: int) -> int:
    """Status after the file meta information (PS3.10, 7.1); fills START, IS_BIG, SYNTAX, MEDIA_UID."""
    buffer, at, stop, whole = batch.buffer, batch.bounds[i], batch.bounds[i + 1], batch.complete[i]
    if stop - at < _PREAMBLE:
        return _cut(files, i, at, whole)
    if _uint32(buffer, at + _PREAMBLE - 4, 0) == _PREFIX:
        at += _PREAMBLE
    elif _uint16(buffer, at, 0) != 2 and not _begins_like_a_dataset(batch, book, at):
        return layout.ODD
    while stop - at >= 2 and _uint16(buffer, at, 0) == 2:
        tag, _, value, length = _element(buffer, at, stop, 0, batch.vr_flags)
        if tag < 0 or value + length > stop:
            return _cut(files, i, value + length, whole)
        at = value + length
        if length and tag == _TRANSFER_SYNTAX:
            files[i, layout.SYNTAX], files[i, layout.SYNTAX_END] = _stripped(buffer, value, at)
        elif length and tag == _MEDIA_INSTANCE_UID:
            files[i, layout.MEDIA_UID], files[i, layout.MEDIA_UID_END] = _stripped(buffer, value, at)
    if stop - at < 2:
        return _cut(files, i, at, whole)
    files[i, layout.START] = at
    start, end = files[i, layout.SYNTAX], files[i, layout.SYNTAX_END]
    files[i, layout.IS_BIG] = 1 if _is_same(buffer, start, end, batch.big) else 0
    for row in range(len(batch.deflated)):
        if _is_same(buffer, start, end, batch.deflated[row]):
            return layout.ODD
    return layout.PARSED


@inner
def _cut(files: Any, i: int, at: int, whole: Any) -> int:
    """Status of a file that must be read on from the offset `at`, but whose bytes here end before."""
    files[i, layout.NEXT] = at
    return layout.ODD if whole else layout.INCOMPLETE


@inner
def _is_same(buffer: Any, start: int, end: int, text: Any) -> Any:
    """Whether the bytes are those of `text`, which begins with its length as one byte."""
    same = start >= 0 and end - start == text[0]
    for i in range(end - start if same else 0):
        same = same and buffer[start + i] == text[1 + i]
    return same


@inner
def _begins_like_a_dataset(batch: Any, book: Any, at: int) -> Any:
    """Whether bytes without a preamble may be a bare data set: a known tag, then a VR or a length."""
    buffer = batch.buffer
    for encoding in (0, _BIG):
        if _begins_well(buffer, at, encoding, book.slots, book.about):
            vr = _vr_at(buffer, at + 4)
            is_vr = vr != layout.NO_VR and batch.vr_flags[vr] & layout.IS_STANDARD != 0
            return is_vr or _uint32(buffer, at + 4, encoding) < 1 << 16
    return False


@inner
def _encoding_at(buffer: Any, at: int, stop: int, is_big: int, slots: Any, about: Any) -> int:
    """How elements are really written, whatever the transfer syntax says; -1 when 8 bytes are not there."""
    if stop - at < 8:
        return -1
    declared, turned = (_BIG, 0) if is_big else (0, _BIG)
    if not _begins_well(buffer, at, declared, slots, about):
        declared = turned if _begins_well(buffer, at, turned, slots, about) else declared
    return declared | (_IMPLICIT if _vr_at(buffer, at + 4) == layout.NO_VR else 0)


@inner
def _element(buffer: Any, at: int, stop: int, encoding: int, vr_flags: Any) -> tuple[int, int, int, int]:
    """Tag, VR as written, start and length of the value; the tag is -1 when the bytes end before the value.

    An element of explicit VR without two capitals after its tag is read as implicit.
    """
    if stop - at < 8:
        return -1, layout.NO_VR, at, 0
    head = load8(buffer, at)
    letters = head >> 32
    if encoding & _BIG:
        head = head >> 8 & _LOW_BYTES | (head & _LOW_BYTES) << 8
    tag = (head & 0xFFFF) << 16 | (head >> 16 & 0xFFFF)
    first, second = head >> 32 & 0xFFFF, head >> 48 & 0xFFFF
    if not encoding & _IMPLICIT and tag >> 16 != _ITEMS:
        vr = _vr_of(letters)
        if vr != layout.NO_VR:
            if not vr_flags[np.uint64(vr)] & layout.IS_LONG:
                return tag, vr, at + 8, second
            if stop - at < 12:
                return -1, vr, at, 0
            return tag, vr, at + 12, _uint32(buffer, at + 8, encoding)
    return tag, layout.NO_VR, at + 8, (first << 16 | second if encoding & _BIG else second << 16 | first)


@inner
def _end_of_items(
    buffer: Any, at: int, stop: int, encoding: int, vr_flags: Any, depths: Any
) -> tuple[int, int]:
    """Where a value of undefined length ends and where the next element begins; or `_CUT` or `_MALFORMED`."""
    depth = 0
    encoding = _sequence_encoding(buffer, at, stop, encoding)
    while True:
        inside_item = encoding & _INSIDE_ITEM != 0
        as_written = encoding if inside_item else encoding | _IMPLICIT
        tag, _, value, length = _element(buffer, at, stop, as_written, vr_flags)
        if tag < 0:
            return _CUT, at
        closed = tag == (_ITEM_END if inside_item else _SEQUENCE_END)
        in_place = closed or (tag >> 16 != _ITEMS if inside_item else tag == _ITEM)
        if not in_place or (length == _UNDEFINED and depth == len(depths)):
            return _MALFORMED, at
        if closed:
            if depth == 0:
                return at, value
            depth -= 1
            encoding = depths[depth]
            at = value
        elif length == _UNDEFINED:
            depths[depth] = encoding
            depth += 1
            if inside_item:
                encoding = _sequence_encoding(buffer, value, stop, encoding & ~_INSIDE_ITEM)
            else:
                explicit = value + 6 <= stop and _vr_at(buffer, value + 4) != layout.NO_VR
                encoding |= _INSIDE_ITEM if explicit else _INSIDE_ITEM | _IMPLICIT
            at = value
        else:
            at = value + length


@inner
def _sequence_encoding(buffer: Any, at: int, stop: int, encoding: int) -> Any:
    """The encoding, with the byte order that the tag of the first item shows."""
    first = _uint16(buffer, at, 0) if stop - at >= 2 else 0
    if first == _ITEMS:
        return encoding & ~_BIG
    return encoding | _BIG if first == _TURNED_ITEMS else encoding


@inner
def _reserve(
    buffer: Any, start: int, end: int, block: int, book: Any, blocks: Any, misses: Any, n: Any
) -> None:
    """Enter a private creator for its block, unless it names nobody or has a block (PS3.5, 7.8.1)."""
    first, last = _stripped(buffer, start, end)
    if last - first > _LONGEST_CREATOR:
        return
    creator = find_creator(book.creator_slots, book.creator_bytes, book.creator_at, buffer, first, last)
    if creator < 0:
        blocks[block] = layout.UNSEEN
        _note(misses, n, first, last)
        return
    for other in range(0x10, 0x100):
        if blocks[other] == creator:
            return
    if book.creator_names[creator]:
        blocks[block] = creator


@entry
def find_creator(slots: Any, texts: Any, text_at: Any, buffer: Any, start: int, end: int) -> Any:
    """Number of the creator with these bytes; for an unknown one -2 - slot, of the free slot for it."""
    number: Any = end - start
    for i in range(start, end):
        number = (number ^ np.int64(buffer[i])) * _SPREAD
        number ^= number >> 29
    mask = len(slots) - 1
    slot = number & mask
    while slots[slot] >= 0:
        creator = np.int64(slots[slot])
        at, length = text_at[creator], text_at[creator + 1] - text_at[creator]
        same = length == end - start
        for i in range(length if same else 0):
            same = same and texts[at + i] == buffer[start + i]
        if same:
            return creator
        slot = (slot + 1) & mask
    return -2 - slot


@entry
def find_slot(slots: Any, packed: int) -> Any:
    """The slot that holds a packed key; for an unknown one the free slot for it."""
    mask = len(slots) - 1
    slot = ((packed * _SPREAD) >> 32) & mask
    while slots[slot, 0] != packed and slots[slot, 0] >= 0:
        slot = (slot + 1) & mask
    return slot


@inner
def _begins_well(buffer: Any, at: int, encoding: int, slots: Any, about: Any) -> Any:
    """Whether a tag is one with which a data set may begin."""
    group, element = _uint16(buffer, at, encoding), _uint16(buffer, at + 2, encoding)
    if element == 0 and group % 2 == 0 and 0 < group <= 0x20:
        return True
    key = slots[find_slot(slots, group << 16 | element), 1]
    return group > 0 and key >= 0 and about[key, layout.FLAGS] & layout.IS_KNOWN == layout.IS_KNOWN


@inner
def _note(misses: Any, n: Any, first: int, second: int) -> None:
    if n[1] < len(misses):
        misses[n[1], 0], misses[n[1], 1] = first, second
        n[1] += 1


@inner
def _vr_at(buffer: Any, at: int) -> int:
    return _vr_of(_uint16(buffer, at, 0))


@inner
def _vr_of(letters: int) -> int:
    first, second = (letters & 0xFF) - 65, (letters >> 8 & 0xFF) - 65
    return first * 26 + second if 0 <= first < 26 and 0 <= second < 26 else layout.NO_VR


@inner
def _is_one(buffer: Any, start: int, end: int, encoding: int) -> Any:
    if end == start:
        return False
    lowest = end - 1 if encoding & _BIG else start
    return buffer[lowest] == 1 and _are_zeros(buffer, start, lowest) and _are_zeros(buffer, lowest + 1, end)


@inner
def _are_zeros(buffer: Any, start: int, end: int) -> bool:
    zeros = True
    for i in range(start, end):
        zeros &= buffer[i] == 0
    return zeros


@inner
def _stripped(buffer: Any, start: int, end: int) -> tuple[int, int]:
    while end > start and (buffer[end - 1] == 32 or buffer[end - 1] == 0):
        end -= 1
    while start < end and (buffer[start] == 32 or buffer[start] == 0):
        start += 1
    return start, end


@inner
def _uint16(buffer: Any, at: int, encoding: int) -> Any:
    place = np.uint64(at)  # taken as it is; a signed index is tested for counting from the end
    first, second = np.int64(buffer[place]), np.int64(buffer[place + np.uint64(1)])
    return first << 8 | second if encoding & _BIG else first | second << 8


@inner
def _uint32(buffer: Any, at: int, encoding: int) -> Any:
    first, second = _uint16(buffer, at, encoding), _uint16(buffer, at + 2, encoding)
    return first << 16 | second if encoding & _BIG else first | second << 16
