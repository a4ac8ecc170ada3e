"""Cluster cards: how large each cluster is, what is in it, and which tags tell it from the rest."""

from dataclasses import dataclass

from dicomae.clustering import elbow
from dicomae.evaluation.comparison import PAPER
from dicomae.report import palette, wording
from dicomae.report.data import Metrics

_TELLING = 5  # tags on a card
_SHARES = 5  # modalities and body parts on a card
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Shown:
    """The clustering that the cards describe.

    Attributes
    ----------
    n_clusters : its K, at the elbow or the middle one of those tried.
    at_elbow : whether there is an elbow.
    tried : how many K were tried.
    """

    n_clusters: int
    at_elbow: bool
    tried: int


@dataclass(frozen=True)
class Share:
    """One value's share of a cluster."""

    value: str
    share: float
    colour: str


@dataclass(frozen=True)
class TellingTag:
    """A feature whose mean inside the cluster is far from its mean over all rows.

    Attributes
    ----------
    category : value of a categorical feature; its means are shares. None for a numeric one: its means
        are places on the scale from 0 (the lower fitted bound) to 1 (the upper).
    """

    feature: str
    category: str | None
    inside: float
    overall: float | None

    @property
    def word(self) -> str:
        """The category; for a number, whether it is high or low beside that of all rows."""
        if self.category is not None:
            return self.category or "empty"
        return "high" if self.inside > (self.overall or 0.0) else "low"

    def said(self, mean: float) -> str:
        """A mean in words: a share of a category, a place on the scale of a number."""
        return f"{mean:.2f}" if self.category is None else wording.percent(mean)


@dataclass(frozen=True)
class Card:
    """One cluster; `share` is its share of all rows that were assigned."""

    cluster: int
    size: float
    share: float
    modalities: list[Share]
    body_parts: list[Share]
    telling: list[TellingTag]

    @property
    def bar(self) -> list[tuple[float, str]]:
        """Lengths and colours of the bar of modalities."""
        return [(one.share, one.colour) for one in self.modalities]


def shown(metrics: Metrics) -> Shown | None:
    """Which clustering the cards describe; None when nothing was clustered."""
    about = {"feature_set": PAPER.feature_set.value, "space": PAPER.space.value}
    tried = [int(k) for k in metrics.label_values("sum_of_squared_distances", "n_clusters", **about)]
    if not tried:
        return None
    found = metrics.value("elbow", **about)
    k = elbow.shown(None if found is None else int(found), tried)
    return Shown(k, found is not None, len(tried))


@dataclass(frozen=True)
class FewPatients:
    """The clusters that have no card, for too few patients are in each, and their instances together."""

    clusters: int
    instances: int


def few_patients(metrics: Metrics) -> FewPatients:
    """How much is left out of the cards."""
    names = ("clusters_of_few_patients", "instances_of_few_patients")
    return FewPatients(*(int(metrics.value(name) or 0) for name in names))


def cards(metrics: Metrics) -> list[Card]:
    """A card for each cluster of enough patients, the largest first."""
    sizes = {
        int(labels["cluster"]): size
        for labels, size in metrics.rows("cluster_size")
        if size is not None and labels.get("cluster", "").isdecimal()
    }
    total = sum(sizes.values()) + few_patients(metrics).instances or 1.0
    return [
        Card(
            cluster,
            size,
            size / total,
            _shares(metrics, cluster, "Modality"),
            _shares(metrics, cluster, "BodyPartExamined"),
            _telling(metrics, cluster),
        )
        for cluster, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    ]


def _shares(metrics: Metrics, cluster: int, tag: str) -> list[Share]:
    """Values by share, the largest first; what is left of 1 is "others"."""
    found = [
        (labels.get("value", "unknown"), share)
        for labels, share in metrics.rows("cluster_share", cluster=str(cluster), tag=tag)
        if share
    ]
    found.sort(key=lambda item: (-item[1], item[0]))
    colour = palette.of_modality if tag == "Modality" else lambda _: palette.OTHER
    named = [Share(value, share, colour(value)) for value, share in found[:_SHARES]]
    rest = 1.0 - sum(one.share for one in named)  # the metrics may name the most frequent values only
    return named + ([Share("others", rest, palette.OTHER)] if named and rest > _ROUNDING else [])


def _telling(metrics: Metrics, cluster: int) -> list[TellingTag]:
    """The features that differ most from the whole, by the absolute difference of the means."""
    overall = {
        tuple(sorted(labels.items())): mean
        for labels, mean in metrics.rows("telling_tag_overall", cluster=str(cluster))
    }
    found = [
        TellingTag(
            labels.get("feature", ""),
            labels.get("value", "") if labels.get("kind") == "categorical" else None,
            mean,
            overall.get(tuple(sorted(labels.items()))),
        )
        for labels, mean in metrics.rows("telling_tag", cluster=str(cluster))
        if mean is not None
    ]
    found.sort(key=lambda tag: (-abs(tag.inside - (tag.overall or 0.0)), tag.feature, tag.category or ""))
    return found[:_TELLING]
