"""Random histories of a source, with kills, lists and retries: the tables end as if nothing had happened."""

import os
import random
import zipfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from files import write_file
from jobs.ingest import JOB
from jobs.retry import JOB as RETRY
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.errors import JobError
from dicomae.lake import delta
from dicomae.runtime.job import Context, Job, execute

NAMES = [f"{folder}{number}.dcm" for folder in ("", "a/", "b/c/") for number in range(3)]
UIDS, VARIANTS, STEPS = 3, 3, 9
LEDGER = (tables.HEADERS, tables.FILES)

Row = dict[str, Any]


class Killed(Exception):
    """In place of a commit."""


@dataclass
class World:
    """A source and its tables.

    Attributes
    ----------
    at : the time of the last change, in seconds since 1970.
    before : a good content that a path had, and its time.
    """

    spark: SparkSession
    conf: Config
    folder: Path
    rng: random.Random
    at: int = 1_000_000_000
    before: dict[Path, tuple[bytes, int]] = field(default_factory=dict)

    @property
    def top(self) -> Path:
        return self.folder / "pacs"

    def change(self) -> None:
        """Something happens to a file."""
        self.at += 10
        path = self.top / self.rng.choice(NAMES)
        path.parent.mkdir(parents=True, exist_ok=True)
        changes = (self._write, self._spoil, self._mend, self._restore, self._delete, self._copy, self._pack)
        self.rng.choice(changes)(path)

    def _put(self, path: Path, content: bytes, time: int) -> None:
        path.write_bytes(content)
        os.utime(path, (time, time))

    def _write(self, path: Path) -> None:
        uid, variant = self.rng.randrange(UIDS), self.rng.randrange(VARIANTS)
        if path.exists() and self.rng.random() < 0.5:
            self.before[path] = path.read_bytes(), int(path.stat().st_mtime)
        content = write_file(path, f"1.{uid}", SeriesDescription="v" * (variant + 1)).read_bytes()
        self._put(path, content, self.at)
        self.before.setdefault(path, (content, self.at))

    def _spoil(self, path: Path) -> None:
        size = len(self.before[path][0]) if path in self.before else 0
        self._put(path, b"x" * size, self.at)

    def _mend(self, path: Path) -> None:
        """What an ingest cannot see: another content of the same size and time."""
        if path.exists() and path.read_bytes()[:1] == b"x":
            self._put(path, self.before[path][0], int(path.stat().st_mtime))

    def _restore(self, path: Path) -> None:
        if path in self.before:
            self._put(path, *self.before[path])

    def _delete(self, path: Path) -> None:
        self.rng.choice([path, self.top / "x.zip"]).unlink(missing_ok=True)

    def _copy(self, path: Path) -> None:
        if path.exists():
            other = self.top / self.rng.choice(NAMES)
            other.parent.mkdir(parents=True, exist_ok=True)
            self._put(other, path.read_bytes(), self.at)

    def _pack(self, path: Path) -> None:
        with zipfile.ZipFile(self.top / "x.zip", "w") as archive:
            for number in range(self.rng.randrange(3)):
                uid = f"1.{self.rng.randrange(UIDS)}"
                archive.write(write_file(self.folder / "member", uid), f"{number}.dcm")
        os.utime(self.top / "x.zip", (self.at, self.at))

    def run(self, job: Job = JOB, root: str = "tables", **named: Any) -> Row:
        given = {"source": str(self.top), "inventory": None, "table": None, "columns": None, "reason": []}
        arguments = Namespace(**given | named, tables=self.folder / root)
        delta.prepare(self.folder / root)
        return execute(job, Context(self.spark, self.conf, self.folder / root, arguments), job.name).as_json()

    def any_run(self) -> None:
        """A run that may be killed; after a kill, one that does not see all says what the tables lack."""
        listed = self.folder / "list.csv"
        listed.write_text("\n".join(["path", *self.rng.sample(NAMES, 4)]), encoding="utf-8")
        runs = ({}, {}, {"inventory": str(listed)}, {"job": RETRY})
        with suppress(Killed, JobError), killed(self.rng):
            self.run(**self.rng.choice(runs))

    def rows(self, table: tables.Table, root: str = "tables") -> dict[str, Row]:
        return {row["path"]: row for row in delta.read_small(self.folder / root, table).to_pylist()}

    def versions(self) -> list[int]:
        return [delta.version(self.folder / "tables", table) for table in tables.ALL]


@contextmanager
def killed(rng: random.Random) -> Iterator[None]:
    """Mostly some commit is the end."""
    commit, last, left = delta.commit_parts, rng.choice(LEDGER), rng.randrange(2)

    def kill(root: Path, table: tables.Table, *rest: Any, **named: Any) -> int:
        nonlocal left
        left -= table is last
        if left < 0:
            raise Killed
        return commit(root, table, *rest, **named)

    with pytest.MonkeyPatch.context() as patched:
        if rng.random() < 0.6:
            patched.setattr(delta, "commit_parts", kill)
        yield


@pytest.mark.parametrize("seed", range(7))
def test_a_history_ends_in_the_tables_of_one_run(
    spark: SparkSession, conf: Config, tmp_path: Path, seed: int
) -> None:
    same_uid, together = ("first", "newest")[seed % 2], (1, 3, 10**6)[seed % 3]
    conf = replace(conf, ingest=replace(conf.ingest, same_uid=same_uid, files_per_commit=together))
    world = World(spark, conf, tmp_path, random.Random(seed))
    write_file(world.top / "always.dcm", "1.99")
    for _ in range(STEPS):
        for _ in range(world.rng.randrange(1, 4)):
            world.change()
        world.any_run()
    with suppress(JobError):
        world.run(RETRY)
    world.run()
    world.run(root="fresh")
    files, headers = world.rows(tables.FILES), world.rows(tables.HEADERS)

    def told(row: Row) -> tuple[Any, ...]:
        return row["SOPInstanceUID"], row["content_hash"]

    def of(status: str) -> dict[str, Row]:
        return {path: row for path, row in files.items() if row["status"] == status}

    assert {path: told(row) for path, row in headers.items()} == {p: told(r) for p, r in of("parsed").items()}
    assert all(row["reason"] and row["detail"] for row in of("quarantined").values())
    assert len({row["SOPInstanceUID"] for row in headers.values()}) == len(headers)
    for status in ("duplicate", "duplicate_uid_conflict"):
        for row in of(status).values():
            original = files[row["original_path"]]
            assert original["SOPInstanceUID"] == row["SOPInstanceUID"] or row["vanished"]
            same_content = original["content_hash"] == row["content_hash"]
            assert same_content == (status == "duplicate") or row["vanished"]
    there = {path: (told(row), row["reason"]) for path, row in files.items() if not row["vanished"]}
    assert there == {p: (told(r), r["reason"]) for p, r in world.rows(tables.FILES, "fresh").items()}
    assert {r["SOPInstanceUID"] for r in world.rows(tables.HEADERS, "fresh").values()} <= {
        row["SOPInstanceUID"] for row in headers.values()
    }
    versions = world.versions()
    world.run()
    assert world.versions() == versions
