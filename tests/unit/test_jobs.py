"""All jobs of jobs/: what they read, what they write, and how long their scripts are."""

import runpy
from collections import defaultdict
from pathlib import Path

import pytest

from dicomae import tables
from dicomae.runtime.job import Job

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "jobs").glob("*.py"))


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    """The jobs of all scripts; experiment.py has none of its own."""
    declared = [runpy.run_path(str(path)) for path in SCRIPTS if path.stem != "experiment"]
    return [found["JOB"] for found in declared]


@pytest.fixture(scope="module")
def writers(jobs: list[Job]) -> dict[str, set[str]]:
    """The jobs that say that they write a table, by its name."""
    found = defaultdict(set)
    for job in jobs:
        for table in job.writes:
            found[table.name].add(job.name)
    return found


def test_a_job_has_the_name_of_its_script(jobs: list[Job]) -> None:
    assert [job.name for job in jobs] == [path.stem for path in SCRIPTS if path.stem != "experiment"]


def test_a_table_names_a_job_that_writes_it(writers: dict[str, set[str]]) -> None:
    made_by = {table.name: table.made_by for table in tables.ALL}
    assert {name for name, job in made_by.items() if job and job not in writers[name]} == set()
    assert {name for name, jobs in writers.items() if len(jobs) == 1 and made_by[name] is None} == set()


def test_what_a_job_reads_is_made_by_a_job(jobs: list[Job]) -> None:
    """Else its error could not say what to run first."""
    read = {table for job in jobs for table in (*(job.reads or ()), *job.needs)}
    assert {table.name for table in read if table.made_by is None} == set()
