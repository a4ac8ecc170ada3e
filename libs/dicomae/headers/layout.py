"""What the walk is given and what it fills: arrays, and the meaning of their columns.

Compiled functions keep these numbers. After a change here, change `walk` too, or clear numba's cache.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PARSED, INCOMPLETE, ODD = 0, 1, 2
MAXIMUM_DEPTH = 64  # of sequences of undefined length inside each other; deeper is odd
MAXIMUM_MISSES = 1 << 16  # noted in one walk
MAXIMUM_ELEMENTS = 1 << 16  # of a file; one with more is too large
MAXIMUM_NEW = 1 << 12  # of a file; one with more is odd, so that no file fills the book
# Columns of the table of files: offsets in the buffer, -1 where there is none.
STATUS, START, END, AT_PIXELS, FIRST, COUNT, IS_BIG = range(7)
CHARSET, CHARSET_END, SYNTAX, SYNTAX_END, MEDIA_UID, MEDIA_UID_END = range(7, 13)
NEXT = 13  # of an incomplete file: what must be read next begins here, most often beyond the buffer
FILE_COLUMNS = 14

KEY, VR, VALUE, VALUE_END = range(4)  # columns of descriptors; a value's offsets in the buffer
INSTANCE_UID = 0  # column of promoted elements
STANDARD, FLAGS, COLUMN = range(3)  # columns of what is known of a key
VR_CODES = 26 * 26 + 1  # two capitals, and one more:
STRAY = 26 * 26  # an item or delimiter where an element must be
NO_VR, SIGN_OPEN = -1, -2  # while a file is walked
IS_LONG, IS_STANDARD = 1, 2  # flags of a VR
IS_KNOWN, SIGN_DEPENDS, IS_WANTED = 1, 2, 4  # flags of a key
NOBODY, UNSEEN = 0, -1  # in the place of a private creator


class Book(NamedTuple):
    """Keys and private creators by number, as arrays (see `keybook`)."""

    slots: npt.NDArray[np.int64]  # (2^k, 2) hashed by the first: creator << 32 | tag, or -1; key
    about: npt.NDArray[np.int16]  # (n_keys, 3) VR code or NO_VR; flags; column of promoted ones or -1
    text: npt.NDArray[np.uint8]  # UTF-8 of all keys, and `SLACK` bytes
    text_at: npt.NDArray[np.int64]  # (n_keys + 1,)
    creator_slots: npt.NDArray[np.int32]  # (2^k,) creator, hashed by its bytes; -1 is free
    creator_bytes: npt.NDArray[np.uint8]  # without padding
    creator_at: npt.NDArray[np.int64]  # (n_creators + 1,)
    creator_names: npt.NDArray[np.bool_]  # (n_creators,) whether it names somebody


class Batch(NamedTuple):
    """What the walk is given."""

    buffer: npt.NDArray[np.uint8]  # the files, one after the other, and `SLACK` bytes
    bounds: npt.NDArray[np.int64]  # (n_files + 1,) where each begins
    complete: npt.NDArray[np.bool_]  # (n_files,) whether that is the whole file
    big: npt.NDArray[np.uint8]  # the transfer syntax of big endian
    deflated: npt.NDArray[np.uint8]  # (n, 65) those of deflated data sets: length, then UID
    vr_flags: npt.NDArray[np.uint8]  # (VR_CODES,)


class Found(NamedTuple):
    """What the walk fills.

    A row of `misses` is what the book lacks: start and end of a creator, or a key and -1. When there are any,
    descriptors are missing: teach the book, and walk again.
    """

    elements: npt.NDArray[np.int64]  # (capacity, 4) descriptors, in the order of files and bytes
    files: npt.NDArray[np.int64]  # (n_files, FILE_COLUMNS)
    promoted: npt.NDArray[np.int64]  # (n_files, n_columns) number of the element, or -1
    misses: npt.NDArray[np.int64]  # (MAXIMUM_MISSES, 2)
    n: npt.NDArray[np.int64]  # (2,) elements, misses
    blocks: npt.NDArray[np.int32]  # (256,) creators of the current group; for the walk alone
    depths: npt.NDArray[np.int64]  # (MAXIMUM_DEPTH,) levels left open; for the walk alone
