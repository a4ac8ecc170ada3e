"""Body parts repaired: which body part an instance shows, and which element tells it.

The rules are data (`conf/bodypart.toml`). A rule names a body part and the phrases that mean it.
A phrase is one or more whole words. Phrases are found from left to right, the longest first and without
overlap: "femoral neck" leaves no "neck" behind. The rules hold no regular expressions, so no text can
make them slow.

The first text that names a body part fills it. The next text that names one has a veto: when the two
body parts have no region in common, nothing is filled. When the first text names the whole body, the
second one decides: "PET whole body" and then "knee" give the knee.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicomae.dicom.bodypart_rules import (
    MAXIMUM_CHARACTERS,
    MINIMUM_PREFIX,
    MISSPELT_LETTERS,
    WHOLE_BODY,
    BodyPartRules,
    Phrase,
    Rule,
    fold,
)

# In the order of filling: the declared value, then what is said of the series (BodyPartExamined is
# an attribute of the series), then what is said of the whole study, which may span many body parts.
SOURCES = (
    "BodyPartExamined",
    "SeriesDescription",
    "ProtocolName",
    "StudyDescription",
    "RequestedProcedureDescription",
    "ImageComments",
)

REMEMBERED = 1 << 14  # texts of at most `MAXIMUM_CHARACTERS`

Candidates = Sequence[tuple[Phrase, frozenset[int]]]
RuleFinder = Callable[[str, str, str | None], Rule | None]
Decide = Callable[..., tuple[str | None, str]]  # Modality and the texts of SOURCES -> body part, source


def repair(
    rules: BodyPartRules, columns: Mapping[str, pa.StringArray]
) -> tuple[pa.StringArray, pa.StringArray]:
    """Body part of each row, and which element tells it.

    Parameters
    ----------
    columns : `Modality` and the `SOURCES`, arrays of n strings; null is missing.

    Returns
    -------
    body_part : n defined terms of PS3.16 Annex L; null is unknown. A declared value that neither
        is a term nor matches a rule is not kept: somebody typed it, so it may name a patient.
    source : `declared` (a defined term as it stood), `normalised` (from the declared value, by a rule
        or by one typing error), `filled-from-<Keyword>` (Modality too) or `unknown`; never null.

    Examples
    --------
    >>> from pathlib import Path
    >>> import pyarrow as pa
    >>> from dicomae.dicom.bodypart import SOURCES, repair
    >>> from dicomae.dicom.bodypart_rules import load_rules
    >>> columns = {name: pa.nulls(3, pa.string()) for name in ("Modality", *SOURCES)}
    >>> columns["BodyPartExamined"] = pa.array(["KNEE", "Thorax", None])
    >>> columns["StudyDescription"] = pa.array([None, None, "MR Schädel nativ"])
    >>> body_part, source = repair(load_rules(Path("conf/bodypart.toml")), columns)
    >>> list(zip(body_part.to_pylist(), source.to_pylist()))
    [('KNEE', 'declared'), ('CHEST', 'normalised'), ('SKULL', 'filled-from-StudyDescription')]
    """
    names = ("Modality", *SOURCES)
    encoded = [columns[name].dictionary_encode() for name in names]
    group, first_rows = _distinct([column.indices for column in encoded])
    decide = _MEMORY.decider(rules)
    texts = [_texts_at(column, first_rows) for column in encoded]
    decided = [decide(*row) for row in zip(*texts, strict=True)]
    body_part = pa.array([part for part, _ in decided], pa.string())
    source = pa.array([where for _, where in decided], pa.string())
    return body_part.take(group), source.take(group)


def _texts_at(column: pa.DictionaryArray, rows: pa.Int64Array) -> list[str | None]:
    texts = pa.compute.utf8_slice_codeunits(column.dictionary, 0, MAXIMUM_CHARACTERS)
    values = [*texts.to_pylist(), None]  # the last, -1, is for null
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


class _Memory:
    """What this process has decided: texts repeat, from batch to batch and from task to task."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.rules = b""
        self.decide: Decide | None = None

    def decider(self, rules: BodyPartRules) -> Decide:
        with self.lock:
            if self.decide is None or self.rules != rules.digest:
                misspelt = lru_cache(REMEMBERED)(partial(_misspelt, rules))
                decide = partial(_decide, rules, _rule_finder(rules), misspelt)
                self.rules, self.decide = rules.digest, lru_cache(REMEMBERED)(decide)
            return self.decide


_MEMORY = _Memory()


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
    """Whether two rules' body parts share no region, and the first does not refine the second."""
    shared = set(rules.regions[first.part]) & set(rules.regions[second.part])
    return not (shared or second.part in first.replaces or second.part == WHOLE_BODY)


def _rule_finder(rules: BodyPartRules) -> RuleFinder:
    """Finder of the rule for a text, a modality and a prior term; it remembers, since texts repeat."""
    beginning = lru_cache(REMEMBERED)(partial(_beginning, rules.phrases))
    matches = lru_cache(REMEMBERED)(partial(_matches, beginning))
    first = lru_cache(REMEMBERED)(partial(_first, rules))
    return lambda text, modality, prior: first(matches(text), modality, prior)


def _first(rules: BodyPartRules, matched: frozenset[int], modality: str, prior: str | None) -> Rule | None:
    """First rule that holds for what a text matched and that may replace the prior term."""
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
    """Numbers of the rules whose phrases the text holds; at each place the longest phrase counts."""
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
    """Phrases that may begin with this word, with their rules; the longest first."""
    prefixes = (word[:end] + "*" for end in range(len(word), MINIMUM_PREFIX - 1, -1))
    found = [item for key in (word, *prefixes) for item in phrases.get(key, {}).items()]
    return sorted(found, key=lambda item: -len(item[0]))


def _fits(phrase: Phrase, words: Sequence[str]) -> bool:
    return len(words) == len(phrase) and all(
        word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted
        for wanted, word in zip(phrase, words, strict=True)
    )


def _misspelt(rules: BodyPartRules, declared: str) -> str | None:
    """The one body part whose name or plural is a typing error away; None for none and for several."""
    written = "".join(fold(declared))
    if len(written) not in MISSPELT_LETTERS:
        return None
    singular = written.removesuffix("s")
    near = (parts for word, parts in rules.spellings.items() if _near(written, word) or _near(singular, word))
    found = frozenset[str]().union(*near)
    return next(iter(found)) if len(found) == 1 else None


def _near(a: str, b: str) -> bool:
    """Whether they are equal but for one letter inserted, left out or changed, or two neighbours swapped."""
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
