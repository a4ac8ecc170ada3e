import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dicomae import config, tables
from dicomae.codes import PrivacyLevel
from dicomae.dicom import privacy
from dicomae.features import funnel, statistics

CONFIG = dataclasses.replace(
    config.load(Path(__file__).resolve().parents[3] / "conf" / "default.toml").funnel,
    minimum_unique=2,
    minimum_fill=0.2,
    fill_scope="any_modality",
    maximum_categories=50,
    minimum_numeric_share=0.95,
    excluded_vrs=("UI", "PN", "DA", "SQ", "OB"),
    identifiers=("PatientID", "StationName", "InstitutionCodeSequence"),
    free_text=("StudyDescription",),
)
GLOBAL = dataclasses.replace(CONFIG, fill_scope="global")
GOOD = {
    "key": "SomeTag",
    "vr": "CS",
    "rows": 1000,
    "present": 500,
    "filled": 400,
    "fill": 0.4,
    "fill_by_modality": {"CT": 0.5, "MR": 0.3},
    "varies": True,
    "distinct_hll": 5,
    "numeric_share": 0.0,
    "max_values": 1,
    "minimum": None,
    "maximum": None,
}


def table(*tags: dict[str, Any]) -> pa.Table:
    schema = statistics.finish(statistics.EMPTY, lambda _: None).schema
    return pa.Table.from_pylist([GOOD | tag for tag in tags], schema=schema)


def decided(tag: dict[str, Any], by: config.FunnelConfig = CONFIG) -> dict[str, Any]:
    (row,) = funnel.decide(table(tag), by, privacy.levels(by)).to_pylist()
    return dict(row)


@pytest.mark.parametrize(
    ("tag", "step", "decision"),
    [
        ({}, None, "categorical"),
        ({"varies": False, "distinct_hll": 1}, "vary", "dropped"),
        ({"varies": False, "filled": 0, "numeric_share": None}, "vary", "dropped"),
        ({"fill": 0.19, "fill_by_modality": {"CT": 0.19}}, "used", "dropped"),
        ({"fill": 0.2, "fill_by_modality": {}}, None, "categorical"),
        ({"fill": 0.01, "fill_by_modality": {"NM": 0.2}}, None, "categorical"),
        ({"vr": "UI"}, "informative", "dropped"),
        ({"vr": "SQ"}, "informative", "dropped"),
        ({"vr": None}, "informative", "dropped"),
        ({"key": "PatientID", "vr": "LO"}, "informative", "dropped"),
        ({"key": "SomeSequence[0].StationName", "vr": "SH"}, "informative", "dropped"),
        ({"distinct_hll": 50}, None, "categorical"),
        ({"distinct_hll": 51}, "informative", "dropped"),
        ({"key": "StudyDescription", "vr": "LO"}, "free_text", "dropped"),
        ({"key": "StudyDescription", "vr": "LO", "distinct_hll": 9000}, "free_text", "dropped"),
        ({"key": "ASequence[1].StudyDescription", "vr": "LO"}, "free_text", "dropped"),
        ({"vr": "LT"}, "free_text", "dropped"),
        ({"vr": "UT", "distinct_hll": 9000}, "free_text", "dropped"),
        ({"vr": "DS", "numeric_share": 0.95, "distinct_hll": 9000}, None, "numeric"),
        ({"vr": "AS", "numeric_share": 1.0, "distinct_hll": 90}, None, "numeric"),
        ({"vr": "DS", "numeric_share": 0.94}, None, "categorical"),
        ({"vr": "DS", "numeric_share": 0.94, "distinct_hll": 51}, "informative", "dropped"),
        ({"vr": "CS", "numeric_share": 1.0}, None, "categorical"),
        ({"key": "0019xx10 ACME", "vr": "DS", "numeric_share": 1.0}, None, "numeric"),
        ({"key": "0019xx10 ACME].StationName X", "vr": "DS", "numeric_share": 1.0}, None, "numeric"),
        # A private text is a category where the private dictionary knows it as a code.
        ({"key": "0019xx10 ACME", "vr": "CS"}, "free_text", "dropped"),
        ({"key": "0019xx10 ACME", "vr": "DS", "numeric_share": 0.5}, "free_text", "dropped"),
        ({"key": "00191010", "vr": "CS"}, "free_text", "dropped"),
        ({"key": "ASequence[0].00191010", "vr": "LO"}, "free_text", "dropped"),
        ({"key": "0019xx18 GEMS_ACQU_01", "vr": "LO"}, "free_text", "dropped"),  # known, and no code
        ({"key": "0029xx08 SIEMENS CSA HEADER", "vr": "CS"}, None, "categorical"),  # known as CS
        # The owner of private elements is no feature, whatever VR the file gives it.
        ({"key": "00190010", "vr": "LO"}, "informative", "dropped"),
        ({"key": "002900FF", "vr": "DS", "numeric_share": 1.0}, "informative", "dropped"),
        ({"key": "ASequence[0].00190010", "vr": "LO"}, "informative", "dropped"),
        # The VR that PS3.6 gives counts too: devices write names and texts under others.
        ({"key": "ReviewerName", "vr": "LO"}, "informative", "dropped"),
        ({"key": "StudyDate", "vr": "CS"}, "informative", "dropped"),
        ({"key": "StudyTime", "vr": "CS"}, None, "categorical"),  # TM is not excluded here
        ({"key": "ImageComments", "vr": "CS"}, "free_text", "dropped"),
        ({"key": "60024000", "vr": "LO"}, "free_text", "dropped"),  # OverlayComments of another plane
        ({"key": "InstitutionCodeSequence[0].CodeMeaning", "vr": "LO"}, "informative", "dropped"),
        ({"key": "ViewCodeSequence[0].CodeMeaning", "vr": "LO"}, None, "categorical"),
        # The first step that objects decides.
        ({"key": "PatientID", "vr": "LT", "varies": False, "fill": 0.0}, "vary", "dropped"),
        ({"key": "PatientID", "vr": "LT", "fill": 0.0, "fill_by_modality": {}}, "used", "dropped"),
        ({"key": "PatientID", "vr": "LT"}, "informative", "dropped"),
    ],
)
def test_where_a_tag_leaves(tag: dict[str, Any], step: str | None, decision: str) -> None:
    row = decided(tag)
    assert (row["step"], row["decision"]) == (step, decision)


def test_the_global_scope_ignores_modalities() -> None:
    rare = {"fill": 0.01, "fill_by_modality": {"NM": 1.0}}
    assert decided(rare)["decision"] == "categorical"
    assert decided(rare, GLOBAL)["step"] == "used"


@pytest.mark.parametrize(("distinct", "step"), [(3, None), (2, "vary")])
def test_more_than_two_unique_values_may_be_asked_for(distinct: int, step: str | None) -> None:
    strict = dataclasses.replace(CONFIG, minimum_unique=3)
    assert decided({"distinct_hll": distinct}, strict)["step"] == step


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ({"varies": False}, "1 unique values; 2 needed"),
        (
            {"filled": 100, "fill": 0.1, "fill_by_modality": {"CT": 0.15, "MR": 0.05}},
            "filled in 100 of 1000 rows (10.0%), in 15.0% of CT; 20.0% needed",
        ),
        ({"vr": "UI"}, "VR UI is excluded"),
        ({"distinct_hll": 51}, "categorical with 51 values; 50 allowed"),
        ({"vr": "LT"}, "natural language, by its VR LT"),
        (
            {"vr": "DS", "numeric_share": 1.0},
            "VR DS, 100.0% numbers, filled in 400 of 1000 rows (40.0%), in 50.0% of CT",
        ),
        (
            {"vr": "DS", "numeric_share": 0.5},
            "VR DS, but only 50.0% numbers; 5 values, filled in 400 of 1000 rows (40.0%), in 50.0% of CT",
        ),
    ],
)
def test_the_reason_has_its_figures(tag: dict[str, Any], why: str) -> None:
    assert decided(tag)["why"] == why


def test_which_texts_need_devices() -> None:
    vrs = {
        "Manufacturer": "LO",
        "Modality": "CS",
        "Laterality": "SH",
        "LaterKeyword": "CS",
        "SomeLater": "LO",
    }
    keys = pa.table({"key": list(vrs), "vr": list(vrs.values())})
    level = privacy.levels(CONFIG)
    assert level("LaterKeyword") == PrivacyLevel.UNLISTED
    assert funnel.needing_devices(keys, level) == {"Laterality", "LaterKeyword", "SomeLater"}


def test_what_is_left_after_each_step() -> None:
    tags = [{"varies": False}] * 3 + [{"fill": 0.0, "fill_by_modality": {}}] * 2 + [{"vr": "UI"}]
    tags += [{"vr": "LT"}] * 4 + [{}] * 2 + [{"vr": "DS", "numeric_share": 1.0}]
    left = funnel.steps(funnel.decide(table(*tags), CONFIG, privacy.levels(CONFIG)))
    assert left == {"occur": 13, "vary": 10, "used": 8, "informative": 7, "without_free_text": 3}
    assert list(left) == ["occur", "vary", "used", "informative", "without_free_text"]


def test_no_tags() -> None:
    nothing = funnel.decide(table(), CONFIG, privacy.levels(CONFIG))
    assert len(nothing) == 0
    assert set(funnel.steps(nothing).values()) == {0}


def test_the_statistics_stay_and_the_columns_are_those_of_the_table() -> None:
    given = table({"key": "A"}, {"key": "B", "vr": None})
    result = funnel.decide(given, CONFIG, privacy.levels(CONFIG))
    assert result.select(given.schema.names).equals(given)
    assert result.schema.names == [n for n in tables.TAG_STATISTICS.columns if n not in ("scope", "run_id")]
