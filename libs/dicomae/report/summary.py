"""What the experiment found, from the last lines of its jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dicomae.evaluation.comparison import PAPER


@dataclass(frozen=True)
class ExperimentCounts:
    """The experiment's own numbers in its last line; each is described where its job counts it."""

    files: int
    rows: int
    quarantined: int
    duplicates: int
    instances: int
    funnel: dict[str, int]
    width: int
    bottleneck: int
    n_clusters: int | None  # K of the elbow of the compressed rows; None: there is no elbow
    table_1: list[dict[str, Any]]
    report: str


def experiment_counts(lines: Mapping[str, Mapping[str, Any]]) -> ExperimentCounts:
    """The experiment's numbers; `lines` are its jobs' last lines by the jobs' names."""
    ingest, model = lines["ingest"], lines["train"]["models"][PAPER.feature_set]
    return ExperimentCounts(
        files=ingest["files"],
        rows=ingest["rows"],
        quarantined=ingest["quarantined"],
        duplicates=ingest["duplicates"],
        instances=lines["sample"]["instances"],
        funnel=lines["tag_statistics"]["funnel"],
        width=model["width"],
        bottleneck=model["bottleneck"],
        n_clusters=lines["cluster"]["n_clusters"][f"{PAPER.feature_set}, {PAPER.space}"],
        table_1=lines["evaluate"]["table_1"],
        report=lines["report"]["report"],
    )


def in_words(found: ExperimentCounts) -> str:
    """What the experiment found, for a person."""
    funnel = " → ".join(f"{count:,} {step}" for step, count in found.funnel.items())
    clusters = found.n_clusters or "no elbow"
    lines = [
        "",
        f"{found.files:,} files = {found.rows:,} headers + {found.duplicates:,} duplicates "
        f"+ {found.quarantined:,} quarantined; {found.instances:,} instances in the sample",
        f"tags: {funnel}; {found.width:,} columns compressed to {found.bottleneck:,}",
        f"clusters by the elbow: {clusters}; compressed against original, as in the paper's Table I:",
        *(
            f"  {row['score']} by {row['label']}: p = {_p(row['p_value'])} ({row['test']})"
            for row in found.table_1
        ),
        f"report: {found.report}",
        "",
    ]
    return "\n".join(lines)


def _p(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"
