"""The page where a tester plays the person, in a real Chromium: by keyboard, on a phone, in the dark."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from facematch_mock_server import MockServer

KYC = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def mock():
    with MockServer() as running:
        running.control.sessions.workflow(KYC, kind="kyc")
        yield running


@pytest.fixture
def shop():
    """Where the callback leads, and what came there: path, and the page that a browser named."""
    came = []

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/back"):
                came.append((self.path, self.headers["Referer"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/back", came
    server.shutdown()
    thread.join()
    server.server_close()


def start(mock, **fields):
    """The address of a new session."""
    return requests.post(
        f"{mock.url}/v3/session/",
        headers={"x-api-key": mock.live_key},
        json={"workflow_id": KYC, "vendor_data": "customer-17", **fields},
        timeout=10,
    ).json()["url"]


def tab_to(browser, words):
    for _ in range(20):
        browser.press("Tab")
        if browser.value("document.activeElement.textContent") == words:
            assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    raise AssertionError(words)


@pytest.mark.parametrize(
    ("arrows", "button", "status"),
    [(1, None, "Approved"), (5, "Show this face", "Declined"), (0, "Walk away", "Abandoned")],
    ids=["p1-again", "not-live", "walk away"],
)
def test_it_is_played_by_keyboard(arrows, button, status, browser, mock, shop):
    callback, came = shop
    browser.open(start(mock, callback=callback))
    browser.press("Tab")
    for _ in range(arrows):
        browser.press("ArrowRight")
    if button:
        tab_to(browser, button)
    browser.press("Enter")
    browser.wait("location.pathname == '/back'")
    ((path, referer),) = came
    assert parse_qs(urlsplit(path).query)["status"] == [status]
    # The address of the page is a secret.
    assert referer is None


def test_a_failed_attempt_is_announced(browser, mock):
    browser.open(start(mock))
    tab_to(browser, "Fail this attempt")
    browser.press("Enter")
    browser.wait("document.activeElement.role == 'status'")
    assert browser.value("document.activeElement.textContent").startswith("Attempt 1 failed")


@pytest.mark.parametrize("look", ["400 light", "400 dark", "1280 light", "1280 dark"])
def test_everybody_can_use_it(look, browser, mock, axe):
    """No finding of axe-core, nothing wider than the window, nothing from elsewhere."""
    width, scheme = look.split()
    browser.open(start(mock), width=int(width), height=860, scheme=scheme)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    browser.wait("[...document.images].every(one => one.naturalWidth)")
    assert browser.value("document.documentElement.scrollWidth - innerWidth") <= 0
    assert browser.messages() == []
    assert [url for url in browser.requests() if not url.startswith((mock.url, "data:"))] == []
    tree = browser.tree()
    for name in ("Show this face", "Fail this attempt", "Walk away", "Let it expire"):
        assert ("button", name) in tree
    assert tree.count(("radio", "p1")) == 2
    assert axe(browser) == []
