"""The page where a tester plays the person, in a real Chromium: by keyboard, small, in the dark."""

import pytest
import requests

from facematch_mock_server import MockServer

KYC = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def mock():
    with MockServer() as running:
        running.control.sessions.workflow(KYC, kind="kyc")
        yield running


def start(mock, **fields):
    return requests.post(
        f"{mock.url}/v3/session/",
        headers={"x-api-key": mock.live_key},
        json={"workflow_id": KYC, "vendor_data": "customer-17", **fields},
        timeout=10,
    ).json()["url"]


def play(browser, step):
    """Press a key, or the button with these words."""
    if " " not in step:
        return browser.press(step)
    for _ in range(30):
        browser.press("Tab")
        if browser.value("document.activeElement.textContent") == step:
            break
    assert browser.value("document.activeElement.textContent") == step
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    return browser.press("Enter")


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["Tab", "ArrowRight", "Enter"], "Approved"),
        (["Tab", *["ArrowRight"] * 5, "Show this face"], "Declined"),
        (["Fail this attempt", "Walk away"], "Abandoned"),
    ],
)
def test_it_is_played_by_keyboard(steps, status, browser, mock):
    # Another origin than that of the page.
    browser.open(start(mock, callback=mock.url.replace("127.0.0.1", "localhost") + "/back"))
    for step in steps:
        play(browser, step)
        if step == "Fail this attempt":
            # A screen reader says what has the focus.
            browser.wait("document.activeElement.textContent.startsWith('Attempt 1 failed')")
            assert browser.value("document.activeElement.role") == "status"
    browser.wait("location.pathname == '/back'")
    assert browser.value("new URLSearchParams(location.search).get('status')") == status
    # The address of the page is a secret.
    assert browser.value("document.referrer") == ""


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
    assert ("button", "Show this face") in tree
    assert tree.count(("radio", "p1")) == 2
    assert axe(browser) == []
