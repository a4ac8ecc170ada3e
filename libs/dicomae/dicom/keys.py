"""Tags and keys: what the `elements` map calls an element, and which VR the standard gives it."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import MappingProxyType

from pydicom import datadict
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries

# PS3.6 leaves these open. A sample of the image follows PixelRepresentation (see SIGN_DEPENDS);
# data that may be words or bytes is bulk either way, and bulk is never read.
_RESOLVED = MappingProxyType(
    {
        "US or SS": "US",
        "US or OW": "OW",
        "US or SS or OW": "OW",
        "OB or OW": "OW",
        "OB_OW": "OW",
        "NONE": "",
    }
)
_REPEATERS = tuple(
    (re.compile(mask.replace("x", "[0-9A-F]")), mask.replace("x", "0"), vr, keyword)
    for mask, (vr, _, _, _, keyword) in RepeatersDictionary.items()
)
_FIRST_OF_REPEATERS = {keyword: vr for _, _, vr, keyword in _REPEATERS}
_FLATTENED = re.compile(r"^(?:\w+\[\d+\]\.)+")
_PARENT = re.compile(r"(\w+)\[\d+\]\.")
_PRIVATE_KEY = re.compile(r"^([0-9A-F]{4})xx([0-9A-F]{2}) (.+)$", re.DOTALL)
_NUMBER_KEY = re.compile(r"^[0-9A-F]{8}$")
_LONGEST_CREATOR = 64  # characters: the maximum of LO

# Tags that PS3.6 calls "US or SS": signed when PixelRepresentation is 1.
SIGN_DEPENDS = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "US or SS")


def is_private(group: int) -> bool:
    """Whether elements of this group are private: those of odd groups are.

    Examples
    --------
    >>> from dicomae.dicom.keys import is_private
    >>> is_private(0x0018), is_private(0x0019)
    (False, True)
    """
    return group % 2 == 1


def is_creator(group: int, element: int) -> bool:
    """Whether (group, element) reserves a block of private elements.

    References
    ----------
    DICOM PS3.5, section 7.8.1.

    Examples
    --------
    The element (0019,0010) reserves the elements (0019,1000) to (0019,10FF).

    >>> from dicomae.dicom.keys import is_creator
    >>> is_creator(0x0019, 0x0010), is_creator(0x0019, 0x1002)
    (True, False)
    """
    return is_private(group) and 0x10 <= element <= 0xFF


def creators_by_block(named: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Creator of each private block, by group and number of the block: 0x2910 -> "ACME 1.0".

    A name that is not printable, or longer than 64 characters, names nobody. A creator that reserves two
    blocks of a group has the first alone.

    Parameters
    ----------
    named : tag and text, without padding, of each creator element.

    References
    ----------
    DICOM PS3.5, section 7.8.1.
    """
    creators: dict[int, str] = {}
    taken: set[tuple[int, str]] = set()
    for tag, name in named:
        if name.isprintable() and len(name) <= _LONGEST_CREATOR and (tag >> 16, name) not in taken:
            creators[tag >> 16 << 8 | tag & 0xFF] = name
            taken.add((tag >> 16, name))
    return creators


def key_of(group: int, element: int, creator: str | None) -> str:
    """Name of an element in the `elements` map.

    Parameters
    ----------
    group, element : the two halves of the tag.
    creator : text of the private creator whose block the element lies in; None when there is none.

    Returns
    -------
    str
        The PS3.6 keyword, such as `KVP`. A private element of a creator gets `ggggxxee CREATOR`, with
        literally `xx`, since the number of the block says nothing. Any other gets `ggggeeee` in
        capitals: an element without a keyword, a private one without a creator, the creator element
        itself, and one of a repeating group after the first.

    Examples
    --------
    >>> from dicomae.dicom.keys import key_of
    >>> key_of(0x0018, 0x0060, None)
    'KVP'
    >>> key_of(0x0019, 0x1002, "GEMS_ACQU_01"), key_of(0x0019, 0x1102, "GEMS_ACQU_01")
    ('0019xx02 GEMS_ACQU_01', '0019xx02 GEMS_ACQU_01')
    >>> key_of(0x0019, 0x1002, None), key_of(0x6000, 0x0010, None), key_of(0x6002, 0x0010, None)
    ('00191002', 'OverlayRows', '60020010')
    """
    if is_private(group):
        if creator and element >= 0x1000:
            return f"{group:04X}xx{element & 0xFF:02X} {creator}"
        return f"{group:04X}{element:04X}"
    number = f"{group:04X}{element:04X}"
    entry = DicomDictionary.get(group << 16 | element)
    if entry is not None:
        return entry[4] or number
    # Only the first of repeating elements may use the keyword: the others would hide it.
    return next((word for _, first, _, word in _REPEATERS if first == number), number)


@lru_cache(maxsize=65536)
def standard_vr(key: str) -> str | None:
    """VR that PS3.6 gives the element of a key; None when no dictionary knows it.

    Private keys are looked up in pydicom's private dictionary. When the standard leaves a choice, "US or
    SS" is US, and a choice with OW is OW. A flattened key has the VR of its last keyword.

    Examples
    --------
    >>> from dicomae.dicom.keys import standard_vr
    >>> standard_vr("KVP"), standard_vr("PixelData"), standard_vr("SmallestImagePixelValue")
    ('DS', 'OW', 'US')
    >>> standard_vr("RequestAttributesSequence[0].RequestedProcedureID")
    'SH'
    >>> standard_vr("0019xx02 GEMS_ACQU_01"), standard_vr("0019xx02 NOBODY KNOWS ME")
    ('SL', None)
    """
    key = _FLATTENED.sub("", key)
    private = _PRIVATE_KEY.match(key)
    if private:
        return _private_vr(int(private[1], 16), int(private[2], 16), private[3])
    if _NUMBER_KEY.match(key):
        return _public_vr(int(key[:4], 16), int(key[4:], 16))
    tag = datadict.tag_for_keyword(key)
    vr = _FIRST_OF_REPEATERS.get(key) if tag is None else DicomDictionary[tag][0]
    return _resolved(vr)


def parts_of(key: str) -> list[str]:
    """The keywords of the sequences that a flattened element lies in, from the outermost, then its own key.

    Examples
    --------
    >>> from dicomae.dicom.keys import parts_of
    >>> parts_of("KVP"), parts_of("RequestAttributesSequence[0].RequestedProcedureID")
    (['KVP'], ['RequestAttributesSequence', 'RequestedProcedureID'])
    """
    parents = _FLATTENED.match(key)
    prefix = parents[0] if parents else ""
    return [*_PARENT.findall(prefix), key[len(prefix) :]]


def keyword_of(key: str) -> str | None:
    """The PS3.6 keyword of a key that is not flattened, also of a repeating group after the first; else None.

    Examples
    --------
    >>> from dicomae.dicom.keys import keyword_of
    >>> keyword_of("KVP"), keyword_of("60020022"), keyword_of("00190010")
    ('KVP', 'OverlayDescription', None)
    """
    if not _NUMBER_KEY.match(key):
        return key if is_keyword(key) else None
    entry = DicomDictionary.get(int(key, 16))
    if entry is not None:
        return entry[4] or None
    return next((word for mask, _, _, word in _REPEATERS if mask.fullmatch(key)), None)


def is_private_key(key: str) -> bool:
    """Whether a key that is not flattened is that of a private element, with or without a creator.

    Examples
    --------
    >>> from dicomae.dicom.keys import is_private_key
    >>> is_private_key("0019xx02 GEMS_ACQU_01"), is_private_key("00191002"), is_private_key("60020010")
    (True, True, False)
    """
    return bool(_PRIVATE_KEY.match(key)) or (bool(_NUMBER_KEY.match(key)) and is_private(int(key[:4], 16)))


def is_creator_key(key: str) -> bool:
    """Whether a key that is not flattened is that of an element that reserves a private block.

    Examples
    --------
    >>> from dicomae.dicom.keys import is_creator_key
    >>> is_creator_key("00190010"), is_creator_key("00191002"), is_creator_key("0019xx10 GEMS_ACQU_01")
    (True, False, False)
    """
    return bool(_NUMBER_KEY.match(key)) and is_creator(int(key[:4], 16), int(key[4:], 16))


def is_keyword(word: str) -> bool:
    """Whether PS3.6 has the keyword.

    Examples
    --------
    >>> from dicomae.dicom.keys import is_keyword
    >>> is_keyword("PatientName"), is_keyword("OverlayRows"), is_keyword("PatientNames")
    (True, True, False)
    """
    return bool(word) and (datadict.tag_for_keyword(word) is not None or word in _FIRST_OF_REPEATERS)


def keywords() -> Iterator[str]:
    """All keywords of PS3.6."""
    yield from (entry[4] for entry in DicomDictionary.values() if entry[4])
    yield from _FIRST_OF_REPEATERS


def shown_key(key: str) -> str:
    """The key as a report may show it: `ggggxxee (private)` when no dictionary knows the creator.

    A private creator is text that came with the file: nothing keeps a person's name out of it. The
    creators in pydicom's private dictionary are public.

    Examples
    --------
    >>> from dicomae.dicom.keys import shown_key
    >>> shown_key("KVP"), shown_key("0019xx02 GEMS_ACQU_01"), shown_key("0099xx01 DOE^JANE")
    ('KVP', '0019xx02 GEMS_ACQU_01', '0099xx01 (private)')
    """
    parents = _FLATTENED.match(key)
    prefix = parents[0] if parents else ""
    private = _PRIVATE_KEY.match(key[len(prefix) :])
    if private is None or private[3] in private_dictionaries:
        return key
    return f"{prefix}{private[1]}xx{private[2]} (private)"


@lru_cache(maxsize=65536)
def describe(tag: int, creator: str | None) -> tuple[str, str | None]:
    """Key and standard VR of a tag, remembered for the tags seen last.

    Examples
    --------
    >>> from dicomae.dicom.keys import describe
    >>> describe(0x00180060, None), describe(0x00191002, "GEMS_ACQU_01")
    (('KVP', 'DS'), ('0019xx02 GEMS_ACQU_01', 'SL'))
    """
    key = key_of(tag >> 16, tag & 0xFFFF, creator)
    return key, standard_vr(key)


def is_known(tag: int) -> bool:
    """Whether PS3.6 lists this very tag; a repeating group such as 60xx does not count.

    Examples
    --------
    >>> from dicomae.dicom.keys import is_known
    >>> is_known(0x00180060), is_known(0x60020010)
    (True, False)
    """
    return tag in DicomDictionary


def _public_vr(group: int, element: int) -> str | None:
    if is_creator(group, element):
        return "LO"
    if is_private(group):
        return None
    entry = DicomDictionary.get(group << 16 | element)
    if entry is not None:
        return _resolved(entry[0])
    number = f"{group:04X}{element:04X}"
    return _resolved(next((vr for mask, _, vr, _ in _REPEATERS if mask.fullmatch(number)), None))


def _private_vr(group: int, element: int, creator: str) -> str | None:
    try:
        return _resolved(datadict.private_dictionary_VR(group << 16 | 0x1000 | element, creator))
    except KeyError:
        return None


def _resolved(vr: str | None) -> str | None:
    return None if vr is None else _RESOLVED.get(vr, vr) or None
