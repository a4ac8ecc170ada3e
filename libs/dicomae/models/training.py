"""The training of the autoencoder's candidates, and the choice among them."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dicomae.config import Candidate, TrainingConfig
from dicomae.errors import JobError, UsageError
from dicomae.models.autoencoder import AutoencoderConfig, TagAutoencoder, bottleneck_size, compress
from dicomae.models.chunks import Floats

MAXIMUM_SHARE = 0.10  # of the width: a wider bottleneck is never chosen (the paper, III-B)

_ERROR_ROWS = 1024  # rows of a chunk when errors are measured


@dataclass(frozen=True)
class EpochErrors:
    """Mean squared errors after an epoch, of the model as it then is; epochs are counted from 1.

    Examples
    --------
    >>> EpochErrors(1, train=0.03, validation=math.nan).finite
    False
    """

    epoch: int
    train: float
    validation: float

    @property
    def finite(self) -> bool:
        """Whether both are numbers."""
        return math.isfinite(self.train) and math.isfinite(self.validation)


@dataclass(frozen=True)
class Trained:
    """A candidate after its training.

    Attributes
    ----------
    candidate : what was tried.
    model : as it is after the last epoch, in evaluation mode.
    curves : the errors after each epoch, all finite.
    diverged_at : the epoch after which an error was not finite, and training stopped; None for no such.
    """

    candidate: Candidate
    model: TagAutoencoder
    curves: tuple[EpochErrors, ...]
    diverged_at: int | None

    @property
    def validation(self) -> float:
        """Validation error of `model`; infinite when it diverged."""
        return math.inf if self.diverged_at is not None else self.curves[-1].validation


def _silent(*_: object) -> None:
    pass


def train_candidate(
    X_train: Floats,
    X_validation: Floats,
    candidate: Candidate,
    config: TrainingConfig,
    on_epoch: Callable[[str, EpochErrors], None] = _silent,
    on_batch: Callable[[int], None] = _silent,
) -> Trained:
    """`candidate` trained by Adam on the mean squared error; the same input gives the same bits.

    Bits are the same on one machine for the same `config.threads`. Batch normalisation cannot take a
    batch of one row, so a last batch of one joins the batch before it. Fewer rows than `batch_size`
    are one batch. The global random state and torch's settings are restored at the end.

    Parameters
    ----------
    X_train, X_validation : float32 `(n, width)`, finite.
    on_epoch : called after each epoch with the candidate's name and its errors, NaN among them.
    on_batch : called after each step with the number of rows in it; `epochs × len(X_train)` in all.

    Raises
    ------
    UsageError
        Fewer than two rows to train on or none to validate, widths that differ, a value that is not
        finite, no epoch, a batch size below 2.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((64, 30), dtype=np.float32)
    >>> small = Candidate("small", hidden=(20,), bottleneck=0.1, learning_rate=0.001)
    >>> config = TrainingConfig(
    ...     epochs=2, batch_size=32, negative_slope=0.01, threads=1, seed=7, candidates=(small,)
    ... )
    >>> trained = train_candidate(X, X, small, config)
    >>> [errors.epoch for errors in trained.curves], trained.model.config.bottleneck
    ([1, 2], 3)
    """
    _check(X_train, X_validation, config)
    with _repeatable(config.threads, config.seed):
        model = TagAutoencoder(architecture(candidate, X_train.shape[1], config.negative_slope))
        optimizer = torch.optim.Adam(model.parameters(), lr=candidate.learning_rate, fused=True)
        order = torch.Generator().manual_seed(config.seed)
        X = torch.tensor(X_train)  # (n, width)
        curves: list[EpochErrors] = []
        for epoch in range(1, config.epochs + 1):
            model.train()
            for rows in _batches(torch.randperm(len(X), generator=order), config.batch_size):
                batch = X[rows]  # (batch_size, width)
                optimizer.zero_grad()
                loss = functional.mse_loss(model(batch), batch)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                on_batch(len(rows))
            errors = EpochErrors(epoch, _mean_error(model, X_train), _mean_error(model, X_validation))
            on_epoch(candidate.name, errors)
            if not errors.finite:
                return Trained(candidate, model.eval(), tuple(curves), diverged_at=epoch)
            curves.append(errors)
    return Trained(candidate, model.eval(), tuple(curves), diverged_at=None)


def architecture(candidate: Candidate, width: int, negative_slope: float) -> AutoencoderConfig:
    """The shape that `candidate` has for an input of `width` columns.

    Examples
    --------
    >>> paper = Candidate("paper", hidden=(256, 128, 64), bottleneck=0.1, learning_rate=0.001)
    >>> architecture(paper, width=565, negative_slope=0.01)
    AutoencoderConfig(width=565, hidden=(256, 128, 64), bottleneck=56, negative_slope=0.01)
    """
    bottleneck = bottleneck_size(width, candidate.bottleneck)
    return AutoencoderConfig(width, candidate.hidden, bottleneck, negative_slope)


def choose(trained: Sequence[Trained], width: int) -> Trained:
    """The candidate with the lowest validation error; of several, the first.

    Only bottlenecks of at most 10 % of `width` can be chosen. A width below 10 allows a bottleneck of 1.

    Raises
    ------
    UsageError
        Every bottleneck is wider.
    JobError
        Every candidate that is narrow enough diverged.

    Examples
    --------
    >>> small = Candidate("small", (20,), bottleneck=0.1, learning_rate=0.001)
    >>> wide = Candidate("wide", (20,), bottleneck=0.5, learning_rate=0.001)
    >>> trained = [
    ...     Trained(candidate, TagAutoencoder(architecture(candidate, 30, 0.01)), (errors,), None)
    ...     for candidate, errors in ((small, EpochErrors(1, 0.2, 0.3)), (wide, EpochErrors(1, 0.1, 0.1)))
    ... ]
    >>> choose(trained, width=30).candidate.name
    'small'
    """
    limit = bottleneck_size(width, MAXIMUM_SHARE)
    narrow = [t for t in trained if t.model.config.bottleneck <= limit]
    if not narrow:
        raise UsageError(
            f"no candidate's bottleneck is within {limit} of {width} columns; "
            f"set 'bottleneck' of one in training.candidates to at most {MAXIMUM_SHARE}"
        )
    converged = [t for t in narrow if t.diverged_at is None]
    if not converged:
        tried = ", ".join(f"{t.candidate.name} (epoch {t.diverged_at})" for t in narrow)
        raise JobError(f"the errors of all candidates became infinite or NaN: {tried}; lower learning_rate")
    return min(converged, key=lambda t: t.validation)


def as_manifest(chosen: Trained, trained: Sequence[Trained], config: TrainingConfig) -> dict[str, Any]:
    """What a model's folder says of its training, ready for JSON: the choice and all curves.

    Examples
    --------
    >>> small = Candidate("small", (20,), bottleneck=0.1, learning_rate=0.001)
    >>> config = TrainingConfig(
    ...     epochs=1, batch_size=32, negative_slope=0.01, threads=1, seed=7, candidates=(small,)
    ... )
    >>> model = TagAutoencoder(architecture(small, 30, 0.01))
    >>> one = Trained(small, model, (EpochErrors(1, train=0.2, validation=0.3),), diverged_at=None)
    >>> as_manifest(one, [one], config)["candidates"][0]["curves"]
    [{'epoch': 1, 'train': 0.2, 'validation': 0.3}]
    """
    return {
        "candidate": asdict(chosen.candidate),
        "training": asdict(config),
        "candidates": [
            {
                "name": t.candidate.name,
                "autoencoder": asdict(t.model.config),
                "curves": [asdict(errors) for errors in t.curves],
                "diverged_at": t.diverged_at,
            }
            for t in trained
        ],
    }


@contextmanager
def _repeatable(threads: int, seed: int) -> Iterator[None]:
    """Deterministic algorithms, `threads` threads and a seeded generator; all restored at the end."""
    threads_before = torch.get_num_threads()
    mode_before = torch.get_deterministic_debug_mode()
    with torch.random.fork_rng(devices=[]):
        try:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(True)
            torch.manual_seed(seed)
            yield
        finally:
            torch.set_num_threads(threads_before)
            torch.set_deterministic_debug_mode(mode_before)


def _batches(order: Tensor, size: int) -> list[Tensor]:
    batches = list(torch.split(order, size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _mean_error(model: TagAutoencoder, X: Floats) -> float:
    _, error = compress(model, X, _ERROR_ROWS)
    return float(error.mean(dtype=np.float64))


def _check(X_train: Floats, X_validation: Floats, config: TrainingConfig) -> None:
    for split, X, least in (("training", X_train, 2), ("validation", X_validation, 1)):
        if X.ndim != 2 or X.dtype != np.float32 or X.shape[1] != X_train.shape[1]:
            raise UsageError(
                f"the {split} split must be float32 (n, width), not {X.dtype} of shape {X.shape}"
            )
        if len(X) < least:
            raise UsageError(
                f"the {split} split has {len(X)} rows, at least {least} are needed; "
                "take a larger sample or other shares in [sample]"
            )
        if not np.isfinite(X).all():
            raise UsageError(f"the {split} split holds values that are NaN or infinite; encode it anew")
    for key, value, least in (
        ("epochs", config.epochs, 1),
        ("batch_size", config.batch_size, 2),
        ("threads", config.threads, 1),
    ):
        if value < least:
            raise UsageError(f"key 'training.{key}' must be at least {least}, not {value}")
