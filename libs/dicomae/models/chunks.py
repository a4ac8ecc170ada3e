"""Rows of X through a model in chunks of one shape: a row gets the same bits wherever it stands.

A matrix product may treat the last rows or columns in another way than the others, and a row among them
then differs in its last bits. So every product here has sizes that are multiples of 16, and a chunk that
is not full is filled up with zeros.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from dicomae.errors import UsageError

Floats = npt.NDArray[np.float32]
Layer = tuple[Tensor, Tensor]  # weight (out, in) and bias (out,)

# Matrix products whose three sizes are multiples of this give each row the same bits wherever it
# stands. Otherwise they need not: MKL takes other paths for a remainder of rows or columns, seen
# with bottlenecks of 2 to 8 and with chunks that are no multiple of 8.
_ALIGNMENT = 16


def padded(weight: Tensor, bias: Tensor) -> Layer:
    """The layer with zeros beyond its sizes, up to the next multiples of 16.

    Examples
    --------
    >>> weight, bias = padded(torch.ones(3, 30), torch.ones(3))
    >>> weight.shape, bias.shape
    (torch.Size([16, 32]), torch.Size([16]))
    """
    after, before = weight.shape
    extra = _aligned(after) - after
    return (
        functional.pad(weight, (0, _aligned(before) - before, 0, extra)),
        functional.pad(bias, (0, extra)),
    )


@torch.inference_mode()
def compress(
    encode: Callable[[Tensor], Tensor],
    decode: Callable[[Tensor], Tensor],
    X: Floats,
    sizes: tuple[int, int],
    batch_rows: int,
) -> tuple[Floats, Floats]:
    """Embeddings of X, and the mean squared error of each row after it is decoded again.

    Parameters
    ----------
    encode : (rows, aligned width) -> (rows, aligned bottleneck), by `padded` layers alone.
    decode : the way back.
    X : float32 `(n, width)`.
    sizes : width and bottleneck.
    batch_rows : rows of a chunk, rounded up to a multiple of 16.

    Returns
    -------
    embedding : float32 `(n, bottleneck)`.
    reconstruction_error : float32 `(n,)`.

    Raises
    ------
    UsageError
        X is not float32, has another width, or `batch_rows` is below 1.

    Examples
    --------
    A model of two columns that keeps the first one alone:

    >>> first = padded(torch.tensor([[1.0, 0.0]]), torch.zeros(1))
    >>> back = padded(torch.tensor([[1.0], [0.0]]), torch.zeros(2))
    >>> X = np.array([[0.5, 0.0], [0.25, 1.0]], np.float32)
    >>> compress(
    ...     lambda rows: functional.linear(rows, *first),
    ...     lambda code: functional.linear(code, *back),
    ...     X, (2, 1), batch_rows=16,
    ... )
    (array([[0.5 ],
           [0.25]], dtype=float32), array([0. , 0.5], dtype=float32))
    """
    width, bottleneck = sizes
    _check(X, width, batch_rows)
    embedding = np.empty((len(X), bottleneck), np.float32)
    error = np.empty(len(X), np.float32)
    rows = _aligned(batch_rows)
    chunk = torch.zeros(rows, _aligned(width))
    for start in range(0, len(X), rows):
        here = slice(start, min(start + rows, len(X)))
        n = here.stop - start
        chunk[n:] = 0
        chunk.numpy()[:n, :width] = X[here]
        code = encode(chunk)  # (rows, bottleneck, aligned)
        back = decode(code)  # (rows, width, aligned)
        squared = back.sub_(chunk).square_()[:, :width]
        embedding[here] = code[:n, :bottleneck].numpy()
        error[here] = squared.mean(dim=1)[:n].numpy()
    return embedding, error


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _check(X: Floats, width: int, batch_rows: int) -> None:
    if X.dtype != np.float32 or X.ndim != 2 or X.shape[1] != width:
        raise UsageError(
            f"the model takes float32 rows of {width} columns, not {X.dtype} of shape {X.shape}; "
            "encode them by the feature specification that is stored with the model"
        )
    if batch_rows < 1:
        raise UsageError(f"batch_rows must be at least 1, not {batch_rows}")
