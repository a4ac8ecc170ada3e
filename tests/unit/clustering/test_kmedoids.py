import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from dicomae.clustering import fasterpam
from dicomae.clustering.distances import manhattan
from dicomae.clustering.kmedoids import ASSIGNED_TOGETHER, EXHAUSTIVE_ROWS, KMedoids, assign, by_cluster, fit
from dicomae.errors import UsageError

ENGINES = ("fasterpam", "alternate")

# Five points on a line: 0, 1, 2, 10, 12.
LINE = np.array(
    [
        [0, 1, 2, 10, 12],
        [1, 0, 1, 9, 11],
        [2, 1, 0, 8, 10],
        [10, 9, 8, 0, 2],
        [12, 11, 10, 2, 0],
    ],
    np.float32,
)


def cost_of(distances: np.ndarray, medoids: list[int] | np.ndarray) -> float:
    return sum(min(float(distances[row, m]) for m in medoids) for row in range(len(distances)))


def optimum(distances: np.ndarray, k: int) -> float:
    return min(cost_of(distances, list(m)) for m in itertools.combinations(range(len(distances)), k))


def blobs(n: int, k: int, d: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.random((k, d))
    return (centres[rng.integers(k, size=n)] + rng.normal(0, 0.02, (n, d))).astype(np.float32)


@st.composite
def matrices(draw: st.DrawFn, lowest: int, highest: int) -> np.ndarray:
    """Symmetric, zeros on the diagonal; no metric, and with many ties where values are few."""
    n = draw(st.integers(lowest, highest))
    top = draw(st.sampled_from([1, 3, 1000]))
    half = draw(st.lists(st.integers(0, top), min_size=n * n, max_size=n * n))
    upper = np.triu(np.reshape(half, (n, n)), 1) / 7
    return (upper + upper.T).astype(np.float32)


@pytest.mark.parametrize(
    ("k", "medoids", "labels", "cost"),
    [
        (1, [2], [0, 0, 0, 0, 0], 2 + 1 + 8 + 10),
        (2, [1, 3], [0, 0, 0, 1, 1], 1 + 1 + 2),
        (3, [1, 3, 4], [0, 0, 0, 1, 2], 1 + 1),
        (5, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], 0),
    ],
)
def test_five_points_by_hand(k: int, medoids: list[int], labels: list[int], cost: float) -> None:
    found = fit(LINE, k, "fasterpam", 300, seed=1)
    assert found.medoids.tolist() == medoids
    assert found.labels.tolist() == labels
    assert found.cost == cost
    assert found.distance.tolist() == [LINE[row, medoids[label]] for row, label in enumerate(labels)]
    assert (found.medoids.dtype, found.labels.dtype, found.distance.dtype) == (np.int64, np.int32, np.float32)


def test_swaps_by_hand() -> None:
    # From 0 and 1: row 2 in for row 0 (21 -> 19), row 3 in for row 2 (-> 4), then five rows in vain.
    medoids, costs, n_iter = fasterpam.improve(LINE, np.array([0, 1]), 300)
    assert medoids.tolist() == [3, 1]
    assert costs == [21, 19, 4]
    assert n_iter == 2


@settings(deadline=None, max_examples=300)
@given(matrices(1, 8), st.integers(0, 2**32 - 1), st.data())
def test_equals_brute_force(distances: np.ndarray, seed: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(distances)))
    found = fit(distances, k, "fasterpam", 300, seed)
    assert found.cost == pytest.approx(optimum(distances, k), rel=1e-9, abs=1e-9)
    assert found.cost == pytest.approx(cost_of(distances, found.medoids), rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=200)
@given(matrices(2, 14), st.randoms(use_true_random=False), st.data())
def test_each_swap_lowers_the_cost_until_none_does(
    distances: np.ndarray, random: object, data: st.DataObject
) -> None:
    n = len(distances)
    k = data.draw(st.integers(2, n))
    start = np.array(data.draw(st.permutations(range(n)))[:k])
    medoids, costs, _ = fasterpam.improve(distances, start, 300)
    assert len(set(medoids.tolist())) == k
    assert costs[0] == pytest.approx(cost_of(distances, start), abs=1e-6)
    assert costs[-1] == pytest.approx(cost_of(distances, medoids), abs=1e-6)
    assert all(after < before for before, after in itertools.pairwise(costs))
    for gone, come in itertools.product(medoids.tolist(), set(range(n)) - set(medoids.tolist())):
        swapped = [come if m == gone else m for m in medoids.tolist()]
        assert cost_of(distances, swapped) >= costs[-1] - 1e-6


def test_finds_what_pam_finds() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sklearn_extra.cluster import KMedoids

        X = blobs(300, 7)
        pam = KMedoids(7, metric="manhattan", method="pam", init="build").fit(X)
    found = fit(manhattan(X), 7, "fasterpam", 300, seed=3)
    assert found.cost == pytest.approx(pam.inertia_, rel=1e-6)
    assert found.medoids.tolist() == sorted(pam.medoid_indices_)


@pytest.mark.parametrize("k", [1, 4, 15])
def test_alternate_is_the_published_engine(k: int) -> None:
    X = blobs(400, 9, seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sklearn_extra.cluster import KMedoids

        theirs = KMedoids(
            k, metric="manhattan", method="alternate", init="k-medoids++", max_iter=300, random_state=11
        ).fit(X)
    ours = fit(manhattan(X), k, "alternate", 300, seed=11)
    assert ours.medoids.tolist() == sorted(theirs.medoid_indices_)
    assert ours.cost == pytest.approx(theirs.inertia_, rel=1e-6)
    np.testing.assert_array_equal(
        ours.medoids[ours.labels], np.asarray(theirs.medoid_indices_)[theirs.labels_]
    )


@pytest.mark.parametrize("k", [2, 5, 20])
def test_fasterpam_costs_no_more_than_alternate(k: int) -> None:
    D = manhattan(blobs(300, 12, seed=4))
    assert fit(D, k, "fasterpam", 300, 0).cost <= fit(D, k, "alternate", 300, 0).cost


@pytest.mark.parametrize("engine", ENGINES)
def test_the_seed_decides(engine: str) -> None:
    D = manhattan(np.random.default_rng(5).random((200, 3), dtype=np.float32))
    once, again = (fit(D, 40, engine, 1, seed=6) for _ in range(2))
    assert once.medoids.tolist() == again.medoids.tolist()
    assert once.medoids.tolist() != fit(D, 40, engine, 1, seed=7).medoids.tolist()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("copies", [2, 10])
@pytest.mark.parametrize("k", [3, 5, 6])
def test_more_clusters_than_distinct_rows(engine: str, copies: int, k: int) -> None:
    X = np.repeat(np.eye(3, dtype=np.float32), copies, axis=0)
    for n_clusters in {k, len(X)}:
        found = fit(manhattan(X), n_clusters, engine, 300, seed=0)
        assert len(set(found.medoids.tolist())) == n_clusters
        assert found.cost == 0
        assert len(set(found.labels.tolist())) == 3


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n", [1, 2, EXHAUSTIVE_ROWS, EXHAUSTIVE_ROWS + 1, 40])
def test_one_cluster_and_as_many_as_rows(engine: str, n: int) -> None:
    D = manhattan(np.random.default_rng(n).random((n, 4), dtype=np.float32))
    every = fit(D, n, engine, 300, seed=0)
    assert every.medoids.tolist() == every.labels.tolist() == list(range(n))
    assert every.cost == 0
    assert fit(D, 1, engine, 300, seed=0).cost == pytest.approx(optimum(D, 1), rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_medoids_are_ascending_and_carry_their_own_label(engine: str) -> None:
    found = fit(manhattan(blobs(200, 5, seed=8)), 12, engine, 300, seed=0)
    assert found.medoids.tolist() == sorted(set(found.medoids.tolist()))
    assert found.labels[found.medoids].tolist() == list(range(12))


def test_stops_at_maximum_iterations() -> None:
    D = manhattan(np.random.default_rng(9).random((300, 20), dtype=np.float32))
    one, many = fit(D, 30, "fasterpam", 1, seed=0), fit(D, 30, "fasterpam", 300, seed=0)
    assert one.n_iter == 1 < many.n_iter < 300
    assert one.cost > many.cost


@pytest.mark.parametrize("engine", ENGINES)
def test_too_many_clusters(engine: str) -> None:
    with pytest.raises(UsageError, match="n_clusters is 6, but there are only 5 rows"):
        fit(LINE, 6, engine, 300, 0)
    with pytest.raises(UsageError, match="only 0 rows"):
        fit(LINE[:0, :0], 1, engine, 300, 0)


def test_bad_calls() -> None:
    with pytest.raises(UsageError, match="n_clusters must be at least 1, not 0"):
        fit(LINE, 0, "fasterpam", 300, 0)
    with pytest.raises(UsageError, match="maximum_iterations must be at least 1, not 0"):
        fit(LINE, 2, "fasterpam", 0, 0)
    with pytest.raises(UsageError, match="fasterpam, alternate, not 'clara'"):
        fit(LINE, 2, "clara", 300, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\(4, 5\)"):
        fit(LINE[:4], 2, "fasterpam", 300, 0)
    with pytest.raises(ValueError, match="float64"):
        fit(LINE.astype(float), 2, "fasterpam", 300, 0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("n", [5, 20])
def test_distances_that_are_not_finite(engine: str, k: int, n: int) -> None:
    with pytest.raises(ValueError, match=r"finite|NaN"):
        fit(np.full((n, n), np.nan, np.float32), k, engine, 300, 0)


def test_assign_takes_the_nearest() -> None:
    X, medoids = blobs(500, 6, seed=10), blobs(31, 6, seed=11)
    labels, distance = assign(X, medoids)
    expected = cdist(X.astype(float), medoids.astype(float), "cityblock")
    np.testing.assert_array_equal(labels, expected.argmin(axis=1))
    np.testing.assert_allclose(distance, expected.min(axis=1), rtol=1e-6, atol=1e-6)
    assert (labels.dtype, distance.dtype) == (np.int32, np.float32)


def test_assign_takes_the_lowest_of_several() -> None:
    medoids = np.array([[9, 9], [0, 1], [1, 0], [0, 1]], np.float32)
    labels, distance = assign(np.array([[0, 0], [1, 1], [0, 1]], np.float32), medoids)
    assert labels.tolist() == [1, 1, 1]
    assert distance.tolist() == [1, 1, 0]


@pytest.mark.parametrize("size", [1, 7, 999, 10_000])
def test_assign_does_not_depend_on_batches(size: int) -> None:
    X = np.random.default_rng(12).random((ASSIGNED_TOGETHER + 5 if size > 900 else 50, 5), dtype=np.float32)
    whole = assign(X, X[:20])
    parts = [assign(X[i : i + size], X[:20]) for i in range(0, len(X), size)]
    for of_whole, of_parts in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(of_whole, np.concatenate(of_parts))


def test_assign_repeats_fit() -> None:
    X = np.random.default_rng(13).integers(0, 3, (300, 5)).astype(np.float32)  # many ties
    found = fit(manhattan(X), 25, "fasterpam", 300, seed=0)
    labels, distance = assign(X, X[found.medoids])
    np.testing.assert_array_equal(labels, found.labels)
    np.testing.assert_array_equal(distance, found.distance)


def test_assign_bad_calls() -> None:
    X = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="at least one medoid"):
        assign(X, X[:0])
    with pytest.raises(ValueError, match="columns"):
        assign(X, np.zeros((2, 4), np.float32))
    labels, distance = assign(X[:0], X)
    assert len(labels) == len(distance) == 0


def test_sums_by_cluster_are_those_of_hand() -> None:
    found = KMedoids(
        medoids=np.array([0, 3]),
        labels=np.array([0, 0, 1, 1, 1], np.int32),
        distance=np.array([0, 2, 10_001, 0, 1], np.float32),
        cost=10_004.0,
        n_iter=1,
    )
    sizes, sums, squares = by_cluster(found)
    assert sizes.tolist() == [2, 3]
    assert sums.tolist() == [2, 10_002]
    # Above 2**24: a float32 sum would lose the one.
    assert squares.tolist() == [4, 10_001**2 + 1]
