"""The process that starts Spark's Python workers; it does two things otherwise than Spark's own.

A worker that Spark lets go ends without a word. When a worker has been idle for a minute, Spark closes its
socket. If the socket is a socket file, the worker's last message fails, and Spark's own daemon prints a
traceback, though nothing went wrong.

A failure that dicomae explains itself comes to the driver as its class and its sentence, without a traceback:
`dicomae.errors.UsageError: "/pacs: no such folder"`. `failures.of_a_task` makes an exception of it again.
"""

import json
import socket
from collections.abc import Callable
from functools import partial
from typing import IO

from pyspark import daemon, util
from pyspark.serializers import SpecialLengths, write_int, write_with_length

from dicomae.errors import DicomaeError

Worker = Callable[[socket.socket, bool], int]
Teller = Callable[..., None]


def quiet(worker: Worker, sock: socket.socket, authenticated: bool) -> int:
    """The exit code of `worker`; 1 when Spark has closed the socket."""
    try:
        return worker(sock, authenticated)
    except BrokenPipeError:
        return 1


def tell(otherwise: Teller, error: BaseException, outfile: IO[bytes], hide: bool | None = None) -> None:
    """Send a task's failure to Java: class and sentence of a DicomaeError, else what `otherwise` sends."""
    if not isinstance(error, DicomaeError):
        otherwise(error, outfile, hide)
        return
    write_int(SpecialLengths.PYTHON_EXCEPTION_THROWN, outfile)  # type: ignore[no-untyped-call]
    write_with_length(in_one_line(error).encode(), outfile)  # type: ignore[no-untyped-call]


def in_one_line(error: DicomaeError) -> str:
    """Class and sentence, the sentence as JSON: `dicomae.errors.UsageError: "/pacs: no such folder"`."""
    return f"{DicomaeError.__module__}.{type(error).__name__}: {json.dumps(str(error))}"


if __name__ == "__main__":
    daemon.worker = partial(quiet, daemon.worker)
    util.handle_worker_exception = partial(tell, util.handle_worker_exception)
    daemon.manager()
