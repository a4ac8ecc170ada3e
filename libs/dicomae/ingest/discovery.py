"""List files in executors, folder by folder, so that the driver never holds the listing.

Each task writes what it finds as Parquet below the staging folder: rows of `LISTING_ROW`, the folders that
it left to other tasks, and the links that lead out of what is listed. A round of tasks lists the folders that
the round before has left.

    the source ──► rounds of tasks ──► links ──► one for each folder that is new ──► rounds of tasks ──► …
                                         └─────► at the end, one for each file that is new
"""

import posixpath
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from dicomae.errors import JobError, UsageError
from dicomae.ingest import outside_links
from dicomae.ingest.outside_links import OutsideLinks
from dicomae.lake import pieces
from dicomae.lake.location import Location
from dicomae.lake.pieces import Piece
from dicomae.ledger.listings import ListingRequest, ListingWriter, WholeListing, write_folders
from dicomae.sources import uris
from dicomae.sources.folders import list_folders
from dicomae.sources.links import Link, LinkRule, one_of_each
from dicomae.sources.listing import Folder, Listing, listed_files
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
        ("links", pa.string()),
        ("to_tables", pa.string()),
    ]
)


@dataclass(frozen=True)
class _Search:
    """What all rounds of a listing are given: its source, where it is written, which links it follows."""

    spark: SparkSession
    request: ListingRequest
    uri: str
    rule: LinkRule


@dataclass(frozen=True)
class _Found:
    """What rounds of tasks have found.

    Attributes
    ----------
    left : files of `FOLDERS`: folders that are still to be listed.
    links : files of `outside_links.LINKS`.
    refused : whether a known folder could not be read.
    """

    listed: WholeListing
    left: tuple[Location, ...] = ()
    links: tuple[Location, ...] = ()
    refused: bool = False


_NOTHING = WholeListing([], 0, 0)


def list_files(spark: SparkSession, request: ListingRequest, *, uri: str, rule: LinkRule) -> WholeListing:
    """Every file below the folder `uri`, and every folder that could not be listed.

    Parameters
    ----------
    rule : what is listed anyway, and whether links that lead elsewhere are followed.

    Raises
    ------
    JobError
        Folders are nested deeper than `MAXIMUM_ROUNDS` rounds of tasks reach.
    UsageError
        A link leads to the tables.
    """
    _, top = uris.open_source(uri)
    search = _Search(spark, request, uri, rule)
    left = write_folders(request.folder, [Folder(top, 0, None)])
    return _and_links(search, _and_below(search, _Found(_NOTHING, (left,)), FOLDERS_AT_FIRST))


def list_changed(
    spark: SparkSession,
    request: ListingRequest,
    known: Location,
    *,
    uri: str,
    rule: LinkRule,
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
    search = _Search(spark, request, uri, rule)
    found = _round(search, [known], _lister(search, FOLDERS_AT_FIRST, known))
    if found.refused:
        request.found.add(-found.listed.files)  # which `list_files` finds again
        return None
    return _and_links(search, _and_below(search, found, FOLDERS_PER_TASK))


def _and_below(search: _Search, found: _Found, more: int) -> _Found:
    """What was found, and every file in the folders that are left and below them."""
    rounds = 0
    while found.left:
        if rounds == MAXIMUM_ROUNDS:
            raise _too_deep(search)
        below = _round(search, found.left, _lister(search, more, None))
        listed, links = found.listed + below.listed, found.links + below.links
        found, rounds, more = _Found(listed, below.left, links), rounds + 1, FOLDERS_PER_TASK
    return found


def _and_links(search: _Search, found: _Found) -> WholeListing:
    """The listing, with all that its links lead to and nothing else does.

    What is chosen depends on paths and on what the links lead to, and on nothing else: a night that asks
    after the source anew finds the same files under the same paths.
    """
    rounds, files = 0, list[Link]()
    while found.links:
        if rounds == MAXIMUM_ROUNDS:
            raise _too_deep(search)
        chosen = one_of_each([*files, *outside_links.read(found.links)], search.rule)
        folders = [link for link in chosen if link.is_folder]
        files = [link for link in chosen if not link.is_folder]
        search = replace(search, rule=search.rule.with_folders(folders))
        left = [write_folders(search.request.folder, [Folder(link.path, 0, LINKED) for link in folders])]
        found = _and_below(search, _Found(found.listed, tuple(left) if folders else ()), FOLDERS_AT_FIRST)
        rounds += 1
    return found.listed + _linked_files(search, files) if files else found.listed


def _linked_files(search: _Search, files: Sequence[Link]) -> WholeListing:
    writer = ListingWriter(search.request, uris.path_prefix(search.uri))
    sizes, mtimes = [link.size for link in files], [link.mtime for link in files]
    writer.write(Listing(listed_files([link.path for link in files], sizes, mtimes), (), ()))
    return writer.finish()


def _too_deep(search: _Search) -> JobError:
    shown = uris.shown(search.uri)
    return JobError(f"--source {shown}: folders are nested too deep; is there a link loop?")


def _round(search: _Search, folders: Sequence[Location], task: Task) -> _Found:
    """One round of tasks. The folders that they left are in Parquet files below the request's folder."""
    files = pieces.whole(folders)
    each = -(-pieces.rows(files) // search.spark.sparkContext.defaultParallelism)
    todo = list(pieces.cut(files, min(each, FOLDERS_PER_TASK)))
    found = tasks.run(search.spark, todo, task, _TASK_RESULT)

    def named(column: str) -> list[Location]:
        return [search.request.folder / name for name in found[column].drop_null().to_pylist()]

    for link in sorted(found["to_tables"].drop_null().to_pylist())[:1]:
        raise UsageError(
            f"--source {uris.shown(search.uri)}: the link {link!r} leads to --tables; "
            f"a run would ingest its own tables; remove the link, or give another --tables"
        )
    numbers = {name: sum(found[name].to_pylist()) for name in ("files", "failures", "settled", "trusted")}
    listed = WholeListing(paths=named("listing"), visited=named("visited"), **numbers)
    return _Found(listed, tuple(named("left")), tuple(named("links")), any(found["refused"].to_pylist()))


def _lister(search: _Search, more: int, known: Location | None) -> Task:
    """A task that lists the folders of its piece, and some of the folders that it finds in them.

    Parameters
    ----------
    more : how many folders that it finds it lists itself. It leaves the others to the next round.
    known : folders that are listed in a piece of their own, and so by no task that finds them.
    """
    uri, request, rule = search.uri, search.request, search.rule

    def task(piece: Piece) -> Iterator[pa.RecordBatch]:
        filesystem, top = uris.open_source(uri)
        folders = deque(_to_visit(piece))
        listed, left = ListingWriter(request, uris.path_prefix(uri)), piece.rows + more
        outside = OutsideLinks()
        refused = False
        while folders and left and not refused:
            together = {f.path: f for f in _taken(folders, left)}
            left -= len(together)
            # The top is listed each time: it may be a link, and is found in no other folder.
            marks = [folder.mark if folder.path != top else None for folder in together.values()]
            found = list_folders(filesystem, list(together), request.timeout_seconds, marks, top, rule)
            folders.extend(_to_list(found, together, known))
            listed.write(found, together)
            outside.add(found)
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
            "links": outside.write(request.folder),
            "to_tables": min(outside.to_tables, default=None),
        }
        yield pa.RecordBatch.from_pylist([told], schema=_TASK_RESULT)

    return task


def _to_list(found: Listing, holders: Mapping[str, Folder], known: Location | None) -> Iterator[Folder]:
    """The folders that were found and are to be listed: those that are not known.

    A folder that was reached through a link is never known.
    """
    linked = [f for f in found.folders if holders[posixpath.dirname(f)].mark == LINKED]
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
