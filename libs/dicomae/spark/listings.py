"""Listings of sources, as Parquet files below the staging folder."""

import uuid
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dicomae.dicom.listing import Listing
from dicomae.dicom.outcome import LISTING, as_listing

_ROWS_TOGETHER = 1 << 16


@dataclass(frozen=True)
class Listed:
    """Parquet files of `LISTING`, and how many rows are files and failures."""

    paths: list[str]
    files: int
    failures: int


class ListingWriter:
    """One Parquet file of `LISTING`, written when enough rows have come together."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.path, self.prefix = folder / f"listing-{uuid.uuid4()}.parquet", prefix
        self.files = self.failures = 0
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._writer = pq.ParquetWriter(self.path, LISTING)

    def write(self, found: Listing) -> None:
        """Add what was found."""
        self._waiting.append(as_listing(found.files, found.failures))
        self.files += found.files.num_rows
        self.failures += len(found.failures)
        self._rows += self._waiting[-1].num_rows
        if self._rows > _ROWS_TOGETHER:
            self._flush()

    def finish(self) -> Listed:
        """Close the file."""
        self._flush()
        self._writer.close()
        return Listed([str(self.path)], self.files, self.failures)

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting)
        if self.prefix:
            paths = pc.binary_join_element_wise(self.prefix, table["path"], "")
            table = table.set_column(0, LISTING[0], paths)
        self._writer.write_table(table)
        self._waiting, self._rows = [], 0
