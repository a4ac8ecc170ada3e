"""List files in executors, folder by folder, so that the driver never holds the listing.

Tasks write what they find as Parquet below the staging folder: rows of `LISTING`, and the folders that
they left to others.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
from pyspark.sql import SparkSession

from dicomae.dicom import source
from dicomae.errors import JobError
from dicomae.spark import pieces
from dicomae.spark.listings import Listed, ListingWriter, Wish, write_folders
from dicomae.spark.location import Location
from dicomae.spark.pieces import Piece

MAXIMUM_ROUNDS = 64  # a round lists a level of folders at least
FOLDERS_AT_FIRST = 256  # listed by one task before others help
FOLDERS_PER_TASK = 16384
_FOLDERS_TOGETHER = 64
_TASKS_PER_CORE = 1

_FOUND = pa.schema(
    [
        ("listing", pa.string()),
        ("files", pa.int64()),
        ("failures", pa.int64()),
        ("settled", pa.string()),
        ("folders", pa.string()),
    ]
)


def list_files(spark: SparkSession, wish: Wish, *, uri: str) -> Listed:
    """Every file below the folder `uri`, and every folder that could not be listed.

    Raises
    ------
    JobError
        Folders are nested deeper than `MAXIMUM_ROUNDS` levels of tasks.
    """
    _, top = source.open_source(uri)
    left = [write_folders(wish.folder, [top])]
    listed, rounds, budget = Listed([], 0, 0), 0, FOLDERS_AT_FIRST
    while left:
        if rounds == MAXIMUM_ROUNDS:
            raise JobError(
                f"--source {source.shown(uri)}: folders are nested too deep; is there a link loop?"
            )
        found, left = _round(spark, wish, uri, left, budget)
        listed, rounds, budget = listed + found, rounds + 1, FOLDERS_PER_TASK
    return listed


def list_again(spark: SparkSession, wish: Wish, folders: Sequence[Location], *, uri: str) -> Listed:
    """The files of these folders (Parquet files of `FOLDERS`) alone, as if none were settled."""
    return _round(spark, replace(wish, settled_before=None), uri, folders, 0)[0]


def _round(
    spark: SparkSession, wish: Wish, uri: str, folders: Sequence[Location], budget: int
) -> tuple[Listed, list[Location]]:
    """What tasks found that list so many more folders each, and the folders they left."""
    files = pieces.whole(folders)
    each = -(-pieces.rows(files) // (_TASKS_PER_CORE * spark.sparkContext.defaultParallelism))
    todo = list(pieces.cut(files, min(each, FOLDERS_PER_TASK)))
    found = pieces.run(spark, todo, _lister(uri, wish, budget), _FOUND)

    def named(column: str) -> list[Location]:
        return [wish.folder / name for name in found[column].drop_null().to_pylist()]

    listed = Listed(
        paths=named("listing"),
        files=sum(found["files"].to_pylist()),
        failures=sum(found["failures"].to_pylist()),
        settled=named("settled"),
    )
    return listed, named("folders")


def _lister(uri: str, wish: Wish, budget: int) -> Callable[[Piece], Iterator[pa.RecordBatch]]:
    def task(piece: Piece) -> Iterator[pa.RecordBatch]:
        filesystem, _ = source.open_source(uri)
        folders = deque(path for batch in pieces.read(piece, 4096) for path in batch.column(0).to_pylist())
        bounds = wish.settled_before, wish.timeout_seconds
        listed, left = ListingWriter(wish, source.path_prefix(uri)), budget or piece.rows
        while folders and left:
            together = [folders.popleft() for _ in range(min(_FOLDERS_TOGETHER, len(folders), left))]
            left -= len(together)
            found = source.list_folders(filesystem, together, *bounds)
            folders.extend(found.folders)
            listed.write(found)
        done = listed.finish()
        told = {
            "listing": done.paths[0].name,
            "files": done.files,
            "failures": done.failures,
            "settled": done.settled[0].name if done.settled else None,
            "folders": write_folders(wish.folder, folders).name if folders else None,
        }
        yield pa.RecordBatch.from_pylist([told], schema=_FOUND)

    return task
