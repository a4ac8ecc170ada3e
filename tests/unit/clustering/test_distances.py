import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from dicomae.clustering.distances import STRIP, manhattan

UNIT = st.floats(0, 1, width=32)


def rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, d), dtype=np.float32)


def test_hand_worked() -> None:
    X = np.array([[0, 0, 0, 0, 0], [1, 2, 3, 4, 5], [-1, 0.5, 0, 0, 0]], np.float32)
    expected = [[0, 15, 1.5], [15, 0, 2 + 1.5 + 12], [1.5, 15.5, 0]]
    np.testing.assert_array_equal(manhattan(X), expected)
    np.testing.assert_array_equal(manhattan(X[:1], X), expected[:1])


# Widths around the steps of four columns; rows around a strip.
@pytest.mark.parametrize("d", [1, 3, 4, 5, 57])
@pytest.mark.parametrize("n", [1, 2, STRIP - 1, STRIP, STRIP + 1, 2 * STRIP + 17])
def test_equals_scipy(n: int, d: int) -> None:
    X = rows(n, d)
    D = manhattan(X)
    assert D.dtype == np.float32
    np.testing.assert_allclose(D, cdist(X.astype(float), X.astype(float), "cityblock"), rtol=2e-6, atol=1e-6)
    np.testing.assert_array_equal(D, D.T)
    np.testing.assert_array_equal(np.diagonal(D), 0)


def test_two_sets_give_the_same_bits_as_one() -> None:
    X = rows(300, 13)
    np.testing.assert_array_equal(manhattan(X, X), manhattan(X))


@settings(deadline=None, max_examples=50)
@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 12), st.just(7)), elements=UNIT), st.data())
def test_an_entry_depends_on_its_two_rows_alone(X: np.ndarray, data: st.DataObject) -> None:
    some = st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=5)
    i, j = data.draw(some), data.draw(some)
    np.testing.assert_array_equal(manhattan(X[i], X[j]), manhattan(X)[np.ix_(i, j)])


def test_threads_change_nothing() -> None:
    X, Y = rows(400, 9), rows(300, 9, seed=1)
    np.testing.assert_array_equal(manhattan(X, threads=2), manhattan(X))
    np.testing.assert_array_equal(manhattan(X, Y, threads=2), manhattan(X, Y))


def test_memory_order_changes_nothing() -> None:
    X = rows(20, 9)
    np.testing.assert_array_equal(manhattan(np.asfortranarray(X)), manhattan(X))


def test_nothing_to_measure() -> None:
    assert manhattan(rows(0, 3)).shape == (0, 0)
    assert manhattan(rows(2, 3), rows(0, 3)).shape == (2, 0)
    np.testing.assert_array_equal(manhattan(rows(2, 0)), np.zeros((2, 2)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_what_is_not_finite(bad: float) -> None:
    X = rows(3, 3)
    X[1, 1] = bad
    with pytest.raises(ValueError, match="finite"):
        manhattan(X)
    with pytest.raises(ValueError, match="finite"):
        manhattan(rows(3, 3), X)


def test_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="X has 3 columns and Y has 4"):
        manhattan(rows(2, 3), rows(2, 4))
    with pytest.raises(ValueError, match="float64"):
        manhattan(rows(2, 3).astype(float))
    with pytest.raises(ValueError, match="1 dimensions"):
        manhattan(rows(2, 3)[0])
