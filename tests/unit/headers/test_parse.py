"""Batches of header bytes to rows: annotated bytes, random data sets, real files, cuts and mutants."""

import io
import random
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import pydicom_key, pydicom_text
from pydicom.dataset import Dataset, FileMetaDataset
from xxhash import xxh3_128_hexdigest

from dicomae.codes import Reason
from dicomae.headers import dataset, parse
from dicomae.headers.parse import parse_headers

SHARED = Path(__file__).resolve().parents[4] / "shared" / "dicom"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real files of ../shared/dicom are absent")

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
UNDEFINED = 0xFFFFFFFF


def explicit(group: int, element: int, vr: str, value: bytes) -> bytes:
    """An element in Explicit VR Little Endian, by PS3.5, tables 7.1-1 and 7.1-2."""
    head = struct.pack("<HH", group, element) + vr.encode()
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def implicit(group: int, element: int, value: bytes, order: str = "<") -> bytes:
    """An element in Implicit VR, by PS3.5, table 7.1-3."""
    return struct.pack(f"{order}HHL", group, element, len(value)) + value


def undefined(group: int, element: int, vr: str, *items: bytes) -> bytes:
    """A sequence of undefined length whose items are of undefined length too."""
    head = struct.pack("<HH2sHL", group, element, vr.encode(), 0, UNDEFINED)
    open_item = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
    close_item = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    close = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    return head + b"".join(open_item + item + close_item for item in items) + close


def part10(content: bytes, syntax: str = EXPLICIT, uid: str = "1.2.9") -> bytes:
    """A file: preamble, prefix, file meta information, data set."""
    meta = explicit(2, 3, "UI", uid.encode()) + explicit(2, 0x10, "UI", padded(syntax))
    return bytes(128) + b"DICM" + explicit(2, 0, "UL", struct.pack("<L", len(meta))) + meta + content


def padded(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)


UID = explicit(8, 0x18, "UI", b"1.2.3\0")
PIXELS = explicit(0x7FE0, 0x10, "OW", bytes(64))


def one(content: bytes, flatten=()) -> dict:
    """The only row of a complete file."""
    batch = parse_headers([content], [True], flatten)
    assert batch.failures == ()
    return row(batch, 0)


def row(batch: parse.HeaderBatch, i: int) -> dict:
    values = batch.headers.slice(i, 1).to_pylist()[0]
    return {k: dict(v) if isinstance(v, list) else v for k, v in values.items()}


def reason(content: bytes) -> Reason:
    (failure,) = parse_headers([content], [True], ()).failures
    return failure.reason


def test_a_small_file_by_hand():
    content = (
        explicit(8, 0, "UL", b"\x0c\0\0\0")  # a group length: no element
        + explicit(8, 8, "CS", b"ORIGINAL\\PRIMARY")
        + UID
        + explicit(8, 0x60, "CS", b"MR")
        + explicit(0x10, 0x10, "PN", b"")
        + explicit(0x28, 2, "US", b"\1\0")
        + explicit(0x28, 8, "IS", b"12")
        + explicit(0x28, 0x10, "UL", b"\0\2\0\0")  # Rows is US
        + explicit(0x28, 0x1050, "DS", b"40\\80 ")
        + explicit(0x28, 0x1051, "DS", b"400 ")
    )
    found = one(part10(content + PIXELS))
    assert found == {
        "SOPInstanceUID": "1.2.3",
        "StudyInstanceUID": None,
        "SeriesInstanceUID": None,
        "SOPClassUID": None,
        "TransferSyntaxUID": EXPLICIT,
        "PatientID": None,
        "StudyDate": None,
        "Modality": "MR",
        "Manufacturer": None,
        "ManufacturerModelName": None,
        "BodyPartExamined": None,
        "PhotometricInterpretation": None,
        "SamplesPerPixel": 1,
        "Rows": 512,
        "Columns": None,
        "BitsStored": None,
        "NumberOfFrames": 12,
        "has_window": True,
        "has_pixel_data": True,
        "content_hash": xxh3_128_hexdigest(content),
        "elements": {
            "ImageType": "ORIGINAL\\PRIMARY",
            "SOPInstanceUID": "1.2.3",
            "Modality": "MR",
            "PatientName": None,
            "SamplesPerPixel": "1",
            "NumberOfFrames": "12",
            "Rows": "512",
            "WindowCenter": "40\\80",
            "WindowWidth": "400",
        },
        "vrs": {"Rows": "UL"},
        "element_errors": {},
    }


def test_uids_are_stripped_on_both_sides_as_pydicom_does():
    content = part10(
        explicit(8, 0x16, "UI", b" 1.2 \\ 1.4\0") + explicit(8, 0x18, "UI", b" 1.2.3\0\0") + PIXELS
    )
    found, ds = one(content), pydicom.dcmread(io.BytesIO(content))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they are invalid
        uid, classes = ds.SOPInstanceUID, ds.SOPClassUID
    assert found["SOPInstanceUID"] == uid == "1.2.3"
    assert found["elements"]["SOPClassUID"] == "\\".join(classes) == "1.2\\1.4"


def test_an_empty_batch_has_the_schema():
    batch = parse_headers([], [], ())
    assert batch.headers.schema == parse.HEADER
    assert batch.headers.num_rows == 0
    assert batch.index.dtype == np.int64


def test_outcomes_keep_their_positions():
    good, cut = part10(UID + PIXELS), part10(UID)[:-3]
    batch = parse_headers(
        [cut, good, b"", cut, b"no DICOM", good], [False, True, True, True, True, False], ()
    )
    assert batch.index.tolist() == [1, 5]
    assert batch.incomplete == {0: len(cut) + 4}  # three bytes, and one of what comes next
    reasons = [(failure.index, failure.reason) for failure in batch.failures]
    assert reasons == [(2, Reason.EMPTY), (3, Reason.TRUNCATED), (4, Reason.NOT_DICOM)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", Reason.EMPTY),
        (b"path,source,size\n" * 50, Reason.NOT_DICOM),
        (bytes(4096), Reason.NOT_DICOM),
        (part10(UID)[:140], Reason.TRUNCATED),
        (part10(UID)[:-1], Reason.TRUNCATED),
        (part10(UID + explicit(0x10, 0x10, "PN", b"A^B ")[:5]), Reason.TRUNCATED),
        (part10(explicit(8, 0x60, "CS", b"MR"), uid=""), Reason.NO_INSTANCE_UID),
        (part10(explicit(8, 0x18, "OB", b"1.2.3\0"), uid=""), Reason.NO_INSTANCE_UID),
        (part10(UID + undefined(8, 0x1140, "SQ")[:12] + explicit(8, 0x60, "CS", b"MR")), Reason.UNREADABLE),
        (part10(b"\xff" * 64, DEFLATED), Reason.UNREADABLE),
    ],
)
def test_what_is_no_header_has_its_reason(content, expected):
    assert reason(content) == expected


def test_a_file_that_ends_on_a_boundary_is_whole():
    found = one(part10(UID + explicit(8, 0x60, "CS", b"SR") + bytes(6)))  # and zeros as filler
    assert found["Modality"] == "SR"
    assert found["has_pixel_data"] is False


def test_a_file_cut_inside_its_pixels_is_whole():
    assert one(part10(UID + PIXELS)[:-40])["has_pixel_data"] is True


def test_nothing_after_the_pixel_data_is_read():
    late = explicit(0xFFFC, 0xFFFC, "OB", b"\0\0")
    assert list(one(part10(UID + PIXELS + late))["elements"]) == ["SOPInstanceUID"]


def test_file_meta_stands_in_for_a_missing_uid():
    found = one(part10(explicit(8, 0x60, "CS", b"MR"), uid="1.2.77"))
    assert found["SOPInstanceUID"] == "1.2.77"
    assert "SOPInstanceUID" not in found["elements"]


def test_copies_with_another_file_meta_have_the_same_hash():
    same = [part10(UID + PIXELS), part10(UID + PIXELS, uid="1.2.33"), UID + PIXELS]
    other = part10(UID + explicit(8, 0x60, "CS", b"MR") + PIXELS)
    hashes = parse_headers([*same, other], [True] * 4, ()).headers["content_hash"].to_pylist()
    assert len(set(hashes[:3])) == 1
    assert hashes[3] != hashes[0]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("bare", [False, True])
def test_the_bytes_win_over_a_wrong_or_missing_transfer_syntax(syntax, bare):
    texts = {"SOPInstanceUID": "1.2.3", "Rows": "512"}
    written = {
        "explicit": UID + explicit(0x28, 0x10, "US", b"\0\2"),
        "implicit": implicit(8, 0x18, b"1.2.3\0") + implicit(0x28, 0x10, b"\0\2"),
        "big": b"\0\x08\0\x18UI\0\x061.2.3\0" + b"\0\x28\0\x10US\0\x02\x02\0",
        "implicit big": implicit(8, 0x18, b"1.2.3\0", ">") + implicit(0x28, 0x10, b"\2\0", ">"),
    }
    files = [content if bare else part10(content, syntax) for content in written.values()]
    batch = parse_headers(files, [True] * 4, ())
    assert batch.failures == ()
    assert [dict(elements) for elements in batch.headers["elements"].to_pylist()] == [texts] * 4


def test_private_elements_are_named_by_their_creator():
    content = (
        UID
        + explicit(9, 0x10, "LO", b"ACME 1.0")
        + explicit(9, 0x11, "LO", b"\x01\x02")  # binary: it names nobody
        + explicit(9, 0x12, "LO", b"ACME 1.0")  # a second block of the same creator
        + explicit(9, 0x1001, "SH", b"a ")
        + explicit(9, 0x1101, "SH", b"b ")
        + explicit(9, 0x1201, "SH", b"c ")
        + explicit(0xB, 0x1001, "SH", b"d ")  # no creator at all
    )
    found = one(part10(content))
    del found["elements"]["SOPInstanceUID"]
    assert found["elements"] == {
        "00090010": "ACME 1.0",
        "00090011": "\x01\x02",
        "00090012": "ACME 1.0",
        "0009xx01 ACME 1.0": "a",
        "00091101": "b",
        "00091201": "c",
        "000B1001": "d",
    }
    assert found["vrs"] == dict.fromkeys(["0009xx01 ACME 1.0", "00091101", "00091201", "000B1001"], "SH")


def test_the_private_dictionary_gives_the_vr_of_implicit_and_unknown_elements():
    creator = b"SIEMENS CT VA0  COAD"
    for content in (
        implicit(8, 0x18, b"1.2.3\0") + implicit(0x19, 0x10, creator) + implicit(0x19, 0x1010, b"42"),
        UID + explicit(0x19, 0x10, "LO", creator) + explicit(0x19, 0x1010, "UN", b"42"),
    ):
        found = one(part10(content, IMPLICIT))
        assert found["elements"]["0019xx10 SIEMENS CT VA0  COAD"] == "42"
        assert found["vrs"] == {}


def test_unknown_private_elements_are_bulk():
    found = one(part10(implicit(8, 0x18, b"1.2.3\0") + implicit(9, 0x1001, b"abcd"), IMPLICIT))
    assert found["elements"]["00091001"] == "[4 bytes]"
    assert found["vrs"] == {"00091001": "UN"}


@pytest.mark.parametrize(("representation", "text", "vrs"), [(0, "65535", {}), (1, "-1", "SS")])
def test_pixel_representation_decides_the_sign(representation, text, vrs):
    content = (
        implicit(8, 0x18, b"1.2.3\0")
        + implicit(0x18, 0x9810, b"\xff\xff")  # before the element that decides
        + implicit(0x28, 0x103, struct.pack("<H", representation))
        + implicit(0x28, 0x106, b"\xff\xff")
    )
    found = one(part10(content, IMPLICIT))
    assert found["elements"]["ZeroVelocityPixelValue"] == text
    assert found["elements"]["SmallestImagePixelValue"] == text
    assert found["vrs"] == (vrs and {"ZeroVelocityPixelValue": vrs, "SmallestImagePixelValue": vrs})


def test_a_bad_element_is_null_with_its_reason_and_the_row_stays():
    content = (
        explicit(8, 5, "CS", b"ISO_IR 192")
        + UID
        + explicit(8, 0x1030, "LO", b"caf\xe9")
        + explicit(0x28, 0x10, "US", b"\1\2\3")
        + explicit(0x28, 0x11, "ZZ", b"\1\2")
        + struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    )
    found = one(part10(content))
    errors = {"StudyDescription": "undecodable", "Rows": "bad_length", "Columns": "unknown_vr"}
    assert found["element_errors"] == {**errors, "Item": "stray_item"}
    assert all(found["elements"][key] is None for key in found["element_errors"])
    assert found["Rows"] is None


@pytest.mark.parametrize("value", [b"1.0 ", b"99999999999 ", b"1\\2 ", b"1_0 ", b"x "])
def test_a_promoted_integer_that_is_none_is_null(value):
    found = one(part10(UID + explicit(0x28, 8, "IS", value)))
    assert found["NumberOfFrames"] is None
    assert found["elements"]["NumberOfFrames"] == value.decode().strip()


def test_a_window_needs_both_values():
    center, width = explicit(0x28, 0x1050, "DS", b"40"), explicit(0x28, 0x1051, "DS", b"  ")
    assert one(part10(UID + center + width))["has_window"] is False


def test_a_repeated_tag_keeps_its_last_value():
    twice = explicit(8, 0x60, "CS", b"MR") + explicit(8, 0x60, "CS", b"CT")
    assert one(part10(UID + twice))["Modality"] == "CT"


def test_sequences_are_stepped_over_and_named():
    inner = explicit(8, 0x60, "CS", b"XX") + undefined(8, 0x1140, "SQ", b"")
    content = (
        UID
        + undefined(8, 0x1115, "SQ", inner, inner)
        + explicit(8, 0x1140, "SQ", b"")
        + undefined(8, 0x2112, "UN", implicit(8, 0x1150, b"1.2"))
        + undefined(0x42, 0x11, "OB", b"")
        + explicit(0x20, 0x13, "IS", b"7 ")
    )
    elements = one(part10(content))["elements"]
    assert elements["ReferencedSeriesSequence"] == "[sequence]"
    assert elements["ReferencedImageSequence"] is None
    assert elements["SourceImageSequence"] == "[sequence]"
    assert elements["EncapsulatedDocument"] == "[16 bytes]"
    assert elements["InstanceNumber"] == "7"
    assert "Modality" not in elements


def test_deep_nesting_is_no_recursion():
    opened = struct.pack("<HH2sHLHHL", 8, 0x1140, b"SQ", 0, UNDEFINED, 0xFFFE, 0xE000, UNDEFINED)
    closed = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    nested = opened * 5_000 + closed * 5_000
    assert one(part10(UID + nested), flatten=["ReferencedImageSequence"])["elements"] is not None
    for deeper in (opened * 8_193, opened * 8_193 + closed * 8_193):
        (failure,) = parse_headers([part10(UID + deeper)], [True], ()).failures
        assert failure.reason == Reason.TOO_LARGE
        assert failure.detail == "sequences nested deeper than 8192 levels"


def test_named_sequences_are_flattened_to_their_first_item():
    code = explicit(8, 0x100, "SH", b"P1")
    step = explicit(0x40, 7, "LO", "Schädel".encode() + b" ")
    for protocol in (
        undefined(0x40, 8, "SQ", code),
        explicit(0x40, 8, "SQ", b"\xfe\xff\0\xe0\x0a\0\0\0" + code),
    ):
        request = undefined(0x40, 0x275, "SQ", step + protocol, explicit(0x40, 7, "LO", b"second"))
        file = part10(explicit(8, 5, "CS", b"ISO_IR 192") + UID + request)
        names = ["RequestAttributesSequence", "ScheduledProtocolCodeSequence"]
        elements = one(file, flatten=names)["elements"]
        prefix = "RequestAttributesSequence[0]."
        assert elements["RequestAttributesSequence"] == "[sequence]"
        assert elements[f"{prefix}ScheduledProcedureStepDescription"] == "Schädel"
        assert elements[f"{prefix}ScheduledProtocolCodeSequence[0].CodeValue"] == "P1"
        assert one(file, flatten=names[:1])["elements"].keys() == elements.keys() - {
            f"{prefix}ScheduledProtocolCodeSequence[0].CodeValue"
        }


def test_a_flattened_item_that_cannot_be_read_leaves_the_row():
    broken = explicit(0x40, 0x275, "SQ", b"\xfe\xff\0\xe0\x40\0\0\0" + explicit(0x40, 7, "LO", b"HEAD"))
    found = one(part10(UID + broken), flatten=["RequestAttributesSequence"])
    assert found["element_errors"] == {"RequestAttributesSequence": "unreadable_item"}


def deflated(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


def test_a_deflated_data_set_is_inflated():
    content = UID + explicit(8, 0x60, "CS", b"MR")
    plain, packed = one(part10(content + PIXELS)), one(part10(deflated(content + PIXELS), DEFLATED))
    assert packed["elements"] == plain["elements"]
    assert packed["content_hash"] == plain["content_hash"]


def test_a_deflated_bomb_is_too_large():
    head = UID + struct.pack("<HH2sHL", 9, 0x1001, b"OB", 0, 1 << 30)
    bomb = part10(deflated(head + bytes(dataset.INFLATION_LIMIT + (2 << 20))), DEFLATED)
    assert len(bomb) < 1 << 20
    assert reason(bomb) == Reason.TOO_LARGE


# --- laws -----------------------------------------------------------------------------------------

_LETTERS = st.text(
    st.characters(codec="utf-8", exclude_characters="\\\x00\x1b^= ", exclude_categories=["C", "Z"])
)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
_LISTS = {
    "SeriesDescription": _LETTERS.filter(lambda text: len(text.encode()) < 60),
    "Manufacturer": _LETTERS.filter(lambda text: len(text.encode()) < 60),
    "StationName": st.sampled_from(["", "CT1", "MR 2"]),
    "InstanceNumber": st.integers(-(1 << 31), (1 << 31) - 1),
    "AcquisitionMatrix": st.lists(st.integers(0, 65535), min_size=2, max_size=4),
    "SimpleFrameList": st.lists(st.integers(0, (1 << 32) - 1), min_size=2, max_size=3),
    "ReferencePixelX0": st.integers(-(1 << 31), (1 << 31) - 1),
    "DiffusionBValue": st.floats(allow_nan=False),
    "TableSpeed": st.floats(allow_nan=False),
    "SlabThickness": st.floats(allow_nan=False),
    "RecommendedDisplayFrameRateInFloat": _NUMBERS,
    "ExaminedBodyThickness": _NUMBERS,
}


_DATA_SETS = st.tuples(
    st.fixed_dictionaries({}, optional=_LISTS), st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED])
)


@given(st.lists(_DATA_SETS, min_size=1, max_size=7), st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_random_data_sets_written_by_pydicom_come_back_in_batches_of_any_size(made, size):
    files = [bytes_of(written_from(values, i), syntax) for i, (values, syntax) in enumerate(made)]
    batches = [files[at : at + size] for at in range(0, len(files), size)]
    rows = [r for b in batches for r in parse_headers(b, [True] * len(b), ()).headers.to_pylist()]
    assert [r["SOPInstanceUID"] for r in rows] == [f"1.2.{i}" for i in range(len(made))]
    for found, (values, _) in zip(rows, made, strict=True):
        check_texts(dict(found["elements"]), values)


def written_from(values: dict, number: int) -> Dataset:
    written = Dataset()
    written.SpecificCharacterSet, written.SOPInstanceUID = "ISO_IR 192", f"1.2.{number}"
    for keyword, value in values.items():
        setattr(written, keyword, value)
    return written


def check_texts(elements: dict, values: dict) -> None:
    assert elements.keys() - {"SOPInstanceUID", "SpecificCharacterSet"} == values.keys()
    for keyword, value in values.items():
        texts = [str(v) for v in value] if isinstance(value, list) else [str(value)]
        if isinstance(value, float) and pydicom.datadict.dictionary_VR(keyword) == "FL":
            assert np.float32(elements[keyword]) == np.float32(value)
        else:
            assert elements[keyword] == ("\\".join(texts) or None)


def bytes_of(written: Dataset, syntax: str) -> bytes:
    written.file_meta = FileMetaDataset()
    written.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    written.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()


HAND_MADE = part10(
    explicit(8, 5, "CS", b"ISO_IR 192")
    + UID
    + explicit(0x10, 0x10, "PN", b"CANARY^ZQ")
    + undefined(0x40, 0x275, "SQ", explicit(0x40, 7, "LO", b"CANARY"))
    + explicit(0x28, 0x10, "US", b"\0\2")
    + PIXELS
)


@pytest.mark.parametrize("content", [HAND_MADE, HAND_MADE[350:], part10(deflated(HAND_MADE[356:]), DEFLATED)])
def test_every_prefix_is_incomplete_or_the_same_row(content):
    whole = parse_headers([content], [True], ())
    prefixes = [content[:n] for n in range(len(content) + 1)]
    check_prefixes(whole, parse_headers(prefixes, [False] * len(prefixes), ()))


@pytest.mark.parametrize(
    "head", [explicit(9, 0x1001, "OB", bytes(5000)), explicit(8, 0x1140, "SQ", bytes(5000))]
)
def test_a_long_value_is_stepped_over_in_one_read(head):
    content = part10(UID + head + PIXELS)
    beyond = len(part10(UID + head)) + 1
    for n in (len(part10(UID)) + 12, 1000, 5000):
        assert parse_headers([content[:n]], [False], ()).incomplete == {0: beyond}


def test_an_item_of_defined_length_is_stepped_over_in_one_read():
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 5000) + bytes(5000)
    begun = part10(UID + struct.pack("<HH2sHL", 8, 0x1140, b"SQ", 0, UNDEFINED))
    assert parse_headers([(begun + item)[:1000]], [False], ()).incomplete == {0: len(begun) + 8 + 5000 + 1}


def test_a_hostile_length_is_told_as_it_is():
    content = part10(UID + explicit(9, 0x1001, "OB", b"")[:-4])
    hostile = content + b"\xfe\xff\xff\xff"
    assert parse_headers([hostile], [False], ()).incomplete == {0: len(hostile) + 0xFFFFFFFE + 1}


@pytest.mark.parametrize("content", [HAND_MADE, HAND_MADE[350:], part10(deflated(HAND_MADE[356:]), DEFLATED)])
def test_fewer_bytes_than_are_needed_are_never_enough(content):
    prefixes = [content[:n] for n in range(len(content) + 1)]
    incomplete = parse_headers(prefixes, [False] * len(prefixes), ()).incomplete
    for n, needed in incomplete.items():
        assert needed > n
        assert all(between in incomplete for between in range(n, min(needed, len(prefixes))))


def check_prefixes(whole: parse.HeaderBatch, cut: parse.HeaderBatch) -> None:
    expected = [(failure.reason, failure.detail) for failure in whole.failures]
    assert all([(failure.reason, failure.detail)] == expected for failure in cut.failures)
    for i in range(cut.headers.num_rows):
        assert cut.headers.slice(i, 1).equals(whole.headers)


def test_no_message_holds_a_value():
    cuts = [HAND_MADE[:n] for n in range(len(HAND_MADE))]
    failures = parse_headers(cuts, [True] * len(cuts), ()).failures
    assert len(failures) > 100
    assert not any("CANARY" in failure.detail for failure in failures)


def mutants(contents: list[bytes], count: int, seed: int) -> list[bytes]:
    """Files with a few bytes changed, removed, doubled or replaced by telling ones."""
    chance = random.Random(seed)
    telling = [
        b"\xff\xff\xff\xff",
        b"\xfe\xff\x00\xe0",
        b"\xfe\xff\xdd\xe0",
        b"SQ\0\0",
        b"\x1b$B",
        b"\\",
        b"\0",
    ]
    found = []
    for _ in range(count):
        content = bytearray(chance.choice(contents))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(128 if len(content) > 200 else 0, len(content))
            kind = chance.randrange(4)
            if kind == 0:
                content[at] = chance.randrange(256)
            elif kind == 1:
                del content[at : at + chance.randint(1, 9)]
            elif kind == 2:
                content[at:at] = content[at : at + 20]
            else:
                content[at : at + 4] = chance.choice(telling)
        found.append(bytes(content))
    return found


def check_mutants(contents: list[bytes], count: int, seed: int) -> None:
    changed = mutants(contents, count, seed)
    complete = [i % 3 != 0 for i in range(count)]
    batch = parse_headers(changed, complete, flatten=["RequestAttributesSequence", "ReferencedStudySequence"])
    positions = [*batch.index.tolist(), *(failure.index for failure in batch.failures), *batch.incomplete]
    assert sorted(positions) == list(range(count))
    assert not any(complete[i] for i in batch.incomplete)
    batch.headers.validate(full=True)
    assert batch.headers.num_rows > count // 10


def test_mutants_of_a_small_file_never_raise():
    check_mutants([HAND_MADE], 400, seed=11)


# --- real files -----------------------------------------------------------------------------------

# The files that give no row, each looked at. All others must.
NO_ROW = {
    # A value's VR is two blanks, then its length is missing or misread; pydicom swallows the rest.
    "GH179A.dcm": Reason.TRUNCATED,
    "GH179B.dcm": Reason.TRUNCATED,
    "rtplan_truncated.dcm": Reason.TRUNCATED,  # cut inside a sequence; pydicom reads on without a word
    "no_meta.dcm": Reason.NOT_DICOM,  # begins with a stray byte, so that no tag is in its place
    # Neither the data set nor the file meta information has an instance UID.
    "GH340.dcm": Reason.NO_INSTANCE_UID,
    "JLSL_RGB_ILV0.dcm": Reason.NO_INSTANCE_UID,
    "JLSL_RGB_ILV1.dcm": Reason.NO_INSTANCE_UID,
    "JLSL_RGB_ILV2.dcm": Reason.NO_INSTANCE_UID,
    "JLSN_RGB_ILV0.dcm": Reason.NO_INSTANCE_UID,
    "empty_charset_LEI.dcm": Reason.NO_INSTANCE_UID,
    "meta_missing_tsyntax.dcm": Reason.NO_INSTANCE_UID,
    "nested_priv_SQ.dcm": Reason.NO_INSTANCE_UID,
}
# Where the text is not pydicom's, and why.
PADDED = "CS: padding goes from each value (PS3.5, 6.2), not from the last one only"
TRAILING = "PN: a trailing '=' stays as written; pydicom drops an empty component group"
ESCAPES = "ISO 2022 IR 58: pydicom leaves the escape sequences in the text; and a trailing '='"
STRAY = "an item at the root is no element; pydicom raises"
DIFFERENT = {
    ("GH1301.dcm", "PatientName"): TRAILING,
    ("chrX1.dcm", "PatientName"): TRAILING,
    ("chrX2.dcm", "PatientName"): TRAILING,
    ("chrGB2312.dcm", "PatientName"): ESCAPES,
    ("FreezePattern.dcm", "Item"): STRAY,
    ("GH364.dcm", "Item"): STRAY,
}
UNREADABLE_FOR_PYDICOM = "GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm"


@pytest.fixture(scope="module")
def real() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(SHARED.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def real_batch(real: dict[Path, bytes]) -> parse.HeaderBatch:
    return parse_headers(list(real.values()), [True] * len(real), ())


@pytest.fixture(scope="module")
def read_by_pydicom(real: dict[Path, bytes]) -> dict[Path, Dataset]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            path: pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, force=True)
            for path, content in real.items()
            if path.suffix != ".csv" and path.name != UNREADABLE_FOR_PYDICOM
        }


@needs_shared
def test_every_real_file_has_the_outcome_it_deserves(real, real_batch):
    names = [path.name for path in real]
    outcomes = {names[failure.index]: failure.reason for failure in real_batch.failures}
    assert outcomes.pop("manifest.csv") == Reason.NOT_DICOM
    assert len(real) == 465
    assert outcomes == NO_ROW
    assert real_batch.incomplete == {}
    assert real_batch.headers.num_rows == 452


@needs_shared
def test_every_element_of_the_real_files_is_what_pydicom_reads(real, real_batch, read_by_pydicom):
    paths = list(real)
    compared, different, extra = 0, set(), []
    for i, position in enumerate(real_batch.index):
        path = paths[position]
        if path not in read_by_pydicom:
            continue
        read, found = read_by_pydicom[path], row(real_batch, i)["elements"]
        for tag in sorted(tag for tag in read.keys() if tag.element != 0):  # noqa: SIM118
            key = pydicom_key(read, tag)
            compared += 1
            text, ours = pydicom_text(read, tag), found.pop(key, "missing")
            padded = key == "ImageType" and text and ours == "\\".join(map(str.strip, text.split("\\")))
            if text != ours and not padded:  # PADDED
                different.add((path.name, key))
        extra += [(path.name, key) for key in found]
    assert different == set(DIFFERENT)
    assert extra == []
    assert compared > 34_000


@needs_shared
def test_real_instance_uids_are_pydicoms_or_the_file_metas(real, real_batch, read_by_pydicom):
    own, expected = set(), {}
    for position, path in enumerate(real):
        read = read_by_pydicom.get(path)
        meta = getattr(read, "file_meta", {})
        uid = None if read is None else pydicom_text(read, pydicom.tag.Tag(8, 0x18))
        own.add(uid)
        expected[position] = uid or meta.get("MediaStorageSOPInstanceUID")
    uids = real_batch.headers["SOPInstanceUID"].to_pylist()
    found = dict(zip(real_batch.index.tolist(), uids, strict=True))
    wrong = [
        i for i, uid in found.items() if uid != expected[i] and list(real)[i].name != UNREADABLE_FOR_PYDICOM
    ]
    assert wrong == []
    assert len(own - {None}) == 354


@needs_shared
def test_a_big_endian_file_with_a_little_endian_sequence_equals_its_twin(real, real_batch):
    rows = {list(real)[p].name: row(real_batch, i) for i, p in enumerate(real_batch.index)}
    twin = rows["GH177_D_CLUNIE_CT1_IVRLE_BigEndian_ELE_undefinded_length.dcm"]
    assert rows[UNREADABLE_FOR_PYDICOM]["elements"] == twin["elements"]
    assert len(twin["elements"]) == 257


@needs_shared
def test_prefixes_of_real_files_are_incomplete_or_the_same_row(real):
    chance = random.Random(5)
    for content in chance.sample(list(real.values()), 60):
        cuts = [chance.randrange(len(content) + 1) for _ in range(8)]
        cuts += [chance.randrange(min(len(content), 4096) + 1) for _ in range(8)]
        check_prefixes(
            parse_headers([content], [True], ()), parse_headers([content[:n] for n in cuts], [False] * 16, ())
        )


@needs_shared
def test_mutants_of_real_files_never_raise(real):
    small = [content for content in real.values() if 0 < len(content) < 6000]
    check_mutants(small, 600, seed=3)
