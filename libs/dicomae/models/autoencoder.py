"""The autoencoder of tags, and how rows are compressed by it to the same bits wherever they are.

References
----------
The paper's section III-B: dense layers of 565, 256, 128 and 64, each with batch normalisation and
leaky ReLU, a bottleneck of at most 10 % of the input, the mirrored decoder, a sigmoid at the end.
Ioffe and Szegedy, Batch Normalization, 2015, arXiv:1502.03167.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_linear_bn_weights

from dicomae.errors import UsageError

Floats = npt.NDArray[np.float32]

MAXIMUM_SIZE = 1 << 16  # of a layer: far above any feature set, low enough to refuse a forged file
MAXIMUM_HIDDEN = 32

# Matrix products whose three sizes are multiples of this give each row the same bits wherever it
# stands. Otherwise they need not: MKL takes other paths for a remainder of rows or columns, seen
# with bottlenecks of 2 to 8 and with chunks that are no multiple of 8.
_ALIGNMENT = 16


@dataclass(frozen=True)
class AutoencoderConfig:
    """The shape of a `TagAutoencoder`.

    Attributes
    ----------
    width : columns of X, and size of the first and of the last layer.
    hidden : sizes of the encoder's layers between the first and the bottleneck.
    bottleneck : length of an embedding.
    negative_slope : of the leaky ReLU.

    Raises
    ------
    UsageError
        A size is no integer from 1 to `MAXIMUM_SIZE`, there are too many, or the slope is not finite.
    """

    width: int
    hidden: tuple[int, ...]
    bottleneck: int
    negative_slope: float

    def __post_init__(self) -> None:
        for size in (self.width, *self.hidden, self.bottleneck):
            if type(size) is not int or not 1 <= size <= MAXIMUM_SIZE:
                raise UsageError(f"a layer's size must be an integer from 1 to {MAXIMUM_SIZE}, not {size!r}")
        if len(self.hidden) > MAXIMUM_HIDDEN:
            raise UsageError(f"{len(self.hidden)} hidden layers; at most {MAXIMUM_HIDDEN} are allowed")
        if type(self.negative_slope) is not float or not math.isfinite(self.negative_slope):
            raise UsageError(f"negative_slope must be a finite number, not {self.negative_slope!r}")


class TagAutoencoder(nn.Module):
    """Dense autoencoder: X `(n, width)` → embedding `(n, bottleneck)` → reconstruction `(n, width)`."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        inner = (config.width, *config.hidden)
        slope = config.negative_slope
        self.encoder = nn.Sequential(
            *_dense_layers((config.width, *inner), slope), nn.Linear(inner[-1], config.bottleneck)
        )
        self.decoder = nn.Sequential(
            *_dense_layers((config.bottleneck, *reversed(inner)), slope),
            nn.Linear(config.width, config.width),
            nn.Sigmoid(),
        )

    def forward(self, X: Tensor) -> Tensor:
        """The reconstruction of X, in (0, 1)."""
        embedding = self.encoder(X)  # (n, width) -> (n, bottleneck)
        reconstruction: Tensor = self.decoder(embedding)  # -> (n, width)
        return reconstruction


def bottleneck_size(width: int, share: float) -> int:
    """⌊width × share⌋, at least 1: 56 for the paper's 565 columns and 10 %.

    The share counts as it is written: 0.29 of 100 is 29, where binary floating point gives 28.

    Raises
    ------
    UsageError
        The share is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise UsageError(f"a bottleneck's share of the width must be in (0, 1], not {share!r}")
    return max(1, math.floor(width * Decimal(repr(share))))


@torch.inference_mode()
def compress(model: TagAutoencoder, X: Floats, batch_rows: int) -> tuple[Floats, Floats]:
    """Embeddings and reconstruction errors of X; a row's result depends on that row alone.

    Neither the rows beside it, nor its place, nor how the caller cut its batches changes a bit of
    it, on one machine and for one number of threads: each product has the same shape, since the
    last chunk is filled up with zeros, and all sizes are multiples of 16 (see `_ALIGNMENT`). The
    batch normalisation is folded into the weights, so the model's mode (training or not) does not
    matter.

    Parameters
    ----------
    model : on the CPU.
    X : float32 `(n, width)`; a row with NaN gets NaN.
    batch_rows : rows of a chunk, rounded up to a multiple of 16.

    Returns
    -------
    embedding : float32 `(n, bottleneck)`.
    reconstruction_error : float32 `(n,)`, the row's mean squared error.

    Raises
    ------
    UsageError
        X is not float32, has another width than the model, or `batch_rows` is below 1.
    """
    config = model.config
    _check_rows(X, config.width, batch_rows)
    encoder, decoder = list(_folded(model.encoder)), list(_folded(model.decoder))
    embedding = np.empty((len(X), config.bottleneck), np.float32)
    error = np.empty(len(X), np.float32)
    rows = _aligned(batch_rows)
    chunk = torch.zeros(rows, _aligned(config.width))
    for start in range(0, len(X), rows):
        here = slice(start, min(start + rows, len(X)))
        n = here.stop - start
        chunk[n:] = 0
        chunk.numpy()[:n, : config.width] = X[here]
        code = _through(encoder, chunk, config.negative_slope)  # (rows, bottleneck, aligned)
        back = torch.sigmoid_(_through(decoder, code, config.negative_slope))  # (rows, width, aligned)
        squared = back.sub_(chunk).square_()[:, : config.width]
        embedding[here] = code[:n, : config.bottleneck].numpy()
        error[here] = squared.mean(dim=1)[:n].numpy()
    return embedding, error


def _dense_layers(sizes: tuple[int, ...], negative_slope: float) -> Iterator[nn.Module]:
    for before, after in pairwise(sizes):
        yield nn.Linear(before, after)
        yield nn.BatchNorm1d(after)
        yield nn.LeakyReLU(negative_slope)


def _check_rows(X: Floats, width: int, batch_rows: int) -> None:
    if X.dtype != np.float32 or X.ndim != 2 or X.shape[1] != width:
        raise UsageError(
            f"the model takes float32 rows of {width} columns, not {X.dtype} of shape {X.shape}; "
            "encode them by the feature specification that is stored with the model"
        )
    if batch_rows < 1:
        raise UsageError(f"batch_rows must be at least 1, not {batch_rows}")


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _folded(layers: nn.Sequential) -> Iterator[tuple[Tensor, Tensor]]:
    """Weight and bias of each dense layer with its batch normalisation in it, padded with zeros."""
    for layer, following in pairwise([*layers, None]):
        if not isinstance(layer, nn.Linear):
            continue
        weight, bias = layer.weight, layer.bias
        if isinstance(following, nn.BatchNorm1d):
            mean, variance = cast(Tensor, following.running_mean), cast(Tensor, following.running_var)
            weight, bias = fuse_linear_bn_weights(
                weight, bias, mean, variance, following.eps, following.weight, following.bias
            )
        after, before = weight.shape
        extra = _aligned(after) - after
        yield (
            functional.pad(weight, (0, _aligned(before) - before, 0, extra)),
            functional.pad(bias, (0, extra)),
        )


def _through(layers: list[tuple[Tensor, Tensor]], X: Tensor, negative_slope: float) -> Tensor:
    *inner, (weight, bias) = layers
    for inner_weight, inner_bias in inner:
        X = functional.leaky_relu_(functional.linear(X, inner_weight, inner_bias), negative_slope)
    return functional.linear(X, weight, bias)
