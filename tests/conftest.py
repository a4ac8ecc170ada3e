"""Fixtures: one Spark session for all tests, with Delta, on loopback."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pyspark.sql import SparkSession

from dicomae import config
from dicomae.config import Config

HOME = Path(__file__).resolve().parents[1]
SHARED_DICOM = HOME.parent / "shared" / "dicom"

# A change must not fail by an example that another change's run would have drawn.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def conf() -> Config:
    """The configuration of one machine."""
    return config.load(HOME / "conf" / "local.toml")


@pytest.fixture(scope="session")
def spark(conf: Config) -> Iterator[SparkSession]:
    """A session as the jobs start it, on two cores."""
    from dataclasses import replace

    from dicomae.runtime import session

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    started = session.start("tests", replace(conf.spark, master="local[2]", driver_memory="1g"))
    yield started
    started.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of empty tables."""
    from dicomae.lake import delta

    delta.prepare(tmp_path / "tables")
    return tmp_path / "tables"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server that speaks S3, for the tests of a module."""
    import s3server

    with s3server.serving() as found:
        yield found
