"""The two servers in Node that the documentation shows, met by a rude client and by a replay."""

import contextlib
import hmac
import json
import re
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest
import requests
from kit.rawserver import free_port

from facematch_mock_server import MockServer

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/test/node.md"
COMPOSE = ROOT / "docs/examples/compose/node/server.mjs"
SHOP = Path(__file__).with_name("drill_programs") / "page.mjs"
SECRET = "the-secret-of-the-webhook"
WORKFLOW = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"
NINETY_DAYS_S = 90 * 86_400
SERVERS = pytest.mark.parametrize("server", ["page", "compose"], indirect=True)


class PageServer:
    """The program of the page about Node, in a shop with a route for each question."""

    def write(self, folder, port, mock):
        shutil.copy(SHOP, folder)
        page = PAGE.read_text()
        for title, code in re.findall(r'```js title="(.*?)"\n(.*?)```', page, re.DOTALL):
            (folder / title).write_text(code)
        return ["node", SHOP.name, str(port)]

    def begin(self, url):
        return requests.post(f"{url}/verify?customer=ada", timeout=20).json()["sessionId"]

    def believes(self, url, session):
        state = requests.get(f"{url}/state?customer=ada", timeout=20).json()
        return state == {"state": "approved"}


class ComposeServer:
    """The server of the example with Docker Compose, with the mock's address and a free port."""

    def write(self, folder, port, mock):
        code = COMPOSE.read_text().replace("listen(8000)", f"listen({port}, '127.0.0.1')")
        (folder / "server.mjs").write_text(code.replace("https://verification.didit.me", mock.url))
        return ["node", "server.mjs"]

    def begin(self, url):
        return requests.post(f"{url}/begin", timeout=20).text

    def believes(self, url, session):
        return requests.get(f"{url}/verdict?session={session}", timeout=20).text == "yes"


@pytest.fixture
def mock():
    with MockServer(vendor="didit") as mock:
        yield mock


@pytest.fixture
def server(request, mock, tmp_path, find_program):
    """A server of the documentation that runs, with its `url`."""
    find_program("node")
    server = {"page": PageServer, "compose": ComposeServer}[request.param]()
    port = free_port()
    command = server.write(tmp_path, port, mock)
    environment = {
        "PATH": str(Path(find_program("node")).parent),
        "DIDIT_BASE_URL": mock.url,
        "DIDIT_API_KEY": mock.live_key,
        "DIDIT_WORKFLOW_ID": WORKFLOW,
        "DIDIT_WEBHOOK_SECRET": SECRET,
    }
    server.url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
        yield server
        process.terminate()


def send(url, text, *, aborts):
    """Send the text of a request; return the status, or None after an abort."""
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(text.encode())
        if not aborts:
            return int(client.makefile("rb").readline().split()[1])
        # The close is a reset, as of a client that was killed.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return None


@SERVERS
def test_aborted_request_and_odd_paths_leave_the_server_running(server):
    head = "Host: x\r\nConnection: close\r\n"
    partly = f"POST /webhook HTTP/1.1\r\n{head}Content-Length: 100\r\n\r\nabc"
    for _ in range(3):
        send(server.url, partly, aborts=True)
        for path in ("//", "*", "http://[/"):
            status = send(server.url, f"GET {path} HTTP/1.1\r\n{head}\r\n", aborts=False)
            assert 200 <= status < 600
    assert not server.believes(server.url, "none")


@SERVERS
def test_approved_webhook_that_is_replayed_wins_over_no_later_decision(server, mock):
    receiver = f"{server.url}/webhook"
    mock.control.webhooks.add(receiver, secret=SECRET)
    session = server.begin(server.url)
    mock.control.sessions.finish(session, "p1")
    (*_, approved) = mock.control.webhooks.wait()
    assert server.believes(server.url, session)
    letter = mock.control.webhooks.delivery(approved.id)
    mock.control.sessions.decide(session, "Declined")
    mock.control.webhooks.wait()
    assert not server.believes(server.url, session)

    again = requests.post(receiver, data=letter.body, headers=letter.headers, timeout=20)
    assert again.ok  # it is signed and new, so the server asks Didit
    assert not server.believes(server.url, session)

    old = json.loads(letter.body) | {"timestamp": int(time.time()) - NINETY_DAYS_S}
    body = json.dumps(old).encode()
    headers = {
        "X-Timestamp": str(int(time.time())),
        "X-Signature": hmac.digest(SECRET.encode(), body, "sha256").hex(),
    }
    assert requests.post(receiver, data=body, headers=headers, timeout=20).status_code == 401
