"""What the commands that make synthetic data share: a failure in one sentence, last line, exit code."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from dicomae.errors import DicomaeError, UsageError


class Parser(argparse.ArgumentParser):
    """A command line; a bad call raises `UsageError`."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong."""
        raise UsageError(f"{message}; see --help")


def run(
    parser: Parser,
    write: Callable[[argparse.Namespace], dict[str, object]],
    arguments: Sequence[str] | None,
) -> int:
    """Exit code of a command: 0, 1 after a failure, 2 after a bad call.

    Parameters
    ----------
    write : does the work and returns a summary. That becomes the last line of standard output, with the
        seconds that the work took.
    arguments : of the command line; None stands for those of the process.
    """
    started = time.monotonic()
    try:
        summary = write(parser.parse_args(arguments))
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except (DicomaeError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps({**summary, "seconds": round(time.monotonic() - started, 2)}) + "\n")
    return 0
