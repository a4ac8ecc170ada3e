"""The specifications of all feature sets, fitted on one split; a set without a column is left out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa

from dicomae.codes import FeatureSet
from dicomae.config import FeaturesConfig
from dicomae.errors import UsageError
from dicomae.features import spec
from dicomae.features.spec import FEATURE_SETS, FeatureSpec

_MORE = "give more instances, or more kinds of them; the table 'tag_statistics' has the reason for each tag"


@dataclass(frozen=True)
class Fitted:
    """Specifications of one column or more, and the names of the feature sets that have none.

    Examples
    --------
    >>> from dicomae.features.feature_sets import Fitted
    >>> Fitted(specs=(), left_out=("without_labels",)).left_out
    ('without_labels',)
    """

    specs: tuple[FeatureSpec, ...]
    left_out: tuple[str, ...]


def fit(
    train: pa.RecordBatch | pa.Table,
    decided: pa.Table,
    config: FeaturesConfig,
    labels: Sequence[str],
    needing_devices: Collection[str] = (),
) -> Fitted:
    """The specification of each feature set (`spec.fit`).

    Parameters
    ----------
    train, decided, config, labels, needing_devices : as in `spec.fit`.

    Raises
    ------
    UsageError
        The funnel kept no tag, or the labels alone. Or no tag that it kept is a column in the training split.

    Examples
    --------
    >>> from pathlib import Path
    >>> import pyarrow as pa
    >>> from dicomae import config
    >>> from dicomae.features.feature_sets import fit
    >>> settings = config.load(Path("conf/default.toml")).features
    >>> train = pa.table({"PatientID": ["A"]})
    >>> decided = pa.table({"key": ["Modality", "KVP"], "decision": ["categorical", "dropped"]})
    >>> fit(train, decided, settings, labels=["Modality"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: of the tags of the sample, labels alone can be features (Modality), ...
    """
    kinds = zip(decided["key"].to_pylist(), decided["decision"].to_pylist(), strict=True)
    kept = sorted(key for key, kind in kinds if kind != "dropped")
    if not kept:
        raise UsageError(
            f"no tag of the sample can be a feature: none varies, is common and names nobody; {_MORE}"
        )
    if not set(kept) - set(labels):
        named = ", ".join(kept)
        raise UsageError(
            f"of the tags of the sample, labels alone can be features ({named}), so that there is nothing to "
            f"compare them with; {_MORE}"
        )
    specs = [spec.fit(train, decided, config, name, labels, needing_devices) for name in FEATURE_SETS]
    left_out = tuple(one.feature_set for one in specs if not one.width)
    if FeatureSet.ALL in left_out:
        raise UsageError(
            f"no tag of the training split can be a feature: what varies in the sample is constant there, or "
            f"fewer than {config.minimum_patients} patients have it; {_MORE}"
        )
    return Fitted(tuple(one for one in specs if one.width), left_out)
