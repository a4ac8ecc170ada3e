"""A small run of the experiment as the report gets it, with known numbers and a canary."""

import datetime as dt
import math
from typing import Any

import numpy as np
import pyarrow as pa

from dicomae import tables
from dicomae.config import EvaluationConfig
from dicomae.report import wording
from dicomae.report.data import ReportData

EVALUATION = EvaluationConfig("arithmetic", 0.05, 0.02, 100, 1)
CANARY = "CANARY^PATIENT"
Row = tuple[str, str, dict[str, str], float | None]


def table_1_rows(way: str, p_values: tuple[float | None, ...]) -> list[Row]:
    """Four metrics with the paper's tests; differences of +0.01, -0.02, +0.03 and -0.04."""
    rows: list[Row] = []
    labels = [(a, b) for a in wording.LABEL for b in wording.SCORE]
    for i, ((label, score), p) in enumerate(zip(labels, p_values, strict=True)):
        about = {"way": way, "label": label, "score": score}
        difference = (i + 1) / 100 * (-1) ** i
        rows += [
            ("evaluate", "shapiro_p", {**about, "space": "original"}, 5.4e-6),
            ("evaluate", "shapiro_p", {**about, "space": "compressed"}, 0.673),
            ("evaluate", "p_value", {**about, "test": "mann_whitney_u" if i % 2 else "paired_t"}, p),
            ("evaluate", "wilcoxon_p", about, 0.2),
            ("evaluate", "tost_p", about, 0.01 if i < 3 else 0.4),
            ("evaluate", "mean_difference", about, difference),
            ("evaluate", "mean_difference_low", about, difference - 0.005),
            ("evaluate", "mean_difference_high", about, difference + 0.005),
        ]
    return rows


def all_rows() -> list[Row]:
    rows: list[Row] = [
        ("tag_statistics", "funnel", {"step": "occur"}, 1651.0),
        ("tag_statistics", "funnel", {"step": "vary"}, 424.0),
        ("fit_features", "features", {"feature_set": "all"}, 77.0),
        ("fit_features", "width", {"feature_set": "all"}, 565.0),
        ("train", "bottleneck", {"feature_set": "all", "kind": "autoencoder", "model_id": "m"}, 56.0),
        (
            "train",
            "chosen",
            {"feature_set": "all", "kind": "autoencoder", "candidate": "paper", "model_id": "m"},
            1.0,
        ),
        ("cluster", "elbow", {"feature_set": "all", "space": "compressed"}, 2.0),
        *table_1_rows("paper", (0.157, 0.053, 0.24, 0.507)),
        *table_1_rows("without_labels", (0.0001, math.nan, 0.24, None)),
    ]
    for epoch, error in ((1, 0.2), (2, 0.1)):
        about = {"feature_set": "all", "candidate": "paper", "epoch": str(epoch)}
        rows += [
            ("train", "reconstruction_error", {**about, "split": p}, error) for p in ("train", "validation")
        ]
    for k in (4, 15):
        for space in ("original", "compressed"):
            about = {"space": space, "n_clusters": str(k)}
            rows.append(("cluster", "sum_of_squared_distances", {**about, "feature_set": "all"}, 100.0 / k))
            rows += [
                ("evaluate", score, {**about, "way": "paper", "label": label}, k / 20)
                for label in wording.LABEL
                for score in wording.SCORE
            ]
    for cluster, size in (("0", 30.0), ("1", 90.0)):
        telling = {"cluster": cluster, "feature": "Manufacturer", "kind": "categorical", "value": "ACME"}
        number = {"cluster": cluster, "feature": "KVP", "kind": "numeric"}
        rows += [
            ("evaluate", "cluster_size", {"cluster": cluster}, size),
            ("evaluate", "cluster_share", {"cluster": cluster, "tag": "Modality", "value": "CT"}, 0.75),
            ("evaluate", "cluster_share", {"cluster": cluster, "tag": "Modality", "value": "MR"}, 0.25),
            ("evaluate", "telling_tag", number, 0.2),
            ("evaluate", "telling_tag_overall", number, 0.3),
            ("evaluate", "telling_tag", telling, 0.97),
            ("evaluate", "telling_tag_overall", telling, 0.2),
        ]
    return rows


def metrics_table(rows: list[Row]) -> pa.Table:
    names = ("job", "name", "labels", "value")
    columns = [dict(zip(names, (j, n, sorted(labels.items()), v), strict=True)) for j, n, labels, v in rows]
    return pa.Table.from_pylist([{**row, "run_id": CANARY} for row in columns], tables.METRICS.schema)


def tag_rows(*keys: str) -> pa.Table:
    tag = {
        "scope": "sample", "vr": "DS", "rows": 100, "present": 60, "filled": 50, "fill": 0.5, "varies": True,
        "distinct_hll": 7, "minimum": 987654.321, "maximum": 987654.321, "decision": "numeric",
        "run_id": CANARY,
    }  # fmt: skip
    rows = [{**tag, "key": key, "why": f"why {i}"} for i, key in enumerate(keys)]
    return pa.Table.from_pylist(rows, tables.TAG_STATISTICS.schema)


def runs_table(*jobs: str) -> pa.Table:
    start = dt.datetime(2026, 11, 23, 7, tzinfo=dt.UTC)
    rows: list[dict[str, Any]] = [
        {
            "job": job, "run_id": f"run-{i}", "fingerprint": CANARY, "started": start,
            "finished": start + dt.timedelta(minutes=i), "config_sha256": "9f" * 32,
            "read_versions": [("headers", i)], "packages": [("numpy", "1.26.4"), ("torch", f"2.{i}")],
            "summary": f'{{"seconds": 12.34, "wrote": "/archive/{CANARY}"}}',
        }
        for i, job in enumerate(jobs)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, tables.RUNS.schema)


def embeddings(rows: int = 24, modalities: tuple[str | None, ...] = ("CT", "MR")) -> pa.Table:
    """Rows of two far groups, the first half and the second."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 4)) + np.repeat([0, 50], [rows // 2, rows - rows // 2])[:, None]
    half = [i * len(modalities) // rows for i in range(rows)]
    return pa.table(
        {
            "embedding": pa.array(X.astype(np.float32).tolist(), pa.list_(pa.float32())),
            "Modality": pa.array([modalities[i] for i in half], pa.string()),
            "body_part": pa.array(["CHEST" if i % 2 else None for i in range(rows)], pa.string()),
            "cluster": pa.array(half, pa.int32()),
            "PatientName": pa.array([CANARY] * rows),
        }
    )


def full() -> ReportData:
    return ReportData(
        title="A run of the experiment",
        metrics=metrics_table(all_rows()),
        file_status={"parsed": 2871, "quarantined": 63, "duplicate": 48, "duplicate_uid_conflict": 18},
        quarantine_reasons={"not_dicom": 40, "truncated": 23},
        tag_statistics=tag_rows("KVP", "0029xx10 VENDOR"),
        body_part_sources={"declared": 2000, "unknown": 871},
        modalities={"CT": 2000, "MR": 871},
        sample_splits={"test": {"CT": 20, "MR": 20}, "train": {"CT": 72, "MR": 71}},
        embeddings=embeddings(),
        runs=runs_table("ingest", "train"),
        evaluation=EVALUATION,
    )


def nothing() -> ReportData:
    empty = (t.schema.empty_table() for t in (tables.METRICS, tables.TAG_STATISTICS, tables.RUNS))
    metrics, tags, runs = empty
    return ReportData("Nothing", metrics, {}, {}, tags, {}, {}, {}, None, runs, EVALUATION)
