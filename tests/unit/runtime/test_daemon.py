"""Workers that Spark lets go end without a word."""

import io
import os
import socket
import subprocess
import sys

import pytest

from dicomae.errors import UsageError
from dicomae.runtime import daemon

WORKER = """
import socket
from pyspark.daemon import worker
from dicomae.runtime.daemon import quiet
ours, theirs = socket.socketpair()
theirs.close()
print({call})
"""


def test_a_worker_whose_peer_has_gone_is_no_error():
    def ended(call: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WORKER.format(call=call)]
        as_spark_starts_it = {**os.environ, "PYTHON_DAEMON_KILL_WORKER_ON_FLUSH_FAILURE": "1"}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=as_spark_starts_it)

    assert "BrokenPipeError" in ended("worker(ours, True)").stderr  # what Spark's own daemon prints
    quietly = ended("quiet(worker, ours, True)")
    assert (quietly.stdout, quietly.stderr, quietly.returncode) == ("1\n", "", 0)


def test_any_other_error_stays_one():
    def broken(_: socket.socket, __: bool) -> int:
        raise ConnectionError("other")

    with socket.socket() as sock, pytest.raises(ConnectionError, match="other"):
        daemon.quiet(broken, sock, True)


def test_a_failure_that_explains_itself_is_sent_as_its_sentence_and_any_other_as_spark_does():
    sent, left = io.BytesIO(), []
    daemon.tell(lambda *told: left.append(told), UsageError("/pacs: gone"), sent)
    assert sent.getvalue()[8:] == b'dicomae.errors.UsageError: "/pacs: gone"'
    other = KeyError("x")
    daemon.tell(lambda *told: left.append(told), other, sent)
    assert left == [(other, sent, None)]
