"""Training: repeatable, honest about its errors, and with a defined outcome at every edge."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from dicomae.config import Candidate, TrainingConfig
from dicomae.errors import JobError, UsageError
from dicomae.models.autoencoder import TagAutoencoder
from dicomae.models.training import (
    EpochErrors,
    Trained,
    architecture,
    as_manifest,
    choose,
    train_candidate,
)

CANDIDATE = Candidate(name="small", hidden=(16, 8), bottleneck=0.10, learning_rate=0.003)
CONFIG = TrainingConfig(
    epochs=3, batch_size=32, negative_slope=0.01, threads=1, seed=7, candidates=(CANDIDATE,)
)


def _rows(n: int, width: int = 40, seed: int = 0) -> np.ndarray:
    """Rows in [0, 1] that lie near a surface of two dimensions."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(2, width))
    return (1 / (1 + np.exp(-4 * (rng.random((n, 2)) - 0.5) @ mixing))).astype(np.float32)


def _weights(model: TagAutoencoder) -> dict[str, np.ndarray]:
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def _same(a: TagAutoencoder, b: TagAutoencoder) -> bool:
    left, right = _weights(a), _weights(b)
    return left.keys() == right.keys() and all(left[k].tobytes() == right[k].tobytes() for k in left)


def test_same_input_gives_the_same_bits_whatever_came_before() -> None:
    X, V = _rows(150), _rows(40, seed=1)
    first = train_candidate(X, V, CANDIDATE, CONFIG)
    torch.rand(17)  # moves the global random state
    train_candidate(X, V, dataclasses.replace(CANDIDATE, hidden=(5,)), CONFIG)
    second = train_candidate(X, V, CANDIDATE, CONFIG)
    assert _same(first.model, second.model)
    assert first.curves == second.curves
    other = train_candidate(X, V, CANDIDATE, dataclasses.replace(CONFIG, seed=8))
    assert not _same(first.model, other.model)


@pytest.mark.parametrize("fails", [False, True])
def test_global_settings_are_restored(fails: bool) -> None:
    def on_epoch(name: str, errors: EpochErrors) -> None:
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        if fails:
            raise RuntimeError("stop")

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    try:
        torch.set_num_threads(2)
        if fails:
            with pytest.raises(RuntimeError, match="stop"):
                train_candidate(_rows(64), _rows(9), CANDIDATE, CONFIG, on_epoch)
        else:
            train_candidate(_rows(64), _rows(9), CANDIDATE, CONFIG, on_epoch)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.equal(torch.get_rng_state(), state)


def test_it_learns_more_than_the_columns_means() -> None:
    X, V = _rows(600), _rows(100, seed=1)
    trained = train_candidate(X, V, CANDIDATE, dataclasses.replace(CONFIG, epochs=12))
    of_means = float(((V - X.mean(axis=0)) ** 2).mean())
    assert trained.curves[-1].validation < of_means / 2
    assert trained.validation == trained.curves[-1].validation


def test_curves_are_the_errors_of_the_model_as_it_is() -> None:
    X, V = _rows(150), _rows(40, seed=1)
    trained = train_candidate(X, V, CANDIDATE, CONFIG)
    assert not trained.model.training
    assert [errors.epoch for errors in trained.curves] == [1, 2, 3]
    for rows, measured in ((X, trained.curves[-1].train), (V, trained.curves[-1].validation)):
        with torch.inference_mode():
            reconstruction = trained.model(torch.from_numpy(rows)).numpy()
        expected = ((reconstruction.astype(np.float64) - rows) ** 2).mean()
        assert measured == pytest.approx(expected, rel=1e-5)


def test_the_first_step_is_adams() -> None:
    """Adam's bias-corrected first step is lr·g / (|g| + ε): lr, whatever the gradient's size."""
    X = _rows(20)
    config = dataclasses.replace(CONFIG, epochs=1, batch_size=20)
    trained = train_candidate(X, X, CANDIDATE, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        before = _weights(TagAutoencoder(architecture(CANDIDATE, 40, 0.01)))
    after = _weights(trained.model)
    step = np.abs(after["decoder.9.weight"] - before["decoder.9.weight"])
    assert step.shape == (40, 40)
    np.testing.assert_allclose(np.median(step), CANDIDATE.learning_rate, rtol=1e-3)
    assert step.max() <= CANDIDATE.learning_rate * 1.001


@pytest.mark.parametrize(
    ("n", "expected"),
    [(96, [32, 32, 32]), (97, [32, 32, 33]), (98, [32, 32, 32, 2]), (33, [33]), (10, [10]), (2, [2])],
)
def test_no_batch_has_one_row(n: int, expected: list[int]) -> None:
    seen: list[int] = []
    config = dataclasses.replace(CONFIG, epochs=1)
    trained = train_candidate(_rows(n), _rows(1, seed=1), CANDIDATE, config, on_batch=seen.append)
    assert seen == expected
    assert trained.curves[0].finite


def test_progress_is_told_in_order() -> None:
    told: list[object] = []
    trained = train_candidate(
        _rows(40), _rows(9), CANDIDATE, CONFIG, lambda name, errors: told.append((name, errors)), told.append
    )
    epochs = [("small", errors) for errors in trained.curves]
    assert told == [32, 8, epochs[0], 32, 8, epochs[1], 32, 8, epochs[2]]


def test_a_width_below_ten_has_a_bottleneck_of_one() -> None:
    trained = train_candidate(_rows(40, 4), _rows(9, 4), CANDIDATE, CONFIG)
    assert trained.model.config.bottleneck == 1
    assert choose([trained], 4) is trained


def test_training_rows_may_be_read_only() -> None:
    X = _rows(40)
    X.setflags(write=False)
    assert train_candidate(X, X, CANDIDATE, CONFIG).diverged_at is None


def _with(value: float) -> np.ndarray:
    X = _rows(40)
    X[3, 3] = value
    return X


@pytest.mark.parametrize(
    ("X", "V", "message"),
    [
        (_rows(1), _rows(9), "training split has 1 rows"),
        (_rows(0), _rows(9), "training split has 0 rows"),
        (_rows(40), _rows(0), "validation split has 0 rows"),
        (_with(np.nan), _rows(9), "training split holds values"),
        (_with(np.inf), _rows(9), "training split holds values"),
        (_rows(40), _with(np.nan), "validation split holds values"),
        (_rows(40), _rows(9, 39), "validation split must be"),
        (_rows(40).astype(np.float64), _rows(9), "training split must be"),
        (_rows(40)[0], _rows(9), "training split must be"),
    ],
)
def test_unusable_rows_are_refused(X: np.ndarray, V: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train_candidate(X, V, CANDIDATE, CONFIG)


@pytest.mark.parametrize(("key", "value"), [("epochs", 0), ("batch_size", 1), ("threads", 0)])
def test_unusable_configuration_is_refused(key: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"training.{key}"):
        train_candidate(_rows(40), _rows(9), CANDIDATE, dataclasses.replace(CONFIG, **{key: value}))


def test_a_candidate_that_diverges_stops_and_says_so() -> None:
    told: list[EpochErrors] = []
    wild = dataclasses.replace(CANDIDATE, name="wild", learning_rate=1e30)
    trained = train_candidate(_rows(64), _rows(9), wild, CONFIG, lambda _, errors: told.append(errors))
    assert trained.diverged_at == 1
    assert trained.curves == ()
    assert trained.validation == math.inf
    assert len(told) == 1
    assert not told[0].finite
    with pytest.raises(JobError, match=r"wild \(epoch 1\)"):
        choose([trained], 40)
    calm = train_candidate(_rows(64), _rows(9), CANDIDATE, CONFIG)
    assert choose([trained, calm], 40) is calm
    described = as_manifest(calm, [trained, calm], CONFIG)
    assert json.loads(json.dumps(described, allow_nan=False))["candidates"][0]["diverged_at"] == 1


def _trained(name: str, share: float, validation: float) -> Trained:
    candidate = Candidate(name, (5,), share, 0.001)
    model = TagAutoencoder(architecture(candidate, 100, 0.01))
    return Trained(candidate, model, (EpochErrors(1, 0.5, validation),), diverged_at=None)


def test_choice() -> None:
    wide, ten, five, worse = (
        _trained("wide", 0.11, 0.1),
        _trained("ten", 0.10, 0.2),
        _trained("five", 0.05, 0.2),
        _trained("worse", 0.05, 0.3),
    )
    assert choose([worse, wide, ten, five], 100) is ten
    assert choose([five, worse, ten], 100) is five  # the first of equals
    with pytest.raises(UsageError, match="within 10 of 100 columns"):
        choose([wide], 100)
    with pytest.raises(UsageError):
        choose([], 100)


def test_what_the_manifest_tells() -> None:
    trained = train_candidate(_rows(64), _rows(9), CANDIDATE, CONFIG)
    told = json.loads(json.dumps(as_manifest(trained, [trained], CONFIG)))
    assert told["candidate"] == {
        "name": "small",
        "hidden": [16, 8],
        "bottleneck": 0.1,
        "learning_rate": 0.003,
    }
    assert told["training"]["seed"] == 7
    (candidate,) = told["candidates"]
    assert candidate["autoencoder"] == {
        "width": 40,
        "hidden": [16, 8],
        "bottleneck": 4,
        "negative_slope": 0.01,
    }
    assert [point["epoch"] for point in candidate["curves"]] == [1, 2, 3]
    assert candidate["curves"][2]["validation"] == trained.validation
