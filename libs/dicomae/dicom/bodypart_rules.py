"""The rules of body parts, as `conf/bodypart.toml` holds them, and how texts become words."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from dicomae.errors import UsageError
from dicomae.toml_files import parse_toml, read_text

MAXIMUM_CHARACTERS = 256  # of a text; what follows is not looked at
MAXIMUM_WORDS = 6  # of a phrase
MINIMUM_PREFIX = 4  # letters before a `*`
WHOLE_BODY = "WHOLEBODY"  # holds every body part that another text names
MISSPELT_LETTERS = range(5, 25)  # of a declared value that may be one typing error off

Phrase = tuple[str, ...]  # folded words; a `*` at a word's end stands for any ending

_LETTERS = str.maketrans({"đ": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "ı": "i"})
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][A-Za-z]{2})")
_DIGITS = re.compile(r"(?<=[a-z]{3})(?=[0-9])|(?<=[0-9])(?=[a-z]{3})")
_WORD = re.compile(r"[a-z0-9]+")
_TERM = re.compile(r"[A-Z0-9]{2,16}")  # value representation CS, without spaces


@dataclass(frozen=True)
class Rule:
    """One entry of the rule list.

    It holds for a text by `words` or by `all_of`. A rule with neither holds for its modalities when no
    text tells anything: mammography shows the breast.

    Attributes
    ----------
    part : body part that the rule gives, a defined term.
    words : phrases that mean the body part.
    all_of : body parts that a text must name together, such as CHEST and ABDOMEN.
    modalities : those for which the rule holds; empty for all.
    replaces : declared terms that the rule may overrule; when another text names one of them, the rule
        refines it. When any other term is declared, it changes nothing.
    examples, counterexamples : texts that must, and must not, give the body part by the whole list.
    """

    part: str
    words: tuple[Phrase, ...]
    all_of: frozenset[str]
    modalities: frozenset[str]
    replaces: frozenset[str]
    examples: tuple[str, ...]
    counterexamples: tuple[str, ...]


@dataclass(frozen=True)
class BodyPartRules:
    """The rules in their order, the standard's terms and their coarse regions.

    Attributes
    ----------
    regions : defined term -> its coarse regions, for every term that may be declared or given.
    ignored : phrases that hold the name of a body part and do not mean it ("head first").
    rules : the first one that holds wins.
    """

    regions: Mapping[str, tuple[str, ...]]
    ignored: tuple[Phrase, ...]
    rules: tuple[Rule, ...]

    @cached_property
    def digest(self) -> bytes:
        """Hash of the rules: the same for equal rules, however often they are loaded or sent."""
        return blake2b(repr((self.regions, self.ignored, self.rules)).encode()).digest()

    @cached_property
    def phrases(self) -> dict[str, dict[Phrase, frozenset[int]]]:
        """First word of a phrase -> phrase -> numbers of its rules; an ignored phrase has none."""
        index: dict[str, dict[Phrase, frozenset[int]]] = {}
        for phrase in self.ignored:
            index.setdefault(phrase[0], {})[phrase] = frozenset()
        for number, rule in enumerate(self.rules):
            for phrase in rule.words:
                known = index.setdefault(phrase[0], {})
                known[phrase] = known.get(phrase, frozenset()) | {number}
        return index

    @cached_property
    def spellings(self) -> dict[str, frozenset[str]]:
        """Words that a misspelt declared value may mean (terms, and words of rules) -> their body parts."""
        parts = {term.lower(): {term} for term in self.regions}
        for rule in (rule for rule in self.rules if not rule.modalities):
            for word in (phrase[0].rstrip("*") for phrase in rule.words if len(phrase) == 1):
                parts.setdefault(word, set()).add(rule.part)
        return {word: frozenset(found) for word, found in parts.items() if len(word) in MISSPELT_LETTERS}

    @cached_property
    def modality_parts(self) -> dict[str, str]:
        """Modality -> the body part that it always shows, by the rules without words; the first wins."""
        wordless = [rule for rule in reversed(self.rules) if not rule.words and not rule.all_of]
        return {modality: rule.part for rule in wordless for modality in rule.modalities}


def fold(text: str) -> list[str]:
    """Words of a text: lower case, no accents, split at signs, underscores, digits and camel case.

    Examples
    --------
    >>> from dicomae.dicom.bodypart_rules import fold
    >>> fold("HeadFirst/Schädel_2"), fold("T2w")
    (['head', 'first', 'schadel', '2'], ['t2w'])
    """
    plain = _CAMEL.sub(" ", text[:MAXIMUM_CHARACTERS])
    if not plain.isascii():
        decomposed = unicodedata.normalize("NFKD", plain).casefold().translate(_LETTERS)
        plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _WORD.findall(_DIGITS.sub(" ", plain.lower()))


def load_rules(path: Path) -> BodyPartRules:
    """The rules that a TOML file holds.

    Raises
    ------
    UsageError
        The file is missing or no TOML. A key is unknown, missing or of another type. A body part is no
        term of `regions`. A phrase is empty or too long, has a `*` after too few letters, or is another
        rule's already.

    Examples
    --------
    >>> from pathlib import Path
    >>> from dicomae.dicom.bodypart_rules import load_rules
    >>> rules = load_rules(Path("conf/bodypart.toml"))
    >>> rules.regions["CHESTABDOMEN"], rules.modality_parts["MG"]
    (('chest', 'abdomen'), 'BREAST')
    """
    return _parsed(read_text(path, "no such file of body-part rules"), path)


@lru_cache(maxsize=1)  # a job checks them before it begins, and needs them when it reads
def _parsed(text: str, path: Path) -> BodyPartRules:
    raw = parse_toml(text, path)
    _check_keys(raw, {"ignored", "regions", "rules"}, f"{path}:")
    regions = _regions(raw.get("regions"), f"{path}: key 'regions'")
    entries = raw.get("rules")
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise UsageError(f"{path}: key 'rules' must be tables, one [[rules]] for each rule")
    rules = tuple(_rule(e, regions, f"{path}: rule {n}:") for n, e in enumerate(entries, start=1))
    _check_phrases(rules, str(path))
    return BodyPartRules(regions, _phrases(raw, "ignored", f"{path}:"), rules)


def _regions(raw: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(raw, dict) or not raw:
        raise UsageError(f"{where} must be a table: region = [defined terms]")
    regions: dict[str, tuple[str, ...]] = {}
    for region in raw:
        for term in _texts(raw, region, where):
            if not _TERM.fullmatch(term):
                raise UsageError(f"{where}: '{term}' is no defined term: 2 to 16 capitals and digits")
            if region in regions.get(term, ()):
                raise UsageError(f"{where}: '{term}' is twice in '{region}'")
            regions[term] = (*regions.get(term, ()), region)
    return regions


def _rule(raw: dict[str, Any], regions: Mapping[str, tuple[str, ...]], where: str) -> Rule:
    known = {"part", "words", "all_of", "modalities", "replaces", "examples", "counterexamples"}
    _check_keys(raw, known, where)
    rule = Rule(
        part=str(raw.get("part", "")),
        words=_phrases(raw, "words", where),
        all_of=frozenset(_texts(raw, "all_of", where)),
        modalities=frozenset(_texts(raw, "modalities", where)),
        replaces=frozenset(_texts(raw, "replaces", where)),
        examples=tuple(_texts(raw, "examples", where)),
        counterexamples=tuple(_texts(raw, "counterexamples", where)),
    )
    if rule.words and rule.all_of:
        raise UsageError(f"{where} the keys 'words' and 'all_of' exclude each other")
    if not (rule.words or rule.all_of or rule.modalities):
        raise UsageError(f"{where} one of the keys 'words', 'all_of' and 'modalities' must be filled")
    if not rule.examples:
        raise UsageError(f"{where} key 'examples' must hold at least one text")
    terms = {"part": {rule.part}, "all_of": rule.all_of, "replaces": rule.replaces}
    for key, wanted in terms.items():
        for term in sorted(wanted - set(regions)):
            raise UsageError(f"{where} key '{key}': '{term}' is no term of 'regions'")
    return rule


def _check_keys(raw: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in raw:
        if key not in known:
            raise UsageError(f"{where} unknown key '{key}'; known are: {', '.join(sorted(known))}")


def _texts(raw: Mapping[str, Any], key: str, where: str) -> list[str]:
    texts = raw.get(key, [])
    if not isinstance(texts, list) or not all(isinstance(t, str) and t.strip() for t in texts):
        raise UsageError(f"{where} key '{key}' must be a list of texts that are not empty")
    return texts


def _phrases(raw: Mapping[str, Any], key: str, where: str) -> tuple[Phrase, ...]:
    return tuple(_phrase(text, f"{where} key '{key}': '{text}'") for text in _texts(raw, key, where))


def _phrase(text: str, where: str) -> Phrase:
    """The words of a phrase, folded as a text is; only a `*` at a word's end is special."""
    words: list[str] = []
    for written in text.split():
        stem = written.removesuffix("*")
        folded = fold(stem)
        if "*" in stem or (stem != written and len("".join(folded[-1:])) < MINIMUM_PREFIX):
            raise UsageError(f"{where}: a '*' stands at a word's end, after {MINIMUM_PREFIX} letters or more")
        words += folded if stem == written else [*folded[:-1], folded[-1] + "*"]
    if not 1 <= len(words) <= MAXIMUM_WORDS:
        raise UsageError(f"{where} must have 1 to {MAXIMUM_WORDS} words")
    return tuple(words)


def _check_phrases(rules: Sequence[Rule], where: str) -> None:
    """Raise when a phrase is in two rules and no modality tells them apart."""
    owner: dict[Phrase, int] = {}
    for number, rule in enumerate(rules, start=1):
        for phrase in rule.words:
            if phrase in owner and not (rule.modalities or rules[owner[phrase] - 1].modalities):
                known = f"'{' '.join(phrase)}' is rule {owner[phrase]}'s already"
                raise UsageError(f"{where}: rule {number}: key 'words': {known}")
            owner.setdefault(phrase, number)
