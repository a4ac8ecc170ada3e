"""Synthetic rows of `headers`, for benchmarks of millions of rows: no file is written or read."""

from pathlib import Path

import pyarrow as pa

from dicomae import config
from dicomae.errors import UsageError
from dicomae.lake import delta
from dicomae.lake.parts import Kernel, write_parts
from dicomae.runtime import session
from dicomae.runtime.progress import step
from dicomae.synth import rows as synth_rows
from dicomae.tables import FILES, HEADERS

_ROWS_AT_ONCE = 1000


def write_headers(root: Path, rows: int, seed: int) -> int:
    """Make `rows` synthetic rows the content of `headers` below `root`; the rows written.

    Raises
    ------
    UsageError
        The tables below `root` hold files: their headers would be lost.
    """
    if delta.exists(root, FILES) and delta.version(root, FILES) > 0:
        raise UsageError(f"--tables {root}: holds an ingested archive; give another folder")
    spark = session.start("dicomae synth", config.load(session.HOME / "conf" / "local.toml").spark)
    delta.prepare(root)
    version = delta.version(root, HEADERS)
    starts = spark.range(0, rows, _ROWS_AT_ONCE, numPartitions=4 * spark.sparkContext.defaultParallelism)

    def kernel() -> Kernel:
        return lambda batch: _header_rows(batch, rows, seed)

    with step(spark, f"making {rows:,} rows"):
        parts = write_parts(starts, root, HEADERS, kernel)
    return delta.commit_parts(root, HEADERS, parts, version, overwrite=True)


def _header_rows(batch: pa.RecordBatch, rows: int, seed: int) -> pa.RecordBatch:
    made = [_chunk(start, rows, seed) for start in batch.column("id").to_pylist()]
    table = pa.Table.from_batches(made)
    ids = pa.repeat(f"synth-{seed}", table.num_rows)
    return table.append_column("run_id", ids).select(HEADERS.columns).combine_chunks().to_batches()[0]


def _chunk(start: int, rows: int, seed: int) -> pa.RecordBatch:
    return synth_rows.header_rows(seed, start, min(_ROWS_AT_ONCE, rows - start))
