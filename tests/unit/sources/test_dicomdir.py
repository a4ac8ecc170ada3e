"""The files a DICOMDIR refers to."""

import errno
import threading
import time

import pyarrow.fs as pafs
import pytest
from defaults import TIMEOUT
from files import write_dicomdir
from filesystems import Spy
from pydicom import config

from dicomae.codes import Reason
from dicomae.errors import UsageError
from dicomae.sources import dicomdir

LOCAL = pafs.LocalFileSystem()


@pytest.mark.parametrize("filesystem", [LOCAL, pafs.PyFileSystem(Spy())], ids=["local", "spy"])
def test_files_are_found_as_media_have_them(tmp_path, filesystem):
    for name in ("images/im0001", "IMAGES2/IM0002.;1", "TOP", "top"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"123")
    references = [None, ["IMAGES", "IM0001"], ["IMAGES", "IM0001"], ["IMAGES2", "IM0002"], "TOP"]
    path = write_dicomdir(tmp_path / "DICOMDIR", [*references, ["IMAGES", "IM0003"], "IMAGES"])
    found = dicomdir.read_dicomdir(filesystem, path, TIMEOUT)
    names = ["IMAGES2/IM0002.;1", "TOP", "images/im0001"]
    assert found.files["path"].to_pylist() == [f"{tmp_path}/{name}" for name in names]
    assert found.files["size"].to_pylist() == [3, 3, 3]
    assert found.failures == (
        (f"{tmp_path}/IMAGES/IM0003", Reason.MISSING, "no such file"),
        (f"{tmp_path}/images", Reason.IO_ERROR, "a folder where a file must be"),
    )


@pytest.mark.parametrize(
    "reference", [["..", "SECRET"], ["/", "SECRET"], ["SUB", "../../SECRET"], [".", "X"]]
)
def test_a_reference_that_leaves_the_medium_is_refused(tmp_path, reference, caplog):
    (tmp_path / "SECRET").write_bytes(b"1")
    (tmp_path / "MEDIUM" / "SUB").mkdir(parents=True)
    with config.disable_value_validation():
        path = write_dicomdir(tmp_path / "MEDIUM" / "DICOMDIR", [reference])
    found = dicomdir.read_dicomdir(LOCAL, path, TIMEOUT)
    assert caplog.text == ""
    assert found.files.num_rows == 0
    assert [(reason, detail) for _, reason, detail in found.failures] == [
        (Reason.MISSING, "the reference does not name a file below the DICOMDIR")
    ]


@pytest.mark.parametrize("content", [b"", b"no DICOM", bytes(128) + b"DICM"])
def test_what_is_no_dicomdir_is_explained(tmp_path, content):
    (tmp_path / "DICOMDIR").write_bytes(content)
    with pytest.raises(UsageError, match="no DICOMDIR; give its folder"):
        dicomdir.read_dicomdir(LOCAL, f"{tmp_path}/DICOMDIR", TIMEOUT)
    with pytest.raises(UsageError, match="cannot be read"):
        dicomdir.read_dicomdir(LOCAL, f"{tmp_path}/gone", TIMEOUT)


@pytest.fixture
def medium(tmp_path):
    """A DICOMDIR that refers to three files in three folders."""
    for name in ("A/1", "B/2", "C/3"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"123")
    return write_dicomdir(tmp_path / "DICOMDIR", [["A", "1"], ["B", "2"], ["C", "3"]])


@pytest.mark.parametrize(("silent", "found"), [("1", ["B/2", "C/3"]), ("B", ["A/1"])])
def test_what_gives_no_answer_is_a_failure_and_the_others_are_found(medium, silent, found):
    release = threading.Event()
    spy = Spy(before_asked=lambda name: name == silent and release.wait(20))
    began = time.monotonic()
    listing = dicomdir.read_dicomdir(pafs.PyFileSystem(spy), medium, 0.3)
    release.set()
    assert time.monotonic() - began < 10
    top = medium.removesuffix("DICOMDIR")
    assert listing.files["path"].to_pylist() == [f"{top}{name}" for name in found]
    late = [f"{top}{name}" for name in ("A/1", "B/2", "C/3") if name not in found]
    assert listing.failures == tuple((path, Reason.TIMEOUT, "no answer within 0.3 s") for path in late)


def test_files_of_a_folder_that_refuses_are_not_missing(medium):
    refusing = Spy(failing={"B": PermissionError(errno.EACCES, "no")})
    listing = dicomdir.read_dicomdir(pafs.PyFileSystem(refusing), medium, TIMEOUT)
    top = medium.removesuffix("DICOMDIR")
    assert listing.files["path"].to_pylist() == [f"{top}A/1", f"{top}C/3"]
    assert listing.failures == ((f"{top}B/2", Reason.PERMISSION, "PermissionError EACCES"),)


def test_a_dicomdir_that_gives_no_answer_is_explained(medium):
    release = threading.Event()
    spy = Spy(before_read=lambda name, start: release.wait(20))
    with pytest.raises(UsageError, match=r"DICOMDIR: cannot be read \(TimeoutError\)"):
        dicomdir.read_dicomdir(pafs.PyFileSystem(spy), medium, 0.3)
    release.set()


def test_a_dicomdir_beyond_the_limit_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(dicomdir, "LARGEST", 100)
    with pytest.raises(UsageError, match="more than 100 bytes"):
        dicomdir.read_dicomdir(LOCAL, write_dicomdir(tmp_path / "DICOMDIR", ["A"]), TIMEOUT)
