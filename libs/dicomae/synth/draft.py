"""What every element of a series may depend on, and small draws from its generator."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np

from dicomae.synth import plan
from dicomae.synth.bodyparts import Part
from dicomae.synth.habits import Habit
from dicomae.synth.patients import Patient

# Keyword → str, int, float, list of these, None (present but empty), or a list of Values (a sequence).
Values = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """A series about to be made.

    `rng` belongs to the study. Its series draw from it in their order, so no other study matters.
    """

    seed: int
    study: plan.Study
    series: plan.Series
    patient: Patient
    part: Part
    habit: Habit
    matrix: int  # rows of an image, pixels
    rng: np.random.Generator

    def uid(self, *path: object) -> str:
        """A UID under 2.25 that depends on the seed, the study and `path` alone."""
        return make_uid(self.seed, self.study.number, *path)

    def pick(self, choices: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the choices; `weights` need not sum to 1."""
        if weights is None:
            return choices[int(self.rng.integers(len(choices)))]
        edges = np.cumsum(weights)
        return choices[int(np.searchsorted(edges, self.rng.random() * edges[-1], side="right"))]

    def maybe(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def near(self, value: float, spread: float = 0.1) -> float:
        """`value` times a normally distributed factor around 1, and at least a tenth of `value`."""
        return float(value * max(0.1, self.rng.normal(1, spread)))


def make_uid(*path: object) -> str:
    """A UID under 2.25 (PS3.5 B.2) from the hash of what it names."""
    digest = blake2b("/".join(map(str, path)).encode(), digest_size=16).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"
