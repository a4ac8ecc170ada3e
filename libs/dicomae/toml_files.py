"""A TOML file as text and as tables; a file that extends another has the keys of the other too."""

import tomllib
from pathlib import Path
from typing import Any

from dicomae.bounded_files import read_bounded, why
from dicomae.errors import UsageError

_LIMIT_BYTES = 1 << 20
_MOST_LEVELS = 16  # of tables in tables
_MOST_FILES = 16  # of which each extends the next


def read_toml(path: Path, missing: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Parameters
    ----------
    missing : what the error says when there is no such file: "no such file; conf/columns has some".

    Raises
    ------
    UsageError
        There is no such file, it is no TOML, larger than 1 MiB, or has more than 16 levels.
    """
    return parse_toml(read_text(path, missing), path)


def read_text(path: Path, missing: str) -> str:
    """The text of a TOML file; see `read_toml`."""
    try:
        return read_bounded(path, _LIMIT_BYTES).decode()
    except FileNotFoundError:
        raise UsageError(f"{path}: {missing}") from None
    except (OSError, ValueError) as error:  # UnicodeDecodeError too
        raise UsageError(f"{path}: not a readable TOML file: {why(error)}") from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The tables of the text that the file `path` holds; raises UsageError when it is no TOML."""
    try:
        tables = tomllib.loads(text)
    except ValueError as error:  # not only tomllib's own: a number may have too many digits
        raise UsageError(f"{path}: not a readable TOML file: {error}") from error
    except RecursionError:
        raise UsageError(f"{path}: {_TOO_DEEP}") from None
    _check_levels(tables, path)
    return tables


_TOO_DEEP = f"not a readable TOML file: its tables and lists are nested deeper than {_MOST_LEVELS} levels"


def _check_levels(tables: dict[str, Any], path: Path) -> None:
    """Raise UsageError when a value lies too deep; without recursion, which is what it guards."""
    values: list[Any] = [tables]
    for _ in range(_MOST_LEVELS):
        inner = (v.values() if isinstance(v, dict) else v for v in values if isinstance(v, dict | list))
        values = [value for several in inner for value in several]
    if any(isinstance(value, dict | list) for value in values):
        raise UsageError(f"{path}: {_TOO_DEEP}")


def resolved(path: Path) -> Path:
    """The path that stays the same wherever it is named from; raises UsageError when it is none."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        raise UsageError(f"{str(path)!r}: no path: it holds NUL, or links that lead in a circle") from None


def read_extended(path: Path, missing: str) -> dict[str, Any]:
    """The tables of a TOML file over those of the file that its key `extends` names, and so on.

    `extends = "default.toml"` is relative to the file it stands in. Tables are merged key by key; any other
    value replaces the one below it, so a list is replaced whole. At most 16 files extend one another.

    Raises
    ------
    UsageError
        A file is not there or is no TOML (see `read_toml`), or it extends itself.
    """
    return _read_extended(path, missing, seen=())


def _read_extended(path: Path, missing: str, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = resolved(path)
    if path in seen:
        raise UsageError(f"{path}: key 'extends' leads back to this file")
    if len(seen) == _MOST_FILES:
        raise UsageError(f"{path}: more than {_MOST_FILES} files extend one another")
    tables = read_toml(path, missing)
    parent = tables.pop("extends", None)
    if parent is None:
        return tables
    return _merged(_read_extended(path.parent / str(parent), missing, (*seen, path)), tables)


def _merged(below: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
