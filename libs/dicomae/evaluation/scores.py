"""How well clusters agree with labels.

Rows without a label (None) are left out of a score; the caller counts them.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import homogeneity_score, normalized_mutual_info_score

AverageMethod = Literal["arithmetic", "geometric", "min", "max"]


def homogeneity(labels_true: Sequence[str | None], labels_pred: ArrayLike) -> float:
    """1 - H(C|K) / H(C), in [0, 1]: 1 when each cluster holds one label only.

    Parameters
    ----------
    labels_true : `(n,)` labels C; None for a row without a label.
    labels_pred : `(n,)` integer clusters K.

    Returns
    -------
    NaN when no row has a label. 1 when all labels are the same.

    References
    ----------
    A. Rosenberg, J. Hirschberg: V-Measure. EMNLP-CoNLL (2007), aclanthology.org/D07-1043.

    Examples
    --------
    Clusters of one label each are homogeneous, however many there are. One cluster of all rows says
    nothing of the labels.

    >>> from dicomae.evaluation.scores import homogeneity
    >>> homogeneity(["CT", "CT", "MR", None], [0, 1, 2, 2])
    1.0
    >>> homogeneity(["CT", "CT", "MR", "MR"], [0, 0, 0, 0])
    0.0
    """
    true, pred = _labelled(labels_true, labels_pred)
    return float(homogeneity_score(true, pred)) if len(true) else float("nan")


def normalized_mutual_information(
    labels_true: Sequence[str | None], labels_pred: ArrayLike, average_method: AverageMethod
) -> float:
    """I(C; K) over a mean of H(C) and H(K), in [0, 1].

    Parameters
    ----------
    labels_true, labels_pred : as in `homogeneity`.
    average_method : the mean. The paper's equation (2) is misprinted; its code takes `arithmetic`.

    Returns
    -------
    NaN when no row has a label. 1 when there is one label and one cluster. 0 when there is one label
    and several clusters, or one cluster and several labels.

    References
    ----------
    N. X. Vinh, J. Epps, J. Bailey: JMLR 11 (2010) 2837-2854.

    Examples
    --------
    Each row as its own cluster is homogeneous, but this score counts the clusters: with two labels and
    four clusters I = H(C) = log 2 and H(K) = log 4, so that I over their mean is 1 / 1.5.

    >>> from dicomae.evaluation.scores import normalized_mutual_information
    >>> labels = ["CT", "CT", "MR", "MR"]
    >>> round(normalized_mutual_information(labels, [0, 1, 2, 3], "arithmetic"), 3)
    0.667
    >>> round(normalized_mutual_information(labels, [1, 1, 0, 0], "arithmetic"), 3)
    1.0
    """
    true, pred = _labelled(labels_true, labels_pred)
    if not len(true):
        return float("nan")
    return float(normalized_mutual_info_score(true, pred, average_method=average_method))


def _labelled(
    labels_true: Sequence[str | None], labels_pred: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the labels, and clusters, of the rows that have a label.

    Labels are numbered in alphabetical order, so that the order of the rows changes no bit.
    """
    pred = np.asarray(labels_pred)
    if len(labels_true) != len(pred):
        raise ValueError(f"{len(labels_true)} labels, but {len(pred)} clusters")
    rows = np.array([i for i, label in enumerate(labels_true) if label is not None], np.int64)
    known = [label for label in labels_true if label is not None]
    numbers = {label: number for number, label in enumerate(sorted(set(known)))}
    return np.array([numbers[label] for label in known], np.int64), pred[rows]
