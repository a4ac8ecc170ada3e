"""A Spark session with Delta, the same whether spark-submit or plain Python starts the job."""

import os
import sys
from pathlib import Path
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

import dicomae
from dicomae.config import SparkConfig
from dicomae.errors import UsageError
from dicomae.runtime import quiet

# The checkout, which has `conf/spark-defaults.conf` and the default folder of jars, `.jars`.
HOME = Path(dicomae.__file__).resolve().parents[2]


def start(app_name: str, config: SparkConfig) -> SparkSession:
    """A session with the Delta jars, extension and catalog; `app_name` is what Spark's pages call it.

    Raises
    ------
    UsageError
        The jars' folder has no Delta jars.
    """
    jars = _jars(Path(config.jars_dir) if config.jars_dir else HOME / ".jars")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name)
    for key, value in {**_defaults(HOME / "conf" / "spark-defaults.conf"), **config.options}.items():
        builder = builder.config(key, value)
    builder = builder.config("spark.jars", ",".join(str(jar) for jar in jars))
    if submitted():
        _add_to_driver(jars)
    else:
        builder = builder.config("spark.driver.memory", config.driver_memory)
        logging = f"-Dlog4j2.configurationFile={(HOME / 'conf' / 'log4j2.properties').as_uri()}"
        options = f"{logging} {config.driver_java_options}"
        builder = builder.config("spark.driver.extraJavaOptions", options)
        if config.master:
            builder = builder.master(config.master)
        if config.master.startswith("local"):
            builder = builder.config("spark.driver.host", "127.0.0.1")
            builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    quiet.hush_end_of_connection(spark.sparkContext._accumulatorServer)
    return spark


def submitted() -> bool:
    """Whether spark-submit started this process; then the JVM is already there."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _jars(folder: Path) -> list[Path]:
    jars = sorted(folder.resolve().glob("*.jar"))
    if not any(jar.name.startswith("delta-spark") for jar in jars):
        raise UsageError(f"{folder}: no Delta jars here; scripts/stage-jars {folder} fetches them")
    return jars


def _defaults(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(None, 1) for line in lines if line.strip() and not line.startswith("#"))
    return {key: value.strip() for key, value in pairs}


def _add_to_driver(jars: list[Path]) -> None:
    """Put jars on the running driver's class path, as spark-submit does with `--jars`.

    When the driver's JVM already runs, `spark.jars` set from Python reaches the executors alone.
    """
    SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for jar in jars:
        loader.addURL(jvm.java.io.File(str(jar)).toURI().toURL())
