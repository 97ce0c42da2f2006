"""The mock's console in a real Chromium: live, in control, quiet, for everybody.

``UPDATE_DOCS=1`` writes the pictures of the documentation.
"""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import PIL.Image
import pytest
import requests

from facematch_mock_server import Fault, MockServer, VirtualClock, card_sheet
from facematch_mock_server.messages import Head

ASSETS = Path(__file__).parents[2] / "docs" / "assets"
VIEWS = ("calls", "try", "cards", "control", "sessions", "webhooks", "edition")
SHEET = card_sheet()
P1, P2 = SHEET["p1"].data, SHEET["p2"].data


@pytest.fixture
def mock():
    """A running server, the clock too."""
    with MockServer(seed=3, clock=VirtualClock(running=True)) as running:
        yield running


@pytest.fixture
def receiver():
    """Takes webhooks: its address, and what came."""
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


def subscribe(mock, url):
    """A destination of webhooks."""
    return mock.control.webhooks.add(url)


def show(browser, mock, view="calls", **window):
    """Open a view, and wait until it is there."""
    # First elsewhere: another fragment of the same address would load nothing.
    browser.open("about:blank")
    browser.open(f"{mock.url}/#{view}" if view else f"{mock.url}/", **window)
    wait(browser, "document.querySelector('#live .on')")
    return browser


def until(there, what, seconds=10):
    """Wait for something; how long it took."""
    began = time.monotonic()
    while not there():
        assert time.monotonic() - began < seconds, what
        time.sleep(0.02)
    return time.monotonic() - began


def wait(browser, condition, seconds=10):
    """Wait until an expression is true; how long it took.

    An element that is not drawn yet is a reason to wait: its view is fetched after the page.
    """
    there = f"(() => {{ try {{ return !!({condition}) }} catch {{ return false }} }})()"
    return until(lambda: browser.value(there), condition, seconds)


def click(browser, words, within="main"):
    """Click the one button that says this."""
    found = f"[...document.querySelectorAll('{within} button')].filter(e => e.checkVisibility()"
    found += f" && e.textContent == {json.dumps(words)})"
    wait(browser, f"{found}.length == 1")
    browser.value(f"{found}[0].click()")


def quiet(browser, mock, *refused):
    """No message but of these refusals, one each, and no request but to this server.

    A refusal is the status and the path of a request that the test itself provokes.
    """
    messages = browser.messages()
    entries = [message.get("entry", {}) for message in messages]
    failed = "Failed to load resource: the server responded with a status of "
    assert [(one.get("text"), one.get("url")) for one in entries] == [
        (failed + status, mock.url + path) for status, path in refused
    ], messages
    foreign = [u for u in browser.requests() if not u.startswith((mock.url, "data:", "blob:"))]
    assert foreign == []


def open_call(browser, at=0):
    """Click a call, and wait until it is shown."""
    wait(browser, f"document.querySelectorAll('.call').length > {at}")
    browser.value(f"document.querySelectorAll('.call')[{at}].click()")
    wait(browser, "!document.querySelector('#detail').hidden")


def type_in(browser, selector, text):
    """What a person types: the value, and the event that says so."""
    place = f"document.querySelector({json.dumps(selector)})"
    wait(browser, place)
    event = "new Event('input', {bubbles: true})"
    browser.value(f"{place}.value = {json.dumps(text)}; {place}.dispatchEvent({event})")


def choose(browser, *cards):
    """Click test cards, one for each picture."""
    for at, card in enumerate(cards):
        wait(browser, "document.querySelector('.palette button')")
        browser.value(
            f"document.querySelector('.palette [title^={json.dumps(card + ':')}]').click()"
        )
        wait(browser, f"document.querySelectorAll('.slot img').length == {at + 1}")


# Live


def test_a_call_appears_within_a_second(browser, mock):
    """With its verdict, score, price and pictures; clicked, with its answer and its claims."""
    show(browser, mock)
    wait(browser, "document.querySelector('#nothing').checkVisibility()")
    match(mock, P1, P2, vendor_data="order-7")
    assert wait(browser, "document.querySelector('.call')") < 1
    row = browser.value("document.querySelector('.call').innerText")
    for word in ("/v3/face-match/", "order-7", "Declined", "15.35", "200", "$0.05"):
        assert word in row
    assert browser.value("document.querySelectorAll('.call svg.thumb').length") == 2
    assert not browser.value("document.querySelectorAll('.call img').length")
    open_call(browser)
    detail = browser.value("document.querySelector('#detail').innerText")
    for word in (
        "user_image",
        "person p2",
        "vendor_data",
        '"face_match"',
        "didit.match.",
        "ms",
    ):
        assert word in detail
    quiet(browser, mock)


def test_hostile_text_is_text(browser, mock):
    """An element stays letters, an escape is a sign, a long text is short."""
    show(browser, mock)
    match(mock, vendor_data="<img src=/x onerror=alert(1)>\x1b[31m\u202e" + "y" * 5_000)
    wait(browser, "document.querySelector('.call')")
    browser.value("document.querySelector('.call').click()")
    wait(browser, "!document.querySelector('#detail').hidden")
    browser.value("location.hash = '#sessions'")
    wait(browser, "document.querySelector('#kept td')")
    text = browser.value("document.querySelector('#detail').textContent")
    text += browser.value("document.querySelector('#kept').textContent")
    assert text.count("<img src=/x onerror=alert(1)>\ufffd[31m\ufffd") == 4
    # In the answer, as JSON writes it.
    assert text.count("<img src=/x onerror=alert(1)>\\u001b[31m\ufffd") == 1
    assert len(text) < 8_000
    assert not browser.value("document.querySelectorAll('main img').length")
    quiet(browser, mock)


def test_ten_thousand_calls_scroll(browser, mock):
    """Only the rows in sight are in the document, wherever the list stands."""
    for number in range(10_000):
        head = Head(method="GET", target=f"/v3/number/{number}")
        mock.world.log(head, status=200, vendor="didit")
    show(browser, mock)
    wait(browser, "document.querySelector('#grid').getAttribute('aria-rowcount') == 10001")
    rows = "document.querySelectorAll('.call').length"
    first = "document.querySelector('.call .what').textContent"
    wait(browser, f"{first} == 'GET/v3/number/9999'")
    longest, place = 0, "document.querySelector('#scroller')"
    for step in range(30):
        browser.value(f"{place}.scrollTop = {step} / 29 * {place}.scrollHeight")
        # One frame of the browser each.
        browser.send(
            "Runtime.evaluate",
            expression="new Promise(ok => requestAnimationFrame(() => requestAnimationFrame(ok)))",
            awaitPromise=True,
        )
        longest = max(longest, browser.value(rows))
    assert 10 < longest < 80
    wait(browser, "document.querySelector('#rows').textContent.includes('/v3/number/0')")
    # What comes meanwhile does not move what is looked at.
    before = browser.value(f"{place}.scrollHeight - {place}.scrollTop")
    browser.value("document.querySelector('#search').value = ''")
    match(mock)
    wait(browser, "document.querySelector('#tiles b').textContent == '10,000'")
    assert browser.value(f"{place}.scrollHeight - {place}.scrollTop") == before
    browser.value("document.querySelector('#search').value = 'number/77 200'")
    browser.value("document.querySelector('#search').dispatchEvent(new Event('input'))")
    assert browser.value("document.querySelector('#grid').getAttribute('aria-rowcount')") == "112"
    quiet(browser, mock)


def test_the_page_finds_back(browser):
    """When the server is gone and comes again, on the same port and with other calls."""
    with MockServer() as first:
        match(first)
        match(first)
        show(browser, first)
        wait(browser, "document.querySelectorAll('.call').length == 2")
        port = first.port
    wait(browser, "!document.querySelector('#live .on')")
    with MockServer(port=port) as second:
        match(second)
        wait(browser, "document.querySelectorAll('.call').length == 1", 20)


# In control


def test_an_outcome_and_a_fault_set_by_click_decide_the_next_calls(browser, mock):
    """Once each; what waits is shown, and what has struck waits no more."""
    show(browser, mock, "control")
    click(browser, "No match, 12")
    wait(browser, "document.querySelector('#outcomes').innerText.includes('score 12')")
    assert match(mock).json()["face_match"]["score"] == 12
    wait(browser, "document.querySelector('#outcomes').innerText.includes('No outcome is set')")
    assert match(mock).json()["face_match"]["score"] > 90
    click(browser, "503")
    wait(browser, "document.querySelector('#faults li')")
    assert match(mock).status_code == 503
    wait(browser, "!document.querySelector('#faults li')")
    before = mock.control.now()
    click(browser, "+1 day")
    until(lambda: (mock.control.now() - before).days == 1, "the clock")
    click(browser, "$0.05")
    wait(browser, "document.querySelector('#balance').textContent == '$0.05'")
    browser.value("window.confirm = () => false")
    click(browser, "Start over")
    assert mock.control.sessions.all()
    browser.value("window.confirm = () => true")
    click(browser, "Start over")
    until(lambda: not mock.control.sessions.all(), "the reset")
    quiet(browser, mock)


def test_forms_show_what_is_and_save_what_was_typed(browser, mock):
    """A limit that another client sets is followed; what somebody types is not overwritten."""
    mock.control.set_latency("match", 0.1, 0.2)
    show(browser, mock, "control")
    value = "document.querySelector('[name={}]').value".format
    wait(browser, f"{value('match')} == '0.1 to 0.2'")
    type_in(browser, "[name=get]", "7")
    mock.control.set_limit("write", 5)
    wait(browser, f"{value('write')} == '5'")
    assert browser.value(value("get")) == "7"
    click(browser, "Set the limits")
    until(lambda: mock.control.limits()["get"] == 7, "the limit")
    assert mock.control.limits()["write"] == 5
    mock.control.set_limit("get", 9)
    wait(browser, f"{value('get')} == '9'")
    type_in(browser, "[name=liveness]", "0.3")
    click(browser, "Set the latency")
    until(lambda: "liveness" in mock.control.latency(), "the latency")
    assert mock.control.latency() == {"match": (0.1, 0.2), "liveness": (0.3, 0.3)}
    quiet(browser, mock)


def test_only_outcomes_that_the_edition_has_are_offered(browser):
    """A review where it can come, and liveness of vendors that have such a check."""
    names = "[...document.querySelectorAll('#panels .quick button')].map(one => one.textContent)"
    for switches, vendor, offered in (
        ({"in_review": True}, "didit", ["Match: to review", "Live, 97"]),
        ({}, "didit", ["Live, 97"]),
        ({}, "compreface", []),
    ):
        with MockServer(vendor=vendor, switches=switches) as mock:
            show(browser, mock, "control")
            wait(browser, "document.querySelector('#panels .quick button')")
            shown = browser.value(names)
        assert "Match, 99.5" in shown
        assert [one for one in ("Match: to review", "Live, 97") if one in shown] == offered


def test_a_fault_of_ones_own_json(browser, mock):
    """The kind brings a field for the body."""
    show(browser, mock, "control")
    wait(browser, "document.querySelector('[name=stage]')")
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    body = "document.querySelector('#panels [name=body]').checkVisibility()"
    assert not browser.value(body)
    for name, value in (("stage", "answer"), ("kind", "json")):
        browser.value(f"document.querySelector('#panels form [value={value}]').selected = true")
        change = "dispatchEvent(new Event('change', {bubbles: true}))"
        browser.value(
            f"document.querySelector('#panels [name={name}]:has([value={value}])').{change}"
        )
    assert browser.value(body)
    type_in(browser, "#panels [name=body]", '{"face_match": 7}')
    type_in(browser, "#panels [name=status]", "503")
    type_in(browser, "#panels [name=retry]", "1")
    type_in(browser, "#panels [name=person]", "p2")
    click(browser, "Set the fault")
    until(mock.control.faults, "the fault")
    assert match(mock).status_code == 200
    struck = match(mock, P2)
    assert (struck.status_code, struck.headers["Retry-After"]) == (503, "1")
    assert struck.json() == {"face_match": 7}
    quiet(browser, mock)


BROKEN = [
    ({"stage": "after_upload", "kind": "reset"}, "was reset", 0),
    ({"stage": "after_upload", "kind": "reset", "executed": True}, "was reset", 1),
    ({"stage": "mid_body", "kind": "truncate"}, "ended too early", 1),
    ({"stage": "mid_upload", "kind": "reset"}, "was reset", 0),
    ({"stage": "connect", "kind": "reset"}, "was reset", 0),
]


@pytest.mark.parametrize(
    ("fault", "words", "charges"), BROKEN, ids=[str([*one[0].values()]) for one in BROKEN]
)
def test_a_broken_connection_is_seen(browser, mock, fault, words, charges):
    """By the second call too, whose connection a browser would have kept: it is not sent again."""
    show(browser, mock, "try")
    choose(browser, "p1", "p2")
    click(browser, "Send")
    wait(browser, "document.querySelector('#answer pre')")
    mock.control.clear_journal()
    mock.control.set_balance("100")
    before = len(mock.control.charges())
    mock.control.add_fault(Fault(**fault))
    click(browser, "Send")
    wait(browser, "document.querySelector('#answer').textContent.includes('No answer')")
    said = browser.value("document.querySelector('#answer').textContent")
    assert f"No answer: the connection {words}. Did you set a fault?" in said
    assert [one.note for one in mock.control.journal()] == [
        f"fault: {fault['stage']} {fault['kind']}"
    ]
    assert len(mock.control.charges()) - before == charges
    assert ("charged all the same: $0.05" in said) is bool(charges)


def test_a_card_that_fails_is_made(browser, mock):
    """By a form, and used at once."""
    show(browser, mock, "cards")
    type_in(browser, "#compose [name=status]", "503")
    type_in(browser, "#compose [name=retry_after]", "2")
    click(browser, "Make the card")
    wait(browser, "document.querySelector('#compose .preview')")
    click(browser, "Use as 1", within="#compose")
    choose_p1 = "document.querySelector('.palette [title^=\\'p1:\\']').click()"
    wait(browser, "document.querySelectorAll('.slot img').length == 1")
    browser.value(choose_p1)
    wait(browser, "document.querySelectorAll('.slot img').length == 2")
    click(browser, "Send")
    wait(browser, "document.querySelector('#answer .pill')?.textContent == '503'")


def test_what_was_typed_stays(browser, mock):
    """When pictures are swapped, and when one comes back from another view."""
    show(browser, mock, "try")
    type_in(browser, "[name=face_match_score_decline_threshold]", "77")
    type_in(browser, "[name=vendor_data]", "emp-1")
    choose(browser, "p1", "p2")
    click(browser, "Remove", within=".slot:nth-child(2)")
    choose_again = "document.querySelector('.palette [title^=\\'p1-again:\\']').click()"
    wait(browser, "document.querySelectorAll('.slot img').length == 1")
    browser.value(choose_again)
    wait(browser, "document.querySelectorAll('.slot img').length == 2")
    browser.value("location.hash = '#cards'")
    wait(browser, "document.querySelector('#ready li')")
    browser.value("location.hash = '#try'")
    click(browser, "Send")
    wait(browser, "document.querySelector('#answer pre')")
    fields = mock.control.journal()[-1].fields
    assert fields["face_match_score_decline_threshold"] == "77"
    assert fields["vendor_data"] == "emp-1"
    click(browser, "See the call")
    wait(browser, "document.querySelector('#detail')?.checkVisibility()")
    assert "emp-1" in browser.value("document.querySelector('#detail').textContent")
    quiet(browser, mock)


def test_a_call_is_sent_again_copied_and_deleted(browser, mock):
    """With the key and the pictures that the page has not; a fault strikes it as any call."""
    match(mock, P1, P2, vendor_data="once")
    show(browser, mock)
    open_call(browser)
    detail = "document.querySelector('#detail').textContent"
    shown = browser.value(detail)
    assert "curl -H 'x-api-key: YOUR-KEY'" in shown
    assert mock.live_key not in shown
    assert 'name="vendor_data"\n\nonce' in shown
    click(browser, "Send again")
    until(lambda: len(mock.control.journal()) == 2, "the second call")
    wait(browser, "document.querySelector('.call[aria-selected=true][aria-rowindex=\\'2\\']')")
    wait(browser, "document.querySelectorAll('.call').length == 2")
    first, second = mock.control.journal()
    assert (first.fields, first.files, first.key) == (second.fields, second.files, second.key)
    mock.control.add_fault(Fault(stage="answer", kind="status", status=503))
    click(browser, "Send again")
    until(lambda: len(mock.control.journal()) == 3, "the third call")
    assert mock.control.journal()[-1].status == 503
    wait(browser, "document.querySelector('#detail').textContent.includes('503')")
    click(browser, "Delete")
    until(lambda: len(mock.control.journal()) == 2, "the deletion")
    wait(browser, "document.querySelectorAll('.call').length == 2")


def test_a_call_is_tried(browser, mock):
    """Two cards by click, a threshold, and the vendor's own answer."""
    show(browser, mock, "try")
    choose(browser, "p1", "p2")
    field = "document.querySelector('[name=face_match_score_decline_threshold]')"
    browser.value(f"{field}.value = 10")
    click(browser, "Send")
    wait(browser, "document.querySelector('#answer pre')")
    answer = browser.value("document.querySelector('#answer').innerText")
    assert '"status": "Approved"' in answer
    assert '"score": 15.35' in answer
    entry = mock.control.journal()[-1]
    assert (entry.status, entry.key) == (200, "live")
    assert entry.fields["face_match_score_decline_threshold"] == "10"
    quiet(browser, mock)


def test_other_vendors_are_tried_alike(browser):
    """With a token first, pictures in JSON or as the whole body, or a scale up to 1."""
    with MockServer(vendor=["deepvue", "compreface", "azure"]) as mock:
        show(browser, mock, "try")
        for vendor, example, pictures, word in (
            ("deepvue", "Face match", ("p1", "p1"), '"match": true'),
            ("deepvue", "Passive liveness", (), '"is_live": true'),
            ("compreface", "Verification", (), '"similarity": 0.95'),
            ("azure", "Detect", (), '"faceId":'),
            ("azure", "Verify", (), '"isIdentical": true'),
        ):
            chosen = f"document.querySelector('#vendor').value = '{vendor}'"
            changed = "dispatchEvent(new Event('change'))"
            browser.value(f"{chosen}; document.querySelector('#vendor').{changed}")
            operation = "document.querySelector('[data-key=operation]')"
            wait(browser, f"{operation}?.textContent.includes('{example}')")
            at = f"[...{operation}.options].findIndex(one => one.textContent == '{example}')"
            browser.value(f"{operation}.selectedIndex = {at}; {operation}.{changed}")
            wait(browser, f"{operation}.selectedOptions[0].textContent == '{example}'")
            choose(browser, *pictures)
            click(browser, "Send")
            wait(
                browser, f"document.querySelector('#answer').innerText.includes({json.dumps(word)})"
            )
        quiet(browser, mock)


def test_a_call_that_needs_a_signature_is_for_a_terminal(browser):
    """The page says why it has none, and gives a line to paste."""
    with MockServer(vendor="rekognition") as mock:
        show(browser, mock, "try")
        wait(browser, "document.querySelector('#trial pre')")
        told = browser.value("document.querySelector('#trial').textContent")
    assert "signed" in told
    assert "--aws-sigv4" in told
    assert "http://127.0.0.1:" in told


def test_the_vendor_chosen_filters_the_calls(browser):
    """All of them first; the other views have one vendor at a time."""
    with MockServer(vendor=["didit", "compreface"]) as mock:
        match(mock)
        requests.post(f"{mock.url}/api/v1/verification/verify", timeout=10)
        show(browser, mock)
        wait(browser, "document.querySelectorAll('.call').length == 2")
        browser.value("document.querySelector('#vendor').value = 'compreface'")
        browser.value("document.querySelector('#vendor').dispatchEvent(new Event('change'))")
        wait(browser, "document.querySelectorAll('.call').length == 1")
        assert "/api/v1/" in browser.value("document.querySelector('.call').innerText")
        quiet(browser, mock)


def test_a_webhook_its_resend_and_a_review(browser, mock, receiver):
    """A kept call is told; sent again by click; a person decides, and the webhook follows."""
    url, came = receiver
    show(browser, mock, "webhooks")
    wait(browser, "document.querySelector('#listen [name=url]')")
    browser.value(f"document.querySelector('#listen [name=url]').value = {json.dumps(url)}")
    click(browser, "Send webhooks there")
    until(mock.control.webhooks.destinations, "the destination")
    click(browser, "Edit")
    type_in(browser, "#listen [name=url]", f"{url}/other")
    click(browser, "Save the destination")
    until(lambda: mock.control.webhooks.destinations()[0].url == f"{url}/other", "the change")
    assert len(mock.control.webhooks.destinations()) == 1
    click(browser, "Sign the next wrongly")
    match(mock)
    until(lambda: len(came) == 1, "the webhook")
    show(browser, mock, "webhooks")
    wait(browser, "document.querySelector('#deliveries td .pill.good')")
    shown = browser.value("document.querySelector('#deliveries').textContent")
    assert "X-Signature-V2" in shown
    assert came[0]["session_id"] in shown
    assert "sign-wrong" in shown
    click(browser, "Resend")
    until(lambda: len(came) == 2, "the resend")
    wait(browser, "document.querySelector('#deliveries summary').textContent.startsWith('2,')")
    session = mock.control.sessions.all()[0].id
    mock.control.sessions.decide(session, "In Review")
    until(lambda: len(came) == 3, "the webhook of the review")
    browser.value("location.hash = '#sessions'")
    click(browser, "Decline", within="#queue")
    until(lambda: len(came) == 4, "the webhook of the decision")
    assert (came[3]["session_id"], came[3]["status"]) == (session, "Declined")
    assert mock.control.sessions.all()[0].status == "Declined"
    wait(browser, "!document.querySelector('#queue button')")
    quiet(browser, mock)


def test_a_delivery_that_waits_for_a_clock_that_stands_is_paused(browser):
    """It says until when, and goes on once the clock is advanced."""
    with MockServer() as mock:
        mock.control.webhooks.add("http://127.0.0.1:9/")
        match(mock)
        mock.control.webhooks.wait()
        show(browser, mock, "webhooks")
        text = "document.querySelector('#deliveries')?.textContent"
        wait(browser, f"{text}.includes('paused until')")
        mock.control.advance(61)
        mock.control.webhooks.wait()
        wait(browser, f"{text}.includes('2, last')")


def test_a_claim_is_explained_and_a_switch_begins_again(browser, mock):
    """In the call that rests on it; the switch changes what is answered."""
    match(mock)
    show(browser, mock)
    open_call(browser)
    browser.value("document.querySelector('#detail [data-key^=\\'didit.match\\'] summary').click()")
    wait(browser, "document.querySelector('#detail [data-key^=\\'didit.match\\'] pre')")
    assert "in force" in browser.value("document.querySelector('#detail').textContent")
    browser.value("location.hash = '#edition'")
    wait(browser, "document.querySelector('[name=score_type]')")
    browser.value("document.querySelector('[name=score_type]').value = 'integer'")
    click(browser, "Start over with these")
    until(lambda: mock.control.behaviours()["switches"] == {"score_type": "integer"}, "the switch")
    assert match(mock).json()["face_match"]["score"] == 95
    quiet(browser, mock)


def test_an_account_is_chosen(browser, mock):
    """Its calls, state and key; when it is closed, the page is back at the first one."""
    other = mock.new_account("team-b")
    show(browser, mock)
    match(mock)
    requests.post(f"{mock.url}/v3/face-match/", headers={"x-api-key": other.live_key}, timeout=10)
    wait(browser, "document.querySelectorAll('.call').length == 1")
    wait(browser, "document.querySelector('#account').checkVisibility()")
    browser.value("document.querySelector('#account').value = 'team-b'")
    browser.value("document.querySelector('#account').dispatchEvent(new Event('change'))")
    wait(browser, "document.querySelector('.call')?.innerText.includes('400')")
    browser.value("location.hash = '#control'")
    click(browser, "No match, 12")
    until(other.control.outcomes, "the outcome")
    assert mock.control.outcomes() == ()
    browser.value("location.hash = '#try'")
    choose(browser, "p1", "p1")
    click(browser, "Send")
    wait(browser, "document.querySelector('#answer').innerText.includes('\"score\": 12')")
    assert len(mock.control.journal()) == 1
    other.close()
    browser.value("location.hash = '#calls'")
    wait(browser, "!document.querySelector('#account').checkVisibility()")
    wait(browser, "document.querySelectorAll('.call').length == 1")
    assert "200" in browser.value("document.querySelector('.call').innerText")


def test_with_a_token_the_page_asks_for_it(browser):
    """Once, and not when it was opened with one; the address forgets it."""
    with MockServer(control_token="a-token-of-tests") as mock:
        browser.open(f"{mock.url}/", width=1000)
        wait(browser, "!document.querySelector('#token').hidden")
        browser.value("document.querySelector('#unlock [name=token]').value = 'a-token-of-tests'")
        click(browser, "Open")
        match(mock)
        wait(browser, "document.querySelector('.call')")
        browser.open("about:blank")
        browser.open(f"{mock.url}/?again#token=a-token-of-tests", width=1000)
        wait(browser, "document.querySelector('.call')")
        assert browser.value("location.href") == f"{mock.url}/#calls"


def test_pictures_are_shown_if_asked_for(browser):
    """As they were sent, and drawn else."""
    photograph = (ASSETS.parent / "photographs" / "Family1-Dad1.jpg").read_bytes()
    with MockServer(show_pictures=True) as mock:
        match(mock, photograph)
        show(browser, mock)
        wait(browser, "document.querySelectorAll('.call img').length == 1")
        wait(browser, "document.querySelector('.call img').naturalWidth > 99")
        assert browser.value("document.querySelectorAll('.call svg').length") == 1
        browser.value("location.hash = '#try'")
        wait(browser, "document.querySelector('.palette button svg')")
        quiet(browser, mock)


# For everybody


@pytest.fixture(scope="module")
def filled():
    """A server with something in every view."""
    with MockServer(
        vendor=["didit", "deepvue"], seed=3, clock=VirtualClock(running=True)
    ) as running:
        yield busy(running)


def busy(mock):
    """A day at the mock, in a second."""
    refused = subscribe(mock, "http://127.0.0.1:9/orders")
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


@pytest.mark.parametrize("look", ["400 light", "400 dark", "1280 light", "1280 dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_everybody_can_use_it(look, view, browser, filled, axe):
    """No finding of axe-core, nothing wider than the window, nothing said to the console."""
    width, scheme = int(look.split()[0]), look.split()[1]
    show(browser, filled, view, width=width, height=860, scheme=scheme)
    if view == "calls":
        wait(browser, "document.querySelector('.call')")
        if width > 1000:
            browser.value("document.querySelectorAll('.call')[3].click()")
            wait(browser, "document.querySelector('#detail pre')")
    for place in ("#ready img[src]", "#kept td", "#deliveries td", ".claim", "#limits input"):
        part = f"document.querySelector({json.dumps('#' + view + ' ' + place)})"
        if browser.value(f"!!document.querySelector('#{view} {place.split()[0]}')"):
            wait(browser, part)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert browser.value("document.documentElement.scrollWidth - innerWidth") <= 0
    tables = "[...document.querySelectorAll('.table')].filter(one => one.checkVisibility())"
    assert (
        browser.value(f"{tables}.every(one => one.scrollWidth <= one.clientWidth)") or width > 400
    )
    assert axe(browser) == []
    quiet(browser, filled)


def test_it_is_told_to_a_screen_reader(browser, filled):
    """Landmarks, named; the list as a grid with its headers; new calls are said."""
    show(browser, filled)
    wait(browser, "document.querySelector('.call')")
    tree = browser.tree()
    roles = [role for role, _ in tree]
    for role in ("banner", "main", "navigation", "grid"):
        assert roles.count(role) == 1
    assert ("columnheader", "Verdict") in tree
    assert any(role in ("image", "img") and "test card of p1" in name for role, name in tree)
    match(filled)
    wait(
        browser,
        "/A new call: POST/.test(document.querySelector('#news').textContent)",
    )


def test_it_is_used_by_keyboard(browser, filled):
    """From the skip link to a call, through the list, into it and out again."""
    show(browser, filled, view="")
    wait(browser, "document.querySelectorAll('.call').length > 5")
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
    browser.press("End")
    assert browser.value(here) == browser.value(
        "document.querySelector('#grid').getAttribute('aria-rowcount')"
    )
    browser.press("Enter")
    wait(browser, "document.querySelector('#detail pre')")
    browser.press("Escape")
    assert browser.value("document.querySelector('#detail').hidden")
    assert browser.value("document.activeElement.role") == "row"


def test_in_a_narrow_window_a_call_covers_the_page(browser, filled):
    """Nobody tabs into what lies under it; Escape leads back to its row."""
    show(browser, filled, width=400, height=860)
    wait(browser, "document.querySelector('.call')")
    browser.value("document.querySelectorAll('.call')[2].click()")
    wait(browser, "document.activeElement.textContent == 'Close'")
    for _ in range(8):
        browser.press("Tab")
        assert browser.value("!!document.activeElement.closest('#detail, body:focus, :root:focus')")
    browser.press("Escape")
    wait(browser, "document.activeElement.getAttribute('aria-rowindex') == '4'")
    assert browser.value("document.querySelectorAll('[inert]').length") == 0


@pytest.mark.skipif("UPDATE_DOCS" not in os.environ, reason="writes pictures of the documentation")
@pytest.mark.parametrize("view", ["calls", "control"])
def test_pictures_of_the_documentation(browser, filled, view):
    """Those that a page shows."""
    show(browser, filled, view, width=1280, height=800)
    if view == "calls":
        wait(browser, "document.querySelector('.call')")
        browser.value("document.querySelectorAll('.call')[3].click()")
        wait(browser, "document.querySelector('#detail pre')")
    # Until every picture is there and nothing glows any more.
    time.sleep(2)
    ASSETS.mkdir(exist_ok=True)
    picture = ASSETS / f"console-{view}.png"
    browser.screenshot(picture, full=False)
    # A third of the size, and looks the same.
    PIL.Image.open(picture).convert("RGB").quantize(200, dither=0).save(picture, optimize=True)


@pytest.mark.skipif("UPDATE_DOCS" not in os.environ, reason="writes a picture of the README")
def test_picture_of_the_readme(browser):
    """The journal after a morning of calls, one of them open."""
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
        wait(browser, "document.querySelector('.call')")
        browser.value("document.querySelectorAll('.call')[1].click()")
        wait(browser, "document.querySelector('#detail pre')")
        # Until nothing glows any more.
        time.sleep(2)
        browser.screenshot(picture, full=False)
    PIL.Image.open(picture).convert("RGB").quantize(200, dither=0).save(picture, optimize=True)
    assert picture.stat().st_size <= 200_000
