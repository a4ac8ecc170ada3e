"""DICOM files for the tests, written by pydicom."""

import shutil
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

CANARY = "CANARY^DO^NOT^LEAK"


def write_file(path: Path, uid: str | None, patient: str = "P1", **elements: object) -> Path:
    """A small CT file; `uid` None leaves SOPInstanceUID out of data set and file meta."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    if uid is not None:
        ds.file_meta.MediaStorageSOPInstanceUID = uid
        ds.SOPInstanceUID = uid
    ds.PatientName, ds.PatientID, ds.Modality = CANARY, patient, "CT"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.{patient[1:]}", f"1.2.{patient[1:]}.1"
    ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.BitsAllocated = "MONOCHROME2", 1, 16
    ds.Rows = ds.Columns = 2
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds.PixelData = bytes(8)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=False)
    return path


def write_dicomdir(path: Path, references: list[Any]) -> str:
    """A DICOMDIR that refers to files by their components; None is a record without a file."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    records = []
    for reference in references:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE" if reference else "STUDY"
        if reference:
            record.ReferencedFileID = reference
        records.append(record)
    ds.DirectoryRecordSequence = Sequence(records)
    ds.save_as(path, enforce_file_format=True)
    return str(path)


def write_few(top: Path) -> Path:
    """Three instances, a copy, a conflict, and two files that are none."""
    write_file(top / "a" / "1.dcm", "1.1")
    write_file(top / "a" / "2.dcm", "1.2", BodyPartExamined="CHEST")
    write_file(top / "b" / "c" / "3.dcm", "1.3")
    shutil.copy(top / "a" / "1.dcm", top / "b" / "copy.dcm")
    write_file(top / "b" / "other.dcm", "1.2", BodyPartExamined="KNEE")
    write_file(top / "b" / "nameless.dcm", None, ImageComments="x" * 100)
    (top / "b" / "empty.dcm").write_bytes(b"")
    return top
