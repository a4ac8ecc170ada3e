"""What became of files, as rows of the ledger."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from dicomae import tables
from dicomae.codes import Reason
from dicomae.headers.batch import Failure, HeaderBatch
from dicomae.headers.parse import parse_headers
from dicomae.ledger import outcome
from dicomae.sources.listing import listed_files

# Explicit VR little endian, no preamble: (0008,0018) UI, ten bytes "1.2.3" and NULs.
HEADER = bytes.fromhex("0800 1800 5549 0a00") + b"1.2.3\0\0\0\0\0"


def read(n: int, parsed: list[int], failures: dict[int, Reason]) -> HeaderBatch:
    batch = parse_headers([HEADER] * len(parsed), [True] * len(parsed), ())
    assert batch.headers.num_rows == len(parsed)
    told = tuple(Failure(i, reason, "why") for i, reason in failures.items())
    return replace(batch, index=np.array(parsed, np.int64), failures=told)


def test_each_file_is_one_row_wherever_its_header_came_in_the_batch() -> None:
    listing = outcome.listing_rows(listed_files(["a", "b", "c"], [1, 2, 3], [None, 5000, None]))
    ledger = outcome.ledger_rows(listing, read(3, [2, 0], {1: Reason.EMPTY}), None, "run")
    assert ledger.schema == tables.FILES.schema
    rows = ledger.to_pylist()
    assert [(r["path"], r["status"], r["reason"], r["SOPInstanceUID"]) for r in rows] == [
        ("a", "parsed", None, "1.2.3"),
        ("b", "quarantined", "empty", None),
        ("c", "parsed", None, "1.2.3"),
    ]
    assert {(r["attempts"], r["vanished"], r["container"], r["run_id"]) for r in rows} == {
        (1, False, None, "run")
    }
    assert [(r["size"], r["detail"]) for r in rows] == [(1, None), (2, "why"), (3, None)]


def test_attempts_go_on_from_those_before() -> None:
    listing = outcome.listing_rows(listed_files(["a"], [1], [None]))
    at = listing.schema.get_field_index("attempts")
    again = listing.set_column(at, listing.schema.field(at), pa.array([3], pa.int32()))
    ledger = outcome.ledger_rows(again, read(1, [0], {}), "x.zip", "run")
    assert ledger.select(["attempts", "container"]).to_pylist() == [{"attempts": 4, "container": "x.zip"}]


def test_what_could_not_be_listed_keeps_its_reason() -> None:
    listing = outcome.listing_rows(listed_files(["a"], [1], [None]), (("b", Reason.PERMISSION, "EACCES"),))
    told = listing.select(["path", "size", "reason", "detail"]).to_pylist()
    assert told[1] == {"path": "b", "size": None, "reason": "permission", "detail": "EACCES"}


def test_a_container_is_a_row_without_an_instance() -> None:
    (row,) = outcome.container_row(
        outcome.listing_rows(listed_files(["x.zip"], [9], [None])), "run"
    ).to_pylist()
    assert (row["path"], row["size"], row["status"], row["reason"]) == ("x.zip", 9, "container", None)


def test_of_mere_paths_size_and_time_come_from_the_files() -> None:
    failed = ("d", Reason.IO_ERROR, "why")
    listing = outcome.listing_rows(
        listed_files(["a", "b", "c"], [None, 7, None], [None, None, None]), (failed,)
    )
    assert outcome.mere_paths(listing).to_pylist() == ["a", "c"]
    told = outcome.with_files(listing, listed_files(["a"], [5], [3_000_000]))
    assert told.schema == outcome.LISTING_ROW
    assert told.column("size").to_pylist() == [5, 7, None, None]
    assert [time and time.microsecond for time in told.column("mtime").to_pylist()] == [
        3000,
        None,
        None,
        None,
    ]
    assert told.column("path").to_pylist() == ["a", "b", "c", "d"]
