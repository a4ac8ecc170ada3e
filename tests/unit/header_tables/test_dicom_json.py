"""Data sets in the DICOM JSON model: what pydicom writes gives what the file itself gives."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pydicom
import pytest
from conftest import SHARED_DICOM
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicomae.codes import Reason
from dicomae.errors import UsageError
from dicomae.header_tables.convert import ColumnMap, from_table, paths
from dicomae.headers.parse import HEADER, parse_headers

COLUMNS = ColumnMap("test.toml", path="path", json="meta")
needs_shared = pytest.mark.skipif(
    not SHARED_DICOM.is_dir(), reason="the real files of ../shared/dicom are absent"
)


def batch(*documents: str | None) -> pa.RecordBatch:
    names = [f"/p/{i}" for i in range(len(documents))]
    return pa.RecordBatch.from_pydict({"meta": pa.array(documents, pa.string()), "path": pa.array(names)})


def rows(headers: pa.RecordBatch) -> list[dict[str, Any]]:
    headers.validate(full=True)
    return [{k: dict(v) if isinstance(v, list) else v for k, v in row.items()} for row in headers.to_pylist()]


def one(**members: Any) -> dict[str, Any]:
    """The row of a data set with these members beside its UID; a tag's name begins with x."""
    document = {"00080018": {"vr": "UI", "Value": ["1.2"]}} | {k[1:]: v for k, v in members.items()}
    (row,) = rows(from_table(batch(json.dumps(document)), COLUMNS).headers)
    return row


def dataset() -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPInstanceUID, ds.SOPClassUID, ds.PatientID, ds.PatientSex = "1.2.3", CTImageStorage, "P 1", ""
    ds.PatientName, ds.Modality, ds.StudyDate = "Yamada^Tarou=山田^太郎=やまだ^たろう", "CT", "20240229"
    ds.ImageType, ds.ImageComments = ["ORIGINAL", "PRIMARY"], "a\\b"
    ds.WindowCenter, ds.WindowWidth, ds.PixelSpacing = "40", "400.5", ["0.5", "0.25"]
    ds.PhotometricInterpretation, ds.Rows, ds.SeriesNumber = "MONOCHROME2", 512, "7"
    ds.DiffusionBValue, ds.RecommendedDisplayFrameRateInFloat = 1.0, 0.1
    ds.FrameIncrementPointer, ds.RedPaletteColorLookupTableData = 0x00181063, bytes(6)
    ds.IconImageSequence, ds.ReferencedStudySequence = [Dataset()], []
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0xFE, "LO", "unknown")
    ds.add_new(0x00190011, "LO", "SIEMENS MR HEADER")  # a second block: the first has the name
    ds.add_new(0x0019110C, "IS", "2000")
    ds.add_new(0x00280106, "SS", -5)  # US or SS
    return ds


def test_what_pydicom_writes_as_json_is_what_it_writes_as_a_file() -> None:
    ds = dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    (expected,) = rows(parse_headers([buffer.getvalue()], [True], ()).headers)
    document = ds.to_json_dict() | ds.file_meta.to_json_dict() | {"file_size": 7, "has_pixel": True}
    (row,) = rows(from_table(batch(json.dumps(document)), COLUMNS).headers)
    for name in HEADER.names:
        if name not in ("content_hash", "has_pixel_data"):
            assert row[name] == expected[name], name
    assert row["elements"]["0019xx0C SIEMENS MR HEADER"] == "1000"
    assert row["has_pixel_data"]  # by its PhotometricInterpretation


# Ours is right, or the JSON does not keep it: it has PN without the last separator; numbers as numbers.
DIFFERENT = {"PatientName", "DataSetTrailingPadding"}


@needs_shared
def test_real_files_as_json_have_the_elements_of_the_files() -> None:
    documents, expected = [], []
    for path in sorted(SHARED_DICOM.rglob("*.dcm")):
        read = parse_headers([path.read_bytes()], [True], ()).headers
        document = as_json(path)
        if document and read.num_rows:
            documents.append(document)
            expected += rows(read)
    found = rows(from_table(batch(*documents), COLUMNS).headers)
    assert len(found) == len(expected) > 250
    for row, same in zip(found, expected, strict=True):
        assert row["elements"].keys() | DIFFERENT == same["elements"].keys() | DIFFERENT
        for key in same["elements"].keys() - DIFFERENT:
            assert numbers(row["elements"][key]) == numbers(same["elements"][key]), key
        assert (row["vrs"], row["SOPInstanceUID"]) == (same["vrs"], same["SOPInstanceUID"])


def as_json(path: Path) -> str | None:
    """None where pydicom cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            return json.dumps(ds.to_json_dict() | getattr(ds, "file_meta", Dataset()).to_json_dict())
        except Exception:  # noqa: BLE001
            return None


def numbers(text: str | None) -> Any:
    try:
        return [float(value) for value in (text or "").split("\\")]
    except ValueError:
        return text


def test_numbers_are_written_as_columns_have_them() -> None:
    row = one(
        x00180050={"vr": "DS", "Value": [1.5]},
        x00280030={"vr": "DS", "Value": [40.0, 0.1, 1e22]},
        x00189087={"vr": "FD", "Value": [1, "NaN"]},
        x00089459={"vr": "FL", "Value": [0.10000000149011612, 1e300]},
        x00280010={"vr": "US", "Value": [512.0]},
    )
    assert row["elements"] == {
        "SOPInstanceUID": "1.2",
        "SliceThickness": "1.5",
        "PixelSpacing": "40\\0.1\\1e+22",
        "DiffusionBValue": "1.0\\nan",
        "RecommendedDisplayFrameRateInFloat": "0.1\\inf",
        "Rows": "512",
    }


def test_bulk_data_have_their_size_and_no_value() -> None:
    row = one(
        x00281201={"vr": "OW", "InlineBinary": "AAAA"},
        x00281202={"vr": "OW", "InlineBinary": "AAA="},
        x00281203={"vr": "OW", "BulkDataURI": "http://127.0.0.1/1"},
        x00281204={"vr": "OW"},
        x7FE00010={"vr": "OW", "BulkDataURI": "http://127.0.0.1/2"},
    )
    del row["elements"]["SOPInstanceUID"]
    assert list(row["elements"].values()) == ["[3 bytes]", "[2 bytes]", None, None]
    assert row["element_errors"] == {"BluePaletteColorLookupTableData": "no_bytes"}
    assert row["has_pixel_data"]


def test_a_member_that_is_no_element_of_its_vr_is_an_error_beside_the_others() -> None:
    row = one(
        x00100020={"vr": "LO", "Value": [{"a": 1}]},
        x00100040={"vr": "CS", "Value": "F"},
        x00101010={"vr": "AS", "Value": ["\ud800"]},
        x00080060="CT",
        x00080070={"vr": "?", "Value": [None, "b"]},
    )
    assert row["element_errors"] == {
        "PatientID": "bad_value",
        "PatientSex": "bad_value",
        "PatientAge": "undecodable",
        "Modality": "bad_value",
    }
    assert row["elements"]["Manufacturer"] == "\\b"  # by the dictionary's VR


def test_bytes_are_no_identifier_whatever_the_tag() -> None:
    row = one(x00100020={"vr": "OB", "InlineBinary": "AAAA"})
    assert (row["PatientID"], row["elements"]["PatientID"]) == (None, "[3 bytes]")


def test_what_is_no_data_set_is_a_failure_that_holds_no_value() -> None:
    error = json.dumps("{'udf': 'dicom_meta_udf', 'error': 'CANARY'}")  # as pixels stores its failures
    good = '{"00080018": {"vr": "UI", "Value": ["1.2"]}}'
    documents = [error, None, "{", "[" * 100_000, '{"00100020": {"vr": "LO"}}', good, ""]
    read = from_table(batch(*documents), COLUMNS)
    assert [(f.index, f.reason) for f in read.failures] == [
        (0, Reason.UNREADABLE), (1, Reason.EMPTY), (2, Reason.UNREADABLE), (3, Reason.UNREADABLE),
        (4, Reason.NO_INSTANCE_UID), (6, Reason.EMPTY),
    ]  # fmt: skip
    assert "CANARY" not in str(read.failures)
    assert read.index.tolist() == [5]
    assert paths(batch(*documents), read, COLUMNS, "T", 0).to_pylist() == [f"/p/{i}" for i in range(7)]


def test_a_column_of_variants_is_refused_with_its_type() -> None:
    variants = pa.array([{"metadata": b"", "value": b""}])
    one_row = pa.RecordBatch.from_pydict({"meta": variants, "path": pa.array(["/p"])})
    with pytest.raises(UsageError, match="key 'json': column 'meta' is struct"):
        from_table(one_row, COLUMNS)
