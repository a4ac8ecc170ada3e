"""The page: what it says, what it must not say, and that it stands alone."""

import itertools
import math
import re
import unicodedata
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from tests.unit.report.report_data import (
    CANARY,
    EVALUATION,
    Row,
    all_rows,
    embeddings,
    full,
    metrics_table,
    nothing,
    runs_table,
    table_1_rows,
    tag_rows,
)

from dicomae.report import comparison, page
from dicomae.report.data import Metrics

VOID = {"meta", "br", "use", "link", "img", "input", "hr"}
HOSTILE = '"><script>alert(1)</script>'


class Structure(HTMLParser):
    """Start tags with their attributes and ancestors; fails where a tag is closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs), tuple(self.open)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes, _ in self.tags if tag in names]


@pytest.fixture(scope="module")
def html() -> str:
    return page.render(full())


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.split("</style>")[-1]))


def cards_of(html: str) -> str:
    """The words of the section with the cluster cards."""
    return text_of(html[html.index('id="clusters"') : html.index('id="map"')])


def test_the_structure_is_sound(html: str) -> None:
    structure = Structure(html)
    assert len(structure.named("h1", "main", "nav", "title")) == 4
    levels = [int(tag[1]) for tag, _, _ in structure.tags if re.fullmatch("h[1-6]", tag)]
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels))
    assert structure.named("html")[0]["lang"] == "en"


def test_every_figure_is_described_and_every_table_scrolls_in_its_box(html: str) -> None:
    structure = Structure(html)
    drawings = structure.named("svg")
    assert len(drawings) == 1 + 4 + 2 + 3  # training, scores, distances, map
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)
    boxes = re.findall(r'<div class="(?:scroll|tall)"[^>]*>\s*<table', html)
    assert len(boxes) == len(structure.named("table")) > 5


def test_ids_are_unique_and_every_link_has_its_target(html: str) -> None:
    attributes = [found for _, found, _ in Structure(html).tags]
    ids = [found["id"] for found in attributes if "id" in found]
    assert len(ids) == len(set(ids))
    targets = {found["href"] for found in attributes if "href" in found}
    assert {f"#{name}" for name in ids} >= targets
    assert {"#result", "#files", "#funnel", "#table-1", "#map", "#provenance"} <= targets


def test_the_page_stands_alone(html: str) -> None:
    structure = Structure(html)
    assert not structure.named("script", "link", "img", "iframe", "object", "base")
    assert not any("src" in found for _, found, _ in structure.tags)
    assert all((found.get("href") or "#").startswith("#") for _, found, _ in structure.tags)
    assert not re.search(r"https?:|url\((?!#)|@import", html)


def test_the_page_says_what_was_measured(html: str) -> None:
    said = text_of(html)
    for words in (
        "with no significant difference from the original in any of the 4 metrics",
        "Compressed from 565 columns to 56 (10 %)",
        "p from 0.053 to 0.507 at the 0.05 level; equivalence within ±0.02 is shown for 3 of 4",
        "Label tags taken out of the features: 1 of 2 differ",
        "files seen 3,000",
        "1,651",
        "not a DICOM file",
        "Elbow at 2.",
        "0029xx10 VENDOR",
        "<bdi>Manufacturer</bdi> is <strong><bdi>ACME</bdi></strong> in 97 % <small>(all: 20 %)",
        "<bdi>KVP</bdi> is <strong><bdi>low</bdi></strong>: 0.20 <small>(all: 0.30)",
        "<bdi>numpy</bdi> <bdi>1.26.4</bdi>",
        "9f" * 32,
    ):
        assert words in html or words in said, words


def test_table_1_reads_as_in_the_paper(html: str) -> None:
    body = text_of(html[html.index('id="table-1"') : html.index('id="clusters"')])
    row = body[body.index("Homogeneity by Modality") : body.index("NMI by Modality")]
    expected = (
        "Homogeneity by Modality <0.001 0.673 paired t-test 0.157 0.200 0.010 +0.010 (+0.005 to +0.015)"
    )
    assert " ".join(row.replace("&lt;", "<").split()) == expected


def test_the_same_data_give_the_same_page(html: str) -> None:
    assert page.render(full()) == html


def test_no_patient_value_reaches_the_page(html: str) -> None:
    assert CANARY not in html
    assert "987654" not in html
    assert "/archive/" not in html


def test_everything_from_data_is_escaped() -> None:
    rows = [
        (
            job,
            name,
            {k: f"{v}{HOSTILE}" if k in ("candidate", "value", "feature") else v for k, v in labels.items()},
            v,
        )
        for job, name, labels, v in all_rows()
    ]
    hostile = replace(
        full(),
        title=HOSTILE,
        metrics=metrics_table(rows),
        file_status={HOSTILE: 1},
        quarantine_reasons={HOSTILE: 1},
        tag_statistics=tag_rows(HOSTILE),
        modalities={HOSTILE: 1},
        sample_splits={HOSTILE: {HOSTILE: 1}},
        embeddings=embeddings(modalities=(HOSTILE, "CT")),
        runs=runs_table(HOSTILE),
    )
    html = page.render(hostile)
    assert not Structure(html).named("script")
    assert html.count("&lt;script&gt;alert(1)") > 10


UNSEEN = "\u202e\u2066\x07\x00\x1b[31m\u200b\ufeff\u2028\ue000"
LONG = "long" * 5000


@pytest.mark.parametrize("value", [UNSEEN, LONG, "a" + "\u0308" * 500, "\u05d0\u05d1 (1) ]", "x\ny"])
def test_values_are_short_isolated_and_can_be_seen(value: str) -> None:
    rows = [
        (
            job,
            name,
            {k: f"{v}{value}" if k in ("candidate", "value", "feature") else v for k, v in labels.items()},
            v,
        )
        for job, name, labels, v in all_rows()
    ]
    html = page.render(
        replace(
            full(),
            metrics=metrics_table(rows),
            tag_statistics=tag_rows(value),
            modalities={value: 1},
            body_part_sources={value: 1},
            file_status={value: 1},
            quarantine_reasons={value: 1},
            sample_splits={value: {value: 1}},
            embeddings=embeddings(modalities=(value, "CT")),
            runs=runs_table(value),
        )
    )
    Structure(html)
    seen = unescape(re.sub(r"<style>.*</style>", "", html, flags=re.DOTALL))
    unseen = [c for c in seen if unicodedata.category(c)[0] == "C" or unicodedata.category(c) in ("Zl", "Zp")]
    assert set(unseen) <= {"\n"}
    assert not re.search("\u0308{4}", seen)
    assert max(seen.count(word) for word in ("longlong" * 30, "long" * 41)) == 0
    assert "[RIGHT-TO-LEFT OVERRIDE]" in seen or value != UNSEEN
    outside = re.sub(r"<bdi>.*?</bdi>|<svg.*?</svg>", "", html, flags=re.DOTALL)
    assert not re.search("[\u0590-\u05ff]", outside)


def test_nothing_measured_is_said_everywhere() -> None:
    html = page.render(nothing())
    Structure(html)
    assert "is not measured yet" in html
    sections = html.split("<section")[1:]
    assert len(sections) == 8
    assert all("Not measured" in section for section in sections)
    assert ">0<" not in html  # what was not counted is not none


@pytest.mark.parametrize("job", ["train", "cluster", "evaluate"])
def test_a_job_that_did_not_run_leaves_a_page(job: str) -> None:
    rows = [row for row in all_rows() if row[0] != job]
    html = page.render(replace(full(), metrics=metrics_table(rows), embeddings=None))
    Structure(html)
    assert "not measured" in html.lower()


def test_clusters_without_test_rows_are_said_to_be_missing() -> None:
    assert "The 2 clusters of the compressed data at the elbow, by the instances" in text_of(
        page.render(full())
    )
    rows = [(j, n, labels, 3.0 if n == "elbow" else v) for j, n, labels, v in all_rows()]
    said = text_of(page.render(replace(full(), metrics=metrics_table(rows))))
    assert (
        "2 of the 3 clusters of the compressed data at the elbow have instances in the test split. " in said
    )
    assert "They are shown by these, the largest first. A telling tag" in said


def test_no_elbow_one_modality_and_undefined_values() -> None:
    rows = [
        (j, n, labels, math.nan if n.endswith("_p") or n == "p_value" else v)
        for j, n, labels, v in all_rows()
    ]
    rows = [(j, n, labels, None if n == "elbow" else v) for j, n, labels, v in rows]
    one = replace(
        full(), metrics=metrics_table(rows), modalities={"CT": 5}, embeddings=embeddings(24, ("CT",))
    )
    html = page.render(one)
    Structure(html)
    assert "no elbow" in html
    assert "No elbow: the sum of squared distances of the compressed data falls" in cards_of(html)
    assert "The cards show K = 15, the middle one of the 2 numbers of clusters that were" in cards_of(html)
    assert "2 of the 15 clusters of the compressed data have instances in the test" in cards_of(html)
    assert not re.search(r"\bnan\b", text_of(html).lower())
    assert "Whether compressed headers cluster as the original ones do cannot be answered." in html
    assert "not measured" not in text_of(html[html.index('id="table-1"') : html.index('id="clusters"')])
    assert "5 rows" in html  # parsed files and rows differ: said as a warning


def test_with_an_elbow_the_cards_say_nothing_of_the_middle(html: str) -> None:
    assert "The 2 clusters of the compressed data at the elbow" in cards_of(html)
    assert "No elbow" not in cards_of(html)
    assert "The cards show K" not in cards_of(html)


def test_an_elbow_that_was_not_looked_for_is_not_missed() -> None:
    rows = [row for row in all_rows() if row[0] != "cluster"]
    html = page.render(replace(full(), metrics=metrics_table(rows)))
    assert "Cluster 1" in text_of(html)
    assert "elbow" not in cards_of(html).lower()


def test_models_beside_the_papers_change_no_number_that_the_page_leads_with(html: str) -> None:
    """A PCA of all features, an autoencoder of others, and spaces that no release before this one knew."""
    rows: list[Row] = [
        ("train", "bottleneck", {"feature_set": "all", "kind": "pca", "model_id": "n"}, 7.0),
        ("fit_features", "width", {"feature_set": "of_images"}, 9.0),
        ("cluster", "elbow", {"feature_set": "all", "space": "principal_components"}, 4.0),
        ("cluster", "elbow", {"feature_set": "of_images", "space": "pixels"}, 4.0),
    ]
    for k in (4, 15):
        about = {"feature_set": "all", "space": "principal_components", "n_clusters": str(k)}
        rows += [
            ("cluster", "sum_of_squared_distances", about, 50.0 / k),
            (
                "cluster",
                "sum_of_squared_distances",
                {**about, "feature_set": "of_images", "space": "pixels"},
                1.0,
            ),
        ]
    more = page.render(replace(full(), metrics=metrics_table([*all_rows(), *rows])))
    Structure(more)
    first = (found[: found.index("<nav")] for found in (html, more))
    assert len(set(first)) == 1
    assert "All features, principal components" in more
    assert "of_images, pixels" in more
    assert "All features, principal components" not in html


def test_long_lists_end_with_how_many_more() -> None:
    many = {f"reason-{i:03}": 1 for i in range(45)}
    tags = tag_rows(*(f"Tag{i:05}" for i in range(2003)))
    runs = runs_table(*(f"job-{i}" for i in range(43)))
    html = page.render(replace(nothing(), file_status={"quarantined": 45}, quarantine_reasons=many,
                               tag_statistics=tags, runs=runs))  # fmt: skip
    assert "and 5 more" in html
    assert "Tag01999" in html
    assert "Tag02000" not in html
    assert html.count("and 3 more") == 2


def undefined(*labels: str, **counts: float) -> comparison.Answer:
    """The answer where the scores of these labels are not defined; other metrics of the paper's way."""
    rows = [
        (j, n, about, None if n == "p_value" and about["label"] in labels else v)
        for j, n, about, v in table_1_rows("paper", (0.2, 0.3, 0.4, 0.5))
    ]
    rows += [("evaluate", "label_values", {"way": "paper", "label": label}, 1.0) for label in labels]
    rows += [("evaluate", name, {"way": "paper"}, count) for name, count in counts.items()]
    return comparison.answer(Metrics(metrics_table(rows)), EVALUATION)


def test_the_headline_says_what_one_modality_cannot_answer() -> None:
    found = undefined("Modality", patients=9.0, devices=4.0)
    assert "in any of the 2 metrics" in found.sentence
    assert "is shown for 1 of 2" in found.evidence
    assert found.unanswered == (
        "Not answered: Homogeneity by Modality and NMI by Modality, for in the test split all instances have "
        "one Modality."
    )


def test_the_headline_says_what_one_patient_and_one_device_cannot_answer() -> None:
    found = undefined("Modality", "BodyPartExamined", patients=1.0, devices=1.0)
    assert found.sentence == "Whether compressed headers cluster as the original ones do cannot be answered."
    assert found.evidence == ""
    assert "all instances have one Modality, all instances have one body part and all instances" in (
        found.unanswered
    )
    assert "are of one patient. All instances of the test split are of one device" in found.unanswered
    rows = [(j, n, labels, None if n == "p_value" else v) for j, n, labels, v in all_rows()]
    rows.append(("evaluate", "devices", {"way": "paper"}, 1.0))
    html = page.render(replace(full(), metrics=metrics_table(rows)))
    assert "of others this says nothing" in html[html.index("<h1>") : html.index("<nav")]


def test_what_can_be_answered_is_not_said_to_be_missing() -> None:
    assert undefined(patients=2.0, devices=2.0).unanswered == ""
    assert comparison.answer(Metrics(metrics_table([])), EVALUATION).unanswered == ""


def test_clusters_of_few_patients_are_counted_and_not_described() -> None:
    rows: list[Row] = [
        ("evaluate", "clusters_of_few_patients", {}, 3.0),
        ("evaluate", "instances_of_few_patients", {}, 30.0),
    ]
    said = cards_of(page.render(replace(full(), metrics=metrics_table([*all_rows(), *rows]))))
    assert "Not described: 3 with 30 instances together, for fewer than 5 patients are in each." in said
    assert "90 instances, 60 %" in said
    alone = cards_of(page.render(replace(full(), metrics=metrics_table(rows))))
    assert "Not described: 3 with 30 instances" in alone
    assert "Not measured" not in alone


@pytest.mark.parametrize(
    ("p_values", "sentence"),
    [
        (
            (0.157, 0.053, 0.24, 0.507),
            "with no significant difference from the original in any of the 4 metrics.",
        ),
        (
            (None, math.nan, 0.24, None),
            "with no significant difference from the original in the one metric tested.",
        ),
        (
            (0.2, 0.01, 0.24, 0.04),
            "with a significant difference from the original in 2 of 4 metrics: "
            "NMI by Modality (−0.020 on average) and NMI by body part (−0.040 on average).",
        ),
    ],
)
def test_the_answer_follows_the_p_values(p_values: tuple[float | None, ...], sentence: str) -> None:
    found = comparison.answer(Metrics(metrics_table(table_1_rows("paper", p_values))), EVALUATION)
    assert found.sentence == f"Compressed, the headers cluster {sentence}"
