"""The PCA against scikit-learn's, and its compression against itself wherever a row stands."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.decomposition import PCA

from dicomae.errors import UsageError
from dicomae.models.reductions import PcaConfig, compress, fit_pca


def _rows(n: int, width: int, seed: int = 0) -> np.ndarray:
    """Rows in [0, 1] of columns that hang together, with a variance that differs from one to the next."""
    rng = np.random.default_rng(seed)
    mixed = rng.random((n, width)) @ np.random.default_rng(99).normal(size=(width, width))
    return (1 / (1 + np.exp(-mixed / np.sqrt(width)))).astype(np.float32)


@pytest.mark.parametrize(("n", "width", "bottleneck"), [(300, 60, 6), (40, 37, 3), (30, 50, 30), (9, 5, 1)])
def test_it_is_scikit_learns_pca(n: int, width: int, bottleneck: int) -> None:
    X, others = _rows(n, width), _rows(70, width, seed=1)
    theirs = PCA(bottleneck, svd_solver="full").fit(X.astype(np.float64))
    ours = fit_pca(X, bottleneck)
    signs = np.sign((theirs.components_ * ours.components).sum(axis=1))
    np.testing.assert_allclose(ours.components, theirs.components_ * signs[:, None], atol=1e-5)
    embedding, error = compress(ours, others, batch_rows=32)
    expected = theirs.transform(others.astype(np.float64))
    np.testing.assert_allclose(embedding, expected * signs, atol=1e-5)
    back = theirs.inverse_transform(expected)
    np.testing.assert_allclose(error, ((back - others) ** 2).mean(axis=1), rtol=1e-4, atol=1e-6)
    assert (embedding.dtype, error.dtype) == (np.float32, np.float32)


def test_the_largest_entry_of_a_component_is_positive() -> None:
    components = fit_pca(_rows(300, 60), 6).components
    assert (components[np.arange(6), np.abs(components).argmax(axis=1)] > 0).all()


def test_the_same_rows_give_the_same_bits() -> None:
    first, second = (fit_pca(_rows(300, 60), 6) for _ in range(2))
    assert first.components.tobytes() == second.components.tobytes()
    assert first.mean.tobytes() == second.mean.tobytes()


@pytest.mark.parametrize(
    ("width", "bottleneck", "batch_rows"), [(37, 3, 100), (7, 1, 64), (80, 8, 18), (417, 41, 1000)]
)
def test_a_row_has_the_same_bits_in_any_place_and_batch(width: int, bottleneck: int, batch_rows: int) -> None:
    model, X = fit_pca(_rows(601, width), bottleneck), _rows(601, width, seed=2)
    embedding, error = compress(model, X, batch_rows)
    order = np.random.default_rng(0).permutation(len(X))
    moved, moved_error = compress(model, X[order], batch_rows)
    np.testing.assert_array_equal(moved, embedding[order])
    np.testing.assert_array_equal(moved_error, error[order])
    cut = [compress(model, X[a:b], batch_rows) for a, b in pairwise((0, 1, 20, 333, 601))]
    np.testing.assert_array_equal(np.concatenate([found[0] for found in cut]), embedding)
    np.testing.assert_array_equal(np.concatenate([found[1] for found in cut]), error)


def test_no_rows_give_no_rows() -> None:
    embedding, error = compress(fit_pca(_rows(9, 5), 2), np.zeros((0, 5), np.float32), 16)
    assert (embedding.shape, error.shape) == ((0, 2), (0,))


@pytest.mark.parametrize(
    ("X", "n_components", "message"),
    [
        (_rows(9, 5).astype(np.float64), 1, "float64"),
        (_rows(9, 5)[0], 1, "shape"),
        (np.full((9, 5), np.nan, np.float32), 1, "finite"),
        (_rows(9, 5), 0, "0 components of 9 training rows with 5 columns; there can be 1 to 5"),
        (_rows(9, 5), 6, "there can be 1 to 5"),
        (_rows(3, 5), 4, "there can be 1 to 3"),
    ],
)
def test_rows_that_cannot_be_reduced_are_refused(X: np.ndarray, n_components: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit_pca(X, n_components)


def test_other_rows_than_the_models_are_refused() -> None:
    with pytest.raises(UsageError, match="5 columns"):
        compress(fit_pca(_rows(9, 5), 2), _rows(4, 6), 16)


@pytest.mark.parametrize(
    ("width", "bottleneck"), [(0, 1), (10, 0), (10, 11), (1 << 17, 1), (True, 1), (10, 1.0)]
)
def test_config_refuses(width: int, bottleneck: int) -> None:
    with pytest.raises(UsageError):
        PcaConfig(width, bottleneck)
