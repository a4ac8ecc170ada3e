"""The counts of one tag: a value of bounded size, and two of them merge into one."""

import hashlib
import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from datasketches import hll_sketch, hll_union, tgt_hll_type

LG_K = 12  # 4096 registers: standard error 1.6 %, exact up to some 380 distinct values
MAXIMUM_NAMES = 256  # modalities or VRs counted apart; the standard defines fewer than 100


@dataclass(frozen=True)
class TagCount:
    """Counts of one key; the default is that of a key that does not occur.

    Attributes
    ----------
    present : rows that have the element.
    filled : rows whose value is not empty.
    read : filled rows whose value was read; a placeholder such as `[12 bytes]` says that it was not.
    filled_by_modality : filled rows of each modality, without zeros.
    varies : whether at least two unique values were read.
    sole : digest of the one unique value; None when there is none or more than one.
    sketch : HyperLogLog of the unique values, serialised; no bytes when there is none.
    numeric : rows whose value is numbers throughout, or was meant to be (`values` says which are spoilt).
    max_values : most components of a value that was read.
    minimum, maximum : of all finite numbers; inf and -inf when there is none.
    vrs : rows of each VR that is not the dictionary's.

    Examples
    --------
    >>> from dicomae.features.tag_count import TagCount
    >>> TagCount() == TagCount(present=0, filled=0, varies=False, sketch=b"")
    True
    >>> count = TagCount(present=10, filled=8, read=7)
    >>> count.present - count.filled, count.filled - count.read  # empty values, placeholders
    (2, 1)
    """

    present: int = 0
    filled: int = 0
    read: int = 0
    filled_by_modality: Mapping[str, int] = field(default_factory=dict)
    varies: bool = False
    sole: bytes | None = None
    sketch: bytes = b""
    numeric: int = 0
    max_values: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    vrs: Mapping[str, int] = field(default_factory=dict)


def merge(a: TagCount, b: TagCount) -> TagCount:
    """Counts of both together.

    Examples
    --------
    Each count has seen one value. Whether both are the same, their digests tell.

    >>> from dicomae.features.tag_count import TagCount, digest, merge
    >>> a = TagCount(present=1, filled=1, read=1, sole=digest("120"))
    >>> b = TagCount(present=2, filled=1, read=1, sole=digest("80"))
    >>> merge(a, b).present, merge(a, b).filled
    (3, 2)
    >>> merge(a, a).varies, merge(a, b).varies
    (False, True)
    """
    both = a.sole is not None and b.sole is not None
    varies = a.varies or b.varies or (both and a.sole != b.sole)
    return TagCount(
        present=a.present + b.present,
        filled=a.filled + b.filled,
        read=a.read + b.read,
        filled_by_modality=add(a.filled_by_modality, b.filled_by_modality),
        varies=varies,
        sole=None if varies else a.sole or b.sole,
        sketch=_merged_sketch(a.sketch, b.sketch),
        numeric=a.numeric + b.numeric,
        max_values=max(a.max_values, b.max_values),
        minimum=min(a.minimum, b.minimum),
        maximum=max(a.maximum, b.maximum),
        vrs=add(a.vrs, b.vrs),
    )


def add(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """Sum of two counters; of its names, the first `MAXIMUM_NAMES` in their order stay.

    The counts that stay are complete: a name among the first of the sum is among the first of each
    counter that has it.

    Examples
    --------
    >>> from dicomae.features.tag_count import add
    >>> add({"CT": 2}, {"CT": 1, "MR": 4})
    {'CT': 3, 'MR': 4}
    """
    total = dict(a)
    for name, count in b.items():
        total[name] = total.get(name, 0) + count
    if len(total) <= MAXIMUM_NAMES:
        return total
    return {name: total[name] for name in heapq.nsmallest(MAXIMUM_NAMES, total)}


def digest(text: str) -> bytes:
    """128 bits that stand for a text: the same for equal texts, and in practice for no others.

    Examples
    --------
    >>> from dicomae.features.tag_count import digest
    >>> digest("CT") == digest("CT"), digest("CT") == digest("MR"), len(digest("CT"))
    (True, False, 16)
    """
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def sketch_of(texts: Iterable[str]) -> bytes:
    """Serialised HyperLogLog sketch of non-empty texts.

    Examples
    --------
    >>> from dicomae.features.tag_count import distinct, sketch_of
    >>> distinct(sketch_of(["CT", "MR", "CT"]))
    2
    >>> len(sketch_of(map(str, range(10_000)))) < 5_000  # bytes, however many texts there are
    True
    """
    sketch = hll_sketch(LG_K, tgt_hll_type.HLL_8)
    for text in texts:
        sketch.update(text)
    return bytes(sketch.serialize_compact())


def distinct(sketch: bytes) -> int:
    """Estimated number of unique values.

    The estimate is that of the sketch's union with itself. A sketch that was filled value by value and
    one that was merged may hold the same registers, and still carry different estimators. A union
    always carries the merged one, so the estimate does not depend on how the sketch came about.

    Examples
    --------
    >>> from dicomae.features.tag_count import distinct, sketch_of
    >>> distinct(b""), distinct(sketch_of(["80", "120", "120"]))
    (0, 2)
    >>> 9_500 < distinct(sketch_of(map(str, range(10_000)))) < 10_500  # three standard errors
    True
    """
    if not sketch:
        return 0
    return round(float(_union(sketch, sketch).get_estimate()))


def _merged_sketch(a: bytes, b: bytes) -> bytes:
    if not a or not b or a == b:
        return a or b
    return bytes(_union(a, b).serialize_compact())


def _union(a: bytes, b: bytes) -> hll_sketch:
    union = hll_union(LG_K)
    for sketch in (a, b):
        union.update(hll_sketch.deserialize(sketch))
    return union.get_result(tgt_hll_type.HLL_8)
