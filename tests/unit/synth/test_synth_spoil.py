"""Spoilt files: each has the trouble that its kind says, and no other."""

import struct
import warnings
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from dicomae.codes import Reason
from dicomae.headers.parse import parse_headers
from dicomae.synth import spoil

FRAMES = np.arange(64, dtype=np.uint16).reshape(1, 8, 8)


def good() -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = "2.25.7"
    dataset.Modality = "CT"
    dataset.StudyDescription = "Knee"
    dataset.PatientName = "TESTER^ALMA"
    dataset.SliceThickness = "5"
    dataset.KVP = "120"
    dataset.SeriesNumber = "3"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows = dataset.Columns = 8
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    return dataset


def read(content: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the trouble makes pydicom say
        return pydicom.dcmread(BytesIO(content), force=True)


def elements_of(content: bytes) -> dict[str, str | None]:
    headers = parse_headers([content], [True], ()).headers
    return dict(headers["elements"][0].as_py())


def test_an_element_as_annotated_bytes() -> None:
    short = spoil.explicit_element(0x00181152, b"IS", b"12.5")
    assert short == b"\x18\x00\x52\x11" + b"IS" + b"\x04\x00" + b"12.5"
    long = spoil.explicit_element(0x00081140, b"SQ", b"")
    assert long == b"\x08\x00\x40\x11" + b"SQ" + b"\x00\x00" + b"\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("padded_numbers", {"SliceThickness": b"\x002.5\x00\x00", "SeriesNumber": b"  7 \x00\x00"}),
        ("integer_with_decimals", {"Exposure": b"12.5", "ExposureTime": b"500.000 "}),
        ("decimal_with_comma", {"SliceThickness": b"2,5 ", "KVP": b"120,0 "}),
        ("decimal_with_exponent", {"SliceThickness": b"2.5E+00 ", "KVP": b"1.2e2 "}),
        ("window_width_zero", {"WindowWidth": b"0 "}),
        ("several_windows", {"WindowCenter": b"40\\-600\\300 ", "WindowWidth": b"400\\1600\\1500 "}),
        ("backslash_in_text", {"StudyDescription": b"CT\\Abdomen"}),
        ("charset_missing", {"PatientName": b"M\xfcller^J\xfcrgen "}),
    ],
)
def test_values_are_on_disk_as_the_kind_says(kind: str, expected: dict[str, bytes]) -> None:
    dataset = read(spoil.spoil(kind, good(), FRAMES))
    for keyword, value in expected.items():
        assert dataset.get_item(keyword).value == value  # raw bytes, not what pydicom makes of them
    assert dataset.SOPInstanceUID == "2.25.7"
    assert dataset.PixelData == FRAMES.tobytes()


def test_charsets() -> None:
    assert "SpecificCharacterSet" not in read(spoil.spoil("charset_missing", good(), FRAMES))
    misspelt = spoil.spoil("charset_misspelt", good(), FRAMES)
    assert b"\x08\x00\x05\x00CS\x0a\x00ISO-IR_100" in misspelt


def test_value_representations() -> None:
    dataset = read(spoil.spoil("vr_unlike_dictionary", good(), FRAMES))
    assert (dataset["KVP"].VR, dataset["Columns"].VR) == ("LO", "UL")
    dataset = read(spoil.spoil("tag_with_several_vrs", good(), FRAMES))
    assert dataset["ProtocolName"].VR == "SH"


def test_private_blocks() -> None:
    orphan = read(spoil.spoil("private_without_creator", good(), FRAMES))
    assert (0x0043, 0x0010) not in orphan
    assert (0x0043, 0x1001) in orphan
    binary = read(spoil.spoil("private_binary_creator", good(), FRAMES))
    assert binary.get_item((0x0051, 0x0010)).value == b"\x01\x02\xfe\xff\x00\x07"


@pytest.mark.parametrize(
    ("kind", "uid"), [("big_endian", "1.2.840.10008.1.2.2"), ("deflated", "1.2.840.10008.1.2.1.99")]
)
def test_other_encodings(kind: str, uid: str) -> None:
    dataset = read(spoil.spoil(kind, good(), FRAMES))
    assert dataset.file_meta.TransferSyntaxUID == uid
    assert dataset.Rows == 8
    assert dataset.pixel_array.tolist() == FRAMES[0].tolist()


def test_no_preamble() -> None:
    content = spoil.spoil("no_preamble", good(), FRAMES)
    assert content[:8] == b"\x08\x00\x16\x00" + struct.pack("<I", 26)  # (0008,0016), implicit VR
    assert read(content).Modality == "CT"


def test_implicit_under_explicit() -> None:
    content = spoil.spoil("implicit_under_explicit", good(), FRAMES)
    assert b"1.2.840.10008.1.2.1\x00" in content[:400]
    start = spoil.data_start(content)
    assert content[start : start + 8] == b"\x08\x00\x16\x00" + struct.pack("<I", 26)


def test_pixels_are_cut_and_headers_are_cut() -> None:
    whole = len(spoil.spoil("several_windows", good(), FRAMES))
    cut = spoil.spoil("truncated_pixels", good(), FRAMES)
    assert whole - 200 < len(cut) < whole
    assert elements_of(cut)["Rows"] == "8"
    assert b"\xe0\x7f\x10\x00" not in spoil.spoil("truncated_header", good(), FRAMES)


def test_elements_after_the_pixel_data() -> None:
    content = spoil.spoil("elements_after_pixels", good(), FRAMES)
    pixels = content.index(b"\xe0\x7f\x10\x00OW")
    assert content.index(b"comment after") > pixels
    assert read(content).ImageComments == "comment after the pixel data"


def test_nesting_defeats_a_recursive_reader() -> None:
    content = spoil.spoil("nested_sequences", good(), FRAMES)
    with pytest.raises(RecursionError):
        str(read(content))


def test_many_elements() -> None:
    content = spoil.spoil("many_elements", good(), FRAMES)
    items = content.count(b"\xfe\xff\x00\xe0")
    assert items == 40_000
    assert len(elements_of(content)) == len(elements_of(spoil.spoil("several_windows", good(), FRAMES))) - 1


_REFUSED = {
    "empty": Reason.EMPTY,
    "not_dicom": Reason.NOT_DICOM,
    "truncated_header": Reason.TRUNCATED,
}


@pytest.mark.parametrize("kind", spoil.KINDS)
def test_the_header_kernel_takes_all_that_can_be_read(kind: str) -> None:
    result = parse_headers([spoil.spoil(kind, good(), FRAMES)], [True], ())
    if kind in _REFUSED:
        assert [failure.reason for failure in result.failures] == [_REFUSED[kind]]
    else:
        assert result.headers["SOPInstanceUID"].to_pylist() == ["2.25.7"]


def test_an_unknown_kind() -> None:
    with pytest.raises(KeyError):
        spoil.spoil("mouldy", good(), FRAMES)
