"""Identifiers from a file, one a line: PatientIDs or SOPInstanceUIDs."""

import stat
import unicodedata
from pathlib import Path

from dicomae.errors import UsageError

LARGEST_FILE = 256 << 20  # bytes: four million UIDs of the greatest length
LONGEST = 1024  # characters; a PatientID may have 64, and some archives have longer ones


def read_ids(path: Path, option: str) -> tuple[str, ...]:
    """The identifiers, each once, in their order, without blanks around them; an empty line is none.

    Lines may end in CRLF, and a byte-order mark may come first, as editors on Windows write them.

    Parameters
    ----------
    option : what errors call the file, such as `--uid-file`. They tell a line by its number alone.

    Raises
    ------
    UsageError
        The file is missing, no file, too large, no text in UTF-8, holds no identifier, or too long a line.
    """
    where = f"{option} {path}"
    content = _content(path, where).removeprefix(b"\xef\xbb\xbf")
    lines = enumerate(content.splitlines(), 1)
    found = [_identifier(line, f"{where}: line {number}") for number, line in lines]
    ids = tuple(dict.fromkeys(filter(None, found)))
    if not ids:
        raise UsageError(f"{where}: holds no identifier; write one in each line")
    return ids


def _content(path: Path, where: str) -> bytes:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UsageError(f"{where}: is no file")
        if about.st_size > LARGEST_FILE:
            raise UsageError(
                f"{where}: is larger than {LARGEST_FILE >> 20} MiB; give several files, one by one"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{where}: no such file") from None
    except OSError as error:
        raise UsageError(f"{where}: cannot be read: {error.strerror}") from None


def _identifier(line: bytes, where: str) -> str:
    """The identifier of a line; "" when there is none."""
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise UsageError(f"{where} is no UTF-8; save the file as UTF-8") from None
    if len(text) > LONGEST:
        raise UsageError(f"{where} has more than {LONGEST} characters; write one identifier in each line")
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise UsageError(f"{where} holds a control character; save the file as UTF-8, one identifier a line")
    return text
