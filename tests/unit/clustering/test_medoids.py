"""Medoids of a split: by hand, against brute force, and for any number of spaces and models."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.spatial.distance import cdist

from dicomae.clustering import medoids
from dicomae.clustering.medoids import Medoids, SplitVectors, Sums
from dicomae.config import ClusteringConfig
from dicomae.errors import UsageError
from dicomae.tables import ASSIGNMENTS, MEDOIDS, Metric

CONFIG = ClusteringConfig("fasterpam", n_clusters=(2, 3), maximum_iterations=100, seed=1)
# Two heaps on a line: around 1 and around 11.
LINE = np.array([[0], [1], [2], [10], [11], [13]], np.float32)
UIDS = [f"1.2.{i}" for i in range(6)]


def _train(**spaces: np.ndarray) -> SplitVectors:
    return SplitVectors("all", "m", UIDS, spaces)


def test_rows_by_hand() -> None:
    found = medoids.fit(_train(original=LINE), CONFIG, "run-1")
    assert found.schema == MEDOIDS.schema
    first, second = found.slice(0, 2).to_pylist()
    about = {
        "model_id": "m", "feature_set": "all", "space": "original", "n_clusters": 2, "engine": "fasterpam",
        "run_id": "run-1", "train_size": 3,
    }  # fmt: skip
    near = {"cluster": 0, "SOPInstanceUID": "1.2.1", "vector": [1.0]}
    far = {"cluster": 1, "SOPInstanceUID": "1.2.4", "vector": [11.0]}
    assert first == {**about, **near, "sum_of_distances": 2.0, "sum_of_squares": 2.0}
    assert second == {**about, **far, "sum_of_distances": 3.0, "sum_of_squares": 5.0}
    assert [(row["n_clusters"], row["cluster"]) for row in found.to_pylist()] == [
        (2, 0), (2, 1), (3, 0), (3, 1), (3, 2),
    ]  # fmt: skip


def test_every_space_is_fitted_by_its_own_rows_and_each_fit_is_told() -> None:
    told: list[None] = []
    other = LINE[[0, 3, 1, 4, 2, 5]]  # other neighbours than in `LINE`
    found = medoids.fit(_train(original=LINE, pixels=other), CONFIG, "r", lambda: told.append(None))
    assert len(told) == 4
    assert found["space"].to_pylist() == ["original"] * 5 + ["pixels"] * 5
    for space, X in (("original", LINE), ("pixels", other)):
        vectors = medoids.of_space(found, "m", space).vectors
        assert sorted(vectors) == [2, 3]
        mine = found.filter(pc.and_(pc.equal(found["space"], space), pc.equal(found["n_clusters"], 2)))
        uids = mine["SOPInstanceUID"].to_pylist()
        assert [X[UIDS.index(uid)].tolist() for uid in uids] == vectors[2].tolist() == [[1.0], [11.0]]


def test_vectors_are_in_the_order_of_the_clusters_whatever_the_rows_are() -> None:
    found = medoids.fit(_train(original=LINE), CONFIG, "r")
    shuffled = found.take(pa.array(np.random.default_rng(0).permutation(len(found))))
    for k, vectors in medoids.of_space(found, "m", "original").vectors.items():
        np.testing.assert_array_equal(medoids.of_space(shuffled, "m", "original").vectors[k], vectors)
        assert vectors.dtype == np.float32


def test_the_medoids_of_another_model_or_space_are_left_alone() -> None:
    other = SplitVectors("all", "n", UIDS, {"original": -LINE})
    both = pa.concat_tables([medoids.fit(one, CONFIG, "r") for one in (_train(original=LINE), other)])
    assert medoids.of_space(both, "n", "original").vectors[2].tolist() == [[-1.0], [-11.0]]
    assert medoids.of_space(both, "n", "compressed").vectors == {}


def _sums(model_id: str, space: str, squares: list[float], feature_set: str = "all") -> pa.Table:
    """Rows of `MEDOIDS` for K = 1, 2, ...; each K has its sum in its first cluster."""
    about = {"model_id": model_id, "feature_set": feature_set, "space": space}
    rows = []
    for k, value in enumerate(squares, start=1):
        in_first = {"n_clusters": k, "cluster": 0, "sum_of_distances": 1.0, "sum_of_squares": value}
        rows.append({**about, **in_first})
        empty = {"n_clusters": k, "sum_of_distances": 0.0, "sum_of_squares": 0.0}
        rows += [{**about, **empty, "cluster": cluster} for cluster in range(1, k)]
    return pa.Table.from_pylist(rows, schema=MEDOIDS.schema)


def test_sums_elbows_and_metrics() -> None:
    straight, bent = [5.0, 4.0, 3.0, 2.0, 1.0], [10.0, 4.0, 2.0, 1.0, 0.0]
    rows = pa.concat_tables([_sums("m", "original", straight), _sums("m", "compressed", bent)])
    assert medoids.sums(rows)["all", "original"] == {
        k: Sums(1.0, value) for k, value in enumerate(straight, start=1)
    }
    assert medoids.elbows(rows) == {("all", "compressed"): 2, ("all", "original"): None}
    found = medoids.metrics(rows)
    about = {"feature_set": "all", "space": "compressed"}
    assert found[:2] == [
        Metric("sum_of_distances", {**about, "n_clusters": 1}, 1.0),
        Metric("sum_of_squared_distances", {**about, "n_clusters": 1}, 10.0),
    ]
    assert found[-2:] == [
        Metric("elbow", about, 2.0),
        Metric("elbow", {"feature_set": "all", "space": "original"}, None),
    ]
    assert len(found) == 2 * 5 * 2 + 2


def test_a_second_model_of_the_feature_set_adds_its_space_and_changes_no_other() -> None:
    original, compressed, components = [9.0, 4.0, 3.0], [8.0, 4.0, 3.0], [7.0, 4.0, 3.0]
    first = [_sums("m", "original", original), _sums("m", "compressed", compressed)]
    second = [_sums("n", "original", original), _sums("n", "principal_components", components)]
    labels = _sums("o", "original", [1.0], feature_set="without_labels")
    alone = medoids.sums(pa.concat_tables(first))
    found = medoids.sums(pa.concat_tables([*second, labels, *first]))
    assert {series: found[series] for series in alone} == alone
    assert [of_k.squares for of_k in found["all", "principal_components"].values()] == components
    assert found["without_labels", "original"] == {1: Sums(1.0, 1.0)}
    assert len(found) == 4


@pytest.mark.parametrize("width", [1, 7])
def test_rows_go_to_the_nearest_medoid_by_brute_force(width: int) -> None:
    rng = np.random.default_rng(3)
    X = rng.random((50, width), dtype=np.float32)
    vectors = {3: X[[4, 9, 30]], 2: X[[1, 2]]}
    uids = pa.array([f"1.2.{i}" for i in range(50)])
    found = medoids.assign(uids, X, Medoids("m", "original", vectors), "run-1")
    assert found.schema == ASSIGNMENTS.schema
    expected = {k: cdist(X, of_k, "cityblock") for k, of_k in vectors.items()}
    for i, row in enumerate(found.to_pylist()):
        assert (row["model_id"], row["space"], row["run_id"]) == ("m", "original", "run-1")
        assert row["SOPInstanceUID"] == f"1.2.{i}"
        assert [k for k, _ in row["cluster"]] == [k for k, _ in row["distance"]] == [2, 3]
        for k, cluster in row["cluster"]:
            assert cluster == expected[k][i].argmin()
            assert dict(row["distance"])[k] == pytest.approx(expected[k][i].min(), abs=1e-5)


def test_no_rows_are_assigned_to_no_rows() -> None:
    found = medoids.assign(
        pa.array([], pa.string()), np.zeros((0, 1), np.float32), Medoids("m", "original", {2: LINE[:2]}), "r"
    )
    assert found.num_rows == 0
    assert found.schema == ASSIGNMENTS.schema


def test_there_are_at_least_as_many_rows_as_clusters() -> None:
    medoids.check_enough(rows=7, n_clusters=[7, 4])
    with pytest.raises(UsageError, match="7 clusters of 6 training instances; leave out K above 6"):
        medoids.check_enough(rows=6, n_clusters=[7, 4])


def test_more_clusters_than_different_rows_are_left_out_in_every_space() -> None:
    four = np.array([[0], [0], [1], [2], [2], [3]], np.float32)
    two = np.array([[0, -0.0], [0, 0], [-0.0, 0], [1, 0], [1, 0], [1, 0]], np.float32)  # -0.0 is 0
    train = _train(original=four, compressed=two)
    assert medoids.distinct_rows(train, [2, 3, 4, 5]) == medoids.DistinctRows(2, (3, 4, 5))
    assert medoids.distinct_rows(train, [1, 2]) == medoids.DistinctRows(2, ())
    config = replace(CONFIG, n_clusters=(1, 2, 3))
    found = medoids.fit(train, config, "r")
    assert {(row["space"], row["n_clusters"]) for row in found.to_pylist()} == {
        (space, k) for space in ("original", "compressed") for k in (1, 2)
    }
    assert min(found["train_size"].to_pylist()) > 0  # no cluster is empty


def test_no_number_of_clusters_is_left() -> None:
    with pytest.raises(UsageError, match=r"2 differ \(all\); give a K of 2 or less"):
        medoids.fit(_train(original=LINE[[0, 0, 0, 0, 5, 5]]), replace(CONFIG, n_clusters=(3, 4)), "r")
