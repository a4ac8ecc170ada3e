"""What the report counts from the tables."""

from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dicomae import tables
from dicomae.config import Config
from dicomae.lake import delta
from dicomae.spark.report import cell_counts, report_data


def test_a_modality_of_few_patients_is_other(spark: SparkSession) -> None:
    rows: list[tuple[str | None, str | None]] = [
        *[("CT", f"P{i}") for i in (1, 1, 2, 3, 4, 5)],
        *[("ANNA", f"P{i}") for i in (1, 2, 3, 4, 4, 4)],
        *[("MR", f"P{i}" if i < 4 else None) for i in range(6)],  # four, and the unknown as one
        *[("XA", None)] * 7,
        *[(None, f"P{i}") for i in range(2)],
    ]
    headers = spark.createDataFrame(rows, "Modality string, PatientID string")
    assert cell_counts(headers, F.col("Modality")) == {"CT": 6, "MR": 6, "other": 15}
    assert cell_counts(headers.limit(0), F.col("Modality")) == {}


def test_the_others_are_never_few(spark: SparkSession) -> None:
    rows: list[tuple[str | None, str]] = [
        *[("CT", f"P{i}") for i in range(9)],
        *[("MR", f"P{i}") for i in range(5)],
        ("ANNA", "P1"),
    ]
    headers = spark.createDataFrame(rows, "Modality string, PatientID string")
    assert cell_counts(headers, F.col("Modality")) == {"CT": 9, "other": 6}
    few = headers.where("PatientID < 'P3'")
    assert cell_counts(few, F.col("Modality")) == {"other": 7}


def test_no_creator_element_is_shown_and_no_creator_that_is_not_public(
    spark: SparkSession, conf: Config, root: Path
) -> None:
    creators = ("00090010", "ASequence[0].002900FF")
    keys = ("KVP", "0009xx01 GEMS_IDEN_01", "0009xx01 CLINIC OF ANNA", *creators)
    rows = [{"scope": scope, "key": key} for scope in ("archive", "sample") for key in keys]
    delta.replace(root, tables.TAG_STATISTICS, pa.Table.from_pylist(rows, tables.TAG_STATISTICS.schema))
    shown = report_data(spark, root, conf).tag_statistics["key"].to_pylist()
    assert sorted(shown) == ["0009xx01 (private)", "0009xx01 GEMS_IDEN_01", "KVP"]
