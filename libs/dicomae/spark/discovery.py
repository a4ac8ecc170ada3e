"""List files in executors, folder by folder, so that the driver never holds the listing.

Tasks write what they find as Parquet below the staging folder: rows of `LISTING`, and the folders that
they left to others.
"""

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import Accumulator
from pyspark.sql import SparkSession

from dicomae.dicom import source
from dicomae.errors import JobError
from dicomae.spark import pieces
from dicomae.spark.listings import Listed, ListingWriter
from dicomae.spark.pieces import Piece

MAXIMUM_ROUNDS = 64  # a round lists a level of folders at least
FOLDERS_AT_FIRST = 256  # listed by one task before others help
FOLDERS_PER_TASK = 16384
_FOLDERS_TOGETHER = 64
_TASKS_PER_CORE = 2

_FOLDERS = pa.schema([("path", pa.string())])
_FOUND = pa.schema(
    [("listing", pa.string()), ("files", pa.int64()), ("failures", pa.int64()), ("folders", pa.string())]
)


def list_files(spark: SparkSession, staging: Path, found: Accumulator[int], *, uri: str) -> Listed:
    """Every file below the folder `uri`, and every folder that could not be listed.

    Parameters
    ----------
    found : the number of files is added to it, as tasks end.

    Raises
    ------
    JobError
        Folders are nested deeper than `MAXIMUM_ROUNDS` levels of tasks.
    """
    _, top = source.open_source(uri)
    folder = staging / "listing"
    folder.mkdir()
    left = [_write_folders(folder, [top])]
    rounds: list[pa.Table] = []
    while left:
        if len(rounds) == MAXIMUM_ROUNDS:
            raise JobError(f"--source {uri}: folders are nested too deep; is there a link loop?")
        budget = FOLDERS_PER_TASK if rounds else FOLDERS_AT_FIRST
        each = -(-_count(left) // (_TASKS_PER_CORE * spark.sparkContext.defaultParallelism))
        todo = list(pieces.cut(left, min(each, FOLDERS_PER_TASK)))
        rounds.append(pieces.run(spark, todo, _lister(uri, folder, budget, found), _FOUND))
        left = [path for path in rounds[-1]["folders"].to_pylist() if path]
    every = pa.concat_tables(rounds)
    return Listed(
        paths=every["listing"].to_pylist(),
        files=sum(every["files"].to_pylist()),
        failures=sum(every["failures"].to_pylist()),
    )


def _lister(
    uri: str, folder: Path, budget: int, found: Accumulator[int]
) -> Callable[[Piece], Iterator[pa.RecordBatch]]:
    def task(piece: Piece) -> Iterator[pa.RecordBatch]:
        filesystem, _ = source.open_source(uri)
        prefix = source.path_prefix(uri)
        folders = deque(path for batch in pieces.read(piece, 4096) for path in batch.column(0).to_pylist())
        listed = ListingWriter(folder, prefix)
        for _ in range(0, budget, _FOLDERS_TOGETHER):
            together = [folders.popleft() for _ in range(min(_FOLDERS_TOGETHER, len(folders)))]
            listing = source.list_folders(filesystem, together)
            folders.extend(listing.folders)
            listed.write(listing)
            found.add(listing.files.num_rows)
        rest = _write_folders(folder, list(folders)) if folders else None
        done = listed.finish()
        yield pa.RecordBatch.from_arrays(
            [done.paths, [done.files], [done.failures], pa.array([rest], pa.string())], schema=_FOUND
        )

    return task


def _write_folders(folder: Path, paths: list[str]) -> str:
    written = str(folder / f"folders-{uuid.uuid4()}.parquet")
    pq.write_table(pa.table([paths], schema=_FOLDERS), written)
    return written


def _count(paths: list[str]) -> int:
    return sum(pq.read_metadata(path).num_rows for path in paths)
