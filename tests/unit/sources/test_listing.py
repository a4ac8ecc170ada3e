"""Lists of files: what is a file, what is a folder, and what is neither."""

import threading

import pyarrow.fs as pafs
from defaults import TIMEOUT
from filesystems import Spy

from dicomae.codes import Reason
from dicomae.sources import listing

LOCAL = pafs.LocalFileSystem()


def test_a_list_of_paths_gives_files_folders_and_what_is_missing(tmp_path):
    (tmp_path / "b.dcm").write_bytes(b"12")
    (tmp_path / "a.dcm").write_bytes(b"1")
    (tmp_path / "sub").mkdir()
    paths = [f"{tmp_path}/{name}" for name in ("b.dcm", "gone", "sub", "a.dcm", "n\0ul")]
    for filesystem in (LOCAL, pafs.PyFileSystem(Spy())):
        found = listing.list_paths(filesystem, paths, TIMEOUT)
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


def test_no_two_names_that_are_not_utf8_are_shown_alike() -> None:
    found = listing.ListingBuilder()
    for name in (b"a\xff", b"a\\xff\xff", b"a\xff\xff", b"a\\\\xff\xff"):
        found.add_unnameable(name)
    assert len({path for path, *_ in found.sorted().failures}) == 4
