"""What is counted about one tag: a value that merges, of bounded size."""

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
    present, filled : rows with the element; those whose value is not empty.
    read : filled rows with a value, and not a placeholder of what was not read.
    filled_by_modality : filled rows of each modality, without zeros.
    varies : whether at least two unique values were read.
    sole : digest of the one unique value, null where there is none or more than one.
    sketch : HyperLogLog of the unique values, serialised; empty where there is none.
    numeric : rows whose value is numbers throughout.
    max_values : most components of a value that was read.
    minimum, maximum : of all finite numbers; infinities the wrong way round where there is none.
    vrs : rows of each VR that is not the dictionary's.
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
    """Counts of both parts together."""
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
    """Sum of two counters, of the first `MAXIMUM_NAMES` names.

    A name among the first of all is among the first of every part: its count is complete.
    """
    total = dict(a)
    for name, count in b.items():
        total[name] = total.get(name, 0) + count
    if len(total) <= MAXIMUM_NAMES:
        return total
    return {name: total[name] for name in heapq.nsmallest(MAXIMUM_NAMES, total)}


def digest(text: str) -> bytes:
    """128 bits that stand for a value: equal for equal texts, and for no others in practice."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def sketch_of(texts: Iterable[str]) -> bytes:
    """Serialised HyperLogLog sketch of non-empty texts."""
    sketch = hll_sketch(LG_K, tgt_hll_type.HLL_8)
    for text in texts:
        sketch.update(text)
    return bytes(sketch.serialize_compact())


def distinct(sketch: bytes) -> int:
    """Estimated number of unique values.

    A sketch filled value by value and a merged one of the same registers carry different estimators.
    The union of a sketch with itself always gives the merged one, whatever the way it came about.
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
