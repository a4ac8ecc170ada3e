"""K-medoids on a matrix of distances, by one of two engines; assignment of rows to given medoids."""

import itertools
import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dicomae.clustering import fasterpam
from dicomae.clustering.distances import manhattan
from dicomae.errors import UsageError

Engine = Literal["fasterpam", "alternate"]

EXHAUSTIVE_ROWS = 12  # at most C(12, 6) = 924 sets of medoids: trying all is instant, and exact
ASSIGNED_TOGETHER = 4096  # rows; bounds the memory, and changes no result


@dataclass(frozen=True)
class KMedoids:
    """A clustering of n rows around k of them.

    Attributes
    ----------
    medoids : int64 `(k,)`, distinct row numbers, ascending.
    labels : int32 `(n,)`, position in `medoids` of the nearest one; the lowest of several. With fewer
        distinct rows than clusters some medoids are equal, and the later of their clusters are empty.
    distance : float32 `(n,)`, to the nearest medoid.
    cost : sum of `distance`.
    n_iter : passes that the engine made; 0 when the optimum was found without any. When it equals
        `maximum_iterations`, the engine may have stopped before it converged.

    Examples
    --------
    >>> import numpy as np
    >>> from dicomae.clustering.kmedoids import KMedoids
    >>> labels, distance = np.array([0, 0, 1], np.int32), np.array([0, 1, 0], np.float32)
    >>> found = KMedoids(np.array([0, 2]), labels, distance, cost=1.0, n_iter=0)
    >>> found.medoids[found.labels].tolist()  # the medoid of each row
    [0, 0, 2]
    """

    medoids: NDArray[np.int64]
    labels: NDArray[np.int32]
    distance: NDArray[np.float32]
    cost: float
    n_iter: int


def fit(
    distances: NDArray[np.float32], n_clusters: int, engine: Engine, maximum_iterations: int, seed: int
) -> KMedoids:
    """The clustering of the matrix's rows into `n_clusters`; the same seed gives the same one.

    Parameters
    ----------
    distances : float32 `(n, n)`, symmetric, finite, zeros on the diagonal.
    n_clusters : k, from 1 to n.
    engine : `fasterpam`, the default: swaps from random medoids to a local optimum. For k = 1 and for
        n ≤ 12 every set of medoids is tried, and the result is the optimum itself.
        `alternate`, the paper's: k-medoids++ and Lloyd-like passes by scikit-learn-extra.
    maximum_iterations : passes over the rows, at least 1.
    seed : of the first medoids, 0 to 2³² - 1.

    Raises
    ------
    UsageError
        `n_clusters` is below 1 or above n, `maximum_iterations` below 1, the engine unknown.
    ValueError
        `distances` is not a square float32 matrix, or not finite.

    References
    ----------
    fasterpam: Schubert & Rousseeuw, Information Systems 101 (2021), doi 10.1016/j.is.2021.101804.
    It starts from random medoids because better starts end no lower: the mean cost over five seeds
    differed by less than 0.1 % between random, k-medoids++ and LAB (scripts/bench/kmedoids.py has the
    first two).
    alternate: Park & Jun, Expert Systems with Applications 36 (2009), doi 10.1016/j.eswa.2008.01.039.

    Examples
    --------
    Rows lie at 0, 1, 2 and at 10, 11, 12 on a line: the middle one of each three is a medoid.

    >>> import numpy as np
    >>> from dicomae.clustering import kmedoids
    >>> from dicomae.clustering.distances import manhattan
    >>> X = np.array([[0], [1], [2], [10], [11], [12]], np.float32)
    >>> found = kmedoids.fit(manhattan(X), 2, "fasterpam", maximum_iterations=300, seed=1)
    >>> found.medoids.tolist(), found.labels.tolist(), found.cost
    ([1, 4], [0, 0, 0, 1, 1, 1], 4.0)
    """
    _check(distances, n_clusters, engine, maximum_iterations)
    if engine == "alternate":
        medoids, n_iter = _alternate(distances, n_clusters, maximum_iterations, seed)
    elif n_clusters == 1:
        medoids, n_iter = _most_central(distances), 0
    elif len(distances) <= EXHAUSTIVE_ROWS:
        medoids, n_iter = _best_of_all(distances, n_clusters), 0
    else:
        medoids, n_iter = _fasterpam(distances, n_clusters, maximum_iterations, seed)
    return _clustering(distances, np.sort(medoids).astype(np.int64), n_iter)


def assign(
    X: NDArray[np.float32], medoids: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Label int32 `(n,)` and Manhattan distance float32 `(n,)` of each row's nearest medoid.

    The lowest of several nearest medoids is taken. A row's result does not depend on the rows beside
    it, and it equals that of `fit` on `manhattan(X)`.

    Parameters
    ----------
    X : float32 `(n, d)`, finite.
    medoids : float32 `(k, d)`, finite, k ≥ 1: the medoids' rows, in the order of the clusters.

    Raises
    ------
    ValueError
        The widths differ, a value is not finite, or there is no medoid.

    Examples
    --------
    >>> import numpy as np
    >>> from dicomae.clustering import kmedoids
    >>> X, medoids = np.array([[0], [4], [9]], np.float32), np.array([[1], [10]], np.float32)
    >>> labels, distance = kmedoids.assign(X, medoids)
    >>> labels.tolist(), distance.tolist()
    ([0, 0, 1], [1.0, 3.0, 1.0])
    """
    if len(medoids) == 0:
        raise ValueError("there must be at least one medoid")
    labels = np.empty(len(X), np.int32)
    distance = np.empty(len(X), np.float32)
    for start in range(0, len(X), ASSIGNED_TOGETHER):
        part = slice(start, start + ASSIGNED_TOGETHER)
        to_medoids = manhattan(X[part], medoids)
        labels[part] = to_medoids.argmin(axis=1)
        distance[part] = to_medoids.min(axis=1)
    return labels, distance


def by_cluster(
    found: KMedoids,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Number of rows of each cluster, and the sums of their distances and of the squares, each `(k,)`.

    Examples
    --------
    Rows lie at 0, 1, 3 and 10 on a line. The medoids are those at 1 and at 10.

    >>> import numpy as np
    >>> from dicomae.clustering import kmedoids
    >>> from dicomae.clustering.distances import manhattan
    >>> distances = manhattan(np.array([[0], [1], [3], [10]], np.float32))
    >>> found = kmedoids.fit(distances, 2, "fasterpam", maximum_iterations=300, seed=1)
    >>> [values.tolist() for values in kmedoids.by_cluster(found)]
    [[3, 1], [3.0, 0.0], [5.0, 0.0]]
    """
    k, distance = len(found.medoids), found.distance.astype(np.float64)
    sizes = np.bincount(found.labels, minlength=k)
    sums, squares = (np.bincount(found.labels, weights, k) for weights in (distance, distance**2))
    return sizes, sums.astype(np.float64), squares.astype(np.float64)


def _check(distances: NDArray[np.float32], n_clusters: int, engine: Engine, maximum_iterations: int) -> None:
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1] or distances.dtype != np.float32:
        raise ValueError(f"distances must be float32 (n, n), not {distances.dtype} {distances.shape}")
    if engine not in get_args(Engine):
        raise UsageError(f"engine must be one of {', '.join(get_args(Engine))}, not {engine!r}")
    if maximum_iterations < 1:
        raise UsageError(f"maximum_iterations must be at least 1, not {maximum_iterations}")
    if n_clusters < 1:
        raise UsageError(f"n_clusters must be at least 1, not {n_clusters}")
    if n_clusters > len(distances):
        raise UsageError(f"n_clusters is {n_clusters}, but there are only {len(distances)} rows to cluster")


def _clustering(distances: NDArray[np.float32], medoids: NDArray[np.int64], n_iter: int) -> KMedoids:
    to_medoids = distances[:, medoids]
    distance = to_medoids.min(axis=1)
    cost = float(distance.sum(dtype=np.float64))
    if not np.isfinite(cost):
        raise ValueError("distances must be finite: there is a NaN or an infinity among them")
    return KMedoids(medoids, to_medoids.argmin(axis=1).astype(np.int32), distance, cost, n_iter)


def _most_central(distances: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.array([distances.sum(axis=1, dtype=np.float64).argmin()])


def _best_of_all(distances: NDArray[np.float32], n_clusters: int) -> NDArray[np.int64]:
    candidates = np.array(list(itertools.combinations(range(len(distances)), n_clusters)))
    costs = distances[candidates].min(axis=1).sum(axis=1, dtype=np.float64)
    best: NDArray[np.int64] = candidates[costs.argmin()]
    return best


def _fasterpam(
    distances: NDArray[np.float32], n_clusters: int, maximum_iterations: int, seed: int
) -> tuple[NDArray[np.int64], int]:
    start = np.random.default_rng(seed).choice(len(distances), n_clusters, replace=False)
    medoids, _, n_iter = fasterpam.improve(distances, start, maximum_iterations)
    return medoids, n_iter


def _alternate(
    distances: NDArray[np.float32], n_clusters: int, maximum_iterations: int, seed: int
) -> tuple[NDArray[np.int64], int]:
    with warnings.catch_warnings():
        # It uses what distutils and scikit-learn 1.10 drop (both are pinned), and warns of empty
        # clusters and of reaching maximum_iterations, which `KMedoids` says of itself.
        warnings.simplefilter("ignore")
        from sklearn_extra.cluster import KMedoids as Alternate

        model = Alternate(
            n_clusters=n_clusters,
            metric="precomputed",
            method="alternate",
            init="k-medoids++",
            max_iter=maximum_iterations,
            random_state=seed,
        ).fit(distances)
    return _distinct(model.medoid_indices_, len(distances)), int(model.n_iter_) + 1


def _distinct(medoids: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """The medoids; the first rows that are none replace those that repeat another. The cost cannot rise."""
    unique = np.unique(medoids)
    others = np.setdiff1d(np.arange(n), unique)[: len(medoids) - len(unique)]
    return np.concatenate([unique, others])
