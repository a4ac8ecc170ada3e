"""How the kernel's functions are compiled: without bounds checks, so each function tests its reads itself."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

SLACK = 16  # bytes after the end of what `load8` and `copy16` take from, or write to

_F = TypeVar("_F", bound=Callable[..., Any])
_settings: Any = numba.config
_CHECKED = bool(_settings.BOUNDSCHECK)  # the two below are not checked by numba itself
# Arrays are only lent to these functions. To count who holds them, an atomic instruction for each array
# and call, would take three quarters of the time.
_BORROWS = {"_nrt": False}
_intrinsic: Any = intrinsic  # its types take the context for an argument
_njit: Any = numba.njit  # its types know neither all its options nor that the signature stays


def entry(function: _F) -> _F:
    """A compiled function that Python calls; it is cached, and runs without the interpreter's lock.

    It may call compiled functions of its own module, and `load8` and `copy16`. It must not call others, since
    numba's cache does not notice a change in another module.
    """
    compiled: _F = _njit(cache=True, nogil=True, **_BORROWS)(function)
    return compiled


def inner(function: _F) -> _F:
    """A function that only compiled functions call, so it needs no wrapper for Python and no cache."""
    compiled: _F = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_BORROWS)(function)
    return compiled


def inlined(function: _F) -> _F:
    """An inner function that is copied into its caller: passing arrays would cost more than its work."""
    compiled: _F = _njit(inline="always", **_BORROWS)(function)
    return compiled


@inner
def load8(array: Any, at: Any) -> Any:
    """Eight bytes from `at` on as one little-endian int64; the array must reach to `at + 8`."""
    place = np.uint64(at)
    if _CHECKED:
        array[place + np.uint64(7)]
    return _load8(array, place)


@inner
def copy16(source: Any, start: Any, target: Any, at: Any) -> None:
    """Copy sixteen bytes, even when fewer are wanted: that is one instruction, and a loop takes many."""
    place, aim = np.uint64(start), np.uint64(at)
    if _CHECKED:
        target[aim + np.uint64(15)] = source[place + np.uint64(15)]
    _copy16(source, place, target, aim)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any, pointee: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), pointee.as_pointer())


def _type_load8(_: Any, array: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, place = arguments
        pointer = _pointer(context, builder, signature.args[0], values, place, ir.IntType(64))
        return builder.load(pointer, align=1)

    return types.int64(array, at), generate


def _type_copy16(_: Any, source: Any, start: Any, target: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = ir.VectorType(ir.IntType(8), 16)
        given, place, taken, aim = arguments
        origin = _pointer(context, builder, signature.args[0], given, place, block)
        goal = _pointer(context, builder, signature.args[2], taken, aim, block)
        builder.store(builder.load(origin, align=1), goal, align=1)
        return context.get_dummy_value()

    return types.void(source, start, target, at), generate


_load8, _copy16 = _intrinsic(_type_load8), _intrinsic(_type_copy16)
