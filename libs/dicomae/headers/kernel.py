"""Header bytes to Arrow at speed: a batch of files in one buffer, walked and written by numba.

    buffers ──► walk ──► descriptors ──► write ──► rows of HEADER
                 │ keys and creators        │ values that numba
                 ▼ not seen before          ▼ does not read
              keybook ── walk again       mend ── write again

Files that the walk calls odd are left to `plain`. Its rows and the kernel's are the same.
"""

from collections.abc import Iterable, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydicom.datadict import tag_for_keyword

from dicomae.dicom import vr
from dicomae.headers import (
    assemble,
    dataset,
    emit,
    functional_groups,
    group_rows,
    keybook,
    layout,
    mend,
    walk,
)
from dicomae.headers.batch import Arena
from dicomae.headers.compiled import SLACK

# Offsets of texts are int32: a file's texts are less than 32 times as long as its bytes.
LARGEST = 1 << 26  # bytes in one buffer


_WINDOW_ALONE = functional_groups.wanted(())


class Parsed(NamedTuple):
    """What became of the buffers: every position is in exactly one of the last three."""

    headers: pa.RecordBatch  # schema HEADER
    positions: npt.NDArray[np.int64]  # of each row's buffer
    odd: list[int]  # to be read by `plain`
    incomplete: dict[int, int]  # as in `HeaderBatch`


def parse(
    buffers: Arena,
    complete: Sequence[bool] | npt.NDArray[np.bool_],
    flatten: frozenset[str],
    wanted: functional_groups.Wanted = _WINDOW_ALONE,
) -> Parsed:
    """Rows of all buffers that are as usual. A file with a sequence to be flattened is not.

    Parameters
    ----------
    buffers : the first bytes of each file, at most `LARGEST` bytes together.
    complete : whether the buffer is the whole file.
    flatten : keywords of sequences.
    wanted : elements of functional groups.
    """
    batch = layout.Batch(
        buffers.memory, buffers.bounds, np.asarray(complete, np.bool_), _BIG, _DEFLATED, _VR_FLAGS
    )
    book, found = _walked(batch, flatten)
    status = found.files[:, layout.STATUS]
    rows = np.flatnonzero(status == layout.PARSED)
    groups = group_rows.located(batch, found, rows, wanted)
    if groups is not None:
        book = group_rows.inserted(book, found, rows, groups)
    source, written, unmended = _written(batch, book, found, rows)
    headers = assemble.assemble(source, written, found, rows, groups)
    kept = assemble.has_uid(headers)
    kept[unmended] = False
    if groups is not None:
        kept[groups.odd] = False
    odd = np.flatnonzero(status == layout.ODD).tolist() + rows[~kept].tolist()
    if not kept.all():
        headers, rows = headers.filter(pa.array(kept)), rows[kept]
    return Parsed(headers, rows, sorted(odd), _incomplete(batch, found))


def _incomplete(batch: layout.Batch, found: layout.Found) -> dict[int, int]:
    cut = np.flatnonzero(found.files[:, layout.STATUS] == layout.INCOMPLETE)
    after = np.maximum(found.files[cut, layout.NEXT], batch.bounds[cut + 1])
    return dict(zip(cut.tolist(), (after + 1 - batch.bounds[cut]).tolist(), strict=True))


class _Memory:
    """The book that the threads of this process share. They never change it, they only replace it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.book: layout.Book | None = None

    def begin(self) -> layout.Book:
        with self.lock:
            if self.book is None or len(self.book.about) > keybook.MAXIMUM_KEYS:
                self.book = keybook.begun()
            return self.book

    def learn(self, book: layout.Book, creators: list[bytes], packed: list[int]) -> layout.Book:
        learned = keybook.learn(book, creators, packed)
        with self.lock:
            if self.book is book:
                self.book = learned
        return learned


_MEMORY = _Memory()


def _walked(batch: layout.Batch, flatten: frozenset[str]) -> tuple[layout.Book, layout.Found]:
    """The book of all keys in these files, and the descriptors with its keys."""
    book = _MEMORY.begin()
    while True:
        found = _room(batch)
        walk.walk(batch, _with_wanted(book, flatten), found)
        misses = found.misses[: found.n[1]].tolist()
        if not misses:
            return book, found
        creators = [batch.buffer[start:end].tobytes().strip(b" \0") for start, end in misses if end >= 0]
        packed = [number for number, end in misses if end < 0]
        book = _MEMORY.learn(book, creators, packed)


def _room(batch: layout.Batch) -> layout.Found:
    n_files, capacity = len(batch.complete), int(batch.bounds[-1]) // 8 + 1
    return layout.Found(
        elements=np.empty((capacity, 4), np.int64),
        files=np.full((n_files, layout.FILE_COLUMNS), -1, np.int64),
        promoted=np.full((n_files, len(keybook.LOCATED)), -1, np.int64),
        misses=np.empty((layout.MAXIMUM_MISSES, 2), np.int64),
        n=np.zeros(2, np.int64),
        blocks=np.empty(256, np.int32),
        depths=np.empty(layout.MAXIMUM_DEPTH, np.int64),
    )


def _with_wanted(book: layout.Book, flatten: frozenset[str]) -> layout.Book:
    if not flatten:
        return book
    about = book.about.copy()
    for keyword in flatten:
        tag = tag_for_keyword(keyword)
        # What is no keyword of PS3.6 may be any element.
        key = slice(None) if tag is None else book.slots[walk.find_slot(book.slots, tag), 1]
        about[key, layout.FLAGS] |= layout.IS_WANTED
    return book._replace(about=about)


def _written(
    batch: layout.Batch, book: layout.Book, found: layout.Found, rows: npt.NDArray[np.int64]
) -> tuple[emit.Source, emit.Written, list[int]]:
    """All texts, and the rows that cannot be read."""
    n = int(found.n[0])
    encodings = mend.encodings(batch.buffer, found.files[rows])
    source = emit.Source(
        buffer=batch.buffer,
        elements=found.elements[:n],
        first=np.append(found.files[rows, layout.FIRST], n),
        charset=encodings.modes,
        is_big=found.files[rows, layout.IS_BIG] == 1,
        letters=mend.LETTERS,
        ready=np.zeros(n, np.bool_),
        pool=np.zeros(0, np.uint8),
        rules=_RULES,
        about=book.about,
        text=book.text,
        text_at=book.text_at,
    )
    mends = np.empty(n, np.int64)
    *sizes, n_mends = emit.survey(source, mends)
    errors = np.zeros(n, np.uint8)
    source, unmended = mend.mended(source, mends[:n_mends], encodings, errors)
    written = _paper(source, errors, *sizes)
    emit.write(source, written)
    return source, written, unmended


def _paper(
    source: emit.Source, errors: npt.NDArray[np.uint8], n_keys: int, n_values: int, n_vrs: int, n_vr_keys: int
) -> emit.Written:
    n = len(errors)
    return emit.Written(
        key_at=np.empty(n + 1, np.int32),
        keys=np.empty(n_keys + SLACK, np.uint8),
        value_at=np.empty(n + 1, np.int32),
        values=np.empty(n_values + len(source.pool) + SLACK, np.uint8),
        filled=np.empty(n, np.bool_),
        errors=errors,
        row_vrs_at=np.empty(len(source.charset) + 1, np.int32),
        vr_key_at=np.empty(n_vrs + 1, np.int32),
        vr_keys=np.empty(n_vr_keys + SLACK, np.uint8),
        vrs=np.empty(2 * n_vrs, np.uint8),
    )


def _rules() -> npt.NDArray[np.int64]:
    """How each VR is read, as `vr.READERS` says."""
    rules = np.zeros(layout.VR_CODES, np.int64)
    rules[layout.STRAY] = emit.STRAY_ITEM
    for name in vr.READERS:
        if name in vr.TEXTUAL:
            rule = emit.TEXT
            rule |= emit.STRIPS_LEFT if name in vr.STRIPPED_LEFT else 0
            rule |= emit.SPLITS if name not in vr.PARAGRAPHS else 0
            rule |= emit.DECODES if name in _DECODED else 0
            rule |= emit.IS_NUMBER if name in ("DS", "IS") else 0
        elif name in vr.BULK:
            rule = emit.BULK
        else:
            rule = _FAMILIES.get(name, emit.INTEGERS) | _SIZES.get(name, 0) << emit.SIZE_SHIFT
            rule |= emit.SIGNED if name in ("SL", "SS", "SV") else 0
        rules[keybook.vr_code(name)] = rule
    return rules


_SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "UV": 8, "SV": 8, "FL": 4, "FD": 8, "AT": 4}
_FAMILIES = {"SQ": emit.SEQUENCE, "AT": emit.TAGS, "FL": emit.FLOATS, "FD": emit.FLOATS}
_DECODED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_RULES = _rules()


def _vr_flags() -> npt.NDArray[np.uint8]:
    flags = np.zeros(layout.VR_CODES, np.uint8)
    flags[[keybook.vr_code(name) for name in vr.READERS]] |= layout.IS_STANDARD
    flags[[keybook.vr_code(name) for name in vr.LONG_LENGTH]] |= layout.IS_LONG
    return flags


def _uids(uids: Iterable[str]) -> npt.NDArray[np.uint8]:
    """uint8 `(n, 65)`: of each UID the length, and then its bytes."""
    rows = [bytes([len(uid)]) + uid.encode().ljust(64, b"\0") for uid in uids]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), 65)


_VR_FLAGS = _vr_flags()
_BIG = _uids([dataset.EXPLICIT_BIG])[0]
_DEFLATED = _uids(sorted(dataset.DEFLATED))
