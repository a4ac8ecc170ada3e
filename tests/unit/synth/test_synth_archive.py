"""The archive on disk: every file that was planned, the same for any number of workers."""

import hashlib
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from dicomae.synth import CANARY, CANARY_ID_PREFIX
from dicomae.synth.archive import Arguments, generate, write_truth
from dicomae.synth.plan import IMAGES
from dicomae.synth.spoil import KINDS

ARGUMENTS = Arguments(files=400, seed=5, nights=3, matrix=32)
# Type 1 of these IODs (PS3.3): never empty in a classic image.
TYPE_1 = {
    "CT": ["ImageType", "RescaleIntercept", "RescaleSlope", "PixelSpacing", "ImagePositionPatient"],
    "MR": ["ScanningSequence", "SequenceVariant", "ImageOrientationPatient", "FrameOfReferenceUID"],
    "XA": ["ImageType", "PixelIntensityRelationship", "RadiationSetting"],
    "RF": ["ImageType", "PixelIntensityRelationship", "RadiationSetting"],
    "NM": ["NumberOfDetectors", "EnergyWindowVector", "CountsAccumulated"],
    "CR": [],
}
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    out = tmp_path_factory.mktemp("pacs")
    return out, [row for study in generate(ARGUMENTS, out, workers=1) for row in study]


def read(path: Path) -> pydicom.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's word on values outside their VR
        return pydicom.dcmread(path)


def test_the_files_on_disk_are_those_of_the_truth(archive: tuple[Path, Rows]) -> None:
    out, rows = archive
    on_disk = {str(path.relative_to(out)): path.stat().st_size for path in out.rglob("*") if path.is_file()}
    assert on_disk == {row["path"]: row["size"] for row in rows}
    assert len(on_disk) == ARGUMENTS.files
    assert {path.split("/")[0] for path in on_disk} == {"night-01", "night-02", "night-03"}


def test_regular_files_say_what_the_truth_says(archive: tuple[Path, Rows]) -> None:
    out, rows = archive
    seen: Counter[str] = Counter()
    for row in rows:
        if row["kind"] != "regular":
            continue
        dataset = read(out / row["path"])
        assert dataset.SOPInstanceUID == row["SOPInstanceUID"] == dataset.file_meta.MediaStorageSOPInstanceUID
        assert dataset.Modality == row["Modality"]
        assert (dataset.BodyPartExamined if "BodyPartExamined" in dataset else None) == row["declared"]
        seen[dataset.SOPInstanceUID] += 1
        if "SharedFunctionalGroupsSequence" not in dataset and dataset.get("SamplesPerPixel") == 1:
            for keyword in TYPE_1.get(row["Modality"], []):
                assert dataset.get(keyword) not in (None, "", []), (row["path"], keyword)
    assert max(seen.values()) == 1
    assert {row["Modality"] for row in rows} >= set(IMAGES)


def test_pixels_decode_in_every_transfer_syntax(archive: tuple[Path, Rows]) -> None:
    out, rows = archive
    decoded: Counter[str] = Counter()
    for row in rows:
        if row["kind"] != "regular" or row["Modality"] in ("SR", "PR"):
            continue
        dataset = read(out / row["path"])
        name = str(dataset.file_meta.TransferSyntaxUID)
        if decoded[name] < 6:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pixels = dataset.pixel_array
            assert pixels.shape[:2] == (32, 32) or pixels.shape[1:3] == (32, 32)
            assert np.ptp(pixels) > 0
            decoded[name] += 1
    assert len(decoded) >= 4


def test_duplicates_are_the_same_bytes_or_the_same_uid(archive: tuple[Path, Rows]) -> None:
    out, rows = archive
    duplicates = [row for row in rows if row["kind"] == "duplicate"]
    assert {row["conflict"] for row in duplicates} == {True, False}
    for row in duplicates:
        first, again = (out / row["duplicate_of"]).read_bytes(), (out / row["path"]).read_bytes()
        assert (first != again) == row["conflict"]
        assert read(out / row["path"]).SOPInstanceUID == read(out / row["duplicate_of"]).SOPInstanceUID


def test_every_kind_of_spoilt_file_has_its_folder(archive: tuple[Path, Rows]) -> None:
    _, rows = archive
    assert {row["spoilt"] for row in rows if row["kind"] == "spoilt"} == set(KINDS)
    assert all(f"/spoilt/{row['spoilt']}/" in row["path"] for row in rows if row["kind"] == "spoilt")


def test_there_are_canaries_in_files_and_none_in_the_truth(
    archive: tuple[Path, Rows], tmp_path: Path
) -> None:
    out, rows = archive
    assert any(CANARY.encode() in (out / row["path"]).read_bytes() for row in rows)
    write_truth(rows, ARGUMENTS, tmp_path / "truth.parquet")
    assert b"CANARY" not in (tmp_path / "truth.parquet").read_bytes()


def test_a_canary_is_in_text_that_no_rule_of_names_finds(archive: tuple[Path, Rows]) -> None:
    out, rows = archive
    found = set()
    for row in rows:
        dataset = read(out / row["path"]) if row["kind"] == "regular" else Dataset()
        who = str(dataset.get("PatientID"))
        if who.startswith(CANARY_ID_PREFIX):
            found.add(who)
            assert dataset.ClinicalTrialSubjectID == who
            assert dataset.private_block(0x0099, "DICOMAE ROUTER 1")[0x01].value in (who, who.encode())
            assert dataset.private_creators(0x0099)[-1] == f"DICOMAE PATIENT {who}"
    assert found


def test_the_bytes_do_not_depend_on_workers_and_do_on_the_seed(tmp_path: Path) -> None:
    def digest(name: str, seed: int, workers: int) -> dict[str, str]:
        for _ in generate(Arguments(60, seed, 2, 32), tmp_path / name, workers):
            pass
        files = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        return {
            str(path.relative_to(tmp_path / name)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    assert digest("one", 9, 1) == digest("two", 9, 2)
    assert digest("one", 9, 1) != digest("other", 10, 1)
