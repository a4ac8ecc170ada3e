"""Rows of headers in Parquet: nothing is lost, and what the file says of its columns."""

import mutants
import pyarrow as pa
import pyarrow.parquet as pq

from dicomae.headers.parse import HEADER, parse_headers
from dicomae.lake.parquet import writer_options


def test_rows_come_back_and_only_unique_columns_lack_a_dictionary(tmp_path):
    rows = parse_headers(mutants.hand_made(), [True] * 3, ()).headers
    table = pa.Table.from_batches([rows]).append_column("path", pa.array(["a", "b", "c"]))
    file = tmp_path / "part.parquet"
    with pq.ParquetWriter(file, table.schema, **writer_options(table.schema)) as writer:
        writer.write_table(table)
    assert pq.read_table(file).equals(table)
    group = pq.ParquetFile(file).metadata.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    assert {column.compression for column in columns} == {"ZSTD"}
    without = {column.path_in_schema for column in columns if not column.has_dictionary_page}
    assert {"SOPInstanceUID", "content_hash", "path"} < without
    assert without.isdisjoint({"Modality", "elements.key_value.key", "elements.key_value.value"})
    bounded = {column.path_in_schema for column in columns if column.statistics is not None}
    assert bounded == {"SOPInstanceUID", "Modality"}
    assert len(columns) == len(HEADER) + 3 + 1
