"""The image pixel, VOI LUT and modality LUT modules: how the phantom's numbers become stored values.

References
----------
PS3.3 sections C.7.6.3 (image pixel), C.11.1 (modality LUT) and C.11.2 (VOI LUT).
"""

import numpy as np
import numpy.typing as npt

from dicomae.synth import anatomy, phantom
from dicomae.synth.draft import Draft, Values

Frames = npt.NDArray[np.generic]  # (frames, rows, columns) or (frames, rows, columns, 3)

_BONE = (300.0, 1500.0)
_CT_WINDOWS = {"head": (40.0, 80.0), "torso": (40.0, 400.0), "joint": _BONE, "spine": _BONE, "hand": _BONE}
_SECONDARY_CAPTURE = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ConversionType": "WSD"}
_COLOR = {"US": 0.6, "NM": 0.05, "CT": 0.02, "MR": 0.02}  # share of series that are screenshots or Doppler


def fit_style(draft: Draft, values: Values) -> Values:
    """What a series decides once: photometric interpretation, bits, window tags, transfer syntax.

    Keys with an underscore steer `make_image`; the others are elements.
    """
    habit, modality = draft.habit, draft.study.modality
    syntax = draft.pick(list(habit.syntaxes), list(habit.syntaxes.values()))
    color = draft.maybe(_COLOR.get(modality, 0.0))
    eight = color or syntax == "jpeg" or modality == "US"
    signed = modality == "CT" and not eight and habit.language in (0, 2)
    several = {"NM": (16,), "MR": (12, 16), "CT": (16,) if signed else (12,)}.get(modality, (10, 12, 14))
    bits = 8 if eight else draft.pick(several)
    return {
        "SamplesPerPixel": 3 if color else 1,
        "PhotometricInterpretation": _photometric(draft, color, syntax),
        "BitsAllocated": 8 if eight else 16,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(signed),
        **({"PlanarConfiguration": 0} if color else {}),
        **(_SECONDARY_CAPTURE if color and modality in ("CT", "MR") else {}),
        "_syntax": "explicit" if color and syntax != "jpeg" else syntax,
        "_window": "none" if draft.maybe(habit.no_window) else "several" if draft.maybe(0.08) else "one",
        "_frames": values.get("_frames", 1),
    }


def _photometric(draft: Draft, color: bool, syntax: str) -> str:
    if color:
        return "YBR_FULL_422" if syntax == "jpeg" else "RGB"
    return "MONOCHROME1" if draft.maybe(draft.habit.monochrome1) else "MONOCHROME2"


def make_image(draft: Draft, style: Values, values: Values, position: int) -> tuple[Values, Frames]:
    """Elements of the image modules and the stored values of one instance."""
    level = 2 * (position + 0.5) / max(1, draft.series.instances) - 1
    count = style["_frames"]
    picture = np.stack([_physical(draft, values, level, frame, count) for frame in range(count)])
    elements: Values = {key: value for key, value in style.items() if not key.startswith("_")}
    if draft.study.modality == "CT" and style["BitsAllocated"] == 16:
        intercept = 0.0 if style["PixelRepresentation"] else -1024.0
        frames = _quantised(picture - intercept, style)
        elements |= {"RescaleIntercept": intercept, "RescaleSlope": 1.0}
        center, width = _CT_WINDOWS.get(draft.part.form, (50.0, 350.0))
    else:
        stored, center, width = _scaled(draft, picture, style["BitsStored"])
        if style["PhotometricInterpretation"] == "MONOCHROME1":
            top = 2.0 ** style["BitsStored"] - 1
            stored, center = top - stored, top - center
        frames = _quantised(stored, style)
    elements |= _size(style, frames) | _window(draft, style, center, width)
    if draft.habit.writes("SmallestImagePixelValue"):
        low, high = int(frames.min()), int(frames.max())
        elements |= {"SmallestImagePixelValue": low, "LargestImagePixelValue": high}
    return elements, frames


def _quantised(stored: phantom.Image, style: Values) -> Frames:
    """The values as integers of the style's type; three equal samples when it has colour."""
    bits = style["BitsStored"]
    if style["PixelRepresentation"]:
        return np.clip(stored, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(np.int16)
    kind = np.uint8 if style["BitsAllocated"] == 8 else np.uint16
    frames = np.clip(stored, 0, 2**bits - 1).astype(kind)
    return np.stack([frames] * 3, axis=-1) if style["SamplesPerPixel"] == 3 else frames


def _size(style: Values, frames: Frames) -> Values:
    many = {"NumberOfFrames": frames.shape[0]} if style["_frames"] > 1 else {}
    return {"Rows": frames.shape[1], "Columns": frames.shape[2], **many}


def _window(draft: Draft, style: Values, center: float, width: float) -> Values:
    if style["_window"] == "none":
        return {}
    center = float(round(draft.near(center, 0.03)))
    width = float(max(1, round(draft.near(width, 0.05))))
    if style["_window"] == "one":
        return {"WindowCenter": [center], "WindowWidth": [width]}
    return {
        "WindowCenter": [center, center + width // 4],
        "WindowWidth": [width, 2 * width],
        "WindowCenterWidthExplanation": ["WINDOW1", "WINDOW2"],
    }


def _scaled(draft: Draft, picture: phantom.Image, bits: int) -> tuple[phantom.Image, float, float]:
    """Stored values, and the centre and width of a window that suits them."""
    if draft.study.modality == "NM":
        top = float(picture.max())
        return picture * (1 if bits == 16 else 255 / max(top, 1)), top / 2, max(top, 1)
    full = float(2**bits - 1) * (0.9 if bits <= 12 else 0.4)
    return np.clip(picture, 0, 1) * full, 0.45 * full, 0.9 * full


def _physical(draft: Draft, values: Values, level: float, frame: int, frames: int) -> phantom.Image:
    matrix, rng, modality = draft.matrix, draft.rng, draft.study.modality
    shapes = anatomy.shapes_of(draft.part.form, draft.part.name)
    if modality == "CT":
        dose = 3.0 if draft.part.form == "head" else 14.0
        noise = dose * (5.0 / float(values["SliceThickness"])) ** 0.5
        return phantom.ct(shapes, matrix, level, noise, rng)
    if modality == "MR":
        times = [float(values[key]) for key in ("RepetitionTime", "EchoTime", "InversionTime")]
        return phantom.mr(shapes, matrix, level, times, rng)
    if modality == "NM":
        return phantom.nm(shapes, matrix, 60.0 * (1 + frame) / frames, rng)
    view = str(values.get("ViewPosition") or "AP")
    image = phantom.projection(shapes, matrix, view, 0.02, rng)
    if modality == "XA":
        return 1 - 0.6 * image - 0.35 * phantom.vessels(matrix, (frame + 1) / frames, rng) * (image > 0.05)
    if modality == "RF":
        return 1 - 0.55 * image - 0.4 * phantom.bowel(matrix, rng) * (image > 0.08)
    if modality == "US":
        return np.clip(image, 0, 1) * rng.rayleigh(0.5, image.shape).astype(np.float32)
    return image
