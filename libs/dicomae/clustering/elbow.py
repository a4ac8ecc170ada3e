"""The elbow of a falling, convex curve.

References
----------
V. Satopää, J. Albrecht, D. Irwin, B. Raghavan: Finding a "Kneedle" in a haystack. ICDCS Workshops
(2011), doi 10.1109/ICDCSW.2011.20.
"""

from collections.abc import Sequence

import numpy as np
from kneed import KneeLocator


def find(n_clusters: Sequence[int], sums: Sequence[float]) -> int | None:
    """The number of clusters at the elbow, or None where there is none.

    Parameters
    ----------
    n_clusters : different numbers of clusters, in any order.
    sums : of squared distances, one for each.

    Returns
    -------
    None for a straight, flat or concave line, for fewer than three points, and where a sum is not
    finite. An end of the line is no elbow, though `kneed` can name it.

    Raises
    ------
    ValueError
        The lengths differ.
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
