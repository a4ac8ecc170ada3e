"""FasterPAM: a medoid gives way to another row as soon as that lowers the cost.

References
----------
E. Schubert, P. J. Rousseeuw: Fast and eager k-medoids clustering. Information Systems 101 (2021),
doi 10.1016/j.is.2021.101804.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

# A gain below this share of the cost is the rounding of a sum: it could be "gained" again and again.
LEAST_GAIN = 1e-10


# numba's cache names this class. A cache from before a renaming cannot be loaded, so a renaming must move the
# compiled functions to other lines: the cache's files are named after a function and its line.
class SearchState(NamedTuple):
    """The medoids, and for each row the nearest two of them: positions in `medoids`, not row numbers.

    Examples
    --------
    Three rows lie at 0, 1 and 9 on a line; the first and the last are the medoids. If the first went,
    it would be 9 away from the other medoid, and the row at 1 would be 8 away instead of 1.

    >>> import numpy as np
    >>> from dicomae.clustering.fasterpam import SearchState
    >>> state = SearchState(
    ...     medoids=np.array([0, 2]), is_medoid=np.array([True, False, True]),
    ...     nearest=np.array([0, 0, 1]), nearest_distance=np.array([0, 1, 0], np.float32),
    ...     second=np.array([1, 1, 0]), second_distance=np.array([9, 8, 9], np.float32),
    ...     removal_loss=np.array([9.0 + (8.0 - 1.0), 9.0]),
    ... )
    >>> state.medoids[state.nearest].tolist(), float(state.nearest_distance.sum())  # of each row; cost
    ([0, 0, 2], 1.0)
    """

    medoids: NDArray[np.int64]  # (k,) rows
    is_medoid: NDArray[np.bool_]  # (n,)
    nearest: NDArray[np.int32]  # (n,)
    nearest_distance: NDArray[np.float32]  # (n,)
    second: NDArray[np.int32]  # (n,)
    second_distance: NDArray[np.float32]  # (n,)
    removal_loss: NDArray[np.float64]  # (k,) what the cost rises by when a medoid goes


def improve(
    distances: NDArray[np.float32], medoids: NDArray[np.int64], maximum_iterations: int
) -> tuple[NDArray[np.int64], list[float], int]:
    """Medoids that no single swap improves, the cost before and after each swap, and the passes.

    Parameters
    ----------
    distances : float32 `(n, n)`, symmetric, finite, zeros on the diagonal.
    medoids : int64 `(k,)`, distinct rows to start from, k ≥ 2; not changed.
    maximum_iterations : passes over the n rows, at the most. When they end the search, a swap could
        still improve the medoids.

    Returns
    -------
    medoids : int64 `(k,)`.
    costs : sums of distances to the nearest medoid, strictly falling; the last is the result's.
    n_iter : passes begun.

    Examples
    --------
    Rows lie at 0, 1, 10 and 11 on a line. From the first two as medoids, the row at 10 is tried first;
    it takes the place of the one at 0. Then no swap helps.

    >>> import numpy as np
    >>> from dicomae.clustering import fasterpam
    >>> from dicomae.clustering.distances import manhattan
    >>> distances = manhattan(np.array([[0], [1], [10], [11]], np.float32))
    >>> medoids, costs, n_iter = fasterpam.improve(distances, np.array([0, 1]), maximum_iterations=300)
    >>> medoids.tolist(), costs, n_iter  # 9 + 10 before the swap, 1 + 1 after it
    ([2, 1], [19.0, 2.0], 2)
    """
    n = len(distances)
    state = _start(distances, medoids)
    costs = [_cost(state)]
    examined, since_swap = 0, 0
    while since_swap < n and examined < maximum_iterations * n:
        steps = min(n - since_swap, maximum_iterations * n - examined)
        taken, swapped = _next_swap(distances, state, examined % n, steps, LEAST_GAIN * costs[-1])
        examined += taken
        since_swap = 0 if swapped else since_swap + taken
        if swapped:
            costs.append(_cost(state))
    return state.medoids, costs, -(-examined // n)


def _start(distances: NDArray[np.float32], medoids: NDArray[np.int64]) -> SearchState:
    n, k = len(distances), len(medoids)
    state = SearchState(
        medoids.astype(np.int64, copy=True),
        np.zeros(n, np.bool_),
        np.empty(n, np.int32),
        np.empty(n, np.float32),
        np.empty(n, np.int32),
        np.empty(n, np.float32),
        np.empty(k, np.float64),
    )
    state.is_medoid[medoids] = True
    _find_nearest(distances, state)
    return state


def _cost(state: SearchState) -> float:
    return float(state.nearest_distance.sum(dtype=np.float64))


@numba.njit(cache=True, nogil=True)
def _find_nearest(distances: Any, state: Any) -> None:
    for row in range(len(distances)):
        _find_nearest_of(distances, state, row)
    _sum_removal_loss(state)


@numba.njit(cache=True, nogil=True)
def _find_nearest_of(distances: Any, state: Any, row: int) -> None:
    first, second = -1, -1
    first_distance, second_distance = np.float32(np.inf), np.float32(np.inf)
    for position in range(len(state.medoids)):
        distance = distances[row, state.medoids[position]]
        if distance < first_distance:
            second, second_distance = first, first_distance
            first, first_distance = position, distance
        elif distance < second_distance:
            second, second_distance = position, distance
    state.nearest[row], state.nearest_distance[row] = first, first_distance
    state.second[row], state.second_distance[row] = second, second_distance


@numba.njit(cache=True, nogil=True)
def _sum_removal_loss(state: Any) -> None:
    state.removal_loss[:] = 0
    for row in range(len(state.nearest)):
        loss = np.float64(state.second_distance[row]) - np.float64(state.nearest_distance[row])
        state.removal_loss[state.nearest[row]] += loss


@numba.njit(cache=True, nogil=True)
def _next_swap(distances: Any, state: Any, start: int, steps: int, least_gain: float) -> tuple[int, bool]:
    """Number of rows examined from `start` on, row 0 after the last; whether the final one was swapped in."""
    n = len(distances)
    change = np.empty(len(state.medoids), np.float64)
    for step in range(steps):
        candidate = (start + step) % n
        if state.is_medoid[candidate]:
            continue
        shared = _changes(distances[candidate], state, change)
        position = int(np.argmin(change))
        if change[position] + shared < -least_gain:
            _swap(distances, state, position, candidate)
            return step + 1, True
    return steps, False


@numba.njit(cache=True, nogil=True)
def _changes(to_candidate: Any, state: Any, change: Any) -> float:
    """Change of the cost whichever medoid goes; `change` `(k,)` gets what depends on the one that goes."""
    shared = 0.0
    change[:] = state.removal_loss
    for row in range(len(to_candidate)):
        distance = to_candidate[row]
        if distance < state.second_distance[row]:
            nearest = np.float64(state.nearest_distance[row])
            second = np.float64(state.second_distance[row])
            if distance < nearest:
                shared += distance - nearest
                change[state.nearest[row]] += nearest - second
            else:
                change[state.nearest[row]] += distance - second
    return shared


@numba.njit(cache=True, nogil=True)
def _swap(distances: Any, state: Any, position: int, candidate: int) -> None:
    state.is_medoid[state.medoids[position]] = False
    state.is_medoid[candidate] = True
    state.medoids[position] = candidate
    for row in range(len(distances)):
        distance = distances[candidate, row]
        if state.nearest[row] == position or state.second[row] == position:
            _find_nearest_of(distances, state, row)
        elif distance < state.nearest_distance[row]:
            state.second[row] = state.nearest[row]
            state.second_distance[row] = state.nearest_distance[row]
            state.nearest[row], state.nearest_distance[row] = position, distance
        elif distance < state.second_distance[row]:
            state.second[row], state.second_distance[row] = position, distance
    _sum_removal_loss(state)
