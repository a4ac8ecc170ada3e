"""A Spark task for each item of a list; what tasks yield is small and comes to the driver."""

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import SparkSession

Item = TypeVar("Item")


def run(
    spark: SparkSession,
    items: Sequence[Item],
    task: Callable[[Item], Iterator[pa.RecordBatch]],
    schema: pa.Schema,
) -> pa.Table:
    """What the tasks yield, one Spark task for each item; small: it comes to the driver."""
    if not items:
        return schema.empty_table()

    def run_one(item: Item) -> Iterator[pa.RecordBatch]:
        gc.freeze()  # what lives between tasks are modules: Spark collects garbage after each
        return task(item)

    # Not `mapInArrow`: to plan and start such a query costs more than a small night's work.
    batches = spark.sparkContext.parallelize(items, len(items)).flatMap(run_one).collect()
    return pa.Table.from_batches(batches, schema)
