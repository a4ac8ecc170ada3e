"""Which lines the report draws: training curves, and Figures 3, 4 and 5 of the paper for our data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dicomae.codes import ModelKind, Space
from dicomae.evaluation.comparison import WAYS
from dicomae.report import figures, values, wording
from dicomae.report.data import Metrics
from dicomae.report.figures import Chart, Line, Point

SCORES = tuple(wording.SCORE)
_ORIGINAL = Line("", (), "muted", "dashed", "s")
_OF_A_MODEL = Line("", (), "accent", "solid", "o", 2.2)


@dataclass(frozen=True)
class Panel:
    """A chart under its heading."""

    heading: str
    chart: Chart


@dataclass(frozen=True)
class TriedCandidate:
    """One autoencoder that was tried: mean squared error by epoch on both splits, and whether it won."""

    name: str
    train: Sequence[Point]
    validation: Sequence[Point]
    chosen: bool


def candidates(metrics: Metrics, feature_set: str) -> list[TriedCandidate]:
    """The candidates in the order of their training; one whose errors were not recorded is left out."""
    kind = ModelKind.AUTOENCODER.value
    chosen = metrics.label_values("chosen", "candidate", feature_set=feature_set, kind=kind)
    found = []
    for name in metrics.label_values("reconstruction_error", "candidate", feature_set=feature_set):
        about = {"feature_set": feature_set, "candidate": name}
        train, validation = (
            metrics.series("reconstruction_error", "epoch", split=split, **about)
            for split in ("train", "validation")
        )
        if train or validation:
            found.append(TriedCandidate(name, train, validation, name in chosen))
    return found


def training(tried: Sequence[TriedCandidate]) -> Chart:
    """Error by epoch: validation a solid line, training a dotted one; the chosen candidate is coloured."""
    lines = [line for candidate in tried for line in _curves(candidate) if line.points]
    positive = all(y > 0 for line in lines for _, y in line.points)
    alt = f"Reconstruction error by epoch. {_ends([line for line in lines if line.label])}"
    return Chart(lines, "epoch", alt, y_scale="log" if positive else "linear")


def _curves(candidate: TriedCandidate) -> list[Line]:
    colour, width = ("accent", 2.4) if candidate.chosen else ("muted", 1.3)
    return [
        Line("", candidate.train, colour, "dotted", width=width),
        Line(values.plain(candidate.name), candidate.validation, colour, width=width),
    ]


def scores(metrics: Metrics, label: str) -> dict[str, list[Panel]]:
    """Figures 3 and 4: both scores with regard to `label` by the number of clusters, for each way.

    All panels share one range of y. A way or a score without a value is left out.
    """
    drawn = {
        (way.name, score): _score_lines(metrics, way.name, label, score) for way in WAYS for score in SCORES
    }
    shared = figures.score_range([y for lines in drawn.values() for line in lines for _, y in line.points])
    panels: dict[str, list[Panel]] = {}
    for (way, score), lines in drawn.items():
        if lines:
            heading = f"{wording.SCORE[score]} by {wording.LABEL[label]}"
            alt = f"{heading}, {wording.WAY[way].lower()}, by the number of clusters. {_ends(lines)}"
            chart = Chart(lines, "K, number of clusters (logarithmic)", alt, shared, "log")
            panels.setdefault(way, []).append(Panel(heading, chart))
    return panels


def _score_lines(metrics: Metrics, way: str, label: str, score: str) -> list[Line]:
    return _lines(metrics, score, way=way, label=label)


def distances(metrics: Metrics, feature_set: str) -> list[Panel]:
    """Figure 5: the sum of squared distances by the number of clusters, and the elbow if there is one.

    One panel for each space: distances in spaces of different width share no scale.
    """
    panels = []
    for space in _spaces(metrics, "sum_of_squared_distances", feature_set=feature_set):
        labels = {"feature_set": feature_set, "space": space}
        lines = _lines(metrics, "sum_of_squared_distances", **labels)
        if lines:
            elbow = metrics.value("elbow", **labels)
            mark = None if elbow is None else (elbow, f"elbow: K = {elbow:.0f}")
            said = "No elbow." if elbow is None else f"Elbow at {elbow:.0f}."
            heading = (
                f"{wording.FEATURE_SET.get(feature_set, feature_set)}, {wording.SPACE.get(space, space)}"
            )
            alt = f"Sum of squared distances by the number of clusters. {heading}. {_ends(lines)} {said}"
            chart = Chart(lines, "K, number of clusters", alt, mark=mark)  # linear, as the elbow is found
            panels.append(Panel(heading, chart))
    return panels


def numbers(panels: Sequence[Panel]) -> list[list[float | None]]:
    """The numbers behind panels: a row for each x, with the y of each line; None when a line has no y."""
    lines = [dict(line.points) for panel in panels for line in panel.chart.lines]
    return [[x, *(line.get(x) for line in lines)] for x in sorted({x for line in lines for x in line})]


def _spaces(metrics: Metrics, name: str, **labels: str) -> list[str]:
    """The spaces that a metric was measured in, the original one first."""
    found = metrics.label_values(name, "space", **labels)
    return sorted(found, key=lambda space: (space != Space.ORIGINAL, space))


def _lines(metrics: Metrics, name: str, **labels: str) -> list[Line]:
    """A line for each space: the metric by the number of clusters; without a point, there is no line."""
    lines = []
    for space in _spaces(metrics, name, **labels):
        look = _ORIGINAL if space == Space.ORIGINAL else _OF_A_MODEL
        points = metrics.series(name, "n_clusters", **{**labels, "space": space})
        lines.append(replace(look, label=wording.SPACE.get(space, space), points=points))
    return [line for line in lines if line.points]


def _ends(lines: Sequence[Line]) -> str:
    """First and last point of each line in words, for readers who cannot see the chart."""
    said = []
    for line in lines:
        (x_first, first), (x_last, last) = line.points[0], line.points[-1]
        said.append(f"{line.label}: {first:.4g} at {x_first:g}, {last:.4g} at {x_last:g}")
    return "; ".join(said) + "."
