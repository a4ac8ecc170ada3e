"""A Spark session with Delta, the same whether spark-submit or plain Python starts the job.

What Spark writes beside the tables lies in folders of this process that only the owner can read, and is
encrypted there (`conf/spark-defaults.conf`). With a local master everything binds to loopback.
"""

import atexit
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

import dicomae
from dicomae.config import SparkConfig
from dicomae.errors import UsageError
from dicomae.lake import private
from dicomae.lake.private import PrivateFolder
from dicomae.runtime import daemon, quiet
from dicomae.runtime.launch import launch

# The checkout, which has `conf/spark-defaults.conf` and the default folder of jars, `.jars`.
HOME = Path(dicomae.__file__).resolve().parents[2]

_LOOPBACK = "127.0.0.1"
_LOCAL_DIRS = "SPARK_LOCAL_DIRS"  # of the environment; Spark prefers it to the setting
_LOCAL_DIR = "spark.local.dir"
_LONGEST_SOCKET_FOLDER = 45  # characters: a socket's whole path has no more than 107
_SECONDS_TO_END = 30  # which Java may take


def start(app_name: str, config: SparkConfig) -> SparkSession:
    """A session with the Delta jars, extension and catalog; `app_name` is what Spark's pages call it.

    Raises
    ------
    UsageError
        The jars' folder has no Delta jars, or a folder of `spark.local.dir` cannot be made.
    """
    jars = _jars(Path(config.jars_dir) if config.jars_dir else HOME / ".jars")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {"spark.app.name": app_name}
    settings |= _defaults(HOME / "conf" / "spark-defaults.conf") | config.options
    settings["spark.jars"] = ",".join(str(jar) for jar in jars)
    settings[f"spark.executorEnv.{daemon.UMASK}"] = f"{private.current_umask():03o}"
    settings |= {} if submitted() else _of_driver(config)
    master = _master(config)
    folders = _private_folders(master, settings)
    if master.startswith("local"):
        settings |= _on_loopback(folders[0].path)
    if submitted():
        _add_to_driver(jars)
    else:
        launch(settings, folders[0].path)
    spark = _session(settings)
    spark.sparkContext.setLogLevel("ERROR")
    quiet.hush_end_of_connection(spark.sparkContext._accumulatorServer)
    return spark


def submitted() -> bool:
    """Whether spark-submit started this process; then the JVM is already there."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _session(settings: dict[str, str]) -> SparkSession:
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _of_driver(config: SparkConfig) -> dict[str, str]:
    """Settings that Java needs when it starts."""
    logging = f"-Dlog4j2.configurationFile={(HOME / 'conf' / 'log4j2.properties').as_uri()}"
    found = {
        "spark.driver.memory": config.driver_memory,
        "spark.driver.extraJavaOptions": f"{logging} {config.driver_java_options}",
    }
    return found | ({"spark.master": config.master} if config.master else {})


def _master(config: SparkConfig) -> str:
    """The master that the session will have; that of spark-submit wins."""
    if not submitted():
        return config.master
    SparkContext._ensure_initialized()
    return SparkConf().get("spark.master", config.master) or ""


def _on_loopback(sockets: Path) -> dict[str, str]:
    """Settings of a local master: nothing of it is reached from another machine, or by another user."""
    found = {"spark.driver.host": _LOOPBACK, "spark.driver.bindAddress": _LOOPBACK}
    found["spark.python.unix.domain.socket.dir"] = str(sockets)
    if not submitted():
        os.environ["SPARK_LOCAL_IP"] = _LOOPBACK  # where Spark's pages, and a local cluster, are
    elif os.environ.get("SPARK_LOCAL_IP") != _LOOPBACK:
        found["spark.ui.enabled"] = "false"  # Java runs already, and would show them to every network
    return found


def _private_folders(master: str, settings: dict[str, str]) -> list[PrivateFolder]:
    """Folders that are removed at the end: the first for sockets and the like, more for what Spark spills.

    `settings` names the latter afterwards. YARN and Kubernetes have their own for what is spilt.
    """
    is_short = len(tempfile.gettempdir()) <= _LONGEST_SOCKET_FOLDER
    first = _private_folder(None if is_short else Path("/tmp"))  # noqa: S108 - a new folder is made there
    if not master.startswith(("local", "spark://")):
        return [first]
    bases = os.environ.get(_LOCAL_DIRS) or settings.get(_LOCAL_DIR) or tempfile.gettempdir()
    spilled = [_private_folder(Path(base).absolute()) for base in bases.split(",") if base]
    settings[_LOCAL_DIR] = ",".join(str(folder.path) for folder in spilled)
    if os.environ.get(_LOCAL_DIRS) and not submitted():
        os.environ[_LOCAL_DIRS] = settings[_LOCAL_DIR]
    return [first, *spilled]


def _private_folder(base: Path | None) -> PrivateFolder:
    """A folder below `base`, in which killed processes leave nothing either; it is removed at the end."""
    try:
        if base is not None:
            base.mkdir(parents=True, exist_ok=True)
        private.remove_abandoned(base)
        folder = PrivateFolder(base)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(f"spark.local.dir {base or tempfile.gettempdir()}: no folder here: {why}") from error
    atexit.register(_end, folder)
    return folder


def _end(folder: PrivateFolder) -> None:
    """Wait until Java, which writes into it, has ended, and remove a folder."""
    with suppress(Exception, KeyboardInterrupt):
        if submitted():
            _stop_session()
        else:
            _end_java()
    folder.remove()


def _stop_session() -> None:
    session = SparkSession.getActiveSession()
    if session is not None:
        session.stop()


def _end_java() -> None:
    java = getattr(SparkContext._gateway, "proc", None)
    if java is not None:
        java.stdin.close()
        java.wait(_SECONDS_TO_END)


def _jars(folder: Path) -> list[Path]:
    jars = sorted(folder.resolve().glob("*.jar"))
    if not any(jar.name.startswith("delta-spark") for jar in jars):
        raise UsageError(f"{folder}: no Delta jars here; scripts/stage-jars {folder} fetches them")
    return jars


def _defaults(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(None, 1) for line in lines if line.strip() and not line.startswith("#"))
    return {key: value.strip() for key, value in pairs}


def _add_to_driver(jars: Sequence[Path]) -> None:
    """Put jars on the running driver's class path, as spark-submit does with `--jars`.

    When the driver's JVM already runs, `spark.jars` set from Python reaches the executors alone.
    """
    jvm: Any = SparkContext._jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for jar in jars:
        loader.addURL(jvm.java.io.File(str(jar)).toURI().toURL())
