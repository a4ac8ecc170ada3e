"""A TOML file as text and as tables."""

import tomllib
from pathlib import Path
from typing import Any

from dicomae.errors import UsageError


def read_toml(path: Path, missing: str) -> dict[str, Any]:
    """The tables of a TOML file; `missing` is what to say where it is not there.

    Raises
    ------
    UsageError
        It is not there, or no TOML.
    """
    return parse_toml(read_text(path, missing), path)


def read_text(path: Path, missing: str) -> str:
    """As `read_toml`, before it is parsed."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: {missing}") from None
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path}: not a readable TOML file: {error}") from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """The tables of a TOML text, of the file `path`; raises UsageError where it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not a readable TOML file: {error}") from error
