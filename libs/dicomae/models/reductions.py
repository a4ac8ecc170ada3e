"""Linear reductions of X, beside the autoencoder: the principal components of the training rows.

References
----------
Hotelling, Analysis of a complex of statistical variables into principal components, Journal of
Educational Psychology 24 (1933), doi 10.1037/h0071325.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from torch.nn import functional

from dicomae.codes import ModelKind
from dicomae.errors import UsageError
from dicomae.models import chunks, weights
from dicomae.models.autoencoder import MAXIMUM_SIZE
from dicomae.models.chunks import Floats


@dataclass(frozen=True)
class PcaConfig:
    """The shape of a `PrincipalComponents`: columns of X, and length of an embedding.

    Raises
    ------
    UsageError
        A size is no integer from 1 to `MAXIMUM_SIZE`, or the bottleneck is wider than X.

    Examples
    --------
    >>> PcaConfig(width=3, bottleneck=4)
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: 4 components of 3 columns; there can be no more than columns
    """

    width: int
    bottleneck: int

    def __post_init__(self) -> None:
        for size in (self.width, self.bottleneck):
            if type(size) is not int or not 1 <= size <= MAXIMUM_SIZE:
                raise UsageError(f"a size of a PCA must be an integer from 1 to {MAXIMUM_SIZE}, not {size!r}")
        if self.bottleneck > self.width:
            raise UsageError(
                f"{self.bottleneck} components of {self.width} columns; there can be no more than columns"
            )


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """A fitted PCA.

    Attributes
    ----------
    mean : float32 `(width,)`, of the training rows.
    components : float32 `(bottleneck, width)`, orthonormal rows, the one of the largest variance first.

    Examples
    --------
    >>> PrincipalComponents(np.zeros(3, np.float32), np.eye(2, 3, dtype=np.float32)).config
    PcaConfig(width=3, bottleneck=2)
    """

    mean: Floats
    components: Floats

    @property
    def config(self) -> PcaConfig:
        """Its shape."""
        bottleneck, width = self.components.shape
        return PcaConfig(width, bottleneck)


def fit_pca(X: Floats, n_components: int) -> PrincipalComponents:
    """The first principal components of the training rows, computed in double precision.

    A component's sign is free; here its largest entry by size is positive, as in scikit-learn.

    Parameters
    ----------
    X : float32 `(n, width)`, finite.
    n_components : length of an embedding, at most `n` and `width`.

    Raises
    ------
    UsageError
        X is no such matrix, or has fewer rows or columns than `n_components`.

    Examples
    --------
    Rows on a line have one direction, here that of (2, 1):

    >>> fitted = fit_pca(np.array([[0, 0], [2, 1], [4, 2]], np.float32), n_components=1)
    >>> fitted.mean, fitted.components.round(3)
    (array([2., 1.], dtype=float32), array([[0.894, 0.447]], dtype=float32))
    """
    _check(X, n_components)
    mean = X.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(X - mean, full_matrices=False)
    components = directions[:n_components]
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(n_components), largest])
    return PrincipalComponents(mean.astype(np.float32), (components * signs[:, None]).astype(np.float32))


def compress(model: PrincipalComponents, X: Floats, batch_rows: int) -> tuple[Floats, Floats]:
    """Embeddings and reconstruction errors of X; a row's result depends on that row alone (see `chunks`).

    Parameters and what is returned are those of `autoencoder.compress`.

    Raises
    ------
    UsageError
        X is not float32, has another width than the model, or `batch_rows` is below 1.

    Examples
    --------
    >>> model = fit_pca(np.array([[0, 0], [2, 1], [4, 2]], np.float32), n_components=1)
    >>> embedding, error = compress(model, np.array([[2, 1], [1, 3]], np.float32), batch_rows=16)
    >>> embedding.round(3), error.round(3)  # the second row lies beside the line
    (array([[0.],
           [0.]], dtype=float32), array([0. , 2.5], dtype=float32))
    """
    config = model.config
    components, mean = torch.tensor(model.components), torch.tensor(model.mean)
    encode, _ = chunks.padded(components, torch.zeros(config.bottleneck))
    decode, centre = chunks.padded(components.T.contiguous(), mean)
    return chunks.compress(
        lambda rows: functional.linear(rows - centre, encode),
        lambda code: functional.linear(code, decode, centre),
        X,
        (config.width, config.bottleneck),
        batch_rows,
    )


def to_bytes(model: PrincipalComponents) -> bytes:
    """Mean, components and shape as one safetensors file, always the same for the same model.

    Examples
    --------
    >>> model = fit_pca(np.array([[0, 0], [2, 1], [4, 2]], np.float32), n_components=1)
    >>> from_bytes(to_bytes(model)).config
    PcaConfig(width=2, bottleneck=1)
    """
    shape = weights.metadata(ModelKind.PCA, asdict(model.config))
    return save_arrays({"mean": model.mean, "components": model.components}, metadata=shape)


def from_bytes(data: bytes) -> PrincipalComponents:
    """The model that `to_bytes` wrote, bit for bit.

    Raises
    ------
    UsageError
        The bytes are no safetensors file of a `PrincipalComponents`.
    """
    config = weights.read_shape(data, ModelKind.PCA, _config)
    wanted = {"mean": (config.width,), "components": (config.bottleneck, config.width)}
    weights.check_size(data, 4 * config.width * (1 + config.bottleneck))
    try:
        arrays = load_arrays(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise UsageError("no valid safetensors file") from error
    if _signature(arrays) != {name: (np.dtype(np.float32), shape) for name, shape in wanted.items()}:
        raise UsageError("the tensors are not those of the model's shape")
    return PrincipalComponents(**arrays)


def _check(X: Floats, n_components: int) -> None:
    if X.ndim != 2 or X.dtype != np.float32 or not np.isfinite(X).all():
        raise UsageError(f"a PCA takes finite float32 rows (n, width), not {X.dtype} of shape {X.shape}")
    if not 1 <= n_components <= min(X.shape):
        raise UsageError(
            f"{n_components} components of {len(X)} training rows with {X.shape[1]} columns; "
            f"there can be 1 to {min(X.shape)}"
        )


def _config(raw: dict[str, Any]) -> PcaConfig:
    return PcaConfig(**raw)


def _signature(arrays: Mapping[str, Floats]) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    return {name: (array.dtype, array.shape) for name, array in arrays.items()}
