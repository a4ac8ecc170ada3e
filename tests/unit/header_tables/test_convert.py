"""Header tables made by others to rows of `headers`, against what the same data give as a file."""

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import HOME
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicomae.codes import Reason
from dicomae.errors import UsageError
from dicomae.header_tables import convert
from dicomae.header_tables.convert import ColumnMap, from_table, load_column_map, paths
from dicomae.headers.parse import HEADER, Failure, HeaderBatch, parse_headers

KEYWORDS = ColumnMap("test.toml", instance="SOPInstanceUID", keywords=True)


def table(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def rows(read: HeaderBatch) -> list[dict[str, Any]]:
    read.headers.validate(full=True)
    assert read.headers.schema == HEADER
    return [
        {k: dict(v) if isinstance(v, list) else v for k, v in row.items()} for row in read.headers.to_pylist()
    ]


def small_dataset() -> Dataset:
    ds = Dataset()
    ds.SOPInstanceUID, ds.SOPClassUID, ds.SeriesInstanceUID = "1.2.3", CTImageStorage, "1.2.3.4"
    ds.PatientName, ds.PatientID, ds.PatientSex = "Doe^Jane", "P 1", ""
    ds.StudyDate, ds.StudyTime, ds.AcquisitionDateTime = "20240229", "235959.5", "20240229235959.500000"
    ds.Modality, ds.ImageType, ds.InstitutionAddress = "CT", ["ORIGINAL", "PRIMARY"], "Street 1\r\nTown"
    ds.WindowCenter, ds.WindowWidth, ds.PixelSpacing = "40", "400", ["0.5", "0.25"]
    ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.Rows, ds.Columns = "MONOCHROME2", 1, 512, 256
    ds.BitsAllocated, ds.BitsStored, ds.NumberOfFrames = 16, 12, "3"
    ds.DiffusionBValue, ds.RecommendedDisplayFrameRateInFloat = 0.1, 1e-5
    ds.SelectorSLValue, ds.SelectorULValue = -70000, 4000000000
    ds.FrameIncrementPointer, ds.RedPaletteColorLookupTableData = 0x00181063, bytes(6)
    ds.IconImageSequence = [Dataset()]
    return ds


# The same as a database would hold it.
SMALL_TABLE = {
    "SOPInstanceUID": ["1.2.3"], "SOPClassUID": [CTImageStorage], "SeriesInstanceUID": ["1.2.3.4"],
    "PatientName": [{"Alphabetic": {"FamilyName": "Doe", "GivenName": "Jane"}}], "PatientID": ["P 1"],
    "PatientSex": [""], "StudyDate": [dt.date(2024, 2, 29)], "StudyTime": ["23:59:59.5"],
    "AcquisitionDateTime": pa.array([1709251199500000], pa.timestamp("us")), "Modality": ["CT"],
    "ImageType": [["ORIGINAL", "PRIMARY"]], "InstitutionAddress": ["Street 1\r\nTown"],
    "WindowCenter": [40.0], "WindowWidth": [400], "PixelSpacing": [[0.5, 0.25]],
    "PhotometricInterpretation": ["MONOCHROME2"], "SamplesPerPixel": [1], "Rows": [512], "Columns": [256.0],
    "BitsAllocated": [16], "BitsStored": pa.array([12], pa.uint8()), "NumberOfFrames": [3],
    "DiffusionBValue": [0.1], "RecommendedDisplayFrameRateInFloat": pa.array([1e-5], pa.float32()),
    "SelectorSLValue": [-70000], "SelectorULValue": [4000000000], "FrameIncrementPointer": ["00181063"],
    "RedPaletteColorLookupTableData": [bytes(6)], "IconImageSequence": [[{"Rows": 16}]],
    "TransferSyntaxUID": [ExplicitVRLittleEndian], "PixelData": [b""],
    "no keyword": ["x"], "MediaStorageSOPInstanceUID": ["9.9"],
}  # fmt: skip


def as_a_file(ds: Dataset) -> dict[str, Any]:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.PixelData = b""
    ds["PixelData"].VR = "OW"
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    (row,) = rows(parse_headers([buffer.getvalue()], [True], ()))
    return row


def test_a_row_of_a_table_is_the_row_of_the_file() -> None:
    expected = as_a_file(small_dataset())
    (row,) = rows(from_table(table(**SMALL_TABLE), KEYWORDS))
    for name in HEADER.names:
        if name != "content_hash":  # of the file's bytes there
            assert row[name] == expected[name], name


def test_without_pixels_the_photometric_interpretation_tells_that_there_are_some() -> None:
    batch = table(SOPInstanceUID=["1", "2", "3"], PhotometricInterpretation=["RGB", "", None])
    assert [row["has_pixel_data"] for row in rows(from_table(batch, KEYWORDS))] == [True, False, False]


def test_a_window_needs_centre_and_width() -> None:
    batch = table(SOPInstanceUID=["1", "2", "3"], WindowCenter=["4", "", "4"], WindowWidth=["8", "8", None])
    assert [row["has_window"] for row in rows(from_table(batch, KEYWORDS))] == [True, False, False]


def test_integers_are_promoted_only_where_the_text_is_one_int32() -> None:
    texts = ["7", "+7", "-7", "7.5", "7\\8", "", "2147483647", "2147483648", "99999999999"]
    batch = table(SOPInstanceUID=[f"1.{i}" for i in range(len(texts))], NumberOfFrames=texts)
    found = [row["NumberOfFrames"] for row in rows(from_table(batch, KEYWORDS))]
    assert found == [7, 7, -7, None, None, None, 2147483647, None, None]


def test_rows_without_an_instance_uid_are_failures_that_hold_no_value() -> None:
    batch = table(SOPInstanceUID=["1.2", None, " ", "1.3"], PatientID=["A", "B", "C", "D"])
    read = from_table(batch, KEYWORDS)
    detail = "none in column 'SOPInstanceUID'"
    assert read.failures == tuple(Failure(i, Reason.NO_INSTANCE_UID, detail) for i in (1, 2))
    assert read.index.tolist() == [0, 3]
    assert [row["PatientID"] for row in rows(read)] == ["A", "D"]


def test_a_series_stands_in_for_its_instances() -> None:
    columns = ColumnMap("t", instance="series", elements={"SeriesInstanceUID": "series"})
    (row,) = rows(from_table(table(series=["1.2.3"]), columns))
    assert (row["SOPInstanceUID"], row["SeriesInstanceUID"]) == ("1.2.3", "1.2.3")
    assert row["elements"] == {"SeriesInstanceUID": "1.2.3"}


def test_a_dot_leads_into_structs_and_a_constant_is_in_each_row() -> None:
    columns = ColumnMap(
        "t", instance="id", elements={"PatientID": "a.b.c", "PatientSex": "d.e"}, constants={"Modality": "MR"}
    )
    batch = table(**{"id": ["1", "2"], "a": [{"b": {"c": "P"}}, {"b": None}], "d.e": ["F", "M"]})
    assert [row["elements"] for row in rows(from_table(batch, columns))] == [
        {"PatientID": "P", "PatientSex": "F", "Modality": "MR"},
        {"PatientSex": "M", "Modality": "MR"},
    ]


def test_private_elements_have_their_creator_in_the_key() -> None:
    columns = ColumnMap("t", instance="id", elements={"0019xx0C SIEMENS MR HEADER": "b", "00081030": "s"})
    (row,) = rows(from_table(table(id=["1"], b=[1000], s=["x"]), columns))
    assert row["elements"] == {"0019xx0C SIEMENS MR HEADER": "1000", "00081030": "x"}


def test_no_rows_give_no_rows() -> None:
    read = from_table(table(**SMALL_TABLE).slice(0, 0), KEYWORDS)
    assert (rows(read), read.failures, len(read.index)) == ([], (), 0)
    assert rows(from_table(table(SOPInstanceUID=pa.array([], pa.string())), KEYWORDS)) == []


@given(st.integers(0, 6), st.integers(0, 6))
def test_it_does_not_matter_how_batches_are_cut(a: int, b: int) -> None:
    batch = table(
        SOPInstanceUID=["1", "2", None, "4", "5", "6"],
        PatientID=["A", None, "C", "", "E", "\\"],
        PixelSpacing=[[1.0, 2.5], None, [3.0], [], [None], [0.1]],
        PatientSex=[b"F", b"\xff", None, b"M", b"", b"F"],
    )
    a, b = sorted((a, b))
    whole = rows(from_table(batch, KEYWORDS))
    parts = [from_table(batch.slice(start, end - start), KEYWORDS) for start, end in ((0, a), (a, b), (b, 6))]
    assert [row for part in parts for row in rows(part)] == whole


def test_a_batch_too_large_for_arrow_is_halved_and_a_row_too_large_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uids = [f"1.{i}" for i in range(7)]
    batch = table(
        thumbnail=[bytes(500)] * 8,
        SOPInstanceUID=[*uids, None],
        PatientID=["x"] * 3 + ["y" * 5000] + ["x"] * 4,
    )
    monkeypatch.setattr(convert, "MAXIMUM_BYTES", 200)
    read = from_table(batch, KEYWORDS)
    assert [(f.index, f.reason) for f in read.failures] == [
        (3, Reason.TOO_LARGE),
        (7, Reason.NO_INSTANCE_UID),
    ]
    assert read.index.tolist() == [0, 1, 2, 4, 5, 6]
    assert [row["SOPInstanceUID"] for row in rows(read)] == [*uids[:3], *uids[4:]]


def test_a_huge_text_is_taken_whole() -> None:
    text = "x" * (8 << 20)
    (row,) = rows(from_table(table(SOPInstanceUID=["1"], ImageComments=[text]), KEYWORDS))
    assert row["elements"]["ImageComments"] == text


def test_the_hash_is_of_the_elements_alone() -> None:
    def hashes(**columns: Any) -> list[str]:
        return [row["content_hash"] for row in rows(from_table(table(**columns), KEYWORDS))]

    uids = ["1", "1", "1", "1", "1"]
    first = hashes(
        SOPInstanceUID=uids, PatientID=["ab", "a", "ab", None, ""], PatientSex=["c", "bc", "c", "", None]
    )
    other_order = hashes(PatientSex=["c"], PatientID=["ab"], x=["y"], SOPInstanceUID=["1"])
    assert first[0] == first[2] == other_order[0]
    assert len(set(first)) == 4
    assert all(len(digest) == 32 for digest in first)


def test_paths_are_the_maps_else_the_tables_with_the_uid_else_with_the_row() -> None:
    batch = table(id=["1.2", "1.3", None], bucket=["b", None, "b"], name=["x.dcm", "y", ""])
    given_path = ColumnMap("t", instance="id", path="s3://{bucket}/{name}", elements={"PatientID": "id"})
    read = from_table(batch, given_path)
    assert paths(batch, read, given_path, "T", 10).to_pylist() == ["s3://b/x.dcm", "T#1.3", "T#row 12"]
    a_column = ColumnMap("t", instance="id", path="name", elements={"PatientID": "id"})
    assert paths(batch, read, a_column, "T", 10).to_pylist() == ["x.dcm", "y", "T#row 12"]
    none = ColumnMap("t", instance="id", elements={"PatientID": "id"})
    assert paths(batch, read, none, "T", 0).to_pylist() == ["T#1.2", "T#1.3", "T#row 2"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            ColumnMap("m.toml", instance="uid", keywords=True),
            "m.toml: key 'instance': no column 'uid'.*: a, b",
        ),
        (ColumnMap("m.toml", instance="a", path="{b}/{c}", keywords=True), "key 'path': no column 'c'"),
        (ColumnMap("m.toml", instance="a", elements={"Rows": "b.c"}), "key 'elements.Rows': no column 'b.c'"),
        (ColumnMap("m.toml", json="meta"), "key 'json': no column 'meta'"),
    ],
)
def test_a_column_that_is_missing_is_named(columns: ColumnMap, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_table(table(a=["1"], b=["2"]), columns)


def test_a_column_that_is_there_twice_is_named() -> None:
    twice = pa.RecordBatch.from_arrays(
        [pa.array(["1"]), pa.array([1]), pa.array([2])], names=["SOPInstanceUID", "Rows", "Rows"]
    )
    with pytest.raises(UsageError, match=r"key 'elements\.Rows': the table has 2 columns 'Rows'"):
        from_table(twice, KEYWORDS)


def test_the_research_index_goes_in_whole(tmp_path: Path) -> None:
    index = pytest.importorskip("idc_index_data", reason="the extra `idc` is not installed")
    columns = load_column_map(HOME / "conf" / "columns" / "idc.toml")
    batch = next(pq.ParquetFile(index.IDC_INDEX_PARQUET_FILEPATH).iter_batches(5000))
    read = from_table(batch, columns)
    pdf = batch.to_pandas()
    found = rows(read)
    assert (len(found), read.failures) == (5000, ())
    assert [row["SOPInstanceUID"] for row in found] == pdf.SeriesInstanceUID.tolist()
    assert [row["StudyDate"] for row in found] == pdf.StudyDate.str.replace("-", "").tolist()
    assert [row["elements"].get("SeriesDescription") for row in found] == [
        text and text.strip() for text in pdf.SeriesDescription.tolist()
    ]
    assert paths(batch, read, columns, "T", 0)[0].as_py() + "*" == pdf.series_aws_url[0]
