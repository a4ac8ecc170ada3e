"""The two numbers of a feature that become 0 and 1.

With `clipped`, the default, they are quantiles of the training split, and one per cent of absurd numbers
moves them nowhere near the absurd. A number is absurd when it lies outside the middle 80 % of all numbers
by more than `absurd_beyond` times the width of that middle. Of `KVP` from 80 to 140 the middle is some 60
kV wide, so that with 100 times a number above 6,140 is absurd: `1e308`, `99999999999` (no int32, as an IS
must be), `9999`.

The middle is wider than the quartiles' for a reason. Honest features have two clusters, and quartiles may
lie in one of them: ImagingFrequency is 63.9 MHz at 1.5 T and 127.9 MHz at 3 T. In 441 files of public test
data, 100 such widths keep all 150 numeric components but those of unusual instance and series numbers,
which are absurd, and of EchoNumbers and direction cosines, which hardly vary; 3 widths would cut 38.
"""

import numpy as np
import numpy.typing as npt

from dicomae.config import FeaturesConfig

_MIDDLE = (0.1, 0.9)
# The span of two bounds must itself be a number; a DS can come near the largest float.
_LIMIT = float(np.finfo(np.float64).max) / 2


def fit(numbers: npt.NDArray[np.float64], config: FeaturesConfig) -> tuple[float, float] | None:
    """Lower and upper bound of finite numbers (n,); None when there are no two different ones.

    Both are among the numbers. When the quantiles are equal, and the feature is not constant, they are the
    smallest and the largest number that is not absurd. With `minmax` they are the smallest and the largest.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from dicomae import config
    >>> from dicomae.features.bounds import fit
    >>> settings = config.load(Path("conf/default.toml")).features
    >>> numbers = np.array([*range(80, 141)] * 10 + [1e308] * 6)
    >>> fit(numbers, settings), fit(numbers, replace(settings, bounds="minmax"))[0]
    ((80.0, 140.0), 80.0)
    """
    numbers = np.clip(numbers, -_LIMIT, _LIMIT)
    if not len(numbers) or numbers.min() == numbers.max():
        return None
    if config.bounds == "minmax":
        return float(numbers.min()), float(numbers.max())
    low, high = _range_of_honest(numbers, config.absurd_beyond)
    quantiles = [config.lower_quantile, config.upper_quantile]
    lower, upper = np.clip(np.quantile(numbers, quantiles, method="nearest"), low, high)
    return (float(lower), float(upper)) if lower < upper else (low, high)


def _range_of_honest(numbers: npt.NDArray[np.float64], times: float) -> tuple[float, float]:
    """The smallest and the largest number that is not absurd; they differ."""
    first, last = np.quantile(numbers, _MIDDLE, method="nearest")
    width = last - first
    if width == 0:  # four fifths are one number: how far are the others from it, most of them?
        distance = np.abs(numbers[numbers != first] - first)
        width = np.quantile(distance, 0.5, method="nearest")
    with np.errstate(over="ignore"):
        is_honest = (first - times * width <= numbers) & (numbers <= last + times * width)
    honest = numbers[is_honest]
    return float(honest.min()), float(honest.max())
