"""Rows of X as Arrow values, and back, without a copy of each row in Python."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def pack(X: npt.NDArray[np.float32]) -> pa.Array:
    """Rows of X as binary values, without a copy of each row in Python."""
    n, width = X.shape
    offsets = np.arange(n + 1, dtype=np.int32) * (4 * width)
    data = pa.py_buffer(np.ascontiguousarray(X, dtype="<f4"))
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), data])


def unpack(packed: pa.ChunkedArray, width: int) -> npt.NDArray[np.float32]:
    """`pack`'s rows as X again."""
    return np.frombuffer(b"".join(packed.to_pylist()), dtype="<f4").reshape(-1, width)


def as_lists(X: npt.NDArray[np.float32]) -> pa.ListArray:
    """Rows of X as Arrow lists."""
    n, width = X.shape
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * width)
    return pa.ListArray.from_arrays(offsets, pa.array(X.reshape(-1), pa.float32()))


def as_matrix(lists: pa.Array | pa.ChunkedArray, width: int) -> npt.NDArray[np.float32]:
    """Arrow lists of one length as a matrix (n, width)."""
    array = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    return np.asarray(array.flatten(), dtype=np.float32).reshape(-1, width)
