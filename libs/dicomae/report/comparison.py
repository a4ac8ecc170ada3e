"""Table I of the paper with better tests beside it, and the experiment's answer in one sentence."""

from dataclasses import dataclass

from dicomae.codes import Space
from dicomae.config import EvaluationConfig
from dicomae.evaluation.comparison import PAPER, WAYS, Way
from dicomae.report import wording
from dicomae.report.charts import SCORES
from dicomae.report.data import Metrics

_METRICS = [(label, score) for label in wording.LABEL for score in SCORES]


@dataclass(frozen=True)
class Row:
    """One metric's comparison of original and compressed data; None is "not defined"."""

    metric: str
    shapiro_original: float | None
    shapiro_compressed: float | None
    test: str
    p_value: float | None
    wilcoxon: float | None
    tost: float | None
    difference: float | None  # mean of compressed - original
    low: float | None
    high: float | None


def rows(metrics: Metrics, way: Way) -> list[Row]:
    """The four metrics of one way; empty when it was not evaluated."""
    found = []
    for label, score in _METRICS:
        about = {"way": way.name, "label": label, "score": score}
        tests = metrics.label_values("p_value", "test", **about)
        if tests:
            found.append(
                Row(
                    f"{wording.SCORE[score]} by {wording.LABEL[label]}",
                    metrics.value("shapiro_p", space=Space.ORIGINAL, **about),
                    metrics.value("shapiro_p", space=way.space, **about),
                    wording.TEST.get(tests[-1], tests[-1]),
                    metrics.value("p_value", test=tests[-1], **about),
                    metrics.value("wilcoxon_p", **about),
                    metrics.value("tost_p", **about),
                    metrics.value("mean_difference", **about),
                    metrics.value("mean_difference_low", **about),
                    metrics.value("mean_difference_high", **about),
                )
            )
    return found


def table_1(metrics: Metrics) -> dict[str, list[Row]]:
    """Rows by the name of the way, in the order of `WAYS`; a way without rows is left out."""
    return {way.name: found for way in WAYS if (found := rows(metrics, way))}


@dataclass(frozen=True)
class Answer:
    """The experiment's outcome.

    Attributes
    ----------
    sentence : the outcome itself.
    evidence : the figures that it rests on; "" before there are any.
    unanswered : what these data cannot tell, and why; "" when they can tell all.
    """

    sentence: str
    evidence: str
    unanswered: str = ""


def answer(metrics: Metrics, evaluation: EvaluationConfig) -> Answer:
    """Whether compressed data cluster as original data do, by the paper's way and test."""
    tested = _tested(metrics, PAPER)
    missing = " ".join(unanswered(metrics))
    if not tested:
        when = "cannot be answered" if missing else "is not measured yet"
        return Answer(f"Whether compressed headers cluster as the original ones do {when}.", "", missing)
    differ = [row for row, p in tested if p < evaluation.alpha]
    if differ:
        shifts = wording.listed([_shift(row) for row in differ])
        of_all = f"{len(differ)} of {len(tested)} metrics"
        verdict = f"with a significant difference from the original in {of_all}: {shifts}"
    else:
        of_all = "the one metric tested" if len(tested) == 1 else f"any of the {len(tested)} metrics"
        verdict = f"with no significant difference from the original in {of_all}"
    sentence = f"{_compressed(metrics)} the headers cluster {verdict}."
    return Answer(sentence, _evidence(metrics, evaluation), missing)


def unanswered(metrics: Metrics) -> list[str]:
    """A sentence for each question that the test split cannot answer; none when nothing was evaluated."""
    undefined = [row.metric for row in rows(metrics, PAPER) if row.p_value is None]
    reasons = [
        _one_value(label) for label in wording.LABEL if _count(metrics, "label_values", label=label) == 1
    ]
    if _count(metrics, "patients") == 1:
        reasons.append("all instances are of one patient")
    said = []
    if undefined:
        because = f", for in the test split {wording.listed(reasons)}" if reasons else ""
        said.append(f"Not answered: {wording.listed(undefined)}{because}.")
    if _count(metrics, "devices") == 1:
        said.append("All instances of the test split are of one device: of others this says nothing.")
    return said


def _one_value(label: str) -> str:
    return f"all instances have one {wording.LABEL[label]}"


def _count(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.value(name, way=PAPER.name, **labels)


def _tested(metrics: Metrics, way: Way) -> list[tuple[Row, float]]:
    return [(row, row.p_value) for row in rows(metrics, way) if row.p_value is not None]


def _compressed(metrics: Metrics) -> str:
    width = metrics.value("width", feature_set=PAPER.feature_set)
    bottleneck = metrics.value("bottleneck", feature_set=PAPER.feature_set, kind=PAPER.kind)
    if not width or not bottleneck:
        return "Compressed,"
    return (
        f"Compressed from {width:,.0f} columns to {bottleneck:,.0f} ({wording.percent(bottleneck / width)}),"
    )


def _shift(row: Row) -> str:
    return (
        row.metric
        if row.difference is None
        else f"{row.metric} ({wording.signed(row.difference)} on average)"
    )


def _evidence(metrics: Metrics, evaluation: EvaluationConfig) -> str:
    """The p-values, and what the test of equivalence adds.

    A test that finds no difference does not prove that there is none.
    """
    tested = _tested(metrics, PAPER)
    low, high = (wording.p_value(pick(p for _, p in tested)) for pick in (min, max))
    span = f"p = {low}" if low == high else f"p from {low} to {high}"
    proven = sum(row.tost is not None and row.tost < evaluation.alpha for row, _ in tested)
    equivalent = (
        f"equivalence within ±{evaluation.equivalence_margin:g} is shown for {proven} of {len(tested)}"
    )
    said = [f"{span} at the {evaluation.alpha:g} level; {equivalent}."]
    for way in WAYS[1:]:
        others = _tested(metrics, way)
        if others:
            differ = sum(p < evaluation.alpha for _, p in others)
            said.append(f"{wording.WAY[way.name]}: {differ} of {len(others)} differ.")
    return " ".join(said)
