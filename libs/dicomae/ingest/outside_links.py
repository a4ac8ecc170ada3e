"""Links that lead out of what is listed: each task writes a Parquet file of those that it has found."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from dicomae.lake import location
from dicomae.lake.location import Location
from dicomae.sources.links import Link
from dicomae.sources.listing import Listing

LINKS = pa.schema(
    [
        ("path", pa.string()),
        ("target", pa.string()),
        ("identity", pa.string()),
        ("is_folder", pa.bool_()),
        ("size", pa.int64()),
        ("mtime", pa.int64()),
    ]
)


@dataclass
class OutsideLinks:
    """Links that a task has found, and paths of those that lead to the tables."""

    links: list[Link] = field(default_factory=list)
    to_tables: list[str] = field(default_factory=list)

    def add(self, found: Listing) -> None:
        """Add those of a listing."""
        self.links += found.links
        self.to_tables += found.to_tables

    def write(self, folder: Location) -> str | None:
        """Write a file of `LINKS`, and give its name; None when there are no links."""
        if not self.links:
            return None
        path = folder / f"links-{uuid.uuid4()}.parquet"
        columns = [list(column) for column in zip(*self.links, strict=True)]
        with location.parquet_writer(path, LINKS) as writer:
            writer.write_table(pa.table(columns, schema=LINKS))
        return path.name


def read(files: Sequence[Location]) -> Iterator[Link]:
    """The links of some files."""
    for file in files:
        columns = location.parquet_file(file).read().to_pydict().values()
        yield from map(Link._make, zip(*columns, strict=True))
