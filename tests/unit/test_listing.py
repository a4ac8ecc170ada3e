"""Folders and lists of files: what is a file, what is a folder, and what is neither."""

import os
import shutil
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from filesystems import Spy

from dicomae.dicom import listing
from dicomae.errors import Reason

LOCAL = pafs.LocalFileSystem()


def test_a_folder_lists_one_level_sorted(tmp_path):
    for name, content in (("b.dcm", b"12"), ("a.dcm", b""), (".hidden", b"1"), ("sub/deep.dcm", b"1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    os.utime(tmp_path / "b.dcm", ns=(0, 1_700_000_000_123_456_789))
    found = listing.list_folders(LOCAL, [str(tmp_path)])
    assert found.failures == ()
    assert found.folders == (f"{tmp_path}/empty", f"{tmp_path}/sub")
    assert found.files.schema == listing.LISTED
    assert found.files["path"].to_pylist() == [f"{tmp_path}/{name}" for name in (".hidden", "a.dcm", "b.dcm")]
    assert found.files["size"].to_pylist() == [1, 0, 2]
    assert found.files["etag"].null_count == 3
    assert found.files["mtime"][2].as_py() == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)


def test_entries_that_are_no_files_are_failures_not_reads(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "twin").symlink_to(tmp_path / "sub")
    top = listing.list_folders(LOCAL, [str(tmp_path)])
    assert top.failures == ((f"{tmp_path}/pipe", Reason.IO_ERROR, "neither a file nor a folder"),)
    assert top.files.num_rows == 0
    assert [Path(path).name for path in top.folders] == ["sub", "twin"]
    inner = listing.list_folders(LOCAL, [str(tmp_path / "sub")])
    assert inner.folders == ()
    assert inner.failures == ((f"{tmp_path}/sub/up", Reason.IO_ERROR, "a link to a folder above itself"),)


def test_a_link_to_a_folder_of_a_like_name_is_followed(tmp_path):
    (tmp_path / "ab").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "ab" / "link").symlink_to(tmp_path / "a")
    assert listing.list_folders(LOCAL, [str(tmp_path / "ab")]).folders == (f"{tmp_path}/ab/link",)


def test_a_name_that_is_not_utf8_is_a_failure(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.dcm")).write_bytes(b"1")
    (tmp_path / "good.dcm").write_bytes(b"1")
    found = listing.list_folders(LOCAL, [str(tmp_path)])
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
    found = listing.list_folders(pafs.PyFileSystem(Spy({"locked": error})), ["/pacs/locked"])
    assert found.files.num_rows == 0
    assert found.folders == ()
    assert found.failures == (("/pacs/locked", reason, detail),)


def test_a_folder_that_does_not_answer_is_a_value_and_those_before_it_are_listed(tmp_path, monkeypatch):
    for name in "abcd":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.dcm").write_bytes(b"1")
    release, scandir = threading.Event(), os.scandir

    def hangs(folder):
        if folder.endswith("/c"):
            release.wait(60)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", hangs)
    found = listing.list_folders(LOCAL, [f"{tmp_path}/{name}" for name in "abcd"], timeout_seconds=0.2)
    release.set()
    assert found.files["path"].to_pylist() == [f"{tmp_path}/a/1.dcm", f"{tmp_path}/b/1.dcm"]
    late = (Reason.TIMEOUT, "no answer within 0.2 s")
    assert found.failures == ((f"{tmp_path}/c", *late), (f"{tmp_path}/d", *late))


def test_a_folder_of_slow_entries_is_listed(tmp_path, monkeypatch):
    for i in range(8):
        (tmp_path / f"{i}.dcm").write_bytes(b"1")
    look = listing._Found._add_entry
    monkeypatch.setattr(listing._Found, "_add_entry", lambda *seen: time.sleep(0.1) or look(*seen))
    found = listing.list_folders(LOCAL, [str(tmp_path)], timeout_seconds=0.4)
    assert (found.files.num_rows, found.failures) == (8, ())


def test_a_folder_that_vanished_is_a_value(tmp_path):
    (failure,) = listing.list_folders(LOCAL, [f"{tmp_path}/gone"]).failures
    assert failure == (f"{tmp_path}/gone", Reason.MISSING, "FileNotFoundError ENOENT")


def test_a_file_system_of_another_kind_lists_the_same(tmp_path):
    for name in ("b.dcm", "a.dcm", "new\nline.dcm", "sub/deep.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    here = replace(listing.list_folders(LOCAL, [str(tmp_path)]), held=())  # marks are of local folders
    assert listing.list_folders(pafs.PyFileSystem(Spy()), [str(tmp_path)]) == here


def test_a_folder_of_more_entries_than_a_chunk_is_listed_sorted(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "CHUNK", 3)
    names = [f"{i * 7 % 11:02d}.dcm" for i in range(11)]
    for name in names:
        (tmp_path / name).write_bytes(b"1")
    for filesystem in (LOCAL, pafs.PyFileSystem(Spy())):
        found = listing.list_folders(filesystem, [str(tmp_path)]).files["path"].to_pylist()
        assert [Path(path).name for path in found] == sorted(names)


def test_links_that_lead_to_each_other_end(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"to_{other}").symlink_to(tmp_path / other)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert [reason for _, reason, _ in listing.list_folders(LOCAL, [str(tmp_path)]).failures] == [
        Reason.IO_ERROR
    ]
    inner = listing.list_folders(LOCAL, [f"{tmp_path}/a"])
    assert inner.folders == (f"{tmp_path}/a/to_b",)
    back = listing.list_folders(LOCAL, [f"{tmp_path}/a/to_b"])
    assert back.folders == ()
    assert back.failures == ((f"{tmp_path}/a/to_b/to_a", Reason.IO_ERROR, "a link to a folder above itself"),)


def test_a_list_of_paths_gives_files_folders_and_what_is_missing(tmp_path):
    (tmp_path / "b.dcm").write_bytes(b"12")
    (tmp_path / "a.dcm").write_bytes(b"1")
    (tmp_path / "sub").mkdir()
    paths = [f"{tmp_path}/{name}" for name in ("b.dcm", "gone", "sub", "a.dcm", "n\0ul")]
    for filesystem in (LOCAL, pafs.PyFileSystem(Spy())):
        found = listing.list_paths(filesystem, paths)
        assert found.files["path"].to_pylist() == [paths[3], paths[0]]
        assert found.files["size"].to_pylist() == [1, 2]
        assert found.folders == (paths[2],)
        assert found.failures[0][:2] == (paths[1], Reason.MISSING)
        assert len(found.failures) == 2


def test_a_path_that_gives_no_answer_is_a_failure_and_the_others_are_found(tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(b"1")
    release = threading.Event()

    class Hanging(Spy):
        def get_file_info(self, paths):
            if paths == [f"{tmp_path}/b"]:
                release.wait(60)
            return super().get_file_info(paths)

    paths = [f"{tmp_path}/{name}" for name in "abc"]
    found = listing.list_paths(pafs.PyFileSystem(Hanging()), paths, timeout_seconds=0.2)
    release.set()
    assert found.files["path"].to_pylist() == [paths[0], paths[2]]
    assert found.failures == ((paths[1], Reason.TIMEOUT, "no answer within 0.2 s"),)


def test_folders_are_listed_together_and_one_that_fails_is_no_loss_to_the_others(tmp_path):
    for name in ("b/2.dcm", "a/1.dcm", "a/sub/deep.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    folders = [f"{tmp_path}/{name}" for name in ("b", "gone", "a")]
    for filesystem in (LOCAL, pafs.PyFileSystem(Spy())):
        found = listing.list_folders(filesystem, folders)
        assert found.files["path"].to_pylist() == [f"{tmp_path}/a/1.dcm", f"{tmp_path}/b/2.dcm"]
        assert found.folders == (f"{tmp_path}/a/sub",)
        assert [failure[:2] for failure in found.failures] == [(f"{tmp_path}/gone", Reason.MISSING)]
    assert listing.list_folders(LOCAL, []).files.num_rows == 0


def test_a_folder_that_has_its_mark_still_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "_RESTLESS_NS", 0)
    for name in ("a/1.dcm", "a/sub/2.dcm", "b/3.dcm", "b/4.dcm", "c/5.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    folders = [f"{tmp_path}/{name}" for name in "abc"]
    held = listing.list_folders(LOCAL, folders).held
    assert [folder[:2] for folder in held] == [(folders[0], 1), (folders[1], 2), (folders[2], 1)]
    marks = [folder.mark for folder in held]
    opened, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: opened.append(folder) or scandir(folder))
    assert listing.list_folders(LOCAL, folders, marks).settled == tuple(folders)
    assert opened == []
    (tmp_path / "b" / "3.dcm").unlink()
    found = listing.list_folders(LOCAL, folders, marks)
    assert (found.settled, opened) == ((folders[0], folders[2]), [folders[1]])
    assert found.files["path"].to_pylist() == [f"{tmp_path}/b/4.dcm"]


def test_a_known_folder_may_be_gone_or_have_given_its_place_to_a_file_or_to_another(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "_RESTLESS_NS", 0)
    for name in ("a/1.dcm", "b/sub/2.dcm", "c/3.dcm", "other/4.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    folders = [f"{tmp_path}/{name}" for name in ("a", "b", "b/sub", "c")]
    marks = [folder.mark for folder in listing.list_folders(LOCAL, folders).held]
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "b").write_bytes(b"a file")
    shutil.rmtree(tmp_path / "c")
    os.rename(tmp_path / "other", tmp_path / "c")
    found = listing.list_folders(LOCAL, folders, marks)
    assert (found.failures, found.settled) == ((), ())
    assert found.files["path"].to_pylist() == [f"{tmp_path}/c/4.dcm"]
    new = listing.list_folders(LOCAL, folders[:1], [None])
    assert [failure[:2] for failure in new.failures] == [(folders[0], Reason.MISSING)]


def test_what_a_link_leads_to_is_never_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "_RESTLESS_NS", 0)
    for name in ("a/1.dcm", "b/2.dcm", "other/sub/3.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "other")
    (tmp_path / "b" / "nowhere.dcm").symlink_to(tmp_path / "gone.dcm")
    found = listing.list_folders(LOCAL, [f"{tmp_path}/a", f"{tmp_path}/b", f"{tmp_path}/other"])
    assert [bool(folder.mark) for folder in found.held] == [False, False, True]
    assert found.links == {f"{tmp_path}/a/link"}
    linked = listing.list_folders(LOCAL, [f"{tmp_path}/a/link"], [listing.LINKED])
    assert (linked.held, linked.folders) == ((), (f"{tmp_path}/a/link/sub",))
    known = listing.list_folders(LOCAL, [f"{tmp_path}/a/link"], ["1:2"])  # it was a folder when it was listed
    assert (known.held, known.folders, known.failures) == ((), (), ())


def test_a_folder_that_changed_just_now_has_no_mark(tmp_path):
    (folder,) = listing.list_folders(LOCAL, [str(tmp_path)]).held
    assert folder.mark == ""
    assert listing.list_folders(LOCAL, [str(tmp_path)], [""]).settled == ()


def test_folders_of_a_slow_source_are_listed_at_once(tmp_path):
    folders = [f"{tmp_path}/{number:02d}" for number in range(40)]
    for folder in folders:
        Path(folder).mkdir()
        (Path(folder) / "1.dcm").write_bytes(b"1")
    spy = Spy({"07": PermissionError(13, "denied")}, open_seconds=0.02)
    found = listing.list_folders(pafs.PyFileSystem(spy), folders)
    assert found.files.num_rows == 39
    assert [failure[:2] for failure in found.failures] == [(folders[7], Reason.PERMISSION)]
    assert 8 <= spy.most_open <= listing.TOGETHER
