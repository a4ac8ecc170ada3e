"""What an ingest must live through: kills, rivals, a wish to end, a full disk, hostile files.

CI takes 20 kills and 20,000 mutants; DICOMAE_KILLS and DICOMAE_MUTANTS set other numbers.
"""

import json
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import mutants
import pytest
from clusters import cluster
from conftest import HOME
from files import write_file
from ingesting import Ingesting
from processes import Run, below
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.lake import delta
from dicomae.runtime import failures

KILLS = int(os.environ.get("DICOMAE_KILLS", "20"))
MUTANTS = int(os.environ.get("DICOMAE_MUTANTS", "20000"))
FOLDERS, FOLDER_FILES = 40, 8
PACKED = {"early/005": "zip", "early/015": "tar", "late/025": "gztar", "late/035": "zip"}

Content = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Instances, copies, conflicts and files that are none, in folders and archives in the order of paths."""
    top = tmp_path_factory.mktemp("archive")
    for number in range(FOLDERS * FOLDER_FILES):
        folder = number // FOLDER_FILES
        path = top / ("early" if folder < FOLDERS // 2 else "late") / f"{folder:03d}" / f"{number:04d}.dcm"
        uid = f"1.2.{number - 40 if number % 8 == 6 and number > 40 else number}"
        write_file(path, uid, patient=f"P{number % 7}", InstanceNumber=number // 80)
        if number % 16 == 7:
            path.write_bytes(path.read_bytes()[:200])
    for folder in ("early/015", "late/020"):
        shutil.copy(top / "early" / "001" / "0009.dcm", top / folder / "copy.dcm")
    for packed, kind in PACKED.items():
        shutil.make_archive(str(top / packed), kind, top / packed)
        shutil.rmtree(top / packed)
    return top


def _configuration(folder: Path, files_per_commit: int, master: str = "local[*]") -> Path:
    path = folder / "conf.toml"
    path.write_text(
        f'extends = "{HOME}/conf/local.toml"\nbody_part_rules = "{HOME}/conf/bodypart.toml"\n'
        f"[ingest]\nfiles_per_commit = {files_per_commit}\n"
        f'[spark]\nmaster = "{master}"\n'
    )
    return path


@pytest.fixture(scope="module")
def undisturbed(
    spark: SparkSession, conf: Config, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> Content:
    """The tables of one run that nobody disturbs."""
    root = tmp_path_factory.mktemp("undisturbed") / "tables"
    _ingest(spark, root, conf, source)
    return _content(root)


def _ingest(spark: SparkSession, root: Path, conf: Config, source: Path) -> dict[str, Any]:
    delta.prepare(root)
    try:
        return Ingesting(spark, root, conf, source)()
    finally:
        shutil.rmtree(root / "_staging", ignore_errors=True)


def _content(root: Path) -> Content:
    """Rows by path, without what tells of runs."""
    found = {}
    for table in (tables.HEADERS, tables.FILES):
        rows = delta.read_small(root, table).drop_columns(["run_id"])
        if "attempts" in rows.column_names:
            rows = rows.drop_columns(["attempts"])
        found[table.name] = rows.sort_by("path").to_pylist()
    return found


def _quarantined(held: Content) -> list[dict[str, Any]]:
    return [row for row in held["files"] if row["status"] == "quarantined"]


def _commits(root: Path) -> int:
    return sum(len(list((root / name / "_delta_log").glob("*.json"))) for name in ("headers", "files"))


def _kill(run: Run, victims: list[str], chance: random.Random, root: Path) -> None:
    """Kill the victims, last first, each a random while after the one before, up to one that ends the job.

    It lives on where a worker was killed: Spark starts the task again.
    """
    victim = "worker"
    while victim == "worker":
        enough = _commits(root) + chance.randrange(3)
        assert run.wait_for(lambda: _commits(root) >= enough), run.end()  # noqa: B023
        time.sleep(chance.choice((0.0, chance.uniform(0, 0.3))))  # at once: between two commits, mostly
        victim = victims.pop()
        assert run.wait_for(lambda: run.kill(victim, chance)), run.end()  # noqa: B023


def test_kills_change_nothing(source: Path, undisturbed: Content, tmp_path: Path) -> None:
    configuration = _configuration(tmp_path, files_per_commit=12, master="local[2,4]")
    chance, root = random.Random(20240501), tmp_path / "tables"
    victims = list(islice(cycle(("driver", "jvm", "worker")), KILLS))  # the first of them is the last
    killed: list[Run] = []
    while victims:
        killed.append(Run(source, root, configuration, tmp_path / f"log-{len(victims)}-"))
        assert killed[-1].wait_for(killed[-1].has_begun), killed[-1].end()
        _kill(killed[-1], victims, chance, root)
        assert killed[-1].end()[0] != 0
    code, out, errors = Run(source, root, configuration, tmp_path / "log").end()
    assert code == 0, errors
    assert list((root / "_staging").iterdir()) == []
    assert all(run.leaves_nothing() for run in killed)
    held, counts = _content(root), json.loads(out[0])
    assert held == undisturbed
    statuses = Counter(row["status"] for row in held["files"])
    assert statuses.pop("container") == len(PACKED)
    assert len(held["headers"]) == statuses["parsed"]
    assert statuses["quarantined"] == FOLDERS * FOLDER_FILES // 16
    assert counts["files"] == statuses.total() == FOLDERS * FOLDER_FILES + 2
    assert counts["files"] == counts["rows"] + counts["duplicates"] + counts["quarantined"]


def test_a_cluster_that_loses_an_executor_makes_the_same_tables(
    source: Path, undisturbed: Content, tmp_path: Path
) -> None:
    root = tmp_path / "tables"
    with cluster(tmp_path / "cluster", workers=2) as spark_cluster:
        configuration = _configuration(tmp_path, files_per_commit=40, master=spark_cluster.master)
        run = Run(source, root, configuration, tmp_path / "log")
        assert run.wait_for(lambda: _commits(root) >= 4), run.end()
        killed = spark_cluster.executors()[0]
        os.kill(killed, signal.SIGKILL)
        code, _, errors = run.end()
    assert code == 0, errors
    assert _content(root) == undisturbed


def test_two_at_once_lose_nothing_and_write_nothing_twice(
    source: Path, undisturbed: Content, tmp_path: Path
) -> None:
    root, configuration = tmp_path / "tables", _configuration(tmp_path, files_per_commit=40)
    both = [Run(source / part, root, configuration, tmp_path / f"{part}-") for part in ("", "early")]
    for run in both:  # so that they read the same files at the same time, and commit them
        assert run.wait_for(run.has_begun), run.end()
        run.process.send_signal(signal.SIGSTOP)
    for run in both:
        run.process.send_signal(signal.SIGCONT)
    for run in both:
        code, _, errors = run.end()
        assert code == 0, errors
    held = _content(root)
    # Who comes first keeps a UID; that one of them has it, and each file its row, does not depend on that.
    assert _quarantined(held) == _quarantined(undisturbed)
    for table, key in (("files", "path"), ("headers", "SOPInstanceUID")):
        assert sorted(row[key] for row in held[table]) == sorted(row[key] for row in undisturbed[table])


def test_sigterm_ends_an_ingest_after_its_commit(
    spark: SparkSession, conf: Config, source: Path, undisturbed: Content, tmp_path: Path
) -> None:
    root, configuration = tmp_path / "tables", _configuration(tmp_path, files_per_commit=20)
    run = Run(source, root, configuration, tmp_path / "log")
    assert run.wait_for(lambda: delta.exists(root, tables.FILES) and _commits(root) >= 4)
    run.process.send_signal(signal.SIGTERM)
    code, out, errors = run.end()
    assert code == 1, errors
    assert (
        errors.splitlines()[-1] == "error: stopped by SIGTERM; what was read is committed, run again to go on"
    )
    assert json.loads(out[0])["stopped"] is True
    held = _content(root)
    assert 0 < len(held["files"]) < len(undisturbed["files"])
    parsed = [row["path"] for row in held["files"] if row["status"] == "parsed"]
    assert [row["path"] for row in held["headers"]] == parsed
    files = [row for row in held["files"] if row["status"] != "container"]
    assert json.loads(out[0])["files"] == len(files)
    _ingest(spark, root, conf, source)
    assert _content(root) == undisturbed


def test_sigterm_to_java_too_is_told_in_a_sentence(
    spark: SparkSession, conf: Config, source: Path, undisturbed: Content, tmp_path: Path
) -> None:
    root, configuration = tmp_path / "tables", _configuration(tmp_path, files_per_commit=20)
    run = Run(source, root, configuration, tmp_path / "log", starter=("setsid",))
    assert run.wait_for(lambda: delta.exists(root, tables.FILES) and _commits(root) >= 4)
    os.killpg(run.process.pid, signal.SIGTERM)
    code, out, errors = run.end()
    assert (code, out) == (1, []), errors
    told = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert [line.split(",")[0] for line in told] == ["error: ended by SIGTERM"], errors
    assert "Traceback" not in errors
    _ingest(spark, root, conf, source)
    assert _content(root) == undisturbed


def test_sigterm_ends_a_listing_at_once(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "tables"
    run = Run(source, root, _configuration(tmp_path, files_per_commit=20), tmp_path / "log")
    assert run.wait_for(run.has_begun)
    run.process.send_signal(signal.SIGTERM)
    code, out, errors = run.end()
    assert (code, out) == (1, []), errors
    assert "error: interrupted; run again to go on" in errors.splitlines()
    assert list((root / "_staging").iterdir()) == []


def test_that_java_was_killed_is_told_in_a_sentence_and_nothing_else(source: Path, tmp_path: Path) -> None:
    root, configuration = tmp_path / "tables", _configuration(tmp_path, files_per_commit=20)
    run = Run(source, root, configuration, tmp_path / "log")
    assert run.wait_for(lambda: delta.exists(root, tables.FILES) and _commits(root) >= 4)
    run.kill("jvm", random.Random(0))
    code, out, errors = run.end()
    assert (code, out) == (1, []), errors
    assert errors.splitlines()[-1].startswith("error: Java was ended from outside")
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_spark_starts_ends_the_job_with_a_sentence(
    source: Path, tmp_path: Path, number: signal.Signals
) -> None:
    configuration = _configuration(tmp_path, files_per_commit=20)
    run = Run(source, tmp_path / "tables", configuration, tmp_path / "log")
    assert run.wait_for(lambda: "java" in below(run.process.pid).values())
    run.seen = set(below(run.process.pid))
    run.process.send_signal(number)
    code, out, errors = run.end()
    assert (code, out) == (1, []), errors
    assert errors.splitlines()[-1] == "error: interrupted; run again to go on"
    assert run.leaves_nothing()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 8 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root, where the kernel lets it, may mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_told_and_costs_nothing(
    spark: SparkSession, conf: Config, source: Path, undisturbed: Content, small_disk: Path
) -> None:
    root, filler = small_disk / "tables", small_disk / "filler"
    delta.prepare(root)
    told = []
    for free in range(0, 1 << 20, 24 << 10):  # full ever later: at the listing, a part, an edit, a commit
        about = os.statvfs(small_disk)
        filler.write_bytes(bytes(max(0, about.f_bavail * about.f_frsize - free)))
        try:
            _ingest(spark, root, conf, source)
        except Exception as error:  # noqa: BLE001 - as the job's main does
            filler.unlink()
            told.append(failures.sentence(error, root))
        else:
            break
    filler.unlink(missing_ok=True)
    assert len(told) >= 3
    assert {sentence.split(" (")[0] for sentence in told} == {"a disk is full"}
    _ingest(spark, root, conf, source)
    assert _content(root) == undisturbed


def test_mutated_headers_are_rows_or_quarantined(
    spark: SparkSession, root: Path, conf: Config, tmp_path: Path
) -> None:
    contents = mutants.real_files(longest=20_000) + mutants.hand_made() * 20
    top = tmp_path / "mutants"
    for number, content in enumerate(mutants.mutants(contents, MUTANTS, seed=4)):
        folder = top / f"{number // 500:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.dcm").write_bytes(content)
    counts = _ingest(spark, root, conf, top)
    assert counts["files"] == MUTANTS
    assert counts["rows"] + counts["quarantined"] + counts["duplicates"] == MUTANTS
    assert counts["rows"] > 0
    uids = delta.read_small(root, tables.HEADERS, ["SOPInstanceUID"])["SOPInstanceUID"].to_pylist()
    assert len(set(uids)) == len(uids) == counts["rows"]


def _statuses(root: Path, top: Path) -> dict[str, tuple[str, str | None]]:
    rows = delta.read_small(root, tables.FILES).to_pylist()
    return {os.path.relpath(row["path"], top): (row["status"], row["reason"]) for row in rows}


def test_hostile_names_links_and_lengths(
    spark: SparkSession, root: Path, conf: Config, tmp_path: Path
) -> None:
    top = tmp_path / "hostile"
    write_file(top / "plain.dcm", "1.1")
    write_file(top / "line\nbreak, \\ and 'quote'.dcm", "1.2")
    write_file(top / "per%20cent #?!{}.dcm", "1.3")
    os.rename(write_file(top / "x.dcm", "1.4"), os.fsencode(top) + b"/not-\xff-utf8.dcm")
    write_file(top / "deep" / "er" / "x.dcm", "1.5")
    (top / "deep" / "loop").symlink_to(top)
    (top / "deep" / "nowhere").symlink_to(top / "missing")
    os.mkfifo(top / "pipe.dcm")
    sequence = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 1 << 31)
    (top / "sequence.dcm").write_bytes(mutants.part10(sequence + bytes(1000)))
    counts = _ingest(spark, root, conf, top)
    assert _statuses(root, top) == {
        "plain.dcm": ("parsed", None),
        "line\nbreak, \\ and 'quote'.dcm": ("parsed", None),
        "per%20cent #?!{}.dcm": ("parsed", None),
        "not-\\xff-utf8.dcm": ("quarantined", "io_error"),
        "deep/er/x.dcm": ("parsed", None),
        "deep/loop": ("quarantined", "not_a_file"),
        "deep/nowhere": ("quarantined", "missing"),
        "pipe.dcm": ("quarantined", "not_a_file"),
        "sequence.dcm": ("quarantined", "truncated"),
    }
    versions = [delta.version(root, table) for table in tables.ALL]
    assert _ingest(spark, root, conf, top)["new"] == 0
    assert [delta.version(root, table) for table in tables.ALL] == versions
    assert counts["files"] == counts["rows"] + counts["quarantined"] == 9


def test_a_file_that_grows_while_it_is_read_is_read_again(
    spark: SparkSession, root: Path, conf: Config, tmp_path: Path
) -> None:
    top = tmp_path / "growing"
    path = write_file(top / "growing.dcm", "1.1", ImageComments="x" * 5000, DeviceSerialNumber="7" * 60)
    whole, enough = path.read_bytes(), threading.Event()
    path.write_bytes(whole[:1000])

    def grow() -> None:
        for at in count(1000, 10):
            if enough.wait(0.005):
                return
            with open(path, "ab") as file:
                file.write(whole[at : at + 10] or bytes(10))

    growing = threading.Thread(target=grow)
    growing.start()
    counts = _ingest(spark, root, conf, top)
    enough.set()
    growing.join()
    assert counts["files"] == counts["rows"] + counts["quarantined"] == 1
    path.write_bytes(whole)
    assert _ingest(spark, root, conf, top)["new"] == 1
    assert _statuses(root, top) == {"growing.dcm": ("parsed", None)}
    assert len(delta.read_small(root, tables.HEADERS)) == 1


@pytest.fixture
def powerless() -> tuple[str, ...]:
    """A command that starts another one without root's power to read what its owner may not."""
    starter = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None or subprocess.run([*starter, "true"], check=False).returncode:
        pytest.skip("root may read every folder, and setpriv cannot take that away here")
    return starter


def test_what_may_not_be_read_is_counted(root: Path, tmp_path: Path, powerless: tuple[str, ...]) -> None:
    top = tmp_path / "locked"
    write_file(top / "a.dcm", "1.1")
    closed = [write_file(top / "closed" / "b.dcm", "1.2").parent, write_file(top / "shut.dcm", "1.3")]
    for path in closed:
        path.chmod(0)
    configuration = _configuration(tmp_path, files_per_commit=100)
    code, out, errors = Run(top, root, configuration, tmp_path / "log", powerless).end()
    for path in closed:
        path.chmod(0o700)
    assert code == 0, errors
    assert json.loads(out[0])["reasons"] == {"permission": 2}
    assert _statuses(root, top) == {
        "a.dcm": ("parsed", None),
        "closed": ("quarantined", "permission"),
        "shut.dcm": ("quarantined", "permission"),
    }
