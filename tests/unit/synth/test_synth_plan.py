"""The plan of a synthetic PACS: counts, shares and nights."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomae.synth import bodyparts, patients
from dicomae.synth.plan import IMAGES, make_plan

KINDS = tuple(f"kind-{i}" for i in range(25))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**40), files=st.integers(1, 500), nights=st.integers(1, 6))
def test_the_plan_has_exactly_the_files_that_were_asked_for(seed: int, files: int, nights: int) -> None:
    plan = make_plan(seed, files, nights, KINDS)
    assert sum(study.files for study in plan) == files
    assert all(0 <= series.night < nights for study in plan for series in study.series)
    for study in plan:
        for series in study.series:
            assert series.instances > 0
            positions = [*series.spoilt, *(copy.instance for copy in series.copies)]
            assert all(0 <= position < series.instances for position in positions)
            assert len(set(positions)) == len(positions)


def test_three_thousand_files_suffice_for_an_experiment_on_six_modalities() -> None:
    instances: Counter[str] = Counter()
    people: dict[str, set[int]] = {}
    parts = set()
    for study in make_plan(1, 3000, 1, KINDS):
        instances[study.modality] += sum(series.instances for series in study.series)
        people.setdefault(study.modality, set()).add(study.patient)
        parts |= {series.part for series in study.series}
    assert all(instances[modality] >= 200 for modality in IMAGES)
    assert all(len(people[modality]) >= 60 for modality in IMAGES)
    assert len(parts) >= 28
    assert {"US", "MG", "DX", "SR", "PR", "SEG"} <= set(instances)
    assert instances["CT"] > 2 * instances["NM"]  # uneven, as the sample's balancing needs


def test_every_kind_of_trouble_is_there_and_in_images_only() -> None:
    plan = make_plan(3, 8 * len(KINDS), 1, KINDS)
    found = [
        (study.modality, kind) for study in plan for series in study.series for kind in series.spoilt.values()
    ]
    assert {kind for _, kind in found} == set(KINDS)
    assert {modality for modality, _ in found} <= set(IMAGES)


def test_later_nights_bring_old_patients_and_late_series() -> None:
    plan = make_plan(1, 1500, 3, KINDS)
    nights_of: dict[int, set[int]] = {}
    for study in plan:
        nights_of.setdefault(study.patient, set()).update(series.night for series in study.series)
    assert sum(len(nights) > 1 for nights in nights_of.values()) > 20
    assert any(len({series.night for series in study.series}) > 1 for study in plan)
    copies = [(s.night, c.night) for study in plan for s in study.series for c in s.copies]
    assert all(again >= first for first, again in copies)


def test_patients_come_back_after_years_and_keep_their_sex_and_birth_year() -> None:
    visits: dict[int, list[tuple[str, int, int]]] = {}
    for study in make_plan(1, 3000, 1, KINDS):
        visits.setdefault(study.patient, []).append((study.sex, study.birth_year, study.year))
    assert all(len({visit[:2] for visit in one}) == 1 for one in visits.values())
    assert sum(max(v[2] for v in one) > min(v[2] for v in one) for one in visits.values()) > 30


def test_body_parts_are_declared_in_the_documented_shares() -> None:
    rng = np.random.default_rng(0)
    drawn = [bodyparts.declare(bodyparts.PARTS["KNEE"], rng) for _ in range(8000)]
    shares = Counter(how for _, how in drawn)
    for how, share in bodyparts.DECLARED.items():
        # Five standard deviations of a binomial share.
        assert abs(shares[how] / 8000 - share) < 5 * (share * (1 - share) / 8000) ** 0.5
    by_how = {how: {value for value, one in drawn if one == how} for how in shares}
    assert by_how["correct"] == {"KNEE"}
    assert by_how["missing"] == {None, ""}
    assert by_how["wrong"] == set(bodyparts.PARTS) - {"KNEE"}
    assert "KNEE" not in by_how["misspelt"] | by_how["non_standard"]
    assert not by_how["misspelt"] & set(bodyparts.PARTS)


@pytest.mark.parametrize("modality", IMAGES)
def test_parts_of_a_modality_are_a_distribution(modality: str) -> None:
    names, shares = bodyparts.of_modality(modality)
    assert shares.sum() == pytest.approx(1)
    assert set(names) <= set(bodyparts.PARTS)
    assert len(names) > 5


def test_names_fit_their_character_sets_and_some_are_canaries() -> None:
    people = [patients.make_patient(1, number, "F", 1970) for number in range(1500)]
    codecs = {"latin1": "latin-1", "latin2": "iso8859-2", "utf8": "utf-8", "ascii": "ascii"}
    for person in people:
        if person.charset in codecs:
            person.name.encode(codecs[person.charset])
    assert {person.charset for person in people} == set(patients.CHARSETS)
    canaries = [person for person in people if person.name == patients.CANARY]
    assert 20 < len(canaries) < 150
    assert all(person.patient_id.startswith(patients.CANARY_ID_PREFIX) for person in canaries)
    assert [person.is_canary for person in people] == [person in canaries for person in people]
    assert len({person.patient_id for person in people}) == len(people)
