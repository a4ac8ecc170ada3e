#!/usr/bin/env python
"""Header tables made by others: an Arrow batch to rows of `headers`, and on to Parquet, on one core.

Beside it stands what one would write first: each row as a dict, its filled columns as text, a map of
them. The table is that of the extra `idc` unless another is named. Figures are CPU time, the median of
five rounds over the same rows. The last line of standard output is one JSON object.

    .venv/bin/python scripts/bench/header_tables.py --rows 200000
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dicomae import tables
from dicomae.header_tables.column_map import element_columns
from dicomae.header_tables.convert import ColumnMap, from_table, load_column_map, paths
from dicomae.headers.batch import HEADER

COLUMNS = Path(__file__).resolve().parents[2] / "conf" / "columns" / "idc.toml"
ROUNDS, BATCH_ROWS, SLOW_ROWS = 5, 16384, 20_000


def headers_only(batches: list[pa.RecordBatch], columns: ColumnMap) -> None:
    """Rows of `HEADER` and their paths, dropped at once."""
    for batch in batches:
        paths(batch, from_table(batch, columns), columns, "table", 0)


def headers_to_parquet(batches: list[pa.RecordBatch], columns: ColumnMap) -> None:
    """One Parquet part, zstd."""
    with (
        tempfile.TemporaryDirectory() as folder,
        pq.ParquetWriter(f"{folder}/part.parquet", HEADER, compression="zstd") as writer,
    ):
        for batch in batches:
            writer.write_batch(from_table(batch, columns).headers)


def row_by_row(batches: list[pa.RecordBatch], columns: ColumnMap) -> None:
    """The map of elements alone, in plain Python."""
    named = element_columns(batches[0].schema, columns)
    for batch in batches:
        rows = batch.select(sorted(set(named.values()))).to_pylist()
        texts = [[(k, str(row[c])) for k, c in named.items() if row[c] is not None] for row in rows]
        pa.array(texts, tables.TEXTS)


def microseconds(call: Callable[[], None], rows: int) -> float:
    """Median CPU time for a row."""
    call()
    found = []
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        found.append((time.process_time() - start) / rows * 1e6)
    return statistics.median(found)


def first_rows(table: Path, rows: int) -> list[pa.RecordBatch]:
    """Batches of the table's first rows."""
    batches, n_rows = [], 0
    for batch in pq.ParquetFile(table).iter_batches(BATCH_ROWS):
        if n_rows >= rows:
            break
        batches.append(batch.slice(0, rows - n_rows))
        n_rows += batches[-1].num_rows
    return batches


def the_index() -> Path:
    """The Parquet file of the extra `idc`."""
    try:
        import idc_index_data
    except ImportError:
        sys.exit("error: install idc-index-data==25.0.5, or name a table by --table and --columns")
    return Path(idc_index_data.IDC_INDEX_PARQUET_FILEPATH)


def main() -> None:
    """Measure, print a table and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--table", type=Path, help="a Parquet file")
    parser.add_argument("--columns", type=Path, default=COLUMNS, help="its column map")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    columns = load_column_map(arguments.columns)
    batches = first_rows(arguments.table or the_index(), arguments.rows)
    few = first_rows(arguments.table or the_index(), min(arguments.rows, SLOW_ROWS))
    rows = sum(batch.num_rows for batch in batches)
    found = {
        "from_table": microseconds(lambda: headers_only(batches, columns), rows),
        "from_table_to_parquet": microseconds(lambda: headers_to_parquet(batches, columns), rows),
        "row_by_row": microseconds(lambda: row_by_row(few, columns), sum(b.num_rows for b in few)),
    }
    for name, value in found.items():
        print(f"{name:>24} {value:>8.2f} µs a row {1e6 / value:>10.0f} rows/s")
    ratio = found["row_by_row"] / found["from_table"]
    print(
        json.dumps(
            {
                "benchmark": "header_tables",
                "rows": rows,
                "microseconds_a_row": {name: round(value, 2) for name, value in found.items()},
                "ratios": {"table_vs_row_by_row": round(ratio, 1)},
            }
        )
    )


if __name__ == "__main__":
    main()
