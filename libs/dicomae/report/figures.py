"""Line charts as inline SVG, small enough to be read on a phone at their natural size.

Text stays text, colours that depend on the reader's theme become CSS variables, and the same chart
gives the same bytes.
"""

import html
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    MultipleLocator,
    NullLocator,
)

from dicomae.report.palette import THEME

Point = tuple[float, float]

_DOTS = 72  # an inch, so that SVG's units are points and the page's pixels
_WIDTH, _HEIGHT = 360, 250  # a phone's width
_PLOT = (0.13, 0.17, 0.62, 0.78)  # left, bottom, width, height; the rest is for the words
_LABEL_GAP = 15.0  # units between two labels at the lines' ends
_STYLE = {
    "font.size": 12.5,
    "svg.fonttype": "none",
    "axes.edgecolor": THEME["muted"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.labelcolor": THEME["muted"],
    "xtick.color": THEME["muted"],
    "xtick.labelsize": 11.5,
    "ytick.color": THEME["muted"],
    "ytick.labelsize": 11.5,
    "ytick.major.size": 0,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": THEME["grid"],
    "grid.linewidth": 0.8,
    "text.color": THEME["ink"],
    "text.parse_math": False,  # a name's $ is a $
    "lines.markersize": 4.5,
}
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
_UNUSED_ID = re.compile(r' id="(?![mp][0-9a-f]{10}")[^"]*"')  # all but markers and clip paths
_NAMESPACE = re.compile(r' xmlns(?::xlink)?="[^"]*"')  # HTML knows SVG without
_FONT = re.compile(r" font-family: [^;\"]*;")  # the page's is taken
_STYLE_SHEET = re.compile(r"<defs>\s*<style.*?</defs>\s*", re.DOTALL)  # it would rule the whole page


@dataclass(frozen=True)
class Line:
    """One line of a chart: its points by ascending x, and how it looks.

    `colour` is a key of `palette.THEME`; an empty `label` leaves the line's end unnamed.
    """

    label: str
    points: Sequence[Point]
    colour: str = "muted"
    style: Literal["solid", "dashed", "dotted"] = "solid"
    marker: str = ""
    width: float = 1.6


@dataclass(frozen=True)
class Chart:
    """What is drawn.

    Attributes
    ----------
    lines : at least one of them with points.
    x_label : words under the axis of x.
    alt : what a reader who cannot see it should know.
    y_range : limits of y; None: they follow from the points, and a linear scale begins at 0.
    x_scale, y_scale : scales of the axes.
    mark : x of a vertical line, and its words.
    """

    lines: Sequence[Line]
    x_label: str
    alt: str
    y_range: Point | None = None
    x_scale: Literal["linear", "log"] = "linear"
    y_scale: Literal["linear", "log"] = "linear"
    mark: tuple[float, str] | None = None


def svg(chart: Chart) -> str:
    """The chart as one `<svg>` element of 360 × 250 units without a size: the page scales it."""
    with matplotlib.style.context(["default", _STYLE, {"svg.hashsalt": chart.alt}]):
        figure = Figure(figsize=(_WIDTH / _DOTS, _HEIGHT / _DOTS), dpi=_DOTS)
        axes = figure.add_axes(_PLOT)
        _draw(axes, chart)
        _name_ends(axes, chart.lines)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    return _inline(buffer.getvalue(), chart.alt)


def score_range(values: Sequence[float]) -> Point:
    """Range of y for charts of scores in [0, 1]: from the tenth below the lowest up to 1."""
    lowest = math.floor(min(values, default=0.0) * 10) / 10
    return max(0.0, min(lowest, 0.9)), 1.0


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The positions, moved apart until neighbours are at least `gap` from each other, in the same order.

    Labels that touch are moved as a block, whose centre is the mean of the places they were to have. This is
    the least-squares solution (by pooling adjacent violators).
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    blocks: list[list[float]] = []  # wanted positions, each less its rank's share of the gaps
    for rank, i in enumerate(order):
        blocks.append([positions[i] - rank * gap])
        while len(blocks) > 1 and _mean(blocks[-2]) >= _mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    flat = [_mean(block) for block in blocks for _ in block]
    moved = {i: flat[rank] + rank * gap for rank, i in enumerate(order)}
    return [moved[i] for i in range(len(positions))]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _draw(axes: Axes, chart: Chart) -> None:
    axes.set_xscale(chart.x_scale)
    axes.set_yscale(chart.y_scale)
    for line in chart.lines:
        xs, ys = [x for x, _ in line.points], [y for _, y in line.points]
        (drawn,) = axes.plot(xs, ys, color=THEME[line.colour], linestyle=line.style, clip_on=False)
        drawn.set(linewidth=line.width, marker=line.marker)
    if chart.y_range:
        axes.set_ylim(*chart.y_range)
    elif chart.y_scale == "linear":
        axes.set_ylim(bottom=0)
    axes.set_xlabel(chart.x_label)
    _set_ticks(axes, chart)
    if chart.mark:
        x, words = chart.mark
        axes.axvline(x, color=THEME["muted"], lw=1.2, ls="dotted")
        axes.text(x, 1, f" {words}", va="top", transform=axes.get_xaxis_transform())


def _set_ticks(axes: Axes, chart: Chart) -> None:
    plain = FuncFormatter(lambda value, _: short(value))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain)
        axis.set_minor_locator(NullLocator())
    if chart.x_scale == "log":
        measured = sorted({x for line in chart.lines for x, _ in line.points})
        axes.xaxis.set_major_locator(FixedLocator(_legible(measured)))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    if chart.y_scale == "log":
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    elif chart.y_range:
        low, high = chart.y_range
        axes.yaxis.set_major_locator(MultipleLocator(0.1 if high - low < 0.55 else 0.2))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))


def _legible(measured: Sequence[float]) -> list[float]:
    """Those of the ascending values that a logarithmic axis has room to name; always the last."""
    kept = list(measured[-1:])
    for x in reversed(measured):
        if kept[-1] / x > 1.5:
            kept.append(x)
    return kept


def short(value: float) -> str:
    """A tick's number in a few characters: 0.05, 15, 40k, 1.2M."""
    for least, unit, letter in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{value / unit:.4g}{letter}"
    return f"{value:.4g}"


def _name_ends(axes: Axes, lines: Sequence[Line]) -> None:
    """Write each line's name beside its last point, so that the chart needs no legend."""
    named = [line for line in lines if line.label and line.points]
    ends = [axes.transData.transform(line.points[-1]) for line in named]
    heights = spread([float(end[1]) for end in ends], _LABEL_GAP)
    for line, end, height in zip(named, ends, heights, strict=True):
        offset = (7.0, height - float(end[1]))
        words = axes.annotate(line.label, line.points[-1], offset, textcoords="offset points", va="center")
        words.set_fontweight("bold" if line.colour == "accent" else "normal")


def _inline(document: str, alt: str) -> str:
    drawing = document[document.index("<svg") :]
    drawing = re.sub(r' (?:width|height)="[0-9.]+pt"', "", drawing, count=2)
    for surplus in (_STYLE_SHEET, _UNUSED_ID, _NAMESPACE, _FONT):
        drawing = surplus.sub("", drawing)
    drawing = drawing.replace("xlink:href", "href")
    for name, stand_in in THEME.items():
        drawing = drawing.replace(stand_in, f"var(--{name})")
    return drawing.replace("<svg", f'<svg role="img" aria-label="{html.escape(alt)}"', 1).strip()
