"""Train the autoencoder candidates on the sample and keep the best of each feature set.

.venv/bin/python jobs/train.py --tables DIR
"""

import sys

import pyarrow as pa

from dicomae.features.spec import FeatureSpec
from dicomae.models import registry, training
from dicomae.models.training import EpochErrors, Trained
from dicomae.spark import delta, encode, runs
from dicomae.spark.job import Context, Job, Summary, main
from dicomae.spark.progress import bar, note, step
from dicomae.tables import FEATURE_SPECS, HEADERS, MODELS, SAMPLE


def run(context: Context) -> Summary:
    rows, metrics = [], []
    for row in delta.read_small(context.root, FEATURE_SPECS).to_pylist():
        spec = FeatureSpec.from_json(row["spec"])
        trained = _train(context, spec)
        chosen = training.choose(trained, spec.width)
        model_id = _save(context, spec, chosen, trained)
        rows.append(_row(spec, chosen, model_id, context.run_id))
        metrics += _metrics(spec.feature_set, trained, rows[-1])
    delta.replace(context.root, MODELS, pa.Table.from_pylist(rows, schema=MODELS.schema))
    runs.write_metrics(context.root, "train", context.run_id, metrics)
    shown = ("model_id", "candidate", "width", "bottleneck", "validation_error")
    return {"models": {row["feature_set"]: {name: row[name] for name in shown} for row in rows}}


def _train(context: Context, spec: FeatureSpec) -> list[Trained]:
    config = context.config.training
    with step(context.spark, f"encoding the sample ({spec.feature_set})"):
        X_train, X_validation = (
            encode.of_split(context.spark, context.root, spec, split)[1] for split in ("train", "validation")
        )
    trained = []
    for candidate in config.candidates:
        with bar(f"training {candidate.name} ({spec.feature_set})", config.epochs, "epoch") as shown:

            def on_epoch(_: str, errors: EpochErrors) -> None:
                shown.set_postfix(train=f"{errors.train:.5f}", validation=f"{errors.validation:.5f}")
                shown.update(1)

            trained.append(training.train_candidate(X_train, X_validation, candidate, config, on_epoch))
        last = trained[-1].curves[-1].validation if trained[-1].curves else float("nan")
        note(f"  trained {candidate.name} ({spec.feature_set}): validation error {last:.5f}")
    return trained


def _save(context: Context, spec: FeatureSpec, chosen: Trained, trained: list[Trained]) -> str:
    read = {t.name: delta.version(context.root, t) for t in JOB.reads or ()}
    manifest = {
        **training.as_manifest(chosen, trained, context.config.training),
        "feature_set": spec.feature_set,
        "spec_id": spec.spec_id,
        "packages": runs.packages(),
        "provenance": {"run_id": context.run_id, "read_versions": read},
    }
    return registry.save(context.registry, chosen.model, manifest, spec.to_json())


def _row(spec: FeatureSpec, chosen: Trained, model_id: str, run_id: str) -> dict[str, object]:
    return {
        "feature_set": spec.feature_set,
        "model_id": model_id,
        "spec_id": spec.spec_id,
        "candidate": chosen.candidate.name,
        "width": spec.width,
        "bottleneck": chosen.model.config.bottleneck,
        "validation_error": chosen.curves[-1].validation,
        "run_id": run_id,
    }


def _metrics(feature_set: str, trained: list[Trained], row: dict) -> list:
    about = {"feature_set": feature_set}
    metrics = [
        (
            "reconstruction_error",
            {**about, "candidate": t.candidate.name, "part": part, "epoch": e.epoch},
            getattr(e, part),
        )
        for t in trained
        for e in t.curves
        for part in ("train", "validation")
    ]
    chosen = {**about, "candidate": row["candidate"], "model_id": row["model_id"]}
    metrics.append(("chosen", chosen, 1.0))
    metrics.append(("bottleneck", {**about, "model_id": row["model_id"]}, float(row["bottleneck"])))
    return metrics


JOB = Job("train", run, (HEADERS, SAMPLE, FEATURE_SPECS), ("training",))

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
