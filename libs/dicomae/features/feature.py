"""One feature: a number scaled to one column, or a category as one column per value."""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from dicomae.errors import UsageError

MAXIMUM_COMPONENTS = 1024  # of one value: a single hostile file must not widen X without end
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can say it, UTF-8 and so Arrow cannot


@dataclass(frozen=True)
class Feature:
    """A feature and how its value becomes columns.

    Attributes
    ----------
    name : the key. A component of a multi-valued tag has its index appended: `PixelSpacing0`.
    key : of the elements map.
    index : the component, from 0, of a multi-valued numeric tag. None: the tag has this feature alone,
        made from the first component.
    kind : numeric or categorical.
    lower, upper : numeric: the values that become 0 and 1; lower < upper. Categorical: None.
    vocabulary : categorical: its values, sorted, at least one. Numeric: empty.

    Examples
    --------
    >>> from dicomae.features.feature import Feature
    >>> Feature("PixelSpacing0", "PixelSpacing", 0, "numeric", 0.5, 2.0, ()).columns
    ['PixelSpacing0']
    >>> Feature("Modality", "Modality", None, "categorical", None, None, ("CT", "MR")).columns
    ['Modality=CT', 'Modality=MR']
    """

    name: str
    key: str
    index: int | None
    kind: Literal["numeric", "categorical"]
    lower: float | None
    upper: float | None
    vocabulary: tuple[str, ...]

    @property
    def width(self) -> int:
        """Columns of X that the feature takes."""
        return len(self.vocabulary) if self.kind == "categorical" else 1

    @property
    def columns(self) -> list[str]:
        """Names of these columns: `PixelSpacing0`, or `Modality=CT`."""
        if self.kind == "numeric":
            return [self.name]
        return [f"{self.name}={value}" for value in self.vocabulary]


def from_dict(raw: Any) -> Feature:
    """The feature that an object from JSON describes.

    Raises
    ------
    UsageError
        A key is missing or unknown, or a value is of another type or contradicts the others.

    Examples
    --------
    >>> from dicomae.features.feature import from_dict
    >>> raw = {"name": "KVP", "key": "KVP", "index": None, "kind": "numeric", "vocabulary": []}
    >>> from_dict(raw | {"lower": 80.0, "upper": 120.0}).columns
    ['KVP']
    >>> from_dict(raw | {"lower": 120.0, "upper": 80.0})
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: a feature's values contradict each other or are of another type
    """
    if not isinstance(raw, dict) or set(raw) != set(Feature.__dataclass_fields__):
        raise UsageError(f"a feature has the keys {', '.join(Feature.__dataclass_fields__)}, and no others")
    check = {"numeric": _is_numeric, "categorical": _is_categorical}.get(str(raw["kind"]))
    if check is None or not _is_named(raw) or not check(raw):
        raise UsageError("a feature's values contradict each other or are of another type")
    return Feature(**{**raw, "vocabulary": tuple(raw["vocabulary"])})


def _is_named(raw: dict[str, Any]) -> bool:
    index = raw["index"]
    if not _is_text(raw["key"]) or not isinstance(raw["vocabulary"], list) or not raw["key"]:
        return False
    if index is not None and (type(index) is not int or not 0 <= index < MAXIMUM_COMPONENTS):
        return False
    return bool(raw["name"] == raw["key"] + ("" if index is None else str(index)))


def _is_numeric(raw: dict[str, Any]) -> bool:
    lower, upper = raw["lower"], raw["upper"]
    if type(lower) is not float or type(upper) is not float or raw["vocabulary"]:
        return False
    return lower < upper and math.isfinite(upper - lower)


def _is_categorical(raw: dict[str, Any]) -> bool:
    vocabulary = raw["vocabulary"]
    if raw["lower"] is not None or raw["upper"] is not None or raw["index"] is not None or not vocabulary:
        return False
    return all(_is_text(value) for value in vocabulary) and vocabulary == sorted(set(vocabulary))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not _SURROGATE.search(value)
