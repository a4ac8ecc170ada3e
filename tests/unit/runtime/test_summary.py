"""The last line of a job: its keys, and those of a job that had nothing to do."""

import json
from dataclasses import dataclass

import pytest

from dicomae.runtime.summary import Counts, Summary, together, up_to_date


@dataclass(frozen=True)
class _Model:
    width: int


@dataclass(frozen=True)
class _Counts:
    models: dict[str, _Model]
    n_clusters: int | None
    made_good: tuple[str, ...] = ()


def _summary(counts: Counts) -> Summary:
    return Summary("train", "r1", counts, wrote={"models": 3}, seconds=1.5)


@pytest.mark.parametrize(
    "counts",
    [_Counts({"all": _Model(7)}, None), {"models": {"all": {"width": 7}}, "n_clusters": None}],
    ids=["a dataclass", "a mapping"],
)
def test_the_counts_stand_between_the_run_and_what_it_wrote(counts: Counts) -> None:
    line = json.dumps(_summary(counts).as_json())
    models = '"models": {"all": {"width": 7}}, "n_clusters": null'
    assert line == f'{{"job": "train", "run_id": "r1", {models}, "wrote": {{"models": 3}}, "seconds": 1.5}}'


def test_interrupted_runs_are_named_only_when_there_are_some() -> None:
    assert _summary(_Counts({}, 4, made_good=("r0",))).as_json()["made_good"] == ("r0",)
    assert "made_good" not in _summary({"made_good": []}).as_json()


def test_a_job_that_is_up_to_date_repeats_the_line_of_the_run_that_did_the_work() -> None:
    earlier = json.loads(json.dumps(_summary(_Counts({"all": _Model(7)}, 4)).as_json()))
    line = up_to_date(earlier, seconds=0.1).as_json()
    assert line == {
        "job": "train",
        "run_id": "r1",
        "models": {"all": {"width": 7}},
        "n_clusters": 4,
        "wrote": {},
        "seconds": 0.1,
        "unchanged": True,
    }
    assert up_to_date(line, seconds=0.2).as_json() == {**line, "seconds": 0.2}


def test_several_jobs_together() -> None:
    summaries = [
        Summary("ingest", "r1", {"files": 2}, {"files": 1, "headers": 4}, 2.25),
        Summary("sample", "r2", {}, {"sample": 7}, 1.0),
    ]
    assert together("experiment", summaries, {"files": 2}).as_json() == {
        "job": "experiment",
        "run_id": "r2",
        "files": 2,
        "wrote": {"files": 1, "headers": 4, "sample": 7},
        "seconds": 3.2,
    }


@pytest.mark.parametrize(
    ("counts", "stopped"), [({"stopped": True}, True), ({"stopped": False}, False), ({}, False)]
)
def test_a_run_that_sigterm_ended_says_so(counts: Counts, stopped: bool) -> None:
    assert _summary(counts).stopped is stopped
