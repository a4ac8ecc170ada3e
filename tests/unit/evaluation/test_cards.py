"""Cluster cards: what they say of a cluster, and whose values they keep to themselves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dicomae.evaluation import cards
from dicomae.evaluation.cards import MINIMUM_PATIENTS, Column
from dicomae.tables import Metric

COLUMNS = [
    Column("Maker", "categorical", "ACME"),
    Column("Note", "categorical", "ANNA"),
    Column("KVP", "numeric", None),
]


def telling(cluster: list[int], patients: Sequence[str | None], X: list[list[float]]) -> list[dict[str, Any]]:
    labels = {"Modality": ["CT"] * len(cluster)}
    found = cards.cards(np.array(cluster, np.int32), labels, patients, np.array(X, np.float32), COLUMNS)
    return [{**row.labels, "mean": row.value} for row in found if row.name == "telling_tag"]


def test_a_card_by_hand() -> None:
    found = cards.cards(
        np.array([0, 0, 0, 0, 2], np.int32),
        {"Modality": ["CT", "CT", "MR", None, "CT"]},
        ["P1"] * 5,
        np.array([[0, 0, 1], [0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 1]], np.float32),
        COLUMNS,
    )
    share = {"cluster": 0, "tag": "Modality"}
    kvp = {"feature": "KVP", "kind": "numeric"}
    assert [
        row for row in found if row.labels["cluster"] == 0 and row.labels.get("feature") in (None, "KVP")
    ] == [
        Metric("cluster_size", {"cluster": 0}, 4.0),
        Metric("cluster_share", {**share, "value": "CT"}, 0.5),
        Metric("cluster_share", {**share, "value": "MR"}, 0.25),
        Metric("cluster_share", {**share, "value": "unknown"}, 0.25),
        Metric("telling_tag", {"cluster": 0, **kvp}, 0.5),
        Metric("telling_tag_overall", {"cluster": 0, **kvp}, np.float32(0.6)),
    ]
    assert Metric("cluster_size", {"cluster": 2}, 1.0) in found


def test_a_category_is_named_only_where_enough_patients_have_it() -> None:
    # Five patients have ACME, four of them ANNA, in eight rows; cluster 1 has neither.
    patients: list[str | None] = ["P1", "P2", "P3", "P4", "P5", "P1", "P2", "P3", "P4", "P6"]
    X = [[1.0, float(who != "P5"), 0.0] for who in patients[:9]] + [[0.0, 0.0, 0.0]]
    assert MINIMUM_PATIENTS == 5
    assert {row.get("value") for row in telling([0] * 9 + [1], patients, X)} == {"ACME", None}
    patients[5] = "P7"  # the fifth with ANNA, in the rows there were
    assert {row.get("value") for row in telling([0] * 9 + [1], patients, X)} == {"ACME", "ANNA", None}


def test_many_rows_of_one_patient_or_of_unknown_ones_name_nothing() -> None:
    for patients in (["P1"] * 100, [None] * 100, [*[f"P{i}" for i in range(3)], *[None] * 97]):
        X = [[1, 1, 0]] * 50 + [[0, 0, 0]] * 50
        assert {row.get("value") for row in telling([0] * 50 + [1] * 50, patients, X)} == {None}


def test_no_rows_no_cards() -> None:
    assert (
        cards.cards(np.empty(0, np.int32), {"Modality": []}, [], np.empty((0, 3), np.float32), COLUMNS) == []
    )
