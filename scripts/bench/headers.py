#!/usr/bin/env python
"""Headers: the kernel against pydicom, Databricks pixels' way and fastdicom, on the same files in one run.

Every figure is the median of five rounds on one core with the files in the page cache; each side opens
and reads its files itself. Files that have nothing in common are the synthetic PACS shuffled; series in
order are the same files by series and instance. The last line of standard output is one JSON object.

    .venv/bin/python scripts/bench/headers.py --files 2000
"""

import argparse
import gc
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom

from dicomae.headers.parse import HEADER, parse_headers
from dicomae.lake.parquet import ROW_GROUP, writer_options
from dicomae.sources.first_bytes import read_starts

SHARED = Path(__file__).resolve().parents[3] / "shared" / "dicom"
ROUNDS, BATCH_FILES, FIRST_READ = 5, 512, 16384
SHORTEST = 0.5  # seconds of one measurement
Call = Callable[[Sequence[str]], None]
Calls = dict[str, tuple[Call, Sequence[str]]]  # by name: a call, and the files that it is given


def kernel(paths: Sequence[str], keep: Callable[[pa.RecordBatch], object]) -> int:
    """Rows of all files, batch by batch; headers that go on are read again, as far as they need."""
    rows, wanted = 0, np.full(len(paths), FIRST_READ)
    while len(paths):
        grown: dict[str, int] = {}
        for at in range(0, len(paths), BATCH_FILES):
            part, sizes = paths[at : at + BATCH_FILES], wanted[at : at + BATCH_FILES]
            arena, _ = read_starts(part, sizes)
            batch = parse_headers(arena, arena.sizes < sizes, ())
            rows += batch.headers.num_rows
            keep(batch.headers)
            grown |= {part[i]: needed + FIRST_READ for i, needed in batch.incomplete.items()}
        paths = list(grown)
        wanted = np.array([min(grown[path], os.path.getsize(path) + 1) for path in paths], np.int64)
    return rows


def kernel_only(paths: Sequence[str]) -> None:
    """Arrow maps, dropped at once."""
    kernel(paths, lambda headers: None)


def kernel_to_parquet(paths: Sequence[str]) -> None:
    """One Parquet part, in row groups of many batches."""
    waiting: list[pa.RecordBatch] = []

    def write() -> None:
        writer.write_table(pa.Table.from_batches(waiting, HEADER), ROW_GROUP)
        waiting.clear()

    def keep(headers: pa.RecordBatch) -> None:
        waiting.append(headers)
        if sum(batch.num_rows for batch in waiting) >= ROW_GROUP:
            write()

    with (
        tempfile.TemporaryDirectory() as folder,
        pq.ParquetWriter(f"{folder}/part.parquet", HEADER, **writer_options(HEADER)) as writer,
    ):
        kernel(paths, keep)
        write()


def pydicom_texts(paths: Sequence[str]) -> None:
    """Every top-level element to text."""
    for path in paths:
        read = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        {element.tag: "[sequence]" if element.VR == "SQ" else str(element.value) for element in read}


def pixels_json(paths: Sequence[str]) -> None:
    """What Databricks pixels does with a file."""
    for path in paths:
        json.dumps(pydicom.dcmread(path, stop_before_pixels=True, force=True).to_json_dict())


def fastdicom_items(paths: Sequence[str]) -> None:
    """Every item to text."""
    import fastdicom

    for path in paths:
        {tag: str(value) for tag, value in fastdicom.dcmread(path, stop_before_pixels=True).items()}


def seconds_a_file(call: Call, paths: Sequence[str]) -> float:
    """CPU time of this process for a file: other processes of the machine do not count.

    What is through with all files in a blink does so again, lest one glance at the clock decides.
    """
    gc.collect()
    start, passes = time.process_time(), 0
    while time.process_time() - start < SHORTEST:
        call(paths)
        passes += 1
    return (time.process_time() - start) / (passes * len(paths))


def compare(calls: Calls) -> dict[str, float]:
    """Median seconds a file of each; the rounds alternate, so that a busy moment hits all of them."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for call, paths in calls.values():  # compile, import, and fill the page cache
        call(paths[:64])
    for _ in range(ROUNDS):
        for name, (call, paths) in calls.items():
            found[name].append(seconds_a_file(call, paths))
    return {name: statistics.median(times) for name, times in found.items()}


def readable(paths: Sequence[str], call: Call) -> list[str]:
    """The files that one side reads at all."""
    kept, left_out = [], Counter[str]()
    for path in paths:
        try:
            call([path])
        except Exception as error:  # noqa: BLE001
            left_out[type(error).__name__] += 1
        else:
            kept.append(path)
    if left_out:
        print(f"{call.__name__} does not read {left_out.total()} files: {dict(left_out)}", file=sys.stderr)
    return kept


def in_series(paths: Sequence[str]) -> list[str]:
    """By series and instance."""
    keys = {}
    for path in paths:
        read = pydicom.dcmread(path, specific_tags=["SeriesInstanceUID", "InstanceNumber"], force=True)
        number = str(read.get("InstanceNumber") or "")
        keys[path] = (str(read.get("SeriesInstanceUID")), int(number) if number.isdigit() else 0)
    return sorted(paths, key=keys.__getitem__)


def synthetic(folder: Path, n_files: int) -> list[str]:
    """The regular files of a synthetic PACS."""
    command = [sys.executable, "-m", "dicomae.synth", "--out", str(folder), "--files", str(n_files)]
    subprocess.run([*command, "--matrix", "16"], check=True, stdout=subprocess.DEVNULL)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "spoilt" not in path.parts]
    return [str(path) for path in files]


def measure(folder: Path, n_files: int) -> dict[str, object]:
    """The ratios, and what they are made of."""
    regular = readable(readable(synthetic(folder, n_files), pydicom_texts), pixels_json)
    series, unrelated = in_series(regular), random.Random(1).sample(regular, len(regular))  # noqa: S311
    real = readable([str(path) for path in sorted(SHARED.rglob("*")) if path.is_file()], pydicom_texts)
    calls: Calls = {
        "kernel_unrelated": (kernel_only, unrelated),
        "kernel_series": (kernel_only, series),
        "kernel_part": (kernel_to_parquet, unrelated),
        "pydicom_unrelated": (pydicom_texts, unrelated),
        "pydicom_series": (pydicom_texts, series),
        "pixels": (pixels_json, unrelated),
    }
    if real:
        calls |= {"kernel_real": (kernel_only, real), "pydicom_real": (pydicom_texts, real)}
    calls |= beside_fastdicom({"unrelated": unrelated, "series": series, "real": real})
    return report(compare(calls), len(unrelated), len(real))


def beside_fastdicom(groups: dict[str, Sequence[str]]) -> Calls:
    """Both sides on the files that fastdicom reads at all; nothing where it is not installed."""
    if importlib.util.find_spec("fastdicom") is None:
        print("fastdicom is not installed: kernel_vs_fastdicom is null", file=sys.stderr)
        return {}
    calls: Calls = {}
    for name, paths in groups.items():
        kept = readable(paths, fastdicom_items)
        if kept:
            calls[f"fastdicom_{name}"] = (fastdicom_items, kept)
            calls[f"kernel_{name}_of_fastdicom"] = (kernel_only, kept)
    return calls


def report(seconds: dict[str, float], n_files: int, n_real: int) -> dict[str, object]:
    """The table, printed; and the JSON object."""

    def ratio(slow: str, quick: str) -> float | None:
        both = slow in seconds and quick in seconds
        return round(seconds[slow] / seconds[quick], 1) if both else None

    ahead = [
        round(seconds[name] / seconds[f"kernel_{name.removeprefix('fastdicom_')}_of_fastdicom"], 1)
        for name in seconds
        if name.startswith("fastdicom_")
    ]
    print(f"{'':>28} {'µs a file':>12} {'files/s':>10}")
    for name, value in seconds.items():
        print(f"{name:>28} {value * 1e6:>12.1f} {1 / value:>10.0f}")
    return {
        "benchmark": "headers",
        "files": n_files,
        "real_files": n_real,
        "load": [round(load, 2) for load in os.getloadavg()],
        "seconds_a_file": seconds,
        "ratios": {
            "kernel_vs_pydicom_unrelated": ratio("pydicom_unrelated", "kernel_unrelated"),
            "kernel_vs_pydicom_series": ratio("pydicom_series", "kernel_series"),
            "kernel_vs_pydicom_real": ratio("pydicom_real", "kernel_real"),
            "kernel_vs_pixels": ratio("pixels", "kernel_unrelated"),
            "kernel_vs_fastdicom": min(ahead, default=None),
            "part_vs_pydicom_unrelated": ratio("pydicom_unrelated", "kernel_part"),
        },
    }


def main() -> None:
    """Measure, print a table and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="keep the synthetic PACS there, or use the one there")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # pydicom's, of the real files
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as temporary:
        result = measure(arguments.folder or Path(temporary) / "pacs", arguments.files)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
