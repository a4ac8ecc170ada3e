"""Medoids in every space of a model: fitted on a split, their sums for each K, and the nearest of each row.

Rows of `medoids` and of `assignments` are made here. The adapters read what goes in, and write them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dicomae.clustering import distances, elbow, kmedoids
from dicomae.clustering.kmedoids import KMedoids
from dicomae.config import ClusteringConfig
from dicomae.errors import UsageError
from dicomae.tables import ASSIGNMENTS, MEDOIDS, Metric

Series = tuple[str, str]  # feature set and space: sums by K are one curve


@dataclass(frozen=True)
class SplitVectors:
    """The rows of a split as one model sees them.

    Attributes
    ----------
    uids : SOPInstanceUID of each row.
    X : space -> float32 `(n, width)`, rows in the order of `uids`.
    """

    feature_set: str
    model_id: str
    uids: Sequence[str]
    X: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Medoids:
    """The medoids of one model in one space.

    Attributes
    ----------
    vectors : K -> float32 `(K, width)`, in the order of the clusters.
    """

    model_id: str
    space: str
    vectors: Mapping[int, NDArray[np.float32]]

    @property
    def width(self) -> int:
        """Columns of the space."""
        return int(next(iter(self.vectors.values())).shape[1])


@dataclass(frozen=True)
class Sums:
    """Sums over the training rows of one K: their distances to the nearest medoid, plain and squared.

    Examples
    --------
    Of two rows one lies 1 and the other 2 away from its medoid:

    >>> Sums(distances=1.0 + 2.0, squares=1.0**2 + 2.0**2)
    Sums(distances=3.0, squares=5.0)
    """

    distances: float
    squares: float


def check_enough(rows: int, n_clusters: Sequence[int]) -> None:
    """Raise UsageError when a number of clusters is above the number of training rows.

    Examples
    --------
    >>> check_enough(rows=8, n_clusters=[4, 9])
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: clustering.n_clusters: 9 clusters of 8 training instances; leave out K above 8
    """
    k = max(n_clusters)
    if k > rows:
        raise UsageError(
            f"clustering.n_clusters: {k} clusters of {rows} training instances; leave out K above {rows}"
        )


@dataclass(frozen=True)
class DistinctRows:
    """How many rows of a split differ, in the space where the fewest do; more clusters would be empty.

    Attributes
    ----------
    rows : different rows.
    left_out : the numbers of clusters above that.

    Examples
    --------
    >>> DistinctRows(rows=37, left_out=(40, 50)).words()
    '37 training rows differ; K = 40, 50 left out'
    """

    rows: int
    left_out: tuple[int, ...]

    def words(self) -> str:
        """What a person should know of it: "37 training rows differ; K = 40, 50 left out"."""
        return f"{self.rows} training rows differ; K = {', '.join(map(str, self.left_out))} left out"


def distinct_rows(train: SplitVectors, n_clusters: Sequence[int]) -> DistinctRows:
    """The number of different rows, and which of `n_clusters` are above it.

    The same numbers of clusters are left out in all spaces of a model: the evaluation compares them pair by
    pair.

    Raises
    ------
    UsageError
        All numbers of clusters are above the number of different rows.

    Examples
    --------
    >>> import numpy as np
    >>> from dicomae.clustering.medoids import SplitVectors, distinct_rows
    >>> X = np.array([[0, 1], [0, 1], [2, 0]], np.float32)
    >>> train = SplitVectors("all", "6c1f375eaee2c7a1", ["1.2.1", "1.2.2", "1.2.3"], {"original": X})
    >>> distinct_rows(train, n_clusters=[2, 3])
    DistinctRows(rows=2, left_out=(3,))
    """
    # 0.0 is added so that -0.0, the same number in other bytes, is no other row.
    rows = min(len({row.tobytes() for row in X + np.float32(0)}) for X in train.X.values())
    left_out = tuple(k for k in n_clusters if k > rows)
    if len(left_out) == len(n_clusters):
        raise UsageError(
            f"clustering.n_clusters: of the training instances {rows} differ ({train.feature_set}); "
            f"give a K of {rows} or less, or ingest more"
        )
    return DistinctRows(rows, left_out)


def fit(
    train: SplitVectors, config: ClusteringConfig, run_id: str, on_fit: Callable[[], object] = lambda: None
) -> pa.Table:
    """Rows of `MEDOIDS` for every space and K; the distance matrix of a space is computed once.

    A K above the number of different rows is left out (`distinct_rows`).

    Parameters
    ----------
    on_fit : called after each K of each space.

    Examples
    --------
    Two pairs of rows have two clusters, each with a medoid in its pair:

    >>> X = np.array([[0, 0], [0, 1], [9, 9], [9, 7]], np.float32)
    >>> train = SplitVectors("all", "6c1f375eaee2c7a1", ["1.2.1", "1.2.2", "1.2.3", "1.2.4"], {"original": X})
    >>> config = ClusteringConfig("fasterpam", n_clusters=(2,), maximum_iterations=100, seed=1)
    >>> found = fit(train, config, run_id="r")
    >>> found.select(["cluster", "SOPInstanceUID", "vector", "train_size", "sum_of_distances"]).to_pylist()[1]
    {'cluster': 1, 'SOPInstanceUID': '1.2.3', 'vector': [9.0, 9.0], 'train_size': 2, 'sum_of_distances': 2.0}
    """
    tables = [MEDOIDS.schema.empty_table()]
    left_out = distinct_rows(train, config.n_clusters).left_out
    for space, X in train.X.items():
        matrix = distances.manhattan(X)
        for k in (k for k in config.n_clusters if k not in left_out):
            found = kmedoids.fit(matrix, k, config.engine, config.maximum_iterations, config.seed)
            tables.append(_rows(train, space, found, config.engine, run_id))
            on_fit()
    return pa.concat_tables(tables)


def _rows(train: SplitVectors, space: str, found: KMedoids, engine: str, run_id: str) -> pa.Table:
    sizes, sums, squares = kmedoids.by_cluster(found)
    k = len(found.medoids)
    columns = {
        "model_id": [train.model_id] * k,
        "feature_set": [train.feature_set] * k,
        "space": [space] * k,
        "n_clusters": [k] * k,
        "cluster": range(k),
        "SOPInstanceUID": [train.uids[row] for row in found.medoids],
        "vector": train.X[space][found.medoids].tolist(),
        "train_size": sizes,
        "sum_of_distances": sums,
        "sum_of_squares": squares,
        "engine": [engine] * k,
        "run_id": [run_id] * k,
    }
    return pa.table(columns, schema=MEDOIDS.schema)


def of_space(medoids: pa.Table, model_id: str, space: str) -> Medoids:
    """The medoids of one model in one space, from rows of `MEDOIDS` in any order.

    Examples
    --------
    >>> rows = pa.table(
    ...     {"model_id": ["m", "m"], "space": ["original"] * 2, "n_clusters": [2, 2], "cluster": [1, 0],
    ...      "vector": [[9.0, 8.0], [0.0, 1.0]]}
    ... )
    >>> of_space(rows, "m", "original").vectors
    {2: array([[0., 1.],
           [9., 8.]], dtype=float32)}
    """
    mine = pc.and_(pc.equal(medoids["model_id"], model_id), pc.equal(medoids["space"], space))
    chosen = medoids.filter(mine).sort_by([("n_clusters", "ascending"), ("cluster", "ascending")])
    by_k: dict[int, list[list[float]]] = {}
    for k, vector in zip(chosen["n_clusters"].to_pylist(), chosen["vector"].to_pylist(), strict=True):
        by_k.setdefault(k, []).append(vector)
    return Medoids(model_id, space, {k: np.array(vectors, np.float32) for k, vectors in by_k.items()})


def sums(medoids: pa.Table) -> dict[Series, dict[int, Sums]]:
    """Sums of every series for each K, both ascending.

    Models of one feature set have the same clusters in the original space: these count once.

    Examples
    --------
    >>> rows = pa.table(
    ...     {"model_id": ["m", "m"], "feature_set": ["all"] * 2, "space": ["original"] * 2,
    ...      "n_clusters": [2, 2], "sum_of_distances": [1.0, 2.0], "sum_of_squares": [1.0, 4.0]}
    ... )
    >>> sums(rows)
    {('all', 'original'): {2: Sums(distances=3.0, squares=5.0)}}
    """
    keys = ["feature_set", "space", "n_clusters", "model_id"]
    summed = medoids.group_by(keys).aggregate([("sum_of_distances", "sum"), ("sum_of_squares", "sum")])
    found: dict[Series, dict[int, Sums]] = {}
    for row in summed.sort_by([(key, "ascending") for key in keys]).to_pylist():
        by_k = found.setdefault((row["feature_set"], row["space"]), {})
        by_k.setdefault(row["n_clusters"], Sums(row["sum_of_distances_sum"], row["sum_of_squares_sum"]))
    return found


def elbows(medoids: pa.Table) -> dict[Series, int | None]:
    """K at the elbow of every series' sums of squares; None for a series without one.

    Examples
    --------
    >>> n_clusters = [1, 2, 3, 4, 5]
    >>> rows = pa.table(
    ...     {"model_id": ["m"] * 5, "feature_set": ["all"] * 5, "space": ["original"] * 5,
    ...      "n_clusters": n_clusters, "sum_of_distances": [0.0] * 5, "sum_of_squares": [10.0, 4, 2, 1, 0]}
    ... )
    >>> elbows(rows)
    {('all', 'original'): 2}
    """
    return {
        series: elbow.find(list(by_k), [found.squares for found in by_k.values()])
        for series, by_k in sums(medoids).items()
    }


def metrics(medoids: pa.Table) -> list[Metric]:
    """Both sums of every series for each K, then the elbow of every series.

    Examples
    --------
    >>> rows = pa.table(
    ...     {"model_id": ["m"], "feature_set": ["all"], "space": ["original"], "n_clusters": [2],
    ...      "sum_of_distances": [3.0], "sum_of_squares": [5.0]}
    ... )
    >>> [(metric.name, metric.value) for metric in metrics(rows)]
    [('sum_of_distances', 3.0), ('sum_of_squared_distances', 5.0), ('elbow', None)]
    """
    found: list[Metric] = []
    for (feature_set, space), by_k in sums(medoids).items():
        for k, of_k in by_k.items():
            about = {"feature_set": feature_set, "space": space, "n_clusters": k}
            found.append(Metric("sum_of_distances", about, of_k.distances))
            found.append(Metric("sum_of_squared_distances", about, of_k.squares))
    for (feature_set, space), at in elbows(medoids).items():
        value = None if at is None else float(at)
        found.append(Metric("elbow", {"feature_set": feature_set, "space": space}, value))
    return found


def assign(uids: pa.Array, X: NDArray[np.float32], medoids: Medoids, run_id: str) -> pa.RecordBatch:
    """Rows of `ASSIGNMENTS`: for every K the nearest medoid of each row, and the Manhattan distance to it.

    Parameters
    ----------
    uids : SOPInstanceUID of each row.
    X : float32 `(n, width)`, the rows in the space of the medoids.

    Examples
    --------
    >>> medoids = Medoids("6c1f375eaee2c7a1", "original", {2: np.array([[0, 0], [9, 9]], np.float32)})
    >>> found = assign(pa.array(["1.2.3"]), np.array([[8, 9]], np.float32), medoids, run_id="r")
    >>> found.column("cluster").to_pylist(), found.column("distance").to_pylist()
    ([[(2, 1)]], [[(2, 1.0)]])
    """
    sizes = sorted(medoids.vectors)
    nearest = [kmedoids.assign(X, medoids.vectors[k]) for k in sizes]
    n = len(uids)
    keys = np.tile(np.array(sizes, np.int32), n)
    clusters = np.stack([labels for labels, _ in nearest], axis=1).reshape(-1)
    to_medoid = np.stack([distance for _, distance in nearest], axis=1).reshape(-1)
    return pa.RecordBatch.from_arrays(
        [
            uids,
            pa.array([medoids.model_id] * n, pa.string()),
            pa.array([medoids.space] * n, pa.string()),
            _maps(keys, pa.array(clusters, pa.int32()), len(sizes)),
            _maps(keys, pa.array(to_medoid, pa.float32()), len(sizes)),
            pa.array([run_id] * n, pa.string()),
        ],
        schema=ASSIGNMENTS.schema,
    )


def _maps(keys: NDArray[np.int32], values: pa.Array, each: int) -> pa.MapArray:
    """Maps of `each` keys to the values beside them, one map a row."""
    offsets = pa.array(np.arange(len(keys) // each + 1, dtype=np.int32) * each)
    return pa.MapArray.from_arrays(offsets, pa.array(keys), values)
