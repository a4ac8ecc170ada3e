"""Standard error of a job that spark-submit started.

spark-submit sends Python's standard error to its own standard output, where a job's last line goes. So what
Python writes to standard error is handed to the driver's JVM, which has the true one.
"""

import io
import sys
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkContext

from dicomae.runtime import session


class _OfTheDriver(io.TextIOBase):
    """The JVM's standard error. It is written in UTF-8, whatever the JVM's own encoding is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        data = bytearray(text.encode("utf-8", "backslashreplace"))
        try:
            self._stream.write(data, 0, len(data))
            self._stream.flush()
        except (Py4JError, OSError):  # the JVM has gone
            sys.__stderr__.write(text)  # type: ignore[union-attr]
        return len(text)


def keep_errors_apart() -> None:
    """Make `sys.stderr` the true standard error when spark-submit started this process."""
    if session.submitted():
        SparkContext._ensure_initialized()
        jvm: Any = SparkContext._jvm
        sys.stderr = _OfTheDriver(jvm.java.lang.System.err)
