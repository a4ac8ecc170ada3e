"""Generated files of every VR, encoding and character set: each text is that of pydicom's own value."""

import io
import warnings

import pydicom
import pytest
from mutants import BIG, EXPLICIT, IMPLICIT
from oracle import pydicom_key, pydicom_text
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset, FileMetaDataset

from dicomae.dicom import vr
from dicomae.headers.parse import parse_headers

DEFLATED = "1.2.840.10008.1.2.1.99"
# What a patient of each character set may be called (PS3.3, C.12.1.1.2; PS3.5, annexes H to K).
NAMES = {
    "": "Doe^John",
    "ISO_IR 6": "Doe^John",
    "ISO_IR 100": "Buc^J\xe9r\xf4me",
    "ISO_IR 101": "Wa\u0142\u0119sa",
    "ISO_IR 109": "\u0126al",
    "ISO_IR 110": "\u0100bols",
    "ISO_IR 144": "\u041b\u044e\u043ace\u043c\u0431yp\u0433",
    "ISO_IR 127": "\u0642\u0628\u0627\u0646\u064a^\u0644\u0646\u0632\u0627\u0631",
    "ISO_IR 126": "\u0394\u03b9\u03bf\u03bd\u03c5\u03c3\u03b9\u03bf\u03c2",
    "ISO_IR 138": "\u05e9\u05e8\u05d5\u05df^\u05d3\u05d1\u05d5\u05e8\u05d4",
    "ISO_IR 148": "\xc7avu\u015fo\u011flu",
    "ISO_IR 166": "\u0e2a\u0e21\u0e0a\u0e32\u0e22",
    "ISO_IR 13": "\uff94\uff8f\uff80\uff9e^\uff80\uff9b\uff73",
    "ISO_IR 192": "Wang^XiaoDong=\u738b^\u5c0f\u6771",
    "GB18030": "Wang^XiaoDong=\u738b^\u5c0f\u4e1c",
    "GBK": "Wang^XiaoDong=\u738b^\u5c0f\u4e1c",
    "\\ISO 2022 IR 87": "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046",
    "ISO 2022 IR 13\\ISO 2022 IR 87": "\uff94\uff8f\uff80\uff9e^\uff80\uff9b\uff73=\u5c71\u7530^\u592a\u90ce",
    "\\ISO 2022 IR 149": "Hong^Gildong=\u6d2a^\u5409\u6d1e=\ud64d^\uae38\ub3d9",
    "ISO 2022 IR 100\\ISO 2022 IR 144": "Buc^J\xe9r\xf4me=\u041b\u044e\u043a",
    "ISO_IR_100": "Buc^J\xe9r\xf4me",
    "ISO-IR 144": "\u041b\u044e\u043ac",
}
VALUES: dict[str, list[object]] = {
    "AE": ["STORE_1"],
    "AS": ["042Y"],
    "AT": [[0x00181063, 0x7FE00010], 0x00080018],
    "CS": ["ORIGINAL", ["A", "B 1", ""]],
    "DA": ["20230115", ["20230115", "19000101"]],
    "DS": ["-1.50", ["0.1", "1e-7", "3"]],
    "DT": ["20230115120000.123456+0100"],
    "FD": [[0.1, -1e300, 5e-324], 7.0],
    "FL": [[0.1, 16777216.0, 1e-4], -0.5],
    "IS": ["0", ["-2147483648", "+7"]],
    "OB": [b"\0\1"],
    "OD": [bytes(16)],
    "OF": [bytes(8)],
    "OL": [bytes(4)],
    "OV": [bytes(8)],
    "OW": [bytes(4)],
    "SL": [[-(1 << 31), (1 << 31) - 1], 0],
    "SQ": [[], [Dataset()]],
    "SS": [[-32768, 32767], -1],
    "SV": [[-(1 << 63), (1 << 63) - 1], 5],
    "TM": ["120000.5", ["12", "1200"]],
    "UI": ["1.2.840.10008.1.1", ["1.2", "1.23"]],
    "UL": [[0, (1 << 32) - 1], 9],
    "UN": [bytes(6)],
    "UR": ["https://example.org/a%20b"],
    "US": [[0, 65535], 512],
    "UV": [[0, (1 << 64) - 1], 3],
}
WITH_LETTERS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
PER_VR = 6  # elements of each VR


def data_set(term: str) -> Dataset:
    """Elements of every VR, some of them empty; texts in the letters of a character set."""
    made = Dataset()
    made.SOPInstanceUID = "1.2.3"
    if term:
        made.SpecificCharacterSet = term.split("\\")
    made.add_new(0x00090010, "LO", "MAKER")
    for i, name in enumerate(sorted(vr.READERS)):
        letters = NAMES[term].replace("^", " ").replace("=", " ")[:14]
        values = VALUES.get(name, [NAMES[term] if name == "PN" else letters])
        tags = [
            t for t, entry in sorted(DicomDictionary.items()) if entry[0] == name and 0x8001A < t < 0x7FE00000
        ]
        for j, tag in enumerate(tags[:PER_VR]):
            made.add_new(tag, name, None if j == len(values) else values[j % len(values)])
        made.add_new(0x00091000 + i, name, values[0])
    return made


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("term", NAMES)
def test_every_text_is_pydicoms(syntax, term):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of misspelt terms
        content = bytes_of(data_set(term), syntax)
        read = pydicom.dcmread(io.BytesIO(content))
    found = dict(parse_headers([content], [True], ()).headers["elements"][0].as_py())
    expected = {pydicom_key(read, tag): pydicom_text(read, tag) for tag in sorted(read.keys())}
    assert found == expected
    assert len(found) > 150


def test_every_vr_is_there():
    made = data_set("ISO_IR 192")
    assert {element.VR for element in made} == set(vr.READERS)
    assert set(VALUES) | set(WITH_LETTERS) == set(vr.READERS)


def bytes_of(made: Dataset, syntax: str) -> bytes:
    made.file_meta, made.preamble = FileMetaDataset(), bytes(128)
    made.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()
