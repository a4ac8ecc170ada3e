"""Runs of an ingest in the tests' session."""

import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.ingest import origins
from dicomae.ingest.ingest import check, ingest, retry
from dicomae.ingest.read_changes import IngestRun
from dicomae.lake import delta, sql
from dicomae.lake.location import Location

LEDGER = (tables.FILES, tables.HEADERS)


class Ingesting:
    """Runs ingests one after the other into one folder of tables."""

    def __init__(self, spark: SparkSession, root: Location, conf: Config, top: Path) -> None:
        self.spark, self.root, self.conf, self.top = spark, root, conf, top
        self.runs = 0
        self.stop = threading.Event()

    def __call__(self) -> dict[str, Any]:
        return self.of(source=str(self.top))

    def of(self, **named: Any) -> dict[str, Any]:
        arguments = self.named(**named)
        check(arguments, self.conf)
        with self._next() as run:
            return asdict(ingest(run, origins.of(arguments, self.conf.ingest)))

    def named(self, **named: Any) -> Namespace:
        """Arguments of the command line."""
        given = {"source": None, "inventory": None, "table": None, "columns": None, "tables": self.root}
        return Namespace(**given | named)

    def retry(self, *reasons: str) -> dict[str, Any]:
        with self._next() as run:
            return asdict(retry(run, "/", reasons))

    @contextmanager
    def _next(self) -> Iterator[IngestRun]:
        self.runs += 1
        staging = self.root / "_staging" / str(self.runs)
        staging.mkdir(parents=True)
        with sql.connected(self.root, staging) as database:
            yield IngestRun(self.spark, database, self.conf, f"run-{self.runs}", self.stop)

    def table(self, table: tables.Table) -> dict[str, dict[str, Any]]:
        """Rows by file name."""
        return {Path(row["path"]).name: row for row in delta.read_small(self.root, table).to_pylist()}

    def quarantine(self) -> dict[str, dict[str, Any]]:
        """Quarantined rows by file name."""
        return {name: row for name, row in self.table(tables.FILES).items() if row["status"] == "quarantined"}

    def versions(self) -> dict[str, int]:
        return {t.name: delta.version(self.root, t) for t in tables.ALL}


def rows_below(root: Location, table: tables.Table, top: str) -> list[dict[str, Any]]:
    """A table's rows without run and time, and with paths from the source's `top` on; by path."""
    rows = delta.read_small(root, table).to_pylist()
    for row in rows:
        for name in ("path", "original_path", "container"):
            if row.get(name) is not None:
                row[name] = row[name].removeprefix(top)
        for name in ("run_id", "mtime"):
            row.pop(name, None)
    return sorted(rows, key=lambda row: str(row["path"]))
