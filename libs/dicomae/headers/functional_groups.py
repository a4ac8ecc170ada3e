"""Functional groups: what an enhanced image says for all of its frames, or for each of them.

A classic CT has PixelSpacing at the top of its data set. An enhanced CT has it in a macro, which is a
sequence inside a group. The item of SharedFunctionalGroupsSequence holds for all frames. Each item of
PerFrameFunctionalGroupsSequence holds for one frame. A path leads from a group to an element, such as
`PixelMeasuresSequence[0].PixelSpacing`. The element's key is what comes after the macro: `PixelSpacing`, as
in a classic image.

The standard allows a macro in one of the two groups only. When both have the element, the first frame gives
it, unless its value is empty. The first item of each sequence is read, and no other.

References
----------
DICOM PS3.3, sections C.7.6.16 (groups), C.7.6.16.2.10 (Frame VOI LUT, which holds the window).
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property, lru_cache

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword

from dicomae.dicom import keys

PER_FRAME, SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"
GROUPS = (PER_FRAME, SHARED)  # the first that has a value gives it
WINDOW = ("FrameVOILUTSequence[0].WindowCenter", "FrameVOILUTSequence[0].WindowWidth")
TAGS = (0x52009230, 0x52009229)  # of the groups
DEEPEST = 3  # sequences in a path

_FIRST_ITEM, _EXAMPLE = "[0].", "PixelMeasuresSequence[0].PixelSpacing"
_NUMBER = re.compile(r" *[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]+)? *")


@dataclass(frozen=True)
class Wanted:
    """Which elements of functional groups are read.

    Attributes
    ----------
    paths : those that become elements, and then those that only tell whether there is a window.
    n_elements : how many become elements.
    """

    paths: tuple[str, ...]
    n_elements: int

    @property
    def window(self) -> tuple[int, int]:
        """Where the paths to the centre and to the width of the window are."""
        centre, width = WINDOW
        return self.paths.index(centre), self.paths.index(width)

    @cached_property
    def macros(self) -> tuple[bytes, ...]:
        """Bytes of the tags of all macros, in both byte orders."""
        tags = {tag_for_keyword(path.split(_FIRST_ITEM)[0]) or 0 for path in self.paths}
        return tuple(
            struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) for order in "<>" for tag in sorted(tags)
        )

    def may_be_in(self, buffer: bytes, start: int, end: int) -> bool:
        """Whether a macro may be between two offsets; else nobody needs to follow the sequences there."""
        return any(buffer.find(macro, start, end) >= 0 for macro in self.macros)

    @property
    def flatten(self) -> frozenset[str]:
        """Keywords of all sequences on the way, the groups too."""
        return frozenset(GROUPS).union(*(path.split(_FIRST_ITEM)[:-1] for path in self.paths))


@lru_cache(maxsize=64)
def wanted(paths: tuple[str, ...]) -> Wanted:
    """What is read when these paths become elements: they, and the window in any case."""
    return Wanted((*paths, *(path for path in WINDOW if path not in paths)), len(paths))


def fault(path: str) -> str | None:
    """What is wrong with a path; None when it is right: keywords of sequences, and of an element at its end.

    Examples
    --------
    >>> from dicomae.headers.functional_groups import fault
    >>> fault("PixelMeasuresSequence[0].PixelSpacing")
    >>> fault("PixelMeasuresSequence[0].PixelSpacings")
    "'PixelSpacings' is no keyword of PS3.6; the nearest is 'PixelSpacing'"
    """
    *sequences, last = path.split(_FIRST_ITEM)
    for keyword in (*sequences, last):
        if not keyword or tag_for_keyword(keyword) is None:  # retired elements have the keyword ''
            return f"'{keyword}' is no keyword of PS3.6{_nearest(keyword)}"
    if any(keys.standard_vr(keyword) != "SQ" for keyword in sequences) or keys.standard_vr(last) == "SQ":
        return f"'{path}' must be sequences, and at its end an element that is none"
    if not 1 <= len(sequences) <= DEEPEST or sequences[0] in GROUPS:
        return f"'{path}' must have one to {DEEPEST} sequences, and begin inside a group: {_EXAMPLE}"
    return None


def _nearest(keyword: str) -> str:
    near = get_close_matches(keyword, [entry[4] for entry in DicomDictionary.values()], n=1)
    return f"; the nearest is '{near[0]}'" if near else ""


def key_of(path: str) -> str:
    """Key of the element to which a path leads: what comes after the macro.

    Examples
    --------
    >>> from dicomae.headers.functional_groups import key_of
    >>> key_of("PixelMeasuresSequence[0].PixelSpacing")
    'PixelSpacing'
    >>> key_of("FrameAnatomySequence[0].AnatomicRegionSequence[0].CodeMeaning")
    'AnatomicRegionSequence[0].CodeMeaning'
    """
    return path.split(_FIRST_ITEM, 1)[1]


def top_key_of(path: str) -> str:
    """Key of the element at the top that a value from the groups would repeat.

    Examples
    --------
    >>> from dicomae.headers.functional_groups import top_key_of
    >>> top_key_of("FrameAnatomySequence[0].AnatomicRegionSequence[0].CodeMeaning")
    'AnatomicRegionSequence'
    """
    return path.split(_FIRST_ITEM)[1]


def mark_of(vr: str, group: str, path: str) -> str:
    """What `vrs` says of an element from the groups: its VR, and where it stood.

    Examples
    --------
    >>> from dicomae.headers.functional_groups import SHARED, mark_of
    >>> mark_of("DS", SHARED, "PixelMeasuresSequence[0].PixelSpacing")
    'DS SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]'
    """
    return f"{vr} {group}{_FIRST_ITEM}{path.split(_FIRST_ITEM)[0]}[0]"


def is_window(centre: str | None, width: str | None) -> bool:
    r"""Whether two texts are a window: each is one or more numbers.

    Examples
    --------
    >>> from dicomae.headers.functional_groups import is_window
    >>> is_window(r"40\300", r"400\1500"), is_window("40", "NaN"), is_window("40", None)
    (True, False, False)
    """
    return all(
        text is not None and all(_NUMBER.fullmatch(part) for part in text.split("\\"))
        for text in (centre, width)
    )


@dataclass(frozen=True)
class Flattened:
    """Texts of a data set with flattened groups; a key is `SharedFunctionalGroupsSequence[0].X[0].Y`.

    Attributes
    ----------
    elements : the text of each element; null when it is empty or unreadable.
    vrs : the VR of those elements whose VR is not the dictionary's.
    errors : why an element, or the first item of a sequence, cannot be read.
    """

    elements: Mapping[str, str | None]
    vrs: Mapping[str, str]
    errors: Mapping[str, str]


@dataclass(frozen=True)
class Taken:
    """What a row gets from its groups: entries of its three maps, and whether the groups hold a window."""

    elements: dict[str, str | None] = field(default_factory=dict)
    vrs: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    has_window: bool = False


def taken(wanted: Wanted, top: Mapping[str, str | None], flattened: Flattened) -> Taken:
    """What a row takes from its groups; an element at the top, even an empty one, is never replaced.

    Parameters
    ----------
    top : elements of the top level.
    """
    found = Taken(errors=_unreadable_groups(flattened.errors))
    for path in wanted.paths[: wanted.n_elements]:
        group, full = _place(path, flattened)
        if group is None or top_key_of(path) in top:
            continue
        key = key_of(path)
        found.elements[key] = flattened.elements[full]
        found.vrs[key] = mark_of(flattened.vrs.get(full) or keys.standard_vr(full) or "UN", group, path)
        if full in flattened.errors:
            found.errors[key] = flattened.errors[full]
    centre, width = (flattened.elements.get(_place(path, flattened)[1]) for path in WINDOW)
    return Taken(found.elements, found.vrs, found.errors, is_window(centre, width))


def _place(path: str, flattened: Flattened) -> tuple[str | None, str]:
    """The group that gives an element, and the element's full key; no group where none has it."""
    places = [(group, f"{group}{_FIRST_ITEM}{path}") for group in GROUPS]
    there = [place for place in places if place[1] in flattened.elements]
    filled = [
        (group, full)
        for group, full in there
        if flattened.elements[full] is not None or full in flattened.errors
    ]
    return next(iter(filled or there), (None, ""))


def _unreadable_groups(errors: Mapping[str, str]) -> dict[str, str]:
    """The reason for each group in which an item cannot be read, by the group's keyword."""
    return {
        key.split(_FIRST_ITEM)[0]: reason for key, reason in errors.items() if reason == "unreadable_item"
    }
