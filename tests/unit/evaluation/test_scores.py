import math
from collections import Counter
from random import Random

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomae.evaluation.scores import (
    homogeneity,
    normalized_mutual_information,
)

MEANS = {
    "arithmetic": lambda a, b: (a + b) / 2,
    "geometric": lambda a, b: math.sqrt(a * b),
    "min": min,
    "max": max,
}
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=12)


def entropy(values: list) -> float:
    return -sum(n / len(values) * math.log(n / len(values)) for n in Counter(values).values())


def test_hand_worked() -> None:
    # Cluster 0 holds a, a, b; cluster 1 holds b. H(C) = ln 2; H(C|K) = 3/4 of the entropy of (2/3, 1/3).
    labels, clusters = ["a", "a", "b", "b"], [0, 0, 0, 1]
    assert homogeneity(labels, clusters) == pytest.approx(0.3112781, abs=1e-7)
    assert normalized_mutual_information(labels, clusters, "arithmetic") == pytest.approx(0.3437110, abs=1e-7)
    assert homogeneity(labels, [5, 5, 7, 7]) == 1
    assert homogeneity(labels, [0, 1, 0, 1]) == 0


@settings(deadline=None, max_examples=60)
@given(PAIRS)
def test_equals_the_definitions(pairs: list[tuple[str, int]]) -> None:
    labels, clusters = [c for c, _ in pairs], [k for _, k in pairs]
    h_c, h_k, h_ck = entropy(labels), entropy(clusters), entropy(pairs)
    expected = 1 - (h_ck - h_k) / h_c if h_c else 1
    assert homogeneity(labels, np.array(clusters)) == pytest.approx(expected, abs=1e-9)
    for name, mean in MEANS.items():
        if h_c and h_k:
            expected = (h_c + h_k - h_ck) / mean(h_c, h_k)
            assert normalized_mutual_information(labels, clusters, name) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(PAIRS, st.sampled_from(sorted(MEANS)))
def test_equals_scikit_learn(pairs: list[tuple[str, int]], average_method: str) -> None:
    labels, clusters = [c for c, _ in pairs], [k for _, k in pairs]
    assert homogeneity(labels, clusters) == sklearn.metrics.homogeneity_score(labels, clusters)
    assert normalized_mutual_information(
        labels, clusters, average_method
    ) == sklearn.metrics.normalized_mutual_info_score(labels, clusters, average_method=average_method)


@settings(deadline=None, max_examples=30)
@given(PAIRS, st.lists(st.integers(0, 3), max_size=5))
def test_rows_without_a_label_do_not_count(pairs: list[tuple[str, int]], extra: list[int]) -> None:
    labels, clusters = [c for c, _ in pairs], [k for _, k in pairs]
    more_labels, more_clusters = [None] * len(extra) + labels, extra + clusters
    assert homogeneity(more_labels, more_clusters) == homogeneity(labels, clusters)
    assert normalized_mutual_information(
        more_labels, more_clusters, "arithmetic"
    ) == normalized_mutual_information(labels, clusters, "arithmetic")


@settings(deadline=None, max_examples=30)
@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_bit(pairs: list[tuple[str, int]], random: Random) -> None:
    shuffled = random.sample(pairs, len(pairs))
    scores = [
        (homogeneity(labels, clusters), normalized_mutual_information(labels, clusters, "arithmetic"))
        for labels, clusters in (zip(*pairs, strict=True), zip(*shuffled, strict=True))
    ]
    assert scores[0] == scores[1]


@pytest.mark.parametrize("labels", [[], [None, None]])
def test_no_label_at_all(labels: list[None]) -> None:
    assert math.isnan(homogeneity(labels, [0] * len(labels)))
    assert math.isnan(normalized_mutual_information(labels, [0] * len(labels), "arithmetic"))


def test_one_label_or_one_cluster() -> None:
    assert homogeneity(["a", "a"], [0, 1]) == 1
    assert homogeneity(["a", "b"], [0, 0]) == 0
    assert normalized_mutual_information(["a", "a"], [0, 0], "arithmetic") == 1
    assert normalized_mutual_information(["a", "a"], [0, 1], "arithmetic") == 0
    assert normalized_mutual_information(["a", "b"], [0, 0], "arithmetic") == 0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="1 labels, but 2 clusters"):
        homogeneity(["a"], [0, 1])
