#!/usr/bin/env python
"""A source whose every open takes 5 ms more: one task of ours against one read after the other.

Both open the same files through the same slow file system and parse what they read by the same kernel;
the one reads its batch as `read_headers` does, the other file after file. The last line of standard
output is one JSON object: {"slow_source": files/s of ours per files/s of the other}.

    .venv/bin/python scripts/bench/slow_source.py --files 2048
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicomae import config
from dicomae.headers.parse import parse_headers
from dicomae.sources.read_settings import ReadSettings
from dicomae.sources.reading import read_headers

CONFIGURATION = Path(__file__).resolve().parents[2] / "conf" / "default.toml"
SETTINGS = ReadSettings.of(config.load(CONFIGURATION).ingest)
ROUNDS, BATCH_FILES = 5, 256
OPEN_SECONDS = 0.005
SLOW_SHARE = 16  # one read after the other is timed on every sixteenth file


class SlowFiles(pafs.FileSystemHandler):  # type: ignore[misc]
    """Local files, each opened `OPEN_SECONDS` late."""

    def open_input_file(self, path: str) -> pa.NativeFile:
        """The file, late."""
        time.sleep(OPEN_SECONDS)
        return pa.OSFile(path, "rb")

    def get_type_name(self) -> str:
        """A name that is not `local`."""
        return "slow"

    def _unused(self, *arguments: object) -> None:
        raise NotImplementedError

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = _unused
    move = copy_file = open_output_stream = open_append_stream = open_input_stream = _unused
    get_file_info = get_file_info_selector = normalize_path = _unused


def one_after_the_other(filesystem: pafs.FileSystem, paths: Sequence[str]) -> int:
    """Rows of files that are opened and read one by one."""
    buffers = []
    for path in paths:
        with filesystem.open_input_file(path) as file:
            buffers.append(file.read_at(SETTINGS.first_read_bytes, 0))
    rows: int = parse_headers(buffers, [False] * len(buffers), ()).headers.num_rows
    return rows


def one_task(filesystem: pafs.FileSystem, paths: Sequence[str]) -> int:
    """Rows of files that are read as a task reads its batch."""
    sizes = [os.path.getsize(path) for path in paths]
    return sum(read.headers.num_rows for read in read_headers(filesystem, paths, sizes, SETTINGS))


def seconds_a_file(read: Callable[[pafs.FileSystem, Sequence[str]], int], paths: Sequence[str]) -> float:
    """Wall time a file, batch by batch: what is compared is waiting, which takes no CPU time."""
    filesystem = pafs.PyFileSystem(SlowFiles())
    start, rows = time.perf_counter(), 0
    for at in range(0, len(paths), BATCH_FILES):
        rows += read(filesystem, paths[at : at + BATCH_FILES])
    if rows != len(paths):
        raise SystemExit(f"{rows} rows of {len(paths)} files")
    return (time.perf_counter() - start) / len(paths)


def slow_source(paths: Sequence[str]) -> float:
    """How many times as many files a second one task reads, the median of five rounds.

    Parameters
    ----------
    paths : local DICOM files whose headers end within 16 KiB.
    """
    one_task(pafs.PyFileSystem(SlowFiles()), paths[:BATCH_FILES])  # compile, and fill the page cache
    few = paths[::SLOW_SHARE]
    ratios = [
        seconds_a_file(one_after_the_other, few) / seconds_a_file(one_task, paths) for _ in range(ROUNDS)
    ]
    return round(statistics.median(ratios), 1)


def write_files(folder: Path, n_files: int) -> list[str]:
    """Small DICOM files, alike but for their UIDs."""
    paths = []
    for i in range(n_files):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = CTImageStorage, f"1.2.3.{i}", "CT"
        ds.PatientName, ds.Rows, ds.Columns, ds.BitsAllocated = "A^B", 64, 64, 16
        ds.PixelData = bytes(2 * 64 * 64)
        paths.append(str(folder / f"{i:06d}.dcm"))
        ds.save_as(paths[-1], enforce_file_format=False, implicit_vr=False, little_endian=True)
    return paths


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2048)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({"slow_source": slow_source(write_files(Path(folder), arguments.files))}))


if __name__ == "__main__":
    main()
