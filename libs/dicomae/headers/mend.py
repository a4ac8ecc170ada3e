"""Texts of the values that the kernel's writer cannot read; they go into the pool that it copies from."""

import codecs
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dicomae.dicom import charset, vr
from dicomae.headers import decimals, emit, gather, keybook, layout
from dicomae.headers.compiled import SLACK

_SINGLE_BYTE = sorted(
    name for name in charset.KNOWN_CODECS if name.startswith("iso8859") or name == "tis-620"
)


def _letters() -> npt.NDArray[np.int32]:
    """`(n_charsets, 256)`: the code point of each byte in each single-byte character set; -1 is no letter."""
    letters = np.full((len(_SINGLE_BYTE), 256), -1, np.int32)
    for row, name in zip(letters, _SINGLE_BYTE, strict=True):
        for byte in range(256):
            letter = bytes([byte]).decode(name, errors="ignore")
            row[byte] = ord(letter) if letter else -1
    return letters


LETTERS = _letters()


class Encodings(NamedTuple):
    """The different character sets of a batch, and for each row the number of its own."""

    different: list[tuple[str, ...]]  # Python codecs, as `charset.encodings_of` has them
    numbers: npt.NDArray[np.int64]  # (n_rows,)

    @property
    def modes(self) -> npt.NDArray[np.int64]:
        """How the writer decodes each row: a row number of `LETTERS`, `emit.UTF_8` or `emit.BY_PYTHON`."""
        return np.array([_mode(names[0]) for names in self.different], np.int64)[self.numbers]


def encodings(buffer: npt.NDArray[np.uint8], files: npt.NDArray[np.int64]) -> Encodings:
    """Character sets of the files, as their SpecificCharacterSet says."""
    numbers, values = distinct(buffer, files[:, layout.CHARSET], files[:, layout.CHARSET_END])
    return Encodings([*map(charset.encodings_of, values), charset.DEFAULT], numbers)  # -1 is the last


def distinct(
    buffer: npt.NDArray[np.uint8], start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], list[bytes]]:
    """A number for each value, -1 for one with a negative start; and the different values by number."""
    numbers, firsts = np.empty(len(start), np.int64), np.empty(len(start), np.int64)
    firsts = firsts[: gather.number(buffer, start, end, numbers, firsts)]
    ranges = zip(start[firsts].tolist(), end[firsts].tolist(), strict=True)
    return numbers, [buffer[first:last].tobytes() for first, last in ranges]


@lru_cache(maxsize=256)
def _mode(encoding: str) -> int:
    name = codecs.lookup(encoding).name
    if name == "utf-8":
        return emit.UTF_8
    return _SINGLE_BYTE.index(name) if name in _SINGLE_BYTE else emit.BY_PYTHON


def mended(
    source: emit.Source,
    mends: npt.NDArray[np.int64],
    encodings: Encodings,
    errors: npt.NDArray[np.uint8],
) -> tuple[emit.Source, list[int]]:
    """The source with the texts of these elements in its pool; and the rows that cannot be read.

    Parameters
    ----------
    mends : int64 (n_mends,), the elements that the writer cannot read.
    errors : uint8 (n,), filled for these elements: the number of the error, 0 when there is none.
    """
    if not len(mends):
        return source, []
    rules = source.rules[source.elements[mends, layout.VR]]
    is_float = rules & emit.FAMILY == emit.FLOATS
    pool = bytearray(_with_floats(source, mends[is_float], rules[is_float] >> emit.SIZE_SHIFT))
    unmended = _add_texts(source, mends[~is_float], encodings, errors, pool)
    source.ready[mends] = True
    pool += bytes(SLACK)
    return source._replace(pool=np.frombuffer(pool, np.uint8)), unmended


def _with_floats(
    source: emit.Source, which: npt.NDArray[np.int64], size: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """Texts of FL and FD elements, one after the other; the descriptors are changed to point there."""
    start, end = source.elements[which, layout.VALUE], source.elements[which, layout.VALUE_END]
    is_big = source.is_big[_rows(source, which)]
    pool = np.empty(int(((end - start) // size).sum()) * decimals.LONGEST, np.uint8)
    at = np.zeros(len(which) + 1, np.int64)
    decimals.write(source.buffer, start, end, size, is_big, decimals.POWERS, pool, at)
    source.elements[which, layout.VALUE], source.elements[which, layout.VALUE_END] = at[:-1], at[1:]
    return pool[: at[-1]]


def _add_texts(
    source: emit.Source,
    which: npt.NDArray[np.int64],
    encodings: Encodings,
    errors: npt.NDArray[np.uint8],
    pool: bytearray,
) -> list[int]:
    """Append the texts of these elements to the pool; the rows that cannot be read at all are returned."""
    unmended: list[int] = []
    for i, row in zip(which.tolist(), _rows(source, which).tolist(), strict=True):
        element = source.elements[i]
        name = keybook.vr_name(int(element[layout.VR]))
        value = source.buffer[element[layout.VALUE] : element[layout.VALUE_END]].tobytes()
        text = None
        try:
            text = vr.text_of(
                name, value, vr.ValueEncoding(True, encodings.different[encodings.numbers[row]])
            )
        except vr.UnreadableValue as unreadable:
            errors[i] = emit.ERRORS.index(str(unreadable))
        except Exception:  # noqa: BLE001 (the per-file boundary is in `plain`, which reads it again)
            unmended.append(row)
        element[layout.VALUE] = len(pool)
        pool += (text or "").encode()
        element[layout.VALUE_END] = len(pool)
    return unmended


def _rows(source: emit.Source, which: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`(n,)`: the row that each of these elements is in."""
    return np.searchsorted(source.first, which, side="right") - 1
