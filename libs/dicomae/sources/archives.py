"""Archives read inside without unpacking: zip, tar and tar.gz, on any file system.

    archive ──► members, in its order ──► `BATCH_MEMBERS` at a time ──► the start of each, as far as
                                                                        its header goes ──► rows

The path of a member is `archive!member`, such as `/pacs/a.zip!series/1.dcm`. Nothing is ever written: `..`, a
leading slash or a newline in a name is only part of the label. Bytes that are no UTF-8 are escaped. A name
that occurs again gets `!2`, `!3`, … at its end, in the archive's order.

A folder is no file. A link is a failure, for what it leads to is a member itself; so are a device, a sparse
member, an encrypted member, and an archive in the archive. A member that is called a folder or a link and
holds a DICOM file all the same is read. When an archive is damaged, the members before the damage are read,
and the archive itself is the last row, with the reason.

An archive can be far larger inside than outside. Its members, their bytes and their ratio to the archive's
bytes are bounded (`ReadSettings`). A zip or a tar is read in ranges, a tar.gz from its start to its end. Each
read has the same bound on time as a read of a file has; a read that takes longer ends the archive.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from typing import IO

import pyarrow as pa
import pyarrow.fs as pafs

from dicomae.codes import Reason
from dicomae.headers.batch import Failure, HeaderBatch
from dicomae.sources import tar_members, zip_members
from dicomae.sources.in_flight import Wait, watched
from dicomae.sources.listing import list_paths, listed_files
from dicomae.sources.members import LINK_IN_ARCHIVE, Bomb, Budget, Member, Unreachable, asked
from dicomae.sources.range_file import RangeFile, take
from dicomae.sources.read_settings import ReadSettings
from dicomae.sources.reading import ByteRange, Fetched, grown_headers

BATCH_MEMBERS = 256
BATCH_BYTES = 1 << 24  # of members that are held in memory

_COMPRESSED_TAR = (".tar.gz", ".tgz")
_ENDINGS = (".zip", ".tar", *_COMPRESSED_TAR)
_NO_DICOM = (
    Reason.EMPTY,
    Reason.NOT_DICOM,
    Reason.TRUNCATED,
    Reason.UNREADABLE,
    Reason.NO_INSTANCE_UID,
)
_Batch = tuple[pa.RecordBatch, HeaderBatch]


def is_archive(path: str) -> bool:
    """Whether a file's name is that of an archive that is read inside, such as `a.ZIP` or `a.tgz`."""
    return path.lower().endswith(_ENDINGS)


def archive_of(path: str) -> str | None:
    """The archive that a path `archive!member` lies in; None for any other path.

    `/pacs/a.zip!1.dcm` lies in `/pacs/a.zip`, `/pacs/a!1.dcm` in none.
    """
    at = path.find("!")
    while at >= 0 and not is_archive(path[:at]):
        at = path.find("!", at + 1)
    return path[:at] if at >= 0 else None


def read_archive(filesystem: pafs.FileSystem, path: str, settings: ReadSettings) -> Iterator[_Batch]:
    """Members of an archive, and their headers, batch by batch in bounded memory. It never raises.

    Parameters
    ----------
    settings : the timeout is for opening the archive, for each read of it, and for asking after its size.

    Returns
    -------
    Batches of schema `LISTED_FILE`, one row a member, each with what became of it: positions are rows of its
    batch. The mtime is that which the member has. An archive that cannot be read to its end is the only row
    of the last batch, with its own size and time; these are null when the file system does not answer.
    """
    reading = _Reading(filesystem, path, settings)
    following = partial(next, _opened(reading), None)
    try:
        while (batch := watched(following, reading.wait, settings.read_timeout_seconds)) is not None:
            yield batch
    except TimeoutError as late:
        yield _itself(listed_files([path], [None], [None]), Reason.TIMEOUT, str(late))
    except Bomb as bomb:
        yield _itself(_row(reading), Reason.ARCHIVE_BOMB, str(bomb))
    except Unreachable as unreachable:
        yield _itself(_row(reading), unreachable.reason, unreachable.detail)
    except Exception as error:  # noqa: BLE001 (the per-file boundary: no archive stops a task)
        yield _itself(_row(reading), Reason.ARCHIVE_DAMAGED, type(error).__name__)


@dataclass(frozen=True)
class _Reading:
    """What all batches of an archive have in common."""

    filesystem: pafs.FileSystem
    path: str
    settings: ReadSettings
    seen: set[bytes] = field(default_factory=set)  # digests of paths
    again: dict[bytes, int] = field(default_factory=dict)  # how often, of those seen twice
    wait: Wait = field(default_factory=Wait)


def _opened(reading: _Reading) -> Iterator[_Batch]:
    with closing(RangeFile(reading.filesystem, reading.path, partial(asked, reading.wait))) as file:
        if file.size == 0:
            yield _itself(_row(reading), Reason.EMPTY, "zero bytes")
            return
        budget = Budget(reading.settings, file.size)
        members = _members(reading.path, file, budget, reading.settings.header_limit_bytes)
        yield from _batches(reading, members, budget)


def _members(path: str, file: RangeFile, budget: Budget, held_bytes: int) -> Iterator[Member]:
    if path.lower().endswith(_COMPRESSED_TAR):
        return tar_members.compressed_members(file, budget, held_bytes)
    if path.lower().endswith(".tar"):
        return tar_members.members(file, budget)
    return zip_members.members(file, budget)


def _batches(reading: _Reading, members: Iterator[Member], budget: Budget) -> Iterator[_Batch]:
    """All batches. What was collected before an error is given first, then the error is raised."""
    ended: Exception | None = None
    more = True
    while more and ended is None:
        batch: list[Member] = []
        try:
            more = _collect(members, batch)
        except Exception as error:  # noqa: BLE001 (raised again below)
            ended = error
        if batch:
            yield from _read(reading, batch, budget)
        budget.spend(0)
    if ended is not None:
        raise ended


def _collect(members: Iterator[Member], batch: list[Member]) -> bool:
    """Fill the batch. False when there are no more members."""
    held = 0
    for member in members:
        batch.append(member)
        held += member.held_bytes
        if len(batch) == BATCH_MEMBERS or held >= BATCH_BYTES:
            return True
    return False


def _read(reading: _Reading, batch: Sequence[Member], budget: Budget) -> Iterator[_Batch]:
    paths = [_unique(reading, f"{reading.path}!{member.name}") for member in batch]
    rows = listed_files(paths, [member.size for member in batch], [member.mtime for member in batch])
    opened: dict[int, IO[bytes]] = {}

    def fetch(ranges: Sequence[ByteRange]) -> list[Fetched]:
        return [_fetched(batch[byte_range.position], byte_range, opened, budget) for byte_range in ranges]

    try:
        for headers in grown_headers(fetch, [m.size for m in batch], reading.settings):
            failures = tuple(_told(batch[failure.index], failure) for failure in headers.failures)
            yield replace(headers, failures=failures).of(rows)
    finally:
        for file in opened.values():
            file.close()


def _fetched(member: Member, byte_range: ByteRange, opened: dict[int, IO[bytes]], budget: Budget) -> Fetched:
    """The next bytes of a member. The ranges of a member are asked for in order."""
    if member.open is None:
        return member.failure or (Reason.ARCHIVE_DAMAGED, "no content")
    if is_archive(member.name):
        return Reason.ARCHIVE_NESTED, "an archive in an archive is not opened"
    try:
        if byte_range.position not in opened:
            opened[byte_range.position] = member.open()
        data = take(opened[byte_range.position], byte_range.length)
        if data and not member.held_bytes:  # what is held has been counted
            budget.spend(len(data))
    except Bomb as bomb:
        return Reason.ARCHIVE_BOMB, str(bomb)
    except Unreachable as unreachable:
        return unreachable.reason, unreachable.detail
    except Exception as error:  # noqa: BLE001 (the per-file boundary: no member stops an archive)
        return Reason.ARCHIVE_DAMAGED, type(error).__name__
    return data


def _told(member: Member, failure: Failure) -> Failure:
    """Why a member was not read; of a link that holds no DICOM file, that it is a link."""
    if member.is_link and failure.reason in _NO_DICOM:
        return Failure(failure.index, Reason.NOT_A_FILE, LINK_IN_ARCHIVE)
    return failure


def _unique(reading: _Reading, path: str) -> str:
    """The path; with a number at its end when the archive has had this path before."""
    digest = blake2b(path.encode(), digest_size=8).digest()
    given = path
    while (key := blake2b(given.encode(), digest_size=8).digest()) in reading.seen:
        reading.again[digest] = reading.again.get(digest, 1) + 1
        given = f"{path}!{reading.again[digest]}"
    reading.seen.add(key)
    return given


def _row(reading: _Reading) -> pa.RecordBatch:
    """The archive with its own size and time; these are null when the file system does not answer."""
    path, timeout = reading.path, reading.settings.read_timeout_seconds
    files = list_paths(reading.filesystem, [path], timeout).files
    return files if files.num_rows else listed_files([path], [None], [None])


def _itself(row: pa.RecordBatch, reason: Reason, detail: str) -> _Batch:
    """The batch whose only row is the archive, as a failure."""
    return row, HeaderBatch.of_failures(Failure(0, reason, detail))
