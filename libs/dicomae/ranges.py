"""What a value may be, as a test and in words: `from_to(1, 9)` in `epochs: Annotated[int, from_to(1, 9)]`.

A number has two ends, so that one that no machine can take is refused before anything is written. A
function's name is what its words are: those of `above_up_to(0, 0.1)` are "above 0, up to 0.1".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """What a value may be.

    Attributes
    ----------
    holds : whether a value may be. The second argument is the section, for a range that ends at another key.
    words : what may be: "from 1 to 9" in the error "key 'training.epochs' must be from 1 to 9, not 0".
    """

    holds: Callable[[Any, Any], bool]
    words: Callable[[Any], str]


def _range(holds: Callable[[Any], bool], words: str) -> Range:
    return Range(lambda value, _: holds(value), lambda _: words)


def from_to(low: float, high: float) -> Range:
    """Both ends are allowed."""
    return _range(lambda value: low <= value <= high, f"from {low} to {high}")


def from_to_key(low: float, key: str) -> Range:
    """As `from_to`; the upper end is the value of another key of the same section."""
    return Range(
        lambda value, section: low <= value <= getattr(section, key),
        lambda section: f"from {low} to {key} ({getattr(section, key)})",
    )


def from_to_below(low: float, high: float) -> Range:
    """`low` is allowed, `high` is not."""
    return _range(lambda value: low <= value < high, f"from {low} to below {high}")


def above_up_to(low: float, high: float) -> Range:
    """`low` is not allowed, `high` is."""
    return _range(lambda value: low < value <= high, f"above {low}, up to {high}")


def above_and_below(low: float, high: float) -> Range:
    """Neither end is allowed."""
    return _range(lambda value: low < value < high, f"above {low} and below {high}")


def either(one: int, other: int) -> Range:
    """One of two values."""
    return _range(lambda value: value in (one, other), f"{one} or {other}")


def matching(pattern: str, words: str) -> Range:
    """A text that the pattern matches from end to end."""
    return _range(lambda value: re.fullmatch(pattern, value) is not None, words)


def each_from_to(low: int, high: int, most: int) -> Range:
    """A list, perhaps empty, of at most `most` numbers; both ends are allowed."""
    return _range(
        lambda values: len(values) <= most and all(low <= value <= high for value in values),
        f"at most {most} numbers from {low} to {high}",
    )


DIFFERENT = _range(
    lambda values: 0 < len(values) == len(set(values)), "a list of one or more different values"
)
NOT_EMPTY = _range(lambda values: len(values) > 0, "a list of one or more values")
