"""List files in executors, folder by folder, so that the driver never holds the listing.

Tasks write what they find as Parquet below the staging folder: rows of `LISTING_ROW`, and the folders that
they left to others.
"""

import posixpath
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from dicomae.errors import JobError
from dicomae.lake import pieces
from dicomae.lake.location import Location
from dicomae.lake.pieces import Piece
from dicomae.ledger.listings import ListingRequest, ListingWriter, WholeListing, write_folders
from dicomae.sources import uris
from dicomae.sources.folders import list_folders
from dicomae.sources.listing import Folder, Listing
from dicomae.sources.local_folders import LINKED
from dicomae.spark import tasks

MAXIMUM_ROUNDS = 64  # a round lists a level of folders at least
FOLDERS_AT_FIRST = 256  # listed by one task before others help
FOLDERS_PER_TASK = 16384
_FILES_TOGETHER = 65536  # about so many are found before they are written
_FILES_EXPECTED = 1024  # in a folder of which nothing is known
_KNOWN_TOGETHER = 1 << 16

Task = Callable[[Piece], Iterator[pa.RecordBatch]]

_TASK_RESULT = pa.schema(
    [
        ("listing", pa.string()),
        ("files", pa.int64()),
        ("failures", pa.int64()),
        ("visited", pa.string()),
        ("settled", pa.int64()),
        ("trusted", pa.int64()),
        ("left", pa.string()),
        ("refused", pa.bool_()),
    ]
)


def list_files(spark: SparkSession, request: ListingRequest, *, uri: str) -> WholeListing:
    """Every file below the folder `uri`, and every folder that could not be listed.

    Raises
    ------
    JobError
        Folders are nested deeper than `MAXIMUM_ROUNDS` levels of tasks.
    """
    _, top = uris.open_source(uri)
    left = [write_folders(request.folder, [Folder(top, 0, None)])]
    return _and_below(spark, request, uri, WholeListing([], 0, 0), left, FOLDERS_AT_FIRST)


def list_changed(
    spark: SparkSession, request: ListingRequest, known: Location, *, uri: str
) -> WholeListing | None:
    """As `list_files`, without files of known folders (a file of `FOLDERS`) that have their mark still.

    None where one of them cannot be asked after: then there may be many, and `list_files` names what refuses.
    """
    listed, left, refused = _round(
        spark, [known], _lister(uri, request, FOLDERS_AT_FIRST, known), request.folder
    )
    if refused:
        request.found.add(-listed.files)  # which `list_files` finds again
        return None
    return _and_below(spark, request, uri, listed, left, FOLDERS_PER_TASK)


def _and_below(
    spark: SparkSession,
    request: ListingRequest,
    uri: str,
    listed: WholeListing,
    left: Sequence[Location],
    more: int,
) -> WholeListing:
    """What is listed, and every file in and below the folders that are left."""
    rounds = 0
    while left:
        if rounds == MAXIMUM_ROUNDS:
            raise JobError(f"--source {uris.shown(uri)}: folders are nested too deep; is there a link loop?")
        found, left, _ = _round(spark, left, _lister(uri, request, more, None), request.folder)
        listed, rounds, more = listed + found, rounds + 1, FOLDERS_PER_TASK
    return listed


def _round(
    spark: SparkSession, folders: Sequence[Location], task: Task, written: Location
) -> tuple[WholeListing, list[Location], bool]:
    """What tasks found, the folders they left, in files below `written`, and whether a known one refused."""
    files = pieces.whole(folders)
    each = -(-pieces.rows(files) // spark.sparkContext.defaultParallelism)
    todo = list(pieces.cut(files, min(each, FOLDERS_PER_TASK)))
    found = tasks.run(spark, todo, task, _TASK_RESULT)

    def named(column: str) -> list[Location]:
        return [written / name for name in found[column].drop_null().to_pylist()]

    numbers = {name: sum(found[name].to_pylist()) for name in ("files", "failures", "settled", "trusted")}
    listed = WholeListing(paths=named("listing"), visited=named("visited"), **numbers)
    return listed, named("left"), any(found["refused"].to_pylist())


def _lister(uri: str, request: ListingRequest, more: int, known: Location | None) -> Task:
    """A task that lists its folders, and so many more that it finds in them and that are not known."""

    def task(piece: Piece) -> Iterator[pa.RecordBatch]:
        filesystem, top = uris.open_source(uri)
        folders = deque(_to_visit(piece))
        listed, left = ListingWriter(request, uris.path_prefix(uri)), piece.rows + more
        refused = False
        while folders and left and not refused:
            together = {f.path: f for f in _taken(folders, left)}
            left -= len(together)
            # The top is listed each time: it may be a link, and is found in no other folder.
            marks = [folder.mark if folder.path != top else None for folder in together.values()]
            found = list_folders(filesystem, list(together), request.timeout_seconds, marks, top)
            folders.extend(_to_list(found, together, known))
            listed.write(found, together)
            failed = (together[path] for path, *_ in found.failures if path in together)
            refused = any(folder.mark not in (None, LINKED) for folder in failed)
        done = listed.finish()
        told = {
            "listing": done.paths[0].name,
            "files": done.files,
            "failures": done.failures,
            "visited": done.visited[0].name if done.visited else None,
            "settled": done.settled,
            "trusted": done.trusted,
            "left": write_folders(request.folder, folders).name if folders else None,
            "refused": refused,
        }
        yield pa.RecordBatch.from_pylist([told], schema=_TASK_RESULT)

    return task


def _to_list(found: Listing, holders: Mapping[str, Folder], known: Location | None) -> Iterator[Folder]:
    """The folders that were found and are not known; what was reached through a link is never known."""
    linked = [f for f in found.folders if f in found.links or holders[posixpath.dirname(f)].mark == LINKED]
    yield from (Folder(path, 0, LINKED) for path in linked)
    direct = sorted(set(found.folders) - set(linked))
    yield from (Folder(path, 0, None) for path in _unknown(direct, known))


def _unknown(folders: Sequence[str], known: Location | None) -> Sequence[str]:
    if known is None or not folders:
        return folders
    left = pa.array(folders)
    for piece in pieces.whole([known]):
        for batch in pieces.read(piece, _KNOWN_TOGETHER, ["path"]):
            left = left.filter(pc.invert(pc.is_in(left, batch.column(0))))
    return list(left.to_pylist())


def _to_visit(piece: Piece) -> Iterator[Folder]:
    for batch in pieces.read(piece, 4096):
        yield from map(Folder._make, zip(*batch.to_pydict().values(), strict=True))


def _taken(folders: deque[Folder], most: int) -> Iterator[Folder]:
    """At most so many folders, and one at least, that may hold `_FILES_TOGETHER`."""
    expected = 0
    while folders and most and expected < _FILES_TOGETHER:
        folder = folders.popleft()
        is_known = folder.mark not in (None, LINKED)
        expected += max(folder.files, 1) if is_known else _FILES_EXPECTED
        most -= 1
        yield folder
