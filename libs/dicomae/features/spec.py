"""The feature specification: which columns X has, frozen with the model.

It is fitted on the training split alone and never changes afterwards. So nightly data meets the columns
that the model was trained with. What does not fit is counted; see `encoding`.
"""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dicomae.codes import FeatureSet
from dicomae.config import FeaturesConfig
from dicomae.errors import UsageError
from dicomae.features import bounds, devices, elements, encoding, feature, values
from dicomae.features.encoding import Encoded
from dicomae.features.feature import MAXIMUM_COMPONENTS, Feature

VERSION = 2
FEATURE_SETS = tuple(FeatureSet)
_SEEN = pa.schema([("value", pa.string()), ("patient", pa.int32()), ("device", pa.int32())])


@dataclass(frozen=True)
class FeatureSpec:
    """Features in the order of their columns.

    It names no table, run or time. So equal decisions give equal specifications, and these allow equal
    models. The version of `tag_statistics` that decided stands in `runs` and beside the model.

    Attributes
    ----------
    features : sorted by key; the components of a multi-valued tag stand in their order.
    feature_set : all, or without_labels.
    left_out : names of features that the funnel kept and the training split does not support: they are
        constant or empty there, or no category has enough patients.

    Examples
    --------
    >>> from dicomae.features.feature import Feature
    >>> from dicomae.features.spec import FeatureSpec
    >>> kvp = Feature("KVP", "KVP", None, "numeric", 80.0, 120.0, ())
    >>> modality = Feature("Modality", "Modality", None, "categorical", None, None, ("CT", "MR"))
    >>> spec = FeatureSpec((kvp, modality), "all")
    >>> spec.columns, spec.width
    (['KVP', 'Modality=CT', 'Modality=MR'], 3)
    >>> FeatureSpec.from_json(spec.to_json()) == spec
    True
    """

    features: tuple[Feature, ...]
    feature_set: str
    left_out: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Columns of X."""
        return sum(feature.width for feature in self.features)

    @property
    def columns(self) -> list[str]:
        """Name of each column of X."""
        return [column for feature in self.features for column in feature.columns]

    @property
    def spec_id(self) -> str:
        """SHA-256 of `to_json`."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """The specification as canonical JSON: equal specifications give equal text."""
        raw = {"version": VERSION} | dataclasses.asdict(self)
        return json.dumps(raw, sort_keys=True, separators=(",", ":"), allow_nan=False)

    def as_row(self, run_id: str) -> dict[str, object]:
        """The row of `feature_specs` that holds the specification."""
        return {
            "spec_id": self.spec_id,
            "feature_set": self.feature_set,
            "n_features": len(self.features),
            "width": self.width,
            "spec": self.to_json(),
            "run_id": run_id,
        }

    @staticmethod
    def from_json(text: str) -> "FeatureSpec":
        """The specification that `to_json` wrote.

        Raises
        ------
        UsageError
            The text is no such specification.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError):
            raise UsageError("the feature specification is no JSON") from None
        return _from_dict(raw)

    def encode(self, batch: pa.RecordBatch) -> Encoded:
        """Rows of a header batch as X; see `encoding` for each outcome."""
        return encoding.encode(self._plan, batch)

    @cached_property
    def _plan(self) -> encoding.Plan:
        return encoding.plan(self.features)


def fit(
    train: pa.RecordBatch | pa.Table,
    decided: pa.Table,
    config: FeaturesConfig,
    feature_set: str,
    labels: Sequence[str],
    needing_devices: Collection[str] = (),
) -> FeatureSpec:
    r"""The specification of the tags that the funnel kept, fitted on the training split.

    Parameters
    ----------
    train : header batch, or a table of header batches: the training split and nothing else. Beside the
        columns of features it has `PatientID: string`. All rows whose PatientID is null count as one
        patient.
    decided : what `funnel.decide` returns.
    feature_set : all, or without_labels, which leaves out the keys in `labels`.
    needing_devices : keys whose categories need `minimum_devices` devices too. When there are any, `train`
        has the columns `devices.COLUMNS` as well.

    Notes
    -----
    A category is a whole value: `ORIGINAL\PRIMARY` is one. The vocabulary holds every category that at
    least `minimum_patients` patients of the training split have. The vocabulary is stored with the model
    and shown in reports, and a category of few patients could point at one person. Patients are counted,
    not rows: one series can have hundreds of rows. What one device alone writes may be the name of its staff,
    so texts that are not known to be technical need devices too. The funnel has dropped tags with too many
    categories.

    Bounds are values of the training split; `bounds` says which. A multi-valued tag has as many features as
    its longest value in the training split has components, at most `maximum_values`.

    Raises
    ------
    UsageError
        `feature_set` is unknown, or the quantiles are not 0 <= lower < upper <= 1.

    Examples
    --------
    Two patients make a category here: CT becomes a column, and MR does not.

    >>> import pyarrow as pa
    >>> from dicomae.config import FeaturesConfig
    >>> from dicomae.features.spec import fit
    >>> from dicomae.tables import TEXTS
    >>> rows = [{"KVP": "80", "Modality": "CT"}, {"KVP": "120", "Modality": "CT"}, {"Modality": "MR"}]
    >>> train = pa.record_batch({
    ...     "PatientID": pa.array(["A", "B", "C"]),
    ...     "body_part": pa.nulls(3, pa.string()),
    ...     "elements": pa.array(rows, TEXTS),
    ... })
    >>> decided = pa.table({"key": ["KVP", "Modality"], "decision": ["numeric", "categorical"]})
    >>> settings = FeaturesConfig(
    ...     bounds="minmax", lower_quantile=0.0, upper_quantile=1.0, maximum_values=16, minimum_patients=2,
    ...     minimum_devices=1, absurd_beyond=100.0,
    ... )
    >>> found = fit(train, decided, settings, "all", labels=[])
    >>> found.columns, found.features[0].lower, found.features[0].upper
    (['KVP', 'Modality=CT'], 80.0, 120.0)
    """
    if feature_set not in FEATURE_SETS:
        raise UsageError(f"feature_set must be one of {', '.join(FEATURE_SETS)}, not {feature_set!r}")
    if not 0 <= config.lower_quantile < config.upper_quantile <= 1:
        given = f"{config.lower_quantile} and {config.upper_quantile}"
        raise UsageError(f"features.lower_quantile < upper_quantile must both be in 0..1, not {given}")
    kinds = dict(zip(decided["key"].to_pylist(), decided["decision"].to_pylist(), strict=True))
    excluded = labels if feature_set == FeatureSet.WITHOUT_LABELS else ()
    keys = sorted(key for key, kind in kinds.items() if kind != "dropped" and key not in excluded)
    seen = _seen_by_key(train, keys, bool(needing_devices))
    features: list[Feature] = []
    left_out: list[str] = []
    for key in keys:
        if kinds[key] == "numeric":
            fitted = _numeric(key, seen[key], config)
        else:
            least = config.minimum_devices if key in needing_devices else 1
            fitted = _categorical(key, seen[key], config.minimum_patients, least)
        features += [f for f in fitted if isinstance(f, Feature)]
        left_out += [f for f in fitted if isinstance(f, str)]
    return FeatureSpec(tuple(features), feature_set, tuple(left_out))


def _seen_by_key(
    train: pa.RecordBatch | pa.Table, keys: list[str], with_devices: bool
) -> dict[str, pa.Table]:
    """Key -> its elements in the training split: `_SEEN`, patients as numbers (-1: no PatientID)."""
    table = pa.Table.from_batches([train]) if isinstance(train, pa.RecordBatch) else train
    patients = table["PatientID"].combine_chunks().dictionary_encode().indices.fill_null(-1)
    made_by = devices.of_rows(table) if with_devices else pa.array(np.zeros(len(table), np.int32))
    codes, seen, start = [np.empty(0, np.int64)], [_SEEN.empty_table()], 0
    for batch in table.to_batches():
        found = elements.from_batch(batch, keys)
        rows = pa.array(found.rows + start)
        codes.append(found.codes)
        seen.append(pa.table([found.values, patients.take(rows), made_by.take(rows)], schema=_SEEN))
        start += len(batch)
    code = np.concatenate(codes)
    by_key = pa.concat_tables(seen).take(pa.array(np.argsort(code, kind="stable")))
    ends = np.cumsum(np.bincount(code, minlength=len(keys))).tolist()
    return {
        key: by_key.slice(end - n, n) for key, end, n in zip(keys, ends, np.diff([0, *ends]), strict=True)
    }


def _categorical(key: str, seen: pa.Table, patients: int, devices: int) -> list[Feature | str]:
    """The feature, or its name when none of its values has so many patients and devices."""
    counted = seen.group_by("value").aggregate([("patient", "count_distinct"), ("device", "count_distinct")])
    common = counted.filter(
        pc.and_(
            pc.greater_equal(counted["patient_count_distinct"], patients),
            pc.greater_equal(counted["device_count_distinct"], devices),
        )
    )
    unique = common["value"].combine_chunks()
    vocabulary = unique.filter(pa.array(values.is_category(unique))).to_pylist()
    if not vocabulary:
        return [key]
    return [Feature(key, key, None, "categorical", None, None, tuple(sorted(vocabulary)))]


def _numeric(key: str, seen: pa.Table, config: FeaturesConfig) -> list[Feature | str]:
    """A feature per component, or its name when it is constant or empty in the training split."""
    parsed = values.parse_numbers(seen["value"].combine_chunks())
    components = max(1, min(int(parsed.lengths.max(initial=0)), config.maximum_values, MAXIMUM_COMPONENTS))
    fitted: list[Feature | str] = []
    for component in range(components):
        index = None if components == 1 else component
        name = key if index is None else f"{key}{index}"
        numbers = parsed.numbers[parsed.starts[parsed.lengths > component] + component]
        found = bounds.fit(numbers[~np.isnan(numbers)], config)
        fitted.append(name if found is None else Feature(name, key, index, "numeric", *found, ()))
    return fitted


def _from_dict(raw: Any) -> FeatureSpec:
    names = {f.name for f in dataclasses.fields(FeatureSpec)}
    if not isinstance(raw, dict) or set(raw) != names | {"version"}:
        raise UsageError(f"a feature specification has the keys version, {', '.join(sorted(names))}")
    if raw["version"] != VERSION or type(raw["version"]) is not int:
        raise UsageError(f"this feature specification is of another version than {VERSION}")
    left_out = raw["left_out"]
    if not isinstance(raw["features"], list) or raw["feature_set"] not in FEATURE_SETS:
        raise UsageError("the feature specification has no list of features or no known feature_set")
    if not isinstance(left_out, list) or {*map(type, left_out)} - {str}:
        raise UsageError("the feature specification's left_out has another type")
    features = tuple(feature.from_dict(one) for one in raw["features"])
    if len({(f.key, f.index) for f in features}) < len(features):
        raise UsageError("a feature occurs twice in the specification")
    # A key is of one kind, and either split or whole.
    if len({(f.key, f.kind, f.index is None) for f in features}) > len({f.key for f in features}):
        raise UsageError("the specification treats one key in two ways")
    return FeatureSpec(features, raw["feature_set"], tuple(left_out))
