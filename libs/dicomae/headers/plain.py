r"""Header bytes to Arrow in plain Python, one file after the other: slow, but it knows every encoding.

    buffers ──► read (dataset) ──► keys, texts (keys, vr) ──► HEADER rows
                     └────────────► Failure / incomplete

The kernel leaves odd files to this module. `dicomae.headers.parse` says what the rows hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from xxhash import xxh3_128_hexdigest

from dicomae import tables
from dicomae.codes import Reason
from dicomae.dicom import charset, keys, vr
from dicomae.headers import dataset, functional_groups
from dicomae.headers.batch import BATCH_BYTES, HEADER, Failure, HeaderBatch

MAXIMUM_DEPTH = 4  # of flattened sequences
MAXIMUM_FLATTENED = 1024  # elements of flattened sequences, of one file

_CHARACTER_SET, _PIXEL_REPRESENTATION = 0x00080005, 0x00280103
_ITEMS = 0xFFFE  # group of items and delimiters: no elements
_PRIVATE = 0x10000  # the bit that makes a tag's group odd
_GROUPS = frozenset(functional_groups.TAGS)
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")


def parse_headers(
    buffers: Sequence[bytes], complete: Sequence[bool], flatten: Sequence[str], groups: Sequence[str] = ()
) -> HeaderBatch:
    """As `parse.parse_headers`, one file after the other, for what the kernel leaves."""
    rows: list[_Row] = []
    index: list[int] = []
    failures: list[Failure] = []
    incomplete: dict[int, int] = {}
    words, wanted, room = frozenset(flatten), functional_groups.wanted(tuple(groups)), BATCH_BYTES
    for i, (buffer, whole) in enumerate(zip(buffers, complete, strict=True)):
        if room <= 0:  # a deflated file is a thousand times as long inside
            incomplete[i] = 0
            continue
        try:
            rows.append(_row(buffer, whole, words, wanted))
            index.append(i)
            room -= sum(len(text or "") for text in rows[-1].texts.elements.values())
        except dataset.NeedsMoreBytes as needs_more:
            if whole:
                failures.append(Failure(i, Reason.TRUNCATED, str(needs_more) or "the header is cut"))
            else:
                incomplete[i] = max(needs_more.at, len(buffer)) + 1
        except _Rejected as rejected:
            failures.append(Failure(i, rejected.reason, rejected.detail))
        except Exception as error:  # noqa: BLE001 (the per-file boundary: no file stops a batch)
            failures.append(Failure(i, Reason.UNREADABLE, type(error).__name__))
    positions = np.asarray(index, dtype=np.int64)
    return HeaderBatch(_record_batch(rows), positions, tuple(failures), incomplete)


def _row(buffer: bytes, whole: bool, flatten: frozenset[str], wanted: functional_groups.Wanted) -> _Row:
    if not buffer and whole:
        raise _Rejected(Reason.EMPTY, "zero bytes")
    try:
        raw = dataset.read(buffer, whole)
    except dataset.NotDicom:
        raise _Rejected(Reason.NOT_DICOM, "neither a preamble nor a first element") from None
    except dataset.Malformed as malformed:
        raise _Rejected(Reason.UNREADABLE, str(malformed)) from None
    except dataset.TooLarge as too_large:
        raise _Rejected(Reason.TOO_LARGE, str(too_large)) from None
    texts = _texts(raw, flatten)
    uid = texts.textual("SOPInstanceUID") or raw.media_instance_uid
    if not uid:
        raise _Rejected(Reason.NO_INSTANCE_UID, "neither in the data set nor in the file meta information")
    content = xxh3_128_hexdigest(memoryview(raw.buffer)[raw.start : raw.end])
    groups = _groups(raw, texts, wanted)
    return _Row(uid, raw.transfer_syntax or None, raw.at_pixel_data, content, texts, groups)


def _texts(raw: dataset.RawDataset, flatten: frozenset[str]) -> _Texts:
    texts = _Texts()
    level = _Level(raw.buffer, raw.elements, raw.encoding, charset.DEFAULT, signed_pixels=False)
    _add_level(texts, _with_own_settings(level), "", flatten, depth=0)
    return texts


def _groups(
    raw: dataset.RawDataset, top: _Texts, wanted: functional_groups.Wanted
) -> functional_groups.Taken:
    """What the row takes from its functional groups: they are flattened, and the wanted elements picked."""
    groups = {element[0]: element for element in raw.elements if element[0] in _GROUPS}  # the last of each
    elements = [one for one in groups.values() if wanted.may_be_in(raw.buffer, *one[2:])]
    if not elements:
        return functional_groups.Taken()
    level = _Level(raw.buffer, raw.elements, raw.encoding, charset.DEFAULT, signed_pixels=False)
    level = _with_own_settings(level)._replace(elements=elements)
    found = _Texts()
    _add_level(found, level, "", wanted.flatten, depth=0)
    flattened = functional_groups.Flattened(found.elements, found.vrs, found.errors)
    return functional_groups.taken(wanted, top.elements, flattened)


def _with_own_settings(level: _Level) -> _Level:
    """The level, with the character set and the sign of pixels that its own elements declare."""
    for tag, _, start, end in level.elements:
        if tag == _CHARACTER_SET:
            level = level._replace(encodings=charset.encodings_of(level.buffer[start:end]))
        elif tag == _PIXEL_REPRESENTATION:
            number = int.from_bytes(level.buffer[start:end], level.encoding.byte_order)
            level = level._replace(signed_pixels=number == 1)
    return level


def _add_level(texts: _Texts, level: _Level, prefix: str, flatten: frozenset[str], depth: int) -> None:
    creators = _creators(level)
    encoding = vr.ValueEncoding(level.encoding.little_endian, level.encodings)
    for element in level.elements:
        tag, written, start, end = element
        creator = creators.get(tag >> 8) if tag & _PRIVATE else None
        word, standard = keys.describe(tag, creator)
        key = prefix + word
        name = _vr_of(tag, written, standard, level.signed_pixels)
        texts.elements[key] = None
        if tag >> 16 == _ITEMS:
            texts.errors[key] = "stray_item"
            continue
        try:
            texts.elements[key] = vr.text_of(name, level.buffer[start:end], encoding)
        except vr.UnreadableValue as unreadable:
            texts.errors[key] = str(unreadable)
        if name != standard:
            texts.vrs[key] = name
        if name == "SQ" and word in flatten and depth < MAXIMUM_DEPTH:
            _add_first_item(texts, level, element, f"{key}[0].", flatten, depth + 1)


def _add_first_item(
    texts: _Texts,
    level: _Level,
    sequence: dataset.RawElement,
    prefix: str,
    flatten: frozenset[str],
    depth: int,
) -> None:
    _, _, start, end = sequence
    try:
        elements, encoding = dataset.first_item(level.buffer, start, end, level.encoding)
    except (dataset.NeedsMoreBytes, dataset.Malformed, dataset.TooLarge):
        texts.errors[prefix.removesuffix("[0].")] = "unreadable_item"
        return
    room = MAXIMUM_FLATTENED - texts.flattened
    texts.flattened += len(elements[:room])
    inner = level._replace(elements=elements[:room], encoding=encoding)
    _add_level(texts, _with_own_settings(inner), prefix, flatten, depth)


def _vr_of(tag: int, written: str | None, standard: str | None, signed_pixels: bool) -> str:
    """The VR by which a value is read: the written one, else the dictionary's, else UN."""
    if written is not None and written != "UN":
        return written
    if signed_pixels and tag in keys.SIGN_DEPENDS:
        return "SS"
    return standard or "UN"


def _creators(level: _Level) -> dict[int, str]:
    return keys.creators_by_block(
        (tag, level.buffer[start:end].decode("latin_1").strip(vr.PADDING))
        for tag, _, start, end in level.elements
        if tag & _PRIVATE and keys.is_creator(tag >> 16, tag & 0xFFFF)
    )


@dataclass
class _Texts:
    """The three maps of one row while it is built."""

    elements: dict[str, str | None] = field(default_factory=dict)
    vrs: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    flattened: int = 0  # elements that came from flattened sequences

    def textual(self, key: str) -> str | None:
        """Text of an element whose VR is one of text, else None: `[64 bytes]` is no identifier."""
        name = self.vrs.get(key) or keys.standard_vr(key)
        return self.elements.get(key) if name in vr.TEXTUAL else None

    def integer(self, key: str) -> int | None:
        """The one int32 that an element holds; None when it is anything else, as `7.5` is."""
        text = self.elements.get(key)
        if text is None or not _INTEGER.fullmatch(text):
            return None
        number = int(text)
        return number if -(1 << 31) <= number < 1 << 31 else None


class _Level(NamedTuple):
    """One level of a data set: its elements, and what reading their values needs."""

    buffer: bytes
    elements: list[dataset.RawElement]
    encoding: dataset.Encoding
    encodings: tuple[str, ...]
    signed_pixels: bool


class _Row(NamedTuple):
    """One row of `HEADER` before it is Arrow."""

    uid: str
    transfer_syntax: str | None
    has_pixel_data: bool
    content_hash: str
    texts: _Texts
    groups: functional_groups.Taken


class _Rejected(Exception):
    """The file gives no row, for a reason that the table shows."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _record_batch(rows: list[_Row]) -> pa.RecordBatch:
    texts, groups = [row.texts for row in rows], [row.groups for row in rows]
    promoted = {name: [text.textual(name) for text in texts] for name in tables.PROMOTED_TEXT}
    columns: dict[str, object] = {
        "SOPInstanceUID": [row.uid for row in rows],
        **promoted,
        "TransferSyntaxUID": [row.transfer_syntax for row in rows],
        **{name: [text.integer(name) for text in texts] for name in tables.PROMOTED_INTEGER},
        "has_window": [_has_window(row.texts.elements) or row.groups.has_window for row in rows],
        "has_pixel_data": [row.has_pixel_data for row in rows],
        "content_hash": [row.content_hash for row in rows],
        "elements": _map_array(
            [text.elements | group.elements for text, group in zip(texts, groups, strict=True)]
        ),
        "vrs": _map_array([text.vrs | group.vrs for text, group in zip(texts, groups, strict=True)]),
        "element_errors": _map_array(
            [text.errors | group.errors for text, group in zip(texts, groups, strict=True)]
        ),
    }
    arrays = [pa.array(columns[name], HEADER.field(name).type) for name in HEADER.names]
    return pa.RecordBatch.from_arrays(arrays, schema=HEADER)


def _has_window(elements: Mapping[str, str | None]) -> bool:
    return bool(elements.get("WindowCenter")) and bool(elements.get("WindowWidth"))


def _map_array(maps: Sequence[Mapping[str, str | None]]) -> pa.MapArray:
    offsets = np.zeros(len(maps) + 1, dtype=np.int32)
    np.cumsum([len(one) for one in maps], out=offsets[1:])
    names = pa.array([name for one in maps for name in one], pa.string())
    values = pa.array([value for one in maps for value in one.values()], pa.string())
    return pa.MapArray.from_arrays(pa.array(offsets), names, values)
