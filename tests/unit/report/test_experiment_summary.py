"""What the experiment says at its end, from the last lines of its jobs."""

from typing import Any

import pytest

from dicomae.report.summary import experiment_counts, in_words

LINES: dict[str, dict[str, Any]] = {
    "ingest": {"files": 1500, "rows": 1480, "quarantined": 5, "duplicates": 15},
    "sample": {"instances": 382},
    "tag_statistics": {"funnel": {"occur": 1836, "vary": 320}},
    "train": {"models": {"all": {"width": 273, "bottleneck": 27}, "without_labels": {"width": 1}}},
    "cluster": {"n_clusters": {"all, compressed": 7, "all, original": 4}},
    "evaluate": {
        "table_1": [
            {"score": "homogeneity", "label": "Modality", "p_value": 0.31549, "test": "paired_t"},
            {"score": "homogeneity", "label": "BodyPartExamined", "p_value": None, "test": "wilcoxon"},
        ]
    },
    "report": {"report": "/t/report.html"},
}


def test_the_words_hold_the_counts_of_every_job() -> None:
    assert in_words(experiment_counts(LINES)).splitlines() == [
        "",
        "1,500 files = 1,480 headers + 15 duplicates + 5 quarantined; 382 instances in the sample",
        "tags: 1,836 occur → 320 vary; 273 columns compressed to 27",
        "clusters by the elbow: 7; compressed against original, as in the paper's Table I:",
        "  homogeneity by Modality: p = 0.315 (paired_t)",
        "  homogeneity by BodyPartExamined: p = not defined (wilcoxon)",
        "report: /t/report.html",
    ]


@pytest.mark.parametrize(("k", "words"), [(None, "by the elbow: no elbow;"), (4, "by the elbow: 4;")])
def test_the_elbow_is_that_of_the_compressed_rows(k: int | None, words: str) -> None:
    lines = {**LINES, "cluster": {"n_clusters": {"all, compressed": k, "all, original": 11}}}
    assert words in in_words(experiment_counts(lines))
