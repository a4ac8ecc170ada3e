"""The ways of the comparison: which are taken, on which instances, and what they say."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from dicomae.codes import FeatureSet, ModelKind, Space
from dicomae.config import EvaluationConfig
from dicomae.evaluation import comparison
from dicomae.evaluation.assigned import Assigned, from_rows
from dicomae.evaluation.comparison import PAPER, WAYS
from dicomae.tables import Metric

CONFIG = EvaluationConfig("arithmetic", 0.05, 0.02, 100, 1)
MODALITY = ["CT", "CT", "MR", "MR"]
APART, MIXED = np.array([0, 0, 1, 1], np.int32), np.array([0, 1, 0, 1], np.int32)
ROWS = Assigned(
    {"Modality": list(MODALITY)},
    np.array([True, True, True, False]),
    ["P1", "P2", "P3", "P4"],
    {"original": {2: APART, 3: APART, 4: MIXED}, "compressed": {2: APART, 3: MIXED, 4: MIXED}},
)


def _scores(found: list[Metric], way: str, space: str) -> list[float | None]:
    wanted = {"way": way, "space": space, "label": "Modality"}.items()
    return [m.value for m in found if m.name == "homogeneity" and wanted <= m.labels.items()]


def test_a_score_for_each_space_and_k_and_the_tests_once() -> None:
    found = comparison.compare("paper", ROWS.labels, ROWS.clusters, CONFIG)
    assert _scores(found, "paper", "original") == [1.0, 1.0, 0.0]
    assert _scores(found, "paper", "compressed") == [1.0, 0.0, 0.0]
    about = {"way": "paper", "label": "Modality", "score": "homogeneity"}
    assert Metric("mean_difference", about, pytest.approx(-1 / 3)) in found
    assert [m.labels["space"] for m in found if m.name == "shapiro_p"] == ["original", "compressed"] * 2
    assert sum(m.name == "p_value" for m in found) == 2


def test_any_name_of_the_other_space_will_do() -> None:
    clusters = {"principal_components": ROWS.clusters["compressed"], "original": ROWS.clusters["original"]}
    found = comparison.compare("paper", ROWS.labels, clusters, CONFIG)
    assert _scores(found, "paper", "principal_components") == [1.0, 0.0, 0.0]
    about = {"way": "paper", "label": "Modality", "score": "homogeneity"}
    assert Metric("mean_difference", about, pytest.approx(-1 / 3)) in found  # other - original, in any order
    (row, _) = comparison.table_1(found)
    assert list(row) == [
        "label", "score", "shapiro_original", "shapiro_principal_components", "test", "p_value",
    ]  # fmt: skip


def _values(found: list[Metric], name: str) -> set[float | None]:
    return {m.value for m in found if m.name == name}


def test_one_label_defines_no_score_and_no_test() -> None:
    for labels in (["CT"] * 4, ["CT", "CT", "CT", None], [None] * 4):
        found = comparison.compare("paper", {"Modality": labels}, ROWS.clusters, CONFIG)
        names = ("homogeneity", "normalized_mutual_information", "p_value", "tost_p", "wilcoxon_p")
        assert {name: _values(found, name) for name in names} == {name: {None} for name in names}
        assert _values(found, "mean_difference") == {None}
        assert _values(found, "label_values") == {len({*labels} - {None})}


def test_one_cluster_in_both_spaces_defines_no_score() -> None:
    one = np.zeros(4, np.int32)
    clusters = {"original": {1: one, 2: one, 3: APART}, "compressed": {1: one, 2: MIXED, 3: one}}
    found = comparison.compare("paper", ROWS.labels, clusters, CONFIG)
    assert _scores(found, "paper", "original") == [None, 0.0, 1.0]  # a space that collapsed alone has failed
    assert _scores(found, "paper", "compressed") == [None, 0.0, 0.0]
    # The rows without a label are no second cluster.
    labels = {"Modality": ["CT", "MR", None, None]}
    found = comparison.compare("paper", labels, {s: {2: APART} for s in ("original", "compressed")}, CONFIG)
    assert _scores(found, "paper", "original") == [None]


def test_one_patient_has_scores_and_no_tests() -> None:
    found = comparison.compare_ways({PAPER.model: replace(ROWS, patients=["P1"] * 4)}, CONFIG)
    assert _scores(found, "paper", "original") == [1.0, 1.0, 0.0]
    assert (
        _values(found, "p_value") == _values(found, "tost_p") == _values(found, "mean_difference") == {None}
    )
    assert _values(found, "patients") == {1.0}
    assert _values(comparison.compare_ways({PAPER.model: ROWS}, CONFIG), "tost_p") != {None}


def test_patients_and_devices_are_counted() -> None:
    rows = replace(ROWS, patients=["P1", None, None, "P1"], devices=(0, 0, 1, 0))
    found = comparison.compare_ways({PAPER.model: rows}, CONFIG)
    counts = {(m.name, m.labels["way"]): m.value for m in found if m.name in ("patients", "devices")}
    assert counts == {
        ("patients", "paper"): 2.0,
        ("devices", "paper"): 2.0,
        ("patients", "declared_only"): 2.0,
        ("devices", "declared_only"): 2.0,
    }


def test_only_the_numbers_of_clusters_of_both_spaces_are_paired() -> None:
    clusters = {
        "original": {2: APART, 3: MIXED, 4: MIXED, 5: APART},
        "compressed": {3: APART, 4: MIXED, 5: APART},
    }
    found = comparison.compare("paper", ROWS.labels, clusters, CONFIG)
    assert (
        Metric(
            "mean_difference",
            {"way": "paper", "label": "Modality", "score": "homogeneity"},
            pytest.approx(1 / 3),
        )
        in found
    )


@pytest.mark.parametrize(
    "spaces", [["original"], ["compressed"], ["original", "a", "b"], ["a", "b"], ["compressed", "more"]]
)
def test_other_numbers_of_spaces_are_refused(spaces: list[str]) -> None:
    with pytest.raises(ValueError, match="compares the original space with one other"):
        comparison.compare("paper", ROWS.labels, {space: {2: APART} for space in spaces}, CONFIG)


def test_ways_are_those_whose_model_is_there() -> None:
    autoencoder, pca = ModelKind.AUTOENCODER, ModelKind.PCA
    others = {(FeatureSet.ALL, pca): ROWS, ("of_images", autoencoder): ROWS}
    assert comparison.compare_ways(others, CONFIG) == []
    swapped = replace(ROWS, clusters={"original": {2: MIXED}, "compressed": {2: MIXED}})
    both = {**others, PAPER.model: ROWS, (FeatureSet.WITHOUT_LABELS, autoencoder): swapped}
    found = comparison.compare_ways(both, CONFIG)
    assert list(dict.fromkeys(m.labels["way"] for m in found)) == [way.name for way in WAYS]
    assert _scores(found, "paper", "original") == [1.0, 1.0, 0.0]
    assert _scores(found, "without_labels", "original") == [0.0]
    # Of the three declared rows CT, CT, MR, the mixed clusters {CT, MR} and {CT} know a little.
    about_a_third = 1 - (2 / 3) / (-(2 * np.log2(2 / 3) + np.log2(1 / 3)) / 3)
    assert _scores(found, "declared_only", "original") == pytest.approx([1.0, 1.0, about_a_third])


def test_every_way_compares_another_space_with_the_original_one() -> None:
    assert all(way.space != Space.ORIGINAL for way in WAYS)
    assert len({way.name for way in WAYS}) == len(WAYS)


def test_table_1_is_of_one_way() -> None:
    found = comparison.compare_ways({PAPER.model: ROWS}, CONFIG)
    assert [(row["label"], row["score"]) for row in comparison.table_1(found)] == [
        ("Modality", "homogeneity"),
        ("Modality", "normalized_mutual_information"),
    ]
    assert comparison.table_1(found, "without_labels") == []


def test_instances_come_in_the_order_of_their_uids_with_the_clusters_of_each_space() -> None:
    maps = pa.map_(pa.int32(), pa.int32())
    rows = [
        ("1.3", "MR", None, "unknown", None, "compressed", [(2, 1), (4, 3)]),
        ("1.2", "CT", "CHEST", "declared", "P1", "compressed", [(2, 0), (4, 2)]),
        ("1.2", "CT", "CHEST", "declared", "P1", "original", [(2, 1), (4, 0)]),
        ("1.1", "CT", "HEAD", "filled-from-StudyDescription", "P1", "original", [(2, 0), (4, 0)]),
        ("1.3", "MR", None, "unknown", None, "original", [(2, 0), (4, 1)]),
        ("1.1", "CT", "HEAD", "filled-from-StudyDescription", "P1", "compressed", [(2, 1), (4, 1)]),
    ]
    names = ("SOPInstanceUID", "Modality", "body_part", "body_part_source", "PatientID", "space", "cluster")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    columns["device"] = [int(row[0][-1]) // 3 for row in rows]
    found = from_rows(pa.table({**columns, "cluster": pa.array(columns["cluster"], maps)}))
    assert found.labels == {"Modality": ["CT", "CT", "MR"], "BodyPartExamined": ["HEAD", "CHEST", None]}
    assert found.declared.tolist() == [False, True, False]
    assert found.patients == ["P1", "P1", None]
    assert found.devices == (0, 0, 1)
    assert found.where(found.declared).devices == (0,)
    clusters = {s: {k: c.tolist() for k, c in by_k.items()} for s, by_k in found.clusters.items()}
    assert clusters == {
        "original": {2: [0, 1, 0], 4: [0, 0, 1]},
        "compressed": {2: [1, 0, 1], 4: [1, 2, 3]},
    }
