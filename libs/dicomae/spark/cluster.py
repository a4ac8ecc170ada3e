"""What the clustering takes from the tables: models with their specifications, and the rows of a split."""

from collections.abc import Iterator
from pathlib import Path

from pyspark.sql import SparkSession

from dicomae.clustering import medoids
from dicomae.clustering.medoids import SplitVectors
from dicomae.codes import Space
from dicomae.config import ClusteringConfig
from dicomae.features import packing
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta
from dicomae.models import registry
from dicomae.spark import encode, frames
from dicomae.tables import EMBEDDINGS, MODELS, SAMPLE, ModelRow, model_rows


def check(root: Path, config: ClusteringConfig) -> None:
    """Raise UsageError when a K is above the number of training instances."""
    splits = delta.read_small(root, SAMPLE, ["split"])["split"].to_pylist()
    medoids.check_enough(splits.count("train"), config.n_clusters)


def specs(root: Path, registry_root: Path) -> Iterator[tuple[ModelRow, FeatureSpec]]:
    """Each chosen model's row of `models`, and the specification frozen with it."""
    for row in model_rows(delta.read_small(root, MODELS)):
        yield row, FeatureSpec.from_json(registry.load(registry_root, row.model_id).spec_json)


def split_vectors(
    spark: SparkSession, root: Path, model: ModelRow, spec: FeatureSpec, split: str
) -> SplitVectors:
    """Rows of a split of the sample in both spaces of a model, on the driver."""
    uids, X = encode.of_split(spark, root, spec, split)
    chosen = frames.read(spark, root, SAMPLE).where(f"split = '{split}'").select("SOPInstanceUID")
    embedded = frames.read(spark, root, EMBEDDINGS).where(f"model_id = '{model.model_id}'")
    rows = embedded.join(chosen, "SOPInstanceUID", how="left_semi").select("SOPInstanceUID", "embedding")
    embeddings = rows.toArrow().sort_by("SOPInstanceUID")
    if embeddings["SOPInstanceUID"].to_pylist() != uids:
        raise ValueError("embeddings and headers hold other instances: run jobs/embed.py again")
    matrix = packing.as_matrix(embeddings["embedding"], model.bottleneck)
    return SplitVectors(model.feature_set, model.model_id, uids, {Space.ORIGINAL: X, model.space: matrix})
