"""All tags enter the funnel, and few become features; each tag gets a decision and the reason for it.

A tag passes these steps in their order. It leaves at the first step that it fails:

1. `vary`: it has at least `minimum_unique` unique values.
2. `used`: it is filled in at least `minimum_fill` of the rows. When `fill_scope` is `any_modality`, that
   share of the rows of one modality is enough.
3. `informative`: it is no identifier, and no creator of private elements. Its VR is known and not excluded,
   as those of UIDs, names, dates, bulk and sequences are; nor is the VR that PS3.6 gives it. If it is
   categorical, it has at most `maximum_categories` values.
4. `free_text`: it holds no natural language, and no text of a private element that is not known as a code.

Free text is exempt from the count of categories, so that step 4 counts all of it, as the paper does.
The paper names no step for identifiers. Here they leave at step 3 with a reason of their own, so that
none is dropped unseen.

A tag is numeric when its VR is numeric (an age is, too) and at least `minimum_numeric_share` of its
values are numbers. Below that share it is categorical. A text tag stays categorical when all its values
are numbers, such as a CS of "1" and "2": its VR says that the numbers are names.

What a key says of its values, whom they may name or that they are text, is its `PrivacyLevel`. Private
numbers follow the same rules as others. A private text is a category only when its level says that it is a
code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from dicomae import tables
from dicomae.codes import PrivacyLevel
from dicomae.config import FunnelConfig
from dicomae.features.values import NUMERIC_VRS

FREE_TEXT_VRS = frozenset(["LT", "ST", "UC", "UT"])
TEXT_VRS = FREE_TEXT_VRS | {"LO", "SH"}
STEPS = ("vary", "used", "informative", "free_text")
_NAMES = {
    PrivacyLevel.IDENTIFIER: "names a person, an order or a device",
    PrivacyLevel.CREATOR: "names the owner of private elements",
}
Levels = Callable[[str], PrivacyLevel]
_DECIDED = pa.schema([f for f in tables.TAG_STATISTICS.schema if f.name not in ("scope", "run_id")])


@dataclass(frozen=True)
class Decision:
    """What becomes of a tag: `step` is where it left the funnel; None for a feature.

    Examples
    --------
    >>> from dicomae.features.funnel import Decision
    >>> constant = Decision("vary", "dropped", "1 unique values; 2 needed")
    >>> name = Decision("informative", "dropped", "names a person, an order or a device")
    >>> voltage = Decision(None, "numeric", "VR DS, 100.0% numbers, filled in 9 of 10 rows (90.0%)")
    >>> [tag.decision for tag in (constant, name, voltage) if tag.step is None]
    ['numeric']
    """

    step: str | None
    decision: Literal["numeric", "categorical", "dropped"]
    why: str


def decide(statistics: pa.Table, config: FunnelConfig, level: Levels) -> pa.Table:
    """The statistics with a decision for each tag: `tables.TAG_STATISTICS` without `scope` and `run_id`.

    Parameters
    ----------
    statistics : what `statistics.finish` returns; its columns stay as they are.
    level : what each key says of its values; `dicom.privacy.levels` makes it.

    Examples
    --------
    Of ten headers nine have a number in `KVP`, not always the same; `Rows` is the same in all.

    >>> from pathlib import Path
    >>> from dicomae import config
    >>> from dicomae.codes import PrivacyLevel
    >>> from dicomae.features.funnel import decide
    >>> from dicomae.features.statistics import TagStatistics, finish
    >>> from dicomae.features.tag_count import TagCount
    >>> counts = {"KVP": TagCount(9, 9, 9, varies=True, numeric=9), "Rows": TagCount(10, 10, 10, numeric=10)}
    >>> counted = finish(TagStatistics(10, counts=counts), {"KVP": "DS", "Rows": "US"}.get)
    >>> settings = config.load(Path("conf/default.toml")).funnel
    >>> decided = decide(counted, settings, level=lambda key: PrivacyLevel.CODE)
    >>> decided["decision"].to_pylist(), decided["step"].to_pylist()
    (['numeric', 'dropped'], [None, 'vary'])
    >>> decided["why"].to_pylist()
    ['VR DS, 100.0% numbers, filled in 9 of 10 rows (90.0%)', '1 unique values; 2 needed']
    """
    decisions = [
        _decision(row, config, level(row["key"])) for row in statistics.to_pylist(maps_as_pydicts="strict")
    ]
    columns = {name: statistics.column(name) for name in statistics.schema.names}
    for name in ("step", "decision", "why"):
        columns[name] = pa.array([getattr(d, name) for d in decisions], pa.string())
    return pa.table([columns[name] for name in _DECIDED.names], schema=_DECIDED)


def needing_devices(decided: pa.Table, level: Levels) -> frozenset[str]:
    """Keys of the texts whose values are categories only when enough devices have them, too.

    They are the texts that are not technical, by the VR that PS3.6 gives them or by the one that files have.

    Parameters
    ----------
    decided : columns `key` and `vr`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.codes import PrivacyLevel
    >>> from dicomae.features.funnel import needing_devices
    >>> levels = {"Manufacturer": PrivacyLevel.TECHNICAL, "Modality": PrivacyLevel.CODE}
    >>> written = pa.table({"key": ["Manufacturer", "Modality"], "vr": ["LO", "LO"]})
    >>> sorted(needing_devices(written, levels.__getitem__))  # a code that is written as a text is one
    ['Modality']
    """
    texts = zip(decided["key"].to_pylist(), decided["vr"].to_pylist(), strict=True)
    return frozenset(
        key
        for key, vr in texts
        if level(key) == PrivacyLevel.UNLISTED or (level(key) == PrivacyLevel.CODE and vr in TEXT_VRS)
    )


def steps(decided: pa.Table) -> dict[str, int]:
    """Number of tags that are left after each step; `occur` counts them before the first.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.funnel import steps
    >>> steps(pa.table({"step": ["vary", "vary", "used", "free_text", None]}))
    {'occur': 5, 'vary': 3, 'used': 2, 'informative': 2, 'without_free_text': 1}
    """
    left = decided.column("step").to_pylist()
    remaining = {"occur": len(left)}
    for step, name in zip(STEPS, ("vary", "used", "informative", "without_free_text"), strict=True):
        remaining[name] = list(remaining.values())[-1] - left.count(step)
    return remaining


def _decision(tag: dict[str, Any], config: FunnelConfig, level: PrivacyLevel) -> Decision:
    numeric = _is_numeric(tag, config)
    for step, objection in (
        ("vary", _constant(tag, config)),
        ("used", _scarce(tag, config)),
        ("informative", _uninformative(tag, config, level, numeric)),
        ("free_text", _natural_language(tag, level, numeric)),
    ):
        if objection is not None:
            return Decision(step, "dropped", objection)
    return Decision(None, "numeric" if numeric else "categorical", _reason_to_keep(tag, config, numeric))


def _is_numeric(tag: dict[str, Any], config: FunnelConfig) -> bool:
    return tag["vr"] in NUMERIC_VRS and (tag["numeric_share"] or 0.0) >= config.minimum_numeric_share


def _constant(tag: dict[str, Any], config: FunnelConfig) -> str | None:
    # `varies` is exact; the sketch is asked only when more than two values are wanted.
    unique = (tag["filled"] > 0) + tag["varies"]
    if config.minimum_unique > 2:
        unique = tag["distinct_hll"]
    if unique >= config.minimum_unique:
        return None
    return f"{unique} unique values; {config.minimum_unique} needed"


def _scarce(tag: dict[str, Any], config: FunnelConfig) -> str | None:
    if max(_fills(tag, config).values()) >= config.minimum_fill:
        return None
    return f"{_filled_words(tag, config)}; {config.minimum_fill:.1%} needed"


def _fills(tag: dict[str, Any], config: FunnelConfig) -> dict[str, float]:
    fills: dict[str, float] = {"rows": tag["fill"]}
    if config.fill_scope == "any_modality":
        fills |= tag["fill_by_modality"]
    return fills


def _filled_words(tag: dict[str, Any], config: FunnelConfig) -> str:
    words = f"filled in {tag['filled']} of {tag['rows']} rows ({tag['fill']:.1%})"
    if config.fill_scope == "any_modality" and tag["fill_by_modality"]:
        name, fill = max(tag["fill_by_modality"].items(), key=lambda item: item[1])
        words += f", in {fill:.1%} of {name}"
    return words


def _uninformative(
    tag: dict[str, Any], config: FunnelConfig, level: PrivacyLevel, numeric: bool
) -> str | None:
    if level in _NAMES:
        return _NAMES[level]
    if tag["vr"] is None:
        return "its VR is unknown"
    if tag["vr"] in config.excluded_vrs:
        return f"VR {tag['vr']} is excluded"
    if level == PrivacyLevel.NAMING_VR:
        return "holds names, dates or addresses, by the VR that PS3.6 gives it"
    if numeric or tag["distinct_hll"] <= config.maximum_categories or _natural_language(tag, level, numeric):
        return None
    return f"categorical with {tag['distinct_hll']} values; {config.maximum_categories} allowed"


def _natural_language(tag: dict[str, Any], level: PrivacyLevel, numeric: bool) -> str | None:
    if level == PrivacyLevel.FREE_TEXT:
        return "natural language, by its keyword"
    if tag["vr"] in FREE_TEXT_VRS:
        return f"natural language, by its VR {tag['vr']}"
    if level == PrivacyLevel.PRIVATE and not numeric:
        return "a private text, which no dictionary knows as a code"
    return None


def _reason_to_keep(tag: dict[str, Any], config: FunnelConfig, numeric: bool) -> str:
    words = _filled_words(tag, config)
    vr, categories = f"VR {tag['vr']}", f"{tag['distinct_hll']} values"
    numbers = f"{tag['numeric_share'] or 0.0:.1%} numbers"
    if numeric:
        return f"{vr}, {numbers}, {words}"
    if tag["vr"] in NUMERIC_VRS:
        return f"{vr}, but only {numbers}; {categories}, {words}"
    return f"{vr}, {categories}, {words}"
