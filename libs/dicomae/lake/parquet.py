"""How rows of headers are best written to Parquet; `scripts/bench/headers.py` measures it."""

from typing import Any

import pyarrow as pa

ROW_GROUP = 8192  # rows; groups of a few hundred take half as long again, and a third more room
_UNIQUE = frozenset({"SOPInstanceUID", "content_hash", "path"})  # a dictionary of them is in vain
_BOUNDED = ("SOPInstanceUID", "Modality")  # what is looked up; statistics of long texts cost their while


def writer_options(schema: pa.Schema) -> dict[str, Any]:
    """Arguments of `pyarrow.parquet.ParquetWriter` for a table with columns of `rows.HEADER`."""
    leaves = [leaf for field in schema for leaf in _leaves(field)]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [leaf for leaf in leaves if leaf not in _UNIQUE],
        "write_statistics": [leaf for leaf in leaves if leaf in _BOUNDED],
    }


def _leaves(field: pa.Field) -> list[str]:
    """Parquet's names of the columns that a field becomes."""
    if pa.types.is_map(field.type):
        return [f"{field.name}.key_value.{part}" for part in ("key", "value")]
    return [field.name]
