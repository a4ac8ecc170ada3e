"""Cluster cards: how large a cluster is, what is in it, and which columns set it apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicomae.tables import Metric

TELLING = 5  # columns shown of each cluster
SHARES = 5  # values shown of each label
# A category of fewer patients could point at one person, so its text is not shown. Rows are no measure of
# that: one series can have hundreds. The limit holds whatever the vocabulary was fitted with.
MINIMUM_PATIENTS = 5


@dataclass(frozen=True)
class Column:
    """What a column of X stands for; `value` is the category of a categorical feature.

    Examples
    --------
    >>> Column("Manufacturer", "categorical", "ACME").value
    'ACME'
    """

    feature: str
    kind: str
    value: str | None


def cards(
    cluster: npt.NDArray[np.int32],
    labels: Mapping[str, Sequence[str | None]],
    patients: Sequence[str | None],
    X: npt.NDArray[np.float32],
    columns: Sequence[Column],
) -> list[Metric]:
    """Metrics that describe each cluster.

    A category is named only if at least `MINIMUM_PATIENTS` patients of all the rows have it.

    Parameters
    ----------
    cluster : (n,) cluster of each row.
    labels : label -> (n,) values; null is counted as "unknown".
    patients : (n,) the rows' patients; all nulls count as one.
    X : (n, d) the rows' columns, in [0, 1]; `columns` says what each is.

    Examples
    --------
    Two clusters of CT and of MR, told apart by the tube voltage alone:

    >>> found = cards(
    ...     np.array([0, 0, 1], np.int32),
    ...     {"Modality": ["CT", "CT", "MR"]},
    ...     ["P1", "P2", "P3"],
    ...     np.array([[1.0], [0.5], [0.0]], np.float32),
    ...     [Column("KVP", "numeric", None)],
    ... )
    >>> for metric in found[:4]:
    ...     print(metric.name, metric.labels, metric.value)
    cluster_size {'cluster': 0} 2.0
    cluster_share {'cluster': 0, 'tag': 'Modality', 'value': 'CT'} 1.0
    telling_tag {'cluster': 0, 'feature': 'KVP', 'kind': 'numeric'} 0.75
    telling_tag_overall {'cluster': 0, 'feature': 'KVP', 'kind': 'numeric'} 0.5
    """
    metrics: list[Metric] = []
    overall = X.mean(axis=0) if len(X) else np.zeros(X.shape[1], np.float32)
    is_common = _patients_with(X, patients) >= MINIMUM_PATIENTS
    for number in np.unique(cluster):
        inside = cluster == number
        about: dict[str, object] = {"cluster": int(number)}
        metrics.append(Metric("cluster_size", about, float(inside.sum())))
        for label, values in labels.items():
            counts = Counter(values[i] or "unknown" for i in np.flatnonzero(inside))
            top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SHARES]
            metrics += [
                Metric("cluster_share", {**about, "tag": label, "value": value}, n / inside.sum())
                for value, n in top
            ]
        mean = X[inside].mean(axis=0)
        metrics += _telling(about, mean, overall, is_common, columns)
    return metrics


def _patients_with(X: npt.NDArray[np.float32], patients: Sequence[str | None]) -> npt.NDArray[np.int64]:
    """Of each column (d,), the number of patients that have a row in which it is not 0."""
    numbers = {patient: number for number, patient in enumerate(dict.fromkeys(patients))}
    number = np.array([numbers[patient] for patient in patients], np.int64)
    found = np.zeros((len(numbers), X.shape[1]), np.int64)
    np.maximum.at(found, number, X > 0)
    return np.asarray(found.sum(axis=0))


def _telling(
    about: dict[str, object],
    mean: npt.NDArray[np.float32],
    overall: npt.NDArray[np.float32],
    is_common: npt.NDArray[np.bool_],
    columns: Sequence[Column],
) -> list[Metric]:
    metrics: list[Metric] = []
    seen: set[str] = set()
    for i in np.argsort(-np.abs(mean - overall), kind="stable"):
        column = columns[i]
        categorical = column.kind == "categorical"
        rare_or_absent = categorical and (mean[i] < overall[i] or not is_common[i])
        if column.feature in seen or rare_or_absent:
            continue
        seen.add(column.feature)
        labels = {**about, "feature": column.feature, "kind": column.kind}
        if column.value is not None:
            labels["value"] = column.value
        metrics += [
            Metric("telling_tag", labels, float(mean[i])),
            Metric("telling_tag_overall", labels, float(overall[i])),
        ]
        if len(seen) == TELLING:
            break
    return metrics
