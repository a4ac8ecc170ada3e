"""The parts of the report that are not drawn as charts: cards, map, provenance and wording."""

import math
import re

import numpy as np
import pyarrow as pa
import pytest
from tests.unit.report.report_data import all_rows, embeddings, metrics_table, runs_table

from dicomae.codes import FeatureSet, FileStatus, Reason, Space
from dicomae.evaluation.comparison import WAYS
from dicomae.report import clusters, embedding_map, palette, provenance, wording
from dicomae.report.data import Metrics


def test_cards_are_sorted_and_what_is_left_is_others() -> None:
    share = {"cluster": "1", "tag": "BodyPartExamined"}
    rows = [*all_rows(), ("evaluate", "cluster_share", {**share, "value": "CHEST"}, 0.6)]
    large, small = clusters.cards(Metrics(metrics_table(rows)))
    assert (large.cluster, large.size, large.share, small.cluster) == (1, 90.0, 0.75, 0)
    assert [(one.value, round(one.share, 6)) for one in large.body_parts] == [
        ("CHEST", 0.6),
        ("others", 0.4),
    ]
    assert [one.value for one in large.modalities] == ["CT", "MR"]
    assert [tag.feature for tag in large.telling] == ["Manufacturer", "KVP"]
    assert small.body_parts == []


def test_the_map_draws_every_row_once_and_keeps_groups_apart() -> None:
    by_modality, by_body_part, by_cluster = embedding_map.panels(embeddings(30))
    for panel in (by_modality, by_body_part, by_cluster):
        assert sum(group.path.count("h0") for group in panel.groups) == 30
    assert {group.name: group.size for group in by_body_part.groups} == {"CHEST": 15, "other": 15}
    dots = [np.array(re.findall(r"M(\d+) (\d+)", group.path), float) for group in by_modality.groups]
    assert all(0 <= place <= embedding_map.SIDE for group in dots for place in group.ravel())
    within = max(np.linalg.norm(group - group.mean(axis=0), axis=1).mean() for group in dots)
    assert np.linalg.norm(dots[0].mean(axis=0) - dots[1].mean(axis=0)) > 2 * within


def test_numbers_of_clusters_keep_apart_and_stay_on_their_cluster() -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(300, 4)).astype(np.float32)  # one cloud, whose middles are all one place
    table = pa.table(
        {
            "embedding": pa.array(rows.tolist(), pa.list_(pa.float32())),
            "Modality": pa.array(["CT"] * 300),
            "body_part": pa.array(["CHEST"] * 300),
            "cluster": pa.array((np.arange(300) % 12).tolist(), pa.int32()),
        }
    )
    by_cluster = embedding_map.panels(table)[2]
    names = np.array([(group.x, group.y) for group in by_cluster.groups], float)
    apart = np.abs(names[:, None] - names[None]).max(axis=2) + 1000 * np.eye(len(names))
    assert apart.min() >= 38  # the height of the letters in the page's style
    assert all(f"M{group.x} {group.y}h0" in group.path for group in by_cluster.groups)
    assert len({group.colour for group in by_cluster.groups}) == len(palette.CATEGORIES)


@pytest.mark.parametrize(
    "vectors",
    [
        [[1.0, 2.0]] * 25,  # nothing varies
        [[float(i), 1.0] for i in range(25)],  # one column varies
        [[float(i), math.nan] for i in range(25)],
        [[float(i)] * (1 + i % 2) for i in range(25)],
        [None] * 25,
        [[0.1, 0.2], [0.2, 0.1]],  # too few
    ],
)
def test_what_cannot_be_mapped_is_not(vectors: list[list[float] | None]) -> None:
    names = pa.array(["CT"] * len(vectors))
    column = pa.array(vectors, pa.list_(pa.float32()))
    assert embedding_map.panels(pa.table({"embedding": column, "Modality": names, "body_part": names})) == []


def test_runs_are_newest_first_and_packages_put_together() -> None:
    table = runs_table("ingest", "train")
    found = provenance.runs(table)
    assert [(run["job"], run["finished"], run["seconds"]) for run in found["rows"]] == [
        ("train", "2026-11-23 07:01:00", 12.34),
        ("ingest", "2026-11-23 07:00:00", 12.34),
    ]
    assert found["rows"][0]["read"] == ["headers 1"]
    assert provenance.packages(table) == [("numpy", "1.26.4"), ("torch", "2.0, 2.1")]


@pytest.mark.parametrize("summary", [None, "", "no json", "[]", '{"seconds": "x"}', "{}"])
def test_a_run_without_seconds_is_shown_without(summary: str | None) -> None:
    table = runs_table("ingest")
    column = table.schema.get_field_index("summary")
    table = table.set_column(column, "summary", pa.array([summary], pa.string()))
    assert provenance.runs(table)["rows"][0]["seconds"] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1574, "0.157"),
        (5.4e-6, "<0.001"),
        (0.001, "0.001"),
        (0.99999, ">0.999"),
        (1.0, ">0.999"),
        (None, "not defined"),
    ],
)
def test_p_values_are_readable(value: float | None, text: str) -> None:
    assert wording.p_value(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.001, "<1 %"),
        (15 / 3000, "<1 %"),
        (16 / 3000, "1 %"),
        (0.1, "10 %"),
        (2984 / 3000, "99 %"),
        (2985 / 3000, ">99 %"),
        (0.996, ">99 %"),
        (1.0, "100 %"),
    ],
)
def test_percentages_do_not_hide_the_few(share: float, text: str) -> None:
    assert wording.percent(share) == text


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_listed_in_english(words: list[str], text: str) -> None:
    assert wording.listed(words) == text


def test_signs_and_thousands() -> None:
    assert (wording.signed(-0.0204), wording.signed(0.5), wording.count(1234567)) == (
        "−0.020",
        "+0.500",
        "1,234,567",
    )


def test_every_way_set_of_features_and_space_is_explained() -> None:
    names = [way.name for way in WAYS]
    assert names == list(wording.WAY) == list(wording.WAY_EXPLAINED)
    assert set(wording.FEATURE_SET) == set(FeatureSet)
    assert set(wording.SPACE) == set(Space)


@pytest.mark.parametrize(
    ("n_clusters", "tried", "text"),
    [
        (30, 12, "The cards show K = 30, the middle one of the 12 numbers of clusters that were tried."),
        (4, 1, "The cards show K = 4, the only number of clusters that was tried."),
    ],
)
def test_without_an_elbow_the_number_of_clusters_is_explained(n_clusters: int, tried: int, text: str) -> None:
    assert wording.no_elbow(n_clusters, tried) == text


def test_every_reason_and_status_of_a_file_is_explained() -> None:
    assert set(wording.REASON) == set(Reason)
    assert set(wording.STATUS) | {FileStatus.CONTAINER} == set(FileStatus)
