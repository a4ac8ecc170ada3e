"""How the kernel's functions are compiled: without bounds checks, so that each read is tested by hand."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_F = TypeVar("_F", bound=Callable[..., Any])
_njit: Any = numba.njit  # its types know neither all its options nor that the signature stays


def entry(function: _F) -> _F:
    """A compiled function that Python calls; it is cached, and runs without the interpreter's lock.

    It may call compiled functions of its own module only: numba's cache does not notice that one of
    another module has changed.
    """
    compiled: _F = _njit(cache=True, nogil=True)(function)
    return compiled


def inner(function: _F) -> _F:
    """A function that compiled ones alone may call: it needs no wrapper for Python and no cache."""
    compiled: _F = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


def inlined(function: _F) -> _F:
    """An inner function that is written into its caller: where handing it arrays costs more than its work."""
    compiled: _F = _njit(inline="always")(function)
    return compiled
