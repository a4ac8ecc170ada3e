"""A file system with a bound on the time that each of its answers may take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pyarrow.fs as pafs

from dicomae.sources.in_flight import answered
from dicomae.sources.range_file import RangeFile

T = TypeVar("T")


@dataclass(frozen=True)
class Storage:
    """A file system, and how long one answer of it is waited for.

    Attributes
    ----------
    timeout_seconds : as `read_timeout_seconds` of the configuration.
    """

    filesystem: pafs.FileSystem
    timeout_seconds: float

    def ask(self, call: Callable[[], T], /) -> T:
        """What a call of the file system gives.

        Raises
        ------
        TimeoutError
            It takes longer.
        Exception
            What the call raised.
        """
        return answered(call, self.timeout_seconds)

    def open(self, path: str) -> RangeFile:
        """A file; its opening and each read raise as `ask` does."""
        return RangeFile(self.filesystem, path, self.ask)
