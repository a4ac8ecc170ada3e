"""The sample: eligible instances, balanced by Modality, split without chance."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from dicomae.config import SampleConfig
from dicomae.spark.modality import normalised

_BUCKETS = 1_000_000


def eligible(headers: DataFrame, config: SampleConfig) -> DataFrame:
    """Rows that satisfy the paper's criteria: grayscale pixel data, a window, a wanted Modality."""
    return headers.where(
        normalised().isin(*config.modalities)
        & F.col("PhotometricInterpretation").isin(*config.photometric_interpretations)
        & (F.col("SamplesPerPixel") == 1)
        & F.col("has_window")
        & F.col("has_pixel_data")
    )


def sample(headers: DataFrame, config: SampleConfig) -> DataFrame:
    """At most `per_modality` instances of each Modality, each with its split.

    Their Modality is normalised; `as_written` says whether the file has it so. The order is a seeded hash
    of SOPInstanceUID, so the same archive gives the same sample.
    """
    by_modality = Window.partitionBy("Modality").orderBy("order", "SOPInstanceUID")
    ordered = (
        eligible(headers, config)
        .withColumn("as_written", F.col("Modality") == normalised())
        .withColumn("Modality", normalised())
        .withColumn("order", _hash(config.seed, F.col("SOPInstanceUID")))
    )
    chosen = ordered.withColumn("rank", F.row_number().over(by_modality))
    return chosen.where(F.col("rank") <= config.per_modality).select(
        "SOPInstanceUID",
        "Modality",
        "body_part",
        "body_part_source",
        _split(config).alias("split"),
        "as_written",
    )


def _split(config: SampleConfig) -> Column:
    """train, validation or test, by a hash of the patient (the study, where no patient is named)."""
    patient = F.coalesce("PatientID", "StudyInstanceUID", "SOPInstanceUID")
    who = patient if config.split_by == "patient" else F.col("SOPInstanceUID")
    position = F.pmod(_hash(config.seed + 1, who), F.lit(_BUCKETS)) / _BUCKETS
    split = F.when(position < config.train, "train")
    return split.when(position < config.train + config.validation, "validation").otherwise("test")


def _hash(seed: int, column: Column) -> Column:
    return F.xxhash64(F.lit(seed), column)
