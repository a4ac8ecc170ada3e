"""The first bytes of many local files in one piece of memory, read without Python in between.

A file costs three system calls (open, pread, close) and nothing else. The reads do not hold the
interpreter's lock, so that several threads read side by side.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from dicomae.headers.batch import Arena
from dicomae.headers.compiled import SLACK, entry

# POSIX.1-2017. A file that is none, such as a pipe, is not waited for.
_OPEN: Any = types.ExternalFunction("open", types.int32(types.uintp, types.int32))
_PREAD: Any = types.ExternalFunction(
    "pread", types.int64(types.int32, types.uintp, types.uint64, types.int64)
)
_CLOSE: Any = types.ExternalFunction("close", types.int32(types.int32))
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def read_starts(paths: Sequence[str], wanted: npt.NDArray[np.int64]) -> tuple[Arena, npt.NDArray[np.int64]]:
    """The first bytes of each file, and the positions of the files that could not be read.

    A file that could not be read is empty in the arena.

    Parameters
    ----------
    paths : local paths, as `os.fsdecode` has them.
    wanted : int64 (n,), how many bytes of each file are read. A file that ends before gives fewer. Memory for
        all of them is set aside.

    Raises
    ------
    ValueError
        A path holds a NUL, which no file's name does.
    """
    names = np.frombuffer(os.fsencode("\0".join([*paths, ""])), np.uint8)
    ends = np.flatnonzero(names == 0)
    if len(ends) != len(paths):
        raise ValueError("a path holds a NUL")
    starts = np.append(0, ends[:-1] + 1)[: len(paths)]
    memory = np.empty(int(wanted.sum()) + SLACK, np.uint8)
    bounds, failed = np.zeros(len(paths) + 1, np.int64), np.zeros(len(paths), np.bool_)
    _read(names.ctypes.data, starts, wanted, memory.ctypes.data, bounds, failed)
    return Arena(memory, bounds), np.flatnonzero(failed)


@entry
def _read(names: int, starts: Any, wanted: Any, memory: int, bounds: Any, failed: Any) -> None:
    """Fill `bounds`, `failed` and the memory at the address `memory`. `names` is an address too."""
    for i in range(len(starts)):
        n = -1
        descriptor = _OPEN(np.uint64(names + starts[i]), np.int32(_FLAGS))
        if descriptor >= 0:
            n = _PREAD(descriptor, np.uint64(memory + bounds[i]), np.uint64(wanted[i]), 0)
            _CLOSE(descriptor)
        failed[i] = n < 0
        bounds[i + 1] = bounds[i] + max(n, 0)
