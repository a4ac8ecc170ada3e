"""The tables of a TOML file as frozen dataclasses, by the types and the ranges of their fields.

The field `epochs: Annotated[int, from_to(1, 99)]` says: there is a key `epochs`, an integer from 1 to 99.
"""

import dataclasses
import sys
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar

from dicomae.errors import UsageError
from dicomae.ranges import Range

T = TypeVar("T")

_SHOWN = 200  # characters of a key or value in an error


def build(cls: type[T], tables: dict[str, Any], where: str) -> T:
    """The dataclass `cls` with the values of `tables`; `where` is the file that errors name.

    Raises
    ------
    UsageError
        A key is unknown or missing, or a value has another type or is out of range.
    """
    built = _built(cls, tables, where, key="")
    for key, value, allowed in _out_of_range(built, key=""):
        raise out_of_range(where, key, value, allowed)
    return built


def out_of_range(where: str, key: str, value: object, allowed: str) -> UsageError:
    """The error "conf.toml: key 'training.epochs' must be at least 1, not 0" of a value out of range."""
    return UsageError(f"{where}: key '{_cut(key)}' must be {allowed}, not {_shown(value)}")


def _shown(value: object) -> str:
    """A value as errors show it: in one line, and cut when it is long."""
    try:
        return _cut(repr(list(value) if isinstance(value, tuple) else value))
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of too many digits"


def _cut(text: str) -> str:
    shown = text if text.isprintable() else repr(text)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"


def _built(cls: type[T], raw: Any, where: str, key: str) -> T:
    if not isinstance(raw, dict):
        raise out_of_range(where, key, raw, "a table")
    hints = typing.get_type_hints(cls)  # without the ranges
    prefix = f"{key}." if key else ""
    for name in raw:
        if name not in hints:
            known = ", ".join(sorted(hints))
            raise UsageError(f"{where}: unknown key '{_cut(prefix + name)}'; known are: {known}")
    for name in hints:
        if name not in raw:
            raise UsageError(f"{where}: key '{prefix}{name}' is missing; extend default.toml")
    return cls(**{name: _value(hint, raw[name], where, prefix + name) for name, hint in hints.items()})


def _value(hint: Any, raw: Any, where: str, key: str) -> Any:
    """The value `raw` of a TOML file as the type `hint` has it: a list as a tuple, 1 as 1.0."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _built(typing.cast(type, hint), raw, where, key)
    if origin is tuple and isinstance(raw, list):
        return tuple(_value(arguments[0], v, where, f"{key}[{i}]") for i, v in enumerate(raw))
    if origin is dict and isinstance(raw, dict):
        return {k: _value(arguments[1], v, where, f"{key}.{k}") for k, v in raw.items()}
    if hint is float and type(raw) is int and abs(raw) < sys.float_info.max:
        return float(raw)
    if hint is str and isinstance(raw, str) and "\0" in raw:
        raise out_of_range(where, key, raw, "a text without NUL")
    if (origin is Literal and raw in arguments) or type(raw) is hint:
        return raw
    raise out_of_range(where, key, raw, _wanted(hint))


def _wanted(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(repr, typing.get_args(hint)))}"
    return hint.__name__ if typing.get_origin(hint) is None else str(hint)


def _out_of_range(section: Any, key: str) -> Iterator[tuple[str, object, str]]:
    """Key, value and range of each value in `section`, or in a section inside it, that is out of range."""
    prefix = f"{key}." if key else ""
    for name, hint in typing.get_type_hints(type(section), include_extras=True).items():
        value = getattr(section, name)
        ranges = typing.get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()
        for allowed in ranges:
            if isinstance(allowed, Range) and not allowed.holds(value, section):
                yield prefix + name, value, allowed.words(section)
        for inner, where in _sections(value, prefix + name):
            yield from _out_of_range(inner, where)


def _sections(value: object, key: str) -> Iterator[tuple[object, str]]:
    """The dataclasses that a value is or holds, each with its key."""
    if dataclasses.is_dataclass(value):
        yield value, key
    elif isinstance(value, tuple):
        for i, each in enumerate(value):
            yield from _sections(each, f"{key}[{i}]")
