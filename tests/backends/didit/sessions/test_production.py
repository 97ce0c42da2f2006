"""The service of the page at the vendor's own name, by the variables of the page and no others."""

import http.server
import importlib
import ssl
import sys
import threading
import warnings
from pathlib import Path

import pytest
import requests
import trustme

from facematch_core.http import MOCK_HEADER
from facematch_mock_server import MockServer, make_card

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it wants the next httpx
    from fastapi.testclient import TestClient

HOST = "verification.didit.me"
APP = Path(__file__).parents[4] / "docs" / "examples" / "sessions_app"
ABOUT, CSRF = "payout 1: 250 EUR", "a-token-of-the-form"


class Vendor(http.server.BaseHTTPRequestHandler):
    """A mock without the mark of one."""

    protocol_version, url = "HTTP/1.1", ""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        with requests.Session() as session:
            session.trust_env = False
            reply = session.request(self.command, self.url + self.path, data=body, headers=headers)
        # Its links lead to itself.
        content = reply.content.replace(self.url.encode(), f"https://{HOST}".encode())
        self.send_response(reply.status_code)
        for name, value in reply.headers.items():
            if name not in (MOCK_HEADER, "Content-Length", "Connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the standard library

    def log_message(self, *_):
        pass


class Tunnel(Vendor):
    """A proxy that leads to it by the vendor's name alone."""

    context = vendor = None

    def do_CONNECT(self):
        assert self.path == f"{HOST}:443"
        self.send_response(200)
        self.end_headers()
        with self.context.wrap_socket(self.connection, server_side=True) as connection:
            self.vendor(connection, self.client_address, self.server)
        self.close_connection = True


@pytest.fixture
def mock():
    with MockServer() as mock:
        yield mock


@pytest.fixture
def proxy(mock, tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    vendor = type("There", (Vendor,), {"url": mock.url})
    tunnel = type("Here", (Tunnel,), {"vendor": vendor, "context": context})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), tunnel) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        # What a network has: a name for the vendor, and whom to trust.
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
        yield
        server.shutdown()


@pytest.fixture
def shop(mock, proxy, tmp_path, monkeypatch):
    hook = mock.control.webhooks.add("http://127.0.0.1:9/didit")  # nobody listens there
    settings = {
        "DIDIT_API_KEY": mock.live_key,
        "DIDIT_WEBHOOK_SECRET": hook.secret,
        "DIDIT_WORKFLOW_ID": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
        "PAYOUTS": str(tmp_path / "payouts.sqlite3"),
        "ORIGIN": "https://shop.example",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(APP)
    for name in ("app", "shop"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    service = importlib.import_module("app")
    with TestClient(service.app, "https://shop.example", follow_redirects=False) as client:
        client.cookies["login"] = "a-login"
        service.run("INSERT INTO logins VALUES ('a-login', 'ada', ?)", CSRF)
        service.run("INSERT INTO customers VALUES ('ada', ?)", make_card("p1"))
        service.run("INSERT INTO payouts VALUES (?, 'ada', NULL)", ABOUT)
        yield client
    for name in ("app", "shop"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("card", "paid"), [("p1", True), ("spoof", False)])
def test_the_service_of_the_page_runs_by_its_own_variables(shop, mock, card, paid):
    started = shop.post("/start", data={"about": ABOUT, "csrf": CSRF, "consent": "yes"})
    assert started.status_code == 303
    (session,) = mock.control.sessions.all()
    mock.control.sessions.finish(session.id, card=card)
    answer = shop.post("/pay", data={"about": ABOUT, "csrf": CSRF})
    assert answer.status_code == (303 if paid else 403)
    assert ("Paid." in shop.get("/").text) is paid
