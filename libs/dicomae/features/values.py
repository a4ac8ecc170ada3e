r"""What an element's text says: whether it is filled, and the numbers in it.

The rules are the same for statistics, fitting and encoding:

- A value is filled when it holds something other than blanks, NULs and backslashes.
- A placeholder (`[12 bytes]`, `[sequence]`) stands for content that was not read. The element is filled,
  but a placeholder is neither a category nor a number, and no fault.
- `\` separates the components of a value (PS3.5, section 6.4).
- A component is a number when, without its padding, it is a decimal string of a finite value (PS3.5,
  section 6.2: DS, IS) or an age (AS: `045Y`, counted in years). One rule is more lenient than the standard:
  any length is allowed.
- A component that was meant as a number and is none is spoilt: `NaN`, `inf`, `1.#QNAN`, `1e999`, and a number
  with a comma, such as `1,5`, which one reader takes for 1.5 and another for two numbers. It is a fault where
  a number is wanted. It is no word either: a value of spoilt components and numbers alone is no category.
- A component that is padding alone is missing: it is neither a number nor a fault.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

NUMERIC_VRS = frozenset(["AS", "DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"])
_PADDING = " \t\r\n\0"
_DECIMAL = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_COMMA = r"^[+-]?([0-9.]*[0-9][0-9.]*,[0-9.,]*|[0-9.]*,[0-9.,]*[0-9][0-9.,]*)([eE][+-]?[0-9]+)?$"
_NO_NUMBER = r"(?i)^[+-]?(nan|inf|infinity|[0-9]\.?#(inf|ind|qnan|snan)[0-9]*)$"  # C and C++ write the last
_AGE = r"^[0-9]{3}[DWMY]$"
_PLACEHOLDER = r"^\[([0-9]+ bytes|sequence)\]$"
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


@dataclass(frozen=True)
class Numbers:
    r"""The components of n values, one value after the other.

    Attributes
    ----------
    starts : int64 (n,), place of each value's first component.
    lengths : int64 (n,), number of each value's components: 0 for null, else at least 1.
    numbers : float64, one for each component; NaN when it is no number.
    missing : bool, one for each component; true when it is padding alone or a placeholder.
    spoilt : bool, one for each component; true when it was meant as a number and is none.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.values import parse_numbers
    >>> found = parse_numbers(pa.array([r"0.5\0.7", "left", None]))
    >>> found.numbers.tolist(), found.lengths.tolist()
    ([0.5, 0.7, nan], [2, 1, 0])
    >>> found.all_numbers().tolist()
    [True, False, False]
    """

    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64]
    missing: npt.NDArray[np.bool_]
    spoilt: npt.NDArray[np.bool_]

    def all_numbers(self) -> npt.NDArray[np.bool_]:
        """Whether each value (n,) holds a number, and beside numbers nothing but missing components."""
        return np.asarray(self.meant_as_numbers() & (self._count(self.spoilt) == 0))

    def meant_as_numbers(self) -> npt.NDArray[np.bool_]:
        """Whether each value (n,) holds numbers, spoilt or not, and beside them nothing but missing ones."""
        meant = np.isfinite(self.numbers) | self.spoilt
        return np.asarray((self._count(meant) > 0) & (self._count(~meant & ~self.missing) == 0))

    def _count(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """How many components of each value (n,) are chosen."""
        value = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return np.bincount(value[chosen], minlength=len(self.lengths))

    def bounds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Smallest and largest number of each value (n,); inf and -inf when it holds none."""
        lowest, highest = np.full(len(self.lengths), np.inf), np.full(len(self.lengths), -np.inf)
        value = np.repeat(np.arange(len(self.lengths)), self.lengths)
        np.fmin.at(lowest, value, self.numbers)
        np.fmax.at(highest, value, self.numbers)
        return lowest, highest


def is_filled(values: pa.Array) -> npt.NDArray[np.bool_]:
    r"""Whether each text (n,) is filled; null is not.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.values import is_filled
    >>> is_filled(pa.array(["CT", "[12 bytes]", "  ", "\\", None])).tolist()
    [True, True, False, False, False]
    """
    length = pc.binary_length(pc.utf8_trim(values, _PADDING + "\\"))
    return np.asarray(length.fill_null(0).to_numpy(zero_copy_only=False) > 0)


def is_read(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Whether each text (n,) is filled with a value, and not with a placeholder.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.values import is_read
    >>> is_read(pa.array(["CT", "[12 bytes]", "[sequence]", None])).tolist()
    [True, False, False, False]
    """
    return is_filled(values) & ~_is_placeholder(values)


def is_category(values: pa.Array) -> npt.NDArray[np.bool_]:
    r"""Whether each text (n,) may be a category: it was read, and does not stand for a spoilt number.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.values import is_category
    >>> is_category(pa.array(["AXIAL", "2", "[12 bytes]", "NaN", "1,5", "1\\inf", "inf\\AXIAL"])).tolist()
    [True, True, False, False, False, False, True]
    """
    parsed = parse_numbers(values)
    return is_read(values) & ~(parsed.meant_as_numbers() & ~parsed.all_numbers())


def parse_numbers(values: pa.Array) -> Numbers:
    """The numbers in texts; the module says what a number is.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.values import parse_numbers
    >>> found = parse_numbers(pa.array(["120", " 2.5 ", "1.2E2", "045Y", "006M", "high", "2,5"]))
    >>> found.numbers.tolist()
    [120.0, 2.5, 120.0, 45.0, 0.5, nan, nan]
    >>> found.spoilt.tolist()
    [False, False, False, False, False, False, True]
    """
    split = pc.split_pattern(values, "\\")
    lengths = pc.list_value_length(split).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    texts = pc.utf8_trim(split.flatten(), _PADDING)
    missing = pc.equal(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False) | _is_placeholder(texts)
    numbers = _numbers(texts)
    return Numbers(starts, lengths, numbers, missing, _spoilt(texts, numbers))


def _is_placeholder(texts: pa.Array) -> npt.NDArray[np.bool_]:
    found = pc.match_substring_regex(texts, _PLACEHOLDER).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False))


def _numbers(texts: pa.Array) -> npt.NDArray[np.float64]:
    decimal = pc.if_else(pc.match_substring_regex(texts, _DECIMAL), texts, None)
    numbers = decimal.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False).copy()
    numbers[~np.isfinite(numbers)] = np.nan
    for place in np.flatnonzero(pc.match_substring_regex(texts, _AGE).to_numpy(zero_copy_only=False)):
        text = texts[place].as_py()
        numbers[place] = int(text[:3]) * _YEARS[text[3]]
    return np.asarray(numbers)


def _spoilt(texts: pa.Array, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether each text stands for a number and is none; so is a decimal string that no float holds."""
    found = pc.match_substring_regex(texts, f"{_DECIMAL}|{_COMMA}")
    meant = pc.or_(found, pc.match_substring_regex(texts, _NO_NUMBER))
    return np.asarray(meant.to_numpy(zero_copy_only=False) & np.isnan(numbers))
