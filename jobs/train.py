"""Train every candidate of the autoencoder on the sample, and keep the best one of each feature set.

.venv/bin/python jobs/train.py --tables DIR
"""

import sys
from dataclasses import asdict, dataclass

import pyarrow as pa

from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta, runs
from dicomae.models import registry, training
from dicomae.models.chosen import Chosen, model_row
from dicomae.models.chosen import metrics as chosen_metrics
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.spark import train
from dicomae.tables import FEATURE_SPECS, HEADERS, METRICS, MODELS, SAMPLE, Metric, ModelRow, model_rows


@dataclass(frozen=True)
class TrainCounts:
    """What was chosen, by feature set."""

    models: dict[str, Chosen]


def run(context: Context) -> TrainCounts:
    config, root = context.config.training, context.root
    rows: list[ModelRow] = []
    metrics: list[Metric] = []
    for row in delta.read_small(root, FEATURE_SPECS).to_pylist():
        spec = FeatureSpec.from_json(row["spec"])
        trained = train.candidates(context.spark, root, spec, config)
        chosen = training.choose(trained, spec.width)
        manifest = training.as_manifest(chosen, trained, config)
        model_id = train.save(root, context.registry, spec, chosen, manifest, context.run_id)
        rows.append(model_row(chosen, spec.feature_set, spec.spec_id, model_id, context.run_id))
        metrics += chosen_metrics(trained, rows[-1])
    delta.replace(root, MODELS, pa.Table.from_pylist([asdict(row) for row in rows], schema=MODELS.schema))
    runs.write_metrics(root, "train", context.run_id, metrics)
    return TrainCounts({row.feature_set: Chosen.of(row) for row in rows})


def intact(context: Context) -> bool:
    models = model_rows(delta.read_small(context.root, MODELS))
    return all(registry.is_sound(context.registry, model.model_id) for model in models)


JOB = Job(
    "train", run, (HEADERS, SAMPLE, FEATURE_SPECS), ("training",), intact=intact, writes=(MODELS, METRICS)
)

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
