"""The process that starts Spark's Python workers, quiet about those that Spark lets go.

Spark ends a worker that has been idle for a minute by closing its socket. Over a socket file the worker's
farewell then fails, for which Spark's own daemon prints a traceback: nothing went wrong.
"""

import socket
from collections.abc import Callable
from functools import partial

from pyspark import daemon

Worker = Callable[[socket.socket, bool], int]


def quiet(worker: Worker, sock: socket.socket, authenticated: bool) -> int:
    """What `worker` returns, an exit code; 1 where nobody listens any more."""
    try:
        return worker(sock, authenticated)
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    daemon.worker = partial(quiet, daemon.worker)
    daemon.manager()
