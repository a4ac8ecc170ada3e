"""Local folders: links, marks, and a system that gives no answer."""

import os
import shutil
import threading
import time
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from defaults import TIMEOUT

from dicomae.codes import Reason
from dicomae.sources import local_folders
from dicomae.sources.folders import list_folders
from dicomae.sources.links import Link, LinkRule, one_of_each
from dicomae.sources.listing import Listing
from dicomae.sources.local_folders import LINKED

LOCAL = pafs.LocalFileSystem()


@pytest.fixture
def at_rest(monkeypatch):
    """Nothing is so young that its folder has no mark."""
    monkeypatch.setattr(local_folders, "_RESTLESS_NS", 0)
    monkeypatch.setattr(local_folders, "_WRITTEN_NS", 0)


def within(top: Path, *, follow: bool = False, tables: Path | None = None) -> LinkRule:
    """The rule of a source."""
    return LinkRule(frozenset([os.path.realpath(top)]), follow, os.path.realpath(tables) if tables else None)


def listed(folder: Path, rule: LinkRule, mark: str | None = None) -> Listing:
    return list_folders(LOCAL, [str(folder)], TIMEOUT, [mark], str(folder), rule)


def test_entries_that_are_no_files_are_failures_not_reads(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "twin").symlink_to(tmp_path / "sub")
    top = listed(tmp_path, within(tmp_path))
    assert top.failures == (
        (f"{tmp_path}/dangling", Reason.MISSING, "a link to nothing"),
        (f"{tmp_path}/pipe", Reason.NOT_A_FILE, "neither a file nor a folder"),
    )
    assert top.files.num_rows == 0
    assert [Path(path).name for path in top.folders] == ["sub"]
    inner = listed(tmp_path / "sub", within(tmp_path))
    assert inner.folders == ()
    assert inner.failures == ((f"{tmp_path}/sub/up", Reason.NOT_A_FILE, "a link to a folder above itself"),)


@pytest.mark.parametrize("follow", [False, True])
def test_what_a_link_leads_to_within_the_source_has_a_row_of_its_own(tmp_path, follow):
    top = tmp_path / "top"
    (top / "a").mkdir(parents=True)
    (top / "a" / "1.dcm").write_bytes(b"1")
    (top / "folder").symlink_to("a")
    (top / "file.dcm").symlink_to(top / "a" / "1.dcm")
    (top / "again").symlink_to(top / "file.dcm")
    (tmp_path / "named").symlink_to(top)  # a source may itself be a link
    for named in (top, tmp_path / "named"):
        found = listed(named, within(named, follow=follow))
        assert (found.files.num_rows, found.folders, found.failures) == (0, (f"{named}/a",), ())
        assert (found.links, found.visited[0].mark) == ((), "")


def test_a_link_out_of_the_source_is_a_failure_unless_links_are_followed(tmp_path):
    """`/pacs` does not hold what `/pacs2` holds."""
    top, elsewhere = tmp_path / "pacs", tmp_path / "pacs2"
    for folder in (top, elsewhere):
        folder.mkdir()
    (elsewhere / "1.dcm").write_bytes(b"123")
    os.mkfifo(elsewhere / "pipe")
    for name, target in (("folder", ""), ("file.dcm", "1.dcm"), ("pipe", "pipe")):
        (top / name).symlink_to(elsewhere / target)
    refused = listed(top, within(top))
    outside = "a link out of the source, which ingest.follow_links would follow"
    assert refused.failures == tuple(
        (f"{top}/{name}", Reason.NOT_A_FILE, outside) for name in ("file.dcm", "folder", "pipe")
    )
    followed = listed(top, within(top, follow=True))
    about = [(elsewhere / name).stat() for name in ("1.dcm", "")]
    file, folder = (f"{each.st_dev}:{each.st_ino}" for each in about)
    assert [link[:4] for link in followed.links] == [
        (f"{top}/file.dcm", f"{elsewhere}/1.dcm", file, False),
        (f"{top}/folder", f"{elsewhere}", folder, True),
    ]
    assert followed.links[0][4:] == (3, about[0].st_mtime_ns)
    assert followed.failures == ((f"{top}/pipe", Reason.NOT_A_FILE, "neither a file nor a folder"),)
    assert (refused.files.num_rows, refused.folders) == (0, ())
    assert (followed.files.num_rows, followed.folders) == (0, ())


@pytest.mark.parametrize(
    ("target", "follow", "is_told"),
    [
        ("tables", False, True),
        ("tables/files", True, True),
        ("", True, True),
        ("", False, False),
        ("b", True, False),
    ],
)
def test_a_link_that_leads_to_the_tables_is_told(tmp_path, target, follow, is_told):
    for name in ("top", "data/tables/files", "data/b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "top" / "link").symlink_to(tmp_path / "data" / target)
    found = listed(
        tmp_path / "top", within(tmp_path / "top", follow=follow, tables=tmp_path / "data" / "tables")
    )
    assert found.to_tables == ((f"{tmp_path}/top/link",) if is_told else ())


def test_of_links_to_one_file_or_folder_the_first_is_taken(tmp_path):
    """And none to what is listed with a folder that another leads to."""

    def link(path, target, *, is_folder, identity=None):
        return Link(path, target, identity or target, is_folder, 0, 0)

    links = [
        link("/pacs/c", "/x", is_folder=True),
        link("/pacs/b", "/x", is_folder=True),
        link("/pacs/a", "/x/in/it", is_folder=True),
        link("/pacs/d", "/mounted/again", is_folder=True, identity="/x"),
        link("/pacs/e", "/xy", is_folder=True),
        link("/pacs/f.dcm", "/x/1.dcm", is_folder=False),
        link("/pacs/h.dcm", "/y/1.dcm", is_folder=False),
        link("/pacs/g.dcm", "/y/1.dcm", is_folder=False),
        link("/pacs/i", "/pacs/known", is_folder=True),
    ]
    rule = LinkRule(frozenset(["/pacs"]), follow=True)
    for order in (links, links[::-1]):
        assert [each.path for each in one_of_each(order, rule)] == ["/pacs/b", "/pacs/e", "/pacs/g.dcm"]
    left = one_of_each(links, rule.with_folders([links[0], links[4]]))
    assert [each.path for each in left] == ["/pacs/g.dcm"]
    assert LinkRule(frozenset(["/"])).is_listed("/any/thing")


def test_behind_a_link_what_is_listed_under_another_name_is_left_out(tmp_path):
    for name in ("top/in", "else/where/a", "else/where/b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "top" / "link").symlink_to(tmp_path / "else" / "where")
    roots = [tmp_path / name for name in ("top", "else/where", "else/where/a")]
    rule = LinkRule(frozenset(map(str, roots)), follow=True)
    assert listed(tmp_path / "top" / "link", rule, LINKED).folders == (f"{tmp_path}/top/link/b",)


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
    found = list_folders(LOCAL, [f"{tmp_path}/{name}" for name in "abcd"], timeout_seconds=0.2)
    release.set()
    assert found.files["path"].to_pylist() == [f"{tmp_path}/a/1.dcm", f"{tmp_path}/b/1.dcm"]
    late = (Reason.TIMEOUT, "no answer within 0.2 s")
    assert found.failures == ((f"{tmp_path}/c", *late), (f"{tmp_path}/d", *late))


def test_a_folder_of_slow_entries_is_listed(tmp_path, monkeypatch):
    for i in range(8):
        (tmp_path / f"{i}.dcm").write_bytes(b"1")
    look = local_folders._Visit._add
    monkeypatch.setattr(local_folders._Visit, "_add", lambda *seen: time.sleep(0.1) or look(*seen))
    found = list_folders(LOCAL, [str(tmp_path)], timeout_seconds=0.4)
    assert (found.files.num_rows, found.failures) == (8, ())


def test_links_that_lead_to_each_other_end(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"to_{other}").symlink_to(tmp_path / other)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    top = listed(tmp_path, within(tmp_path))
    assert top.failures == ((f"{tmp_path}/self", Reason.NOT_A_FILE, "OSError ELOOP"),)
    inner = listed(tmp_path / "a", within(tmp_path))
    assert (inner.folders, inner.failures) == ((), ())
    # Where the source is one of them, the other leads back through it.
    back = listed(tmp_path / "a" / "to_b", within(tmp_path / "a", follow=True), LINKED)
    loop = f"{tmp_path}/a/to_b/to_a"
    assert back.failures == ((loop, Reason.NOT_A_FILE, "a link to a folder above itself"),)


def test_a_folder_that_has_its_mark_still_is_not_opened(tmp_path, at_rest, monkeypatch):
    for name in ("a/1.dcm", "a/sub/2.dcm", "b/3.dcm", "b/4.dcm", "c/5.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    folders = [f"{tmp_path}/{name}" for name in "abc"]
    held = list_folders(LOCAL, folders, TIMEOUT).visited
    assert [folder[:2] for folder in held] == [(folders[0], 1), (folders[1], 2), (folders[2], 1)]
    marks = [folder.mark for folder in held]
    opened, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: opened.append(folder) or scandir(folder))
    assert list_folders(LOCAL, folders, TIMEOUT, marks).settled == tuple(folders)
    assert opened == []
    (tmp_path / "b" / "3.dcm").unlink()
    found = list_folders(LOCAL, folders, TIMEOUT, marks)
    assert (found.settled, opened) == ((folders[0], folders[2]), [folders[1]])
    assert found.files["path"].to_pylist() == [f"{tmp_path}/b/4.dcm"]


def test_a_known_folder_may_be_gone_or_have_given_its_place_to_a_file_or_to_another(tmp_path, at_rest):
    for name in ("a/1.dcm", "b/sub/2.dcm", "c/3.dcm", "other/4.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    folders = [f"{tmp_path}/{name}" for name in ("a", "b", "b/sub", "c")]
    marks = [folder.mark for folder in list_folders(LOCAL, folders, TIMEOUT).visited]
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "b").write_bytes(b"a file")
    shutil.rmtree(tmp_path / "c")
    os.rename(tmp_path / "other", tmp_path / "c")
    found = list_folders(LOCAL, folders, TIMEOUT, marks)
    assert (found.failures, found.settled) == ((), ())
    assert found.files["path"].to_pylist() == [f"{tmp_path}/c/4.dcm"]
    new = list_folders(LOCAL, folders[:1], TIMEOUT, [None])
    assert [failure[:2] for failure in new.failures] == [(folders[0], Reason.MISSING)]


def test_what_a_link_leads_to_is_never_trusted(tmp_path, at_rest):
    for name in ("a/1.dcm", "b/2.dcm", "other/sub/3.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "other")
    (tmp_path / "b" / "nowhere.dcm").symlink_to(tmp_path / "gone.dcm")
    found = list_folders(LOCAL, [f"{tmp_path}/a", f"{tmp_path}/b", f"{tmp_path}/other"], TIMEOUT)
    assert [bool(folder.mark) for folder in found.visited] == [False, False, True]
    linked = list_folders(LOCAL, [f"{tmp_path}/a/link"], TIMEOUT, [local_folders.LINKED])
    assert (linked.visited, linked.folders) == ((), (f"{tmp_path}/a/link/sub",))
    known = list_folders(
        LOCAL, [f"{tmp_path}/a/link"], TIMEOUT, ["1:2"]
    )  # it was a folder when it was listed
    assert (known.visited, known.folders, known.failures) == ((), (), ())


def test_a_folder_that_changed_just_now_has_no_mark(tmp_path):
    (folder,) = list_folders(LOCAL, [str(tmp_path)], TIMEOUT).visited
    assert folder.mark == ""
    assert list_folders(LOCAL, [str(tmp_path)], TIMEOUT, [""]).settled == ()


def test_a_folder_that_holds_a_file_that_may_still_be_written_has_no_mark(tmp_path, at_rest, monkeypatch):
    monkeypatch.setattr(local_folders, "_WRITTEN_NS", 10**10)
    for name, age in (("old", 11), ("young", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.dcm").write_bytes(b"1")
        os.utime(tmp_path / name / "1.dcm", (0, time.time() - age))
    folders = [f"{tmp_path}/old", f"{tmp_path}/young"]
    assert [bool(folder.mark) for folder in list_folders(LOCAL, folders, TIMEOUT).visited] == [True, False]


def test_a_folder_that_another_takes_the_place_of_while_it_is_listed_has_no_mark(
    tmp_path, at_rest, monkeypatch
):
    """As a disk does that is mounted when somebody lists it, and not when somebody asks after it."""
    place, disk = tmp_path / "place", tmp_path / "disk"
    for folder in (place, disk):
        folder.mkdir()
    (disk / "1.dcm").write_bytes(b"1")
    scandir = os.scandir

    def mount(folder):
        place.rename(tmp_path / "below")
        disk.rename(place)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", mount)
    (held,) = list_folders(LOCAL, [str(place)], TIMEOUT).visited
    assert held == (str(place), 1, "")


def test_nothing_is_known_behind_a_link(tmp_path, at_rest):
    """Neither where a folder gave its place to a link, nor in what that holds."""
    top, elsewhere = tmp_path / "top", tmp_path / "elsewhere"
    (top / "a" / "b" / "c").mkdir(parents=True)
    (top / "a" / "b" / "c" / "1.dcm").write_bytes(b"1")
    folders = [f"{top}", f"{top}/a", f"{top}/a/b", f"{top}/a/b/c"]
    marks = [folder.mark for folder in list_folders(LOCAL, folders, TIMEOUT).visited]
    (top / "a").rename(elsewhere)
    (top / "a").symlink_to(elsewhere)
    found = list_folders(LOCAL, folders, TIMEOUT, marks, str(top), within(top, follow=True))
    assert [link.path for link in found.links] == [f"{top}/a"]
    assert (found.settled, found.failures) == ((), ())
    assert [(folder.path, folder.files) for folder in found.visited] == [(f"{top}", 0)]
    above = tmp_path / "above"  # a link above the top is nobody's concern
    above.symlink_to(top.parent)
    (top / "a").unlink()
    elsewhere.rename(top / "a")
    again = list_folders(LOCAL, [f"{above}/top/a/b/c"], TIMEOUT, marks[3:], f"{above}/top")
    assert again.settled == (f"{above}/top/a/b/c",)


def test_below_a_folder_whose_name_is_not_utf8_each_file_is_a_failure(tmp_path, at_rest):
    folder = os.fsencode(tmp_path) + b"/M\xfcller"
    os.makedirs(folder + b"/in it")
    for name in (b"/1.dcm", b"/in it/2.dcm"):
        open(folder + name, "wb").close()
    os.symlink(tmp_path, folder + b"/in it/link")
    found = list_folders(LOCAL, [str(tmp_path)], TIMEOUT)
    names = [path.removeprefix(str(tmp_path)) for path, *_ in found.failures]
    assert names == ["/M\\xfcller/1.dcm/", "/M\\xfcller/in it/2.dcm/", "/M\\xfcller/in it/link/"]
    assert found.folders == ()
    assert [folder.mark for folder in found.visited] == [
        ""
    ]  # what is below can change, and its mark does not
