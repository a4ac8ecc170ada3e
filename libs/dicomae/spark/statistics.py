"""`features.statistics` over many rows: each task merges its batches, the driver merges the tasks'."""

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from dicomae.features import elements, statistics
from dicomae.features.statistics import TagStatistics


def tag_statistics(headers: DataFrame) -> TagStatistics:
    """Statistics of all rows; `statistics.finish` makes the table of them."""
    partial = headers.select(*elements.COLUMNS).mapInArrow(_partial, from_arrow_schema(statistics.PARTIAL))
    merged = statistics.EMPTY
    # One task's partial at a time: the driver holds two, however many rows there are.
    for rows in partial.toLocalIterator():
        batch = pa.RecordBatch.from_pylist([rows.asDict(recursive=False)], schema=statistics.PARTIAL)
        merged = statistics.merge(merged, statistics.from_arrow(batch))
    return merged


def _partial(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    merged = statistics.EMPTY
    for batch in batches:
        merged = statistics.merge(merged, statistics.from_batch(batch))
    yield statistics.to_arrow(merged)
