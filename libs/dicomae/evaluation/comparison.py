"""Does compressed data group as well as original data? Scores for every K, and their significance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dicomae.config import EvaluationConfig
from dicomae.evaluation import scores, significance
from dicomae.tables import Metric

Labels = Mapping[str, Sequence[str | None]]  # label -> a value for each row
Clusters = Mapping[str, Mapping[int, npt.NDArray[np.int32]]]  # space -> K -> a cluster for each row

SCORES = ("homogeneity", "normalized_mutual_information")


def compare(way: str, labels: Labels, clusters: Clusters, config: EvaluationConfig) -> list[Metric]:
    """Scores of both spaces with regard to each label, then the tests of one series against the other."""
    metrics: list[Metric] = []
    for label, truth in labels.items():
        for score in SCORES:
            series = {space: _series(score, truth, by_k, config) for space, by_k in clusters.items()}
            about = {"way": way, "label": label}
            for space, by_k in series.items():
                metrics += [
                    Metric(score, {**about, "space": space, "n_clusters": k}, _defined(v))
                    for k, v in by_k.items()
                ]
            metrics += _significance({**about, "score": score}, series, config)
    return metrics


def _series(
    score: str,
    truth: Sequence[str | None],
    by_k: Mapping[int, npt.NDArray[np.int32]],
    config: EvaluationConfig,
) -> dict[int, float]:
    if score == "homogeneity":
        return {k: scores.homogeneity(truth, found) for k, found in by_k.items()}
    mean = config.average_method
    return {k: scores.normalized_mutual_information(truth, found, mean) for k, found in by_k.items()}


def _significance(
    about: dict[str, object], series: Mapping[str, Mapping[int, float]], config: EvaluationConfig
) -> list[Metric]:
    original, compressed = (list(series[space].values()) for space in ("original", "compressed"))
    found = significance.compare(original, compressed, config)
    plain = ("wilcoxon_p", "tost_p", "mean_difference", "mean_difference_low", "mean_difference_high")
    return [
        Metric("shapiro_p", {**about, "space": "original"}, _defined(found.shapiro_original)),
        Metric("shapiro_p", {**about, "space": "compressed"}, _defined(found.shapiro_compressed)),
        Metric("p_value", {**about, "test": found.test}, _defined(found.p_value)),
        *(Metric(name, dict(about), _defined(getattr(found, name))) for name in plain),
    ]


def _defined(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def table_1(metrics: Sequence[Metric], way: str = "paper") -> list[dict[str, object]]:
    """The rows of the paper's Table I: label, score, Shapiro-Wilk of both series, test and p-value."""
    rows: dict[tuple[object, object], dict[str, object]] = {}
    for metric in metrics:
        labels = metric.labels
        if labels.get("way") != way or metric.name not in ("shapiro_p", "p_value"):
            continue
        row = rows.setdefault((labels["label"], labels["score"]), {k: labels[k] for k in ("label", "score")})
        if metric.name == "p_value":
            row.update(test=labels["test"], p_value=metric.value)
        else:
            row[f"shapiro_{labels['space']}"] = metric.value
    return list(rows.values())
