"""Rows of X become Arrow values, and Arrow values become X again."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def pack(X: npt.NDArray[np.float32]) -> pa.Array:
    """Rows of X as binary values: the bytes of their little-endian float32.

    Examples
    --------
    >>> import numpy as np
    >>> from dicomae.features.packing import pack
    >>> X = np.array([[0.0, 1.0, 0.5], [0.25, 0.0, 1.0]], np.float32)
    >>> [len(row) for row in pack(X).to_pylist()]  # three float32, four bytes each
    [12, 12]
    """
    n, width = X.shape
    offsets = np.arange(n + 1, dtype=np.int32) * (4 * width)
    data = pa.py_buffer(np.ascontiguousarray(X, dtype="<f4"))
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), data])


def unpack(packed: pa.ChunkedArray, width: int) -> npt.NDArray[np.float32]:
    """X float32 (n, width) again, from the values that `pack` made.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from dicomae.features.packing import pack, unpack
    >>> X = np.array([[0.0, 1.0, 0.5], [0.25, 0.0, 1.0]], np.float32)
    >>> unpack(pa.chunked_array([pack(X[:1]), pack(X[1:])]), width=3).tolist()
    [[0.0, 1.0, 0.5], [0.25, 0.0, 1.0]]
    """
    return np.frombuffer(b"".join(packed.to_pylist()), dtype="<f4").reshape(-1, width)


def as_lists(X: npt.NDArray[np.float32]) -> pa.ListArray:
    """Rows of X as Arrow lists of float32.

    Examples
    --------
    >>> import numpy as np
    >>> from dicomae.features.packing import as_lists
    >>> as_lists(np.array([[0.0, 1.0], [0.5, 0.25]], np.float32)).to_pylist()
    [[0.0, 1.0], [0.5, 0.25]]
    """
    n, width = X.shape
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * width)
    return pa.ListArray.from_arrays(offsets, pa.array(X.reshape(-1), pa.float32()))


def as_matrix(lists: pa.Array | pa.ChunkedArray, width: int) -> npt.NDArray[np.float32]:
    """X float32 (n, width), from Arrow lists of `width` numbers each.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.packing import as_matrix
    >>> as_matrix(pa.array([[0.0, 1.0, 0.5], [0.25, 0.0, 1.0]]), width=3).shape
    (2, 3)
    """
    array = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    return np.asarray(array.flatten(), dtype=np.float32).reshape(-1, width)
