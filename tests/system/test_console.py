"""The mock's console in a real Chromium: live, in control, quiet, for everybody.

``UPDATE_DOCS=1`` writes the pictures of the documentation.
"""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import PIL.Image
import pytest
import requests
from kit.browser import until

from facematch_mock_server import Fault, MockServer, VirtualClock, card_sheet
from facematch_mock_server.messages import Head
from facematch_mock_server.recognition.outcomes import OUTCOME_FIELDS

ASSETS = Path(__file__).parents[2] / "docs" / "assets"
VIEWS = ("calls", "try", "cards", "control", "sessions", "webhooks", "edition", "accounts")
SHEET = card_sheet()
P1, P2 = SHEET["p1"].data, SHEET["p2"].data


@pytest.fixture
def mock():
    with MockServer(seed=3, clock=VirtualClock(running=True)) as running:
        yield running


@pytest.fixture
def receiver():
    came = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", came
    server.shutdown()
    thread.join()
    server.server_close()


def match(mock, probe=P1, reference=P1, **fields):
    """A comparison, as any client makes it."""
    return requests.post(
        f"{mock.url}/v3/face-match/",
        headers={"x-api-key": mock.live_key},
        files={"user_image": ("a.png", probe), "ref_image": ("b.png", reference)},
        data=fields,
        timeout=10,
    )


def live(mock, picture):
    """The part of a liveness check."""
    return requests.post(
        f"{mock.url}/v3/passive-liveness/",
        headers={"x-api-key": mock.live_key},
        files={"user_image": ("a.png", picture)},
        timeout=10,
    ).json()["liveness"]


def show(browser, mock, view="calls", **window):
    """Open a view, and wait until it is there."""
    # First elsewhere: another fragment of the same address would load nothing.
    browser.open("about:blank")
    browser.open(f"{mock.url}/#{view}" if view else f"{mock.url}/", **window)
    browser.wait("document.querySelector('#live .on')")
    return browser


def click(browser, words, within="main"):
    """Click the one button that says this."""
    buttons = f"[...document.querySelectorAll('{within} button')].filter(e => e.checkVisibility()"
    buttons += f" && e.textContent == {json.dumps(words)})"
    browser.wait(f"{buttons}.length == 1")
    browser.value(f"{buttons}[0].click()")


def quiet(browser, mock, *refused):
    """No message but of these refusals, one each, and no request but to this server.

    A refusal is the status and the path of a request that the test itself provokes.
    """
    messages = browser.messages()
    entries = [message.get("entry", {}) for message in messages]
    failed = "Failed to load resource: the server responded with a status of "
    assert [(entry.get("text"), entry.get("url")) for entry in entries] == [
        (failed + status, mock.url + path) for status, path in refused
    ], messages
    foreign = [u for u in browser.requests() if not u.startswith((mock.url, "data:", "blob:"))]
    assert foreign == []


def pick(browser, selector, value):
    """Choose an option of a list, as a person does."""
    place = f"document.querySelector({json.dumps(selector)})"
    change = "new Event('change', {bubbles: true})"
    browser.value(f"{place}.value = {json.dumps(value)}; {place}.dispatchEvent({change})")


def open_call(browser, at=0):
    browser.wait(f"document.querySelectorAll('.call').length > {at}")
    browser.value(f"document.querySelectorAll('.call')[{at}].click()")
    browser.wait("!document.querySelector('#detail').hidden")


def type_in(browser, selector, text):
    """What a person types: the value, and the event that says so."""
    place = f"document.querySelector({json.dumps(selector)})"
    browser.wait(place)
    event = "new Event('input', {bubbles: true})"
    browser.value(f"{place}.value = {json.dumps(text)}; {place}.dispatchEvent({event})")


def choose(browser, *cards):
    """Click test cards, one for each picture that is not there yet."""
    for at, card in enumerate(cards):
        browser.wait(f"document.querySelectorAll('.slot img').length == {at}")
        press(browser, f".palette [title^={json.dumps(card + ':')}]")
        browser.wait(f"document.querySelectorAll('.slot img').length == {at + 1}")


def go(browser, view):
    browser.value(f"location.hash = '#{view}'")


def press(browser, selector):
    place = f"document.querySelector({json.dumps(selector)})"
    browser.wait(place)
    browser.value(f"{place}.click()")


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
    quiet(browser, mock)


def test_hostile_text_stays_text_and_is_short(browser, mock):
    show(browser, mock)
    match(mock, vendor_data="<img src=/x onerror=alert(1)>\x1b[31m\u202e" + "y" * 5_000)
    open_call(browser)
    go(browser, "sessions")
    browser.wait("document.querySelector('#kept td')")
    text = browser.value("document.querySelector('#detail').textContent")
    text += browser.value("document.querySelector('#kept').textContent")
    assert text.count("<img src=/x onerror=alert(1)>\ufffd[31m\ufffd") == 3
    # In the command, as bash reads it.
    assert text.count("<img src=/x onerror=alert(1)>\\x1b[31m\\xe2\\x80\\xae") == 1
    # In the answer, as JSON writes it.
    assert text.count("<img src=/x onerror=alert(1)>\\u001b[31m\ufffd") == 1
    assert len(text) < 16_000
    assert not browser.value("document.querySelectorAll('main img').length")
    quiet(browser, mock)


def test_of_ten_thousand_calls_only_those_in_sight_are_drawn(browser, mock):
    for number in range(10_000):
        head = Head(method="GET", target=f"/v3/number/{number}")
        mock.world.log(head, status=200, vendor="didit")
    show(browser, mock)
    browser.wait("document.querySelector('.call .what').textContent == 'GET/v3/number/9999'")
    assert 10 < browser.value("document.querySelectorAll('.call').length") < 80
    type_in(browser, "#search", "number/77 200")
    browser.wait("document.querySelector('#grid').getAttribute('aria-rowcount') == 112")
    quiet(browser, mock)


# In control


def test_an_outcome_a_fault_and_a_reset_are_set_by_click(browser, mock):
    show(browser, mock, "control")
    click(browser, "No match, 12")
    browser.wait("document.querySelector('#outcomes').innerText.includes('score 12')")
    assert match(mock).json()["face_match"]["score"] == 12
    click(browser, "503")
    browser.wait("document.querySelector('#faults li')")
    assert match(mock).status_code == 503
    browser.wait("!document.querySelector('#faults li')")
    click(browser, "$0.05")
    browser.wait("document.querySelector('#balance').textContent == '$0.05'")
    browser.value("window.confirm = () => false")
    click(browser, "Start over")
    assert mock.control.sessions.all()
    browser.value("window.confirm = () => true")
    click(browser, "Start over")
    until(lambda: not mock.control.sessions.all(), "the reset")
    quiet(browser, mock)


FILLED_IN = """(() => {
  const form = document.querySelector('#panels [data-key=outcome] form');
  const names = [...form.elements].map((input) => input.name);
  for (const [name, value] of Object.entries(%s)) form.elements[name].value = value;
  form.requestSubmit();
  return names;
})()"""


def test_the_form_of_an_outcome_has_every_field_and_aims_at_one(browser, mock):
    show(browser, mock, "control")
    browser.wait("document.querySelector('#panels [data-key=outcome] form')")
    match(mock, vendor_data="case-8")
    sent = {"kind": "match", "score": 3, "field": "vendor_data=case-7\nsave_api_request=false"}
    names = browser.value(FILLED_IN % json.dumps(sent))
    # Nobody would see a review in this edition.
    assert {row.name for row in OUTCOME_FIELDS.values()} - {*names} == {"review"}
    browser.wait(
        "document.querySelector('#outcomes').innerText.includes('with vendor_data=case-8')"
    )
    (outcome,) = mock.control.outcomes()
    assert outcome.field == {"vendor_data": "case-7", "save_api_request": "false"}
    fields = {"vendor_data": "case-7", "save_api_request": "false"}
    assert match(mock, **fields).json()["face_match"]["score"] == 3
    quiet(browser, mock)


BROKEN = [
    ({"stage": "after_upload", "kind": "reset", "executed": True}, "was reset", 1),
    ({"stage": "connect", "kind": "reset"}, "was reset", 0),
]


@pytest.mark.parametrize(("fault", "words", "charges"), BROKEN, ids=["executed", "connect"])
def test_a_broken_connection_is_seen(browser, mock, fault, words, charges):
    """By the second call too, whose connection a browser would have kept: it is not sent again."""
    show(browser, mock, "try")
    choose(browser, "p1", "p2")
    click(browser, "Send")
    browser.wait("document.querySelector('#answer pre')")
    mock.control.clear_journal()
    mock.control.set_balance("100")
    before = len(mock.control.charges())
    mock.control.add_fault(Fault(**fault))
    click(browser, "Send")
    browser.wait("document.querySelector('#answer').textContent.includes('No answer')")
    text = browser.value("document.querySelector('#answer').textContent")
    assert f"No answer: the connection {words}. Did you set a fault?" in text
    assert [entry.note for entry in mock.control.journal()] == [
        f"fault: {fault['stage']} {fault['kind']}"
    ]
    assert len(mock.control.charges()) - before == charges
    assert ("charged all the same: $0.05" in text) is bool(charges)


def test_a_call_is_tried_and_what_was_typed_stays(browser, mock):
    show(browser, mock, "try")
    type_in(browser, "[name=face_match_score_decline_threshold]", "77")
    type_in(browser, "[name=vendor_data]", "emp-1")
    choose(browser, "p1", "p1-again")
    go(browser, "cards")
    browser.wait("document.querySelector('#ready li')")
    go(browser, "try")
    click(browser, "Send")
    browser.wait("document.querySelector('#answer pre')")
    answer = text_of(browser, "#answer")
    assert '"status": "Approved"' in answer
    entry = mock.control.journal()[-1]
    assert (entry.status, entry.key) == (200, "live")
    assert entry.fields["face_match_score_decline_threshold"] == "77"
    assert entry.fields["vendor_data"] == "emp-1"
    quiet(browser, mock)


def test_a_call_is_sent_again_and_copied(browser, mock):
    match(mock, P1, P2, vendor_data="once")
    show(browser, mock)
    open_call(browser)
    detail = "document.querySelector('#detail').textContent"
    shown = browser.value(detail)
    assert f"curl {mock.url}/v3/face-match/ -H 'x-api-key: YOUR-KEY'" in shown
    assert mock.live_key not in shown
    click(browser, "Send again")
    until(lambda: len(mock.control.journal()) == 2, "the second call")
    browser.wait("document.querySelector('.call[aria-selected=true][aria-rowindex=\\'2\\']')")
    browser.wait("document.querySelectorAll('.call').length == 2")
    first, second = mock.control.journal()
    assert (first.fields, first.files, first.key) == (second.fields, second.files, second.key)


def test_a_webhook_is_sent_resent_and_follows_a_review(browser, mock, receiver):
    url, came = receiver
    show(browser, mock, "webhooks")
    browser.wait("document.querySelector('#listen [name=url]')")
    browser.value(f"document.querySelector('#listen [name=url]').value = {json.dumps(url)}")
    click(browser, "Send webhooks there")
    until(mock.control.webhooks.destinations, "the destination")
    match(mock)
    until(lambda: len(came) == 1, "the webhook")
    show(browser, mock, "webhooks")
    browser.wait("document.querySelector('#deliveries td .pill.good')")
    press(browser, "#deliveries td:last-child summary")
    browser.wait(
        "document.querySelector('#deliveries pre')?.textContent.includes('X-Signature-V2')"
    )
    click(browser, "Resend")
    until(lambda: len(came) == 2, "the resend")
    session = mock.control.sessions.all()[0].id
    mock.control.sessions.decide(session, "In Review")
    until(lambda: len(came) == 3, "the webhook of the review")
    go(browser, "sessions")
    click(browser, "Decline", within="#queue")
    until(lambda: len(came) == 4, "the webhook of the decision")
    assert (came[3]["session_id"], came[3]["status"]) == (session, "Declined")
    assert mock.control.sessions.all()[0].status == "Declined"
    quiet(browser, mock)


def test_a_claim_is_explained_and_a_switch_begins_again(browser, mock):
    match(mock)
    show(browser, mock)
    open_call(browser)
    browser.value("document.querySelector('#detail [data-key^=\\'didit.match\\'] summary').click()")
    browser.wait("document.querySelector('#detail [data-key^=\\'didit.match\\'] pre')")
    assert "in force" in browser.value("document.querySelector('#detail').textContent")
    go(browser, "edition")
    browser.wait("document.querySelector('[name=score_type]')")
    browser.value("document.querySelector('[name=score_type]').value = 'integer'")
    click(browser, "Start over with these")
    until(lambda: mock.control.behaviours()["switches"] == {"score_type": "integer"}, "the switch")
    assert match(mock).json()["face_match"]["score"] == 95
    quiet(browser, mock)


def test_an_account_is_chosen_and_stays_to_be_looked_at_when_it_is_closed(browser, mock):
    other = mock.new_account("team-b")
    show(browser, mock)
    match(mock)
    requests.post(f"{mock.url}/v3/face-match/", headers={"x-api-key": other.live_key}, timeout=10)
    browser.wait("document.querySelectorAll('.call').length == 1")
    press(browser, "#account")
    browser.wait("document.querySelectorAll('#every tbody tr').length == 2")
    type_in(browser, "#search-accounts", "TEAM")
    browser.wait("document.querySelectorAll('#every tbody tr').length == 1")
    press(browser, "#every a")
    browser.wait("document.querySelector('.call')?.innerText.includes('400')")
    assert browser.value("location.href") == f"{mock.url}/#/accounts/team-b/calls"
    go(browser, "control")
    click(browser, "No match, 12")
    until(other.control.outcomes, "the outcome")
    assert mock.control.outcomes() == ()
    other.close()
    browser.wait("document.querySelector('#closed').textContent.includes('team-b was closed')")
    browser.wait("location.hash == '#/accounts/team-b/calls'")
    assert "400" in text_of(browser, ".call")
    open_call(browser)
    for words in ("Send again", "Delete", "Clear"):
        assert not shown_buttons(browser, words)
    assert shown_buttons(browser, "Download")
    press(browser, "#account")
    browser.wait("document.querySelector('#every').textContent.includes('closed')")


def shown_buttons(browser, words):
    """How many buttons that can be seen say this."""
    buttons = "[...document.querySelectorAll('main button')].filter(e => e.checkVisibility()"
    return browser.value(f"{buttons} && e.textContent == {json.dumps(words)}).length")


def test_each_call_of_each_account_has_an_address(browser, mock):
    other = mock.new_account("case-7")
    for number in range(40):
        head = Head(method="GET", target=f"/v3/number/{number}")
        other.control.world.log(head, status=200, vendor="didit")
    other.close()
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
    browser.wait("document.querySelector('#toast').textContent.includes('no account case-8')")
    browser.wait("document.querySelectorAll('#every tbody tr').length == 2")


def test_an_address_of_nothing_shows_no_other_call(browser, mock):
    match(mock)
    show(browser, mock, "constructor")
    browser.wait("!document.querySelector('main > #calls').hidden")
    assert not text_of(browser, "#toast")
    open_call(browser)
    go(browser, "/accounts/main/calls/999")
    browser.wait("document.querySelector('#detail').hidden")


def test_calls_are_searched_by_what_they_had(browser, mock):
    match(mock, vendor_data="case-503")
    match(mock, P2, P2, vendor_data="case-7")
    mock.control.add_fault(Fault(stage="answer", kind="status", status=503))
    match(mock, vendor_data="case-7")
    show(browser, mock)
    for search, count in (
        ("", 3),
        ("503", 2),
        ("status:503", 1),
        ("path:/v3/ person:p2", 1),
        ("field:vendor_data=case-7", 2),
        ("field:vendor_data=case-7 status:200 approved", 1),
        ("path:/v4", 0),
    ):
        type_in(browser, "#search", search)
        rows = "document.querySelector('#grid').getAttribute('aria-rowcount')"
        browser.wait(f"{rows} == {count + 1}")
    quiet(browser, mock)


def test_broken_json_of_a_fault_is_refused_in_words(browser, mock):
    show(browser, mock, "control")
    browser.wait("document.querySelector('[name=stage]')")
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    pick(browser, "[name=stage]", "answer")
    pick(browser, "[aria-label='A fault'] [name=kind]", "json")
    type_in(browser, "[name=body]", "{oops")
    click(browser, "Set the fault")
    browser.wait("document.querySelector('#toast').textContent.includes('must be JSON')")
    assert "SyntaxError" not in text_of(browser, "#toast")
    assert mock.control.faults() == ()


def test_with_a_token_the_page_asks_for_it_once_and_the_address_forgets_it(browser):
    with MockServer(control_token="a-token-of-tests") as mock:
        browser.open(f"{mock.url}/", width=1000)
        browser.wait("!document.querySelector('#token').hidden")
        browser.value("document.querySelector('#unlock [name=token]').value = 'a-token-of-tests'")
        click(browser, "Open")
        match(mock)
        browser.wait("document.querySelector('.call')")
        browser.open("about:blank")
        browser.open(f"{mock.url}/?again#token=a-token-of-tests", width=1000)
        browser.wait("document.querySelector('.call')")
        assert browser.value("location.href") == f"{mock.url}/#/accounts/main/calls"


def test_a_link_to_a_call_asks_for_the_token_and_goes_on(browser):
    with MockServer(control_token="a-token-of-tests") as mock:
        account = mock.new_account("case-7")
        match(account)
        account.close()
        # Another origin than that of the other tests: this tab has no token for it.
        browser.open(f"{mock.url}/#/accounts/case-7/calls/1", width=1000)
        browser.wait("!document.querySelector('#token').hidden")
        browser.value("document.querySelector('#unlock [name=token]').value = 'a-token-of-tests'")
        click(browser, "Open")
        browser.wait("document.querySelector('#detail h2')?.textContent == 'POST /v3/face-match/'")
        assert browser.value("location.href") == f"{mock.url}/#/accounts/case-7/calls/1"


# For everybody


@pytest.fixture(scope="module")
def filled():
    with MockServer(
        vendor=["didit", "deepvue"], seed=3, clock=VirtualClock(running=True)
    ) as running:
        yield busy(running)


def busy(mock):
    """A day at the mock, in a second."""
    refused = mock.control.webhooks.add("http://127.0.0.1:9/orders")
    assert refused.uuid
    names = ("p1-again", "p2", "review", "spoof", "no-face", "dark", "two-faces", "score-30-01")
    for at, name in enumerate(names * 3):
        match(mock, SHEET[name].data, vendor_data=f"order-{1041 + at}")
    requests.post(
        f"{mock.url}/v3/passive-liveness/",
        headers={"x-api-key": mock.live_key},
        files={"user_image": ("selfie.png", SHEET["spoof"].data)},
        timeout=10,
    )
    requests.post(f"{mock.url}/v3/face-match/", headers={"x-api-key": "wrong"}, timeout=10)
    for at in (-2, -4, -7):
        mock.control.sessions.decide(mock.control.sessions.all()[at].id, "In Review")
    mock.control.set_outcome("match", score=41.5)
    return mock


@pytest.mark.parametrize("look", ["400 dark", "1280 light"])
@pytest.mark.parametrize("view", VIEWS)
def test_everybody_can_use_it(look, view, browser, filled, axe):
    """No finding of axe-core, nothing wider than the window, nothing said to the console."""
    width, scheme = int(look.split()[0]), look.split()[1]
    show(browser, filled, view, width=width, height=860, scheme=scheme)
    if view == "calls":
        browser.wait("document.querySelector('.call')")
        if width > 1000:
            browser.value("document.querySelectorAll('.call')[3].click()")
            browser.wait("document.querySelector('#detail pre')")
    for place in ("#ready img[src]", "#kept td", "#deliveries td", ".claim", "#limits input"):
        part = f"document.querySelector({json.dumps('#' + view + ' ' + place)})"
        if browser.value(f"!!document.querySelector('#{view} {place.split()[0]}')"):
            browser.wait(part)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert browser.value("document.documentElement.scrollWidth - innerWidth") <= 0
    tables = "[...document.querySelectorAll('.table')].filter(one => one.checkVisibility())"
    assert (
        browser.value(f"{tables}.every(one => one.scrollWidth <= one.clientWidth)") or width > 400
    )
    assert axe(browser) == []
    quiet(browser, filled)


def test_on_a_phone_close_stands_apart_from_what_is_below_it(browser, filled):
    show(browser, filled, "calls", width=400, height=860)
    browser.wait("document.querySelector('.call')")
    browser.value("document.querySelector('.call').click()")
    browser.wait("document.querySelector('#detail .acts button')")
    bottom = "document.querySelector('#detail header button').getBoundingClientRect().bottom"
    top = "document.querySelector('#detail .acts').getBoundingClientRect().top"
    # The ring around it, when it has the focus, takes 4 pixels.
    assert browser.value(f"{top} - {bottom}") >= 4


def test_a_screen_reader_is_given_landmarks_and_new_calls(browser, filled):
    show(browser, filled)
    browser.wait("document.querySelector('.call')")
    tree = browser.tree()
    roles = [role for role, _ in tree]
    for role in ("banner", "main", "navigation", "grid"):
        assert roles.count(role) == 1
    assert ("columnheader", "Verdict") in tree
    assert any(role in ("image", "img") and "test card of p1" in name for role, name in tree)
    match(filled)
    browser.wait(
        "/A new call: POST/.test(document.querySelector('#news').textContent)",
    )


def test_it_is_used_by_keyboard(browser, filled):
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


@pytest.mark.skipif("UPDATE_DOCS" not in os.environ, reason="writes pictures of the documentation")
@pytest.mark.parametrize("view", ["calls", "control"])
def test_pictures_of_the_documentation(browser, filled, view):
    show(browser, filled, view, width=1280, height=800)
    if view == "calls":
        browser.wait("document.querySelector('.call')")
        browser.value("document.querySelectorAll('.call')[3].click()")
        browser.wait("document.querySelector('#detail pre')")
    browser.wait("document.getAnimations().every(one => one.animationName == 'pulse')")
    browser.wait("[...document.images].every(one => one.complete)")
    ASSETS.mkdir(exist_ok=True)
    picture = ASSETS / f"console-{view}.png"
    browser.screenshot(picture, full=False)
    # A third of the size, and looks the same.
    PIL.Image.open(picture).convert("RGB").quantize(200, dither=0).save(picture, optimize=True)


@pytest.mark.skipif("UPDATE_DOCS" not in os.environ, reason="writes a picture of the README")
def test_picture_of_the_readme(browser):
    with MockServer(seed=3, clock=VirtualClock(running=True)) as mock:
        picture = ASSETS.with_name("pictures") / "console.png"
        names = ("two-faces", "p1-again", "p2", "review", "no-face", "p1-again", "score-30-01")
        for at, name in enumerate(names * 2):
            mock.control.advance(47 + 31 * at)
            match(mock, SHEET[name].data, vendor_data=f"order-{1041 + at}")
        live(mock, SHEET["spoof"].data)
        mock.control.advance(38)
        live(mock, P1)
        mock.control.advance(21)
        requests.post(f"{mock.url}/v3/face-match/", headers={"x-api-key": "wrong"}, timeout=10)
        mock.control.advance(64)
        match(mock, P2, vendor_data="order-1055")
        mock.control.advance(9)
        match(mock, SHEET["p1-again"].data, vendor_data="order-1056")
        show(browser, mock, width=1280, height=800)
        browser.wait("document.querySelector('.call')")
        browser.value("document.querySelectorAll('.call')[1].click()")
        browser.wait("document.querySelector('#detail pre')")
        browser.wait("document.getAnimations().every(one => one.animationName == 'pulse')")
        browser.screenshot(picture, full=False)
    PIL.Image.open(picture).convert("RGB").quantize(200, dither=0).save(picture, optimize=True)
    assert picture.stat().st_size <= 200_000
