"""The process that starts Spark's Python workers, without the traceback that Spark's own prints.

When a worker has been idle for a minute, Spark closes its socket. If the socket is a socket file, the
worker's last message fails, and Spark's own daemon prints a traceback, though nothing went wrong.
"""

import socket
from collections.abc import Callable
from functools import partial

from pyspark import daemon

Worker = Callable[[socket.socket, bool], int]


def quiet(worker: Worker, sock: socket.socket, authenticated: bool) -> int:
    """The exit code of `worker`; 1 when Spark has closed the socket."""
    try:
        return worker(sock, authenticated)
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    daemon.worker = partial(quiet, daemon.worker)
    daemon.manager()
