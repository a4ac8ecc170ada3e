"""What is not printed: that a connection has ended, and what Py4J raises as well."""

import logging
import socket
import socketserver
import threading

import pytest
from py4j.java_gateway import GatewayParameters, JavaGateway
from py4j.protocol import Py4JError

from dicomae.runtime import quiet


@pytest.mark.parametrize(
    ("error", "is_told"),
    [(EOFError(), False), (ConnectionResetError(104, "reset"), False), (KeyError(), True)],
)
def test_a_server_tells_of_no_connection_that_ended(
    capfd: pytest.CaptureFixture[str], error: Exception, is_told: bool
) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            raise error

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        quiet.hush_end_of_connection(server)
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        socket.create_connection(server.server_address).close()
        serving.join()
    assert (type(error).__name__ in capfd.readouterr().err) == is_told


def test_what_py4j_raises_is_not_logged_and_what_others_log_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    quiet.log_to_standard_error()
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port))
    with pytest.raises((Py4JError, ConnectionRefusedError)):
        gateway.jvm.java.lang.System.exit(0)
    assert capsys.readouterr().err == ""
    try:
        raise KeyError
    except KeyError:
        logging.exception("ours")
    assert "ERROR root: ours\nTraceback" in capsys.readouterr().err
