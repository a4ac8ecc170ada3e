"""Columns of databases' types to DICOM's texts: by hand, and as the bytes of a file would give them."""

import datetime as dt
import decimal
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dicomae.dicom import vr
from dicomae.errors import UsageError
from dicomae.header_tables.column_text import UnsuitableType, texts_of
from dicomae.header_tables.convert import ColumnMap, from_table
from dicomae.headers.parse import parse_headers

KEYWORDS = ColumnMap("test.toml", instance="SOPInstanceUID", keywords=True)


def read(keyword: str, column: pa.Array) -> list[dict[str, Any]]:
    """Rows of a table with one column beside that of the UID."""
    uids = pa.array([f"1.{i}" for i in range(len(column))], pa.string())
    batch = pa.RecordBatch.from_pydict({"SOPInstanceUID": uids, keyword: column})
    headers = from_table(batch, KEYWORDS).headers
    headers.validate(full=True)
    return [{k: dict(v) if isinstance(v, list) else v for k, v in row.items()} for row in headers.to_pylist()]


def found_texts(keyword: str, column: pa.Array) -> list[Any]:
    """Text of an element in each row; the word absent where it is not there."""
    return [row["elements"].get(keyword, "absent") for row in read(keyword, column)]


def moments(*texts: str) -> pa.Array:
    return pa.array(np.array(texts, "datetime64[us]"))


# What a database's type becomes, worked by hand from PS3.5, section 6.2.
TYPES = [
    ("Rows", pa.array([512, None], pa.int16()), ["512", "absent"]),
    ("Rows", pa.array([512.0, np.nan]), ["512", "absent"]),  # integers as pandas has them beside a null
    ("SeriesNumber", pa.array([7, -7], pa.int64()), ["7", "-7"]),
    ("SliceThickness", pa.array([0.7, 2.0, 1e-7, 1e22]), ["0.7", "2", "1e-07", "1e+22"]),
    ("SliceThickness", pa.array([0.1], pa.float32()), ["0.1"]),
    ("SliceThickness", pa.array([0.5], pa.float16()), ["0.5"]),
    ("SliceThickness", pa.array([decimal.Decimal(d) for d in ("1.500", "0.000", "-3.000", "100.000")]),
     ["1.5", "0", "-3", "100"]),
    ("SliceThickness", pa.array([decimal.Decimal("0"), decimal.Decimal("2.5")], pa.decimal128(38, 9)),
     ["0", "2.5"]),
    ("SliceThickness", pa.array([" 1.50", "1,5\0", "", None]), ["1.50", "1,5", None, "absent"]),
    ("DiffusionBValue", pa.array([0.1, 1.0, np.nan]), ["0.1", "1.0", "nan"]),  # FD
    ("DiffusionBValue", pa.array([1000, None], pa.int32()), ["1000.0", "absent"]),
    ("RecommendedDisplayFrameRateInFloat", pa.array([0.10000000149011612]), ["0.1"]),  # FL
    ("StudyDate", pa.array([dt.date(1997, 9, 7), dt.date(987, 1, 2), None]),
     ["19970907", "09870102", "absent"]),
    ("StudyDate", pa.array([dt.date(1997, 9, 7)], pa.date64()), ["19970907"]),
    ("StudyDate", pa.array(["1997-09-07", "19970907", "1997.09.07", ""]),
     ["19970907", "19970907", "1997.09.07", None]),
    ("StudyDate", moments("1965-02-03T04:05"), ["19650203"]),
    ("StudyDate", pa.array([19970907]), ["19970907"]),
    ("StudyTime", pa.array([dt.time(1, 2, 3), dt.time(23, 59, 59, 70)]),
     ["010203", "235959.000070"]),
    ("StudyTime", pa.array([3723], pa.time32("s")), ["010203"]),
    ("StudyTime", pa.array(["01:02:03", "01:02:03.25", "0102"]), ["010203", "010203.25", "0102"]),
    ("StudyTime", moments("1965-02-03T04:05:06.5"), ["040506.500000"]),
    ("AcquisitionDateTime", moments("1965-02-03T04:05:06"), ["19650203040506"]),
    ("AcquisitionDateTime", pa.array([0, -1], pa.timestamp("s")), ["19700101000000", "19691231235959"]),
    ("AcquisitionDateTime", pa.array([1500000999], pa.timestamp("ns")), ["19700101000001.500000"]),
    ("AcquisitionDateTime", pa.array([dt.datetime(2024, 2, 29, 4, 5, 6, 7, dt.UTC)]),
     ["20240229040506.000007+0000"]),
    ("PixelSpacing", pa.array([[0.5, 1.0], [], None, [None, 2.0]]), ["0.5\\1", "absent", "absent", "\\2"]),
    ("PixelSpacing", pa.array([[0.5, 0.25]], pa.list_(pa.float32(), 2)), ["0.5\\0.25"]),
    ("ImageType", pa.array([["ORIGINAL ", " PRIMARY"], ["", ""], ["AXIAL"]], pa.large_list(pa.string())),
     ["ORIGINAL\\PRIMARY", None, "AXIAL"]),
    ("ImageType", pa.array(["ORIGINAL \\ PRIMARY", "\\ \\"]), ["ORIGINAL\\PRIMARY", None]),
    ("ImageComments", pa.array(["a\\b \n", " ", "\\"]), ["a\\b \n", None, "\\"]),  # LT: one value
    ("PatientID", pa.array([" A1 ", 7 * " "]), ["A1", None]),
    ("PatientID", pa.array([b"A1", "Ä".encode()]), ["A1", "Ä"]),
    ("PatientID", pa.array(["A", "B", "A"]).dictionary_encode(), ["A", "B", "A"]),
    ("ImageType", pa.array([["A", "B"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))), ["A\\B"]),
    ("PatientID", pa.nulls(2), ["absent", "absent"]),
    ("FrameIncrementPointer", pa.array(["00181063", None]), ["00181063", "absent"]),  # AT
    ("IconImageSequence", pa.array([[{"Rows": 1}], [], None]), ["[sequence]", "absent", "absent"]),
    ("IconImageSequence", pa.array([{"Rows": 1}, None]), ["[sequence]", "absent"]),
    ("RedPaletteColorLookupTableData", pa.array([b"abc", b"", None]), ["[3 bytes]", None, "absent"]),
    ("PatientName", pa.array([{"Alphabetic": {"FamilyName": "Doe", "GivenName": "J", "NameSuffix": "X"},
                               "Ideographic": None}, {"Alphabetic": None, "Ideographic": None}, None]),
     ["Doe^J^^^X", None, "absent"]),
    ("PatientName", pa.array([{"Alphabetic": "Doe^J", "Phonetic": "do"}]), ["Doe^J==do"]),
]  # fmt: skip


@pytest.mark.parametrize(("keyword", "column", "expected"), TYPES)
def test_a_column_of_any_suitable_type_becomes_dicom_text(
    keyword: str, column: pa.Array, expected: list[Any]
) -> None:
    assert found_texts(keyword, column) == expected


def test_name_groups_keep_their_places() -> None:
    column = pa.array([{"Alphabetic": "Yamada^Taro", "Ideographic": "山田^太郎", "Phonetic": "やまだ"}])
    assert found_texts("PatientName", column) == ["Yamada^Taro=山田^太郎=やまだ"]


@pytest.mark.parametrize(
    ("keyword", "column", "said"),
    [
        ("Rows", pa.array([True]), "bool, which holds no US; allowed are integers"),
        ("StudyDate", pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]), "without time zone"),
        ("StudyDate", pa.array([dt.time(1)]), "holds no DA"),
        ("PatientID", pa.array([{"a": 1}]), "holds no LO"),
        ("PatientName", pa.array([{"first": "x"}]), "Alphabetic, Ideographic, Phonetic"),
        ("PixelSpacing", pa.array([[[1.0]]]), "holds no DS"),
        ("FrameIncrementPointer", pa.array([1577059]), "holds no AT"),
    ],
)
def test_a_type_that_holds_no_such_value_is_an_error_that_names_the_column(
    keyword: str, column: pa.Array, said: str
) -> None:
    with pytest.raises(
        UsageError, match=f"test.toml: key 'elements.{keyword}': column '{keyword}' is .*{said}"
    ):
        read(keyword, column)


def arrays_of_every_type() -> list[pa.Array]:
    """With the least and greatest values, null, and what is no value at all."""
    far = [0, None, -(1 << 62), 1 << 62]
    scalars = [
        pa.array([(1 << 64) - 1, None], pa.uint64()), pa.array([-(1 << 63), None], pa.int64()),
        pa.array([1e-320, 1e300, -0.0, np.nan, np.inf, None]), pa.array([1e30, -0.0], pa.float32()),
        pa.array([decimal.Decimal("9" * 40), None], pa.decimal256(50, 2)),
        pa.array([True, None]), pa.nulls(2),
        pa.array(["\\", "\0", "é", None], pa.large_string()), pa.array([b"\xff", b"", None]),
        pa.array([b"ab", b"\xff\xff"], pa.binary(2)), pa.array([(1 << 31) - 1, -(1 << 31)], pa.date32()),
        pa.array([-(10**13), 1], pa.date64()), pa.array([-5, 1 << 30], pa.time32("s")),
        pa.array([-5, 10**18], pa.time64("ns")), pa.array([5, None], pa.duration("s")),
        *(pa.array(far, pa.timestamp(u, z)) for u in ("s", "ns") for z in (None, "UTC", "Europe/Zagreb")),
        pa.array([{"Alphabetic": {"FamilyName": 1}}, None]), pa.array([{"Alphabetic": ["x"]}]),
        pa.array([{}], pa.struct([])), pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())),
        pa.array(["a", None, "a"]).dictionary_encode(), pc.run_end_encode(pa.array(["a", "a"])),
    ]  # fmt: skip
    lists = [pa.ListArray.from_arrays(pa.array([0, len(a), len(a)], pa.int32()), a) for a in scalars]
    return scalars + lists


@pytest.mark.parametrize("column", arrays_of_every_type(), ids=lambda column: str(column.type))
def test_a_column_of_any_type_gives_texts_or_is_refused(column: pa.Array) -> None:
    for name in vr.READERS:
        for part in (column, column.slice(1), column.slice(0, 0)):
            try:
                texts = texts_of(part, name)
            except UnsuitableType:
                continue
            texts.values.validate(full=True)
            assert len(texts.values) == len(texts.present) == len(part)


# One element of each VR that is written as text: keyword, tag, VR.
TEXTUAL = [
    ("RetrieveAETitle", 0x00080054, "AE"), ("PatientAge", 0x00101010, "AS"), ("Modality", 0x00080060, "CS"),
    ("StudyDate", 0x00080020, "DA"), ("SliceThickness", 0x00180050, "DS"),
    ("AcquisitionDateTime", 0x0008002A, "DT"), ("SeriesNumber", 0x00200011, "IS"),
    ("PatientID", 0x00100020, "LO"), ("ImageComments", 0x00204000, "LT"), ("PatientName", 0x00100010, "PN"),
    ("AccessionNumber", 0x00080050, "SH"), ("InstitutionAddress", 0x00080081, "ST"),
    ("StudyTime", 0x00080030, "TM"), ("LongCodeValue", 0x00080119, "UC"), ("SOPClassUID", 0x00080016, "UI"),
    ("RetrieveURL", 0x00081190, "UR"), ("TextValue", 0x0040A160, "UT"),
]  # fmt: skip


def element(tag: int, name: str, value: bytes) -> bytes:
    """In Explicit VR Little Endian, by PS3.5, tables 7.1-1 and 7.1-2."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, name.encode())
    is_long = name in ("UC", "UR", "UT")
    return head + (struct.pack("<HL", 0, len(value)) if is_long else struct.pack("<H", len(value))) + value


def in_a_file(tag: int, name: str, text: str) -> dict[str, Any]:
    """The row of a file whose character set is UTF-8 and that holds the text."""
    parts = {
        0x00080005: element(0x00080005, "CS", b"ISO_IR 192"),
        0x00080018: element(0x00080018, "UI", b"1.0\0"),
        tag: element(tag, name, text.encode()),
    }
    content = bytes(128) + b"DICM" + element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
    content += b"".join(parts[t] for t in sorted(parts))
    (row,) = parse_headers([content], [True], ()).headers.to_pylist()
    return {k: dict(v) if isinstance(v, list) else v for k, v in row.items()}


@pytest.mark.parametrize(("keyword", "tag", "name"), TEXTUAL)
@given(data=st.data())
@settings(deadline=None)  # the first file loads the compiled kernel
def test_a_text_is_what_a_file_with_these_bytes_gives(
    keyword: str, tag: int, name: str, data: st.DataObject
) -> None:
    is_code = name in ("AE", "AS", "CS", "DA", "DT", "TM", "UI", "UR")  # no character set for these
    letters = " \0\\A9.^=-\n" + ("" if is_code else "é山")
    text = data.draw(st.text(letters, max_size=12))
    (row,) = read(keyword, pa.array([text], pa.string()))
    expected = in_a_file(tag, name, text)
    assert row["elements"][keyword] == expected["elements"][keyword]
    assert row["element_errors"] == expected["element_errors"]


@given(st.lists(st.one_of(st.none(), st.lists(st.floats(), min_size=1, max_size=4)), min_size=1, max_size=6))
@example([[0.1, 1e22], None])
def test_doubles_are_pythons_shortest(values: list[list[float] | None]) -> None:
    column = pa.array(values, pa.list_(pa.float64()))
    expected = ["absent" if v is None else "\\".join(map(repr, v)) for v in values]
    assert found_texts("DiffusionGradientOrientation", column) == expected


def test_bytes_that_are_no_utf_8_are_an_error_of_the_element_and_the_others_stay() -> None:
    rows = read("PatientID", pa.array([b"A", b"\xff\xfe", None]))
    assert [row["elements"].get("PatientID", "absent") for row in rows] == ["A", None, "absent"]
    assert [row["element_errors"] for row in rows] == [{}, {"PatientID": "undecodable"}, {}]
    assert [row["PatientID"] for row in rows] == ["A", None, None]


def test_text_that_only_claims_to_be_utf_8_is_an_error_of_the_element() -> None:
    claimed = pa.StringArray.from_buffers(1, pa.array([b"\xff\xfe"]).buffers()[1], pa.py_buffer(b"\xff\xfe"))
    (row,) = read("PatientID", claimed)
    assert row["elements"] | row["element_errors"] == {"SOPInstanceUID": "1.0", "PatientID": "undecodable"}
    (row,) = read("ImageType", pa.array([[b"A", b"\xff"]], pa.list_(pa.binary())))
    assert row["element_errors"] == {"ImageType": "undecodable"}


def test_what_is_no_number_text_is_an_error_and_odd_numbers_are_kept() -> None:
    rows = read("SliceThickness", pa.array(["1\n2", "½", "1,5", "abc"]))
    assert [row["elements"]["SliceThickness"] for row in rows] == [None, None, "1,5", "abc"]
    assert [row["element_errors"].get("SliceThickness") for row in rows] == [
        "not_text",
        "not_text",
        None,
        None,
    ]


def test_bulk_data_that_are_not_bytes_are_not_read() -> None:
    (row,) = read("RedPaletteColorLookupTableData", pa.array(["AAAA"]))
    assert row["elements"]["RedPaletteColorLookupTableData"] is None
    assert row["element_errors"] == {"RedPaletteColorLookupTableData": "no_bytes"}
