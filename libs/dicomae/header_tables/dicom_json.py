"""Data sets as text in the DICOM JSON model to flat elements, one text after the other.

The model does not keep everything: DS and IS are numbers in it, so "1.50" comes back as `1.5`.
A member whose name is no tag is ignored; Databricks pixels adds some.

References
----------
DICOM PS3.18, annex F.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from dicomae.codes import Reason
from dicomae.dicom import keys, vr
from dicomae.header_tables.column_values import BINARY_FLOATS, NAME_GROUPS, WHOLE
from dicomae.header_tables.flat import Flat
from dicomae.headers.batch import Failure

_PIXELS, _LAST_PIXELS = 0x7FE00008, 0x7FE00010
_META, _SYNTAX, _MEDIA_UID, _UID = 0x0002, "00020010", "00020003", "00080018"
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


def read(texts: pa.StringArray, column: str) -> tuple[Flat, list[Failure]]:
    """Elements of each data set; a row without a data set is a failure, and its UID is null.

    Parameters
    ----------
    texts : string (n,), null when there is no data set.
    column : name of their column, for messages.
    """
    rows, failures = [], []
    for i, text in enumerate(texts.to_pylist()):
        row = _Row()
        if text is None:
            failures.append(Failure(i, Reason.EMPTY, f"no text in column '{column}'"))
        else:
            try:
                row = _row(json.loads(text))
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                detail = f"no DICOM JSON object in column '{column}': {type(error).__name__}"
                failures.append(Failure(i, Reason.UNREADABLE, detail))
        rows.append(row)
    return _flat(rows), failures


@dataclass
class _Row:
    """One data set: texts by key; VRs that are not the dictionary's; why a text is missing."""

    texts: dict[str, str | None] = field(default_factory=dict)
    vrs: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    uid: str | None = None
    syntax: str | None = None
    has_pixels: bool = False


def _flat(rows: Sequence[_Row]) -> Flat:
    codes: dict[str, int] = {}
    for row in rows:
        for key in row.texts:
            codes.setdefault(key, len(codes))
    return Flat(
        names=list(codes),
        rows=np.repeat(np.arange(len(rows)), [len(row.texts) for row in rows]),
        codes=np.array([codes[key] for row in rows for key in row.texts], np.int64),
        values=pa.array([text for row in rows for text in row.texts.values()], pa.string()),
        vrs=pa.array([row.vrs.get(key) for row in rows for key in row.texts], pa.string()),
        errors=pa.array([row.errors.get(key) for row in rows for key in row.texts], pa.string()),
        uids=pa.array([row.uid for row in rows], pa.string()),
        syntaxes=pa.array([row.syntax for row in rows], pa.string()),
        has_pixels=np.array([row.has_pixels for row in rows], np.bool_),
    )


def _row(members: Mapping[str, Any]) -> _Row:
    row = _Row()
    tags = {int(name, 16): member for name, member in members.items() if _is_tag(name)}
    creators = keys.creators_by_block(
        (tag, _element("LO", member)[0] or "")
        for tag, member in sorted(tags.items())
        if keys.is_creator(tag >> 16, tag & 0xFFFF)
    )
    for tag, member in sorted(tags.items()):
        group, element = tag >> 16, tag & 0xFFFF
        row.has_pixels |= _PIXELS <= tag <= _LAST_PIXELS
        if group <= _META or element == 0 or tag >= _PIXELS:
            continue
        key, standard = keys.describe(tag, creators.get(tag >> 8))
        name = _vr_of(member, standard)
        row.texts[key], error = _element(name, member)
        if name != standard:
            row.vrs[key] = name
        if error:
            row.errors[key] = error
    row.uid = _textual(members, _UID) or _textual(members, _MEDIA_UID)
    row.syntax = _textual(members, _SYNTAX)
    return row


def _vr_of(member: Any, standard: str | None) -> str:
    """The VR as written, else the dictionary's, else UN; "OB or OW" is no VR."""
    name = member.get("vr") if isinstance(member, dict) else None
    return name if isinstance(name, str) and name in vr.READERS else standard or "UN"


def _is_tag(name: str) -> bool:
    return len(name) == 8 and _HEXADECIMAL.issuperset(name)


def _textual(members: Mapping[str, Any], tag: str) -> str | None:
    member = members.get(tag)
    return _element("UI", member)[0] if _vr_of(member, None) == "UI" else None


def _element(name: str, member: Any) -> tuple[str | None, str | None]:
    """Text of an element, and the reason when it is unreadable."""
    try:
        return _bulk(member) if name in vr.BULK else (_value(name, member.get("Value") or []), None)
    except UnicodeEncodeError:  # half of a surrogate pair
        return None, "undecodable"
    except (TypeError, ValueError, AttributeError, OverflowError):
        return None, "bad_value"


def _value(name: str, values: Any) -> str | None:
    if not isinstance(values, list):
        raise TypeError(name)
    if name == "SQ":
        return vr.SEQUENCE_TEXT if values else None
    text = "\\".join([_text(name, value) for value in values])
    if not text.isascii():
        text.encode()
    is_filled = text if name in vr.PARAGRAPHS else text.strip("\\")
    return text if is_filled else None


def _bulk(member: Mapping[str, Any]) -> tuple[str | None, str | None]:
    if "BulkDataURI" in member:
        return None, "no_bytes"
    coded = member.get("InlineBinary") or ""
    n_bytes = len(coded) // 4 * 3 - coded[-2:].count("=")
    return (vr.bulk_text(n_bytes) if n_bytes > 0 else None), None


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "PN" and not isinstance(value, str):
        return "=".join([str(value.get(group) or "") for group in NAME_GROUPS]).rstrip("=").strip(vr.PADDING)
    if name in BINARY_FLOATS:
        with np.errstate(over="ignore"):
            return str(np.float32(value)) if name == "FL" else repr(float(value))
    if isinstance(value, str):
        return value.strip(vr.PADDING) if name in vr.STRIPPED_LEFT else value.rstrip(vr.PADDING)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(name)
    return _number(value)


def _number(value: float) -> str:
    """An integer or a float as `column_values` writes it: 40.0 is `40`."""
    is_whole = math.isfinite(value) and abs(value) < WHOLE and value == int(value)
    return str(int(value)) if is_whole or isinstance(value, int) else repr(value)
