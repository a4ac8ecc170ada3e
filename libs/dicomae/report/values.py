"""Text that came with files, made safe to look at: short, on its own, and with nothing that cannot be seen.

A value may hold anything: an order of writing that turns the rest of the line around, a bell, a thousand
letters, marks that pile up over one letter.
"""

import unicodedata

from markupsafe import Markup, escape

LONGEST = 64  # characters: those of the longest short text of DICOM (LO)
_MARKS = 3  # that stand over or under one letter; more pile up over the neighbours
_CUT = "…"
_BLANKS = frozenset(" ")
# Names of the control characters, which Unicode gives none (ISO 6429); of the others the number is shown.
_CONTROLS = {
    **dict(enumerate("NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI".split())),  # noqa: SIM905
    **dict(enumerate("DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(), 16)),  # noqa: SIM905
    0x7F: "DEL",
}


def isolated(text: object, longest: int = LONGEST) -> Markup:
    """The text as HTML that turns no neighbour around; see `plain`.

    Examples
    --------
    >>> from dicomae.report.values import isolated
    >>> isolated("CT & more")
    Markup('<bdi>CT &amp; more</bdi>')
    """
    return Markup("<bdi>") + escape(plain(text, longest)) + Markup("</bdi>")


def plain(text: object, longest: int = LONGEST) -> str:
    r"""The text for an attribute or a drawing: its first `longest` characters at the most.

    Characters that cannot be seen are shown by name.

    Examples
    --------
    >>> from dicomae.report.values import plain
    >>> plain("A\x07B\u202eC")
    'A[BEL]B[RIGHT-TO-LEFT OVERRIDE]C'
    >>> len(plain("x" * 1000))
    65
    """
    whole = str(text)
    marks, shown = 0, []
    for character in whole[:longest]:
        marks = marks + 1 if unicodedata.combining(character) or _is_mark(character) else 0
        if marks <= _MARKS:
            shown.append(_seen(character))
    return "".join(shown) + (_CUT if len(whole) > longest else "")


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me")


def _seen(character: str) -> str:
    """The character; its name in brackets when it is a control, a format, a separator or none at all."""
    if character in _BLANKS or unicodedata.category(character)[0] not in "CZ":
        return character
    number = ord(character)
    name = _CONTROLS.get(number) or unicodedata.name(character, f"U+{number:04X}")
    return f"[{name}]"
