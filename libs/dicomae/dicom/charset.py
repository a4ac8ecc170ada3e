"""SpecificCharacterSet to Python codecs, and bytes to text without a silent loss."""

import codecs
import warnings
from functools import lru_cache

from pydicom import charset
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

DEFAULT = ("latin_1",)  # pydicom's reading of a missing character set: every byte is a letter
KNOWN_CODECS = frozenset(codecs.lookup(name).name for name in charset.python_encoding.values())
_ESCAPE = b"\x1b"
_LONGEST_ESCAPED = 1 << 20  # bytes of a value with escape sequences, whose parts are objects each
_ESCAPE_TO_GB2312 = "\x1b$)A"
# PS3.5 6.1.2.5.3: what ends the effect of an escape sequence; a backslash where it parts values.
IN_PARAGRAPHS = frozenset(TEXT_VR_DELIMS)
IN_VALUES = IN_PARAGRAPHS | {ord("\\")}
IN_NAMES = IN_VALUES | PN_DELIMS | {ord("=")}


@lru_cache(maxsize=1024)
def encodings_of(value: bytes) -> tuple[str, ...]:
    """Python codecs that a value of SpecificCharacterSet names; never empty.

    Misspelt terms (`ISO-IR 100`, `utf-8`) are mended as pydicom does; a term that stays unknown, or
    that names something which is no DICOM character set, counts as the default.
    """
    terms = [term.strip(" \0") for term in value.decode("latin_1").split("\\")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of every mended term
        try:
            named = charset.convert_encodings(terms)
        except (LookupError, ValueError):
            return DEFAULT
    return tuple(name if _is_known(name) else DEFAULT[0] for name in named) or DEFAULT


def decode(value: bytes, encodings: tuple[str, ...], delimiters: frozenset[int]) -> str:
    """Text of encoded bytes.

    Parameters
    ----------
    delimiters : characters after which the first of the encodings is in effect again.

    Raises
    ------
    UnicodeError, LookupError, ValueError, UserWarning
        The bytes are no text of these character sets; nothing is replaced silently.

    References
    ----------
    DICOM PS3.5, sections 6.1.2.3 to 6.1.2.5.
    """
    if _ESCAPE not in value:
        return value.decode(encodings[0])
    if len(value) > _LONGEST_ESCAPED:
        raise ValueError(f"more than {_LONGEST_ESCAPED} bytes with escape sequences")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # where pydicom warns, it has replaced characters
        text = charset.decode_bytes(value, encodings, set(delimiters))
    return text.replace(_ESCAPE_TO_GB2312, "")  # the one escape that Python's codec leaves in


def _is_known(name: str) -> bool:
    try:
        return codecs.lookup(name).name in KNOWN_CODECS
    except LookupError:
        return False
