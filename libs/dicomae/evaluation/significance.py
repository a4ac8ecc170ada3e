"""Do the scores of original and compressed data differ? The paper's test, and better ones beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from dicomae.config import EvaluationConfig

INTERVAL = (2.5, 97.5)  # percentiles of the bootstrap
ROUNDING = 64 * np.finfo(np.float64).eps  # a spread below this share of the values, or of 1, is rounding

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Two series of scores, compared pair by pair; None is "not defined" (see `compare`).

    Attributes
    ----------
    shapiro_original, shapiro_compressed : p-values of the Shapiro-Wilk tests of normality.
    test : what the paper's rule chose.
    p_value : of that test, two-tailed.
    wilcoxon_p : of the paired, two-tailed Wilcoxon signed-rank test.
    tost_p : of the paired test of equivalence. Below alpha, the series are equal within the margin.
    mean_difference : mean of compressed - original.
    mean_difference_low, mean_difference_high : its 95 % bootstrap interval.

    Examples
    --------
    Fewer than three pairs define nothing.

    >>> from pathlib import Path
    >>> from dicomae import config
    >>> from dicomae.evaluation.significance import compare
    >>> settings = config.load(Path("conf/default.toml")).evaluation
    >>> compare([0.5, 0.6, float("nan")], [0.5, 0.7, 0.8], settings).p_value is None
    True
    """

    shapiro_original: float | None
    shapiro_compressed: float | None
    test: Literal["paired_t", "mann_whitney_u"]
    p_value: float | None
    wilcoxon_p: float | None
    tost_p: float | None
    mean_difference: float | None
    mean_difference_low: float | None
    mean_difference_high: float | None


NOT_DEFINED = Comparison(None, None, "mann_whitney_u", None, None, None, None, None, None)


def compare(original: Sequence[float], compressed: Sequence[float], config: EvaluationConfig) -> Comparison:
    """The comparison of two paired series, such as the homogeneity at each number of clusters.

    When both series are normal by Shapiro-Wilk (p > `alpha`), the test is the paired t-test. Else it is
    Mann-Whitney U. Both are two-tailed.

    Parameters
    ----------
    original, compressed : of equal length; the values at one position belong together.
    config : `alpha`, `equivalence_margin`, `bootstrap_samples` and `seed` are used.

    Notes
    -----
    Pairs with a NaN or an infinity are left out. With fewer than three pairs nothing is defined. A
    constant series has no Shapiro-Wilk p-value and does not count as normal. For identical series, p
    is 1.

    When all differences are the same, up to rounding, the t-test's p is 0, or 1 if the differences are 0.
    The equivalence test's p is then 0 within the margin and 1 outside, and the interval is that one value.

    Raises
    ------
    ValueError
        The lengths differ.

    References
    ----------
    D. J. Schuirmann: J. Pharmacokinet. Biopharm. 15 (1987), doi 10.1007/BF01068419 (the test of
    equivalence). B. Efron, R. J. Tibshirani: An Introduction to the Bootstrap (1993), chapter 13.

    Examples
    --------
    Compressed data scores 0.01 better for each number of clusters. That is a difference without doubt
    (p is 0), and it is too small to matter: the series are equal within the margin of 0.02.

    >>> from pathlib import Path
    >>> from dicomae import config
    >>> from dicomae.evaluation.significance import compare
    >>> settings = config.load(Path("conf/default.toml")).evaluation
    >>> found = compare([0.5, 0.6, 0.7, 0.8], [0.51, 0.61, 0.71, 0.81], settings)
    >>> found.test, found.p_value, found.tost_p, round(found.mean_difference, 6)
    ('paired_t', 0.0, 0.0, 0.01)
    """
    a, b = _pairs(original, compressed)
    if len(a) < 3:
        return NOT_DEFINED
    difference = _differences(a, b)
    shapiro = _shapiro(a), _shapiro(b)
    normal = all(p is not None and p > config.alpha for p in shapiro)
    low, high = _bootstrap(difference, config.bootstrap_samples, config.seed)
    return Comparison(
        *shapiro,
        test="paired_t" if normal else "mann_whitney_u",
        p_value=_paired_t(difference) if normal else _mann_whitney_u(a, b),
        wilcoxon_p=_wilcoxon(difference),
        tost_p=_equivalence(difference, config.equivalence_margin),
        mean_difference=float(difference.mean()),
        mean_difference_low=low,
        mean_difference_high=high,
    )


def _pairs(original: Sequence[float], compressed: Sequence[float]) -> tuple[Values, Values]:
    a, b = np.asarray(original, np.float64), np.asarray(compressed, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} original scores, but {len(b)} compressed ones")
    both = np.isfinite(a) & np.isfinite(b)
    return a[both], b[both]


def _differences(a: Values, b: Values) -> Values:
    """b - a; differences that rounding alone tells apart, as 0.3 - 0.2 and 0.2 - 0.1, are made equal."""
    difference = b - a
    rounding = _rounding(a, b)
    if np.ptp(difference) > rounding:
        return difference
    mean = difference.mean()
    return np.full_like(difference, mean if abs(mean) > rounding else 0.0)


def _rounding(*series: Values) -> float:
    """What counts as no difference: scores are of the size of 1, however small some of them are."""
    return float(ROUNDING * max(1.0, *(np.abs(values).max() for values in series)))


def _shapiro(values: Values) -> float | None:
    if np.ptp(values) <= _rounding(values):
        return None
    return float(stats.shapiro(values).pvalue)


def _paired_t(difference: Values) -> float:
    if np.ptp(difference) == 0:
        return 1.0 if difference[0] == 0 else 0.0
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def _mann_whitney_u(a: Values, b: Values) -> float:
    return float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)


def _wilcoxon(difference: Values) -> float:
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference).pvalue)


def _equivalence(difference: Values, margin: float) -> float:
    """The larger p of two one-sided t-tests: mean above -margin, and mean below margin."""
    if np.ptp(difference) == 0:
        return 0.0 if abs(difference[0]) < margin else 1.0
    above = stats.ttest_1samp(difference, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(difference, margin, alternative="less").pvalue
    return float(max(above, below))


def _bootstrap(difference: Values, samples: int, seed: int) -> tuple[float, float]:
    rows = np.random.default_rng(seed).integers(len(difference), size=(samples, len(difference)))
    low, high = np.percentile(difference[rows].mean(axis=1), INTERVAL)
    return float(low), float(high)
