r"""What an element's text says: whether it is filled, and the numbers in it.

The rules are the same for statistics, fitting and encoding:

- A value is filled when something other than blanks, NULs and backslashes is in it.
- A placeholder (`[12 bytes]`, `[sequence]`) stands for content that was not read: the element is filled,
  but that is neither a category nor a number, and no fault.
- `\` separates the components of a value (PS3.5, section 6.4).
- A component is a number when, without padding, it is a decimal string (PS3.5, section 6.2: DS, IS)
  of a finite value, or an age (AS: `045Y`, counted in years). More lenient than the standard: any
  length, and one comma in the place of the point, as some devices write it.
- A component of padding alone is missing: neither a number nor a fault.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

NUMERIC_VRS = frozenset(["AS", "DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"])
_PADDING = " \t\r\n\0"
_DECIMAL = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_AGE = r"^[0-9]{3}[DWMY]$"
_PLACEHOLDER = r"^\[([0-9]+ bytes|sequence)\]$"
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


@dataclass(frozen=True)
class Numbers:
    """The components of n values, one value after the other.

    Attributes
    ----------
    starts : int64 (n,), the first component of each value.
    lengths : int64 (n,), components of each value; at least 1, and 0 for null.
    numbers : float64, of each component; NaN where it is no number.
    missing : bool, of each component; padding alone, or a placeholder.
    """

    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64]
    missing: npt.NDArray[np.bool_]

    def all_numbers(self) -> npt.NDArray[np.bool_]:
        """Of each value (n,): whether it holds a number, and nothing else."""
        number = np.isfinite(self.numbers)
        value = np.repeat(np.arange(len(self.lengths)), self.lengths)
        found = np.bincount(value, weights=number, minlength=len(self.lengths))
        faults = np.bincount(value, weights=~number & ~self.missing, minlength=len(self.lengths))
        return np.asarray((found > 0) & (faults == 0))

    def bounds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Smallest and largest number of each value (n,); inf and -inf where there is none."""
        lowest, highest = np.full(len(self.lengths), np.inf), np.full(len(self.lengths), -np.inf)
        value = np.repeat(np.arange(len(self.lengths)), self.lengths)
        np.fmin.at(lowest, value, self.numbers)
        np.fmax.at(highest, value, self.numbers)
        return lowest, highest


def is_filled(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Of each text (n,): whether something is in it; null is not filled."""
    length = pc.binary_length(pc.utf8_trim(values, _PADDING + "\\"))
    return np.asarray(length.fill_null(0).to_numpy(zero_copy_only=False) > 0)


def is_read(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Of each text (n,): whether it is filled with a value, and not with a placeholder."""
    return is_filled(values) & ~_is_placeholder(values)


def parse_numbers(values: pa.Array) -> Numbers:
    """The numbers in texts; see the module for what is one."""
    split = pc.split_pattern(values, "\\")
    lengths = pc.list_value_length(split).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    texts = pc.utf8_trim(split.flatten(), _PADDING)
    missing = pc.equal(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False) | _is_placeholder(texts)
    return Numbers(starts, lengths, _numbers(texts), missing)


def _is_placeholder(texts: pa.Array) -> npt.NDArray[np.bool_]:
    found = pc.match_substring_regex(texts, _PLACEHOLDER).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False))


def _numbers(texts: pa.Array) -> npt.NDArray[np.float64]:
    decimal = pc.replace_substring(texts, ",", ".")
    decimal = pc.if_else(pc.match_substring_regex(decimal, _DECIMAL), decimal, None)
    numbers = decimal.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False).copy()
    numbers[~np.isfinite(numbers)] = np.nan
    for place in np.flatnonzero(pc.match_substring_regex(texts, _AGE).to_numpy(zero_copy_only=False)):
        text = texts[place].as_py()
        numbers[place] = int(text[:3]) * _YEARS[text[3]]
    return np.asarray(numbers)
