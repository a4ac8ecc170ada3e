"""Tables as Spark DataFrames, and their rows through a kernel into Parquet parts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from dicomae.lake import delta
from dicomae.lake.location import Location
from dicomae.lake.parts import PART, PartWriter
from dicomae.tables import Table

Kernel = Callable[[pa.RecordBatch], pa.RecordBatch]


def read(spark: SparkSession, root: Path, table: Table) -> DataFrame:
    """The table as it stands now; every use of the frame sees this version."""
    reader = spark.read.format("delta").option("versionAsOf", delta.version(root, table))
    return reader.load(str(root / table.name)).select(*table.columns)


def write_parts(rows: DataFrame, root: Location, table: Table, kernel: Callable[[], Kernel]) -> pa.Table:
    """Send each Arrow batch of `rows` through a kernel and write what it returns as parts.

    Parameters
    ----------
    kernel : builds the kernel, once in each task: (columns of `rows`) -> (the table's schema).

    Returns
    -------
    Descriptors (`PART`), one of each non-empty partition, for `delta.commit_parts`.
    """

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        writer = PartWriter(root, table)
        run: Kernel | None = None
        for batch in batches:
            run = run or kernel()
            if batch.num_rows:
                writer.write(run(batch))
        yield writer.finish()

    return rows.mapInArrow(task, from_arrow_schema(PART)).toArrow().cast(PART)
