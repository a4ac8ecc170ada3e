"""Folders and byte ranges: what is read, how much of it, and what cannot be."""

import os
import struct
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from dicomae.dicom import source
from dicomae.dicom.header import HEADER
from dicomae.errors import Reason, UsageError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "dicom"
LOCAL = pafs.LocalFileSystem()
MEBIBYTE = 1 << 20


def dicom_file(filler: int, pixels: int = 0, uid: bytes = b"1.2.3\0") -> bytes:
    """A file whose header has about `filler` bytes, in Explicit VR Little Endian."""
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
    instance = struct.pack("<HH2sH", 8, 0x18, b"UI", len(uid)) + uid
    bulk = struct.pack("<HH2sHL", 9, 0x1001, b"OB", 0, filler) + bytes(filler)
    image = struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, pixels) + bytes(pixels)
    return bytes(128) + b"DICM" + meta + instance + bulk + image


class Spy(pafs.FileSystemHandler):
    """A local file system that counts the bytes read, and fails where it is told to."""

    def __init__(self, failing: dict[str, Exception] | None = None) -> None:
        self.failing = failing or {}
        self.reads: list[tuple[str, int]] = []

    def open_input_file(self, path):
        if Path(path).name in self.failing:
            raise self.failing[Path(path).name]
        spy = self

        class Counting:
            def __init__(self):
                self.file = open(path, "rb")  # noqa: SIM115 (closed below)
                self.closed = False

            def read(self, n=-1):
                data = self.file.read(n)
                spy.reads.append((Path(path).name, len(data)))
                return data

            def seek(self, at, whence=0):
                return self.file.seek(at, whence)

            def tell(self):
                return self.file.tell()

            def size(self):
                return os.path.getsize(path)

            def readable(self):
                return True

            def writable(self):
                return False

            def seekable(self):
                return True

            def flush(self):
                pass

            def close(self):
                self.file.close()
                self.closed = True

        import pyarrow as pa

        return pa.PythonFile(Counting(), mode="r")

    def get_file_info_selector(self, selector):
        raise self.failing.get(Path(selector.base_dir).name, OSError(5, "broken"))

    def get_type_name(self):
        return "spy"

    def _unused(self, *arguments, **options):
        raise NotImplementedError

    get_file_info = create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _unused
    delete_file = move = copy_file = open_input_stream = open_output_stream = _unused
    open_append_stream = normalize_path = _unused


def read(filesystem, paths, first=1024, limit=MEBIBYTE, sizes=None):
    texts = [str(path) for path in paths]
    sizes = sizes or [os.path.getsize(path) if Path(path).exists() else 9 for path in paths]
    return source.read_headers(filesystem, texts, sizes, first, limit)


def test_a_source_is_a_path_or_a_uri(tmp_path):
    for uri in (str(tmp_path), f"{tmp_path}/", tmp_path.as_uri()):
        filesystem, folder = source.open_source(uri)
        assert filesystem.type_name == "local"
        assert folder.rstrip("/") == str(tmp_path)


def test_a_relative_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pacs").mkdir()
    assert source.open_source("pacs")[1] == str(tmp_path / "pacs")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("missing", "missing: no such folder; give"),
        ("file", "file: not a folder; give"),
        ("nosuch://user:secret@host/x", r"^nosuch://host/x: cannot be opened \(\w+\); check"),
    ],
)
def test_a_bad_source_is_explained(tmp_path, uri, words):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(UsageError, match=words) as raised:
        source.open_source(uri if "://" in uri else str(tmp_path / uri))
    assert "secret" not in str(raised.value)


def test_a_folder_lists_one_level_sorted(tmp_path):
    for name, content in (("b.dcm", b"12"), ("a.dcm", b""), (".hidden", b"1"), ("sub/deep.dcm", b"1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    os.utime(tmp_path / "b.dcm", ns=(0, 1_700_000_000_123_456_789))
    listing = source.list_folder(LOCAL, str(tmp_path))
    assert listing.failures == ()
    assert listing.folders == (f"{tmp_path}/empty", f"{tmp_path}/sub")
    assert listing.files.schema == source.LISTED
    assert listing.files["path"].to_pylist() == [
        f"{tmp_path}/{name}" for name in (".hidden", "a.dcm", "b.dcm")
    ]
    assert listing.files["size"].to_pylist() == [1, 0, 2]
    assert listing.files["mtime"][2].as_py() == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)


def test_entries_that_are_no_files_are_failures_not_reads(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "twin").symlink_to(tmp_path / "sub")
    top = source.list_folder(LOCAL, str(tmp_path))
    assert top.failures == ((f"{tmp_path}/pipe", Reason.IO_ERROR, "neither a file nor a folder"),)
    assert top.files.num_rows == 0
    assert [Path(path).name for path in top.folders] == ["sub", "twin"]
    inner = source.list_folder(LOCAL, str(tmp_path / "sub"))
    assert inner.folders == ()
    assert inner.failures == ((f"{tmp_path}/sub/up", Reason.IO_ERROR, "a link to a folder above itself"),)


def test_a_link_to_a_folder_of_a_like_name_is_followed(tmp_path):
    (tmp_path / "ab").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "ab" / "link").symlink_to(tmp_path / "a")
    assert source.list_folder(LOCAL, str(tmp_path / "ab")).folders == (f"{tmp_path}/ab/link",)


def test_a_name_that_is_not_utf8_is_a_failure(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.dcm")).write_bytes(b"1")
    (tmp_path / "good.dcm").write_bytes(b"1")
    listing = source.list_folder(LOCAL, str(tmp_path))
    assert listing.files.num_rows == 1
    assert listing.failures == ((f"{tmp_path}/caf\\xe9.dcm", Reason.IO_ERROR, "the name is not UTF-8"),)


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (PermissionError(13, "denied", "Doe^John"), Reason.PERMISSION, "PermissionError EACCES"),
        (OSError(5, "broken", "Doe^John"), Reason.IO_ERROR, "OSError EIO"),
    ],
)
def test_a_folder_that_cannot_be_listed_is_a_value(error, reason, detail):
    listing = source.list_folder(pafs.PyFileSystem(Spy({"locked": error})), "/pacs/locked")
    assert listing.files.num_rows == 0
    assert listing.folders == ()
    assert listing.failures == (("/pacs/locked", reason, detail),)


def test_a_folder_that_vanished_is_a_value(tmp_path):
    ((path, reason, detail),) = source.list_folder(LOCAL, f"{tmp_path}/gone").failures
    assert (path, reason) == (f"{tmp_path}/gone", Reason.IO_ERROR)
    assert detail.startswith("FileNotFoundError")


def test_reading_grows_eightfold_and_stops_at_the_pixel_data(tmp_path):
    for name, filler in (("small", 10), ("middle", 5_000), ("long", 30_000)):
        (tmp_path / name).write_bytes(dicom_file(filler, pixels=MEBIBYTE))
    spy = Spy()
    batch = read(pafs.PyFileSystem(spy), [tmp_path / name for name in ("long", "small", "middle")])
    assert batch.failures == ()
    assert batch.incomplete == {}
    assert sorted(batch.index.tolist()) == [0, 1, 2]
    asked = {name: [n for file, n in spy.reads if file == name] for name in ("small", "middle", "long")}
    assert asked == {"small": [1024], "middle": [1024, 8192], "long": [1024, 8192, 65536]}


def test_rows_keep_the_positions_of_their_paths(tmp_path):
    names = [f"{i}.dcm" for i in range(12)]
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(dicom_file(4_000 if i % 3 else 10, uid=f"1.2.{i:03d}\0".encode()))
    (tmp_path / "5.dcm").write_bytes(b"no DICOM at all")
    batch = read(LOCAL, [tmp_path / name for name in names])
    uids = batch.headers["SOPInstanceUID"].to_pylist()
    assert dict(zip(batch.index.tolist(), uids, strict=True)) == {
        i: f"1.2.{i:03d}" for i in range(12) if i != 5
    }
    assert [(failure.index, failure.reason) for failure in batch.failures] == [(5, Reason.NOT_DICOM)]


def test_a_header_beyond_the_limit_is_too_large(tmp_path):
    (tmp_path / "huge").write_bytes(dicom_file(100_000))
    (tmp_path / "small").write_bytes(dicom_file(10))
    batch = read(LOCAL, [tmp_path / "huge", tmp_path / "small"], limit=50_000)
    assert batch.index.tolist() == [1]
    assert [(failure.index, failure.reason) for failure in batch.failures] == [(0, Reason.TOO_LARGE)]


def test_a_limit_below_the_first_read_holds(tmp_path):
    (tmp_path / "one").write_bytes(dicom_file(5_000))
    (failure,) = read(LOCAL, [tmp_path / "one"], first=4096, limit=1024).failures
    assert failure.reason == Reason.TOO_LARGE


@pytest.mark.parametrize("wrong", [-300, 300])
def test_a_size_out_of_date_does_no_harm(tmp_path, wrong):
    content = dicom_file(2_000, pixels=600)
    (tmp_path / "grown").write_bytes(content)
    batch = read(LOCAL, [tmp_path / "grown"], first=len(content), sizes=[len(content) + wrong])
    assert batch.index.tolist() == [0]


def test_a_cut_header_is_truncated_not_incomplete(tmp_path):
    for name, end in (("exact", 1024), ("short", 700)):
        (tmp_path / name).write_bytes(dicom_file(5_000)[:end])
    batch = read(LOCAL, [tmp_path / "exact", tmp_path / "short"])
    assert [failure.reason for failure in batch.failures] == [Reason.TRUNCATED] * 2


def test_failures_to_read_are_values_without_the_path(tmp_path):
    errors = {"denied": PermissionError(13, "denied", "Doe^John"), "broken": OSError(5, "broken", "Doe^John")}
    for name in (*errors, "good"):
        (tmp_path / name).write_bytes(dicom_file(10))
    batch = read(pafs.PyFileSystem(Spy(errors)), [tmp_path / name for name in (*errors, "good")])
    found = [(failure.index, failure.reason, failure.detail) for failure in batch.failures]
    assert found == [
        (0, Reason.PERMISSION, "PermissionError EACCES"),
        (1, Reason.IO_ERROR, "OSError EIO"),
    ]
    assert batch.index.tolist() == [2]


def test_a_vanished_file_and_a_folder_are_values(tmp_path):
    batch = read(LOCAL, [tmp_path / "gone", tmp_path])
    assert [failure.reason for failure in batch.failures] == [Reason.IO_ERROR] * 2
    assert batch.headers.schema == HEADER


def test_nothing_to_read_is_an_empty_batch():
    batch = read(LOCAL, [])
    assert batch.headers.schema == HEADER
    assert (batch.headers.num_rows, batch.failures) == (0, ())


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real files of ../shared/dicom are absent")
def test_every_real_file_has_one_outcome_however_it_is_read():
    paths = sorted(path for path in SHARED.rglob("*") if path.is_file())[::4]
    small, whole = (
        read(LOCAL, paths, first=512, limit=64 * MEBIBYTE),
        read(LOCAL, paths, 64 * MEBIBYTE, 64 * MEBIBYTE),
    )
    positions = [*small.index.tolist(), *(failure.index for failure in small.failures)]
    assert sorted(positions) == list(range(len(paths)))
    assert small.failures == whole.failures
    order = sorted(range(len(small.index)), key=small.index.tolist().__getitem__)
    assert small.headers.take(order).to_pylist() == whole.headers.to_pylist()
