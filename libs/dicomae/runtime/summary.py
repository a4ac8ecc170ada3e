"""What a job says at its end: the JSON object of its last line, which the table `runs` keeps as `summary`."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomae.lake import runs

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# What one job counts, such as the `instances` of `sample`: each field or key becomes a key of the last line.
Counts: TypeAlias = "DataclassInstance | Mapping[str, Any]"


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    counts : the job's own numbers; those of an earlier run, as JSON gave them, when the job was up to date.
    wrote : the tables that have a new version, each with that version: `{"sample": 4}`.
    seconds : how long this run took.
    unchanged : whether the job was up to date, so that nothing was done.
    """

    job: str
    run_id: str
    counts: Counts
    wrote: dict[str, int]
    seconds: float
    unchanged: bool = False

    def as_json(self) -> dict[str, Any]:
        """The object of the last line: `{"job": "sample", "run_id": …, counts …, "wrote": …, "seconds": …}`.

        The key `unchanged` is there only when it is true, and `made_good` only when it names a run.
        """
        line = {"job": self.job, "run_id": self.run_id, **_as_mapping(self.counts)}
        if not line.get(runs.MADE_GOOD):
            line.pop(runs.MADE_GOOD, None)
        line |= {"wrote": self.wrote, "seconds": self.seconds}
        return line | ({"unchanged": True} if self.unchanged else {})

    @property
    def stopped(self) -> bool:
        """Whether SIGTERM ended the run early, after a commit; the same call goes on from there."""
        return bool(_as_mapping(self.counts).get("stopped"))


def up_to_date(earlier: dict[str, Any], seconds: float) -> Summary:
    """The summary of a run that had nothing to do, from the last line of the run that did the work."""
    counts = {name: value for name, value in earlier.items() if name not in _COMMON}
    return Summary(earlier["job"], earlier["run_id"], counts, {}, seconds, unchanged=True)


def together(job: str, summaries: Sequence[Summary], counts: Counts) -> Summary:
    """One summary of several: all that was written, the sum of the seconds, the `run_id` of the last run."""
    wrote = {name: version for summary in summaries for name, version in summary.wrote.items()}
    seconds = round(sum(summary.seconds for summary in summaries), 1)
    return Summary(job, summaries[-1].run_id, counts, wrote, seconds)


def _as_mapping(counts: Counts) -> dict[str, Any]:
    return dict(counts) if isinstance(counts, Mapping) else dataclasses.asdict(counts)


_COMMON = {field.name for field in dataclasses.fields(Summary)} - {"counts"}
