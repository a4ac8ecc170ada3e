"""Body parts repaired: which part an instance shows, and where that is known from.

The rules are data (`conf/bodypart.toml`). A rule names a body part and the phrases that mean it.
Phrases are whole words, found left to right, the longest first and without overlap: "femoral neck"
leaves no "neck" behind. The rules hold no regular expressions, so no text can make them slow.

The first text that tells a part fills it, the next one that tells a part has a veto: where they have
no region in common nothing is filled. Beside the whole body, what another text names is the part.
"""

import functools
import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicomae.errors import UsageError

# In the order of filling: the declared value, then what is said of the series (BodyPartExamined is
# an attribute of the series), then what is said of the whole study, which may span many parts.
SOURCES = (
    "BodyPartExamined",
    "SeriesDescription",
    "ProtocolName",
    "StudyDescription",
    "RequestedProcedureDescription",
    "ImageComments",
)
MAXIMUM_CHARACTERS = 256  # of a text; what follows is not looked at
MAXIMUM_WORDS = 6  # of a phrase
MINIMUM_PREFIX = 4  # letters before a `*`
WHOLE_BODY = "WHOLEBODY"  # holds every part that another text names
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

    It holds for a text by `words` or by `all_of`; with neither, for its modalities where no text
    tells anything (mammography shows the breast).

    Attributes
    ----------
    part : defined term that the rule gives.
    words : phrases that mean the part.
    all_of : parts that a text must name together, such as CHEST and ABDOMEN.
    modalities : where the rule holds; empty is everywhere.
    replaces : declared terms that the rule may overrule, and that it refines where another text
        names them; beyond these it only fills.
    examples, counterexamples : texts that must and must not give the part, by the whole list.
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
    ignored : phrases that hold the name of a part and do not mean it ("head first").
    rules : the first that holds wins.
    """

    regions: Mapping[str, tuple[str, ...]]
    ignored: tuple[Phrase, ...]
    rules: tuple[Rule, ...]

    @cached_property
    def phrases(self) -> dict[str, dict[Phrase, frozenset[int]]]:
        """First word of a phrase -> phrase -> numbers of its rules (none: an ignored phrase)."""
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
        """Words that a misspelt declared value may mean -> their parts: terms, and rules' words."""
        parts = {term.lower(): {term} for term in self.regions}
        for rule in (rule for rule in self.rules if not rule.modalities):
            for word in (phrase[0].rstrip("*") for phrase in rule.words if len(phrase) == 1):
                parts.setdefault(word, set()).add(rule.part)
        return {word: frozenset(found) for word, found in parts.items() if len(word) in MISSPELT_LETTERS}

    @cached_property
    def modality_parts(self) -> dict[str, str]:
        """Modality -> the part that it always shows, by the rules without words; the first wins."""
        wordless = [rule for rule in reversed(self.rules) if not rule.words and not rule.all_of]
        return {modality: rule.part for rule in wordless for modality in rule.modalities}


Candidates = Sequence[tuple[Phrase, frozenset[int]]]
RuleFinder = Callable[[str, str, str | None], Rule | None]


def repair(
    rules: BodyPartRules, columns: Mapping[str, pa.StringArray]
) -> tuple[pa.StringArray, pa.StringArray]:
    """Body part of each row, and where it is known from.

    Parameters
    ----------
    columns : `Modality` and the `SOURCES`, arrays of n strings; null is missing.

    Returns
    -------
    body_part : n defined terms of PS3.16 Annex L; null is unknown. A declared value that neither
        is a term nor matches a rule is not kept: somebody typed it, so it may name a patient.
    source : `declared` (a defined term as it stood), `normalised` (the declared value, by a rule
        or one typing error off), `filled-from-<Keyword>` (Modality too), `unknown`; never null.
    """
    names = ("Modality", *SOURCES)
    encoded = [columns[name].dictionary_encode() for name in names]
    group, first_rows = _distinct([column.indices for column in encoded])
    find = _rule_finder(rules)
    misspelt = functools.cache(functools.partial(_misspelt, rules))
    texts = [_texts_at(column, first_rows) for column in encoded]
    decided = [_decide(rules, find, misspelt, *row) for row in zip(*texts, strict=True)]
    body_part = pa.array([part for part, _ in decided], pa.string())
    source = pa.array([where for _, where in decided], pa.string())
    return body_part.take(group), source.take(group)


def _texts_at(column: pa.DictionaryArray, rows: pa.Int64Array) -> list[str | None]:
    values = [*column.dictionary.to_pylist(), None]  # the last, -1, is for null
    return [values[code] for code in column.indices.take(rows).fill_null(-1).to_numpy()]


def _distinct(codes: Sequence[pa.Int32Array]) -> tuple[pa.Int32Array, pa.Int64Array]:
    """Group of each row, and the first row of each group: equal rows are decided once."""
    rows = len(codes[0])
    joint = pa.array(np.zeros(rows, np.int64)).dictionary_encode()
    for column in codes:
        code = np.asarray(column.fill_null(-1), dtype=np.int64) + 1
        size = int(code.max(initial=0)) + 1  # below rows + 2, so that the product stays in int64
        joint = pa.array(np.asarray(joint.indices, np.int64) * size + code).dictionary_encode()
    group = np.asarray(joint.indices)
    first: npt.NDArray[np.int64] = np.zeros(len(joint.dictionary), np.int64)
    first[group[::-1]] = np.arange(rows - 1, -1, -1)
    return joint.indices, pa.array(first)


def _decide(
    rules: BodyPartRules,
    find: RuleFinder,
    misspelt: Callable[[str], str | None],
    modality: str | None,
    declared: str | None,
    *texts: str | None,
) -> tuple[str | None, str]:
    modality, declared = (modality or "").strip(), (declared or "").strip()
    prior = declared if declared in rules.regions else None
    rule = find(declared, modality, prior)
    meant = rule.part if rule else None if prior else misspelt(declared)
    if meant:
        return meant, "normalised"
    told = (
        (rule, f"filled-from-{keyword}")
        for keyword, text in zip(SOURCES[1:], texts, strict=True)
        if text and (rule := find(text, modality, prior))
    )
    first, second = next(told, None), next(told, None)
    if first and second and first[0].part == WHOLE_BODY != second[0].part:
        first, second = second, None
    if first and not (second and _contradict(rules, first[0], second[0])):
        return first[0].part, first[1]
    if prior is not None:
        return prior, "declared"
    part = rules.modality_parts.get(modality)
    return (part, "filled-from-Modality") if part else (None, "unknown")


def _contradict(rules: BodyPartRules, first: Rule, second: Rule) -> bool:
    """Whether two texts name parts without a common region, and the first does not refine the second."""
    shared = set(rules.regions[first.part]) & set(rules.regions[second.part])
    return not (shared or second.part in first.replaces or second.part == WHOLE_BODY)


def _rule_finder(rules: BodyPartRules) -> RuleFinder:
    """The rule for a text, a modality and a prior term; remembers, since texts repeat."""
    beginning = functools.cache(functools.partial(_beginning, rules.phrases))
    matches = functools.cache(functools.partial(_matches, beginning))
    first = functools.cache(functools.partial(_first, rules))
    return lambda text, modality, prior: first(matches(text), modality, prior)


def _first(rules: BodyPartRules, matched: frozenset[int], modality: str, prior: str | None) -> Rule | None:
    """First rule that holds for what a text matched and may replace the prior term."""
    if not matched:
        return None
    holding = {n for n in matched if not rules.rules[n].modalities or modality in rules.rules[n].modalities}
    named = {rules.rules[n].part for n in holding}
    for number, rule in enumerate(rules.rules):
        if prior is not None and prior not in rule.replaces:
            continue
        if rule.modalities and modality not in rule.modalities:
            continue
        if number in holding or (rule.all_of and rule.all_of <= named):
            return rule
    return None


def _matches(beginning: Callable[[str], Candidates], text: str) -> frozenset[int]:
    """Numbers of the rules whose phrases the text holds, by the longest phrase at each place."""
    words = fold(text)
    found: set[int] = set()
    place = 0
    while place < len(words):
        step = 1
        for phrase, numbers in beginning(words[place]):
            if len(phrase) == 1 or _fits(phrase[1:], words[place + 1 : place + len(phrase)]):
                found |= numbers
                step = len(phrase)
                break
        place += step
    return frozenset(found)


def _beginning(phrases: Mapping[str, Mapping[Phrase, frozenset[int]]], word: str) -> Candidates:
    """Phrases whose first word this word fits, with their rules; the longest first."""
    prefixes = (word[:end] + "*" for end in range(len(word), MINIMUM_PREFIX - 1, -1))
    found = [item for key in (word, *prefixes) for item in phrases.get(key, {}).items()]
    return sorted(found, key=lambda item: -len(item[0]))


def _fits(phrase: Phrase, words: Sequence[str]) -> bool:
    return len(words) == len(phrase) and all(
        word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted
        for wanted, word in zip(phrase, words, strict=True)
    )


def fold(text: str) -> list[str]:
    """Words of a text: lower case, no accents, split at signs, underscores, digits and camel case."""
    plain = _CAMEL.sub(" ", text[:MAXIMUM_CHARACTERS])
    if not plain.isascii():
        decomposed = unicodedata.normalize("NFKD", plain).casefold().translate(_LETTERS)
        plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _WORD.findall(_DIGITS.sub(" ", plain.lower()))


def _misspelt(rules: BodyPartRules, declared: str) -> str | None:
    """The one part whose name or plural is a typing error away; None where there are several."""
    written = "".join(fold(declared))
    if len(written) not in MISSPELT_LETTERS:
        return None
    singular = written.removesuffix("s")
    near = (parts for word, parts in rules.spellings.items() if _near(written, word) or _near(singular, word))
    found = frozenset[str]().union(*near)
    return next(iter(found)) if len(found) == 1 else None


def _near(a: str, b: str) -> bool:
    """Equal but for one letter inserted, left out or changed, or two neighbours swapped."""
    if abs(len(a) - len(b)) > 1:
        return False
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest_a, rest_b = a[same:], b[same:]
    return (
        rest_a[1:] == rest_b
        or rest_a == rest_b[1:]
        or rest_a[1:] == rest_b[1:]
        or (rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:])
    )


def load_rules(path: Path) -> BodyPartRules:
    """The rules that a TOML file holds.

    Raises
    ------
    UsageError
        The file is missing or no TOML; a key is unknown, missing or of another type; a part is no
        term of `regions`; a phrase is empty, too long, too open or already another rule's.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file of body-part rules") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path}: not a readable TOML file: {error}") from error
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
    """A phrase may be in two rules only where a modality tells them apart."""
    owner: dict[Phrase, int] = {}
    for number, rule in enumerate(rules, start=1):
        for phrase in rule.words:
            if phrase in owner and not (rule.modalities or rules[owner[phrase] - 1].modalities):
                known = f"'{' '.join(phrase)}' is rule {owner[phrase]}'s already"
                raise UsageError(f"{where}: rule {number}: key 'words': {known}")
            owner.setdefault(phrase, number)
