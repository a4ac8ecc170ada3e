"""Write the table `headers` with synthetic rows, for benchmarks of millions of rows; no file is behind them.

  python -m dicomae.spark.synth --rows 1000000 --tables tables --seed 1

The same arguments give the same rows. The last line of standard output is one JSON object.
"""

import argparse
import sys
from pathlib import Path

import pyarrow as pa

from dicomae import config
from dicomae.errors import UsageError
from dicomae.lake import delta
from dicomae.runtime import session
from dicomae.runtime.progress import step
from dicomae.spark.frames import Kernel, write_parts
from dicomae.synth import command
from dicomae.synth import rows as synth_rows
from dicomae.synth.command import Parser
from dicomae.tables import FILES, HEADERS

_ROWS_AT_ONCE = 1000


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0, 1 after a failure, 2 after a bad call."""
    return command.run(_parser(), _write, arguments)


def _parser() -> Parser:
    made = Parser(
        "python -m dicomae.spark.synth",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add = made.add_argument
    add("--rows", type=int, required=True, metavar="N", help="rows of the table, at least 1")
    add("--tables", type=Path, required=True, metavar="DIR", help="folder of the Delta tables")
    add("--seed", type=int, default=1, metavar="S", help="another seed, another hospital (default 1)")
    return made


def _write(options: argparse.Namespace) -> dict[str, object]:
    if options.rows < 1:
        raise UsageError(f"--rows must be at least 1, not {options.rows}")
    written = write_headers(options.tables, options.rows, options.seed)
    return {"job": "synth", "rows": written, "tables": str(options.tables)}


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


if __name__ == "__main__":
    sys.exit(main())
