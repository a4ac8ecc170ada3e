"""Keeps PySpark and Py4J from printing tracebacks when Java ends or Ctrl-C comes; the job says a sentence."""

import logging
import sys
from pathlib import Path
from socketserver import BaseServer
from typing import Any


def log_to_standard_error() -> None:
    """Log the warnings of libraries, but not the tracebacks that Py4J logs: it raises the same errors too."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.root.handlers:
        handler.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record is anything but a traceback of Py4J."""
    return record.exc_info is None or Path(record.pathname).parent.name != "py4j"


def hush_end_of_connection(server: BaseServer) -> None:
    """Let a server, such as PySpark's of accumulators, print no traceback when the other side has ended."""
    tell = server.handle_error

    def handle_error(request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], EOFError | ConnectionError):
            tell(request, client_address)

    server.handle_error = handle_error  # type: ignore[method-assign]
