"""Headers of files: how far each is read, how many at once, and what cannot be read."""

import os
import struct
import threading
import time
import zlib
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from defaults import SETTINGS
from filesystems import Spy

from dicomae.codes import Reason
from dicomae.headers import plain
from dicomae.headers.parse import HEADER
from dicomae.sources import reading

SHARED = Path(__file__).resolve().parents[4] / "shared" / "dicom"
LOCAL = pafs.LocalFileSystem()
MEBIBYTE = 1 << 20


def element(tag: int, letters: bytes, value: bytes) -> bytes:
    """An element in Explicit VR Little Endian with a length of 32 bits."""
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, letters, 0, len(value)) + value


def dicom_file(filler: int, pixels: int = 0, uid: bytes = b"1.2.3\0") -> bytes:
    """A file whose header has about `filler` bytes in one element."""
    return header(element(0x00091001, b"OB", bytes(filler)), uid) + element(0x7FE00010, b"OW", bytes(pixels))


def header(elements: bytes, uid: bytes = b"1.2.3\0") -> bytes:
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
    instance = struct.pack("<HH2sH", 8, 0x18, b"UI", len(uid)) + uid
    return bytes(128) + b"DICM" + meta + instance + elements


def bounded(first=1024, limit=MEBIBYTE, **settings):
    return replace(SETTINGS, first_read_bytes=first, header_limit_bytes=limit, **settings)


def read(filesystem, paths, first=1024, limit=MEBIBYTE, sizes=None, **settings):
    texts = [str(path) for path in paths]
    sizes = sizes or [os.path.getsize(path) if Path(path).exists() else 9 for path in paths]
    (batch,) = reading.read_headers(filesystem, texts, sizes, bounded(first, limit, **settings))
    return batch


def test_a_file_is_read_as_far_as_its_header_and_no_byte_twice(tmp_path):
    many = header(b"".join(element(0x00110000 + i, b"UN", bytes(3_000)) for i in range(0x1000, 0x1064)))
    contents = {
        "small": dicom_file(10, pixels=MEBIBYTE),
        "long": dicom_file(200_000, pixels=MEBIBYTE),
        "many": many + element(0x7FE00010, b"OW", bytes(MEBIBYTE)),
        "whole": dicom_file(200, pixels=20),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    spy = Spy()
    batch = read(pafs.PyFileSystem(spy), [tmp_path / name for name in contents])
    assert batch.failures == ()
    assert batch.incomplete == {}
    assert sorted(batch.index.tolist()) == [0, 1, 2, 3]
    for name, content in contents.items():
        ends = [0, *(start + n for read_name, start, n in spy.reads if read_name == name)]
        assert [start for read_name, start, _ in spy.reads if read_name == name] == ends[:-1]
        assert spy.bytes_of(name) <= content.index(b"\xe0\x7f\x10\0OW") + (64 << 10)
    assert batch.bytes_read == sum(n for _, _, n in spy.reads)
    assert [n for name, _, n in spy.reads if name == "small"] == [1024]
    assert len([n for name, _, n in spy.reads if name == "long"]) == 2


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the system does not count reads")
def test_local_files_are_read_by_the_same_measure(tmp_path):
    n_files, filler = 60, 200_000
    paths = [tmp_path / f"{i}" for i in range(n_files)]
    for path in paths:
        path.write_bytes(dicom_file(filler, pixels=MEBIBYTE))
    read(LOCAL, paths, first=16384)  # compiles
    before = bytes_read_by_this_process()
    batch = read(LOCAL, paths, first=16384)
    assert len(batch.index) == n_files
    came = bytes_read_by_this_process() - before
    assert n_files * filler < came < n_files * (filler + 300 + (64 << 10))
    assert batch.bytes_read <= came < batch.bytes_read + (1 << 18)  # the process reads a little else


def bytes_read_by_this_process() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.parametrize("why", ["slow", "hangs"])
def test_local_files_that_do_not_come_at_once_are_read_each_by_itself(tmp_path, monkeypatch, why):
    release = threading.Event()
    starts = reading.read_starts

    def late(paths, wanted):
        if why == "hangs" and len(paths) > 4:
            release.wait(60)
        elif why == "slow":
            time.sleep(0.5)
        return starts(paths, wanted)

    monkeypatch.setattr(reading, "read_starts", late)
    paths = [tmp_path / f"{i}" for i in range(12)]
    for i, path in enumerate(paths):
        path.write_bytes(dicom_file(5_000 if i % 2 else 10, uid=f"1.2.{i:03d}\0".encode()))
    batch = read(LOCAL, [*paths, tmp_path / "gone"])
    release.set()
    uids = dict(zip(batch.index.tolist(), batch.headers["SOPInstanceUID"].to_pylist(), strict=True))
    assert uids == {i: f"1.2.{i:03d}" for i in range(12)}
    assert [(f.index, f.reason) for f in batch.failures] == [(12, Reason.MISSING)]


def test_among_files_that_come_at_once_each_keeps_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_PATIENCE_SECONDS", 60)  # compiles
    paths = [tmp_path / f"{i}" for i in range(12)]
    for i, path in enumerate(paths):
        path.write_bytes(dicom_file(5_000 if i % 2 else 10, uid=f"1.2.{i:03d}\0".encode()))
    paths[3].write_bytes(b"")
    paths[5].unlink()
    paths[7] = tmp_path
    batch = read(LOCAL, paths)
    uids = dict(zip(batch.index.tolist(), batch.headers["SOPInstanceUID"].to_pylist(), strict=True))
    assert uids == {i: f"1.2.{i:03d}" for i in range(12) if i not in (3, 5, 7)}
    found = [(f.index, f.reason) for f in batch.failures]
    assert found == [(3, Reason.EMPTY), (5, Reason.MISSING), (7, Reason.IO_ERROR)]


def test_a_long_header_without_lengths_ahead_is_doubled(tmp_path):
    elements = b"".join(element(0x00110000 + i, b"UN", bytes(60_000)) for i in range(0x1000, 0x1080))
    (tmp_path / "long").write_bytes(header(elements) + element(0x7FE00010, b"OW", bytes(2)))
    spy = Spy()
    batch = read(pafs.PyFileSystem(spy), [tmp_path / "long"], first=16384, limit=16 * MEBIBYTE)
    assert batch.index.tolist() == [0]
    assert len(elements) > 7 * MEBIBYTE
    assert len(spy.reads) < 24  # not 128


def test_a_length_that_leads_nowhere_reads_no_more_than_there_is(tmp_path):
    blown = header(b"") + struct.pack("<HH2sHL", 9, 0x1001, b"OB", 0, 2 << 30)
    sequence = header(b"") + struct.pack("<HH2sHL", 8, 0x1115, b"SQ", 0, 2 << 30)
    for name, head in (("blown", blown), ("sequence", sequence)):
        (tmp_path / f"{name}.small").write_bytes(head + bytes(100_000))
        (tmp_path / f"{name}.large").write_bytes(head + bytes(2 * MEBIBYTE))
    names = ["blown.small", "sequence.small", "blown.large", "sequence.large"]
    spy = Spy()
    batch = read(pafs.PyFileSystem(spy), [tmp_path / name for name in names])
    assert [failure.reason for failure in batch.failures] == [Reason.TRUNCATED] * 2 + [Reason.TOO_LARGE] * 2
    assert [spy.bytes_of(name) for name in names[2:]] == [1024, 1024]


def test_headers_that_do_not_fit_together_are_read_group_by_group(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "GROUP_BYTES", 200_000)
    names = [f"{i}.dcm" for i in range(20)]
    for i, name in enumerate(names):
        filler = 150_000 if i % 2 else 10
        (tmp_path / name).write_bytes(dicom_file(filler, 10, uid=f"1.2.{i:03d}\0".encode()))
    batch = read(LOCAL, [tmp_path / name for name in names], first=16384)
    uids = batch.headers["SOPInstanceUID"].to_pylist()
    assert dict(zip(batch.index.tolist(), uids, strict=True)) == {i: f"1.2.{i:03d}" for i in range(20)}


def test_a_slow_source_is_read_by_many_threads_and_a_quick_one_by_one(tmp_path):
    names = [f"{i}.dcm" for i in range(200)]
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(dicom_file(2_000 if i % 5 == 0 else 10))
    slow, quick = Spy(open_seconds=0.02), Spy()
    for spy in (slow, quick):
        batch = read(pafs.PyFileSystem(spy), [tmp_path / name for name in names])
        assert sorted(batch.index.tolist()) == list(range(200))
        assert spy.open == 0
    assert slow.most_open > 16


def test_headers_that_are_too_long_together_come_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BATCH_BYTES", 10_000)
    monkeypatch.setattr(reading, "GROUP_BYTES", 20_000)
    texts = b"".join(element(0x00110000 + i, b"UT", b"x" * 900) for i in range(0x1000, 0x1010))
    paths = [str(tmp_path / f"{i}.dcm") for i in range(9)]
    for i, path in enumerate(paths):
        uid = b"1.2.%d\0" % i
        Path(path).write_bytes(b"none" if i == 4 else header(b"" if i % 2 else texts, uid))
    listing = pa.RecordBatch.from_pydict({"path": paths})
    found = {}
    batches = list(reading.read_headers(LOCAL, paths, [None] * 9, bounded()))
    for rows, batch in (batch.of(listing) for batch in batches):
        told = dict(zip(batch.index.tolist(), batch.headers["SOPInstanceUID"].to_pylist(), strict=True))
        told |= {failure.index: failure.reason for failure in batch.failures}
        assert sorted(told) == list(range(rows.num_rows))
        found |= {path: told[i] for i, path in enumerate(rows["path"].to_pylist())}
    assert len(batches) >= 3
    assert found == {path: f"1.2.{i}" if i != 4 else Reason.NOT_DICOM for i, path in enumerate(paths)}


def test_deflated_files_that_are_too_long_inside_come_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(plain, "BATCH_BYTES", 1_000)
    paths = [tmp_path / f"{i}.dcm" for i in range(7)]
    syntax = struct.pack("<HH2sH", 2, 0x10, b"UI", 22) + b"1.2.840.10008.1.2.1.99"
    for i, path in enumerate(paths):
        data = struct.pack("<HH2sH", 8, 0x18, b"UI", 6) + b"1.2.%d\0" % i
        deflater = zlib.compressobj(wbits=-15)
        data += element(0x0040A160, b"UT", b"x" * 2_000) + element(0x7FE00010, b"OW", bytes(9))
        content = bytes(128) + b"DICM" + syntax + deflater.compress(data) + deflater.flush()
        path.write_bytes(header(b"") if i == 3 else content[:-9] if i == 5 else content)
    spy = Spy()
    batch = read(pafs.PyFileSystem(spy), paths)
    uids = dict(zip(batch.index.tolist(), batch.headers["SOPInstanceUID"].to_pylist(), strict=True))
    assert uids == {0: "1.2.0", 1: "1.2.1", 2: "1.2.2", 3: "1.2.3", 4: "1.2.4", 6: "1.2.6"}
    assert [failure.index for failure in batch.failures] == [5]


def test_a_read_that_hangs_is_a_timeout_and_the_others_are_read(tmp_path):
    names = [f"{i}.dcm" for i in range(10)]
    for name in names:
        (tmp_path / name).write_bytes(dicom_file(10))
    release = threading.Event()
    spy = Spy(before_read=lambda name, start: name == "3.dcm" and release.wait(60))
    paths = [tmp_path / name for name in names]
    batch = read(pafs.PyFileSystem(spy), paths, read_timeout_seconds=0.5)
    release.set()
    assert [(f.index, f.reason, f.detail) for f in batch.failures] == [
        (3, Reason.TIMEOUT, "no answer within 0.5 s")
    ]
    assert sorted(batch.index.tolist()) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(("left", "reason"), [(600, Reason.TRUNCATED), (0, Reason.TRUNCATED)])
def test_a_file_that_shrinks_while_it_is_read_is_truncated(tmp_path, left, reason):
    path = tmp_path / "shrinks"
    path.write_bytes(dicom_file(5_000))
    spy = Spy(before_read=lambda name, start: start and os.truncate(path, left))
    assert [f.reason for f in read(pafs.PyFileSystem(spy), [path]).failures] == [reason]


def test_a_file_that_grows_while_it_is_read_is_read_as_it_now_is(tmp_path):
    path, whole = tmp_path / "grows", dicom_file(5_000, pixels=10)
    path.write_bytes(whole[:2_000])
    spy = Spy(before_read=lambda name, start: start and path.write_bytes(whole))
    batch = read(pafs.PyFileSystem(spy), [path], sizes=[2_000])
    assert batch.headers["elements"].to_pylist()[0][-1] == ("00091001", "[5000 bytes]")


def test_what_became_a_pipe_since_it_was_listed_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (failure,) = read(LOCAL, [tmp_path / "pipe"], sizes=[5]).failures
    assert failure.reason == Reason.IO_ERROR


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


@pytest.mark.parametrize("wrong", [-300, 300, None])
def test_a_size_out_of_date_does_no_harm(tmp_path, wrong):
    content = dicom_file(2_000, pixels=600)
    (tmp_path / "grown").write_bytes(content)
    batch = read(LOCAL, [tmp_path / "grown"], first=len(content), sizes=[wrong and len(content) + wrong])
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
    assert [failure.reason for failure in batch.failures] == [Reason.MISSING, Reason.IO_ERROR]
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
