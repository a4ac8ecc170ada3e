"""What the report counts from the tables."""

from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.lake import delta
from dicomae.spark.report import modality_counts, report_data


def test_a_modality_of_few_patients_is_other(spark: SparkSession) -> None:
    rows: list[tuple[str | None, str | None]] = [
        *[("CT", f"P{i}") for i in (1, 1, 2, 3, 4, 5)],
        *[("ANNA", f"P{i}") for i in (1, 2, 3, 4, 4, 4)],
        *[("MR", f"P{i}" if i < 4 else None) for i in range(6)],  # four, and the unknown as one
        *[("XA", None)] * 7,
        *[(None, f"P{i}") for i in range(2)],
    ]
    headers = spark.createDataFrame(rows, "Modality string, PatientID string")
    assert modality_counts(headers) == {"other": 13, "CT": 6, "MR": 6, "missing": 2}
    assert modality_counts(headers.limit(0)) == {}


def test_a_creator_that_is_not_public_is_not_shown(spark: SparkSession, conf: Config, root: Path) -> None:
    keys = ("KVP", "0009xx01 GEMS_IDEN_01", "0009xx01 CLINIC OF ANNA")
    rows = [{"scope": scope, "key": key} for scope in ("archive", "sample") for key in keys]
    delta.replace(root, tables.TAG_STATISTICS, pa.Table.from_pylist(rows, tables.TAG_STATISTICS.schema))
    shown = report_data(spark, root, conf).tag_statistics["key"].to_pylist()
    assert sorted(shown) == ["0009xx01 (private)", "0009xx01 GEMS_IDEN_01", "KVP"]
