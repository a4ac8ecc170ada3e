"""Cluster cards: what they say of a cluster, and whose values they keep to themselves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dicomae.evaluation import cards
from dicomae.evaluation.cards import Column
from dicomae.evaluation.cells import MINIMUM_PATIENTS
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
    # Ten patients have two rows each in cluster 0; four others are in cluster 2.
    patients = [f"P{i % 10}" for i in range(20)] + ["Q1", "Q2", "Q3", "Q4", "Q4"]
    modality = [*["CT"] * 10, *["MR"] * 5, *[None] * 5, *["XA"] * 5]
    X = np.array([[0, 0, i % 2] for i in range(20)] + [[0, 0, 1]] * 5, np.float32)
    cluster = np.array([0] * 20 + [2] * 5, np.int32)
    found = cards.cards(cluster, {"Modality": modality}, patients, X, COLUMNS)
    share = {"cluster": 0, "tag": "Modality"}
    kvp = {"cluster": 0, "feature": "KVP", "kind": "numeric"}
    assert [row for row in found if row.labels.get("feature") != "Maker"] == [
        Metric("cluster_size", {"cluster": 0}, 20.0),
        Metric("cluster_share", {**share, "value": "CT"}, 0.5),
        Metric("cluster_share", {**share, "value": "MR"}, 0.25),
        Metric("cluster_share", {**share, "value": "unknown"}, 0.25),
        Metric("telling_tag", kvp, 0.5),
        Metric("telling_tag_overall", kvp, np.float32(0.6)),
        Metric("clusters_of_few_patients", {}, 1.0),
        Metric("instances_of_few_patients", {}, 5.0),
    ]


def test_a_share_is_of_five_patients_of_the_cluster_at_least() -> None:
    # Nine patients; CHEST of six, HEAD of five, ANNA of one whose rows are many.
    patients = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "D", "E", *["F"] * 9]
    parts = [*["CHEST"] * 6, *["HEAD"] * 5, *["ANNA"] * 9]
    cluster, X = np.zeros(20, np.int32), np.zeros((20, 3), np.float32)

    def shares() -> dict[object, float | None]:
        found = cards.cards(cluster, {"BodyPartExamined": parts}, patients, X, COLUMNS)
        return {row.labels["value"]: row.value for row in found if row.name == "cluster_share"}

    # What is left must not be ANNA's share: the smaller of the named joins it.
    assert shares() == {"CHEST": 0.3}
    patients[11:16] = "UVWXY"
    assert shares() == {"ANNA": 0.45, "CHEST": 0.3, "HEAD": 0.25}


def test_a_category_that_few_of_the_clusters_patients_have_is_not_telling() -> None:
    # Five patients have ACME in all, and four of them in cluster 0.
    patients: list[str | None] = [f"P{i}" for i in range(6)] + [f"Q{i}" for i in range(9)]
    X = [[float(i in (0, 1, 2, 3, 14)), 0.0, i / 20] for i in range(15)]
    cluster = [0] * 6 + [1] * 9
    assert {row.get("value") for row in telling(cluster, patients, X)} == {None}
    X[4][0] = 1.0
    assert {row.get("value") for row in telling(cluster, patients, X)} == {"ACME", None}


def test_a_category_is_named_only_where_enough_patients_have_it() -> None:
    # Five patients have ACME, four of them ANNA, in eight rows; cluster 1 has neither.
    patients: list[str | None] = [
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
        "P1",
        "P2",
        "P3",
        "P4",
        *[f"Q{i}" for i in range(5)],
    ]
    X = [[1.0, float(who != "P5"), 0.0] for who in patients[:9]] + [[0.0, 0.0, 0.0]] * 5
    assert MINIMUM_PATIENTS == 5
    assert {row.get("value") for row in telling([0] * 9 + [1] * 5, patients, X)} == {"ACME", None}
    patients[5] = "P7"  # the fifth with ANNA, in the rows there were
    assert {row.get("value") for row in telling([0] * 9 + [1] * 5, patients, X)} == {"ACME", "ANNA", None}


def test_many_rows_of_few_patients_or_of_unknown_ones_have_no_card() -> None:
    for patients in (["P1"] * 100, [None] * 100, [*[f"P{i}" for i in range(3)], *[None] * 97]):
        X = [[1, 1, 0]] * 50 + [[0, 0, 0]] * 50
        assert telling([0] * 50 + [1] * 50, patients, X) == []


def test_no_rows_no_cards() -> None:
    assert (
        cards.cards(np.empty(0, np.int32), {"Modality": []}, [], np.empty((0, 3), np.float32), COLUMNS) == []
    )
