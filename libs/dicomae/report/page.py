"""The report: one HTML page that needs nothing but itself."""

from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from dicomae.evaluation.cells import MINIMUM_PATIENTS
from dicomae.evaluation.comparison import PAPER
from dicomae.report import (
    charts,
    clusters,
    comparison,
    embedding_map,
    figures,
    palette,
    provenance,
    values,
    wording,
)
from dicomae.report.data import Metrics, ReportData

# What the paper found at the same steps; ours are not expected to be the same.
_PAPER_FUNNEL = {"occur": 651, "vary": 424, "used": 76, "without_free_text": 68}
_PAPER_FEATURES, _PAPER_WIDTH, _PAPER_BOTTLENECK = 77, 565, 56
_FEATURES = {"feature_set": PAPER.feature_set.value}  # labels of the metrics that the page leads with
_MODEL = {**_FEATURES, "kind": PAPER.kind.value}
_MOST_TAGS = 2000
_MOST_CARDS = 60
_MOST_ROWS = 40


@dataclass(frozen=True)
class Bar:
    """A row of a bar table; `share` is the bar's length in [0, 1]."""

    name: str
    value: float
    share: float
    note: str = ""
    colour: str = "var(--accent)"
    paper: int | None = None


def render(data: ReportData) -> str:
    """The page as HTML text; the same data give the same text.

    Where something was not measured, the page says so. Everything that comes from data is cut, isolated and
    escaped.
    """
    metrics = Metrics(data.metrics)
    cards, few = clusters.cards(metrics), clusters.few_patients(metrics)
    context = {
        "title": data.title,
        "answer": comparison.answer(metrics, data.evaluation),
        "alpha": data.evaluation.alpha,
        "margin": data.evaluation.equivalence_margin,
        "tiles": _tiles(data, metrics),
        **_reading(data),
        "funnel": _funnel(metrics),
        "tags": _tags(data),
        "training": _training(metrics),
        **_agreement(metrics),
        "table_1": comparison.table_1(metrics),
        "cards": cards[:_MOST_CARDS],
        "n_cards": len(cards),
        "few": few,
        "n_clusters": len(cards) + few.clusters,
        "minimum_patients": MINIMUM_PATIENTS,
        "shown": clusters.shown(metrics),
        "map_panels": embedding_map.panels(data.embeddings),
        "map_side": embedding_map.SIDE,
        "runs": provenance.runs(data.runs),
        "packages": provenance.packages(data.runs),
    }
    return _environment().get_template("report.html.j2").render(context)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=wording.count,
        percent=wording.percent,
        p_value=wording.p_value,
        signed=wording.signed,
        isolated=values.isolated,
        plain=values.plain,
    )
    environment.globals.update(
        WAY=wording.WAY,
        WAY_EXPLAINED=wording.WAY_EXPLAINED,
        draw=_drawn,
        no_elbow=wording.no_elbow,
        of_modality=palette.of_modality,
        training_chart=charts.training,
        numbers=charts.numbers,
    )
    return environment


def _template(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _drawn(chart: figures.Chart) -> Markup:
    return Markup(figures.svg(chart))  # noqa: S704 -- matplotlib and `svg` escape what they write


def _tiles(data: ReportData, metrics: Metrics) -> list[tuple[str, str]]:
    status = data.file_status
    read = bool(status)
    duplicates = status.get("duplicate", 0) + status.get("duplicate_uid_conflict", 0)
    return [
        (wording.count(sum(status.values()) if read else None), "files seen"),
        (wording.count(sum(data.modalities.values()) if read else None), "headers read"),
        (wording.count(status.get("quarantined", 0) if read else None), "set aside"),
        (wording.count(duplicates if read else None), "duplicates"),
        (wording.count(metrics.value("funnel", step="occur")), "tags in the sample"),
        (wording.count(metrics.value("width", **_FEATURES)), "columns"),
        (wording.count(metrics.value("bottleneck", **_MODEL)), "compressed columns"),
        (_elbow_words(metrics), "clusters, by the elbow"),
    ]


def _elbow_words(metrics: Metrics) -> str:
    shown = clusters.shown(metrics)
    if shown is None:
        return wording.NOT_MEASURED
    return wording.count(shown.n_clusters) if shown.at_elbow else "no elbow"


def _reading(data: ReportData) -> dict[str, Any]:
    """Tables of what was read, what was not, and what the experiment took from it."""
    splits = {split: data.sample_splits[split] for split in sorted(data.sample_splits, key=_split_order)}
    modalities = sorted({name for counts in splits.values() for name in counts})
    return {
        "status": _bars(data.file_status, notes=wording.STATUS),
        "reasons": _bars(data.quarantine_reasons, notes=wording.REASON, colour=palette.OTHER),
        "modalities": _bars(data.modalities, coloured=True),
        "body_parts": _bars(data.body_part_sources),
        "splits": splits,
        "split_modalities": modalities,
        "unbalanced": _unbalanced(data),
    }


def _split_order(split: str) -> tuple[int, str]:
    known = ("train", "validation", "test")
    return known.index(split) if split in known else len(known), split


def _unbalanced(data: ReportData) -> str:
    """A warning when the number of rows is not that of the files that were read, else ""."""
    parsed, rows = data.file_status.get("parsed", 0), sum(data.modalities.values())
    if parsed == rows:
        return ""
    return f"{parsed:,} files were read, but the table of headers has {rows:,} rows."


def _bars(
    counts: dict[str, int],
    notes: dict[Any, str] | None = None,
    colour: str = "var(--accent)",
    coloured: bool = False,
) -> list[Bar]:
    """Counts by size, as bars of their share of the whole; the smallest beyond a limit are one bar."""
    total = sum(counts.values()) or 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    left = ranked[_MOST_ROWS:]
    shown = [
        Bar(
            name, n, n / total, (notes or {}).get(name, ""), palette.of_modality(name) if coloured else colour
        )
        for name, n in ranked[:_MOST_ROWS]
    ]
    rest = sum(n for _, n in left)
    return shown + ([Bar(f"and {len(left):,} more", rest, rest / total)] if left else [])


def _funnel(metrics: Metrics) -> list[Bar]:
    """Counts from the tags that occur to the columns of the bottleneck; steps not measured are left out."""
    steps = [
        *(
            (text, metrics.value("funnel", step=step), _PAPER_FUNNEL.get(step))
            for step, text in wording.STEP.items()
        ),
        (
            "features, after splitting multi-valued tags",
            metrics.value("features", **_FEATURES),
            _PAPER_FEATURES,
        ),
        ("columns, after one-hot encoding", metrics.value("width", **_FEATURES), _PAPER_WIDTH),
        ("columns, after compression", metrics.value("bottleneck", **_MODEL), _PAPER_BOTTLENECK),
    ]
    most = max((n for _, n, _ in steps if n), default=1.0)
    return [Bar(text, n, n / most, paper=paper) for text, n, paper in steps if n is not None]


def _tags(data: ReportData) -> dict[str, Any]:
    """Every tag's decision: features first, then the tags that were dropped late, then the most filled."""
    columns = ("key", "vr", "fill", "distinct_hll", "step", "decision", "why")
    rows = data.tag_statistics.select(columns).to_pylist()
    ranks = {step: rank for rank, step in enumerate((None, "free_text", "informative", "used", "vary"))}
    rows.sort(key=lambda row: (ranks.get(row["step"], len(ranks)), -(row["fill"] or 0.0), row["key"]))
    return {"rows": rows[:_MOST_TAGS], "left": max(0, len(rows) - _MOST_TAGS), "all": len(rows)}


def _training(metrics: Metrics) -> dict[str, list[charts.TriedCandidate]]:
    """Words for each set of features -> the candidates that were trained on it."""
    sets = metrics.label_values("reconstruction_error", "feature_set")
    tried = {wording.FEATURE_SET.get(name, name): charts.candidates(metrics, name) for name in sets}
    return {name: found for name, found in tried.items() if found}


def _agreement(metrics: Metrics) -> dict[str, Any]:
    """The panels of Figures 3, 4 and 5."""
    sets = dict.fromkeys(
        [PAPER.feature_set, *metrics.label_values("sum_of_squared_distances", "feature_set")]
    )
    return {
        "by_modality": charts.scores(metrics, "Modality"),
        "by_body_part": charts.scores(metrics, "BodyPartExamined"),
        "distances": [panel for feature_set in sets for panel in charts.distances(metrics, feature_set)],
    }
