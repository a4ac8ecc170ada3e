"""Two loops in numba: equal values of many files get one number, and texts become integers."""

from typing import Any

import numpy as np

from dicomae.headers.compiled import entry, inner

_REMEMBERED = 64  # different values that a value is compared with
_PLUS, _MINUS, _ZERO = 43, 45, 48


@entry
def number(buffer: Any, start: Any, end: Any, numbers: Any, firsts: Any) -> int:
    """How many numbers were given: each different value gets one, as 512 files share 3 transfer syntaxes.

    A value is compared with the last 64 different ones alone. When there are more, a value that comes again
    may get a second number.

    Parameters
    ----------
    start, end : int64 `(n,)`, where each value lies in the buffer; a negative start is no value.
    numbers : int64 `(n,)`, filled: the number of each value, from 0 on; -1 for no value.
    firsts : int64 `(n,)`, filled: for each number the position of the first value that has it.
    """
    n = 0
    for i in range(len(start)):
        numbers[i] = -1
        for known in range(max(0, n - _REMEMBERED), n if start[i] >= 0 else 0):
            first = firsts[known]
            if _is_same(buffer, start[i], end[i], start[first], end[first]):
                numbers[i] = known
                break
        if numbers[i] < 0 <= start[i]:
            numbers[i], firsts[n] = n, i
            n += 1
    return n


@inner
def _is_same(buffer: Any, start: int, end: int, other: int, other_end: int) -> Any:
    same = end - start == other_end - other
    for i in range(end - start if same else 0):
        same = same and buffer[start + i] == buffer[other + i]
    return same


@entry
def integers(text: Any, text_at: Any, numbers: Any, valid: Any) -> None:
    """Fill in the int32 that each text is: an optional sign and one to ten digits. Other texts are not valid.

    Parameters
    ----------
    text, text_at : uint8, and int32 `(n + 1,)`: the bytes of all texts, and where each begins.
    numbers, valid : int32 and bool `(n,)`, filled.
    """
    for i in range(len(numbers)):
        numbers[i], valid[i] = 0, False
        at, end = np.int64(text_at[i]), np.int64(text_at[i + 1])
        negative = at < end and text[at] == _MINUS
        at += at < end and (text[at] == _MINUS or text[at] == _PLUS)
        number: Any = 0
        good = 0 < end - at <= 10
        for place in range(at, end if good else at):
            good = good and _ZERO <= text[place] <= _ZERO + 9
            number = number * 10 + np.int64(text[place]) - _ZERO
        number = -number if negative else number
        if good and -(1 << 31) <= number < 1 << 31:
            numbers[i], valid[i] = number, True
