"""The page where a tester plays the person, in a real Chromium: by keyboard, small, in the dark."""

import pytest
import requests
from kit.vendors import settings_at

from facematch_core import open_sessions
from facematch_mock_server import MockServer

KYC = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def mock():
    with MockServer() as running:
        running.control.sessions.workflow(KYC, kind="kyc")
        yield running


def start(mock, **fields):
    headers = {"x-api-key": mock.live_key}
    sent = {"workflow_id": KYC, "vendor_data": "customer-17", **fields}
    answer = requests.post(f"{mock.url}/v3/session/", json=sent, headers=headers, timeout=10)
    return answer.json()["url"]


@pytest.fixture(params=["azure", "rekognition"])
def other_mock(request):
    """A mock of a vendor whose sessions have no link: the mock itself gives the page's address."""
    with MockServer(vendor=request.param) as running:
        more = {"environment": "mock", "require_environment": "mock"}
        if request.param == "rekognition":
            more["liveness_threshold"] = 80
        settings = settings_at(running, request.param) | more
        with open_sessions(request.param, expects=["liveness"], **settings) as sessions:
            record = sessions.plan("customer-17", purpose="signup")
            running.session_id = sessions.start(record).record.session_id
        yield running


def play(browser, step):
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
def test_the_person_page_is_usable_by_keyboard(steps, status, browser, mock):
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
def test_the_person_page_has_no_accessibility_violations(look, browser, mock, check_page):
    width, scheme = look.split()
    browser.open(start(mock), width=int(width), height=860, scheme=scheme)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    browser.wait("[...document.images].every(one => one.naturalWidth)")
    tree = browser.tree()
    assert ("button", "Show this face") in tree
    colour = "getComputedStyle(document.querySelector('button.main')).backgroundColor"
    accent = "rgb(79, 70, 229)" if scheme == "light" else "rgb(165, 160, 255)"
    assert browser.value(colour) == accent
    assert tree.count(("radio", "p1")) == 2
    check_page(browser, mock.url)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_vendor_without_a_link_is_accessible_too(
    scheme, browser, other_mock, check_page
):
    page = other_mock.control.sessions.page(other_mock.session_id)
    browser.open(page, width=400, height=860, scheme=scheme)
    browser.wait("[...document.images].every(one => one.naturalWidth)")
    check_page(browser, other_mock.url)
    play(browser, "Show this face")
    browser.wait("!document.body.textContent.includes('Show this face')")
    assert other_mock.control.sessions.open() == ()


def test_the_button_that_shows_the_face_is_in_view_without_scrolling(browser, mock):
    browser.open(start(mock), width=1300, height=800)
    place = "document.querySelector('button.main').getBoundingClientRect()"
    assert browser.value(f"{place}.top > 0 && {place}.bottom <= innerHeight")


def test_the_console_links_to_the_page_of_an_open_session(browser, other_mock):
    page = other_mock.control.sessions.page(other_mock.session_id)
    browser.open(f"{other_mock.url}/#sessions", width=400, height=860)
    browser.wait(f"document.querySelector('a[href$=\"{page.removeprefix(other_mock.url)}\"]')")
    browser.check_log_requests_and_width(other_mock.url)


def test_on_open_acts_without_a_click_by_the_page_itself(browser, mock):
    mock.control.sessions.on_open(outcome=["fail_attempt", "p1"])
    browser.open(start(mock, callback=mock.url.replace("127.0.0.1", "localhost") + "/back"))
    browser.wait("location.pathname == '/back'")
    assert browser.value("new URLSearchParams(location.search).get('status')") == "Approved"
    (session,) = mock.control.sessions.all()
    assert (session.status, session.hosted.attempts) == ("Approved", 2)


def test_on_open_declines_by_another_face_than_the_documents(browser, mock):
    mock.control.sessions.on_open(outcome="p2", document="p1")
    browser.open(start(mock, callback=mock.url.replace("127.0.0.1", "localhost") + "/back"))
    browser.wait("location.pathname == '/back'")
    assert browser.value("new URLSearchParams(location.search).get('status')") == "Declined"
