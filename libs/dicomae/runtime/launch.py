"""Java's start, with its settings in a file that only the owner can read; everybody sees a command line."""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyspark import SparkContext

_SUBMIT_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"  # what PySpark's launcher adds to the command line of Java
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/*+,[]")


def launch(settings: Mapping[str, str], folder: Path) -> None:
    """Start Java with these settings of Spark, unless it runs already.

    Parameters
    ----------
    folder : a private folder; the settings lie there until Java has read them.
    """
    path = folder / "spark.properties"
    path.write_text(as_properties(settings), encoding="ascii")
    try:
        with _submitting(path):
            SparkContext._ensure_initialized()
    finally:
        path.unlink(missing_ok=True)


def as_properties(settings: Mapping[str, str]) -> str:
    r"""The settings as a file of Java's properties.

    Examples
    --------
    >>> print(as_properties({"spark.app.name": "a b", "spark.master": "local[2]"}))
    spark.app.name=a\u0020b
    spark.master=local[2]
    """
    return "\n".join(f"{_escaped(key)}={_escaped(value)}" for key, value in settings.items())


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2))
    return "".join(chr(code) if chr(code) in _PLAIN else f"\\u{code:04x}" for code in codes)


@contextmanager
def _submitting(path: Path) -> Iterator[None]:
    """Let PySpark's launcher name the file; what Spark's own `spark-defaults.conf` says holds beside it."""
    before = os.environ.get(_SUBMIT_ARGUMENTS)
    named = f"--properties-file {shlex.quote(str(path))} --load-spark-defaults"
    os.environ[_SUBMIT_ARGUMENTS] = f"{named} {before or 'pyspark-shell'}"
    try:
        yield
    finally:
        del os.environ[_SUBMIT_ARGUMENTS]
        if before is not None:
            os.environ[_SUBMIT_ARGUMENTS] = before
