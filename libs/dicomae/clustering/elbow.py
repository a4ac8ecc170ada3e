"""The elbow of a falling, convex curve, and which number of clusters to show when it has none.

References
----------
V. Satopää, J. Albrecht, D. Irwin, B. Raghavan: Finding a "Kneedle" in a haystack. ICDCS Workshops
(2011), doi 10.1109/ICDCSW.2011.20.
"""

from collections.abc import Sequence

import numpy as np
from kneed import KneeLocator


def find(n_clusters: Sequence[int], sums: Sequence[float]) -> int | None:
    """The number of clusters at the elbow; None when there is none.

    Parameters
    ----------
    n_clusters : different numbers of clusters, in any order.
    sums : of squared distances, one for each number of clusters.

    Returns
    -------
    None for a straight, flat or concave line, for fewer than three points, and when a sum is not finite.
    An end of the line is never the elbow, although `kneed` can name one.

    Raises
    ------
    ValueError
        The lengths differ.

    Examples
    --------
    A second cluster takes away 80 of 100, each further one only 5: the elbow is at 2.

    >>> from dicomae.clustering import elbow
    >>> elbow.find([1, 2, 3, 4, 5], [100, 20, 15, 10, 5])
    2
    >>> elbow.find([1, 2, 3], [30, 20, 10]) is None  # a straight line
    True
    """
    if len(n_clusters) != len(sums):
        raise ValueError(f"{len(n_clusters)} numbers of clusters, but {len(sums)} sums")
    y = np.asarray(sums, np.float64)
    if len(y) < 3 or not np.isfinite(y).all() or y.min() == y.max():
        return None
    order = np.argsort(n_clusters)
    x = np.asarray(n_clusters)[order]
    knee = KneeLocator(x, y[order], curve="convex", direction="decreasing").knee
    return int(knee) if knee is not None and x[0] < knee < x[-1] else None


def shown(elbow: int | None, n_clusters: Sequence[int]) -> int:
    """The number of clusters to describe one by one: that at the elbow.

    When there is no elbow, it is the middle one of those tried; of two in the middle, the larger.

    Parameters
    ----------
    elbow : what `find` has found.
    n_clusters : the numbers of clusters that were tried, at least one, in any order.

    Examples
    --------
    >>> shown(15, [4, 7, 11, 15, 20, 25])
    15
    >>> shown(None, [4, 7, 11, 15])
    11
    >>> shown(None, [4, 7, 11])
    7
    """
    return sorted(n_clusters)[len(n_clusters) // 2] if elbow is None else elbow
