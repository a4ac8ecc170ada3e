"""Elements of functional groups among the kernel's descriptors: of usual files, without plain Python.

    found (walk) ──► locate (group_walk) ──► found with the elements behind those of their row
                        └─ odd ──► plain        └──► write ──► rows ──► marks in `vrs`, `has_window`

`functional_groups` says what is wanted; `plain` reads the same in its own way.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydicom.datadict import tag_for_keyword

from dicomae.dicom import keys, vr
from dicomae.headers import functional_groups, group_walk, keybook, layout
from dicomae.headers.functional_groups import DEEPEST, GROUPS, Wanted
from dicomae.headers.walk import find_slot

_SQ = keybook.vr_code("SQ")
_NO_SUCH_VR = -3  # "US or SS": only plain knows the sign of the pixels


class Groups(NamedTuple):
    """Where the wanted elements are, in the rows that have functional groups."""

    wanted: Wanted
    which: npt.NDArray[np.int64]  # (n,) those rows
    places: npt.NDArray[np.int64]  # (n, n_paths, 4) see `group_walk`
    kept: npt.NDArray[np.bool_]  # (n, n_elements) whether a path has become an element
    odd: npt.NDArray[np.int64]  # rows that plain must read


def located(
    batch: layout.Batch, found: layout.Found, rows: npt.NDArray[np.int64], wanted: Wanted
) -> Groups | None:
    """The groups of these rows; None when no row has any, as in an archive of classic images."""
    per_frame, shared = found.promoted[:, len(keybook.PROMOTED) :].T
    which = np.flatnonzero((per_frame & shared)[rows] >= 0)  # -1 is none, and only -1 & -1 is negative
    if not len(which):
        return None
    places = np.empty((len(which), len(wanted.paths), 4), np.int64)
    odd = np.empty(len(which), np.bool_)
    levels = np.empty((DEEPEST + 1, 5), np.int64)
    group_walk.locate(batch, found, rows, which, _tree(wanted), levels, places, odd)
    for i in np.flatnonzero(odd).tolist():
        odd[i] = _may_hold(batch, found, rows[which[i]], wanted)
    kept = np.zeros((len(which), wanted.n_elements), np.bool_)
    return Groups(wanted, which, places, kept, which[odd])


def _may_hold(batch: layout.Batch, found: layout.Found, row: int, wanted: Wanted) -> bool:
    """Whether a macro may be in the groups of a row; `plain` does not follow them either where none is."""
    places = [place for place in found.promoted[row, len(keybook.PROMOTED) :].tolist() if place >= 0]
    spans = found.elements[places][:, [layout.VALUE, layout.VALUE_END]].tolist()
    values = [batch.buffer[start:end].tobytes() for start, end in spans]
    return any(wanted.may_be_in(value, 0, len(value)) for value in values)


def inserted(
    book: layout.Book, found: layout.Found, rows: npt.NDArray[np.int64], groups: Groups
) -> layout.Book:
    """The book with keys for what was located; `found` gets it behind the elements of its row."""
    if not groups.wanted.n_elements:
        return book
    names = _NAMES.of(book, groups.wanted)
    group_walk.insert(
        found, rows, groups.which, groups.places, names.keys, names.top_keys, names.vrs, groups.kept
    )
    return names.book


class _Names(NamedTuple):
    """A book with keys for the elements of groups: their numbers, those of the keys at the top, their VRs."""

    book: layout.Book
    keys: npt.NDArray[np.int64]
    top_keys: npt.NDArray[np.int64]
    vrs: npt.NDArray[np.int64]


class _LastNames:
    """The names that the threads of this process share, of the last book and what was wanted with it."""

    def __init__(self) -> None:
        self.last: tuple[layout.Book, Wanted, _Names] | None = None

    def of(self, book: layout.Book, wanted: Wanted) -> _Names:
        last = self.last
        if last is not None and last[0] is book and last[1] == wanted:
            return last[2]
        made = _names(book, wanted)
        self.last = book, wanted, made
        return made


_NAMES = _LastNames()


def _names(book: layout.Book, wanted: Wanted) -> _Names:
    paths = wanted.paths[: wanted.n_elements]
    tops = [_tag(functional_groups.top_key_of(path)) for path in paths]
    top_keys = [book.slots[find_slot(book.slots, tag), 1] for tag in tops]
    named = keybook.with_names(book, [functional_groups.key_of(path) for path in paths])
    new = np.arange(len(book.about), len(named.about))
    return _Names(named, new, _int64(top_keys), named.about[new, layout.STANDARD].astype(np.int64))


def with_groups(
    columns: dict[str, pa.Array], buffer: npt.NDArray[np.uint8], groups: Groups
) -> dict[str, pa.Array]:
    """Columns of `HEADER`, with marks in `vrs`, and with the windows that stand in groups in `has_window`."""
    windows = np.zeros(len(columns["vrs"]), np.bool_)
    windows[groups.which] = _windows(buffer, groups.places[:, groups.wanted.window, :])
    has_window = pc.or_(columns["has_window"], pa.array(windows))
    row, path = np.nonzero(groups.kept)
    if not len(row):
        return {**columns, "has_window": has_window}
    names, marks = _marks(groups.wanted)
    mark = groups.places[row, path, group_walk.WHICH] * groups.wanted.n_elements + path
    names, marks = names.take(pa.array(path)), marks.take(pa.array(mark))
    vrs = _extended(columns["vrs"], groups.which[row], names, marks)
    return {**columns, "has_window": has_window, "vrs": vrs}


def _windows(buffer: npt.NDArray[np.uint8], places: npt.NDArray[np.int64]) -> list[bool]:
    """Whether each row has a window. `places` are int64 (n, 2, 4), of its centre and its width."""
    spans = places[:, :, [group_walk.START, group_walk.END]].reshape(-1, 4).tolist()
    return [
        centre >= 0
        and width >= 0
        and _is_window(buffer[centre:centre_end].tobytes(), buffer[width:width_end].tobytes())
        for centre, centre_end, width, width_end in spans
    ]


@lru_cache(maxsize=4096)
def _is_window(centre: bytes, width: bytes) -> bool:
    encoding = vr.ValueEncoding(True, ())
    try:
        return functional_groups.is_window(*(vr.text_of("DS", value, encoding) for value in (centre, width)))
    except vr.UnreadableValue:
        return False


def _extended(
    column: pa.MapArray, rows: npt.NDArray[np.int64], names: pa.StringArray, texts: pa.StringArray
) -> pa.MapArray:
    """The maps, with entries behind those of their row; `rows` ascends."""
    first = np.asarray(column.offsets)
    n_entries = int(first[-1])
    order = pa.array(
        np.insert(np.arange(n_entries), first[rows + 1], np.arange(n_entries, n_entries + len(rows)))
    )
    offsets = (first + np.searchsorted(rows, np.arange(len(first)))).astype(np.int32)
    return pa.MapArray.from_arrays(
        pa.array(offsets),
        pa.concat_arrays([column.keys, names]).take(order),
        pa.concat_arrays([column.items, texts]).take(order),
    )


@lru_cache(maxsize=64)
def _marks(wanted: Wanted) -> tuple[pa.StringArray, pa.StringArray]:
    """`(n_elements,)`, keys; and `(n_groups * n_elements,)`, the mark of each, group by group."""
    paths = wanted.paths[: wanted.n_elements]
    names = [functional_groups.key_of(path) for path in paths]
    marks = [
        functional_groups.mark_of(keys.standard_vr(path) or "UN", group, path)
        for group in GROUPS
        for path in paths
    ]
    return pa.array(names, pa.string()), pa.array(marks, pa.string())


@lru_cache(maxsize=64)
def _tree(wanted: Wanted) -> group_walk.Tree:
    nodes: dict[tuple[str, ...], int] = {(): group_walk.ROOT}
    edges, vrs, ends = [], [_SQ], [group_walk.NO_PATH]
    for number, path in enumerate(wanted.paths):
        words = path.split("[0].")
        for depth, word in enumerate(words, 1):
            way = tuple(words[:depth])
            if way not in nodes:
                nodes[way] = len(nodes)
                edges.append((nodes[way[:-1]], _tag(word), nodes[way]))
                vrs.append(_vr(word))
                ends.append(number if depth == len(words) else group_walk.NO_PATH)
    return group_walk.Tree(_int64(edges), _int64(vrs), _int64(ends))


def _vr(keyword: str) -> int:
    return _NO_SUCH_VR if _tag(keyword) in keys.SIGN_DEPENDS else keybook.vr_code(keys.standard_vr(keyword))


def _tag(keyword: str) -> int:
    return int(tag_for_keyword(keyword) or 0)


def _int64(values: Sequence[object]) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)
