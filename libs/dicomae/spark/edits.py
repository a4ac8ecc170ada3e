"""Edits of Parquet parts: a part that must lose or change rows is written again, under a new name.

This is how every row of `headers`, `files` and `quarantine` changes: copies of the parts concerned take
their place in one commit, which another run either sees whole or makes fail.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from dicomae import tables
from dicomae.spark.parts import PART, PartWriter
from dicomae.tables import Table

# The row of `path` in a part is dropped where `drop` is true; else it gets the values that are not null.
EDIT = ("table", "part", "path", "drop", "status", "original_path", "vanished")

_BATCH_ROWS = 4096
# A part that was edited, and what takes its place.
EDITED = pa.schema([("part", pa.string()), *PART])
_BY_NAME = {table.name: table for table in tables.ALL}


def dropped(table: Table, rows: DataFrame) -> DataFrame:
    """Edits that drop rows, given by `part` and `path`."""
    return _edits(table, rows, drop=F.lit(True))


def restated(table: Table, rows: DataFrame) -> DataFrame:
    """Edits that give rows another `status` and `original_path`."""
    return _edits(table, rows, status=F.col("status"), original_path=F.col("original_path"))


def marked(table: Table, rows: DataFrame, *, vanished: bool) -> DataFrame:
    """Edits that mark rows as vanished, or as there again."""
    return _edits(table, rows, vanished=F.lit(vanished))


def apply(edits: DataFrame, root: Path) -> pa.Table:
    """Write the edited parts again.

    Returns
    -------
    For each part that was edited its name as `part`, and `parts.PART` of what takes its place; that is
    null where no row is left.
    """
    rows = F.collect_list(F.struct(*EDIT[2:])).alias("rows")
    grouped = edits.groupBy("table", "part").agg(rows)
    return grouped.mapInArrow(_editor(root), from_arrow_schema(EDITED)).toArrow().cast(EDITED)


def _edits(table: Table, rows: DataFrame, **values: Column) -> DataFrame:
    nothing = {
        "drop": F.lit(False),
        "status": F.lit(None).cast("string"),
        "original_path": F.lit(None).cast("string"),
        "vanished": F.lit(None).cast("boolean"),
    }
    columns = {**nothing, **values}
    return rows.select(
        F.lit(table.name).alias("table"), "part", "path", *(c.alias(name) for name, c in columns.items())
    )


def _editor(root: Path) -> Any:
    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                yield _edited(root, _BY_NAME[row["table"]], row["part"], row["rows"])

    return task


def _edited(root: Path, table: Table, part: str, edits: list[dict[str, Any]]) -> pa.RecordBatch:
    drops = pa.array({edit["path"] for edit in edits if edit["drop"]}, pa.string())
    changes = [edit for edit in edits if not edit["drop"]]
    writer = PartWriter(root, table)
    for batch in pq.ParquetFile(root / table.name / part).iter_batches(_BATCH_ROWS):
        kept = batch.filter(pc.invert(pc.is_in(batch.column("path"), drops)))
        writer.write(_changed(kept, changes) if changes else kept)
    written = writer.finish()
    old = pa.array([part], pa.string())
    columns = written.columns if written.num_rows else [pa.nulls(1, field.type) for field in PART]
    if not written.num_rows:
        columns[0] = pa.array([table.name], pa.string())
    return pa.RecordBatch.from_arrays([old, *columns], schema=EDITED)


def _changed(batch: pa.RecordBatch, changes: list[dict[str, Any]]) -> pa.RecordBatch:
    """The rows with the new values of those that are named."""
    keys = pa.array([edit["path"] for edit in changes], pa.string())
    which = pc.index_in(batch.column("path"), keys)
    for name in ("status", "original_path", "vanished"):
        at = batch.schema.get_field_index(name)
        values = pa.array([edit[name] for edit in changes], batch.schema.field(at).type).take(which)
        batch = batch.set_column(at, batch.schema.field(at), pc.coalesce(values, batch.column(at)))
    return batch
