"""A file system for the tests: local files that count their reads, answer late, hang or fail."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.fs as pafs


class Spy(pafs.FileSystemHandler):
    """Local files behind `pyarrow.fs`.

    Attributes
    ----------
    failing : by name, what opening a file or listing a folder raises.
    open_seconds : what every open, and every listing of a folder, takes more.
    before_read : called with (name, start) before each read.
    before_asked : called with the name before a file is asked after, or a folder is listed.
    opener : opens a path, where the files are not local.
    reads : (name, start, bytes that came) of each read.
    most_open : files, or folders, that were open at once.
    """

    def __init__(
        self,
        failing: dict[str, Exception] | None = None,
        open_seconds: float = 0.0,
        before_read: Callable[[str, int], object] | None = None,
        opener: Callable[[str], BinaryIO] | None = None,
        before_asked: Callable[[str], object] | None = None,
    ) -> None:
        self.opener = opener or (lambda path: open(path, "rb"))  # noqa: SIM115 (its file closes it)
        self.failing = failing or {}
        self.open_seconds = open_seconds
        self.before_read = before_read or (lambda name, start: None)
        self.before_asked = before_asked or (lambda name: None)
        self.reads: list[tuple[str, int, int]] = []
        self.open = self.most_open = 0
        self.lock = threading.Lock()

    def open_input_file(self, path):
        if Path(path).name in self.failing:
            raise self.failing[Path(path).name]
        with self.lock:
            self.open += 1
            self.most_open = max(self.open, self.most_open)
        if self.open_seconds:
            time.sleep(self.open_seconds)
        return pa.PythonFile(_Counting(self, path), mode="r")

    open_input_stream = open_input_file

    def bytes_of(self, name: str) -> int:
        return sum(n for read, _, n in self.reads if read == name)

    def get_file_info_selector(self, selector):
        with self.lock:
            self.open += 1
            self.most_open = max(self.open, self.most_open)
        time.sleep(self.open_seconds)
        try:
            return self._listed(selector)
        finally:
            with self.lock:
                self.open -= 1

    def _listed(self, selector):
        self.before_asked(Path(selector.base_dir).name)
        if Path(selector.base_dir).name in self.failing:
            raise self.failing[Path(selector.base_dir).name]
        return pafs.LocalFileSystem().get_file_info(selector)

    def get_file_info(self, paths):
        for path in paths:
            self.before_asked(Path(path).name)
        return pafs.LocalFileSystem().get_file_info(paths)

    def get_type_name(self):
        return "spy"

    def normalize_path(self, path):
        return path

    def _unused(self, *arguments, **options):
        raise NotImplementedError

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _unused
    delete_file = move = copy_file = open_output_stream = open_append_stream = _unused


class _Counting:
    """What `pa.PythonFile` asks of a file."""

    def __init__(self, spy: Spy, path: str) -> None:
        self.spy, self.name = spy, Path(path).name
        self.file = spy.opener(path)
        self.closed = False

    def read(self, n=-1):
        start = self.file.tell()
        self.spy.before_read(self.name, start)
        data = self.file.read(n)
        self.spy.reads.append((self.name, start, len(data)))
        return data

    def seek(self, at, whence=0):
        return self.file.seek(at, whence)

    def tell(self):
        return self.file.tell()

    def size(self):
        here = self.file.tell()
        self.file.seek(0, 2)
        end = self.file.tell()
        self.file.seek(here)
        return end

    def readable(self):
        return True

    def writable(self):
        return False

    def seekable(self):
        return True

    def flush(self):
        pass

    def close(self):
        if not self.closed:
            with self.spy.lock:
                self.spy.open -= 1
        self.file.close()
        self.closed = True
