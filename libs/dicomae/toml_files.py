"""A TOML file as text and as tables; a file that extends another has the keys of the other too."""

import tomllib
from pathlib import Path
from typing import Any

from dicomae.errors import UsageError


def read_toml(path: Path, missing: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Parameters
    ----------
    missing : what the error says when there is no such file: "no such file; conf/columns has some".

    Raises
    ------
    UsageError
        There is no such file, or it is no TOML.
    """
    return parse_toml(read_text(path, missing), path)


def read_text(path: Path, missing: str) -> str:
    """The text of a TOML file; see `read_toml`."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: {missing}") from None
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path}: not a readable TOML file: {error}") from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The tables of the text that the file `path` holds; raises UsageError when it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not a readable TOML file: {error}") from error


def read_extended(path: Path, missing: str) -> dict[str, Any]:
    """The tables of a TOML file over those of the file that its key `extends` names, and so on.

    `extends = "default.toml"` is relative to the file it stands in. Tables are merged key by key; any other
    value replaces the one below it, so a list is replaced whole.

    Raises
    ------
    UsageError
        A file is not there or is no TOML (see `read_toml`), or it extends itself.
    """
    return _read_extended(path, missing, seen=())


def _read_extended(path: Path, missing: str, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise UsageError(f"{path}: key 'extends' leads back to this file")
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
