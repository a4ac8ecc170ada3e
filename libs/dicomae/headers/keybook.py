"""Numbers for keys and private creators, so that the kernel handles numbers instead of texts.

A `Book` is never changed: `learn` makes another one, and a thread keeps the book that it began with.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom._dicom_dict import DicomDictionary

from dicomae import tables
from dicomae.dicom import keys
from dicomae.headers import functional_groups
from dicomae.headers.compiled import SLACK
from dicomae.headers.layout import IS_KNOWN, NO_VR, NOBODY, SIGN_DEPENDS, Book
from dicomae.headers.walk import find_creator, find_slot

TEXTS = ("SOPInstanceUID", *(name for name in tables.PROMOTED_TEXT if name != "TransferSyntaxUID"))
WINDOW = ("WindowCenter", "WindowWidth")
PROMOTED = (*TEXTS, *tables.PROMOTED_INTEGER, *WINDOW)  # by number of the column, `INSTANCE_UID` first
LOCATED = (*PROMOTED, *functional_groups.GROUPS)  # whose places the walk notes
MAXIMUM_KEYS = 1 << 17  # a book that has grown so long is begun again

_COLUMN = {keyword: column for column, keyword in enumerate(LOCATED)}
_FEWEST_SLOTS = 1 << 14


def begun() -> Book:
    """A book with all tags of PS3.6, and with `NOBODY` as its only creator."""
    empty = Book(
        slots=np.full((_FEWEST_SLOTS, 2), -1, np.int64),
        about=np.zeros((0, 3), np.int16),
        text=np.zeros(0, np.uint8),
        text_at=np.zeros(1, np.int64),
        creator_slots=np.full(1 << 6, -1, np.int32),
        creator_bytes=np.zeros(0, np.uint8),
        creator_at=np.zeros(1, np.int64),
        creator_names=np.zeros(0, np.bool_),
    )
    return learn(empty, [b""], list(DicomDictionary))


def learn(book: Book, creators: Sequence[bytes], packed: Sequence[int]) -> Book:
    """The book with these creators and keys added.

    Parameters
    ----------
    creators : values of private creator elements, without padding: b"ACME 1.0".
    packed : a number for each key, `creator << 32 | tag`; the creator is its number in `book`.
    """
    return _with_keys(_with_creators(book, creators), packed)


def with_names(book: Book, names: Sequence[str]) -> Book:
    """The book with keys that have no tag of their own, such as those of elements from functional groups."""
    text, text_at = _appended(book.text, book.text_at, [name.encode() for name in names])
    about = [(vr_code(keys.standard_vr(name)), 0, -1) for name in names]
    return book._replace(
        about=np.concatenate([book.about, np.array(about, np.int16).reshape(-1, 3)]),
        text=text,
        text_at=text_at,
    )


def vr_code(name: str | None) -> int:
    """Number of a VR: 26 times its first letter and its second, counted from A = 0; `NO_VR` for None."""
    return NO_VR if name is None else (ord(name[0]) - 65) * 26 + ord(name[1]) - 65


def vr_name(code: int) -> str:
    """The VR that has this number."""
    return chr(65 + code // 26) + chr(65 + code % 26)


def _with_creators(book: Book, creators: Sequence[bytes]) -> Book:
    new = list(dict.fromkeys(creators))
    if not new:
        return book
    texts, text_at = _appended(book.creator_bytes, book.creator_at, new)
    slots = np.full(_slots_for(len(text_at), len(book.creator_slots)), -1, np.int32)
    names = list(book.creator_names)
    for number in range(len(text_at) - 1):
        start, end = text_at[number], text_at[number + 1]
        slot = find_creator(slots, texts, text_at, texts, start, end)
        if slot < 0:
            slots[-2 - slot] = number
        if number >= len(names):
            name = texts[start:end].tobytes().decode("latin_1")
            names.append(bool(name) and name.isprintable())
    return book._replace(
        creator_slots=slots, creator_bytes=texts, creator_at=text_at, creator_names=np.array(names, np.bool_)
    )


def _with_keys(book: Book, packed: Sequence[int]) -> Book:
    new = [number for number in dict.fromkeys(packed) if book.slots[find_slot(book.slots, number), 1] < 0]
    if not new:
        return book
    described = [keys.describe(number & 0xFFFFFFFF, _creator(book, number >> 32)) for number in new]
    text, text_at = _appended(book.text, book.text_at, [key.encode() for key, _ in described])
    about = [
        (vr_code(vr), _flags(number), _COLUMN.get(key, -1))
        for number, (key, vr) in zip(new, described, strict=True)
    ]
    return book._replace(
        slots=_with_entered(book, new),
        about=np.concatenate([book.about, np.array(about, np.int16)]),
        text=text,
        text_at=text_at,
    )


def _with_entered(book: Book, new: list[int]) -> npt.NDArray[np.int64]:
    """The hash table with the new keys; it has at least twice as many slots as keys."""
    size = _slots_for(len(book.about) + len(new), len(book.slots))
    slots = book.slots.copy() if size == len(book.slots) else np.full((size, 2), -1, np.int64)
    entries = list(zip(new, range(len(book.about), len(book.about) + len(new)), strict=True))
    if size != len(book.slots):
        entries += book.slots[book.slots[:, 0] >= 0].tolist()
    for number, key in entries:
        slots[find_slot(slots, number)] = number, key
    return slots


def _creator(book: Book, number: int) -> str | None:
    if number == NOBODY:
        return None
    start, end = book.creator_at[number], book.creator_at[number + 1]
    return book.creator_bytes[start:end].tobytes().decode("latin_1")


def _flags(packed: int) -> int:
    known = IS_KNOWN if keys.is_known(packed) else 0
    return known | (SIGN_DEPENDS if packed in keys.SIGN_DEPENDS else 0)


def _appended(
    text: npt.NDArray[np.uint8], text_at: npt.NDArray[np.int64], new: list[bytes]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    ends = text_at[-1] + np.cumsum([len(one) for one in new], dtype=np.int64)
    added = np.frombuffer(b"".join([*new, bytes(SLACK)]), np.uint8)
    return np.concatenate([text[: text_at[-1]], added]), np.append(text_at, ends)


def _slots_for(size: int, present: int) -> int:
    return max(present, 1 << (2 * size).bit_length())
