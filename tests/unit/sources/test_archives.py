"""Archives: members are read as the same files outside are, and no archive does harm."""

import gzip
import io
import os
import stat
import struct
import tarfile
import threading
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pyarrow.fs as pafs
import pytest
from defaults import SETTINGS
from files import write_file
from filesystems import Spy

from dicomae.codes import Reason
from dicomae.sources import archives, members, tar_members, zip_members
from dicomae.sources.listing import LISTED_FILE
from dicomae.sources.reading import read_headers

SHARED = Path(__file__).resolve().parents[4] / "shared" / "dicom"
LOCAL = pafs.LocalFileSystem()
MEBIBYTE = 1 << 20
BOUNDED = replace(SETTINGS, header_limit_bytes=MEBIBYTE)
KINDS = [".zip", ".tar", ".tar.gz", ".tgz"]


def pack(path: Path, contents: list[tuple[str, bytes]], mtime: int = 1_700_000_000) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in contents:
                when = datetime.fromtimestamp(mtime, UTC).timetuple()[:6]
                file.writestr(zipfile.ZipInfo(name, when), content, zipfile.ZIP_DEFLATED)
        return path
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as file:
        for name, content in contents:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), mtime
            file.addfile(info, io.BytesIO(content))
    return path


def instance(folder: Path, uid: str, pixels: bytes = b"", **elements: object) -> bytes:
    content = write_file(folder / "one.dcm", uid, **elements).read_bytes()
    image = content.rindex(b"\xe0\x7f\x10\0")
    return content[:image] + struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, len(pixels)) + pixels


def read(path: Path, filesystem=LOCAL, **settings):
    return list(archives.read_archive(filesystem, str(path), replace(BOUNDED, **settings)))


def outcomes(batches) -> dict[str, str]:
    """Member (or `itself`) → SOPInstanceUID or reason."""
    found = {}
    for rows, headers in batches:
        names = [path.partition("!")[2] or "itself" for path in rows["path"].to_pylist()]
        uids = headers.headers["SOPInstanceUID"].to_pylist()
        found |= {names[i]: uid for i, uid in zip(headers.index.tolist(), uids, strict=True)}
        found |= {names[failure.index]: failure.reason for failure in headers.failures}
        assert len(headers.index) + len(headers.failures) == rows.num_rows
        assert rows.schema == LISTED_FILE
    return found


@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("/a/b.zip", True),
        ("/a/B.TAR.GZ", True),
        ("b.tgz", True),
        ("b.tar", True),
        ("b.gz", False),
        ("zip", False),
        ("b.zip.dcm", False),
    ],
)
def test_an_archive_is_known_by_its_name(path, of):
    assert archives.is_archive(path) is of


def test_a_member_names_its_archive():
    assert archives.archive_of("/a!b/c.zip!d!e.dcm") == "/a!b/c.zip"
    assert archives.archive_of("/a!b/c.dcm") is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("through", ["local", "spy"])
def test_members_are_read_as_the_files_outside_are(tmp_path, kind, through):
    contents = [(f"s/{i}.dcm", instance(tmp_path, f"1.2.{i}", InstanceNumber=i)) for i in range(20)]
    contents.append(
        ("long.dcm", instance(tmp_path, "1.3", ImageComments="x" * 9_000, pixels=bytes(MEBIBYTE)))
    )
    contents.append(
        ("longer.dcm", instance(tmp_path, "1.4", TextValue="y" * 60_000, pixels=os.urandom(MEBIBYTE)))
    )
    contents += [("text.txt", b"no DICOM"), ("empty", b"")]
    paths = []
    for i, (_, content) in enumerate(contents):
        paths.append(tmp_path / f"{i:03d}")
        paths[-1].write_bytes(content)
    (outside,) = read_headers(LOCAL, [str(p) for p in paths], [len(c) for _, c in contents], BOUNDED)
    filesystem = LOCAL if through == "local" else pafs.PyFileSystem(Spy())
    ((rows, inside),) = read(pack(tmp_path / f"all{kind}", contents), filesystem)
    assert rows["path"].to_pylist() == [f"{tmp_path}/all{kind}!{name}" for name, _ in contents]
    assert rows["size"].to_pylist() == [len(content) for _, content in contents]
    assert set(rows["mtime"].to_pylist()) == {datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)}
    assert inside.failures == outside.failures
    order = [sorted(range(22), key=batch.index.tolist().__getitem__) for batch in (inside, outside)]
    assert inside.headers.take(order[0]).to_pylist() == outside.headers.take(order[1]).to_pylist()


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_comes_in_batches(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(archives, "BATCH_MEMBERS", 7)
    path = pack(tmp_path / f"a{kind}", [(f"{i}", instance(tmp_path, f"1.2.{i}")) for i in range(21)])
    batches = read(path)
    assert [rows.num_rows for rows, _ in batches] == [7, 7, 7]
    assert outcomes(batches) == {f"{i}": f"1.2.{i}" for i in range(21)}


@pytest.mark.parametrize("kind", [".zip", ".tar"])
def test_pixels_are_not_read(tmp_path, kind):
    contents = [(f"{i}", instance(tmp_path, f"1.2.{i}", pixels=os.urandom(MEBIBYTE))) for i in range(5)]
    path, spy = pack(tmp_path / f"a{kind}", contents), Spy()
    assert len(outcomes(read(path, pafs.PyFileSystem(spy)))) == 5
    assert spy.bytes_of(path.name) < 5 * (64 << 10)


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_labels_and_unique(tmp_path, kind):
    names = ["/etc/passwd", "../../up", "new\nline", "same", "same", "same!2", "a.zip", "sub/"]
    if kind != ".zip":
        names[-1] = "caf\udce9"
    content = instance(tmp_path, "1.2.3")
    with pytest.warns(UserWarning, match="Duplicate name") if kind == ".zip" else no_warning():
        path = pack(tmp_path / f"a{kind}", [(name, content) for name in names])
    found = outcomes(read(path))
    expected = dict.fromkeys(("/etc/passwd", "../../up", "new\nline", "same", "same!2", "same!2!2"), "1.2.3")
    expected["a.zip"] = Reason.ARCHIVE_NESTED
    expected["sub" if kind == ".zip" else "caf\\xe9"] = "1.2.3"
    assert found == expected
    assert not (tmp_path.parent.parent / "up").exists()


def no_warning():
    from contextlib import nullcontext

    return nullcontext()


def test_what_is_no_file_in_a_tar(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        kinds = {"l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "d": tarfile.DIRTYPE, "p": tarfile.FIFOTYPE}
        for name, kind in (*kinds.items(), ("c", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "elsewhere"
            file.addfile(info)
    links, devices = dict.fromkeys("lh", Reason.NOT_A_FILE), dict.fromkeys("pc", Reason.IO_ERROR)
    assert outcomes(read(tmp_path / "a.tar")) == links | devices


def test_what_is_no_file_in_a_zip(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "elsewhere")
        file.writestr("folder/", b"")
    assert outcomes(read(tmp_path / "a.zip")) == {"link": Reason.NOT_A_FILE}


@pytest.mark.parametrize("kind", [".tar", ".tar.gz"])
@pytest.mark.parametrize("damage", ["cut", "block", "unmarked"])
def test_what_comes_before_damage_is_read(tmp_path, kind, damage):
    contents = [(f"{i}", instance(tmp_path, f"1.2.{i}", pixels=os.urandom(50_000))) for i in range(10)]
    raw = bytearray(pack(tmp_path / "whole.tar", contents).read_bytes())
    size = (len(contents[0][1]) + 511) // 512 * 512 + 512
    if damage == "cut":
        del raw[5 * size + 2_000 :]
    elif damage == "block":
        raw[5 * size : 5 * size + 512] = os.urandom(512)
    else:
        del raw[5 * size :]
    path = tmp_path / f"a{kind}"
    path.write_bytes(raw if kind == ".tar" else gzip.compress(raw))
    batches = read(path)
    found = outcomes(batches)
    assert {f"{i}": f"1.2.{i}" for i in range(5)}.items() <= found.items()
    assert found.pop("itself") == Reason.ARCHIVE_DAMAGED
    assert "6" not in found
    assert batches[-1][0].to_pylist()[0]["path"] == str(path)
    assert batches[-1][0].to_pylist()[0]["size"] == path.stat().st_size


def test_a_cut_gzip_keeps_what_it_gave(tmp_path):
    contents = [(f"{i}", instance(tmp_path, f"1.2.{i}", pixels=os.urandom(50_000))) for i in range(10)]
    path = pack(tmp_path / "a.tgz", contents)
    path.write_bytes(path.read_bytes()[:260_000])
    found = outcomes(read(path))
    assert found["itself"] == Reason.ARCHIVE_DAMAGED
    assert found["0"] == "1.2.0"
    assert found["3"] == "1.2.3"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"no archive at all", bytes(5_000)])
def test_no_archive_at_all_is_one_row(tmp_path, kind, content):
    (tmp_path / f"a{kind}").write_bytes(content)
    found = outcomes(read(tmp_path / f"a{kind}"))
    # a tar of nothing but zeros is an empty one
    if kind == ".tar" and len(content) == 5_000:
        assert found == {}
    else:
        assert found == {"itself": Reason.ARCHIVE_DAMAGED}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_without_a_byte_is_empty_as_a_file_is(tmp_path, kind):
    (tmp_path / f"a{kind}").touch()
    assert outcomes(read(tmp_path / f"a{kind}")) == {"itself": Reason.EMPTY}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_of_no_member_is_no_damage(tmp_path, kind):
    assert outcomes(read(pack(tmp_path / f"a{kind}", []))) == {}


@pytest.mark.parametrize("kind", [".tar", ".tar.gz"])
def test_what_stands_behind_the_end_of_a_tar_is_told(tmp_path, kind):
    one = pack(tmp_path / f"1{kind}", [("1.dcm", instance(tmp_path, "1.2.1"))])
    two = pack(tmp_path / f"2{kind}", [("2.dcm", instance(tmp_path, "1.2.2"))])
    (tmp_path / f"a{kind}").write_bytes(one.read_bytes() + two.read_bytes())
    found = outcomes(read(tmp_path / f"a{kind}"))
    assert found == {"1.dcm": "1.2.1", "itself": Reason.ARCHIVE_DAMAGED}


@pytest.mark.parametrize("kind", KINDS)
def test_a_storage_that_fails_is_no_damage(tmp_path, kind):
    path = pack(tmp_path / f"a{kind}", [("1", instance(tmp_path, "1.2"))])
    denied = pafs.PyFileSystem(Spy({path.name: PermissionError(13, "denied")}))
    assert outcomes(read(path, denied)) == {"itself": Reason.PERMISSION}
    assert outcomes(read(tmp_path / f"gone{kind}")) == {"itself": Reason.MISSING}

    def fail(name, start):
        raise OSError(5, "broken")

    assert outcomes(read(path, pafs.PyFileSystem(Spy(before_read=fail)))) == {"itself": Reason.IO_ERROR}


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_that_hangs_ends_the_archive_after_what_was_read(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(archives, "BATCH_MEMBERS", 2)
    pixels = os.urandom(2 * MEBIBYTE)  # so that each member takes a read
    contents = [(f"{i}", instance(tmp_path, f"1.2.{i}", pixels=pixels)) for i in range(6)]
    path = pack(tmp_path / f"a{kind}", contents)
    release, last = threading.Event(), path.stat().st_size
    hangs = Spy(before_read=lambda name, start: 6 * MEBIBYTE < start < last - 8192 and release.wait(60))
    batches = read(path, pafs.PyFileSystem(hangs), read_timeout_seconds=0.3)
    release.set()
    found = outcomes(batches)
    assert (found["0"], found["1"], found["itself"]) == ("1.2.0", "1.2.1", Reason.TIMEOUT)
    assert "5" not in found
    assert [f.detail for f in batches[-1][1].failures] == ["no answer within 0.3 s"]


def test_an_archive_that_does_not_open_is_left_behind(tmp_path):
    path = pack(tmp_path / "a.zip", [("1", instance(tmp_path, "1.2"))])
    found = outcomes(read(path, pafs.PyFileSystem(Spy(open_seconds=1.0)), read_timeout_seconds=0.2))
    assert found == {"itself": Reason.TIMEOUT}


def test_a_damaged_archive_whose_size_nobody_tells_is_left_behind(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no archive at all")
    release = threading.Event()
    silent = Spy(before_asked=lambda name: release.wait(20))
    began = time.monotonic()
    ((row, headers),) = read(tmp_path / "a.zip", pafs.PyFileSystem(silent), read_timeout_seconds=0.3)
    release.set()
    assert time.monotonic() - began < 10
    assert row.to_pylist() == [{"path": f"{tmp_path}/a.zip", "size": None, "mtime": None, "etag": None}]
    assert [failure.reason for failure in headers.failures] == [Reason.ARCHIVE_DAMAGED]


def test_slow_reads_are_no_hanging_ones(tmp_path):
    pixels = os.urandom(100_000)  # so that each member takes a read
    path = pack(tmp_path / "a.zip", [(f"{i}", instance(tmp_path, f"1.2.{i}", pixels)) for i in range(9)])
    slow = Spy(before_read=lambda name, start: time.sleep(0.1))
    assert len(outcomes(read(path, pafs.PyFileSystem(slow), read_timeout_seconds=0.4))) == 9
    assert len(slow.reads) > 4


def test_a_damaged_or_encrypted_member_of_a_zip_harms_no_other(tmp_path):
    contents = [
        (f"{i}", instance(tmp_path, f"1.2.{i}", PatientComments=os.urandom(4_000).hex())) for i in range(4)
    ]
    path = pack(tmp_path / "a.zip", contents)
    with zipfile.ZipFile(path) as file:
        at = [info.header_offset for info in file.infolist()]
        directory = file.start_dir
    raw = bytearray(path.read_bytes())
    raw[at[1] + 40 : at[1] + 400] = b"\xff" * 360  # the deflated bytes
    raw[at[2] : at[2] + 4] = b"none"  # the local header
    entry = [i for i in range(directory, len(raw)) if raw[i : i + 4] == b"PK\1\2"][3]
    raw[entry + 8] |= 1  # "encrypted"
    path.write_bytes(raw)
    assert outcomes(read(path)) == {
        "0": "1.2.0",
        "1": Reason.ARCHIVE_DAMAGED,
        "2": Reason.ARCHIVE_DAMAGED,
        "3": Reason.ARCHIVE_ENCRYPTED,
    }


def test_compressions_that_may_ask_for_much_memory_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("1", instance(tmp_path, "1.2"))
    (_, headers), *rest = read(tmp_path / "a.zip")
    assert rest == []
    assert [(f.reason, f.detail) for f in headers.failures] == [(Reason.UNREADABLE, "compression method 14")]


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_members_are_a_bomb(tmp_path, kind):
    path = pack(tmp_path / f"a{kind}", [(f"{i}", instance(tmp_path, f"1.2.{i}")) for i in range(9)])
    found = outcomes(read(path, archive_limit_members=5))
    assert found == {**{f"{i}": f"1.2.{i}" for i in range(5)}, "itself": Reason.ARCHIVE_BOMB}


def test_a_directory_of_too_many_entries_is_a_bomb_before_it_is_built(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_members, "MAXIMUM_MEMBERS", 5)
    path = pack(tmp_path / "a.zip", [(f"{i}", b"1") for i in range(9)])
    assert outcomes(read(path)) == {"itself": Reason.ARCHIVE_BOMB}


def test_a_member_that_inflates_for_ever_is_skipped_in_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "FREE_BYTES", 4 * MEBIBYTE)
    path = pack(
        tmp_path / "a.tgz", [("0", instance(tmp_path, "1.2.0")), ("1", bytes(64 * MEBIBYTE)), ("2", b"")]
    )
    found = outcomes(read(path, archive_limit_ratio=50))
    assert found["0"] == "1.2.0"
    assert found["itself"] == Reason.ARCHIVE_BOMB


def test_members_of_a_zip_whose_headers_never_end_are_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "FREE_BYTES", 2 * MEBIBYTE)
    endless = instance(tmp_path, "1.2")[:-12] + struct.pack("<HH2sHL", 0x7FDF, 0x10, b"OB", 0, 1 << 20)
    path = pack(tmp_path / "a.zip", [(f"{i}", endless + bytes(4 * MEBIBYTE)) for i in range(20)])
    monkeypatch.setattr(archives, "BATCH_MEMBERS", 4)
    found = outcomes(read(path, archive_limit_ratio=1, header_limit_bytes=2 * MEBIBYTE))
    assert found.pop("itself") == Reason.ARCHIVE_BOMB
    assert Reason.ARCHIVE_BOMB in found.values()
    assert len(found) < 20


def test_a_tar_header_that_asks_for_gigabytes_is_refused(tmp_path):
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 4 << 30
    for name, opened in (("a.tar", open), ("a.tgz", gzip.open)):
        with opened(tmp_path / name, "wb") as file:
            file.write(info.tobuf(tarfile.USTAR_FORMAT) + bytes(3 * MEBIBYTE))
        assert outcomes(read(tmp_path / name)) == {"itself": Reason.ARCHIVE_BOMB}
    assert tar_members.MAXIMUM_READ == MEBIBYTE


@pytest.mark.parametrize("kind", KINDS)
def test_no_damaged_archive_raises_or_reads_for_ever(tmp_path, kind):
    contents = [(f"{i}", instance(tmp_path, f"1.2.{i}", os.urandom(2_000))) for i in range(12)]
    whole = pack(tmp_path / f"whole{kind}", contents).read_bytes()
    path = tmp_path / f"a{kind}"
    random = Random(20240501)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(random.choice((1, 4, 64))):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        path.write_bytes(damaged[: random.choice((len(damaged), random.randrange(len(damaged))))])
        batches = read(path)
        paths = [path for rows, _ in batches for path in rows["path"].to_pylist()]
        assert len(outcomes(batches)) == len(set(paths)) == len(paths)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real files of ../shared/dicom are absent")
@pytest.mark.parametrize("kind", KINDS)
def test_real_files_have_the_outcome_they_have_outside(tmp_path, kind):
    paths = sorted(path for path in SHARED.rglob("*") if path.is_file())[::9]
    contents = [(f"{i}.dcm", path.read_bytes()) for i, path in enumerate(paths)]
    (outside,) = read_headers(LOCAL, [str(p) for p in paths], [None] * len(paths), BOUNDED)
    expected = dict(zip(outside.index, outside.headers["SOPInstanceUID"].to_pylist(), strict=True))
    expected |= {failure.index: failure.reason for failure in outside.failures}
    found = outcomes(read(pack(tmp_path / f"a{kind}", contents)))
    assert found == {f"{i}.dcm": outcome for i, outcome in expected.items()}
