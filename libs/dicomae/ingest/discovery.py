"""List files in executors, folder by folder, so that the driver never holds the listing.

Each task writes what it finds as Parquet below the staging folder: rows of `LISTING_ROW`, and the folders
that it left to other tasks. A round of tasks lists the folders that the round before has left.
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
        Folders are nested deeper than `MAXIMUM_ROUNDS` rounds of tasks reach.
    """
    _, top = uris.open_source(uri)
    left = [write_folders(request.folder, [Folder(top, 0, None)])]
    return _and_below(spark, request, uri, WholeListing([], 0, 0), left, FOLDERS_AT_FIRST)


def list_changed(
    spark: SparkSession, request: ListingRequest, known: Location, *, uri: str
) -> WholeListing | None:
    """As `list_files`, without the files of folders that have not changed; None when a known folder refuses.

    A known folder that still has its mark is not opened, and its files are not listed. Every other folder is
    listed. Example: of `/pacs/a` and `/pacs/b` only `/pacs/b` got a file since; the files of `/pacs/b` are
    listed.

    When one known folder cannot be read, such as `/pacs/b` after its permissions changed, the tasks stop and
    the result is None: many more may be unreadable. The caller then calls `list_files`, which names each of
    them.

    Parameters
    ----------
    known : a Parquet file of `FOLDERS`: the folders as the last whole run left them.
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
    """The listing, and every file in the folders that are left and below them."""
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
    """One round of tasks: what they found, the folders that they left, and whether a known folder refused.

    The folders that are left are in Parquet files below `written`.
    """
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
    """A task that lists the folders of its piece, and some of the folders that it finds in them.

    Parameters
    ----------
    more : how many folders that it finds it lists itself. It leaves the others to the next round.
    known : folders that are listed in a piece of their own, and so by no task that finds them.
    """

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
    """The folders that were found and are to be listed: those that are not known.

    A folder that was reached through a link is never known.
    """
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
    """The next folders to list together: at least one, at most `most`.

    They may hold about `_FILES_TOGETHER` files. A folder of which nothing is known counts as
    `_FILES_EXPECTED` files.
    """
    expected = 0
    while folders and most and expected < _FILES_TOGETHER:
        folder = folders.popleft()
        is_known = folder.mark not in (None, LINKED)
        expected += max(folder.files, 1) if is_known else _FILES_EXPECTED
        most -= 1
        yield folder
