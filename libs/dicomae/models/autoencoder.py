"""The autoencoder of tags: its shape, its weights as bytes, and how it compresses rows.

References
----------
The paper's section III-B: dense layers of 565, 256, 128 and 64, each with batch normalisation and
leaky ReLU, a bottleneck of at most 10 % of the input, the mirrored decoder, a sigmoid at the end.
Ioffe and Szegedy, Batch Normalization, 2015, arXiv:1502.03167.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_linear_bn_weights

from dicomae.codes import ModelKind
from dicomae.errors import UsageError
from dicomae.models import chunks, weights
from dicomae.models.chunks import Floats, Layer

MAXIMUM_SIZE = 1 << 16  # of a layer: far above any feature set, low enough to refuse a forged file
MAXIMUM_HIDDEN = 32


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

    Examples
    --------
    >>> AutoencoderConfig(width=565, hidden=(256, 128, 64), bottleneck=0, negative_slope=0.01)
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: a layer's size must be an integer from 1 to 65536, not 0
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
    """Dense autoencoder: X `(n, width)` → embedding `(n, bottleneck)` → reconstruction `(n, width)`.

    Examples
    --------
    >>> model = TagAutoencoder(AutoencoderConfig(width=30, hidden=(20,), bottleneck=3, negative_slope=0.01))
    >>> model(torch.zeros(8, 30)).shape
    torch.Size([8, 30])
    """

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
    """⌊width × share⌋, at least 1.

    The share counts as it is written: 0.29 of 100 is 29, where binary floating point gives 28.

    Raises
    ------
    UsageError
        The share is not in (0, 1].

    Examples
    --------
    >>> bottleneck_size(565, 0.10)  # the paper's columns
    56
    >>> bottleneck_size(100, 0.29)
    29
    """
    if not 0 < share <= 1:
        raise UsageError(f"a bottleneck's share of the width must be in (0, 1], not {share!r}")
    return max(1, math.floor(width * Decimal(repr(share))))


@torch.inference_mode()
def compress(model: TagAutoencoder, X: Floats, batch_rows: int) -> tuple[Floats, Floats]:
    """Embeddings and reconstruction errors of X; a row's result depends on that row alone.

    The rows beside it change no bit of it, nor does its place, nor how the caller cut its batches:
    on one machine and for one number of threads (see `chunks`). The batch normalisation is folded
    into the weights, so the model's mode (training or not) does not matter.

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

    Examples
    --------
    >>> import numpy as np
    >>> model = TagAutoencoder(AutoencoderConfig(width=30, hidden=(20,), bottleneck=3, negative_slope=0.01))
    >>> embedding, error = compress(model, np.zeros((100, 30), np.float32), batch_rows=64)
    >>> embedding.shape, error.shape
    ((100, 3), (100,))
    >>> bool((embedding == embedding[0]).all())  # equal rows have equal bits
    True
    """
    config = model.config
    encoder, decoder = list(_folded(model.encoder)), list(_folded(model.decoder))
    return chunks.compress(
        lambda rows: _through(encoder, rows, config.negative_slope),
        lambda code: torch.sigmoid_(_through(decoder, code, config.negative_slope)),
        X,
        (config.width, config.bottleneck),
        batch_rows,
    )


def to_bytes(model: TagAutoencoder) -> bytes:
    """Weights and shape as one safetensors file, always the same for the same model.

    Examples
    --------
    >>> model = TagAutoencoder(AutoencoderConfig(width=30, hidden=(20,), bottleneck=3, negative_slope=0.01))
    >>> from_bytes(to_bytes(model)).config.bottleneck
    3
    """
    shape = weights.metadata(ModelKind.AUTOENCODER, asdict(model.config))
    return save_tensors(model.state_dict(), metadata=shape)


def from_bytes(data: bytes) -> TagAutoencoder:
    """The model that `to_bytes` wrote, in evaluation mode.

    The tensors' names, shapes and types follow from the shape in the metadata. Bytes that hold other
    tensors, or more of them, are refused before memory is taken for them.

    Raises
    ------
    UsageError
        The bytes are no safetensors file of a `TagAutoencoder`.
    """
    with torch.device("meta"):  # shapes without memory, and the random state stays as it is
        model = TagAutoencoder(weights.read_shape(data, ModelKind.AUTOENCODER, _config))
    wanted = model.state_dict()
    weights.check_size(data, sum(tensor.nbytes for tensor in wanted.values()))
    try:
        tensors = load_tensors(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UsageError("no valid safetensors file") from error
    if _signature(tensors) != _signature(wanted):
        raise UsageError("the tensors are not those of the model's shape")
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def _config(raw: dict[str, Any]) -> AutoencoderConfig:
    return AutoencoderConfig(**{**raw, "hidden": tuple(raw["hidden"])})


def _signature(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}


def _dense_layers(sizes: tuple[int, ...], negative_slope: float) -> Iterator[nn.Module]:
    for before, after in pairwise(sizes):
        yield nn.Linear(before, after)
        yield nn.BatchNorm1d(after)
        yield nn.LeakyReLU(negative_slope)


def _folded(layers: nn.Sequential) -> Iterator[Layer]:
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
        yield chunks.padded(weight, bias)


def _through(layers: list[Layer], X: Tensor, negative_slope: float) -> Tensor:
    *inner, (weight, bias) = layers
    for inner_weight, inner_bias in inner:
        X = functional.leaky_relu_(functional.linear(X, inner_weight, inner_bias), negative_slope)
    return functional.linear(X, weight, bias)
