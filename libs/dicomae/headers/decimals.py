"""Binary floating point to the shortest decimal that is the same number again, in numba.

The text of a double is that of Python's `repr`: 512.0, 0.1, 1e-05.
The text of a single is that of NumPy's `str`: 0.1 is `0.1`, not 0.10000000149011612.

2026-12-01: Arrow's cast, with a repair of what it writes otherwise (512, 0.00001, 1e+10), would be 150 lines
shorter. It gives the same texts; 17 million numbers were tried. But a batch of 512 files has about 2,200
floats, and their texts then take 0.66 ms instead of 0.16: scripts/bench/headers.py loses 13 % (series 12 %,
real files 15 %). Arrow's cast alone takes 0.17 ms.

References
----------
R. Giulietti: The Schubfach way to render doubles (2020). Names follow section 9 of the paper.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dicomae.headers.compiled import entry, inner

LONGEST = 26  # bytes of one value with the backslash before it
_LEAST_POWER, _GREATEST_POWER = -292, 324

_ONE, _TWO, _FOUR, _TEN, _FORTY = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(10), np.uint64(40)
_ZERO, _HALF, _LOW_HALF = np.uint64(0), np.uint64(32), np.uint64(0xFFFFFFFF)


def _powers() -> npt.NDArray[np.uint64]:
    """`(n, 2)`: high and low half of 10^k, scaled to 128 bits and rounded up."""
    rows = []
    for k in range(_LEAST_POWER, _GREATEST_POWER + 1):
        if k < 0:
            divisor = 10**-k
            power = -((-1 << (divisor.bit_length() + 127)) // divisor)
        else:
            shift = (10**k).bit_length() - 128
            power = 10**k << -shift if shift <= 0 else -(-(10**k) >> shift)
        rows.append((power >> 64, power & 0xFFFFFFFFFFFFFFFF))
    return np.array(rows, np.uint64)


POWERS = _powers()


@entry
def write(
    buffer: Any, start: Any, end: Any, size: Any, is_big: Any, powers: Any, out: Any, out_at: Any
) -> None:
    r"""Texts of many elements' values, one after the other; values of an element are joined by `\`.

    Parameters
    ----------
    buffer : uint8.
    start, end : int64 `(n,)`, where the values of each element lie; `end - start` is a multiple of `size`.
    size : int64 `(n,)`, bytes of a value: 4 or 8.
    is_big : bool `(n,)`, whether the values are big endian.
    powers : `POWERS`.
    out : uint8, filled; `LONGEST` bytes a value are enough.
    out_at : int64 `(n + 1,)`, filled: where the text of each element begins in `out`, and the last one ends.
    """
    at = 0
    out_at[0] = 0
    for i in range(len(start)):
        for value in range(start[i], end[i], size[i]):
            if value > start[i]:
                out[at] = 92
                at += 1
            bits = _ZERO
            for byte in range(size[i]):
                place = value + (size[i] - 1 - byte if is_big[i] else byte)
                bits |= np.uint64(buffer[place]) << np.uint64(8 * byte)
            at = (
                _write_double(bits, powers, out, at) if size[i] == 8 else _write_single(bits, powers, out, at)
            )
        out_at[i + 1] = at


@inner
def _write_double(bits: Any, powers: Any, out: Any, at: int) -> int:
    exponent = np.int64(bits >> np.uint64(52)) & 0x7FF
    fraction = bits & np.uint64((1 << 52) - 1)
    if bits >> np.uint64(63) and (exponent < 0x7FF or fraction == _ZERO):
        out[at] = 45
        at += 1
    if exponent == 0x7FF:
        return _write_special(fraction, out, at)
    digits, power = _shortest(fraction, exponent, 52, powers)
    return _write_decimal(digits, power, False, out, at)


@inner
def _write_single(bits: Any, powers: Any, out: Any, at: int) -> int:
    exponent = np.int64(bits >> np.uint64(23)) & 0xFF
    fraction = bits & np.uint64((1 << 23) - 1)
    if bits >> np.uint64(31) and (exponent < 0xFF or fraction == _ZERO):
        out[at] = 45
        at += 1
    if exponent == 0xFF:
        return _write_special(fraction, out, at)
    digits, power = _shortest(fraction, exponent, 23, powers)
    # NumPy compares the value, not its decimal, with 0.0001: the single next to it is just below.
    return _write_decimal(digits, power, digits == _ONE and power == -4, out, at)


@inner
def _write_special(fraction: Any, out: Any, at: int) -> int:
    word = (105, 110, 102) if fraction == _ZERO else (110, 97, 110)  # inf, nan
    out[at], out[at + 1], out[at + 2] = word
    return at + 3


@inner
def _shortest(fraction: Any, exponent: Any, n_fraction: int, powers: Any) -> tuple[Any, int]:
    """Digits without trailing zeros, and the power of ten that multiplies them: 1500.0 is 15 and 2."""
    if fraction == _ZERO and exponent == 0:
        return _ZERO, 0
    bias = (1 << (10 if n_fraction == 52 else 7)) - 1 + n_fraction
    c, q = fraction, 1 - bias
    if exponent != 0:
        c, q = fraction | _ONE << np.uint64(n_fraction), exponent - bias
    if 0 <= -q <= n_fraction and c & ((_ONE << np.uint64(-q)) - _ONE) == _ZERO:
        digits, power = c >> np.uint64(-q), 0  # an integer
    else:
        digits, power = _schubfach(c, q, fraction == _ZERO and exponent > 1, powers)
    while digits % _TEN == _ZERO:
        digits //= _TEN
        power += 1
    return digits, power


@inner
def _schubfach(c: Any, q: int, irregular: bool, powers: Any) -> tuple[Any, int]:
    """The decimal nearest to c·2^q among the shortest that round to it; `irregular`: closer below."""
    odd = c & _ONE
    k = (q * 1262611 - (524031 if irregular else 0)) >> 22
    h = np.uint64(q + ((-k * 1741647) >> 19) + 1)
    high, low = powers[-k - _LEAST_POWER, 0], powers[-k - _LEAST_POWER, 1]
    below = _ONE if irregular else _TWO
    lower = _rounded_to_odd(high, low, (_FOUR * c - below) << h) + odd
    middle = _rounded_to_odd(high, low, (_FOUR * c) << h)
    upper = _rounded_to_odd(high, low, (_FOUR * c + _TWO) << h) - odd
    s = middle // _FOUR
    if s >= _TEN:
        tens = s // _TEN
        down_inside, up_inside = lower <= _FORTY * tens, _FORTY * tens + _FORTY <= upper
        if down_inside != up_inside:
            return (tens + _ONE if up_inside else tens), k + 1
    down_inside, up_inside = lower <= _FOUR * s, _FOUR * s + _FOUR <= upper
    if down_inside != up_inside:
        return (s + _ONE if up_inside else s), k
    half = _FOUR * s + _TWO
    return (s + _ONE if middle > half or (middle == half and s & _ONE) else s), k


@inner
def _rounded_to_odd(high: Any, low: Any, c: Any) -> Any:
    """The product of a 128-bit power and c, over 2^128; its last bit is set when bits were lost."""
    carried = _high_product(low, c)
    upper, middle = _high_product(high, c), high * c + carried
    if middle < carried:
        upper += _ONE
    return upper | _ONE if middle > _ONE else upper


@inner
def _high_product(a: Any, b: Any) -> Any:
    """The upper 64 of the 128 bits of a product."""
    a_low, a_high, b_low, b_high = a & _LOW_HALF, a >> _HALF, b & _LOW_HALF, b >> _HALF
    first, second = a_low * b_high, a_high * b_low
    carry = ((a_low * b_low) >> _HALF) + (first & _LOW_HALF) + (second & _LOW_HALF)
    return a_high * b_high + (first >> _HALF) + (second >> _HALF) + (carry >> _HALF)


@inner
def _write_decimal(digits: Any, power: int, scientific: bool, out: Any, at: int) -> int:
    """Write 0.0015 when the first digit stands for 10^-4 … 10^15, else with an exponent: 1.5e-07."""
    n = 1
    rest = digits
    while rest >= _TEN:
        rest //= _TEN
        n += 1
    exponent = n + power - 1
    if scientific or exponent < -4 or exponent >= 16:
        at = _write_digits(digits, n, 1, out, at)
        out[at], out[at + 1] = 101, 45 if exponent < 0 else 43
        size = np.uint64(abs(exponent))
        return _write_digits(size, 3 if size >= np.uint64(100) else 2, 3, out, at + 2)
    if exponent < 0:
        for i in range(1 - exponent):
            out[at + i] = 46 if i == 1 else 48
        return _write_digits(digits, n, n, out, at + 1 - exponent)
    if power < 0:
        return _write_digits(digits, n, exponent + 1, out, at)
    at = _write_digits(digits, n, n, out, at)
    for i in range(power):
        out[at + i] = 48
    out[at + power], out[at + power + 1] = 46, 48
    return at + power + 2


@inner
def _write_digits(digits: Any, n: int, n_before_point: int, out: Any, at: int) -> int:
    """Write n digits, with a point after some of them if not all."""
    length = n + 1 if n > n_before_point else n
    for i in range(length - 1, -1, -1):
        if i == n_before_point:
            out[at + i] = 46
        else:
            out[at + i] = np.uint8(48) + np.uint8(digits % _TEN)
            digits //= _TEN
    return at + length
