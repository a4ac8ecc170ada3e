"""What the experiment found, from the summaries of its jobs."""

from collections.abc import Sequence
from typing import Any

Summary = dict[str, Any]


def summarise(summaries: Sequence[Summary]) -> tuple[str, Summary]:
    """What the experiment says for a person, and its JSON object, of its jobs' summaries."""
    by_job = {summary["job"]: summary for summary in summaries}
    model = by_job["train"]["models"]["all"]
    summary = {
        "job": "experiment",
        "run_id": summaries[-1]["run_id"],
        **{name: by_job["ingest"][name] for name in ("files", "rows", "quarantined", "duplicates")},
        "instances": by_job["sample"]["instances"],
        "funnel": by_job["tag_statistics"]["funnel"],
        "width": model["width"],
        "bottleneck": model["bottleneck"],
        "n_clusters": by_job["cluster"]["n_clusters"]["all, compressed"],
        "table_1": by_job["evaluate"]["table_1"],
        "report": by_job["report"]["report"],
        "seconds": round(sum(summary["seconds"] for summary in summaries), 1),
        "wrote": {name: version for summary in summaries for name, version in summary["wrote"].items()},
    }
    return _text(summary), summary


def _text(summary: Summary) -> str:
    funnel = " → ".join(f"{count:,} {step}" for step, count in summary["funnel"].items())
    clusters = summary["n_clusters"] or "no elbow"
    lines = [
        "",
        f"{summary['files']:,} files = {summary['rows']:,} headers + {summary['duplicates']:,} duplicates "
        f"+ {summary['quarantined']:,} quarantined; {summary['instances']:,} instances in the sample",
        f"tags: {funnel}; {summary['width']:,} columns compressed to {summary['bottleneck']:,}",
        f"clusters by the elbow: {clusters}; compressed against original, as in the paper's Table I:",
        *(
            f"  {row['score']} by {row['label']}: p = {_p(row['p_value'])} ({row['test']})"
            for row in summary["table_1"]
        ),
        f"report: {summary['report']}",
        "",
    ]
    return "\n".join(lines)


def _p(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"
