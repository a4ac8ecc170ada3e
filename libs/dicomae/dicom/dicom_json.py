"""Data sets as text in the DICOM JSON model to flat elements, one text after the other.

What the model does not keep cannot come back: DS and IS are numbers here, so that "1.50" is 1.5.
Members that are no tags, which Databricks pixels adds, are ignored.

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

from dicomae.dicom import keys, vr
from dicomae.dicom.column_text import PARAGRAPHS, STRIPPED_LEFT
from dicomae.dicom.column_values import NAME_GROUPS
from dicomae.dicom.flat import Flat
from dicomae.dicom.rows import Failure
from dicomae.errors import Reason

_PIXELS, _LAST_PIXELS = 0x7FE00008, 0x7FE00010
_META, _SYNTAX, _MEDIA_UID, _UID = 0x0002, "00020010", "00020003", "00080018"
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_WHOLE = 2.0**53  # up to here a double holds every integer


def read(texts: pa.StringArray, column: str) -> tuple[Flat, list[Failure]]:
    """Elements of each data set; a row that has none is a failure and has no UID.

    Parameters
    ----------
    texts : string (n,); null is no data set.
    column : its name, for messages.
    """
    rows, failures = [], []
    for i, text in enumerate(texts.to_pylist()):
        row = _Row()
        if text is None:
            failures.append(Failure(i, Reason.EMPTY, f"nothing in column '{column}'"))
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
    """One data set; an element is (text or None, VR or None if the dictionary's, error or None)."""

    elements: dict[str, tuple[str | None, str | None, str | None]] = field(default_factory=dict)
    uid: str | None = None
    syntax: str | None = None
    has_pixels: bool = False


def _flat(rows: Sequence[_Row]) -> Flat:
    codes: dict[str, int] = {}
    for row in rows:
        for key in row.elements:
            codes.setdefault(key, len(codes))
    found = [element for row in rows for element in row.elements.values()]
    values, vrs, errors = (pa.array([e[i] for e in found], pa.string()) for i in range(3))
    return Flat(
        names=list(codes),
        rows=np.repeat(np.arange(len(rows)), [len(row.elements) for row in rows]),
        codes=np.array([codes[key] for row in rows for key in row.elements], np.int64),
        values=values,
        vrs=vrs,
        errors=errors,
        uids=pa.array([row.uid for row in rows], pa.string()),
        syntaxes=pa.array([row.syntax for row in rows], pa.string()),
        has_pixels=np.array([row.has_pixels for row in rows], np.bool_),
    )


def _row(members: Mapping[str, Any]) -> _Row:
    row = _Row()
    tags = {int(name, 16): member for name, member in members.items() if _is_tag(name)}
    creators = _creators(tags)
    for tag, member in sorted(tags.items()):
        group, element = tag >> 16, tag & 0xFFFF
        row.has_pixels |= _PIXELS <= tag <= _LAST_PIXELS
        if group <= _META or element == 0 or tag >= _PIXELS:
            continue
        key, standard = keys.describe(tag, creators.get(tag >> 8))
        name = str(member.get("vr", ""))
        text, error = _element(name, member)
        row.elements[key] = (text, name if name != standard and name in vr.READERS else None, error)
    row.uid = _textual(members, _UID) or _textual(members, _MEDIA_UID)
    row.syntax = _textual(members, _SYNTAX)
    return row


def _is_tag(name: str) -> bool:
    return len(name) == 8 and _HEXADECIMAL.issuperset(name)


def _textual(members: Mapping[str, Any], tag: str) -> str | None:
    member = members.get(tag)
    return None if member is None or member.get("vr") != "UI" else _element("UI", member)[0]


def _creators(tags: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """Creator of each private block, by group and block number (`ggggbb`), as `plain` finds them."""
    creators: dict[int, str] = {}
    taken: set[tuple[int, str]] = set()
    for tag, member in sorted(tags.items()):
        if keys.is_creator(tag >> 16, tag & 0xFFFF):
            name = _element("LO", member)[0] or ""
            if name.isprintable() and len(name) <= 64 and (tag >> 16, name) not in taken:
                creators[tag >> 16 << 8 | tag & 0xFF] = name
                taken.add((tag >> 16, name))
    return creators


def _element(name: str, member: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Text of an element, and why there is none."""
    if name not in vr.READERS:
        return None, "unknown_vr"
    if name in vr.BULK:
        return _bulk(member)
    values = member.get("Value") or []
    if name == "SQ":
        return (vr.SEQUENCE_TEXT if values else None), None
    text = "\\".join([_text(name, value) for value in values])
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            return None, "undecodable"
    return text if text.strip("\\") or (name in PARAGRAPHS and text) else None, None


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
    if isinstance(value, str):
        return value.strip(vr.PADDING) if name in STRIPPED_LEFT else value.rstrip(vr.PADDING)
    return _number(name, value)


def _number(name: str, value: float) -> str:
    """`str` of an integer; of a float as `column_values` writes it."""
    if name == "FL":
        return str(np.float32(value))
    if name == "FD":
        return repr(float(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(name)
    is_whole = isinstance(value, int) or (
        math.isfinite(value) and abs(value) < _WHOLE and value == int(value)
    )
    return str(int(value)) if is_whole else repr(value)
