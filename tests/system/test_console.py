"""The mock's console in a real Chromium: live, quiet, for everybody.

``UPDATE_DOCS=1`` draws the picture of the README.
"""

import json
import os
from pathlib import Path

import PIL.Image
import pytest
import requests
from kit.cards import CARDS
from vendors.didit import post_match

from facematch_mock_server import MockServer, VirtualClock
from facematch_mock_server.base.messages import Request

PICTURE = Path(__file__).parents[2] / "docs/pictures/console.png"
VIEWS = ("calls", "sessions", "webhooks")
P1, P2 = CARDS["p1"], CARDS["p2"]


@pytest.fixture
def mock():
    with MockServer(seed=3, clock=VirtualClock(running=True)) as running:
        yield running


def match(mock, probe=P1, reference=P1, **fields):
    return post_match(mock.url, mock.live_key, probe, reference, **fields)


def show(browser, mock, view="calls", **window):
    # First elsewhere: another fragment of the same address would load nothing.
    browser.open("about:blank")
    browser.open(f"{mock.url}/#{view}" if view else f"{mock.url}/", **window)
    browser.wait("document.querySelector('#live .on')")
    return browser


def open_call(browser, at=0):
    browser.wait(f"document.querySelectorAll('.call').length > {at}")
    browser.value(f"document.querySelectorAll('.call')[{at}].click()")
    browser.wait("!document.querySelector('#detail').hidden")


def type_in(browser, selector, text):
    place = f"document.querySelector({json.dumps(selector)})"
    browser.wait(place)
    event = "new Event('input', {bubbles: true})"
    browser.value(f"{place}.value = {json.dumps(text)}; {place}.dispatchEvent({event})")


def press(browser, selector):
    browser.wait(f"document.querySelector({json.dumps(selector)})")
    browser.value(f"document.querySelector({json.dumps(selector)}).click()")


def text_of(browser, selector):
    return browser.value(f"document.querySelector({json.dumps(selector)}).innerText")


# Live


def test_a_call_appears_with_verdict_price_and_pictures_and_opens(browser, mock):
    show(browser, mock)
    browser.wait("document.querySelector('#nothing').checkVisibility()")
    match(mock, P1, P2, vendor_data="order-7")
    browser.wait("document.querySelector('.call')")
    row = text_of(browser, ".call")
    for word in ("/v3/face-match/", "order-7", "Declined", "15.35", "200", "$0.05"):
        assert word in row
    assert browser.value("document.querySelectorAll('.call svg.thumb').length") == 2
    assert not browser.value("document.querySelectorAll('.call img').length")
    open_call(browser)
    detail = text_of(browser, "#detail")
    for word in ("user_image", "person p2", "vendor_data", '"face_match"', "didit.match.", "ms"):
        assert word in detail
    assert mock.live_key not in browser.value("document.querySelector('#detail').textContent")
    press(browser, "#detail [data-key^='didit.match'] summary")
    browser.wait("document.querySelector('#detail [data-key^=\\'didit.match\\'] pre')")
    assert ", read 2026-" in text_of(browser, "#detail")
    browser.check_log_requests_and_width(mock.url, "blob:")


def test_own_and_recorded_replies_are_told_apart_and_copied(browser, mock):
    request = {"method": "GET", "urlPath": "/v3/extra/"}
    known = {"request": request, "response": {"status": 200, "jsonBody": {"a": 1}}}
    mock.control.add_replies(known)
    requests.get(f"{mock.url}/v3/extra/", timeout=10)
    mock.control.add_replies({**known, "metadata": {"recorded": "2026-11-29"}})
    requests.get(f"{mock.url}/v3/extra/", timeout=10)
    requests.get(f"{mock.url}/v3/more/", timeout=10)
    match(mock)
    show(browser, mock)
    browser.wait("document.querySelectorAll('.call').length == 4")
    pills = "[...document.querySelectorAll('.call .pill.own')].map((pill) => pill.textContent)"
    assert browser.value(pills) == ["recorded", "own reply"]
    press(browser, "#tiles [data-key='own reply']")
    browser.wait("document.querySelectorAll('.call').length == 1")
    open_call(browser)
    assert "own reply, control #1" in text_of(browser, "#detail")
    # What is written to the clipboard of the page.
    browser.value("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    browser.value("window.copied = null")
    buttons = "[...document.querySelectorAll('#detail header button')]"
    browser.value(f"{buttons}.find((one) => one.textContent == 'Copy as reply').click()")
    browser.wait("window.copied && document.querySelector('#toast').textContent == 'Copied.'")
    assert json.loads(browser.value("window.copied")) == {"mappings": [known]}
    browser.check_log_requests_and_width(mock.url, "blob:")


def test_hostile_text_stays_text_and_is_short(browser, mock):
    show(browser, mock)
    match(mock, vendor_data="<img src=/x onerror=alert(1)>\x1b[31m\u202e" + "y" * 5_000)
    open_call(browser)
    browser.value("location.hash = '#sessions'")
    browser.wait("document.querySelector('#kept td')")
    text = browser.value("document.querySelector('#detail').textContent")
    text += browser.value("document.querySelector('#kept').textContent")
    assert text.count("<img src=/x onerror=alert(1)>\ufffd[31m\ufffd") == 2
    # In the answer, as JSON writes it.
    assert text.count("<img src=/x onerror=alert(1)>\\u001b[31m\ufffd") == 1
    assert len(text) < 16_000
    assert not browser.value("document.querySelectorAll('main img').length")
    browser.check_log_requests_and_width(mock.url, "blob:")


def test_only_visible_rows_of_ten_thousand_calls_are_rendered(browser, mock):
    for number in range(10_000):
        head = Request(method="GET", target=f"/v3/number/{number}")
        mock.world.log(head, status=200, vendor="didit")
    show(browser, mock)
    browser.wait("document.querySelector('.call .what').textContent == 'GET/v3/number/9999'")
    assert 10 < browser.value("document.querySelectorAll('.call').length") < 80
    type_in(browser, "#search", "number/77 200")
    browser.wait("document.querySelector('#grid').getAttribute('aria-rowcount') == 112")
    browser.check_log_requests_and_width(mock.url, "blob:")


# What is looked at


def test_a_webhook_is_shown_as_it_was_sent(browser, mock):
    mock.control.webhooks.add("http://127.0.0.1:9/hook")
    show(browser, mock, "webhooks")
    match(mock)
    browser.wait("document.querySelector('#deliveries td .pill')")
    press(browser, "#deliveries td:last-child summary")
    shown = "document.querySelector('#deliveries pre')?.textContent"
    browser.wait(f"{shown}.includes('X-Signature-V2')")
    browser.check_log_requests_and_width(mock.url, "blob:")


def test_an_account_can_be_selected(browser, mock):
    other = mock.new_account("team-b")
    show(browser, mock)
    match(mock)
    requests.post(f"{mock.url}/v3/face-match/", headers={"x-api-key": other.live_key}, timeout=10)
    browser.wait("document.querySelectorAll('.call').length == 1")
    choice = "document.querySelector('#account')"
    browser.value(f"{choice}.dispatchEvent(new Event('focus'))")
    browser.wait(f"{choice}.options.length == 2")
    browser.value(f"{choice}.value = 'team-b'; {choice}.dispatchEvent(new Event('change'))")
    browser.wait("document.querySelector('.call')?.innerText.includes('400')")
    assert browser.value("location.href") == f"{mock.url}/#/accounts/team-b/calls"


def test_each_call_of_each_account_has_a_url(browser, mock):
    other = mock.new_account("case-7")
    for number in range(40):
        head = Request(method="GET", target=f"/v3/number/{number}")
        other.control.world.log(head, status=200, vendor="didit")
    there = f"{mock.url}/#/accounts/case-7/calls/12"
    heading = "document.querySelector('#detail h2')?.textContent"
    browser.open(there)
    browser.wait(f"{heading} == 'GET /v3/number/11'")
    browser.wait("document.querySelector('.call[aria-selected=true]')?.checkVisibility()")
    browser.value("document.querySelector('.call[aria-selected=true]').previousSibling.click()")
    browser.wait(f"{heading} == 'GET /v3/number/12'")
    browser.wait("location.hash == '#/accounts/case-7/calls/13'")
    browser.value("history.back()")
    browser.wait(f"{heading} == 'GET /v3/number/11'")
    browser.value("history.forward()")
    browser.wait(f"{heading} == 'GET /v3/number/12'")
    browser.open("about:blank")
    browser.open(f"{mock.url}/#/accounts/case-8/calls/12")
    browser.wait("document.querySelector('#toast').textContent.includes('case-8')")


def test_an_unknown_url_shows_no_other_call(browser, mock):
    match(mock)
    show(browser, mock, "constructor")
    browser.wait("!document.querySelector('main > #calls').hidden")
    assert not text_of(browser, "#toast")
    open_call(browser)
    browser.value("location.hash = '#/accounts/main/calls/999'")
    browser.wait("document.querySelector('#detail').hidden")


def test_a_link_asks_for_the_token_once_and_removes_it_from_the_url(browser):
    with MockServer(control_token="a-token-of-tests") as mock:
        account = mock.new_account("case-7")
        match(account)
        # Another origin than that of the other tests: this tab has no token for it.
        browser.open(f"{mock.url}/#/accounts/case-7/calls/1", width=1000)
        browser.wait("!document.querySelector('#token').hidden")
        browser.value("document.querySelector('#unlock [name=token]').value = 'a-token-of-tests'")
        press(browser, "#unlock button")
        browser.wait("document.querySelector('#detail h2')?.textContent == 'POST /v3/face-match/'")
        assert browser.value("location.href") == f"{mock.url}/#/accounts/case-7/calls/1"
        browser.open("about:blank")
        browser.open(f"{mock.url}/?again#token=a-token-of-tests", width=1000)
        browser.wait("document.querySelector('#calls')?.checkVisibility()")
        browser.wait(f"location.href == '{mock.url}/#/accounts/main/calls'")


# For everybody


@pytest.fixture(scope="module")
def filled():
    clock = VirtualClock(running=True)
    with MockServer(vendor=["didit", "deepvue"], seed=3, clock=clock) as mock:
        mock.control.webhooks.add("http://127.0.0.1:9/orders")
        names = ("p1-again", "p2", "review", "spoof", "no-face", "dark", "two-faces", "score-30")
        for at, name in enumerate(names * 3):
            match(mock, CARDS[name], vendor_data=f"order-{1041 + at}")
        sent = {"headers": {"x-api-key": mock.live_key}, "timeout": 10}
        sent["files"] = {"user_image": ("selfie.png", CARDS["spoof"])}
        requests.post(f"{mock.url}/v3/passive-liveness/", **sent)
        requests.post(f"{mock.url}/v3/face-match/", headers={"x-api-key": "wrong"}, timeout=10)
        for at in (-2, -4, -7):
            mock.control.sessions.decide(mock.control.sessions.all()[at].id, "In Review")
        mock.control.set_outcome("match", score=41.5)
        yield mock


@pytest.mark.parametrize("look", ["400 dark", "1280 light"])
@pytest.mark.parametrize("view", VIEWS)
def test_the_console_has_no_accessibility_violations(look, view, browser, filled, check_page):
    width, scheme = int(look.split()[0]), look.split()[1]
    show(browser, filled, view, width=width, height=860, scheme=scheme)
    if view == "calls":
        browser.wait("document.querySelector('.call')")
        if width > 1000:
            browser.value("document.querySelectorAll('.call')[3].click()")
            browser.wait("document.querySelector('#detail pre')")
    for place in ("#kept td", "#deliveries td", ".claim"):
        part = f"document.querySelector({json.dumps('#' + view + ' ' + place)})"
        if browser.value(f"!!document.querySelector('#{view} {place.split()[0]}')"):
            browser.wait(part)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    tables = "[...document.querySelectorAll('.table')].filter(one => one.checkVisibility())"
    fits = browser.value(f"{tables}.every(one => one.scrollWidth <= one.clientWidth)")
    assert fits or width > 400
    check_page(browser, filled.url, "blob:")


def test_screen_readers_find_landmarks_and_new_calls(browser, filled):
    show(browser, filled)
    browser.wait("document.querySelector('.call')")
    tree = browser.tree()
    roles = [role for role, _ in tree]
    for role in ("banner", "main", "navigation", "grid"):
        assert roles.count(role) == 1
    assert ("columnheader", "Verdict") in tree
    assert any(role in ("image", "img") and "test card of p1" in name for role, name in tree)
    match(filled)
    browser.wait("/A new call: POST/.test(document.querySelector('#news').textContent)")


def test_the_console_is_usable_by_keyboard(browser, filled):
    show(browser, filled, view="")
    browser.wait("document.querySelectorAll('.call').length > 5")
    browser.press("Tab")
    assert browser.value("document.activeElement.className") == "skip"
    browser.press("Enter")
    assert browser.value("document.activeElement.id") == "main"
    for _ in range(30):
        browser.press("Tab")
        if browser.value("document.activeElement.role") == "row":
            break
    here = "document.activeElement.getAttribute('aria-rowindex')"
    assert browser.value(here) == "2"
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("ArrowDown")
    assert browser.value(here) == "3"
    browser.press("Enter")
    browser.wait("document.querySelector('#detail pre')")
    browser.press("Escape")
    assert browser.value("document.querySelector('#detail').hidden")
    assert browser.value("document.activeElement.role") == "row"


@pytest.mark.skipif("UPDATE_DOCS" not in os.environ, reason="writes a picture of the README")
def test_picture_of_the_readme(browser, filled):
    show(browser, filled, width=1280, height=800)
    open_call(browser, 3)
    browser.wait("document.querySelector('#detail pre')")
    browser.wait("document.getAnimations().every(one => one.animationName == 'pulse')")
    browser.screenshot(PICTURE, full=False)
    # A third of the size, and looks the same.
    PIL.Image.open(PICTURE).convert("RGB").quantize(200, dither=0).save(PICTURE, optimize=True)
    assert PICTURE.stat().st_size <= 200_000
