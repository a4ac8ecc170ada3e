"""FasterPAM: swaps of one medoid for one other row, each taken as soon as it lowers the cost.

References
----------
E. Schubert, P. J. Rousseeuw: Fast and eager k-medoids clustering. Information Systems 101 (2021),
doi 10.1016/j.is.2021.101804.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

# A gain below this share of the cost is the rounding of a sum, and could be "gained" forever.
LEAST_GAIN = 1e-10


class State(NamedTuple):
    """The medoids, and for each row the nearest two of them (positions, not row numbers)."""

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
    """Medoids that no single swap betters, the cost before and after each swap, and the passes.

    Parameters
    ----------
    distances : float32 `(n, n)`, symmetric, finite, zeros on the diagonal.
    medoids : int64 `(k,)`, distinct rows to start from, k ≥ 2; not changed.
    maximum_iterations : passes over the n rows, at the most; then the medoids may still be
        bettered.

    Returns
    -------
    medoids : int64 `(k,)`.
    costs : sums of distances to the nearest medoid, strictly falling; the last is the result's.
    n_iter : passes begun.
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


def _start(distances: NDArray[np.float32], medoids: NDArray[np.int64]) -> State:
    n, k = len(distances), len(medoids)
    state = State(
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


def _cost(state: State) -> float:
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
    """Rows examined from `start` on, round and round; and whether the last of them was swapped in."""
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
    """What the candidate saves whoever goes; `change` `(k,)` gets what depends on who goes."""
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
