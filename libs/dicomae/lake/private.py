"""Only the owner reads patients' data: the mode of what a job makes, and folders of one process.

A process that spills, shuffles or opens sockets does so in a folder of its own, `/tmp/dicomae-x3k1`, of mode
0700. It removes the folder at its end. When it was killed, the next process of the same user does: each
process holds a lock on its folder, and the kernel releases the lock when the process ends.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dicomae.config import StorageConfig

_PREFIX = "dicomae-"
_LOCK = ".lock"
_UMASKS = {"owner": 0o077, "group": 0o027}  # "umask" leaves it as it is


def restrict(config: StorageConfig) -> None:
    """Let this process, and those that it starts, make files that only those of `storage.mode` can read."""
    if config.mode in _UMASKS:
        os.umask(_UMASKS[config.mode])


def current_umask() -> int:
    """The umask of this process."""
    umask = os.umask(0o077)  # to read it is to set it
    os.umask(umask)
    return umask


class PrivateFolder:
    """A folder of mode 0700 below `base`, whatever the umask, that is this process's own until `remove`."""

    def __init__(self, base: Path | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        self._lock = _locked_lock(self.path)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


@contextmanager
def private_folder() -> Iterator[Path]:
    """A private folder below TMPDIR while the block runs."""
    folder = PrivateFolder()
    try:
        yield folder.path
    finally:
        folder.remove()


def remove_abandoned(base: Path | None = None) -> None:
    """Remove the private folders below `base` (TMPDIR) that killed processes of this user have left."""
    for folder in Path(base or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another process removes it, or no locks here: then it stays
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                _remove_unless_locked(folder)


def _remove_unless_locked(folder: Path) -> None:
    with open(folder / _LOCK, "rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)


def _locked_lock(folder: Path) -> IO[bytes]:
    """The folder's lock; it has its name only when it is held, so that nobody finds it free too early."""
    unnamed = folder / f"{_LOCK}-unnamed"
    lock = open(unnamed, "wb+")  # noqa: SIM115 - it is held as long as the folder is there
    with suppress(OSError):  # no locks here
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.replace(unnamed, folder / _LOCK)
    return lock
