"""Patients who are to be forgotten, in an archive of others; and the search for what is left of them."""

import shutil
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pydicom
from pydicom.dataset import Dataset

WORD = "CANARY77"  # in their names, IDs, paths, a category and a private creator
UID = "1.2.826.0.1.77117711"  # all of theirs begin with it
NEEDLES = (WORD.encode(), UID.encode())
PATIENTS = [f"{WORD}-{name}" for name in "ABC"]

_FILES_EACH = 7


def add_to(top: Path) -> list[Path]:
    """Add their files to an archive of others' CT images; the paths of what was added."""
    images = _images(top, len(PATIENTS) * _FILES_EACH)
    home = top / f"{WORD}^JANE"
    written = []
    for number, image in enumerate(images):
        image_of(image, PATIENTS[number % len(PATIENTS)], f"{UID}.{number}")
        path = home / f"study-{number % len(PATIENTS)}" / f"{number}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save_as(path)
        written.append(path)
    (home / "cut.dcm").write_bytes(written[0].read_bytes()[:400])
    (home / "letter.pdf").write_text(f"Dear {WORD}")
    shutil.copy(written[1], top / "copy.dcm")
    with zipfile.ZipFile(top / f"{WORD}.zip", "w") as archive:
        archive.write(written[-1], f"{WORD}/1.dcm")
    written[-1].unlink()
    return [home, top / "copy.dcm", top / f"{WORD}.zip"]


def _images(top: Path, n: int) -> list[Dataset]:
    """The first CT images of an archive, by path."""
    found: list[Dataset] = []
    for path in sorted(set(top.rglob("*.dcm")) - set(top.rglob("spoilt/**/*.dcm"))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, force=True)
        if dataset.get("Modality") == "CT" and dataset.get("SamplesPerPixel") == 1 and dataset.file_meta:
            found.append(dataset)
        if len(found) == n:
            return found
    raise LookupError(f"{top}: fewer than {n} CT images")


def image_of(dataset: Dataset, patient: str, uid: str) -> None:
    """Make a data set an image of one of them."""
    dataset.PatientID, dataset.PatientName = patient, f"{WORD}^JANE"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{UID}.8.1", f"{UID}.8.2"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.ScanOptions = WORD
    block = dataset.private_block(0x0099, f"{WORD} ROUTER", create=True)
    block.add_new(1, "IS", str(len(uid)))


def traces(root: Path) -> set[str]:
    """Folders and files below the tables that hold a trace of them, by the first part of their path."""
    found = set()
    for path in root.rglob("*"):
        name = str(path.relative_to(root)).partition("/")[0]
        if any(needle in text for text in _texts(path) for needle in NEEDLES):
            found.add(name)
    return found


def _texts(path: Path) -> Iterator[bytes]:
    """A file's name and bytes; what a Parquet file holds once more, decompressed, with its statistics."""
    yield path.name.encode()
    if not path.is_file():
        return
    yield path.read_bytes()
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        yield str(file.metadata.metadata).encode()
        for group in range(file.num_row_groups):
            yield str(file.read_row_group(group).to_pylist()).encode()
            columns = (file.metadata.row_group(group).column(i) for i in range(file.metadata.num_columns))
            yield str([column.statistics and column.statistics.to_dict() for column in columns]).encode()
