"""What a report is made from, and how its numbers are looked up; no file and no clock."""

import math
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from dicomae.config import EvaluationConfig

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Metrics:
    """Lookup in a table of `tables.METRICS`: rows by name and labels, in the table's order."""

    table: pa.Table

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[dict[str, str], float | None]]]:
        rows: dict[str, list[tuple[dict[str, str], float | None]]] = {}
        columns = (self.table.column(name).to_pylist() for name in ("name", "labels", "value"))
        for name, labels, value in zip(*columns, strict=True):
            defined = value is not None and math.isfinite(value)
            rows.setdefault(name, []).append((dict(labels or ()), value if defined else None))
        return rows

    def rows(self, name: str, /, **labels: str) -> list[tuple[dict[str, str], float | None]]:
        """(labels, value) of each row that has these labels; a value that is not finite is None."""
        wanted = labels.items()
        return [row for row in self._by_name.get(name, ()) if wanted <= row[0].items()]

    def value(self, name: str, /, **labels: str) -> float | None:
        """Value of the last such row; None when there is no such row, or when it is not defined."""
        rows = self.rows(name, **labels)
        return rows[-1][1] if rows else None

    def label_values(self, name: str, label: str, /, **labels: str) -> list[str]:
        """Distinct values of one label, in the order of their first row."""
        return list(dict.fromkeys(row[label] for row, _ in self.rows(name, **labels) if label in row))

    def series(self, name: str, along: str, /, **labels: str) -> list[tuple[int, float]]:
        """Defined values by the whole number in label `along`, ascending."""
        rows = self.rows(name, **labels)
        points = {int(row[along]): value for row, value in rows if row.get(along, "").isdecimal()}
        return sorted((x, y) for x, y in points.items() if y is not None)


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows; a table is empty when its job has not run.

    Attributes
    ----------
    title : heading of the page.
    metrics : columns of `tables.METRICS`.
    file_status : `codes.FileStatus` -> files.
    quarantine_reasons : `codes.Reason` -> files.
    tag_statistics : columns of `tables.TAG_STATISTICS`, scope `sample`, decided; keys as they may be shown.
    body_part_sources : `headers.body_part_source` -> rows.
    modalities : Modality -> rows of `headers`; modalities of few patients are summed up as "other".
    sample_splits : split -> Modality -> instances.
    embeddings : columns `embedding` (list<float32>), `Modality`, `body_part`, `cluster`, which is
        null when there is no elbow; about 2,000 rows at the most. None when nothing was embedded.
    runs : columns of `tables.RUNS`; `fingerprint` and `started` are not needed.
    evaluation : alpha and equivalence margin of the tests that `metrics` holds.
    """

    title: str
    metrics: pa.Table
    file_status: dict[str, int]
    quarantine_reasons: dict[str, int]
    tag_statistics: pa.Table
    body_part_sources: dict[str, int]
    modalities: dict[str, int]
    sample_splits: dict[str, dict[str, int]]
    embeddings: pa.Table | None
    runs: pa.Table
    evaluation: EvaluationConfig
