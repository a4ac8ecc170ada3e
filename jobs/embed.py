"""Compress every row of headers with the chosen models: an embedding for each row and model.

A row that a model has already embedded is left as it is, so a nightly run embeds only the new ones.

  .venv/bin/python jobs/embed.py --tables DIR
"""

import sys
from dataclasses import dataclass

import pyarrow as pa

from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta
from dicomae.models import registry
from dicomae.runtime.command import main
from dicomae.runtime.job import Context, Job
from dicomae.runtime.progress import step
from dicomae.spark import encode, frames
from dicomae.spark.frames import write_parts
from dicomae.tables import EMBEDDINGS, HEADERS, MODELS, model_rows


@dataclass(frozen=True)
class EmbedCounts:
    """What was embedded."""

    models: list[str]  # ids
    embedded: int  # new rows of `embeddings`


def run(context: Context) -> EmbedCounts:
    version = delta.version(context.root, EMBEDDINGS)
    ids = [model.model_id for model in model_rows(delta.read_small(context.root, MODELS))]
    parts = [_embed(context, model_id) for model_id in ids]
    rows = delta.commit_parts(context.root, EMBEDDINGS, pa.concat_tables(parts), version, overwrite=False)
    return EmbedCounts(models=ids, embedded=rows)


def _embed(context: Context, model_id: str) -> pa.Table:
    spark, root = context.spark, context.root
    saved = registry.load(context.registry, model_id)
    spec = FeatureSpec.from_json(saved.spec_json)
    weights = spark.sparkContext.broadcast(saved.weights)
    batch_rows, run_id = context.config.embedding.batch_rows, context.run_id
    done = frames.read(spark, root, EMBEDDINGS).where(f"model_id = '{model_id}'")
    todo = frames.read(spark, root, HEADERS).join(done, "SOPInstanceUID", how="left_anti")
    with step(spark, f"embedding with {model_id}"):
        return write_parts(
            todo.select(*encode.COLUMNS),
            root,
            EMBEDDINGS,
            lambda: encode.embedding_kernel(weights, saved.kind, spec, model_id, batch_rows, run_id),
        )


JOB = Job("embed", run, (HEADERS, MODELS), ("embedding",), writes=(EMBEDDINGS,))

if __name__ == "__main__":
    sys.exit(main([JOB], __doc__))
