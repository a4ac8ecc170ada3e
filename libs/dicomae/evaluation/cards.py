"""Cluster cards: how large a cluster is, what is in it, and which columns set it apart.

A cluster of fewer than `MINIMUM_PATIENTS` patients has no card, and a value that fewer of a cluster's
patients have is no share of it: both could point at one person. The limit holds whatever the vocabulary was
fitted with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicomae.evaluation import cells
from dicomae.evaluation.cells import MINIMUM_PATIENTS
from dicomae.tables import Metric

TELLING = 5  # columns shown of each cluster
SHARES = 5  # values shown of each label


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
    """Metrics that describe each cluster, and how many clusters and instances are left out for few patients.

    Parameters
    ----------
    cluster : (n,) cluster of each row.
    labels : label -> (n,) values; null is counted as "unknown".
    patients : (n,) the rows' patients; all nulls count as one.
    X : (n, d) the rows' columns, in [0, 1]; `columns` says what each is.

    Examples
    --------
    Two clusters of CT and of MR, told apart by the tube voltage alone; one patient alone is in the second.

    >>> import numpy as np
    >>> from dicomae.evaluation.cards import Column, cards
    >>> found = cards(
    ...     np.array([0, 0, 0, 0, 0, 1], np.int32),
    ...     {"Modality": ["CT"] * 5 + ["MR"]},
    ...     ["P1", "P2", "P3", "P4", "P5", "P6"],
    ...     np.array([[1.0], [0.5], [1.0], [0.5], [0.75], [0.0]], np.float32),
    ...     [Column("KVP", "numeric", None)],
    ... )
    >>> for metric in found:
    ...     print(metric.name, metric.labels, metric.value)
    cluster_size {'cluster': 0} 5.0
    cluster_share {'cluster': 0, 'tag': 'Modality', 'value': 'CT'} 1.0
    telling_tag {'cluster': 0, 'feature': 'KVP', 'kind': 'numeric'} 0.75
    telling_tag_overall {'cluster': 0, 'feature': 'KVP', 'kind': 'numeric'} 0.625
    clusters_of_few_patients {} 1.0
    instances_of_few_patients {} 1.0
    """
    metrics: list[Metric] = []
    overall = X.mean(axis=0) if len(X) else np.zeros(X.shape[1], np.float32)
    few: list[int] = []
    for number in np.unique(cluster):
        rows = np.flatnonzero(cluster == number)
        who = [patients[i] for i in rows]
        if len(set(who)) < MINIMUM_PATIENTS:
            few.append(len(rows))
            continue
        about: dict[str, object] = {"cluster": int(number)}
        metrics.append(Metric("cluster_size", about, float(len(rows))))
        for label, values in labels.items():
            metrics += _shares({**about, "tag": label}, [values[i] or "unknown" for i in rows], who)
        # A category whose patients in the cluster are enough has enough in the whole.
        is_common = _patients_with(X[rows], who) >= MINIMUM_PATIENTS
        metrics += _telling(about, X[rows].mean(axis=0), overall, is_common, columns)
    if few:
        metrics.append(Metric("clusters_of_few_patients", {}, float(len(few))))
        metrics.append(Metric("instances_of_few_patients", {}, float(sum(few))))
    return metrics


def _shares(about: dict[str, object], values: Sequence[str], who: Sequence[str | None]) -> list[Metric]:
    """The shares of a cluster's values that may be named, the largest first; the rest is left of 1."""
    return [
        Metric("cluster_share", {**about, "value": value}, n / len(values))
        for value, n in cells.count(values, who, SHARES).items()
        if value != cells.OTHERS
    ]


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
