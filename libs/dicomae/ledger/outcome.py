"""What became of files: rows of the ledger, from a listing and what was read."""

from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dicomae.codes import FileStatus
from dicomae.headers.batch import Failure, HeaderBatch
from dicomae.sources.listing import LISTED_FILE
from dicomae.tables import FILES

# A file to be read; or, with reason and detail, what could not be listed.
LISTING_ROW = pa.schema(
    [
        *LISTED_FILE,
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("attempts", pa.int32()),  # how often it has been read before
    ]
)


def listing_rows(listed: pa.RecordBatch, failures: tuple[tuple[str, str, str], ...] = ()) -> pa.RecordBatch:
    """Rows of `LISTING_ROW`: of `LISTED_FILE`, and of (path, reason, detail) of what could not be listed."""
    n = listed.num_rows
    nothing = [pa.nulls(n, pa.string()), pa.nulls(n, pa.string()), pa.array(np.zeros(n, np.int32))]
    files = pa.RecordBatch.from_arrays([*listed.columns, *nothing], schema=LISTING_ROW)
    if not failures:
        return files
    rows = [{"path": p, "reason": str(r), "detail": d, "attempts": 0} for p, r, d in failures]
    return pa.concat_batches([files, pa.RecordBatch.from_pylist(rows, schema=LISTING_ROW)])


def mere_paths(listing: pa.RecordBatch) -> pa.Array:
    """Paths of the rows of `LISTING_ROW` that say nothing else of their file."""
    told = [listing.column(name).is_valid() for name in ("size", "mtime", "etag", "reason")]
    return listing.column("path").filter(pc.invert(reduce(pc.or_, told)))


def with_files(listing: pa.RecordBatch, files: pa.RecordBatch) -> pa.RecordBatch:
    """Rows of `LISTING_ROW`; those without size or time get it from the row of `files` with their path."""
    at = pc.index_in(listing.column("path"), files.column("path"))
    for name in ("size", "mtime"):
        i = listing.schema.get_field_index(name)
        values = pc.coalesce(listing.column(i), files.column(name).take(at))
        listing = listing.set_column(i, listing.schema.field(i), values)
    return listing


def ledger_rows(
    listing: pa.RecordBatch, read: HeaderBatch, container: str | None, run_id: str
) -> pa.RecordBatch:
    """Rows of `FILES` for all of the listing.

    Parameters
    ----------
    listing : schema `LISTING_ROW`.
    read : positions are those of the listing.
    container : the archive or table that holds all of them.
    """
    n = listing.num_rows
    row = np.full(n, -1, np.int64)
    row[read.index] = np.arange(len(read.index))
    take = pa.array(row, mask=row < 0)
    reasons, details = _reasons(n, read.failures)
    status = np.where(row < 0, FileStatus.QUARANTINED.value, FileStatus.PARSED.value)
    columns = {
        **{name: listing.column(name) for name in LISTED_FILE.names},
        "container": pa.nulls(n, pa.string()) if container is None else pa.repeat(container, n),
        "status": pa.array(status, pa.string()),
        "reason": reasons,
        "detail": details,
        "attempts": pc.add(listing.column("attempts"), pa.scalar(1, pa.int32())),
        "SOPInstanceUID": read.headers.column("SOPInstanceUID").take(take),
        "content_hash": read.headers.column("content_hash").take(take),
        "original_path": pa.nulls(n, pa.string()),
        "vanished": pa.array(np.zeros(n, np.bool_)),
        "run_id": pa.repeat(run_id, n),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in FILES.columns], schema=FILES.schema)


def container_row(listing: pa.RecordBatch, run_id: str) -> pa.RecordBatch:
    """The row of `FILES` of an archive or table whose members have been read; `listing` has one row."""
    nothing = HeaderBatch(_NO_HEADERS, np.zeros(0, np.int64), (), {})
    row = ledger_rows(listing, nothing, None, run_id)
    at = row.schema.get_field_index("status")
    status = pa.array([FileStatus.CONTAINER.value], pa.string())
    return row.set_column(at, row.schema.field(at), status)


_NO_HEADERS = pa.RecordBatch.from_pylist(
    [], schema=pa.schema([("SOPInstanceUID", pa.string()), ("content_hash", pa.string())])
)


def _reasons(n: int, failures: tuple[Failure, ...]) -> tuple[pa.Array, pa.Array]:
    reasons: list[str | None] = [None] * n
    details: list[str | None] = [None] * n
    for failure in failures:
        reasons[failure.index], details[failure.index] = str(failure.reason), failure.detail
    return pa.array(reasons, pa.string()), pa.array(details, pa.string())
