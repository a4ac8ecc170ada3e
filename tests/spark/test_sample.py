"""The sample: the paper's criteria, balance, and a split that keeps patients together."""

from collections import Counter, defaultdict
from dataclasses import replace

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dicomae.config import Config
from dicomae.features import modality
from dicomae.spark.modality import normalised
from dicomae.spark.sample import eligible, sample

COLUMNS = (
    "SOPInstanceUID string, PatientID string, StudyInstanceUID string, Modality string, body_part string, "
    "body_part_source string, PhotometricInterpretation string, SamplesPerPixel int, has_window boolean, "
    "has_pixel_data boolean"
)


def _row(i: int, modality: str = "CT", patient: str | None = None, **other: object) -> tuple[object, ...]:
    values = {"photometric": "MONOCHROME2", "samples": 1, "window": True, "pixels": True, **other}
    who = patient or f"P{i % 200}"
    return (f"1.{i}", who, f"2.{who}", modality, None, "unknown", *values.values())


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    made = [_row(i, "CT") for i in range(2000)] + [_row(2000 + i, "MR") for i in range(300)]
    return spark.createDataFrame(made, COLUMNS)


def test_only_the_papers_criteria_are_eligible(spark: SparkSession, conf: Config) -> None:
    made = [
        _row(0),
        _row(1, photometric="MONOCHROME1"),
        _row(2, photometric="RGB"),
        _row(3, samples=3),
        _row(4, window=False),
        _row(5, pixels=False),
        _row(6, "US"),
        _row(7, samples=None),
        _row(8, "ct"),
        _row(9, "CT\\PT"),
        _row(10, "PT\\CT"),
        _row(11, ""),
    ]
    found = eligible(spark.createDataFrame(made, COLUMNS), conf.sample).select("SOPInstanceUID").collect()
    assert sorted(row[0] for row in found) == ["1.0", "1.1", "1.8", "1.9"]


def test_a_modality_is_normalised_and_what_was_written_otherwise_is_marked(
    spark: SparkSession, conf: Config
) -> None:
    written = ["CT", "ct", " Ct", "CT ", "CT\\PT", "\\ct\0", "MR", "mr\\"]
    frame = spark.createDataFrame([_row(i, text) for i, text in enumerate(written)], COLUMNS)
    found = sample(frame, conf.sample).orderBy(F.col("SOPInstanceUID")).collect()
    assert [row["Modality"] for row in found] == ["CT"] * 6 + ["MR"] * 2
    assert [row["as_written"] for row in found] == [True] + [False] * 5 + [True, False]


def test_spark_normalises_as_the_kernel_does(spark: SparkSession) -> None:
    texts = [
        "CT",
        "ct\n",
        "\\ \\",
        "",
        None,
        " \0",
        "a\\b\\c",
        "x y",
        "\\\\MR\\",
        "\tNm\r\n",
        "CT\nMR",
        "ct \\PT",
    ]
    frame = spark.createDataFrame([(text,) for text in texts], "Modality string")
    found = [row[0] for row in frame.select(normalised()).collect()]
    assert found == modality.normalised(pa.array(texts)).to_pylist()


def test_the_sample_is_balanced_and_repeatable(rows: DataFrame, conf: Config) -> None:
    config = replace(conf.sample, per_modality=400)
    first = {tuple(row) for row in sample(rows, config).collect()}
    again = {tuple(row) for row in sample(rows.repartition(7), config).collect()}
    other = {tuple(row) for row in sample(rows, replace(config, seed=1)).collect()}
    assert Counter(row[1] for row in first) == {"CT": 400, "MR": 300}
    assert first == again
    assert first != other


def test_no_patient_is_in_two_parts(rows: DataFrame, conf: Config) -> None:
    parts = defaultdict(set)
    for row in sample(rows, conf.sample).collect():
        parts[int(row["SOPInstanceUID"][2:]) % 200].add(row["split"])
    assert all(len(splits) == 1 for splits in parts.values())


def test_the_parts_have_their_shares(rows: DataFrame, conf: Config) -> None:
    config = replace(conf.sample, split_by="instance")
    counts = Counter(row["split"] for row in sample(rows, config).collect())
    total = sum(counts.values())
    # 2,300 draws: three standard deviations are below 3 %.
    for part, share in (("train", 0.72), ("validation", 0.08), ("test", 0.20)):
        assert abs(counts[part] / total - share) < 0.03
