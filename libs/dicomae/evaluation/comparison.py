"""Does compressed data group as well as original data? Scores for every K, and their significance.

Some scores say nothing, and are null. None of them counts as evidence:

- Where all rows have one label, a score of 1 is that of any clusters.
- Where neither space has two clusters among the rows, as for K = 1, both scores are those of any data.
- Rows of one patient are no sample of patients: their scores stand, but nothing is tested with them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dicomae.codes import FeatureSet, ModelKind, Space
from dicomae.config import EvaluationConfig
from dicomae.evaluation import scores, significance
from dicomae.evaluation.assigned import Assigned
from dicomae.tables import Metric

Labels = Mapping[str, Sequence[str | None]]  # label -> a value for each row
Clusters = Mapping[str, Mapping[int, npt.NDArray[np.int32]]]  # space -> K -> a cluster for each row

SCORES = ("homogeneity", "normalized_mutual_information")


@dataclass(frozen=True)
class Way:
    """One way to compare: by which model, and on which instances.

    Attributes
    ----------
    name : label `way` of the metrics.
    feature_set, kind : of the model whose space is compared with the original one.
    declared_only : take only instances whose body part was declared, none whose body part was filled in.

    Examples
    --------
    >>> Way("paper", FeatureSet.ALL, ModelKind.AUTOENCODER).space
    <Space.COMPRESSED: 'compressed'>
    """

    name: str
    feature_set: FeatureSet
    kind: ModelKind
    declared_only: bool = False

    @property
    def model(self) -> tuple[str, str]:
        """Its feature set and kind: the key of `models`."""
        return self.feature_set, self.kind

    @property
    def space(self) -> Space:
        """The space that is compared with the original one."""
        return self.kind.space


PAPER = Way("paper", FeatureSet.ALL, ModelKind.AUTOENCODER)  # the answer, the cluster cards and the map
WAYS = (
    PAPER,
    Way("without_labels", FeatureSet.WITHOUT_LABELS, ModelKind.AUTOENCODER),
    Way("declared_only", FeatureSet.ALL, ModelKind.AUTOENCODER, declared_only=True),
)


def compare_ways(by_model: Mapping[tuple[str, str], Assigned], config: EvaluationConfig) -> list[Metric]:
    """The metrics of every way whose model is there: scores, tests, and of how many patients and devices.

    Parameters
    ----------
    by_model : (feature set, kind) -> the instances under this model.

    Examples
    --------
    >>> found = {2: np.array([0, 1], np.int32)}
    >>> clusters = {"original": found, "compressed": found}
    >>> rows = Assigned({"Modality": ["CT", "MR"]}, np.array([True, True]), ["P1", "P2"], clusters)
    >>> config = EvaluationConfig("arithmetic", 0.05, 0.02, bootstrap_samples=100, seed=1)
    >>> sorted({metric.labels["way"] for metric in compare_ways({("all", "autoencoder"): rows}, config)})
    ['declared_only', 'paper']
    """
    metrics: list[Metric] = []
    for way in WAYS:
        if way.model in by_model:
            rows = by_model[way.model]
            chosen = rows.where(rows.declared) if way.declared_only else rows
            patients = len(set(chosen.patients))
            metrics += compare(way.name, chosen.labels, chosen.clusters, config, is_tested=patients > 1)
            metrics.append(Metric("patients", {"way": way.name}, float(patients)))
            if chosen.devices:
                metrics.append(Metric("devices", {"way": way.name}, float(len(set(chosen.devices)))))
    return metrics


def compare(
    way: str, labels: Labels, clusters: Clusters, config: EvaluationConfig, is_tested: bool = True
) -> list[Metric]:
    """Scores of both spaces with regard to each label, then the tests of one series against the other.

    Beside them stands how many values each label has. The module says which scores are null.

    Parameters
    ----------
    labels : label -> (n,) values; None is unknown.
    clusters : space -> K -> (n,) cluster of each row, for the original space and one other.
    is_tested : whether the rows are a sample of which tests say something; otherwise all tests are null.

    Raises
    ------
    ValueError
        `clusters` has other spaces than these two.

    Examples
    --------
    >>> labels = {"Modality": ["CT", "CT", "MR", "MR"]}
    >>> apart, mixed = np.array([0, 0, 1, 1], np.int32), np.array([0, 1, 0, 1], np.int32)
    >>> clusters = {"original": {2: apart}, "compressed": {2: mixed}}
    >>> config = EvaluationConfig("arithmetic", 0.05, 0.02, bootstrap_samples=100, seed=1)
    >>> found = compare("paper", labels, clusters, config)
    >>> [(m.labels["space"], m.labels["n_clusters"], m.value) for m in found if m.name == "homogeneity"]
    [('original', 2, 1.0), ('compressed', 2, 0.0)]
    """
    others = [space for space in clusters if space != Space.ORIGINAL]
    if len(others) != 1 or len(clusters) != 2:
        raise ValueError(f"a way compares the original space with one other, not {sorted(clusters)}")
    metrics: list[Metric] = []
    for label, truth in labels.items():
        values = len(set(truth) - {None})
        metrics.append(Metric("label_values", {"way": way, "label": label}, float(values)))
        telling = _telling(truth, clusters) if values > 1 else frozenset()
        for score in SCORES:
            series = {space: _series(score, truth, by_k, telling, config) for space, by_k in clusters.items()}
            about = {"way": way, "label": label}
            for space, by_k in series.items():
                metrics += [
                    Metric(score, {**about, "space": space, "n_clusters": k}, _defined(v))
                    for k, v in by_k.items()
                ]
            metrics += _significance({**about, "score": score}, others[0], series, config, is_tested)
    return metrics


def _telling(truth: Sequence[str | None], clusters: Clusters) -> frozenset[int]:
    """The K for which a space, or both, has two clusters or more among the rows that have a label."""
    labelled = np.array([value is not None for value in truth])
    return frozenset(
        k for by_k in clusters.values() for k, found in by_k.items() if len(np.unique(found[labelled])) > 1
    )


def _series(
    score: str,
    truth: Sequence[str | None],
    by_k: Mapping[int, npt.NDArray[np.int32]],
    telling: Collection[int],
    config: EvaluationConfig,
) -> dict[int, float]:
    """The score for each K; NaN for a K that is not in `telling`."""
    if score == "homogeneity":
        measured = {k: scores.homogeneity(truth, found) for k, found in by_k.items()}
    else:
        mean = config.average_method
        measured = {k: scores.normalized_mutual_information(truth, found, mean) for k, found in by_k.items()}
    return {k: value if k in telling else float("nan") for k, value in measured.items()}


def _significance(
    about: dict[str, object],
    other: str,
    series: Mapping[str, Mapping[int, float]],
    config: EvaluationConfig,
    is_tested: bool,
) -> list[Metric]:
    original, compressed = series[Space.ORIGINAL], series[other]
    both = [k for k in original if k in compressed] if is_tested else []
    found = significance.compare([original[k] for k in both], [compressed[k] for k in both], config)
    plain = ("wilcoxon_p", "tost_p", "mean_difference", "mean_difference_low", "mean_difference_high")
    return [
        Metric("shapiro_p", {**about, "space": Space.ORIGINAL}, _defined(found.shapiro_original)),
        Metric("shapiro_p", {**about, "space": other}, _defined(found.shapiro_compressed)),
        Metric("p_value", {**about, "test": found.test}, _defined(found.p_value)),
        *(Metric(name, dict(about), _defined(getattr(found, name))) for name in plain),
    ]


def _defined(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def table_1(metrics: Sequence[Metric], way: str = PAPER.name) -> list[dict[str, object]]:
    """The rows of the paper's Table I: label, score, Shapiro-Wilk of both series, test and p-value.

    Examples
    --------
    >>> about = {"way": "paper", "label": "Modality", "score": "homogeneity"}
    >>> table_1(
    ...     [
    ...         Metric("shapiro_p", {**about, "space": "original"}, 0.6),
    ...         Metric("shapiro_p", {**about, "space": "compressed"}, 0.7),
    ...         Metric("p_value", {**about, "test": "paired_t"}, 0.157),
    ...     ]
    ... )  # doctest: +NORMALIZE_WHITESPACE
    [{'label': 'Modality', 'score': 'homogeneity', 'shapiro_original': 0.6, 'shapiro_compressed': 0.7,
      'test': 'paired_t', 'p_value': 0.157}]
    """
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
