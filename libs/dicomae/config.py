"""The configuration: frozen dataclasses read from TOML; nothing has a default in code.

`conf/default.toml` is the one place of the defaults, with the lists of `conf/privacy.toml`, which it
extends. Another file begins with `extends = "default.toml"` (a path relative to itself) and names only the
keys that it changes.

A field is a key of the file, with its type, range and unit: `threads: Annotated[int, from_to(1, 1024)]` is
the key `threads` of the section `[training]`.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dicomae.ranges import (
    DIFFERENT,
    NOT_EMPTY,
    above_and_below,
    above_up_to,
    each_from_to,
    either,
    from_to,
    from_to_below,
    from_to_key,
    matching,
)
from dicomae.toml_files import read_extended, resolved
from dicomae.typed_tables import build, out_of_range

_MASTER = matching(
    r"|yarn|local(\[(\*|[1-9]\d{0,3})(,\d{1,3})?\])?|local-cluster\[.+\]|(spark|k8s)://.+",
    '"", local[2], local[*], spark://HOST:7077, yarn or k8s://…',
)
# As Java's -Xmx takes it.
_MEMORY = matching(r"[1-9]\d{0,5}[mMgG]|[1-9]\d{3,8}[kK]|[1-9]\d?[tT]", "a size such as 2g or 1500m")
_SEED = from_to(0, (1 << 32) - 1)  # as scikit-learn takes it


@dataclass(frozen=True)
class SparkConfig:
    """How a session starts; `options` go to Spark as they are."""

    master: Annotated[str, _MASTER]  # "" leaves the choice to spark-submit
    driver_memory: Annotated[str, _MEMORY]  # a JVM size such as "2g"; no effect under spark-submit
    driver_java_options: str  # to the JVM as they are; no effect under spark-submit
    jars_dir: str  # folder of the Delta jars; "" is the checkout's .jars
    options: dict[str, str]


@dataclass(frozen=True)
class IngestConfig:
    """How headers are read."""

    # A longer header is quarantined as `too_large`.
    header_limit_bytes: Annotated[int, from_to(1024, 1 << 30)]
    # Of a file; further reads follow as far as its header goes.
    first_read_bytes: Annotated[int, from_to_key(1024, "header_limit_bytes")]
    # Storage that takes longer for one answer is left behind: the file is quarantined as `timeout`.
    read_timeout_seconds: Annotated[float, from_to(1, 86_400)]
    # An archive above one of these three is quarantined as `archive_bomb`.
    archive_limit_members: Annotated[int, from_to(1, 100_000_000)]
    archive_limit_bytes: Annotated[int, from_to(1, 1 << 50)]  # of all members together, decompressed
    # Decompressed bytes for each byte of the archive.
    archive_limit_ratio: Annotated[int, from_to(1, 1_000_000)]
    batch_files: Annotated[int, from_to(1, 100_000)]  # files that are parsed together
    files_per_part: Annotated[int, from_to(1, 10_000_000)]  # rows of a Parquet part, at the most
    # After so many files what was read becomes visible.
    files_per_commit: Annotated[int, from_to(1, 1_000_000_000)]
    same_uid: Literal["first", "newest"]  # which file keeps a SOPInstanceUID that others have too
    follow_links: bool  # whether links of local folders are followed that lead out of the source
    trust_folders: bool  # whether files of a folder that has not changed are taken for unchanged
    flatten_sequences: tuple[str, ...]  # keywords of SQ elements whose first item is flattened
    functional_groups: Annotated[tuple[str, ...], DIFFERENT]  # paths there, whose values become elements


@dataclass(frozen=True)
class SampleConfig:
    """Which instances the experiment uses."""

    modalities: Annotated[tuple[str, ...], DIFFERENT]  # values of Modality, such as "CT"
    photometric_interpretations: Annotated[tuple[str, ...], DIFFERENT]  # such as "MONOCHROME2"
    per_modality: Annotated[int, from_to(1, 10_000_000)]  # instances of each modality, at the most
    minimum_per_modality: Annotated[int, from_to_key(0, "per_modality")]  # fewer is an error
    split_by: Literal["patient", "instance"]  # "patient": all instances of a patient are in one split
    train: Annotated[float, above_and_below(0, 1)]  # share of the sample; the three shares sum to 1
    validation: Annotated[float, above_and_below(0, 1)]
    test: Annotated[float, above_and_below(0, 1)]
    seed: Annotated[int, _SEED]


@dataclass(frozen=True)
class FunnelConfig:
    """Which tags become features."""

    minimum_unique: Annotated[int, either(1, 2)]  # unique values of a tag; 2 drops constants
    minimum_fill: Annotated[float, from_to(0, 1)]  # share of the rows whose value is not empty
    fill_scope: Literal["global", "any_modality"]  # of all rows, or of the rows of one modality at least
    maximum_categories: Annotated[int, from_to(1, 100_000)]  # unique values of a categorical tag
    minimum_numeric_share: Annotated[float, from_to(0, 1)]  # numbers among a numeric tag's values
    excluded_vrs: tuple[str, ...]  # such as "UI"
    # Keywords that name a person, an order or a device, and of sequences in which all else does.
    identifiers: Annotated[tuple[str, ...], NOT_EMPTY]
    free_text: tuple[str, ...]  # keywords that hold natural language
    technical_terms: tuple[str, ...]  # keywords of texts that devices and their software write
    labels: tuple[str, ...]  # keywords that the evaluation compares with


@dataclass(frozen=True)
class FeaturesConfig:
    """How values become columns."""

    bounds: Literal["clipped", "minmax"]
    lower_quantile: Annotated[float, from_to_below(0, 0.5)]  # of a tag's numbers; lower ones are clipped
    upper_quantile: Annotated[float, above_up_to(0.5, 1)]  # higher ones are clipped
    # Widths of the middle 80 % of a tag's numbers; a number further outside is absurd, and never a bound.
    absurd_beyond: Annotated[float, from_to(1, 1_000_000)]
    # Values of a multi-valued numeric tag that become features.
    maximum_values: Annotated[int, from_to(1, 10_000)]
    # Of the training split who have a category, or it is none.
    minimum_patients: Annotated[int, from_to(1, 1_000_000)]
    # Of the training split that have a category of a text that no list of the funnel names, or it is none.
    minimum_devices: Annotated[int, from_to(1, 1_000_000)]


@dataclass(frozen=True)
class Candidate:
    """One autoencoder to try."""

    name: str
    # Widths of the layers after the first one, which has the input's width.
    hidden: Annotated[tuple[int, ...], each_from_to(1, 65_536, most=16)]
    bottleneck: Annotated[float, above_up_to(0, 0.1)]  # share of the input's width
    learning_rate: Annotated[float, above_up_to(0, 10)]


@dataclass(frozen=True)
class TrainingConfig:
    """How the autoencoder of tags is trained."""

    epochs: Annotated[int, from_to(1, 100_000)]  # passes over the training split
    batch_size: Annotated[int, from_to(2, 1_000_000)]  # rows; batch normalisation needs two
    negative_slope: Annotated[float, from_to_below(0, 1)]  # of the leaky ReLU
    threads: Annotated[int, from_to(1, 1024)]  # of torch
    seed: Annotated[int, _SEED]
    candidates: tuple[Candidate, ...]  # one or more, of different names


@dataclass(frozen=True)
class EmbeddingConfig:
    """How rows are encoded and compressed."""

    batch_rows: Annotated[int, from_to(1, 1_000_000)]  # rows that are encoded together


@dataclass(frozen=True)
class ClusteringConfig:
    """K-medoids under the Manhattan distance."""

    engine: Literal["fasterpam", "alternate"]
    n_clusters: Annotated[tuple[int, ...], DIFFERENT, each_from_to(1, 100_000, most=100)]  # every K
    maximum_iterations: Annotated[int, from_to(1, 1_000_000)]  # passes over the rows
    seed: Annotated[int, _SEED]


@dataclass(frozen=True)
class EvaluationConfig:
    """Scores and significance."""

    average_method: Literal["arithmetic", "geometric", "min", "max"]  # of the normalised mutual information
    alpha: Annotated[float, above_and_below(0, 1)]  # level of significance
    equivalence_margin: Annotated[float, above_and_below(0, 1)]  # difference of scores that does not matter
    bootstrap_samples: Annotated[int, from_to(1, 1_000_000)]
    seed: Annotated[int, _SEED]


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
        """Hash of the values of these sections, or of all when none is named; the same in every process."""
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
    tables = read_extended(path, missing="no such configuration file; conf/default.toml is a start")
    rules = tables.get("body_part_rules")
    if isinstance(rules, str):
        tables["body_part_rules"] = str(resolved(path.parent / rules))
    config = build(Config, tables, where=str(path))
    _check_shares(config.sample, where=str(path))
    _check_names(config.training, where=str(path))
    return config


def _check_shares(sample: SampleConfig, where: str) -> None:
    """Raise UsageError unless the splits' shares sum to 1."""
    total = sample.train + sample.validation + sample.test
    if abs(total - 1) >= 1e-9:
        raise out_of_range(where, "sample.train + validation + test", total, "1")


def _check_names(training: TrainingConfig, where: str) -> None:
    """Raise UsageError unless there is a candidate, and no two have one name."""
    names = tuple(candidate.name for candidate in training.candidates)
    if not DIFFERENT.holds(names, training):
        raise out_of_range(where, "training.candidates", names, DIFFERENT.words(training))
