"""Elements become `X`: one row per header, one column per number or category.

Every outcome is defined, and none raises an exception:

- The element is missing, or a placeholder such as `[12 bytes]` stands for it: 0, or an all-zero
  block; nothing is counted.
- A component is no number, such as `high`: 0, and `unparsed` counts it.
- A number lies outside the bounds: 0 or 1, and `clipped` counts it.
- A category is not in the vocabulary, because none of the training rows had it, or too few patients
  among them: an all-zero block, and `out_of_vocabulary` counts it.
- A value has more components than any value of the training rows: the rest is ignored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dicomae.features import elements, values
from dicomae.features.elements import Elements
from dicomae.features.feature import Feature


@dataclass(frozen=True)
class Encoded:
    """Rows as numbers.

    Attributes
    ----------
    X : float32 (n_samples, width), in [0, 1].
    out_of_vocabulary, clipped, unparsed : int32 (n_samples,), counts of each row; the module says
        what is counted.

    Examples
    --------
    The tube's voltage runs from 80 to 120 kV. One row has it, one has a word, one has nothing.

    >>> import pyarrow as pa
    >>> from dicomae.features.encoding import encode, plan
    >>> from dicomae.features.feature import Feature
    >>> from dicomae.tables import TEXTS
    >>> batch = pa.record_batch({
    ...     "body_part": pa.nulls(3, pa.string()),
    ...     "elements": pa.array([{"KVP": "110"}, {"KVP": "high"}, {}], TEXTS),
    ... })
    >>> encoded = encode(plan([Feature("KVP", "KVP", None, "numeric", 80.0, 120.0, ())]), batch)
    >>> encoded.X.tolist(), encoded.unparsed.tolist()
    ([[0.75], [0.0], [0.0]], [0, 1, 0])
    """

    X: npt.NDArray[np.float32]
    out_of_vocabulary: npt.NDArray[np.int32]
    clipped: npt.NDArray[np.int32]
    unparsed: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Plan:
    """Lookup tables of `encode`, made once for a specification.

    Attributes
    ----------
    keys : distinct keys of the features.
    categorical : bool (keys,).
    categories : all vocabularies together, without duplicates, as an Arrow array.
    category_column : int32 (keys, categories + 1), the column of X; -1 for none. The last column is -1
        throughout: it stands for a text that is no category.
    number_column : int32 (keys, components), likewise.
    lower, upper : float64 (width,), bounds of the numeric columns; 0 and 1 for the others.

    Examples
    --------
    >>> from dicomae.features.encoding import plan
    >>> from dicomae.features.feature import Feature
    >>> spacing = [Feature(f"PixelSpacing{i}", "PixelSpacing", i, "numeric", 0.5, 2.0, ()) for i in (0, 1)]
    >>> made = plan(spacing)
    >>> made.keys, made.number_column.tolist(), made.lower.tolist(), made.upper.tolist()
    (['PixelSpacing'], [[0, 1]], [0.5, 0.5], [2.0, 2.0])
    """

    keys: list[str]
    categorical: npt.NDArray[np.bool_]
    categories: pa.Array
    category_column: npt.NDArray[np.int32]
    number_column: npt.NDArray[np.int32]
    lower: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]

    @property
    def width(self) -> int:
        """Columns of X."""
        return len(self.lower)


def plan(features: Sequence[Feature]) -> Plan:
    """Lookup tables for these features; the columns of X follow in the order of the features.

    Examples
    --------
    >>> from dicomae.features.encoding import plan
    >>> from dicomae.features.feature import Feature
    >>> kvp = Feature("KVP", "KVP", None, "numeric", 80.0, 120.0, ())
    >>> modality = Feature("Modality", "Modality", None, "categorical", None, None, ("CT", "MR"))
    >>> made = plan([kvp, modality])
    >>> made.width, made.keys, made.categorical.tolist()
    (3, ['KVP', 'Modality'], [False, True])
    >>> made.category_column.tolist()  # of CT, of MR, of any other text
    [[-1, -1, -1], [1, 2, -1]]
    """
    keys = list(dict.fromkeys(feature.key for feature in features))
    key_code = {key: code for code, key in enumerate(keys)}
    categories = sorted({value for feature in features for value in feature.vocabulary})
    category_code = {value: code for code, value in enumerate(categories)}
    components = 1 + max((feature.index or 0 for feature in features), default=0)
    width = sum(feature.width for feature in features)
    categorical = np.zeros(len(keys), np.bool_)
    # One column more, always -1: what `index_in` does not find points there.
    category_column = np.full((len(keys), len(categories) + 1), -1, np.int32)
    number_column = np.full((len(keys), components), -1, np.int32)
    lower, upper = np.zeros(width), np.ones(width)
    column = 0
    for feature in features:
        code = key_code[feature.key]
        if feature.lower is not None and feature.upper is not None:
            number_column[code, feature.index or 0] = column
            lower[column], upper[column] = feature.lower, feature.upper
        else:
            categorical[code] = True
            places = [category_code[value] for value in feature.vocabulary]
            category_column[code, places] = np.arange(column, column + feature.width)
        column += feature.width
    arrow = pa.array(categories, pa.string())
    return Plan(keys, categorical, arrow, category_column, number_column, lower, upper)


def encode(plan: Plan, batch: pa.RecordBatch) -> Encoded:
    """The batch's headers as rows of X, in the batch's order; no row depends on another.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.encoding import encode, plan
    >>> from dicomae.features.feature import Feature
    >>> from dicomae.tables import TEXTS
    >>> kvp = Feature("KVP", "KVP", None, "numeric", 80.0, 120.0, ())
    >>> modality = Feature("Modality", "Modality", None, "categorical", None, None, ("CT", "MR"))
    >>> rows = [{"KVP": "100", "Modality": "MR"}, {"KVP": "140", "Modality": "NM"}]
    >>> batch = pa.record_batch({"body_part": pa.nulls(2, pa.string()), "elements": pa.array(rows, TEXTS)})
    >>> encoded = encode(plan([kvp, modality]), batch)
    >>> encoded.X.tolist()
    [[0.5, 0.0, 1.0], [1.0, 0.0, 0.0]]
    >>> encoded.clipped.tolist(), encoded.out_of_vocabulary.tolist()
    ([0, 1], [0, 1])
    """
    n = len(batch)
    X = np.zeros((n, plan.width), np.float32)
    found = elements.from_batch(batch, plan.keys)
    kinds = plan.categorical[found.codes]
    out_of_vocabulary = _encode_categories(plan, _chosen(found, kinds), X)
    clipped, unparsed = _encode_numbers(plan, _chosen(found, ~kinds), X)
    return Encoded(X, out_of_vocabulary, clipped, unparsed)


def _chosen(found: Elements, mask: npt.NDArray[np.bool_]) -> Elements:
    places = np.flatnonzero(mask)
    return Elements(found.rows[places], found.codes[places], found.values.take(pa.array(places)), found.keys)


def _encode_categories(plan: Plan, found: Elements, X: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    category = pc.index_in(found.values, value_set=plan.categories).fill_null(-1).to_numpy()
    column = plan.category_column[found.codes, category]
    known = column >= 0
    X[found.rows[known], column[known]] = 1.0
    unknown = np.flatnonzero(~known)
    read = values.is_read(found.values.take(pa.array(unknown)))
    return _per_row(found.rows[unknown[read]], len(X))


def _encode_numbers(
    plan: Plan, found: Elements, X: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    # Many rows share a text (matrix sizes, spacings): each different one is parsed once.
    encoded = found.values.dictionary_encode()
    parsed = values.parse_numbers(encoded.dictionary)
    value = encoded.indices.fill_null(-1).to_numpy()
    lengths = np.append(parsed.lengths, 0)[value]
    starts = np.append(parsed.starts, 0)[value]
    clipped, unparsed = np.zeros(len(X), np.int32), np.zeros(len(X), np.int32)
    for component in range(plan.number_column.shape[1]):
        column = plan.number_column[found.codes, component]
        places = np.flatnonzero((column >= 0) & (lengths > component))
        rows, columns, source = found.rows[places], column[places], starts[places] + component
        numbers = parsed.numbers[source]
        fault = np.isnan(numbers)
        unparsed += _per_row(rows[fault & ~parsed.missing[source]], len(X))
        rows, columns, numbers = rows[~fault], columns[~fault], numbers[~fault]
        lower, upper = plan.lower[columns], plan.upper[columns]
        clipped += _per_row(rows[(numbers < lower) | (numbers > upper)], len(X))
        X[rows, columns] = (np.clip(numbers, lower, upper) - lower) / (upper - lower)
    return clipped, unparsed


def _per_row(rows: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int32]:
    return np.bincount(rows, minlength=n).astype(np.int32)
