"""Keys and texts of the contract from what pydicom reads; shares no code with the kernel."""

import warnings

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue


def pydicom_key(read: Dataset, tag: pydicom.tag.BaseTag) -> str:
    if tag.is_private and tag.element >= 0x1000 and (tag.group, tag.element >> 8) in read:
        return f"{tag.group:04X}xx{tag.element & 0xFF:02X} {read[tag.group, tag.element >> 8].value}"
    keyword = pydicom.datadict.keyword_for_tag(tag)
    repeats = tag.group >> 8 in (0x50, 0x60) and tag.group & 0xFF
    return keyword if keyword and not repeats else f"{tag.group:04X}{tag.element:04X}"


def pydicom_text(read: Dataset, tag: pydicom.tag.BaseTag) -> str | None:
    """DICOM text of what pydicom makes of an element; what it cannot read is `!`."""
    if tag not in read:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            element = read[tag]
    except NotImplementedError:
        return "!"
    value = element.value
    if element.VR == "SQ":
        return "[sequence]" if len(value) else None
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]" if value else None
    values = value if isinstance(value, (MultiValue, list)) else [value]
    return "\\".join(pydicom_part(element.VR, part) for part in values) or None


def pydicom_part(vr: str, value: object) -> str:
    if value is None:
        return ""
    if vr in ("DS", "IS"):
        return getattr(value, "original_string", str(value)).strip()
    if vr == "AT":
        return f"{int(value):08X}"  # type: ignore[call-overload]
    return str(np.float32(value)) if vr == "FL" else str(value)  # type: ignore[call-overload]
