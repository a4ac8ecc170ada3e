"""The autoencoder's shape, and `compress` against NumPy in double precision and against itself."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dicomae.errors import UsageError
from dicomae.models.autoencoder import AutoencoderConfig, TagAutoencoder, bottleneck_size, compress


def _model(width: int, hidden: tuple[int, ...], bottleneck: int, seed: int = 0) -> TagAutoencoder:
    """A model whose batch normalisations are far from doing nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TagAutoencoder(AutoencoderConfig(width, hidden, bottleneck, 0.01))
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm1d):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.uniform_(layer.bias, -0.5, 0.5)
                nn.init.uniform_(layer.running_mean, -0.5, 0.5)
                nn.init.uniform_(layer.running_var, 0.1, 2.0)
    return model.eval()


def _rows(n: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, width), dtype=np.float32)


def _by_numpy(layers: nn.Sequential, X: np.ndarray) -> np.ndarray:
    """The layers' formulas, written out in float64."""
    for layer in layers:
        p = {name: t.detach().numpy().astype(np.float64) for name, t in layer.state_dict().items()}
        match layer:
            case nn.Linear():
                X = X @ p["weight"].T + p["bias"]
            case nn.BatchNorm1d():
                scaled = (X - p["running_mean"]) / np.sqrt(p["running_var"] + layer.eps)
                X = scaled * p["weight"] + p["bias"]
            case nn.LeakyReLU():
                X = np.where(X > 0, X, 0.01 * X)
            case nn.Sigmoid():
                X = 1 / (1 + np.exp(-X))
    return X


@pytest.mark.parametrize(
    ("width", "share", "expected"),
    [
        (565, 0.10, 56),
        (300, 0.10, 30),
        (9, 0.10, 1),
        (1, 0.10, 1),
        (100, 0.29, 29),
        (30, 0.10, 3),
        (7, 1.0, 7),
    ],
)
def test_bottleneck_size(width: int, share: float, expected: int) -> None:
    assert bottleneck_size(width, share) == expected


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_bottleneck_size_refuses_a_share_outside_0_to_1(share: float) -> None:
    with pytest.raises(UsageError, match="share"):
        bottleneck_size(565, share)


def test_layers_are_the_papers() -> None:
    model = TagAutoencoder(AutoencoderConfig(565, (256, 128, 64), 56, 0.01))
    dense = [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, nn.Linear)]
    assert dense[:5] == [(565, 565), (565, 256), (256, 128), (128, 64), (64, 56)]
    assert dense[5:] == [(56, 64), (64, 128), (128, 256), (256, 565), (565, 565)]
    around = [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU] * 4 + [nn.Linear]
    assert [type(m) for m in model.encoder] == around
    assert [type(m) for m in model.decoder] == [*around, nn.Sigmoid]
    assert {m.negative_slope for m in model.modules() if isinstance(m, nn.LeakyReLU)} == {0.01}


@pytest.mark.parametrize(
    ("width", "hidden", "bottleneck"),
    [(565, (256, 128, 64), 56), (37, (20, 5), 3), (12, (), 1), (1, (3,), 1)],
)
def test_compress_equals_the_formulas(width: int, hidden: tuple[int, ...], bottleneck: int) -> None:
    model, X = _model(width, hidden, bottleneck), _rows(70, width)
    embedding, error = compress(model, X, batch_rows=32)
    expected = _by_numpy(model.encoder, X.astype(np.float64))
    reconstruction = _by_numpy(model.decoder, expected)
    np.testing.assert_allclose(embedding, expected, rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(error, ((reconstruction - X) ** 2).mean(axis=1), rtol=2e-5, atol=1e-7)
    assert (embedding.dtype, error.dtype) == (np.float32, np.float32)


def test_forward_equals_the_formulas() -> None:
    model, X = _model(40, (20, 10), 4), _rows(9, 40)
    with torch.inference_mode():
        reconstruction = model(torch.from_numpy(X)).numpy()
    expected = _by_numpy(model.decoder, _by_numpy(model.encoder, X.astype(np.float64)))
    np.testing.assert_allclose(reconstruction, expected, rtol=1e-5)


# Shapes at which plain products of these very layers were seen to give a row other bits elsewhere.
@pytest.mark.parametrize(
    ("width", "bottleneck", "batch_rows"),
    [
        (37, 3, 100),
        (30, 3, 1024),
        (7, 1, 64),
        (37, 3, 1),
        (37, 3, 7),
        (80, 8, 18),
        (300, 30, 250),
        (565, 56, 1000),
    ],
)
def test_a_row_has_the_same_bits_in_any_place(width: int, bottleneck: int, batch_rows: int) -> None:
    model, X = _model(width, (256, 37, 7), bottleneck), _rows(601, width)
    embedding, error = compress(model, X, batch_rows)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(X))
        moved, moved_error = compress(model, X[order], batch_rows)
        np.testing.assert_array_equal(moved, embedding[order])
        np.testing.assert_array_equal(moved_error, error[order])
    equal, equal_error = compress(model, np.repeat(X[:1], 601, axis=0), batch_rows)
    np.testing.assert_array_equal(equal, np.repeat(embedding[:1], 601, axis=0))
    np.testing.assert_array_equal(equal_error, np.repeat(error[:1], 601))


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 200), max_size=7),
    width=st.integers(1, 60),
    bottleneck=st.integers(1, 8),
    batch_rows=st.integers(1, 130),
)
def test_cuts_change_no_bit(cuts: list[int], width: int, bottleneck: int, batch_rows: int) -> None:
    model, X = _model(width, (19,), bottleneck), _rows(200, width)
    embedding, error = compress(model, X, batch_rows)
    edges = [0, *sorted(cuts), 200]
    parts = [compress(model, X[a:b], batch_rows) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), embedding)
    np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), error)


def test_a_row_with_nan_spoils_itself_only() -> None:
    model, X = _model(37, (20,), 3), _rows(50, 37)
    embedding, error = compress(model, X, 16)
    X[20, 5] = np.nan
    spoilt, spoilt_error = compress(model, X, 16)
    others = np.arange(50) != 20
    assert np.isnan(spoilt[20]).all()
    assert np.isnan(spoilt_error[20])
    np.testing.assert_array_equal(spoilt[others], embedding[others])
    np.testing.assert_array_equal(spoilt_error[others], error[others])


def test_compress_leaves_the_model_alone_and_takes_no_notice_of_its_mode() -> None:
    model, X = _model(37, (20,), 3), _rows(50, 37)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    evaluating = compress(model, X, 16)
    training = compress(model.train(), X, 16)
    np.testing.assert_array_equal(evaluating[0], training[0])
    np.testing.assert_array_equal(evaluating[1], training[1])
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_compress_takes_read_only_and_strided_rows() -> None:
    model, X = _model(10, (), 1), _rows(40, 20)
    strided = X[::2, ::2]
    strided.setflags(write=False)
    np.testing.assert_array_equal(
        compress(model, strided, 16)[0], compress(model, np.ascontiguousarray(strided), 16)[0]
    )


def test_no_rows_give_no_rows() -> None:
    embedding, error = compress(_model(37, (20,), 3), _rows(0, 37), 16)
    assert embedding.shape == (0, 3)
    assert error.shape == (0,)


@pytest.mark.parametrize(
    ("X", "batch_rows", "message"),
    [
        (np.zeros((4, 36), np.float32), 16, "37 columns"),
        (np.zeros((4, 37), np.float64), 16, "float64"),
        (np.zeros(37, np.float32), 16, "shape"),
        (np.zeros((4, 37), np.float32), 0, "batch_rows"),
    ],
)
def test_compress_refuses(X: np.ndarray, batch_rows: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compress(_model(37, (20,), 3), X, batch_rows)


@pytest.mark.parametrize(
    ("width", "hidden", "bottleneck", "slope"),
    [
        (0, (), 1, 0.01),
        (10, (-1,), 1, 0.01),
        (10, (), 0, 0.01),
        (10, (1.5,), 1, 0.01),
        (True, (), 1, 0.01),
        (1 << 17, (), 1, 0.01),
        (10, (5,) * 33, 1, 0.01),
        (10, (), 1, float("nan")),
        (10, (), 1, "0.01"),
    ],
)
def test_config_refuses(width: int, hidden: tuple[int, ...], bottleneck: int, slope: float) -> None:
    with pytest.raises(UsageError):
        AutoencoderConfig(width, hidden, bottleneck, slope)
