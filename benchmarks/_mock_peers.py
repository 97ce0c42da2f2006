"""The servers that ``mock_server.py`` compares. Each prints its port and runs until it is stopped.

python benchmarks/_mock_peers.py NAME [ANSWER]

ANSWER is the JSON response of the static servers. Only the server NAME is imported, so a Python
with only that server's package can run it.
"""

import sys


def ours(_answer):
    """Run `MockServer` with sufficient credit and rate limit."""
    from facematch_mock_server import MockServer, VirtualClock

    server = MockServer(clock=VirtualClock(running=True))
    server.control.set_balance(10**9)
    server.control.set_limit("write", 10**9)
    return server.start().port


def pytest_httpserver(answer):
    """Run pytest-httpserver with a static JSON response, as in its documentation."""
    import json

    from pytest_httpserver import HTTPServer

    server = HTTPServer()
    server.expect_request("/v3/face-match/", method="POST").respond_with_json(json.loads(answer))
    server.start()
    return server.port


def moto(_answer):
    """Run moto's server, whose CompareFaces always returns the same result."""
    import logging

    from moto.server import ThreadedMotoServer

    # werkzeug logs every request, which would be measured, too.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return server.get_host_and_port()[1]


def wiremock(answer):
    """Run WireMock (jar: WIREMOCK) without its journal, with a static JSON response."""
    import os
    import shlex
    import socket
    import subprocess
    import tempfile
    import time
    from pathlib import Path

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    root = Path(tempfile.mkdtemp())
    (root / "mappings").mkdir()
    request = '{"method": "POST", "urlPath": "/v3/face-match/"}'
    mapping = f'{{"request": {request}, "response": {{"jsonBody": {answer}}}}}'
    (root / "mappings" / "face-match.json").write_text(mapping)
    command = ["java", "-jar", os.environ["WIREMOCK"], "--port", str(port)]
    command += ["--no-request-journal", "--use-chunked-encoding", "never", "--root-dir", str(root)]
    java = shlex.join(command)
    # The server ends when this standard input is closed.
    subprocess.Popen(["sh", "-c", f"{java} >&2 & cat >&2; kill $!; rm -r {shlex.quote(str(root))}"])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
        else:
            return port


SERVERS = {
    "ours": ours,
    "pytest-httpserver": pytest_httpserver,
    "moto": moto,
    "wiremock": wiremock,
}

if __name__ == "__main__":
    print(SERVERS[sys.argv[1]]("".join(sys.argv[2:])), flush=True)
    sys.stdin.read()  # until the parent process closes it or ends
