"""Header tables made by others to rows of `headers`: expected by hand, or from what pydicom writes."""

import datetime
import decimal
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import HOME
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicomae.dicom import header_table
from dicomae.dicom.header import HEADER, parse_headers
from dicomae.dicom.header_table import ColumnMap, from_table, load_column_map, paths
from dicomae.errors import Reason, UsageError

MAPS = HOME / "conf" / "columns"
KEYWORDS = ColumnMap("test.toml", instance="SOPInstanceUID", keywords=True)
JSON = ColumnMap("test.toml", json="meta")
UTC = datetime.UTC


def table(**columns: Any) -> pa.RecordBatch:
    """A batch; SOPInstanceUID is 1.0, 1.1, … unless it is given."""
    arrays = {name: c if isinstance(c, pa.Array) else pa.array(c) for name, c in columns.items()}
    n_rows = len(next(iter(arrays.values())))
    uids = {"SOPInstanceUID": pa.array([f"1.{i}" for i in range(n_rows)], pa.string())}
    return pa.RecordBatch.from_pydict(uids | arrays)


def rows(batch: pa.RecordBatch, columns: ColumnMap = KEYWORDS) -> list[dict[str, Any]]:
    read = from_table(batch, columns)
    read.headers.validate(full=True)
    assert read.headers.schema == HEADER
    assert read.failures == ()
    return as_dicts(read.headers)


def as_dicts(headers: pa.RecordBatch) -> list[dict[str, Any]]:
    return [{k: dict(v) if isinstance(v, list) else v for k, v in row.items()} for row in headers.to_pylist()]


def texts(keyword: str, column: Any) -> list[Any]:
    """Text of an element in each row; the row's own word where it is absent."""
    return [row["elements"].get(keyword, "absent") for row in rows(table(**{keyword: column}))]


def parsed(ds: Dataset) -> dict[str, Any]:
    """The row that the file of a data set gives."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = CTImageStorage, "1.0"
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    (row,) = as_dicts(parse_headers([buffer.getvalue()], [True]).headers)
    return row


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
    ("SliceThickness", pa.array([" 1.50", "1,5\0", "", None]), ["1.50", "1,5", None, "absent"]),
    ("DiffusionBValue", pa.array([0.1, 1.0, np.nan]), ["0.1", "1.0", "nan"]),  # FD
    ("DiffusionBValue", pa.array([1000, None], pa.int32()), ["1000.0", "absent"]),
    ("RecommendedDisplayFrameRateInFloat", pa.array([0.10000000149011612]), ["0.1"]),  # FL
    ("StudyDate", pa.array([datetime.date(1997, 9, 7), datetime.date(987, 1, 2), None]),
     ["19970907", "09870102", "absent"]),
    ("StudyDate", pa.array([datetime.date(1997, 9, 7)], pa.date64()), ["19970907"]),
    ("StudyDate", pa.array(["1997-09-07", "19970907", "1997.09.07", ""]),
     ["19970907", "19970907", "1997.09.07", None]),
    ("StudyDate", pa.array([datetime.datetime(1965, 2, 3, 4, 5)]), ["19650203"]),
    ("StudyDate", pa.array([19970907]), ["19970907"]),
    ("StudyTime", pa.array([datetime.time(1, 2, 3), datetime.time(23, 59, 59, 70)]),
     ["010203", "235959.000070"]),
    ("StudyTime", pa.array([3723], pa.time32("s")), ["010203"]),
    ("StudyTime", pa.array(["01:02:03", "01:02:03.25", "0102"]), ["010203", "010203.25", "0102"]),
    ("StudyTime", pa.array([datetime.datetime(1965, 2, 3, 4, 5, 6, 500000)]), ["040506.500000"]),
    ("AcquisitionDateTime", pa.array([datetime.datetime(1965, 2, 3, 4, 5, 6)]), ["19650203040506"]),
    ("AcquisitionDateTime", pa.array([datetime.datetime(2024, 2, 29, 4, 5, 6, 7, UTC)]),
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
    assert texts(keyword, column) == expected


def test_name_groups_keep_their_places() -> None:
    column = pa.array([{"Alphabetic": "Yamada^Taro", "Ideographic": "山田^太郎", "Phonetic": "やまだ"}])
    assert texts("PatientName", column) == ["Yamada^Taro=山田^太郎=やまだ"]


@pytest.mark.parametrize(
    ("keyword", "column", "said"),
    [
        ("Rows", pa.array([True]), "bool, which holds no US; allowed are integers"),
        ("StudyDate", pa.array([datetime.datetime(2024, 1, 1, tzinfo=UTC)]), "without time zone"),
        ("StudyDate", pa.array([datetime.time(1)]), "holds no DA"),
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
        from_table(table(**{keyword: column}), KEYWORDS)
