"""A server that speaks S3, on loopback, for the tests: moto in a process of its own."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pyarrow.fs as pafs

KEY, SECRET = "AKIDEXAMPLE", "wJalr/secret+K7"  # which no message may tell
SERVE = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


@contextmanager
def serving() -> Iterator[str]:
    """`host:port` of a server that is empty, and ends with the context."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-c", SERVE, address.partition(":")[2]]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait(address, server)
            yield address
        finally:
            server.terminate()


def uri_of(address: str, path: str, key: str = KEY) -> str:
    """How `pyarrow.fs` names a path of the server, its first part being a bucket."""
    password = quote(SECRET, safe="")
    return f"s3://{key}:{password}@{quote(path)}?endpoint_override={address}&scheme=http&region=us-east-1"


def empty(address: str, *buckets: str) -> pafs.FileSystem:
    """The server's file system, with these buckets and nothing else."""
    post(address, "reset", b"")
    filesystem, _ = pafs.FileSystem.from_uri(uri_of(address, "any") + "&allow_bucket_creation=true")
    for bucket in buckets:
        filesystem.create_dir(bucket)
    return filesystem


def post(address: str, name: str, body: bytes) -> None:
    """Ask the server's own interface for something."""
    url = f"http://{address}/moto-api/{name}"
    request = urllib.request.Request(url, body, {"Content-Type": "text/plain"}, method="POST")
    urllib.request.urlopen(request).close()


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://{address}/moto-api/", timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if server.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the S3 server did not start")
