"""Where the wanted elements lie in the functional groups of many files, in numba.

Only what is written as the standard has it is followed: one encoding, tags that rise, the dictionary's VRs,
lengths that fit. Any other file is `odd`; `plain` reads it then, and `dataset.first_item` is the twin of this
walk. Nothing here reads a value. Every read is checked against the end of the sequence that it is in.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dicomae.headers import layout
from dicomae.headers.compiled import entry, inner

WHICH, START, END, HAS_TEXT = range(4)  # columns of places
ROOT, NO_PATH = 0, -1  # the item of a group; what is no wanted element but on the way to one
GROUPS = 2  # the last columns of what is promoted
ELEMENTS = 1024  # of the items that are entered, in one file; with more it is odd, since plain stops there

_SQ = 18 * 26 + 16
_UNDEFINED, _ITEMS, _IRREGULAR = 0xFFFFFFFF, 0xFFFE, -2
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_FIRST_PIXELS, _LAST_PIXELS = 0x7FE00008, 0x7FE00010
_CHARACTER_SET, _PIXEL_REPRESENTATION = 0x00080005, 0x00280103  # settings of an item: for plain
_BACKSLASH, _BLANK = 92, 32
_IMPLICIT, _BIG = 1, 2  # bits of how elements are written
_AT, _STOP, _ITEM_STOP, _NODE, _BEFORE = range(5)  # columns of levels, one for each open item


class Tree(NamedTuple):
    """The wanted paths as a tree, whose nodes are sequences and, as leaves, elements."""

    edges: npt.NDArray[np.int64]  # (n_nodes - 1, 3) node, tag, child
    vrs: npt.NDArray[np.int64]  # (n_nodes,) code of the VR that an element must have
    path: npt.NDArray[np.int64]  # (n_nodes,) number of the path that ends here, or NO_PATH


@entry
def locate(
    batch: Any, found: Any, rows: Any, which: Any, tree: Any, levels: Any, places: Any, odd: Any
) -> None:
    """Fill `places` and `odd`.

    Parameters
    ----------
    rows, which : files that are rows, and positions among them of those with groups.
    levels : int64 `(n_levels, 5)`, for the walk alone.
    places : int64 `(n, n_paths, 4)`, filled: the number of the group, start and end of the value, and whether
        it has text; all are -1 where no group has it.
    odd : bool `(n,)`.
    """
    buffer, elements = batch.buffer, found.elements
    first_group = found.promoted.shape[1] - GROUPS
    for i in range(len(which)):
        row = rows[which[i]]
        encoding = _BIG if found.files[row, layout.IS_BIG] == 1 else 0
        encoding |= 0 if _is_vr(buffer, found.files[row, layout.START] + 4) else _IMPLICIT
        room: Any = ELEMENTS
        places[i] = -1
        for group in range(GROUPS):
            place = found.promoted[row, first_group + group]
            if place >= 0 and room >= 0 and elements[place, layout.VR] == _SQ:
                start, end = elements[place, layout.VALUE], elements[place, layout.VALUE_END]
                room = _walk_group(
                    buffer, batch.vr_flags, start, end, encoding, tree, levels, places, i, group, room
                )
        odd[i] = room < 0
        if odd[i]:
            places[i] = -1


@entry
def insert(
    found: Any, rows: Any, which: Any, places: Any, keys: Any, top_keys: Any, vrs: Any, kept: Any
) -> None:
    """Put what was located behind the elements of its row, into `found`, which has room for it.

    Parameters
    ----------
    rows, which : files that are rows, and positions among them of those with groups; both ascend.
    places : as `locate` has filled it.
    keys, top_keys, vrs : int64 `(n_elements,)`, of the first paths: their key, the key at the top that
        forbids them, their VR.
    kept : bool `(n, n_elements)`, filled: whether a path has become an element.
    """
    elements, files, promoted = found.elements, found.files, found.promoted
    added = _choose(elements, files, rows, which, places, top_keys, kept)
    found.n[0] += added
    i = len(which) - 1
    for position in range(len(rows) - 1, -1, -1):  # from the last row on, so that none is written over
        row, of_row = rows[position], 0
        first, stop = files[row, layout.FIRST], files[row, layout.FIRST] + files[row, layout.COUNT]
        if i >= 0 and which[i] == position:
            for path in range(len(keys) - 1, -1, -1):
                if kept[i, path]:
                    of_row += 1
                    place = stop + added - of_row
                    elements[place, layout.KEY], elements[place, layout.VR] = keys[path], vrs[path]
                    elements[place, layout.VALUE] = places[i, path, START]
                    elements[place, layout.VALUE_END] = places[i, path, END]
            i -= 1
        added -= of_row
        files[row, layout.COUNT] += of_row
        if added:
            files[row, layout.FIRST] += added
            _move(elements, promoted, row, first, stop, added)


@inner
def _choose(elements: Any, files: Any, rows: Any, which: Any, places: Any, top_keys: Any, kept: Any) -> int:
    """How many elements are new in all; `kept` says which: what is located, and not at the top."""
    added = 0
    for i in range(len(which)):
        row = rows[which[i]]
        first, stop = files[row, layout.FIRST], files[row, layout.FIRST] + files[row, layout.COUNT]
        for path in range(len(top_keys)):
            kept[i, path] = places[i, path, WHICH] >= 0
            for place in range(first, stop if kept[i, path] else first):
                if elements[place, layout.KEY] == top_keys[path]:
                    kept[i, path] = False
            added += 1 if kept[i, path] else 0
    return added


@inner
def _move(elements: Any, promoted: Any, row: int, first: int, stop: int, by: int) -> None:
    for place in range(stop - 1, first - 1, -1):
        for column in range(4):
            elements[place + by, column] = elements[place, column]
    for column in range(promoted.shape[1]):
        if promoted[row, column] >= 0:
            promoted[row, column] += by


@inner
def _walk_group(
    buffer: Any,
    vr_flags: Any,
    start: int,
    end: int,
    encoding: int,
    tree: Any,
    levels: Any,
    places: Any,
    row: int,
    group: int,
    room: Any,
) -> Any:
    """How many more elements may follow in the file; negative when it is odd."""
    depth = _entered(buffer, vr_flags, start, end, encoding, ROOT, levels, -1)
    while depth >= 0:
        at, stop, item_stop = levels[depth, _AT], levels[depth, _STOP], levels[depth, _ITEM_STOP]
        if at == item_stop or (item_stop < 0 and _closes_item(buffer, at, stop, encoding, vr_flags)):
            depth -= 1
            continue
        limit = item_stop if item_stop >= 0 else stop
        tag, vr, value, value_end, after = _element(buffer, at, limit, encoding, vr_flags)
        if tag <= levels[depth, _BEFORE] or room == 0 or _is_for_plain(tag):
            return _IRREGULAR
        levels[depth, _AT], levels[depth, _BEFORE] = after, tag
        if tag & 0xFFFF == 0:  # a group length
            continue
        room -= 1
        child = _child(tree.edges, levels[depth, _NODE], tag)
        if child < 0:
            continue
        expected, path = tree.vrs[child], tree.path[child]
        is_expected = vr == expected or (encoding & _IMPLICIT and vr == layout.NO_VR and expected >= 0)
        if not is_expected:
            return _IRREGULAR
        if path == NO_PATH:
            depth = _entered(buffer, vr_flags, value, value_end, encoding, child, levels, depth)
        elif not _keep(buffer, value, value_end, places, row, path, group):
            return _IRREGULAR
    return room if depth == -1 else _IRREGULAR


@inner
def _entered(
    buffer: Any, vr_flags: Any, at: int, end: int, encoding: int, node: int, levels: Any, depth: int
) -> int:
    """The depth after the first item of a sequence was entered; the same where there is none."""
    if at == end:
        return depth
    tag, _, content, length = _header(buffer, at, end, encoding, vr_flags)
    if tag == _SEQUENCE_END:
        return depth
    stop = -1 if length == _UNDEFINED else content + length
    if tag != _ITEM or stop > end or depth + 1 == len(levels):
        return _IRREGULAR
    depth += 1
    levels[depth, _AT], levels[depth, _STOP], levels[depth, _ITEM_STOP] = content, end, stop
    levels[depth, _NODE], levels[depth, _BEFORE] = node, -1
    return depth


@inner
def _keep(buffer: Any, start: int, end: int, places: Any, row: int, path: int, group: int) -> bool:
    """Note the place of a value, unless an earlier group has one with text; False when that is in doubt.

    Whether a byte is text depends on the VR when it is padding, a backslash, or a control character.
    """
    has_text = False
    for i in range(start, end):
        has_text |= buffer[i] > _BLANK and buffer[i] != _BACKSLASH
    if places[row, path, WHICH] < 0 or (has_text and places[row, path, HAS_TEXT] == 0):
        places[row, path, WHICH], places[row, path, HAS_TEXT] = group, 1 if has_text else 0
        places[row, path, START], places[row, path, END] = start, end
    return has_text or start == end


@inner
def _element(
    buffer: Any, at: int, limit: int, encoding: int, vr_flags: Any
) -> tuple[int, int, int, int, int]:
    """Tag, VR as written, start and end of the value, and where the next element begins; tag -1 when odd."""
    tag, vr, value, length = _header(buffer, at, limit, encoding, vr_flags)
    if tag < 0 or length != _UNDEFINED:
        end = value + length
        return (tag if end <= limit else -1), vr, value, end, end
    end = _end_of_items(buffer, value, limit, encoding, vr_flags) if vr in (layout.NO_VR, _SQ) else -1
    return (tag if end >= 0 else -1), _SQ, value, end, end + 8


@inner
def _end_of_items(buffer: Any, at: int, limit: int, encoding: int, vr_flags: Any) -> int:
    """Where the delimiter of a sequence of undefined length stands; negative when it is irregular.

    Levels of undefined length alternate: a sequence is at an even depth, an item at an odd one.
    """
    depth = 0
    while depth <= layout.MAXIMUM_DEPTH:
        tag, vr, value, length = _header(buffer, at, limit, encoding, vr_flags)
        inside_item = depth & 1 == 1
        if tag == (_ITEM_END if inside_item else _SEQUENCE_END):
            if depth == 0:
                return at
            depth -= 1
            at = value
            continue
        in_place = tag >> 16 != _ITEMS if inside_item else tag == _ITEM
        if tag < 0 or not in_place:
            return _IRREGULAR
        if length != _UNDEFINED:
            at = value + length
        elif vr in (layout.NO_VR, _SQ):
            at = value
            depth += 1
        else:
            return _IRREGULAR
    return _IRREGULAR


@inner
def _header(buffer: Any, at: int, limit: int, encoding: int, vr_flags: Any) -> tuple[int, int, int, int]:
    """Tag, VR as written, start and length of the value; tag -1 when there is none, or no standard VR."""
    if limit - at < 8:
        return -1, layout.NO_VR, at, 0
    tag = _uint16(buffer, at, encoding) << 16 | _uint16(buffer, at + 2, encoding)
    if encoding & _IMPLICIT or tag >> 16 == _ITEMS:
        return tag, layout.NO_VR, at + 8, _uint32(buffer, at + 4, encoding)
    if not _is_vr(buffer, at + 4):
        return -1, layout.NO_VR, at, 0
    vr: Any = (np.int64(buffer[at + 4]) - 65) * 26 + np.int64(buffer[at + 5]) - 65
    flags = vr_flags[vr]
    if not flags & layout.IS_STANDARD or (flags & layout.IS_LONG and limit - at < 12):
        return -1, layout.NO_VR, at, 0
    if flags & layout.IS_LONG:
        return tag, vr, at + 12, _uint32(buffer, at + 8, encoding)
    return tag, vr, at + 8, _uint16(buffer, at + 6, encoding)


@inner
def _closes_item(buffer: Any, at: int, stop: int, encoding: int, vr_flags: Any) -> bool:
    tag, _, _, length = _header(buffer, at, stop, encoding, vr_flags)
    return tag == _ITEM_END and length == 0


@inner
def _is_for_plain(tag: int) -> bool:
    is_pixels = _FIRST_PIXELS <= tag <= _LAST_PIXELS
    return is_pixels or tag >> 16 == _ITEMS or tag in (_CHARACTER_SET, _PIXEL_REPRESENTATION)


@inner
def _child(edges: Any, node: int, tag: int) -> Any:
    for i in range(len(edges)):
        if edges[i, 0] == node and edges[i, 1] == tag:
            return edges[i, 2]
    return -1


@inner
def _is_vr(buffer: Any, at: int) -> Any:
    return 65 <= buffer[at] <= 90 and 65 <= buffer[at + 1] <= 90


@inner
def _uint16(buffer: Any, at: int, encoding: int) -> Any:
    first, second = np.int64(buffer[at]), np.int64(buffer[at + 1])
    return first << 8 | second if encoding & _BIG else first | second << 8


@inner
def _uint32(buffer: Any, at: int, encoding: int) -> Any:
    first, second = _uint16(buffer, at, encoding), _uint16(buffer, at + 2, encoding)
    return first << 16 | second if encoding & _BIG else first | second << 16
