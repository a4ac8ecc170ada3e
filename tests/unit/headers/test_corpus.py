"""The benchmarks' corpus: as many files as asked for, all valid, none twice."""

import importlib.util
import warnings
from collections import Counter
from pathlib import Path
from types import ModuleType

import pydicom
import pytest
from conftest import HOME

N_FILES = 700


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("corpus", HOME / "scripts" / "bench" / "corpus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "made"
    script = load_script()
    script.STAMPS = 100
    script.make(out, N_FILES, seed=3)
    return out


def read(path: Path) -> pydicom.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's word on values outside their VR
        return pydicom.dcmread(path)


def test_there_are_as_many_files_as_asked_for_in_folders_of_a_hundred_at_most(corpus: Path) -> None:
    files = [path for path in corpus.rglob("*") if path.is_file()]
    folders = Counter(path.parent for path in files)
    assert len(files) == N_FILES
    assert max(folders.values()) <= 100
    assert sorted(folders.values())[1] >= 20  # the last folder has what is left


def test_each_file_is_dicom_with_an_instance_uid_of_its_own_and_its_folders_series(corpus: Path) -> None:
    files = [(path, read(path)) for path in sorted(corpus.rglob("*.dcm"))]
    instances = {ds.SOPInstanceUID for _, ds in files}
    series_of = {path.parent: ds.SeriesInstanceUID for path, ds in files}
    studies_of = {path.parent.parent: ds.StudyInstanceUID for path, ds in files}
    assert len(instances) == N_FILES
    assert all(ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID for _, ds in files)
    assert all(ds.SOPInstanceUID.is_valid for _, ds in files)
    assert all(ds.SeriesInstanceUID == series_of[path.parent] for path, ds in files)
    assert all(ds.StudyInstanceUID == studies_of[path.parent.parent] for path, ds in files)
    assert len(set(series_of.values())) == len(series_of)
    assert len(set(studies_of.values())) == len(studies_of)
    assert not set(series_of.values()) & set(studies_of.values())


def test_the_same_call_gives_the_same_bytes_and_another_seed_shares_no_uid(tmp_path: Path) -> None:
    script = load_script()
    script.STAMPS = 40
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        script.make(tmp_path / name, 60, seed)
        contents.append(
            {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.dcm")}
        )
    assert contents[0] == contents[1]
    first, other = ({read(p).SOPInstanceUID for p in (tmp_path / name).rglob("*.dcm")} for name in "ac")
    assert not first & other


def test_a_folder_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        load_script().make(tmp_path, 1, 1)
