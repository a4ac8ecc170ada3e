import numpy as np
import pytest

from dicomae.clustering.elbow import find, shown

PAPER = [4, 7, 11, 15, 20, 25, 30, 40, 50, 75, 100, 150]


def test_hand_worked() -> None:
    # Scaled to [0, 1] and turned over: 0, 0.6, 0.8, 0.9, 1; less 0, 0.25, 0.5, 0.75, 1 that is
    # 0, 0.35, 0.3, 0.15, 0: the greatest is the second.
    assert find([1, 2, 3, 4, 5], [10, 4, 2, 1, 0]) == 2


def test_two_straight_lines_meet_at_the_elbow() -> None:
    sums = [1000 - 60 * k if k <= 15 else 100 - 0.1 * (k - 15) for k in PAPER]
    assert find(PAPER, sums) == 15


def test_order_and_unit_change_nothing() -> None:
    sums = [1e6 / k for k in PAPER]
    assert find(PAPER, sums) == find(PAPER[::-1], sums[::-1]) == find(PAPER, [s / 1e9 for s in sums])
    assert isinstance(find(PAPER, sums), int)


@pytest.mark.parametrize(
    "sums",
    [
        [5, 4, 3, 2, 1],
        [3, 3, 3, 3, 3],
        [0, 0, 0, 0, 0],
        [10, 9.9, 9.5, 8, 0],
        [1, 2, 3, 4, 5],
        [5, 4, float("nan"), 2, 1],
        [float("inf"), 4, 3, 2, 1],
    ],
)
def test_no_elbow(sums: list[float]) -> None:
    assert find([1, 2, 3, 4, 5], sums) is None


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_points(n: int) -> None:
    assert find([4, 7][:n], [9.0, 1.0][:n]) is None


def test_a_rise_in_between_is_no_error() -> None:
    falling = 1e5 / np.array(PAPER)
    falling[5] = falling[4] * 1.02  # a local optimum of k-medoids
    assert find(PAPER, falling.tolist()) in PAPER


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 numbers of clusters, but 3 sums"):
        find([1, 2], [3, 2, 1])


@pytest.mark.parametrize(
    ("elbow", "tried", "expected"),
    [
        (15, PAPER, 15),
        (None, PAPER, 30),  # 25 and 30 are in the middle
        (None, PAPER[::-1], 30),
        (None, PAPER[:11], 25),
        (None, [4, 7], 7),
        (None, [4], 4),
    ],
)
def test_without_an_elbow_the_middle_one_of_those_tried_is_shown(
    elbow: int | None, tried: list[int], expected: int
) -> None:
    assert shown(elbow, tried) == expected
