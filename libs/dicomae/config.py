"""The configuration: frozen dataclasses read from TOML; nothing has a default in code.

`conf/default.toml` is the one place of the defaults. Another file names it with
`extends = "default.toml"` (relative to itself) and changes what it must.
"""

import dataclasses
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dicomae.errors import UsageError
from dicomae.toml_files import read_toml

_Rule = tuple[str, Any, bool, str]  # key, value, whether it may be, what may be

_MASTER = re.compile(r"|yarn|local(\[(\*|[1-9]\d*)(,\d+)?\])?|local-cluster\[.+\]|(spark|k8s)://.+")
_MEMORY = re.compile(r"[1-9]\d*[kmgt]", re.IGNORECASE)  # as Java's -Xmx takes it


@dataclass(frozen=True)
class SparkConfig:
    """How a session starts; `options` go to Spark as they are."""

    master: str  # "" leaves the choice to spark-submit
    driver_memory: str  # a JVM size such as "2g"; no effect under spark-submit
    driver_java_options: str  # to the JVM as they are; no effect under spark-submit
    jars_dir: str  # folder of the Delta jars; "" is the checkout's .jars
    options: dict[str, str]


@dataclass(frozen=True)
class IngestConfig:
    """How headers are read."""

    first_read_bytes: int  # first read of a file; others follow as far as its header goes
    header_limit_bytes: int  # a longer header is quarantined as `too_large`
    read_timeout_seconds: float  # that storage may take to answer once; then it is quarantined as `timeout`
    archive_limit_members: int  # an archive that has more is quarantined as `archive_bomb`
    archive_limit_bytes: int  # of all members together, decompressed
    archive_limit_ratio: int  # decompressed bytes for each byte of the archive
    batch_files: int  # files that are parsed together
    files_per_part: int  # rows of a Parquet part, at the most
    files_per_commit: int  # after so many files what has been read becomes visible
    same_uid: Literal["first", "newest"]  # which file keeps a SOPInstanceUID that others have too
    trust_folders: bool  # whether files of a folder that has not changed are taken for unchanged
    flatten_sequences: tuple[str, ...]  # keywords of SQ elements whose first item is flattened


@dataclass(frozen=True)
class SampleConfig:
    """Which instances the experiment uses."""

    modalities: tuple[str, ...]
    photometric_interpretations: tuple[str, ...]
    per_modality: int  # instances of each modality, at the most
    minimum_per_modality: int  # fewer is an error
    split_by: Literal["patient", "instance"]
    train: float
    validation: float
    test: float
    seed: int


@dataclass(frozen=True)
class FunnelConfig:
    """Which tags become features."""

    minimum_unique: int
    minimum_fill: float
    fill_scope: Literal["global", "any_modality"]
    maximum_categories: int
    minimum_numeric_share: float  # of the values read that parse as numbers, to be numeric
    excluded_vrs: tuple[str, ...]
    identifiers: tuple[str, ...]  # keywords that name a person, an order or a device
    free_text: tuple[str, ...]  # keywords that hold natural language
    labels: tuple[str, ...]  # keywords that the evaluation compares with


@dataclass(frozen=True)
class FeaturesConfig:
    """How values become columns."""

    bounds: Literal["clipped", "minmax"]
    lower_quantile: float
    upper_quantile: float
    maximum_values: int  # values of a multi-valued numeric tag that become features
    minimum_patients: int  # of the training part that have a category, for it to be one


@dataclass(frozen=True)
class Candidate:
    """One autoencoder to try; sizes of None mean the input's width."""

    name: str
    hidden: tuple[int, ...]  # after the first layer, which has the input's width
    bottleneck: float  # share of the input's width, at most 0.10
    learning_rate: float


@dataclass(frozen=True)
class TrainingConfig:
    """How the autoencoder of tags is trained."""

    epochs: int
    batch_size: int
    negative_slope: float
    threads: int
    seed: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class EmbeddingConfig:
    """How rows are encoded and compressed."""

    batch_rows: int


@dataclass(frozen=True)
class ClusteringConfig:
    """K-medoids under the Manhattan distance."""

    engine: Literal["fasterpam", "alternate"]
    n_clusters: tuple[int, ...]
    maximum_iterations: int
    seed: int


@dataclass(frozen=True)
class EvaluationConfig:
    """Scores and significance."""

    average_method: Literal["arithmetic", "geometric", "min", "max"]
    alpha: float
    equivalence_margin: float
    bootstrap_samples: int
    seed: int


@dataclass(frozen=True)
class Config:
    """Everything that a run depends on, beside its data."""

    spark: SparkConfig
    ingest: IngestConfig
    sample: SampleConfig
    funnel: FunnelConfig
    features: FeaturesConfig
    training: TrainingConfig
    embedding: EmbeddingConfig
    clustering: ClusteringConfig
    evaluation: EvaluationConfig
    body_part_rules: str  # path of conf/bodypart.toml, relative to the configuration file

    def sha256(self, *sections: str) -> str:
        """Hash of the named sections (all where none is named), stable across runs."""
        chosen = dataclasses.asdict(self)
        if sections:
            chosen = {name: chosen[name] for name in sections}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def load(path: Path) -> Config:
    """The configuration that `path` and the files it extends describe.

    Raises
    ------
    UsageError
        A file is missing or no TOML, a key is unknown or missing, a value has another type or is out of
        range.
    """
    raw = _read(path, seen=())
    rules = raw.get("body_part_rules")
    if isinstance(rules, str):
        raw["body_part_rules"] = str((path.parent / rules).resolve())
    config = typing.cast(Config, _build(Config, raw, where=str(path), key=""))
    _check_ranges(config, where=str(path))
    return config


def _check_ranges(config: Config, where: str) -> None:
    rules = [
        *_spark_rules(config.spark),
        *_ingest_rules(config.ingest),
        *_sample_rules(config.sample),
        *_funnel_rules(config.funnel),
        *_features_rules(config.features),
        *_training_rules(config.training),
        *_at_least(1, "embedding", batch_rows=config.embedding.batch_rows),
        *_clustering_rules(config.clustering),
        *_evaluation_rules(config.evaluation),
    ]
    for key, value, holds, allowed in rules:
        if not holds:
            raise UsageError(f"{where}: key '{key}' must be {allowed}, not {value!r}")


def _at_least(least: int, section: str, **values: int) -> Iterator[_Rule]:
    for name, value in values.items():
        yield f"{section}.{name}", value, value >= least, f"at least {least}"


def _different(key: str, values: Sequence[object]) -> _Rule:
    return key, list(values), 0 < len(values) == len(set(values)), "a list of one or more different values"


def _spark_rules(spark: SparkConfig) -> Iterator[_Rule]:
    master = _MASTER.fullmatch(spark.master) is not None
    yield "spark.master", spark.master, master, '"", local[2], local[*], spark://HOST:7077, yarn or k8s://…'
    memory = _MEMORY.fullmatch(spark.driver_memory) is not None
    yield "spark.driver_memory", spark.driver_memory, memory, "a size such as 2g or 1500m"


def _ingest_rules(ingest: IngestConfig) -> Iterator[_Rule]:
    first, limit = ingest.first_read_bytes, ingest.header_limit_bytes
    yield from _at_least(1024, "ingest", header_limit_bytes=limit)
    allowed = f"from 1024 to header_limit_bytes ({limit})"
    yield "ingest.first_read_bytes", first, 1024 <= first <= limit, allowed
    timeout = ingest.read_timeout_seconds
    yield "ingest.read_timeout_seconds", timeout, 1 <= timeout < math.inf, "at least 1"
    yield from _at_least(
        1,
        "ingest",
        archive_limit_members=ingest.archive_limit_members,
        archive_limit_bytes=ingest.archive_limit_bytes,
        archive_limit_ratio=ingest.archive_limit_ratio,
        batch_files=ingest.batch_files,
        files_per_part=ingest.files_per_part,
        files_per_commit=ingest.files_per_commit,
    )


def _sample_rules(sample: SampleConfig) -> Iterator[_Rule]:
    yield _different("sample.modalities", sample.modalities)
    yield _different("sample.photometric_interpretations", sample.photometric_interpretations)
    most, least = sample.per_modality, sample.minimum_per_modality
    yield from _at_least(1, "sample", per_modality=most)
    yield "sample.minimum_per_modality", least, 0 <= least <= most, f"from 0 to per_modality ({most})"
    yield from _at_least(0, "sample", seed=sample.seed)
    for name in ("train", "validation", "test"):
        share = getattr(sample, name)
        yield f"sample.{name}", share, 0 < share < 1, "above 0 and below 1"
    total = sample.train + sample.validation + sample.test
    yield "sample.train + validation + test", total, abs(total - 1) < 1e-9, "1"


def _funnel_rules(funnel: FunnelConfig) -> Iterator[_Rule]:
    for name in ("minimum_fill", "minimum_numeric_share"):
        share = getattr(funnel, name)
        yield f"funnel.{name}", share, 0 <= share <= 1, "from 0 to 1"
    yield "funnel.minimum_unique", funnel.minimum_unique, funnel.minimum_unique in (1, 2), "1 or 2"
    yield from _at_least(1, "funnel", maximum_categories=funnel.maximum_categories)


def _features_rules(features: FeaturesConfig) -> Iterator[_Rule]:
    lower, upper = features.lower_quantile, features.upper_quantile
    yield "features.lower_quantile", lower, 0 <= lower < 0.5, "from 0 to below 0.5"
    yield "features.upper_quantile", upper, 0.5 < upper <= 1, "above 0.5, up to 1"
    values, patients = features.maximum_values, features.minimum_patients
    yield from _at_least(1, "features", maximum_values=values, minimum_patients=patients)


def _training_rules(training: TrainingConfig) -> Iterator[_Rule]:
    yield from _at_least(1, "training", epochs=training.epochs, threads=training.threads)
    yield from _at_least(2, "training", batch_size=training.batch_size)
    yield from _at_least(0, "training", seed=training.seed)
    slope = training.negative_slope
    yield "training.negative_slope", slope, 0 <= slope < 1, "from 0 to below 1"
    yield _different("training.candidates", [candidate.name for candidate in training.candidates])
    for i, candidate in enumerate(training.candidates):
        key = f"training.candidates[{i}]"
        yield f"{key}.hidden", list(candidate.hidden), min(candidate.hidden, default=1) >= 1, "sizes above 0"
        share, rate = candidate.bottleneck, candidate.learning_rate
        yield f"{key}.bottleneck", share, 0 < share <= 0.1, "above 0, up to 0.1"
        yield f"{key}.learning_rate", rate, 0 < rate < math.inf, "above 0"


def _clustering_rules(clustering: ClusteringConfig) -> Iterator[_Rule]:
    sizes = clustering.n_clusters
    yield _different("clustering.n_clusters", sizes)
    yield "clustering.n_clusters", list(sizes), min(sizes, default=0) >= 1, "numbers of 1 or more"
    yield from _at_least(1, "clustering", maximum_iterations=clustering.maximum_iterations)
    yield from _at_least(0, "clustering", seed=clustering.seed)


def _evaluation_rules(evaluation: EvaluationConfig) -> Iterator[_Rule]:
    margin = evaluation.equivalence_margin
    yield "evaluation.alpha", evaluation.alpha, 0 < evaluation.alpha < 1, "above 0 and below 1"
    yield "evaluation.equivalence_margin", margin, 0 < margin < 1, "above 0 and below 1"
    yield from _at_least(1, "evaluation", bootstrap_samples=evaluation.bootstrap_samples)
    yield from _at_least(0, "evaluation", seed=evaluation.seed)


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise UsageError(f"{path}: key 'extends' leads back to this file")
    raw = read_toml(path, "no such configuration file; conf/default.toml is a start")
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    return _merged(_read(path.parent / str(parent), (*seen, path)), raw)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _build(cls: type, raw: Any, where: str, key: str) -> Any:
    if not isinstance(raw, dict):
        raise UsageError(f"{where}: key '{key}' must be a table, not {raw!r}")
    hints = typing.get_type_hints(cls)
    prefix = f"{key}." if key else ""
    for name in raw:
        if name not in hints:
            known = ", ".join(sorted(hints))
            raise UsageError(f"{where}: unknown key '{prefix}{name}'; known are: {known}")
    for name in hints:
        if name not in raw:
            raise UsageError(f"{where}: key '{prefix}{name}' is missing; extend default.toml")
    values = {n: _value(t, raw[n], where, prefix + n) for n, t in hints.items()}
    return cls(**values)


def _value(hint: Any, raw: Any, where: str, key: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _build(typing.cast(type, hint), raw, where, key)
    if origin is Literal and raw in arguments:
        return raw
    if origin is tuple and isinstance(raw, list):
        return tuple(_value(arguments[0], v, where, f"{key}[{i}]") for i, v in enumerate(raw))
    if origin is dict and isinstance(raw, dict):
        return {k: _value(arguments[1], v, where, f"{key}.{k}") for k, v in raw.items()}
    if hint is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) and type(raw) is hint:
        return raw
    simple = isinstance(hint, type) and origin is None
    wanted = hint.__name__ if simple else str(hint)
    if origin is Literal:
        wanted = f"one of {', '.join(map(repr, arguments))}"
    raise UsageError(f"{where}: key '{key}' must be {wanted}, not {raw!r}")
