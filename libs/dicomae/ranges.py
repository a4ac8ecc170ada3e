"""What a value may be, as a test and in words: `at_least(1)` in `epochs: Annotated[int, at_least(1)]`.

A function's name is what its words are: those of `above_up_to(0, 0.1)` are "above 0, up to 0.1".
"""

import math
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
    words : what may be: "at least 1" in the error "key 'training.epochs' must be at least 1, not 0".
    """

    holds: Callable[[Any, Any], bool]
    words: Callable[[Any], str]


def _range(holds: Callable[[Any], bool], words: str) -> Range:
    return Range(lambda value, _: holds(value), lambda _: words)


def at_least(least: int) -> Range:
    """A finite number that is not below `least`."""
    return _range(lambda value: least <= value < math.inf, f"at least {least}")


def above(low: float) -> Range:
    """A finite number that is larger than `low`."""
    return _range(lambda value: low < value < math.inf, f"above {low}")


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


def each_at_least(least: int, words: str) -> Range:
    """A list, perhaps empty, of numbers that are not below `least`."""
    return _range(lambda values: all(value >= least for value in values), words)


DIFFERENT = _range(
    lambda values: 0 < len(values) == len(set(values)), "a list of one or more different values"
)
