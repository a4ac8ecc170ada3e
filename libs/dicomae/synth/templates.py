"""Headers of a small synthetic PACS as Arrow columns: what `rows` repeats and varies.

The text of an element follows the same contract as in the header kernel. This module has a few lines of
its own for that, because it starts from values, not from bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydicom.datadict import dictionary_VR, keyword_for_tag, private_dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from dicomae.synth.bodyparts import PARTS
from dicomae.synth.dataset import SeriesTruth, make_series
from dicomae.synth.draft import Draft
from dicomae.synth.habits import HABITS
from dicomae.synth.patients import make_patient
from dicomae.synth.plan import make_plan
from dicomae.synth.writer import SYNTAXES
from dicomae.tables import PROMOTED_INTEGER, PROMOTED_TEXT, TEXTS

_FILES = 1200  # instances of the archive behind the templates
_MATRIX = 128
_PIXEL_DATA = 0x7FE00010
_FORMS: dict[str, Callable[[Any], str]] = {
    "AT": "{:08X}".format,
    "FL": lambda value: str(np.float32(value)),
    "FD": lambda value: repr(float(value)),
}
_BULK = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")


@dataclass(frozen=True)
class Templates:
    """Columns of `n` template rows.

    Attributes
    ----------
    promoted : the columns of `tables.HEADERS` that are the same in every row of a template.
    keys, values : string arrays, the flattened entries of `elements` of all templates.
    offsets : int64 (n + 1,), where each template's entries begin.
    vrs : map<string, string> array of n rows.
    """

    promoted: dict[str, pa.Array]
    keys: pa.StringArray
    values: pa.StringArray
    offsets: npt.NDArray[np.int64]
    vrs: pa.MapArray


@lru_cache(maxsize=2)
def make_templates(seed: int) -> Templates:
    """Templates of that seed; a second call in the same process costs nothing."""
    rows = []
    for study in make_plan(seed, _FILES, 1, kinds=("none",)):
        rng = np.random.default_rng([seed, 2, study.number])
        patient = make_patient(seed, study.patient, study.sex, study.birth_year)
        for series in study.series:
            part, habit = PARTS[series.part], HABITS[study.habit]
            draft = Draft(seed, study, series, patient, part, habit, _MATRIX, rng)
            truth, instances = make_series(draft)
            rows += [
                _row(made.dataset, made.syntax, made.frames is not None, truth, part.name)
                for made in instances
            ]
    elements = [row["elements"] for row in rows]
    sizes = [len(one) for one in elements]
    return Templates(
        promoted={
            name: pa.array([row[name] for row in rows]) for name in rows[0] if name not in ("elements", "vrs")
        },
        keys=pa.array([key for one in elements for key in one], pa.string()),
        values=pa.array([value for one in elements for value in one.values()], pa.string()),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        vrs=pa.array([list(row["vrs"].items()) for row in rows], TEXTS),
    )


def elements_of(dataset: Dataset) -> tuple[dict[str, str | None], dict[str, str]]:
    """`elements` and `vrs` of a data set up to its pixel data."""
    elements, vrs = {}, {}
    for element in dataset:
        if element.tag < _PIXEL_DATA:
            key, standard = _key_and_vr(element.tag, element.private_creator)
            elements[key] = text_of(element)
            if standard != element.VR:
                vrs[key] = str(element.VR)
    return elements, vrs


@lru_cache(maxsize=8192)
def _key_and_vr(tag: BaseTag, creator: str | None) -> tuple[str, str | None]:
    number = f"{tag.group:04X}{tag.element:04X}"
    if tag.is_private_creator:
        return number, "LO"
    if tag.is_private:
        try:
            vr = private_dictionary_VR(tag, creator or "")
        except KeyError:
            vr = None
        return f"{number[:4]}xx{number[6:]} {creator}", vr
    vr = {"US or SS": "US", "OB or OW": "OW", "US or OW": "OW"}.get(dictionary_VR(tag), dictionary_VR(tag))
    # The overlays after the first (6002 and on) have no keyword of their own.
    return (number if tag.group > 0x6000 else keyword_for_tag(tag)), vr


def text_of(element: DataElement) -> str | None:
    """Text of a value; None when it is empty."""
    vr, value = str(element.VR), element.value
    if vr == "SQ":
        return "[sequence]" if value else None
    if value is None or value == "" or (isinstance(value, MultiValue | bytes) and not value):
        return None
    if vr in _BULK:
        return f"[{len(value)} bytes]"
    values = value if isinstance(value, MultiValue | list) else [value]
    form = _FORMS.get(vr, str)
    text = "\\".join(form(one) for one in values)
    return text.strip(" ") or None


def _row(dataset: Dataset, syntax: str, has_pixels: bool, truth: SeriesTruth, part: str) -> dict[str, Any]:
    elements, vrs = elements_of(dataset)
    body_part, source = _repaired(truth, part)
    return {
        **{name: elements.get(name) for name in PROMOTED_TEXT},
        "TransferSyntaxUID": SYNTAXES[syntax],
        **{name: _integer(elements.get(name)) for name in PROMOTED_INTEGER},
        "body_part": body_part,
        "body_part_source": source,
        "has_window": bool(elements.get("WindowCenter") and elements.get("WindowWidth")),
        "has_pixel_data": has_pixels,
        "elements": elements,
        "vrs": vrs,
    }


def _integer(text: str | None) -> int | None:
    return int(text) if text else None


def _repaired(truth: SeriesTruth, part: str) -> tuple[str | None, str]:
    """What a repair of the body part would plausibly find; no rules are run here."""
    if truth.declared_how in ("correct", "wrong"):
        return truth.declared, "declared"
    if truth.declared_how == "non_standard":
        return part, "normalised"
    if truth.described_how == "tells":
        return part, "filled-from-StudyDescription"
    return None, "unknown"
