"""Many local files into one piece of memory: what Python reads of each, and which cannot be read."""

import os
import threading

import numpy as np
import pytest

from dicomae.sources.first_bytes import read_starts


def test_each_file_as_far_as_it_is_wanted(tmp_path):
    contents = [b"", b"a", bytes(range(256)) * 100, b"xyz"]
    paths = [str(tmp_path / f"{i}") for i in range(4)]
    for path, content in zip(paths, contents, strict=True):
        with open(path, "wb") as file:
            file.write(content)
    wanted = [10, 1, 20_000, 2]
    arena, failed = read_starts(paths, np.array(wanted))
    expected = [content[:n] for content, n in zip(contents, wanted, strict=True)]
    assert [arena.buffer(i) for i in range(4)] == expected
    assert arena.sizes.tolist() == [0, 1, 20_000, 2]
    assert arena.part(1, 3).buffer(1) == expected[2]
    assert failed.tolist() == []


def test_what_cannot_be_read_is_named_and_empty(tmp_path):
    good = tmp_path / "gut ä\n"
    good.write_bytes(b"good")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    names = ["absent", "gut ä\n", ".", "pipe", "loop"]
    arena, failed = read_starts([str(tmp_path / name) for name in names], np.full(5, 10))
    assert failed.tolist() == [0, 2, 3, 4]
    assert arena.buffer(1) == b"good"
    assert arena.sizes.tolist() == [0, 4, 0, 0, 0]


def test_names_that_are_no_utf_8(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff\xfe"
    with open(path, "wb") as file:
        file.write(b"bytes")
    arena, failed = read_starts([os.fsdecode(path)], np.array([5]))
    assert (arena.buffer(0), failed.tolist()) == (b"bytes", [])


def test_a_path_with_a_nul_is_a_mistake():
    with pytest.raises(ValueError, match="NUL"):
        read_starts(["a\0b"], np.array([1]))


def test_no_path_is_no_file():
    arena, failed = read_starts([], np.zeros(0, np.int64))
    assert (len(arena.sizes), len(failed)) == (0, 0)


def test_no_descriptor_stays_open(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    threads = [
        threading.Thread(target=read_starts, args=([str(path), str(tmp_path)] * 50, np.full(100, 4)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before
