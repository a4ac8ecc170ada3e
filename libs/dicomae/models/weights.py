"""A model as the bytes of one safetensors file, whose metadata hold the model's shape.

The key of the metadata is the model's kind, so bytes of one kind are never taken for those of another:

    {"autoencoder": '{"bottleneck": 56, "hidden": [256], "negative_slope": 0.01, "width": 565}'}
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from dicomae.codes import ModelKind
from dicomae.errors import UsageError

Shape = TypeVar("Shape")

HEADER_LIMIT = 1 << 20  # bytes of the safetensors header, some 100 tensors


def metadata(kind: ModelKind, shape: dict[str, Any]) -> dict[str, str]:
    """The metadata of a model's file, always the same text for the same shape.

    Examples
    --------
    >>> metadata(ModelKind.PCA, {"width": 565, "bottleneck": 56})
    {'pca': '{"bottleneck": 56, "width": 565}'}
    """
    return {kind.value: json.dumps(shape, sort_keys=True)}


def read_shape(data: bytes, kind: ModelKind, build: Callable[[Any], Shape]) -> Shape:
    """The shape in the metadata of `data`: 8 bytes of length, then a JSON header (safetensors' format).

    Parameters
    ----------
    build : makes the shape from what the JSON holds; what it raises for another content is caught.

    Raises
    ------
    UsageError
        There is no such header, or it holds no shape of this kind.

    Examples
    --------
    >>> from safetensors.numpy import save
    >>> data = save({}, metadata(ModelKind.PCA, {"width": 565, "bottleneck": 56}))
    >>> read_shape(data, ModelKind.PCA, dict)
    {'bottleneck': 56, 'width': 565}
    >>> read_shape(data, ModelKind.AUTOENCODER, dict)
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: no shape of a model of kind 'autoencoder' in the safetensors header
    """
    length = int.from_bytes(data[:8], "little")
    if length > min(len(data) - 8, HEADER_LIMIT):
        raise UsageError("no valid safetensors header")
    try:
        return build(json.loads(json.loads(data[8 : 8 + length])["__metadata__"][kind]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"no shape of a model of kind '{kind}' in the safetensors header") from error


def check_size(data: bytes, tensors: int) -> None:
    """Raise UsageError when `data` is longer than the header's limit and `tensors` bytes together.

    Examples
    --------
    >>> check_size(bytes(HEADER_LIMIT + 5), tensors=4)
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: 1048581 bytes of weights, where the model's shape takes 4
    """
    if len(data) > tensors + HEADER_LIMIT:
        raise UsageError(f"{len(data)} bytes of weights, where the model's shape takes {tensors}")
