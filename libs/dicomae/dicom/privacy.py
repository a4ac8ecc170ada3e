"""Which elements may name a person: the funnel's lists checked against PS3.6, and the level of each key.

The lists are data: `conf/privacy.toml` names its sources. What is decided here is how a key is looked up in
them:

- A key inside a sequence has the level of the outermost sequence that is an identifier. So
  `PhysiciansOfRecordIdentificationSequence[0].CodeMeaning` is an identifier, and `CodeMeaning` alone is none.
- An element of a repeating group has the keyword of the first: 60020022 is OverlayDescription.
- A VR that PS3.6 gives counts whatever VR the file has: a name written as LO is a name.
- A private element is a code when pydicom's private dictionary knows its creator, and gives it the VR CS.

References
----------
DICOM PS3.15, Table E.1-1 (the confidentiality profile); PS3.6; PS3.5, section 7.8 (private elements).
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import cache

from pydicom.valuerep import VR

from dicomae.codes import PrivacyLevel
from dicomae.config import FunnelConfig
from dicomae.dicom import keys
from dicomae.errors import UsageError

KEYWORD_LISTS = ("identifiers", "free_text", "technical_terms", "labels")
TEXT_VRS = frozenset(["LO", "SH"])  # one line, which may be a term of a device or what a person wrote
LONG_TEXT_VRS = frozenset(["LT", "ST", "UC", "UT"])
NAMING_VRS = frozenset(["AE", "DA", "DT", "PN", "TM", "UI", "UR"])
_VRS = frozenset(vr.value for vr in VR if len(vr.value) == 2)


def check(funnel: FunnelConfig, where: str) -> None:
    """Raise UsageError when a list of the funnel has a word that PS3.6 does not know.

    Parameters
    ----------
    where : the file that the error names.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> from dicomae import config
    >>> from dicomae.dicom.privacy import check
    >>> funnel = config.load(Path("conf/default.toml")).funnel
    >>> check(funnel, "ours.toml")
    >>> check(replace(funnel, identifiers=("PatientNames",)), "ours.toml")
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: ours.toml: key 'funnel.identifiers': 'PatientNames' is no keyword of PS3.6; \
the nearest is 'PatientName'
    """
    for name in KEYWORD_LISTS:
        for word in getattr(funnel, name):
            if not keys.is_keyword(word):
                raise _unknown(where, name, word, "no keyword of PS3.6", keys.keywords())
    for vr in funnel.excluded_vrs:
        if vr not in _VRS:
            raise _unknown(where, "excluded_vrs", vr, "no VR of PS3.5", _VRS)


def levels(funnel: FunnelConfig) -> Callable[[str], PrivacyLevel]:
    """The function that gives the level of a key of the `elements` map, by the lists of the funnel.

    Examples
    --------
    >>> from pathlib import Path
    >>> from dicomae import config
    >>> from dicomae.dicom.privacy import levels
    >>> level = levels(config.load(Path("conf/default.toml")).funnel)
    >>> level("PatientID").value, level("StudyDescription").value, level("Manufacturer").value
    ('identifier', 'free_text', 'technical')
    >>> level("0019xx18 GEMS_ACQU_01").value, level("00190010").value, level("60020022").value
    ('private', 'creator', 'free_text')
    """
    identifiers, free_text = frozenset(funnel.identifiers), frozenset(funnel.free_text)
    technical = frozenset(funnel.technical_terms)

    @cache
    def level(key: str) -> PrivacyLevel:
        *parents, own = keys.parts_of(key)
        word, vr = keys.keyword_of(own), keys.standard_vr(own)
        if word in identifiers or not identifiers.isdisjoint(parents):
            return PrivacyLevel.IDENTIFIER
        if keys.is_creator_key(own):
            return PrivacyLevel.CREATOR
        if word in free_text or not free_text.isdisjoint(parents) or vr in LONG_TEXT_VRS:
            return PrivacyLevel.FREE_TEXT
        if vr in NAMING_VRS and vr in funnel.excluded_vrs:
            return PrivacyLevel.NAMING_VR
        if keys.is_private_key(own):
            return PrivacyLevel.CODE if vr == "CS" else PrivacyLevel.PRIVATE
        if word in technical:
            return PrivacyLevel.TECHNICAL
        return PrivacyLevel.UNLISTED if vr is None or vr in TEXT_VRS else PrivacyLevel.CODE

    return level


def _unknown(where: str, name: str, word: str, what: str, known: Iterable[str]) -> UsageError:
    """The error of a word that is in none of `known`, with the nearest that is, whatever its capitals."""
    spelt = {right.lower(): right for right in sorted(known)}
    found = get_close_matches(word.lower(), spelt, n=1, cutoff=0.4)
    nearest = f"; the nearest is '{spelt[found[0]]}'" if found else ""
    return UsageError(f"{where}: key 'funnel.{name}': {word!r} is {what}{nearest}")
