"""The training of every feature set's candidates, as rows of `models` and as metrics."""

from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from dicomae.config import TrainingConfig
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta, runs
from dicomae.models import registry, training
from dicomae.models.training import EpochErrors, Trained
from dicomae.runtime.progress import bar, note, step
from dicomae.spark import encode
from dicomae.tables import FEATURE_SPECS, HEADERS, SAMPLE, TAG_STATISTICS

_MADE_FROM = (HEADERS, SAMPLE, TAG_STATISTICS, FEATURE_SPECS)


def candidates(spark: SparkSession, root: Path, spec: FeatureSpec, config: TrainingConfig) -> list[Trained]:
    """Every candidate, trained on the sample's training split, with a bar that shows its errors."""
    with step(spark, f"encoding the sample ({spec.feature_set})"):
        _, X_train = encode.of_split(spark, root, spec, "train")
        _, X_validation = encode.of_split(spark, root, spec, "validation")
    trained = []
    for candidate in config.candidates:
        with bar(f"training {candidate.name} ({spec.feature_set})", config.epochs, "epoch") as shown:

            def on_epoch(_: str, errors: EpochErrors) -> None:
                shown.set_postfix(train=f"{errors.train:.5f}", validation=f"{errors.validation:.5f}")
                shown.update(1)

            trained.append(training.train_candidate(X_train, X_validation, candidate, config, on_epoch))
        note(f"  trained {candidate.name} ({spec.feature_set}): {_outcome(trained[-1])}")
    return trained


def save(
    root: Path, store: Path, spec: FeatureSpec, chosen: Trained, manifest: dict[str, Any], run_id: str
) -> str:
    """The identity of the chosen model, saved below `store` with what it was made from."""
    read_versions = {table.name: delta.version(root, table) for table in _MADE_FROM}
    about = {
        "feature_set": spec.feature_set,
        "spec_id": spec.spec_id,
        "packages": runs.packages(),
        "provenance": {"run_id": run_id, "read_versions": read_versions},
    }
    return registry.save(store, chosen.model, {**manifest, **about}, spec.to_json())


def _outcome(trained: Trained) -> str:
    if trained.diverged_at is not None:
        return f"diverged in epoch {trained.diverged_at}; it is out"
    return f"validation error {trained.curves[-1].validation:.5f}"
