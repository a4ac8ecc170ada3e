"""What archives have in common: members, and the limits of an archive."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TypeVar

from dicomae.codes import Reason
from dicomae.sources.in_flight import Wait
from dicomae.sources.io_errors import READ_ERRORS, explained
from dicomae.sources.read_settings import ReadSettings

T = TypeVar("T")

FREE_BYTES = 1 << 28  # decompressed before the ratio is looked at
LINK_IN_ARCHIVE = "a link inside an archive, which is not followed"


@dataclass(frozen=True)
class Member:
    """A file in an archive, or why it cannot be read.

    Attributes
    ----------
    name : as the archive has it. Bytes that are no UTF-8 are escaped.
    size : bytes.
    mtime : nanoseconds since 1970; None when the archive has no possible time.
    open : gives the bytes from the start on, decompressed; None with a failure.
    held_bytes : how many of them are in memory already.
    is_link : whether the archive calls it a link. It is one unless it holds a DICOM file all the same.
    """

    name: str
    size: int
    mtime: int | None
    open: Callable[[], IO[bytes]] | None = None
    failure: tuple[Reason, str] | None = None
    held_bytes: int = 0
    is_link: bool = False


class Bomb(Exception):
    """The archive is larger inside than the settings allow. The text says in what."""


class Damaged(Exception):
    """The archive breaks its own format, and the library says nothing."""


class Unreachable(Exception):
    """The file system failed, not the archive."""

    def __init__(self, error: Exception) -> None:
        self.reason, self.detail = explained(error)
        super().__init__(self.detail)


class Budget:
    """What is left of the limits of one archive, which has `archive_bytes`."""

    def __init__(self, settings: ReadSettings, archive_bytes: int) -> None:
        self.most_members = settings.archive_limit_members
        most = max(FREE_BYTES, settings.archive_limit_ratio * archive_bytes)
        self.most = min(settings.archive_limit_bytes, most)
        self.members = self.spent = 0

    def count(self) -> None:
        """Note one more member, or raise `Bomb`."""
        self.members += 1
        if self.members > self.most_members:
            raise Bomb(f"more than {self.most_members} members")

    def spend(self, n_bytes: int) -> None:
        """Note decompressed bytes, or raise `Bomb`."""
        self.spent += n_bytes
        if self.spent > self.most:
            raise Bomb(f"more than {self.most} bytes decompressed")


def asked(wait: Wait, call: Callable[[], T], /) -> T:
    """What a call of the file system gives, while `wait` is told that the archive waits.

    Raises
    ------
    Unreachable
        The file system failed.
    """
    wait.begin()
    try:
        return call()
    except READ_ERRORS as error:
        raise Unreachable(error) from error
    finally:
        wait.end()
