"""Manhattan (L1) distances in float32; a pair of rows gets the same bits however the rows are cut.

Strips of columns are transposed. So the inner loop runs over many pairs at once, and it sums each pair
in the same order, whichever rows lie beside it. There is no fast-math and no reduction.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

STRIP = 128  # columns of the matrix that are computed together
LANES = 16  # float32 values of the widest vector register


def manhattan(
    X: NDArray[np.float32], Y: NDArray[np.float32] | None = None, threads: int = 1
) -> NDArray[np.float32]:
    """Sums of absolute differences, float32 `(n, m)`.

    Parameters
    ----------
    X : float32 `(n, d)`, finite.
    Y : float32 `(m, d)`, finite. None stands for `X`: that takes half the time, and the result is
        symmetric.
    threads : number of strips that are computed at the same time; it changes nothing but the time.

    Notes
    -----
    The relative error of a value is at most about d/4 · 2⁻²⁴. An entry depends on its two rows alone:
    some rows of `X` give the same bits as all of them.

    Raises
    ------
    ValueError
        The widths differ, or a value is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from dicomae.clustering.distances import manhattan
    >>> X = np.array([[0, 0], [1, 2], [4, 0]], np.float32)
    >>> manhattan(X).tolist()
    [[0.0, 3.0, 4.0], [3.0, 0.0, 5.0], [4.0, 5.0, 0.0]]
    >>> manhattan(X[1:2], X).tolist()
    [[3.0, 0.0, 5.0]]
    """
    X = _checked(X)
    other = X if Y is None else _checked(Y)
    if X.shape[1] != other.shape[1]:
        raise ValueError(f"X has {X.shape[1]} columns and Y has {other.shape[1]}; they must be equal")
    out = np.empty((len(X), len(other)), np.float32)
    strip = partial(_fill_strip, X, other, out, Y is None)
    starts = range(0, len(other), STRIP)
    if threads == 1:
        for start in starts:
            strip(start)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(strip, starts))
    return out


def _checked(X: NDArray[np.float32]) -> NDArray[np.float32]:
    if X.ndim != 2 or X.dtype != np.float32:
        raise ValueError(f"rows must be float32 (n, d), not {X.dtype} with {X.ndim} dimensions")
    if not np.isfinite(X).all():
        raise ValueError("rows must be finite: there is a NaN or an infinity among the values")
    return np.ascontiguousarray(X)


def _fill_strip(X: Any, Y: Any, out: Any, symmetric: bool, start: int) -> None:
    """Columns `start:start + STRIP` of `out`, and their mirror image when it is symmetric."""
    stop = min(start + STRIP, len(Y))
    columns = np.zeros((Y.shape[1], -(-(stop - start) // LANES) * LANES), np.float32)
    columns[:, : stop - start] = Y[start:stop].T
    _sum_strip(X, columns, out[:, start:stop], start if symmetric else 0)
    if symmetric:
        out[start:stop, stop:] = out[stop:, start:stop].T


@numba.njit(cache=True, nogil=True)
def _sum_strip(X: Any, columns: Any, out: Any, first: int) -> None:
    """Fill the rows of `out` `(n, w)` from `first` on: distances of `X` `(n, d)` to `columns` `(d, ≥ w)`."""
    n, d = X.shape
    width = columns.shape[1]
    sums = np.zeros(width, np.float32)
    for i in range(first, n):
        sums[:] = 0
        c = 0
        while c + 4 <= d:  # four at a time: `sums` is loaded and stored a quarter as often
            x0, x1, x2, x3 = X[i, c], X[i, c + 1], X[i, c + 2], X[i, c + 3]
            y0, y1, y2, y3 = columns[c], columns[c + 1], columns[c + 2], columns[c + 3]
            for j in range(width):
                sums[j] += (abs(x0 - y0[j]) + abs(x1 - y1[j])) + (abs(x2 - y2[j]) + abs(x3 - y3[j]))
            c += 4
        while c < d:
            x0, y0 = X[i, c], columns[c]
            for j in range(width):
                sums[j] += abs(x0 - y0[j])
            c += 1
        out[i, :] = sums[: out.shape[1]]
