"""What the archive will hold: patients, studies, series and files, before any file is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dicomae.synth import bodyparts, habits

# Share of the instances; the six modalities of the experiment and those it must leave out.
SHARES = {
    "CT": 0.26, "MR": 0.24, "CR": 0.16, "XA": 0.10, "RF": 0.09, "NM": 0.09,
    "US": 0.016, "MG": 0.012, "DX": 0.012, "SR": 0.009, "PR": 0.006, "SEG": 0.005,
}  # fmt: skip
# Largest numbers of series in a study and of instances in a series.
_LENGTHS = {"CT": (3, 7), "MR": (4, 5), "XA": (3, 3), "RF": (2, 4), "NM": (2, 3), "CR": (2, 2)}
SPOILT_SHARE = 0.02
DUPLICATE_SHARE = 0.01
FOLLOW_UP = 0.35  # share of the studies that belong to a patient who was here before
LATE_SERIES = 0.15  # share of the studies whose last series arrives a night or more later
IMAGES = ("CT", "MR", "CR", "XA", "RF", "NM")


@dataclass(frozen=True)
class Copy:
    """A second file of an instance: the `same` bytes, or a `conflict`: the same UID and other content."""

    instance: int  # its position in the series, from 0
    kind: str  # same, conflict
    night: int


@dataclass(frozen=True)
class Series:
    """Instances of one acquisition; `spoilt` maps an instance's position to a key of `spoil.KINDS`."""

    number: int
    part: str
    instances: int
    night: int
    spoilt: dict[int, str]
    copies: tuple[Copy, ...]


@dataclass(frozen=True)
class Study:
    """One visit; everything random in it follows from the seed and `number`."""

    number: int
    patient: int
    sex: str
    birth_year: int
    year: int
    modality: str
    habit: str
    series: tuple[Series, ...]

    @property
    def files(self) -> int:
        """Number of files that this study becomes."""
        return sum(series.instances + len(series.copies) for series in self.series)


@dataclass
class _Person:
    number: int
    sex: str
    birth_year: int
    last_year: int


def make_plan(seed: int, files: int, nights: int, kinds: Sequence[str]) -> list[Study]:
    """Studies that have exactly `files` files in all; spoilt files and duplicates count.

    The same arguments give the same plan. `kinds` are those of spoilt files. When `files` is 8 ×
    len(kinds) or more, each kind occurs at least once.
    """
    rng = np.random.default_rng([seed, 0])
    duplicates = round(files * DUPLICATE_SHARE)
    spoilt = max(round(files * SPOILT_SHARE), min(len(kinds), files // 8))
    studies = _studies(rng, files - duplicates, nights)
    return _with_trouble(rng, studies, [kinds[i % len(kinds)] for i in range(spoilt)], duplicates, nights)


def _quotas(instances: int) -> dict[str, int]:
    quotas = {modality: int(share * instances) for modality, share in SHARES.items()}
    quotas["CT"] += instances - sum(quotas.values())
    return quotas


def _studies(rng: np.random.Generator, instances: int, nights: int) -> list[Study]:
    left, persons, studies = _quotas(instances), list[_Person](), list[Study]()
    while any(left.values()):
        names = [modality for modality, quota in left.items() if quota]
        weights = np.array([left[modality] for modality in names], dtype=float)
        modality = str(rng.choice(names, p=weights / weights.sum()))
        study = _study(rng, len(studies), modality, left[modality], persons, nights)
        left[modality] -= study.files
        studies.append(study)
    return studies


def _study(
    rng: np.random.Generator, number: int, modality: str, limit: int, persons: list[_Person], nights: int
) -> Study:
    names, shares = bodyparts.of_modality(modality)
    part = str(rng.choice(names, p=shares))
    night = int(rng.integers(nights))
    person = _person(rng, persons, female=part == "BREAST")
    series = []
    most_series, most_instances = _LENGTHS.get(modality, (2, 2))
    for index in range(int(rng.integers(1, most_series + 1))):
        if limit == 0:
            break
        instances = min(limit, int(rng.integers(1, most_instances + 1)))
        limit -= instances
        other = str(rng.choice(names, p=shares)) if rng.random() < 0.06 else part
        series.append(Series(index + 1, other, instances, night, {}, ()))
    if len(series) > 1 and rng.random() < LATE_SERIES:
        series[-1] = replace(series[-1], night=int(rng.integers(night, nights)))
    return Study(
        number,
        person.number,
        person.sex,
        person.birth_year,
        person.last_year,
        modality,
        str(rng.choice(habits.of_modality(modality))),
        tuple(series),
    )


def _person(rng: np.random.Generator, persons: list[_Person], female: bool) -> _Person:
    if persons and rng.random() < FOLLOW_UP:
        person = persons[int(rng.integers(len(persons)))]
        if person.sex == "F" or not female:
            person.last_year = min(2025, person.last_year + int(rng.integers(0, 4)))
            return person
    sex = "F" if female or rng.random() < 0.52 else "M"
    age = int(np.clip(rng.normal(56, 20), 0, 99))
    year = int(rng.integers(2009, 2024))
    persons.append(_Person(len(persons), sex, year - age, year))
    return persons[-1]


def _with_trouble(
    rng: np.random.Generator, studies: list[Study], spoilt: list[str], duplicates: int, nights: int
) -> list[Study]:
    """The studies with one spoilt instance for each entry of `spoilt`, and with `duplicates` more files."""
    slots = [
        (study.number, index, position)
        for study in studies
        if study.modality in IMAGES
        for index, series in enumerate(study.series)
        for position in range(series.instances)
    ]
    chosen = rng.permutation(len(slots))[: len(spoilt) + duplicates]
    trouble: dict[tuple[int, int], tuple[dict[int, str], list[Copy]]] = {}
    for rank, slot in enumerate(chosen):
        number, index, position = slots[slot]
        bad, copies = trouble.setdefault((number, index), ({}, []))
        if rank < len(spoilt):
            bad[position] = spoilt[rank]
        else:
            night = int(rng.integers(studies[number].series[index].night, nights))
            copies.append(Copy(position, "same" if rank % 2 else "conflict", night))
    return [_troubled(study, trouble) for study in studies]


def _troubled(study: Study, trouble: dict[tuple[int, int], tuple[dict[int, str], list[Copy]]]) -> Study:
    series = []
    for index, one in enumerate(study.series):
        bad, copies = trouble.get((study.number, index), ({}, []))
        series.append(replace(one, spoilt=bad, copies=tuple(copies)))
    return replace(study, series=tuple(series))
