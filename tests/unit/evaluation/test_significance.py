import dataclasses
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from dicomae.config import EvaluationConfig
from dicomae.evaluation.significance import compare

CONFIG = EvaluationConfig("arithmetic", 0.05, 0.02, 2000, 7)
# Homogeneity as it rises with the number of clusters.
ORIGINAL = [0.45, 0.55, 0.63, 0.69, 0.74, 0.78, 0.81, 0.86, 0.89, 0.93, 0.96, 0.99]
COMPRESSED = [0.47, 0.54, 0.61, 0.70, 0.72, 0.77, 0.82, 0.85, 0.86, 0.94, 0.95, 0.98]
# One value far from the others: not normal.
SKEWED = [0.10, 0.11, 0.12, 0.10, 0.13, 0.11, 0.12, 0.14, 0.11, 0.13, 0.10, 0.99]
SCORES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, math.nan]))


def test_normal_series_take_the_paired_t_test() -> None:
    found = compare(ORIGINAL, COMPRESSED, CONFIG)
    assert found.test == "paired_t"
    assert found.shapiro_original == pytest.approx(stats.shapiro(ORIGINAL).pvalue)
    assert found.shapiro_compressed == pytest.approx(stats.shapiro(COMPRESSED).pvalue)
    assert found.p_value == pytest.approx(stats.ttest_rel(ORIGINAL, COMPRESSED).pvalue)
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(np.subtract(COMPRESSED, ORIGINAL)).pvalue)
    assert found.mean_difference == pytest.approx(sum(COMPRESSED) / 12 - sum(ORIGINAL) / 12)


@pytest.mark.parametrize(("a", "b"), [(SKEWED, COMPRESSED), (ORIGINAL, SKEWED), (SKEWED, SKEWED[::-1])])
def test_one_series_that_is_not_normal_takes_mann_whitney_u(a: list[float], b: list[float]) -> None:
    found = compare(a, b, CONFIG)
    assert found.test == "mann_whitney_u"
    assert found.p_value == pytest.approx(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)


def test_alpha_decides_what_is_normal() -> None:
    strict = dataclasses.replace(CONFIG, alpha=0.999)
    assert compare(ORIGINAL, COMPRESSED, strict).test == "mann_whitney_u"


def test_t_tests_by_hand() -> None:
    # Differences 0.00, 0.01, 0.02: mean 0.01, standard deviation 0.01, standard error 0.01 / sqrt(3).
    found = compare([0.1, 0.2, 0.4], [0.1, 0.21, 0.42], CONFIG)
    # Student's t with 2 degrees of freedom: P(T > t) = 1/2 - t / (2 sqrt(2 + t**2)).
    t = math.sqrt(3)
    tail = 0.5 - t / (2 * math.sqrt(2 + t * t))
    assert found.p_value == pytest.approx(2 * tail)
    assert found.tost_p == pytest.approx(tail)  # the upper side: (0.02 - 0.01) / error is the same t
    assert found.mean_difference == pytest.approx(0.01)


def test_equivalence_needs_both_sides() -> None:
    shifted = [value + 0.05 for value in ORIGINAL[:-1]] + [ORIGINAL[-1] + 0.051]
    assert compare(ORIGINAL, shifted, CONFIG).tost_p > 0.99
    assert compare(shifted, ORIGINAL, CONFIG).tost_p > 0.99
    wide = dataclasses.replace(CONFIG, equivalence_margin=0.06)
    assert compare(ORIGINAL, shifted, wide).tost_p < 0.01


def test_interval_by_hand() -> None:
    # Of 3 draws from (0, 0, 1), P(no 1) = 0.30 and P(three 1) = 0.037: beyond 2.5 % on both sides.
    found = compare([0, 0.5, 0], [0, 0.5, 1], CONFIG)
    assert (found.mean_difference_low, found.mean_difference_high) == (0, 1)


def test_interval_equals_scipy() -> None:
    found = compare(ORIGINAL, COMPRESSED, dataclasses.replace(CONFIG, bootstrap_samples=20_000))
    theirs = stats.bootstrap(
        (np.subtract(COMPRESSED, ORIGINAL),), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert found.mean_difference_low == pytest.approx(theirs.low, abs=5e-4)
    assert found.mean_difference_high == pytest.approx(theirs.high, abs=5e-4)


def test_the_seed_decides() -> None:
    other = compare(ORIGINAL, COMPRESSED, dataclasses.replace(CONFIG, seed=8))
    assert compare(ORIGINAL, COMPRESSED, CONFIG) == compare(ORIGINAL, COMPRESSED, CONFIG) != other


@pytest.mark.parametrize("series", [ORIGINAL, SKEWED, [0.3] * 12, [0.0, 0.0, 0.0], [0.1, 0.2, 0.3]])
def test_identical_series(series: list[float]) -> None:
    found = compare(series, series, CONFIG)
    assert (found.p_value, found.wilcoxon_p, found.tost_p) == (1, 1, 0)
    assert (found.mean_difference, found.mean_difference_low, found.mean_difference_high) == (0, 0, 0)


@pytest.mark.parametrize(("shift", "tost_p"), [(0.01, 0), (-0.01, 0), (0.1, 1), (-0.1, 1)])
def test_a_constant_shift(shift: float, tost_p: float) -> None:
    found = compare(ORIGINAL, [value + shift for value in ORIGINAL], CONFIG)
    assert (found.test, found.p_value, found.tost_p) == ("paired_t", 0, tost_p)
    assert found.mean_difference_low == found.mean_difference_high == pytest.approx(shift)


def test_constant_series_are_not_normal() -> None:
    found = compare([0.5] * 5, [0.6] * 5, CONFIG)
    assert (found.shapiro_original, found.shapiro_compressed) == (None, None)
    assert found.test == "mann_whitney_u"
    assert found.p_value == pytest.approx(stats.mannwhitneyu([0.5] * 5, [0.6] * 5).pvalue)
    assert compare([0.5] * 12, ORIGINAL, CONFIG).shapiro_original is None


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three(n: int) -> None:
    values = dataclasses.asdict(compare(ORIGINAL[:n], COMPRESSED[:n], CONFIG))
    assert values.pop("test") == "mann_whitney_u"
    assert set(values.values()) == {None}


def test_pairs_with_nan_are_left_out() -> None:
    a, b = [math.nan, *ORIGINAL, 0.1], [0.2, *COMPRESSED, math.inf]
    assert compare(a, b, CONFIG) == compare(ORIGINAL, COMPRESSED, CONFIG)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="1 original scores, but 2"):
        compare([0.1], [0.1, 0.2], CONFIG)


@settings(deadline=None, max_examples=100)
@example([(0.0, 0.0), (0.0, 0.0), (0.0, 1.2e-38)])  # SciPy warns of a range of zero
@given(st.lists(st.tuples(SCORES, SCORES), max_size=7))
def test_every_series_has_an_outcome(pairs: list[tuple[float, float]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    config = dataclasses.replace(CONFIG, bootstrap_samples=100)
    there, back = compare(a, b, config), compare(b, a, config)
    for p in (there.p_value, there.wilcoxon_p, there.tost_p):
        assert p is None or 0 <= p <= 1
    assert (there.test, there.shapiro_original) == (back.test, back.shapiro_compressed)
    if there.p_value is not None:
        assert there.p_value == pytest.approx(back.p_value)
        assert there.wilcoxon_p == pytest.approx(back.wilcoxon_p)
        assert there.tost_p == pytest.approx(back.tost_p)
        assert there.mean_difference == pytest.approx(-back.mean_difference)
        assert there.mean_difference_low <= there.mean_difference_high
