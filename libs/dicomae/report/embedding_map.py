"""The embeddings on a plane, coloured by what the rows are: one SVG path for each group of points."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from dicomae.report import palette
from dicomae.report.data import UNKNOWN

SIDE = 1000  # units of the square map
_FEWEST = 20  # rows; a map of fewer says nothing
_OTHERS = "other"
_NAME_GAP = 44  # between the middles of two names: the height of their letters, and some room


@dataclass(frozen=True)
class Group:
    """Points of one kind: `path` is SVG path data with a dot for each; the name stands at `x`, `y`."""

    name: str
    colour: str
    size: int
    path: str
    x: int
    y: int


@dataclass(frozen=True)
class MapPanel:
    """One colouring of the map.

    `by_number` is true when several groups have one colour: numbers on the map tell them apart.
    """

    heading: str
    groups: list[Group]
    by_number: bool = False

    @property
    def legend(self) -> list[Group]:
        """The groups by size; the group "other" comes last."""
        return sorted(self.groups, key=lambda group: group.name == _OTHERS)


def panels(embeddings: pa.Table | None) -> list[MapPanel]:
    """The map coloured by modality, by body part and by cluster; no panel when there is nothing to draw."""
    if embeddings is None or embeddings.num_rows < _FEWEST:
        return []
    X = _matrix(embeddings.column("embedding"))
    if X is None:
        return []
    places = project(X)
    modality, body_part = (_texts(embeddings, name) for name in ("Modality", "body_part"))
    drawn = [
        MapPanel("By modality", _groups(places, modality, _modality_colours(modality))),
        MapPanel("By body part", _groups(places, *_most_frequent(body_part))),
    ]
    cluster = _texts(embeddings, "cluster")
    if set(cluster) != {UNKNOWN}:
        drawn.append(MapPanel("By cluster", _groups(places, cluster, _cluster_colours(cluster)), True))
    return drawn


def project(X: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places `(n, 2)`, whole numbers in 0 … `SIDE`, by t-SNE; the same rows give the same places.

    It starts from the first two principal components.

    References
    ----------
    van der Maaten & Hinton, Journal of Machine Learning Research 9 (2008).
    """
    perplexity = min(30.0, (len(X) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=500, random_state=0)
    with threadpool_limits(1, "openmp"):  # on a busy machine, waiting threads cost tenfold
        flat = tsne.fit_transform(X)
    low, high = flat.min(axis=0), flat.max(axis=0)
    scaled = (flat - low) / np.where(high > low, high - low, 1.0)
    margin = 0.04 * SIDE
    return np.asarray(np.rint(margin + scaled * (SIDE - 2 * margin)), np.int64)


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32] | None:
    """The vectors as `(n, width)` float32.

    None unless all have one width, all numbers are finite, and at least two columns vary.
    """
    rows = column.to_pylist()
    if len({len(row) if row else 0 for row in rows}) != 1 or not rows[0] or None in rows[0]:
        return None
    X = np.array(rows, np.float32)
    usable = bool(np.isfinite(X).all()) and np.count_nonzero(np.ptp(X, axis=0)) >= 2
    return X if usable else None


def _texts(table: pa.Table, name: str) -> list[str]:
    if name not in table.schema.names:
        return [UNKNOWN] * table.num_rows
    return [UNKNOWN if value is None else str(value) for value in table.column(name).to_pylist()]


def _modality_colours(modality: Sequence[str]) -> dict[str, str]:
    return {name: palette.of_modality(name) for name in modality}


def _cluster_colours(cluster: Sequence[str]) -> dict[str, str]:
    """A colour for each cluster, in turn: there are more clusters than colours that differ clearly."""
    numbers = sorted({name for name in cluster if name != UNKNOWN}, key=int)
    return {**dict(zip(numbers, itertools.cycle(palette.CATEGORIES), strict=False)), UNKNOWN: palette.OTHER}


def _most_frequent(values: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The values, rare ones replaced by "other"; and a colour for each value."""
    ranked = sorted(Counter(v for v in values if v != UNKNOWN).items(), key=lambda item: (-item[1], item[0]))
    colours = dict(zip((name for name, _ in ranked), palette.CATEGORIES, strict=False))
    return [v if v in colours else _OTHERS for v in values], {**colours, _OTHERS: palette.OTHER}


def _groups(places: NDArray[np.int64], names: Sequence[str], colours: dict[str, str]) -> list[Group]:
    """Groups by size, the largest first, so that the small ones are drawn over them."""
    of_row = np.array(names, np.object_)
    by_size = sorted(Counter(names).items(), key=lambda item: (item[0] != _OTHERS, -item[1], item[0]))
    taken: list[NDArray[np.int64]] = []
    return [_group(places[of_row == name], name, colours[name], taken) for name, _ in by_size]


def _group(places: NDArray[np.int64], name: str, colour: str, taken: list[NDArray[np.int64]]) -> Group:
    """A group, with its name at the dot nearest to its middle that no other name covers.

    `taken` : places of the names so far; that of this group is added.
    """
    from_middle = np.abs(places - np.median(places, axis=0)).sum(axis=1)
    near = [np.abs(places - other).max(axis=1) < _NAME_GAP for other in taken]
    hidden = np.any(near, axis=0) if near else np.zeros(len(places), np.bool_)
    middle = places[np.lexsort((from_middle, hidden))[0]]
    taken.append(middle)
    path = "".join(f"M{x} {y}h0" for x, y in places.tolist())
    return Group(name, colour, len(places), path, int(middle[0]), int(middle[1]))
