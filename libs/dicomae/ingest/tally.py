"""What the tasks of an ingest have read so far, for those who wait: Spark adds it up as tasks end."""

from dataclasses import dataclass

from pyspark import Accumulator
from pyspark.sql import SparkSession

from dicomae.ingest.readers import ReadBatch
from dicomae.runtime.progress import Seen


@dataclass(frozen=True)
class ReadCounts:
    """What a run has read."""

    files: int
    parsed: int
    quarantined: int
    bytes: int  # that were read of them: of each file its header, and little more
    files_per_second: float


@dataclass(frozen=True)
class Tally:
    """Sums that tasks add to and the driver alone can see; a task that fails has added nothing."""

    files: Accumulator[int]
    quarantined: Accumulator[int]
    bytes_read: Accumulator[int]

    @classmethod
    def zero(cls, spark: SparkSession) -> "Tally":
        """Nothing yet."""
        return cls(*(spark.sparkContext.accumulator(0) for _ in range(3)))

    def add(self, read: ReadBatch) -> None:
        """Count a batch; containers are no files."""
        if read.headers is not None:
            self.files.add(read.listing.num_rows)
            self.quarantined.add(len(read.headers.failures))
            self.bytes_read.add(read.headers.bytes_read)

    def seen(self, total: int | None) -> Seen:
        """As progress shows it."""
        megabytes = self.bytes_read.value / 1e6
        detail = f"{self.quarantined.value:,} quarantined, {megabytes:,.0f} MB"
        return Seen(self.files.value, total, detail)

    def counts(self, seconds: float) -> ReadCounts:
        """What was read in so many seconds."""
        files, quarantined = self.files.value, self.quarantined.value
        return ReadCounts(
            files=files,
            parsed=files - quarantined,
            quarantined=quarantined,
            bytes=self.bytes_read.value,
            files_per_second=round(files / max(seconds, 1e-3), 1),
        )
