"""Descriptors to the bytes and offsets of Arrow's texts, in numba.

`survey` measures how much room the texts need. It also finds the values that `write` cannot read: floats,
and texts with escape sequences or in a multi-byte character set. `mend` puts the texts of these into a pool.
`write` then writes all keys, all texts, and the VRs that are not the dictionary's.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dicomae.headers.compiled import copy16, entry, inlined, inner, load8

# How the values of a VR are read.
UNKNOWN, STRAY_ITEM, BULK, SEQUENCE, TAGS, INTEGERS, FLOATS, TEXT = range(8)
# A rule is one of these and some of:
FAMILY, SIZE_SHIFT = 15, 4  # the bits that it takes; then four bits for the bytes of a value
SIGNED, STRIPS_LEFT, SPLITS, DECODES, IS_NUMBER = 0x100, 0x200, 0x400, 0x800, 0x1000
# How texts are decoded: by the table of a single-byte character set (its number), or:
UTF_8, BY_PYTHON = -1, -2
ERRORS = ("", "unknown_vr", "bad_length", "undecodable", "not_text", "stray_item")  # by number
GROWTH = 5  # bytes of text for a byte of value, at the most: a single like -1234567800000000.0
LONGEST_FIXED = 24  # bytes of "[n bytes]"

_NULL = -1  # and below it: less the number of an error
_UNKNOWN_VR, _BAD_LENGTH, _NOT_TEXT, _STRAY = 1, 2, 4, 5
_BACKSLASH, _ESCAPE, _BLANK, _MINUS, _ZERO = 92, 27, 32, 45, 48
# Eight bytes at once; the highest bit of each answers for it.
_HIGHEST, _ONES, _BLANKS = -0x7F7F7F7F7F7F7F80, 0x0101010101010101, 0x2020202020202020
_ITEM_GROUP = ((0xFE, 0xFF, 0xDD, 0xE0), (0xFF, 0xFE, 0xE0, 0xDD))  # (FFFE,E0DD) in both byte orders


class Source(NamedTuple):
    """What is written. `buffer`, `pool` and `text` have `SLACK` bytes more than they need."""

    buffer: npt.NDArray[np.uint8]
    elements: npt.NDArray[np.int64]  # (n, 4) descriptors, as in `layout.Found`
    first: npt.NDArray[np.int64]  # (n_rows + 1,) element with which each row begins
    charset: npt.NDArray[np.int64]  # (n_rows,) how its texts are decoded
    is_big: npt.NDArray[np.bool_]  # (n_rows,) whether its numbers are big endian
    letters: npt.NDArray[np.int32]  # (n_charsets, 256) code points; -1 is none
    ready: npt.NDArray[np.bool_]  # (n,) the value lies in the pool, as a text; an empty one is null
    pool: npt.NDArray[np.uint8]
    rules: npt.NDArray[np.int64]  # (VR_CODES,)
    about: npt.NDArray[np.int16]  # of keys, as in `layout.Book`
    text: npt.NDArray[np.uint8]
    text_at: npt.NDArray[np.int64]


class Written(NamedTuple):
    """What `write` fills; `keys`, `values` and `vr_keys` have `SLACK` bytes more than they need.

    Offsets begin with 0. A deviating element has another VR than the dictionary's; `vrs` holds these alone.
    """

    key_at: npt.NDArray[np.int32]  # (n + 1,)
    keys: npt.NDArray[np.uint8]
    value_at: npt.NDArray[np.int32]  # (n + 1,)
    values: npt.NDArray[np.uint8]
    filled: npt.NDArray[np.bool_]  # (n,) False is null
    errors: npt.NDArray[np.uint8]  # (n,) numbers in ERRORS; given as 0, or as the mending has left it
    row_vrs_at: npt.NDArray[np.int32]  # (n_rows + 1,)
    vr_key_at: npt.NDArray[np.int32]  # (n_deviating + 1,)
    vr_keys: npt.NDArray[np.uint8]
    vrs: npt.NDArray[np.uint8]  # two bytes each


@entry
def survey(source: Any, mends: Any) -> tuple[int, int, int, int, int]:
    """Bytes of keys, bytes of values, number of deviating elements, bytes of their keys, number of mends.

    The bytes of values are the most that they can be.

    Parameters
    ----------
    mends : int64 `(n,)`, filled: the elements that `write` cannot read.
    """
    elements, about, text_at, rules = source.elements, source.about, source.text_at, source.rules
    buffer, letters = source.buffer, source.letters
    n_keys, n_values, n_deviating, n_vr_keys, n_mends = 0, 0, 0, 0, 0
    for row in range(len(source.charset)):
        charset = source.charset[row]
        for i in range(source.first[row], source.first[row + 1]):
            key, vr, start, end = elements[i, 0], elements[i, 1], elements[i, 2], elements[i, 3]
            length = text_at[key + 1] - text_at[key]
            n_keys += length
            rule = rules[vr]
            family = rule & FAMILY
            n_values += LONGEST_FIXED if family in (BULK, SEQUENCE) else GROWTH * (end - start)
            if vr != about[key, 0] and family != STRAY_ITEM:
                n_deviating += 1
                n_vr_keys += length
            size = (rule >> SIZE_SHIFT) & 15
            is_mend = family == FLOATS and end > start and (end - start) % size == 0
            if rule & DECODES:
                is_mend = not _is_decodable(buffer, start, end, charset, letters)
            if is_mend:
                mends[n_mends] = i
                n_mends += 1
    return n_keys, n_values, n_deviating, n_vr_keys, n_mends


@entry
def write(source: Any, written: Any) -> None:
    """Fill `written`."""
    _write_keys(source, written)
    buffer, elements, letters = source.buffer, source.elements, source.letters
    values, value_at, filled, errors = written.values, written.value_at, written.filled, written.errors
    ready, pool, rules = source.ready, source.pool, source.rules
    at = 0
    value_at[0] = 0
    for row in range(len(source.charset)):
        charset, is_big = source.charset[row], source.is_big[row]
        for i in range(source.first[row], source.first[row + 1]):
            start, end, rule = elements[i, 2], elements[i, 3], rules[elements[i, 1]]
            if ready[i]:
                after = _copy(pool, start, end, values, at)
            elif rule & FAMILY == TEXT:
                after = _write_text(buffer, start, end, rule, charset, letters, values, at)
            else:
                after = _write_other(buffer, start, end, rule, is_big, values, at)
            if after < _NULL:
                errors[i] = _NULL - after
            filled[i] = after > at
            at = max(at, after)
            value_at[i + 1] = at


@inner
def _write_keys(source: Any, written: Any) -> None:
    elements, about, text, text_at, rules = (
        source.elements,
        source.about,
        source.text,
        source.text_at,
        source.rules,
    )
    keys, key_at = written.keys, written.key_at
    vr_keys, vr_key_at, vrs = written.vr_keys, written.vr_key_at, written.vrs
    at, vr_at, n_vrs = 0, 0, 0
    key_at[0] = vr_key_at[0] = written.row_vrs_at[0] = 0
    for row in range(len(source.charset)):
        first, stop = source.first[row], source.first[row + 1]
        before = source.first[row - 1] if row else first
        if (
            _are_alike(elements, before, first, stop)
            and written.row_vrs_at[row] == written.row_vrs_at[row - 1]
        ):
            shift = at - key_at[before]
            at = _copy(keys, key_at[before], at, keys, at)
            for i in range(first, stop):
                key_at[i + 1] = key_at[i + 1 + before - first] + shift
            written.row_vrs_at[row + 1] = n_vrs
            continue
        for i in range(first, stop):
            key, vr = elements[i, 0], elements[i, 1]
            start, end = text_at[key], text_at[key + 1]
            at = _copy(text, start, end, keys, at)
            key_at[i + 1] = at
            if vr != about[key, 0] and rules[vr] & FAMILY != STRAY_ITEM:
                vr_at = _copy(text, start, end, vr_keys, vr_at)
                vrs[2 * n_vrs], vrs[2 * n_vrs + 1] = 65 + vr // 26, 65 + vr % 26
                n_vrs += 1
                vr_key_at[n_vrs] = vr_at
        written.row_vrs_at[row + 1] = n_vrs


@inner
def _are_alike(elements: Any, before: int, first: int, stop: int) -> bool:
    """Whether a row has elements, with the keys and VRs of the row before, as two files of a series have."""
    alike = stop - first == first - before and stop > first
    for i in range(first, stop if alike else first):
        other = i + before - first
        if elements[i, 0] != elements[other, 0] or elements[i, 1] != elements[other, 1]:
            return False
    return alike


@inlined
def _write_other(buffer: Any, start: int, end: int, rule: int, is_big: bool, out: Any, at: int) -> int:
    """Offset after the text of a value that is no text itself; `_NULL`, or `_NULL` less an error's number."""
    family = rule & FAMILY
    if family == STRAY_ITEM:
        return _NULL - _STRAY
    if start == end:
        return _NULL
    if family == INTEGERS:
        return _write_integers(buffer, start, end, rule, is_big, out, at)
    if family == SEQUENCE:
        return _write_sequence(buffer, start, end, out, at)
    if family == BULK:
        return _write_bulk(end - start, out, at)
    if family == TAGS:
        return _write_tags(buffer, start, end, is_big, out, at)
    return _NULL - (_BAD_LENGTH if family == FLOATS else _UNKNOWN_VR)  # whole floats are ready


@inlined
def _write_text(
    buffer: Any, start: int, end: int, rule: int, charset: int, letters: Any, out: Any, at: int
) -> int:
    """Offset after the text; `_NULL`, or `_NULL` less an error's number."""
    plain, several = _ascii_and_has(buffer, start, end, _BACKSLASH)
    if not rule & DECODES:
        charset = 0  # latin-1
    begin, filled, strips_left, stop = at, False, rule & STRIPS_LEFT != 0, start - 1
    while stop < end:
        low = stop + 1
        stop = end
        if several and rule & SPLITS:
            stop = low
            while stop < end and buffer[stop] != _BACKSLASH:
                stop += 1
        high = stop
        while high > low and (buffer[high - 1] == _BLANK or buffer[high - 1] == 0):
            high -= 1
        while strips_left and low < high and (buffer[low] == _BLANK or buffer[low] == 0):
            low += 1
        filled |= high > low
        if plain or charset == UTF_8:
            at = _copy(buffer, low, high, out, at)
        else:
            at = _write_letters(buffer, low, high, letters, charset, out, at)
        if stop < end:
            out[at] = _BACKSLASH
            at += 1
    if not filled:
        return _NULL
    if rule & IS_NUMBER and not _is_printable(out, begin, at):
        return _NULL - _NOT_TEXT
    return at


@inner
def _is_printable(text: Any, start: int, end: int) -> bool:
    others, at = 0, start
    while at < end:
        word = load8(text, at)
        if end - at < 8:
            ours = (1 << 8 * (end - at)) - 1
            word = (word & ours) | (_BLANKS & ~ours)
        others |= word | ((word - _BLANKS) & ~word) | (word + _ONES)
        at += 8
    return others & _HIGHEST == 0


@inner
def _ascii_and_has(buffer: Any, start: int, end: int, letter: int) -> tuple[bool, bool]:
    """Whether all bytes are ASCII; and whether one of them is this letter."""
    letters, highest, found, at = letter * _ONES, 0, 0, start
    while at < end:
        word = load8(buffer, at)
        if end - at < 8:
            word &= (1 << 8 * (end - at)) - 1
        highest |= word
        word ^= letters
        found |= (word - _ONES) & ~word
        at += 8
    return highest & _HIGHEST == 0, found & _HIGHEST != 0


@inner
def _is_decodable(buffer: Any, start: int, end: int, charset: int, letters: Any) -> bool:
    """Whether `write` can decode the bytes: no escape sequence, and a character set that it knows."""
    plain, escaped = _ascii_and_has(buffer, start, end, _ESCAPE)
    if plain or escaped:
        return not escaped
    if charset == UTF_8:
        return _is_utf8(buffer, start, end)
    decodable = charset >= 0
    for i in range(start, end if decodable else start):
        decodable = decodable and letters[charset, buffer[i]] >= 0
    return decodable


@inner
def _is_utf8(buffer: Any, at: int, end: int) -> bool:
    """Whether the bytes are well-formed UTF-8 (the Unicode Standard, table 3-7)."""
    while at < end:
        lead = buffer[at]
        n = 1 if lead < 0x80 else 2 if 0xC2 <= lead < 0xE0 else 3 if lead < 0xF0 else 4
        if at + n > end or 0x80 <= lead < 0xC2 or lead > 0xF4:
            return False
        for i in range(at + 1, at + n):
            if buffer[i] & 0xC0 != 0x80:
                return False
        if n > 2:
            second = buffer[at + 1]
            if (lead == 0xE0 and second < 0xA0) or (lead == 0xED and second > 0x9F):
                return False
            if (lead == 0xF0 and second < 0x90) or (lead == 0xF4 and second > 0x8F):
                return False
        at += n
    return True


@inner
def _write_letters(buffer: Any, start: int, end: int, letters: Any, charset: int, out: Any, at: int) -> int:
    """Write bytes of a single-byte character set as UTF-8, of at most three bytes a letter."""
    for i in range(start, end):
        point = letters[charset, buffer[i]]
        if point < 0x80:
            out[at] = point
            at += 1
        elif point < 0x800:
            out[at], out[at + 1] = 0xC0 | point >> 6, 0x80 | (point & 63)
            at += 2
        else:
            out[at], out[at + 1] = 0xE0 | point >> 12, 0x80 | (point >> 6 & 63)
            out[at + 2] = 0x80 | (point & 63)
            at += 3
    return at


@inner
def _write_integers(buffer: Any, start: int, end: int, rule: int, is_big: bool, out: Any, at: int) -> int:
    size = (rule >> SIZE_SHIFT) & 15
    if (end - start) % size:
        return _NULL - _BAD_LENGTH
    ones = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * size)
    for value in range(start, end, size):
        if value > start:
            out[at] = _BACKSLASH
            at += 1
        bits = np.uint64(load8(buffer, value)) & ones
        if is_big:
            bits = np.uint64(0)
            for place in range(value, value + size):
                bits = bits << np.uint64(8) | np.uint64(buffer[place])
        if rule & SIGNED and bits >> np.uint64(8 * size - 1):
            out[at] = _MINUS
            at += 1
            bits = (~bits + np.uint64(1)) & ones
        at = _write_number(bits, out, at)
    return at


@inner
def _write_number(number: Any, out: Any, at: int) -> int:
    ten = np.uint64(10)
    n, rest = 1, number
    while rest >= ten:
        rest //= ten
        n += 1
    for i in range(at + n - 1, at - 1, -1):
        out[i] = np.uint8(_ZERO) + np.uint8(number % ten)
        number //= ten
    return at + n


@inner
def _write_tags(buffer: Any, start: int, end: int, is_big: bool, out: Any, at: int) -> int:
    if (end - start) % 4:
        return _NULL - _BAD_LENGTH
    for value in range(start, end, 4):
        if value > start:
            out[at] = _BACKSLASH
            at += 1
        for i in (1, 0, 3, 2):  # the bytes of group and element, the higher first
            byte = buffer[value + (i ^ 1 if is_big else i)]
            high, low = byte >> 4, byte & 15
            out[at] = high + (48 if high < 10 else 55)
            out[at + 1] = low + (48 if low < 10 else 55)
            at += 2
    return at


@inner
def _write_bulk(length: int, out: Any, at: int) -> int:
    out[at] = 91  # [
    at = _write_number(np.uint64(length), out, at + 1)
    for letter in (32, 98, 121, 116, 101, 115, 93):  # " bytes]"
        out[at] = letter
        at += 1
    return at


@inner
def _write_sequence(buffer: Any, start: int, end: int, out: Any, at: int) -> int:
    """Write `[sequence]`; nothing when a delimiter stands in place of the first item."""
    for delimiter in _ITEM_GROUP:
        same = end - start >= 4
        for i in range(4 if same else 0):
            same = same and buffer[start + i] == delimiter[i]
        if same:
            return _NULL
    for letter in (91, 115, 101, 113, 117, 101, 110, 99, 101, 93):  # [sequence]
        out[at] = letter
        at += 1
    return at


@inner
def _copy(text: Any, start: int, end: int, out: Any, at: int) -> int:
    for done in range(0, end - start, 16):
        copy16(text, start + done, out, at + done)
    return at + end - start
