"""SpecificCharacterSet names Python codecs, and bytes become text without a silent loss."""

import codecs
import warnings
from functools import lru_cache

from pydicom import charset
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

DEFAULT = ("latin_1",)  # pydicom's reading of a missing character set: every byte is a letter
KNOWN_CODECS = frozenset(codecs.lookup(name).name for name in charset.python_encoding.values())
_ESCAPE = b"\x1b"
_LONGEST_ESCAPED = 1 << 20  # bytes of a value with escape sequences: each piece becomes an object
_ESCAPE_TO_GB2312 = "\x1b$)A"
# PS3.5 6.1.2.5.3: what ends the effect of an escape sequence; a backslash when it separates values.
IN_PARAGRAPHS = frozenset(TEXT_VR_DELIMS)
IN_VALUES = IN_PARAGRAPHS | {ord("\\")}
IN_NAMES = IN_VALUES | PN_DELIMS | {ord("=")}


@lru_cache(maxsize=1024)
def encodings_of(value: bytes) -> tuple[str, ...]:
    r"""Python codecs that a value of SpecificCharacterSet names; never empty.

    Misspelt terms (`ISO-IR 100`, `utf-8`) are mended as pydicom mends them. A term that stays unknown
    counts as the default, and so does one whose codec is none of DICOM's.

    Examples
    --------
    >>> from dicomae.dicom.charset import encodings_of
    >>> encodings_of(b"ISO_IR 100"), encodings_of(b"ISO-IR 100")
    (('latin_1',), ('latin_1',))
    >>> encodings_of(rb"ISO 2022 IR 100\ISO 2022 IR 87")
    ('latin_1', 'iso2022_jp')
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
    r"""Text of encoded bytes.

    Parameters
    ----------
    delimiters : after each of these characters the first of the encodings is in effect again.

    Raises
    ------
    UnicodeError, LookupError, ValueError, UserWarning
        The bytes are no text of these character sets; nothing is replaced silently.

    References
    ----------
    DICOM PS3.5, sections 6.1.2.3 to 6.1.2.5, and H.3.1 (the example).

    Examples
    --------
    >>> from dicomae.dicom.charset import IN_NAMES, decode, encodings_of
    >>> name = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"
    >>> decode(name, encodings_of(rb"\ISO 2022 IR 87"), IN_NAMES)
    'Yamada^Tarou=山田^太郎'
    """
    if _ESCAPE not in value:
        return value.decode(encodings[0])
    if len(value) > _LONGEST_ESCAPED:
        raise ValueError(f"more than {_LONGEST_ESCAPED} bytes with escape sequences")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # when pydicom warns, it has replaced characters
        text = charset.decode_bytes(value, encodings, set(delimiters))
    return text.replace(_ESCAPE_TO_GB2312, "")  # the one escape that Python's codec leaves in


def _is_known(name: str) -> bool:
    try:
        return codecs.lookup(name).name in KNOWN_CODECS
    except LookupError:
        return False
