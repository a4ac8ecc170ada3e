"""Starting a session: the jars, with a clear word where they are missing."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from dicomae.config import Config
from dicomae.errors import UsageError
from dicomae.runtime import session


def test_a_folder_without_jars_is_a_bad_call(tmp_path: Path, conf: Config) -> None:
    with pytest.raises(UsageError, match=r"scripts/stage-jars"):
        session.start("x", replace(conf.spark, jars_dir=str(tmp_path)))


def test_the_session_reads_delta_and_keeps_utc(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.sql.extensions") == "io.delta.sql.DeltaSparkSessionExtension"
