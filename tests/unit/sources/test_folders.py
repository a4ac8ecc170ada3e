"""One level of folders: what is a file, what is a folder, and what is neither."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from defaults import TIMEOUT
from filesystems import Spy

from dicomae.codes import Reason
from dicomae.sources import listing
from dicomae.sources.folders import TOGETHER, list_folders

LOCAL = pafs.LocalFileSystem()


def test_a_folder_lists_one_level_sorted(tmp_path):
    for name, content in (("b.dcm", b"12"), ("a.dcm", b""), (".hidden", b"1"), ("sub/deep.dcm", b"1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    os.utime(tmp_path / "b.dcm", ns=(0, 1_700_000_000_123_456_789))
    found = list_folders(LOCAL, [str(tmp_path)], TIMEOUT)
    assert found.failures == ()
    assert found.folders == (f"{tmp_path}/empty", f"{tmp_path}/sub")
    assert found.files.schema == listing.LISTED_FILE
    assert found.files["path"].to_pylist() == [f"{tmp_path}/{name}" for name in (".hidden", "a.dcm", "b.dcm")]
    assert found.files["size"].to_pylist() == [1, 0, 2]
    assert found.files["etag"].null_count == 3
    assert found.files["mtime"][2].as_py() == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)


def test_a_name_that_is_not_utf8_is_a_failure(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.dcm")).write_bytes(b"1")
    (tmp_path / "good.dcm").write_bytes(b"1")
    found = list_folders(LOCAL, [str(tmp_path)], TIMEOUT)
    assert found.files.num_rows == 1
    assert found.failures == ((f"{tmp_path}/caf\\xe9.dcm/", Reason.IO_ERROR, "the name is not UTF-8"),)


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (PermissionError(13, "denied", "Doe^John"), Reason.PERMISSION, "PermissionError EACCES"),
        (OSError(5, "broken", "Doe^John"), Reason.IO_ERROR, "OSError EIO"),
        (OSError(110, "late", "Doe^John"), Reason.TIMEOUT, "TimeoutError ETIMEDOUT"),
        (OSError("When listing Doe^John: curlCode: 28, Timeout was reached"), Reason.TIMEOUT, "OSError"),
    ],
)
def test_a_folder_that_cannot_be_listed_is_a_value(error, reason, detail):
    found = list_folders(pafs.PyFileSystem(Spy({"locked": error})), ["/pacs/locked"], TIMEOUT)
    assert found.files.num_rows == 0
    assert found.folders == ()
    assert found.failures == (("/pacs/locked", reason, detail),)


def test_a_folder_that_vanished_is_a_value(tmp_path):
    (failure,) = list_folders(LOCAL, [f"{tmp_path}/gone"], TIMEOUT).failures
    assert failure == (f"{tmp_path}/gone", Reason.MISSING, "FileNotFoundError ENOENT")


def test_a_file_system_of_another_kind_lists_the_same(tmp_path):
    for name in ("b.dcm", "a.dcm", "new\nline.dcm", "sub/deep.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    here = replace(list_folders(LOCAL, [str(tmp_path)], TIMEOUT), visited=())  # marks are of local folders
    assert list_folders(pafs.PyFileSystem(Spy()), [str(tmp_path)], TIMEOUT) == here


def test_a_folder_of_more_entries_than_a_chunk_is_listed_sorted(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "CHUNK", 3)
    names = [f"{i * 7 % 11:02d}.dcm" for i in range(11)]
    for name in names:
        (tmp_path / name).write_bytes(b"1")
    for filesystem in (LOCAL, pafs.PyFileSystem(Spy())):
        found = list_folders(filesystem, [str(tmp_path)], TIMEOUT).files["path"].to_pylist()
        assert [Path(path).name for path in found] == sorted(names)


def test_folders_are_listed_together_and_one_that_fails_is_no_loss_to_the_others(tmp_path):
    for name in ("b/2.dcm", "a/1.dcm", "a/sub/deep.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    folders = [f"{tmp_path}/{name}" for name in ("b", "gone", "a")]
    for filesystem in (LOCAL, pafs.PyFileSystem(Spy())):
        found = list_folders(filesystem, folders, TIMEOUT)
        assert found.files["path"].to_pylist() == [f"{tmp_path}/a/1.dcm", f"{tmp_path}/b/2.dcm"]
        assert found.folders == (f"{tmp_path}/a/sub",)
        assert [failure[:2] for failure in found.failures] == [(f"{tmp_path}/gone", Reason.MISSING)]
    assert list_folders(LOCAL, [], TIMEOUT).files.num_rows == 0


def test_folders_of_a_slow_source_are_listed_at_once(tmp_path):
    folders = [f"{tmp_path}/{number:02d}" for number in range(40)]
    for folder in folders:
        Path(folder).mkdir()
        (Path(folder) / "1.dcm").write_bytes(b"1")
    spy = Spy({"07": PermissionError(13, "denied")}, open_seconds=0.02)
    found = list_folders(pafs.PyFileSystem(spy), folders, TIMEOUT)
    assert found.files.num_rows == 39
    assert [failure[:2] for failure in found.failures] == [(folders[7], Reason.PERMISSION)]
    assert 8 <= spy.most_open <= TOGETHER
