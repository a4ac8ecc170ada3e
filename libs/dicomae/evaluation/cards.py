"""Cluster cards: how large a cluster is, what is in it, and which columns set it apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicomae.evaluation.comparison import Metric

TELLING = 5  # columns shown of each cluster
SHARES = 5  # values shown of each label
MINIMUM_ROWS = 5  # a category of fewer rows could point at one person


@dataclass(frozen=True)
class Column:
    """What a column of X stands for; `value` is the category of a categorical feature."""

    feature: str
    kind: str
    value: str | None


def cards(
    cluster: npt.NDArray[np.int32],
    labels: Mapping[str, Sequence[str | None]],
    X: npt.NDArray[np.float32],
    columns: Sequence[Column],
) -> list[Metric]:
    """Metrics that describe each cluster.

    Parameters
    ----------
    cluster : (n,) cluster of each row.
    labels : label -> (n,) values; null is counted as "unknown".
    X : (n, d) the rows' columns, in [0, 1]; `columns` says what each is.
    """
    metrics: list[Metric] = []
    overall = X.mean(axis=0) if len(X) else np.zeros(X.shape[1], np.float32)
    rows_with = (X > 0).sum(axis=0)
    for number in np.unique(cluster):
        inside = cluster == number
        about: dict[str, object] = {"cluster": int(number)}
        metrics.append(("cluster_size", about, float(inside.sum())))
        for label, values in labels.items():
            counts = Counter(values[i] or "unknown" for i in np.flatnonzero(inside))
            top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SHARES]
            metrics += [
                ("cluster_share", {**about, "tag": label, "value": value}, n / inside.sum())
                for value, n in top
            ]
        mean = X[inside].mean(axis=0)
        metrics += _telling(about, mean, overall, rows_with, columns)
    return metrics


def _telling(
    about: dict[str, object],
    mean: npt.NDArray[np.float32],
    overall: npt.NDArray[np.float32],
    rows_with: npt.NDArray[np.int64],
    columns: Sequence[Column],
) -> list[Metric]:
    metrics: list[Metric] = []
    seen: set[str] = set()
    for i in np.argsort(-np.abs(mean - overall), kind="stable"):
        column = columns[i]
        categorical = column.kind == "categorical"
        rare_or_absent = categorical and (mean[i] < overall[i] or rows_with[i] < MINIMUM_ROWS)
        if column.feature in seen or rare_or_absent:
            continue
        seen.add(column.feature)
        labels = {**about, "feature": column.feature, "kind": column.kind}
        if column.value is not None:
            labels["value"] = column.value
        metrics += [
            ("telling_tag", labels, float(mean[i])),
            ("telling_tag_overall", labels, float(overall[i])),
        ]
        if len(seen) == TELLING:
            break
    return metrics
