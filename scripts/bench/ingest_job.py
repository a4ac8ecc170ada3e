#!/usr/bin/env python
"""The whole ingest, from listing to commit, against the same job with what Databricks pixels does per file.

One Spark session on two cores, whose start is left out, warmed for all sides by an ingest of few other
files. Rounds alternate the sides; figures are medians by the clock, so that on a busy machine the ratio
to a core's CPU time (`ingest_vs_part`) comes out too low. pixels' side is given the paths of its files.

- `ingest_vs_pixels` files/s of ours per files/s of theirs;
- `ingest_vs_part`   files/s of ours per files/s of the bare kernel with a Parquet part on two cores;
- `nightly`          time of a run with 1 % new files in new folders, as a share of the first run's, with
                     conf/nightly.toml;
- `nightly_every_file` the same with conf/local.toml, which asks after each file;
- `slow_source`      see slow_source.py.

Memory is resident memory, sampled during our runs only: the largest Python worker, and the driver, which
is this process and its JVM. Bytes read of each file are counted in tests/unit/test_reading.py. The last
line of standard output is one JSON object.

    .venv/bin/python scripts/bench/ingest_job.py --files 200000 --folder /tmp/corpus
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import corpus
import header_tables
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import slow_source
from headers import kernel_to_parquet, seconds_a_file
from memory import Memory
from pyspark.sql import SparkSession

from dicomae import config
from dicomae.config import Config
from dicomae.lake import delta
from dicomae.runtime import job, session
from dicomae.runtime.job import Context

sys.path.append(str(session.HOME / "jobs"))
from ingest import JOB

CORES, NIGHTLY_SHARE, FEW_FILES, PART_FILES, SLOW_FILES = 2, 100, 5000, 20_000, 2048
REST_SECONDS = 3  # so long folders must have been left alone before a run can trust them
_STEP = re.compile(r"^  (.+): ([\d.]+) s\b", re.MULTILINE)


@dataclass(frozen=True)
class Bench:
    """What every measurement is given."""

    spark: SparkSession
    conf: Config
    work: Path  # an empty folder on the corpus's file system

    @contextlib.contextmanager
    def fresh(self) -> Iterator[Path]:
        """A folder, gone afterwards."""
        folder = Path(tempfile.mkdtemp(dir=self.work))
        yield folder
        shutil.rmtree(folder)

    def ingest(self, source: Path, root: Path, conf: Config | None = None) -> tuple[float, dict[str, float]]:
        """Seconds of the job, and of each of its steps as it tells them itself."""
        named = argparse.Namespace(source=str(source), inventory=None, table=None, columns=None, tables=root)
        told = io.StringIO()
        start = time.perf_counter()
        with contextlib.redirect_stderr(told):
            job.execute(JOB, Context(self.spark, conf or self.conf, root, named), "ingest")
        seconds = time.perf_counter() - start
        return seconds, {title: float(step) for title, step in _STEP.findall(told.getvalue())}

    def pixels(self, paths: Sequence[str], folder: Path) -> float:
        """Seconds in which Spark turns files to pixels' JSON and writes it to a Delta table."""
        pq.write_table(pa.table({"path": paths}), folder / "paths.parquet")
        start = time.perf_counter()
        given = self.spark.read.parquet(str(folder / "paths.parquet")).repartition(4 * CORES)
        rows = given.mapInArrow(_pixels_rows, "path string, meta string")
        rows.write.format("delta").save(str(folder / "pixels"))
        return time.perf_counter() - start


def _pixels_rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        read = (pydicom.dcmread(path, stop_before_pixels=True) for path in batch.column(0).to_pylist())
        meta = [json.dumps(one.to_json_dict()) for one in read]
        yield pa.RecordBatch.from_arrays([batch.column(0), pa.array(meta)], names=["path", "meta"])


def one_core(paths: Sequence[str]) -> float:
    """CPU seconds a file of the kernel and one Parquet part, on one core."""
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        return seconds_a_file(kernel_to_parquet, paths)
    finally:
        pa.set_cpu_count(threads)


@dataclass(frozen=True)
class Round:
    """Seconds of each side; of pixels' and the one core's, for a file."""

    ingest: float
    nightly: float  # the second run
    every_file: float  # another night
    steps: dict[str, dict[str, float]]  # of the three runs
    worker_mib: float
    driver_mib: float
    pixels: float = 0.0
    part: float = 0.0


def first_and_nights(bench: Bench, source: Path, nights: Sequence[Path]) -> Round:
    """A first run and two with new files in new folders, and what they held in memory."""
    confs = config.load(session.HOME / "conf" / "nightly.toml"), bench.conf
    with bench.fresh() as root, Memory() as memory, contextlib.ExitStack() as come:
        delta.prepare(root)
        runs = [bench.ingest(source, root)]
        for night, conf in zip(nights, confs, strict=True):
            arrived = source / f"bench-{night.name}"
            shutil.copytree(night, arrived)
            come.callback(shutil.rmtree, arrived)
            time.sleep(REST_SECONDS)
            runs.append(bench.ingest(source, root, conf))
    (first, nightly, every_file), steps = zip(*runs, strict=True)
    named = dict(zip(("ingest", "nightly", "nightly_every_file"), steps, strict=True))
    return Round(first, nightly, every_file, named, memory.worker, memory.driver)


def few(paths: Sequence[str], source: Path, folder: Path) -> Path:
    """A folder of links to the first studies, of `FEW_FILES` files or a little more."""
    folder.mkdir()
    for study in dict.fromkeys(Path(path).relative_to(source).parts[0] for path in paths[:FEW_FILES]):
        (folder / study).symlink_to(source / study)
    return folder


def index_seconds(bench: Bench) -> float | None:
    """Seconds of the command that takes in the million series of the research index, its start with it."""
    if importlib.util.find_spec("idc_index_data") is None:
        return None
    with bench.fresh() as root:
        call = [sys.executable, str(session.HOME / "jobs" / "ingest.py"), "--tables", str(root / "tables")]
        call += ["--table", str(header_tables.the_index()), "--columns", str(header_tables.COLUMNS)]
        start = time.perf_counter()
        subprocess.run(call, check=True, capture_output=True)
        return round(time.perf_counter() - start, 1)


def warm_up(bench: Bench, paths: Sequence[str]) -> None:
    """Every side once on few files: imports, compiled code, the JVM's classes."""
    with bench.fresh() as folder:
        corpus.make(folder / "other", 500, seed=3)
        nights = made_nights(folder, 50, seed=4)
        first_and_nights(bench, folder / "other", nights)
        bench.pixels(paths, folder)
    one_core(paths)


def measure(bench: Bench, source: Path, rounds: int, pixels_files: int) -> dict[str, object]:
    """All rounds; the JSON object."""
    paths = [str(path) for path in sorted(source.rglob("*.dcm"))]
    sample = paths[:: max(1, len(paths) // pixels_files)][:pixels_files]
    nights = made_nights(bench.work, max(1, len(paths) // NIGHTLY_SHARE), seed=2)
    warm_up(bench, sample[:64])
    small = first_and_nights(bench, few(paths, source, bench.work / "few"), nights)
    found = []
    for number in range(1, rounds + 1):
        one = first_and_nights(bench, source, nights)
        with bench.fresh() as folder:
            pixels = bench.pixels(sample, folder) / len(sample)
        found.append(replace(one, pixels=pixels, part=one_core(paths[:PART_FILES])))
        print(f"round {number}: {found[-1]}", flush=True)
    return {**report(found, len(paths), small), "seconds_of_a_million_series": index_seconds(bench)}


def made_nights(folder: Path, n_files: int, seed: int) -> list[Path]:
    """The new files of two nights."""
    nights = [folder / "night-1", folder / "night-2"]
    for number, night in enumerate(nights):
        corpus.make(night, n_files, seed=100 * number + seed)
    return nights


def report(found: Sequence[Round], n_files: int, small: Round) -> dict[str, object]:
    """The table, printed; and the JSON object."""

    def median(value: Callable[[Round], float], digits: int) -> float:
        return round(statistics.median(map(value, found)), digits)

    rates = {
        "ingest": median(lambda one: n_files / one.ingest, 0),
        "pixels": median(lambda one: 1 / one.pixels, 0),
        "part_on_one_core": median(lambda one: 1 / one.part, 0),
    }
    print("\n".join(f"{name:>24} {value:>10.0f} files/s" for name, value in rates.items()))
    return {
        "benchmark": "ingest",
        "files": n_files,
        "rounds": len(found),
        "load": [round(load, 2) for load in os.getloadavg()],
        "files_a_second": rates,
        "seconds": {
            "ingest": median(lambda one: one.ingest, 2),
            "nightly": median(lambda one: one.nightly, 2),
            "nightly_every_file": median(lambda one: one.every_file, 2),
        },
        "steps": found[-1].steps,
        "memory_mib": {f"{FEW_FILES} files": peaks([small]), f"{n_files} files": peaks(found)},
        "ratios": {
            "ingest_vs_pixels": median(lambda one: n_files / one.ingest * one.pixels, 1),
            "ingest_vs_part": median(lambda one: n_files / one.ingest * one.part / CORES, 2),
            "nightly": median(lambda one: one.nightly / one.ingest, 3),
            "nightly_every_file": median(lambda one: one.every_file / one.ingest, 3),
            "slow_source": slow_ratio(),
        },
    }


def peaks(found: Sequence[Round]) -> dict[str, int]:
    """The most that one Python worker, and the driver with its JVM, ever held."""
    workers, drivers = [one.worker_mib for one in found], [one.driver_mib for one in found]
    return {"worker": round(max(workers)), "driver": round(max(drivers))}


def slow_ratio() -> float:
    """See slow_source.py."""
    with tempfile.TemporaryDirectory() as folder:
        return slow_source.slow_source(slow_source.write_files(Path(folder), SLOW_FILES))


def main() -> None:
    """Measure, print a table and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="keep the corpus there, or use the one there")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pixels-files", type=int, default=4000, help="of pixels' side")
    arguments = parser.parse_args()
    conf = config.load(session.HOME / "conf" / "local.toml")
    beside = arguments.folder and arguments.folder.absolute().parent
    with tempfile.TemporaryDirectory(dir=beside) as work:
        source = (arguments.folder or Path(work) / "corpus").absolute()
        if not source.exists():
            corpus.make(source, arguments.files, seed=1)
        spark = session.start("bench", replace(conf.spark, master=f"local[{CORES}]"))
        result = measure(Bench(spark, conf, Path(work)), source, arguments.rounds, arguments.pixels_files)
        spark.stop()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
