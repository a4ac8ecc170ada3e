"""Choose the sample: up to sample.per_modality instances of each Modality, in train, validation and test.

.venv/bin/python jobs/sample.py --tables DIR
"""

import sys
from collections import Counter
from dataclasses import dataclass

import pyarrow.compute as pc

from dicomae.errors import UsageError
from dicomae.lake import delta
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import step
from dicomae.spark import frames
from dicomae.spark.sample import sample
from dicomae.tables import HEADERS, SAMPLE

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class SampleCounts:
    """How many instances the sample has."""

    instances: int
    by_modality: dict[str, int]
    by_split: dict[str, int]
    normalised: int  # those whose file has the Modality in another way, such as "ct" or "CT\\PT"


def run(context: Context) -> SampleCounts:
    config = context.config.sample
    with step(context.spark, "choosing instances"):
        rows = sample(frames.read(context.spark, context.root, HEADERS), config).toArrow()
    by_modality = Counter(rows["Modality"].to_pylist())
    for modality in config.modalities:
        if by_modality[modality] < config.minimum_per_modality:
            raise UsageError(
                f"sample.minimum_per_modality: {modality} has {by_modality[modality]} eligible instances, "
                f"fewer than {config.minimum_per_modality}; ingest more, or change sample.modalities"
            )
    by_split = Counter(rows["split"].to_pylist())
    if missing := [split for split in SPLITS if not by_split[split]]:
        raise UsageError(
            f"sample.split_by = '{config.split_by}' leaves no instance for {missing}; try another"
        )
    rows = rows.sort_by([("Modality", "ascending"), ("SOPInstanceUID", "ascending")])
    normalised = len(rows) - pc.sum(rows["as_written"]).as_py()
    rows = rows.append_column("run_id", pc.cast([context.run_id] * len(rows), "string"))
    delta.replace(context.root, SAMPLE, rows.select(SAMPLE.columns))
    return SampleCounts(len(rows), dict(sorted(by_modality.items())), dict(by_split), normalised)


JOB = Job("sample", run, reads=(HEADERS,), sections=("sample",), writes=(SAMPLE,))

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
