"""Charts: where labels go, what the SVG holds, and which lines are drawn from which metrics."""

import itertools
import math
import re
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomae import tables
from dicomae.report import charts, figures, palette
from dicomae.report.data import Metrics
from dicomae.report.figures import Chart, Line

positions = st.lists(st.floats(-1e3, 1e3), max_size=8)


def chart(*labels: str, alt: str = "two lines", **more: object) -> Chart:
    lines = [Line(label, [(1, 0.1 + i), (2, 0.5), (4, 0.9)], marker="o") for i, label in enumerate(labels)]
    return Chart(lines, "epoch", alt, **more)  # type: ignore[arg-type]


def metrics(*rows: tuple[str, dict[str, str], float | None]) -> Metrics:
    columns = [
        {"job": "any", "name": name, "labels": sorted(labels.items()), "value": value, "run_id": "r"}
        for name, labels, value in rows
    ]
    return Metrics(pa.Table.from_pylist(columns, tables.METRICS.schema))


@given(positions)
def test_spread_labels_are_apart_and_in_order(wanted: list[float]) -> None:
    moved = figures.spread(wanted, 10)
    by_height = sorted(moved)
    assert all(b - a >= 10 - 1e-6 for a, b in itertools.pairwise(by_height))
    for i, first in enumerate(wanted):
        for j, second in enumerate(wanted):
            if first < second:
                assert moved[i] < moved[j]


@pytest.mark.parametrize(
    ("wanted", "moved"),
    [
        ([], []),
        ([3], [3]),
        ([30, 0, 15], [30, 0, 15]),  # far enough already
        ([0, 0], [-5, 5]),
        ([1, 0, 20], [5.5, -4.5, 20]),
        ([0, 0, 0, 12], [-12, -2, 8, 18]),  # three at -10, 0, 10 reach the fourth: all give way by 2
    ],
)
def test_spread_moves_as_little_as_it_can(wanted: list[float], moved: list[float]) -> None:
    assert figures.spread(wanted, 10) == pytest.approx(moved)


def test_svg_is_well_formed_and_scales() -> None:
    root = ET.fromstring(figures.svg(chart("first", "second")))
    assert root.tag == "svg"
    assert root.get("viewBox") == "0 0 360 250"
    assert root.get("width") is None
    assert root.get("height") is None
    assert root.get("role") == "img"
    assert root.get("aria-label") == "two lines"


def test_svg_keeps_text_as_text_and_draws_every_point() -> None:
    root = ET.fromstring(figures.svg(chart("first", "second")))
    texts = {"".join(node.itertext()).strip() for node in root.iter("text")}
    assert {"first", "second", "epoch"} <= texts
    drawing = figures.svg(chart("first"))
    assert len(re.findall("<use", drawing)) - len(re.findall("<use", figures.svg(without_markers()))) == 3


def without_markers() -> Chart:
    plain = chart("first")
    return Chart([Line("first", plain.lines[0].points)], plain.x_label, plain.alt)


def test_svg_follows_the_theme_and_refers_to_nothing_outside() -> None:
    drawing = figures.svg(chart("first", mark=(2.0, "elbow: K = 2")))
    assert "var(--ink)" in drawing
    assert not any(stand_in in drawing for stand_in in palette.THEME.values())
    assert "http" not in drawing
    assert "<style" not in drawing
    assert "elbow: K = 2" in drawing


def test_svg_is_the_same_for_the_same_chart_and_shares_no_id_with_another() -> None:
    first, second = figures.svg(chart("a")), figures.svg(chart("a", alt="another"))
    assert first == figures.svg(chart("a"))
    ids = [set(re.findall(r' id="([^"]+)"', drawing)) for drawing in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_svg_takes_hostile_names_as_text() -> None:
    drawing = figures.svg(chart("<script>x</script>", r"$\nosuch$", alt='"><script>'))
    root = ET.fromstring(drawing)
    assert "<script" not in drawing
    assert root.get("aria-label") == '"><script>'
    assert r"$\nosuch$" in {"".join(node.itertext()).strip() for node in root.iter("text")}


def test_svg_draws_a_single_point_and_a_constant_line() -> None:
    for points in ([(4, 0.5)], [(4, 0.0), (7, 0.0)]):
        drawing = figures.svg(Chart([Line("one", points)], "K", "alt", (0, 1), "log"))
        assert "one" in drawing


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.05"), (15, "15"), (9000, "9000"), (40_000, "40k"), (1_250_000, "1.25M"), (0, "0")],
)
def test_short_numbers(value: float, text: str) -> None:
    assert figures.short(value) == text


@pytest.mark.parametrize(
    ("values", "limits"),
    [([0.45, 1.0], (0.4, 1)), ([0.0], (0, 1)), ([0.97, 0.99], (0.9, 1)), ([1.0], (0.9, 1)), ([], (0, 1))],
)
def test_score_range(values: list[float], limits: tuple[float, float]) -> None:
    assert figures.score_range(values) == pytest.approx(limits)


def test_candidates_carry_both_curves_by_epoch_and_the_choice() -> None:
    about = {"feature_set": "all", "candidate": "deep"}
    found = metrics(
        ("reconstruction_error", {**about, "split": "train", "epoch": "10"}, 0.1),
        ("reconstruction_error", {**about, "split": "train", "epoch": "9"}, 0.2),
        ("reconstruction_error", {**about, "split": "validation", "epoch": "9"}, 0.3),
        ("reconstruction_error", {**about, "split": "validation", "epoch": "10"}, math.nan),
        ("reconstruction_error", {**about, "candidate": "flat", "split": "train", "epoch": "9"}, 0.4),
        ("chosen", {**about, "kind": "autoencoder", "model_id": "m"}, 1.0),
        ("chosen", {**about, "candidate": "flat", "kind": "pca", "model_id": "n"}, 1.0),
    )
    deep, flat = charts.candidates(found, "all")
    assert deep == charts.TriedCandidate("deep", [(9, 0.2), (10, 0.1)], [(9, 0.3)], chosen=True)
    assert (flat.name, flat.chosen) == ("flat", False)
    assert charts.candidates(found, "without_labels") == []
    drawn = charts.training([deep, flat])
    assert [line.colour for line in drawn.lines] == ["accent", "accent", "muted"]
    assert figures.svg(drawn)


def test_an_error_of_zero_is_drawn_on_a_linear_scale() -> None:
    drawn = charts.training([charts.TriedCandidate("exact", [(1, 0.0)], [(1, 0.0)], chosen=True)])
    assert drawn.y_scale == "linear"
    assert figures.svg(drawn)


def test_scores_leave_out_what_was_not_measured() -> None:
    about = {"way": "paper", "label": "Modality", "space": "original"}
    found = metrics(
        ("homogeneity", {**about, "n_clusters": "15"}, 0.9),
        ("homogeneity", {**about, "n_clusters": "4"}, 0.52),
        ("homogeneity", {**about, "n_clusters": "4", "label": "BodyPartExamined"}, 0.1),
        ("normalized_mutual_information", {**about, "n_clusters": "4"}, None),
    )
    panels = charts.scores(found, "Modality")
    assert list(panels) == ["paper"]
    (panel,) = panels["paper"]
    assert [(line.label, line.points) for line in panel.chart.lines] == [("original", [(4, 0.52), (15, 0.9)])]
    assert panel.chart.y_range == (0.5, 1.0)
    assert "original: 0.52 at 4, 0.9 at 15" in panel.chart.alt
    assert charts.numbers([panel]) == [[4, 0.52], [15, 0.9]]


def test_a_line_for_each_space_the_original_first() -> None:
    spaces = ("unheard_of", "compressed", "original", "principal_components")
    about = {"way": "paper", "label": "Modality", "n_clusters": "4"}
    found = metrics(*(("homogeneity", {**about, "space": space}, 0.5) for space in spaces))
    (panel,) = charts.scores(found, "Modality")["paper"]
    lines = [(line.label, line.style) for line in panel.chart.lines]
    assert lines == [
        ("original", "dashed"),
        ("compressed", "solid"),
        ("principal components", "solid"),
        ("unheard_of", "solid"),
    ]


def test_numbers_say_none_where_a_line_has_no_point() -> None:
    lines = [Line("a", [(4, 0.1), (7, 0.2)]), Line("b", [(7, 0.3)])]
    panel = charts.Panel("two", Chart(lines, "K", "alt"))
    assert charts.numbers([panel]) == [[4, 0.1, None], [7, 0.2, 0.3]]


@pytest.mark.parametrize(("elbow", "mark"), [(15.0, (15.0, "elbow: K = 15")), (None, None)])
def test_distances_mark_the_elbow_if_there_is_one(
    elbow: float | None, mark: tuple[float, str] | None
) -> None:
    about = {"feature_set": "all", "space": "compressed"}
    found = metrics(
        ("sum_of_squared_distances", {**about, "n_clusters": "4"}, 100.0),
        ("sum_of_squared_distances", {**about, "n_clusters": "15"}, 10.0),
        ("elbow", about, elbow),
    )
    (panel,) = charts.distances(found, "all")
    assert panel.chart.x_scale == "linear"  # the elbow is one of the curve as it is drawn
    assert panel.chart.mark == mark
    assert ("No elbow" in panel.chart.alt) == (elbow is None)
    assert charts.distances(found, "without_labels") == []
