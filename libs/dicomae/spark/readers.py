"""What a task of an ingest reads: (rows of `LISTING`, their headers), batch by batch, of its piece."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa

from dicomae.config import IngestConfig
from dicomae.dicom import source
from dicomae.dicom.rows import HeaderBatch
from dicomae.spark import pieces
from dicomae.spark.pieces import Piece


class Read(NamedTuple):
    """A batch that was read; of the members of a container where that is named."""

    listing: pa.RecordBatch  # schema LISTING
    headers: HeaderBatch
    container: str | None = None


Reader = Callable[[Piece], Iterator[Read]]


def file_reader(uri: str, config: IngestConfig) -> Reader:
    """A reader of files below `uri`, whose pieces are rows of `LISTING`."""

    def read(piece: Piece) -> Iterator[Read]:
        filesystem, _ = source.open_source(uri)
        prefix = len(source.path_prefix(uri))
        for listing in pieces.read(piece, config.batch_files):
            paths = [path[prefix:] for path in listing.column("path").to_pylist()]
            headers = source.read_headers(
                filesystem,
                paths,
                listing.column("size").to_pylist(),
                config.first_read_bytes,
                config.header_limit_bytes,
                config.flatten_sequences,
            )
            yield Read(listing, headers)

    return read
