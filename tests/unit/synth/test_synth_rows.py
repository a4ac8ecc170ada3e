"""Rows of `headers` without files: the same however the table is cut, and as the kernel would write them."""

from collections.abc import Iterator

import numpy as np
import pytest

from dicomae.headers.parse import parse_headers
from dicomae.synth import templates
from dicomae.synth.bodyparts import PARTS
from dicomae.synth.dataset import make_series
from dicomae.synth.draft import Draft
from dicomae.synth.habits import HABITS
from dicomae.synth.patients import make_patient
from dicomae.synth.plan import make_plan
from dicomae.synth.rows import SERIES_LENGTH, header_rows
from dicomae.synth.writer import encode, put_pixels
from dicomae.tables import HEADERS


@pytest.fixture(autouse=True, scope="module")
def few_templates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(templates, "_FILES", 250)
        patch.setattr(templates, "_MATRIX", 16)
        templates.make_templates.cache_clear()
        yield
    templates.make_templates.cache_clear()


def test_a_row_is_the_same_however_the_table_is_cut() -> None:
    whole = header_rows(4, 0, 300)
    assert header_rows(4, 37, 100).equals(whole.slice(37, 100))
    assert header_rows(4, 299, 1).equals(whole.slice(299, 1))
    assert not header_rows(5, 0, 300).equals(whole)


def test_the_schema_is_that_of_headers_without_the_run() -> None:
    assert header_rows(4, 0, 10).schema.names == [name for name in HEADERS.columns if name != "run_id"]
    assert header_rows(4, 0, 0).num_rows == 0
    for field in header_rows(4, 0, 10).schema:
        assert field.type == HEADERS.schema.field(field.name).type


def test_instances_are_unique_and_series_hold_together() -> None:
    batch = header_rows(4, 1000, 500)
    assert len(set(batch["SOPInstanceUID"].to_pylist())) == 500
    assert len(set(batch["SeriesInstanceUID"].to_pylist())) == 500 // SERIES_LENGTH
    assert len(set(batch["content_hash"].to_pylist())) == 500
    modality_of = dict(
        zip(batch["SeriesInstanceUID"].to_pylist(), batch["Modality"].to_pylist(), strict=True)
    )
    pairs = zip(batch["SeriesInstanceUID"].to_pylist(), batch["Modality"].to_pylist(), strict=True)
    assert all(modality_of[series] == modality for series, modality in pairs)


def test_promoted_columns_agree_with_the_elements() -> None:
    batch = header_rows(4, 0, 200)
    for row in batch.to_pylist():
        elements = dict(row["elements"])
        for name in ("SOPInstanceUID", "StudyInstanceUID", "PatientID", "Modality", "Manufacturer"):
            assert row[name] == elements.get(name)
        assert row["has_window"] == bool(elements.get("WindowCenter") and elements.get("WindowWidth"))


def test_numbers_vary_between_rows_and_stay_near_their_template() -> None:
    rows = [row for row in header_rows(4, 0, 400).to_pylist() if row["Modality"] == "CT"]
    voltages = {dict(row["elements"])["KVP"] for row in rows if dict(row["elements"]).get("KVP")}
    exposures = [dict(row["elements"]).get("Exposure") for row in rows]
    assert len({value for value in exposures if value}) > 5 * len(voltages)
    assert all(value.isdigit() for value in exposures if value)  # IS has no decimals


def test_template_texts_are_those_of_the_header_kernel() -> None:
    compared = 0
    for study in make_plan(3, 150, 1, ("none",)):
        rng = np.random.default_rng([3, 2, study.number])
        patient = make_patient(3, study.patient, study.sex, study.birth_year)
        for series in study.series:
            part, habit = PARTS[series.part], HABITS[study.habit]
            draft = Draft(3, study, series, patient, part, habit, 16, rng)
            for made in make_series(draft)[1]:
                elements, vrs = templates.elements_of(made.dataset)
                if made.frames is not None:
                    put_pixels(made.dataset, made.frames, made.syntax)
                read = parse_headers([encode(made.dataset, made.syntax)], [True], ()).headers
                if made.syntax != "implicit":  # there a private VR that no dictionary has is lost
                    assert dict(read["elements"][0].as_py()) == elements
                    assert dict(read["vrs"][0].as_py()) == vrs
                    compared += 1
    assert compared > 90
