"""How well clusters agree with labels, and how tight they are.

Rows without a label (None) are left out of a score; how many those are is the caller's to count.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import homogeneity_score, normalized_mutual_info_score

AverageMethod = Literal["arithmetic", "geometric", "min", "max"]


def homogeneity(labels_true: Sequence[str | None], labels_pred: ArrayLike) -> float:
    """1 - H(C|K) / H(C), in [0, 1]: 1 where each cluster holds one label only.

    Parameters
    ----------
    labels_true : `(n,)` labels C; None where a row has none.
    labels_pred : `(n,)` integer clusters K.

    Returns
    -------
    NaN where no row has a label; 1 where all labels are the same.

    References
    ----------
    A. Rosenberg, J. Hirschberg: V-Measure. EMNLP-CoNLL (2007), aclanthology.org/D07-1043.
    """
    true, pred = _labelled(labels_true, labels_pred)
    return float(homogeneity_score(true, pred)) if len(true) else float("nan")


def normalized_mutual_information(
    labels_true: Sequence[str | None], labels_pred: ArrayLike, average_method: AverageMethod
) -> float:
    """I(C; K) over a mean of H(C) and H(K), in [0, 1].

    Parameters
    ----------
    labels_true, labels_pred : as of `homogeneity`.
    average_method : the mean; the paper's equation (2) is misprinted, its code takes `arithmetic`.

    Returns
    -------
    NaN where no row has a label; 1 where there is one label and one cluster, 0 where there is one
    of only either.

    References
    ----------
    N. X. Vinh, J. Epps, J. Bailey: JMLR 11 (2010) 2837-2854.
    """
    true, pred = _labelled(labels_true, labels_pred)
    if not len(true):
        return float("nan")
    return float(normalized_mutual_info_score(true, pred, average_method=average_method))


def _labelled(
    labels_true: Sequence[str | None], labels_pred: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels, numbered in their own order so that the rows' order changes no bit, and clusters."""
    pred = np.asarray(labels_pred)
    if len(labels_true) != len(pred):
        raise ValueError(f"{len(labels_true)} labels, but {len(pred)} clusters")
    rows = np.array([i for i, label in enumerate(labels_true) if label is not None], np.int64)
    known = [label for label in labels_true if label is not None]
    numbers = {label: number for number, label in enumerate(sorted(set(known)))}
    return np.array([numbers[label] for label in known], np.int64), pred[rows]
