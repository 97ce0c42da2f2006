"""The console over HTTP: who gets the page, who may ask, what it is shown, and what it is not."""

import base64
import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from kit.mock_world import P1, P2
from kit.vendors import settings_at
from kit.watched import tokens
from vendors.didit import post_match

from facematch_core import open_verifier
from facematch_mock_server import Fault, Kind, MockServer, Stage
from facematch_mock_server.pages import console

PATH = "/__mock__/console/"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
FILES = Path(console.__file__).parent
TOKEN = "a-token-of-the-tests"
MOCK = {"seed": 5}


def ask(mock, path="/", method="GET", **options):
    return requests.request(method, mock.url + path, **{"timeout": 10, **options})


def match(mock, probe=P1, reference=P1, *, key=None, **fields):
    return post_match(mock.url, key or mock.live_key, probe, reference, **fields)


@contextmanager
def events(mock, last="", **headers):
    """Reads events as (name, id, data), each as soon as it is there."""
    headers = {"Last-Event-ID": last, **headers}
    with requests.get(mock.url + PATH + "events", headers=headers, stream=True, timeout=10) as got:
        assert got.headers["Content-Type"] == "text/event-stream"

        def read():
            shown = {}
            for line in got.iter_lines(chunk_size=1, decode_unicode=True):
                if line:
                    name, _, value = line.partition(": ")
                    shown[name] = value
                elif "data" in shown:
                    yield shown["event"], shown.get("id"), json.loads(shown["data"])
                    shown = {}

        yield read()


def rows(mock, count):
    """The first `count` calls that the events tell."""
    shown = []
    with events(mock) as stream:
        for name, _, data in stream:
            if name == "calls":
                shown += data
            if len(shown) >= count:
                return shown
    raise AssertionError("the stream has ended")


def test_browsers_get_the_console_page_and_other_clients_the_health(mock):
    page = ask(mock, headers=BROWSER)
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<title>facematch mock</title>" in page.text
    assert ask(mock, method="HEAD", headers=BROWSER).status_code == 200
    assert ask(mock).json()["status"] == "ok"
    assert ask(mock, method="POST", headers=BROWSER).status_code == 404
    assert ask(mock, f"{PATH}nothing").status_code == 404
    assert ask(mock, f"{PATH}about", "POST", json={}).status_code == 404


@pytest.mark.parametrize("path", ["/", f"{PATH}console.mjs", f"{PATH}style.css", f"{PATH}about"])
def test_console_headers_forbid_foreign_resources_and_framing(mock, path):
    headers = ask(mock, path, headers=BROWSER).headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Facematch-Mock"]


def test_console_files_use_no_other_host_and_no_html_injection():
    for name in ("page.html", "console.css", "console.mjs", "pure.mjs"):
        text = (FILES / name).read_text()
        addresses = set(re.findall(r"(?:https?:)?//[a-z][a-z0-9.-]+\.[a-z]+", text))
        assert addresses <= {"http://www.w3.org", "//www.w3.org"}
    script = (FILES / "console.mjs").read_text() + (FILES / "pure.mjs").read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("):
        assert way not in script
    page = (FILES / "page.html").read_text()
    assert not re.search(r"\son\w+=|style=|<script(?! type=\"module\" src=)", page)


def test_console_requests_are_not_journaled_and_trigger_no_fault(mock):
    mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=503))
    assert ask(mock, headers=BROWSER).status_code == 200
    assert ask(mock, f"{PATH}about").status_code == 200
    assert mock.control.journal() == ()
    assert match(mock).status_code == 503


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_console_rejects_cross_origin_requests(mock, headers):
    """Neither a foreign site nor another port of this machine."""
    for path in ("about", "calls/1"):
        assert ask(mock, PATH + path, headers=headers).status_code == 403
    page_headers = {"Origin": mock.url, "Sec-Fetch-Site": "same-origin"}
    assert ask(mock, f"{PATH}about", headers=page_headers).status_code == 200


def test_console_data_requires_the_control_token():
    with MockServer(control_token=TOKEN) as mock:
        for path in ("/", f"{PATH}console.mjs", f"{PATH}style.css"):
            assert ask(mock, path, headers=BROWSER).status_code == 200
        for path in ("about", "events", "calls/1", "pictures/00"):
            assert ask(mock, PATH + path).status_code == 403
        token = {"X-Mock-Token": TOKEN}
        assert ask(mock, f"{PATH}about", headers=token).status_code == 200
        match(mock)
        with events(mock, **token) as stream:
            assert next(stream)[::2] == ("cleared", {"last": 1})
            assert next(stream)[0] == "calls"


def test_without_control_there_is_no_console():
    with MockServer(control=False) as mock:
        assert ask(mock, headers=BROWSER).json()["status"] == "ok"
        for path in (f"{PATH}console.mjs", f"{PATH}about", f"{PATH}events"):
            answer = ask(mock, path, headers=BROWSER)
            assert answer.status_code == 404
            assert "html" not in answer.headers["Content-Type"]


def test_event_stream_sends_each_call(mock):
    with events(mock) as stream:
        assert next(stream)[0] == "cleared"
        match(mock, P1, P2, vendor_data="order-1")
        name, _, (call,) = next(stream)
    assert name == "calls"
    expected = {
        "number": 1,
        "method": "POST",
        "path": "/v3/face-match/",
        "status": 200,
        "vendor": "didit",
        "key": "live",
        "verdict": "Declined",
        "score": 15.35,
        "charged": "0.0500",
        "left": "99.9500",
        "fields": {"vendor_data": "order-1"},
    }
    assert expected.items() <= call.items()
    assert [picture["card"]["person"] for picture in call["pictures"]] == ["p1", "p2"]


def test_event_stream_resumes_after_the_last_event_id(mock):
    match(mock)
    match(mock)
    with events(mock) as stream:
        *_, (_, last, shown) = next(stream), next(stream)
        assert [call["number"] for call in shown] == [1, 2]
    match(mock)
    with events(mock, last) as stream:
        name, _, shown = next(stream)
        assert (name, [call["number"] for call in shown]) == ("calls", [3])
        mock.control.clear_journal()
        assert next(stream)[0] == "cleared"
        match(mock)
        assert [call["number"] for call in next(stream)[2]] == [4]
        mock.control.reset()
        assert next(stream)[0] == "cleared"
    with events(mock, "another-run:2") as stream:
        assert next(stream)[0] == "cleared"


def test_open_event_streams_block_neither_calls_nor_shutdown(mock):
    opened = [requests.get(f"{mock.url}{PATH}events", stream=True, timeout=10) for _ in range(20)]
    try:
        assert [match(mock).status_code for _ in range(3)] == [200] * 3
        mock.stop()
    finally:
        for stream in opened:
            stream.close()


FORM = ["user_image", "ref_image"]
STRUCK = [
    (Fault(stage="connect", kind="reset"), (None, "none", [], None)),
    (Fault(stage="after_upload", kind="reset"), (None, "live", FORM, None)),
    (Fault(stage="mid_body", kind="truncate"), (200, "live", FORM, "0.0500")),
    (Fault(stage="answer", kind="html"), (502, "live", FORM, None)),
    (Fault(stage="answer", kind="status", executed=True), (200, "live", FORM, "0.0500")),
]


@pytest.mark.parametrize(("fault", "row"), STRUCK, ids=[str(fault) for fault, _ in STRUCK])
def test_call_with_an_injected_fault_is_one_row_with_its_charge(mock, fault, row):
    mock.control.add_fault(fault)
    with suppress(requests.RequestException):
        match(mock)
    (shown,) = rows(mock, 1)
    (entry,) = mock.control.journal()
    fields = [picture["field"] for picture in shown["pictures"]]
    assert (shown["status"], shown["key"], fields, shown["charged"]) == row
    assert shown["note"] == entry.note


def test_console_shows_verdict_score_and_charge_of_other_vendors():
    """Verdict, score and charge, whatever the vendor calls them; no picture, key or token."""
    with MockServer(vendor=["deepvue", "compreface", "azure"]) as mock:
        with open_verifier("deepvue", **settings_at(mock, "deepvue")) as verifier:
            verifier.verify(P2, P1)
            verifier.check_liveness(P1)
            (token,) = tokens(verifier.backend)["token"]
        with open_verifier("compreface", **settings_at(mock, "compreface")) as verifier:
            verifier.verify(P1, P1)
        headers = {"Ocp-Apim-Subscription-Key": mock.of("azure").live_key}
        headers["Content-Type"] = "application/octet-stream"
        ask(mock, "/face/v1.2/detect", "POST", headers=headers, data=P1)
        login, deepvue, _, compreface, _ = rows(mock, 5)
        about = ask(mock, f"{PATH}about").json()
        details = [detail_of(mock, number) for number in range(1, 6)]
    assert (login["verdict"], login["score"], login["pictures"]) == (None, None, [])
    assert (deepvue["verdict"], deepvue["score"], deepvue["charged"]) == (False, 15, "0.0300")
    assert (compreface["verdict"], compreface["score"]) == (None, 0.95466)
    assert [vendor["name"] for vendor in about["vendors"]] == ["deepvue", "compreface", "azure"]
    of_login, _, of_liveness, _, of_azure = details
    assert of_login["answer"]["access_token"] == of_login["fields"]["client_secret"] == "***"
    assert 0 < of_liveness["ms"] < 5_000
    assert of_liveness["answered"]["Content-Type"] == "application/json"
    assert [file["size"] for file in of_azure["files"]] == [len(P1)]
    # The image of the liveness check is Base64 in JSON.
    for secret in (token.decode(), "mock-live-key", base64.b64encode(P1[:60]).decode(), "IHDR"):
        assert secret not in json.dumps(details)


def test_state_view_lists_sessions_and_is_404_if_the_vendor_has_none(mock):
    ids = [match(mock).json()["request_id"] for _ in range(2)]
    sessions = ask(mock, f"{PATH}state/didit/sessions").json()
    assert (sessions["total"], [session["id"] for session in sessions["newest"]]) == (2, ids)
    assert sessions["charged"] == dict.fromkeys(ids, "0.0500")
    for wrong in ("deepvue/sessions", "didit/nothing", ""):
        assert ask(mock, f"{PATH}state/{wrong}").status_code == 404


def test_hostile_text_is_truncated_and_sent_as_json(mock):
    evil = "<img src=x onerror=alert(1)>\x1b[31m\u202e"
    match(mock, vendor_data=evil + "x" * 9_000)
    (call,) = rows(mock, 1)
    shown = ask(mock, f"{PATH}calls/1")
    assert shown.headers["Content-Type"] == "application/json"
    assert len(json.dumps(call)) < 2_000
    assert len(shown.content) < 6_000
    assert shown.json()["fields"]["vendor_data"].startswith(evil)


def test_console_shows_no_secret(mock):
    destination = mock.control.webhooks.add("http://user:word@127.0.0.1:1/hook?token=abc")
    match(mock)
    session = mock.control.sessions.all()[0].id
    header = {"x-api-key": mock.live_key}
    decision = ask(mock, f"/v3/session/{session}/decision/", headers=header).json()
    signed = re.search(r"/__media__/[^\"?]*\?[^\"]+", json.dumps(decision))
    shown = "".join(ask(mock, f"{PATH}calls/{number}").text for number in (1, 2, 3))
    assert signed
    for secret in (destination.secret, signed[0], "user:word", "token=abc", mock.live_key):
        assert secret not in shown


def test_console_hides_the_page_of_a_session_to_which_a_web_sdk_is_led():
    with MockServer(vendor="persona") as mock:
        template = {"data": {"attributes": {"inquiry-template-id": "itmpl_mock"}}}
        headers = {"Authorization": f"Bearer {mock.live_key}"}
        started = ask(mock, "/api/v1/inquiries", "POST", json=template, headers=headers)
        inquiry_id = started.json()["data"]["id"]
        page = urlsplit(mock.control.sessions.page(inquiry_id)).path
        query = f"inquiry-id={inquiry_id}&session-token=of-the-page"
        ask(mock, f"/widget?{query}", allow_redirects=False)
        detail = detail_of(mock, 2)
    assert detail["answered"]["Location"] == "/__mock__/person/main/web/persona/session/***"
    assert page.rpartition("/")[2] not in json.dumps(detail)
    assert "of-the-page" not in json.dumps(detail)


def test_picture_in_a_response_is_left_out(mock):
    picture = base64.b64encode(P1).decode()
    body = {"error": "busy", "image": picture}
    mock.control.add_fault(Fault(stage="answer", kind="json", body=body))
    assert match(mock).json() == body
    answer = ask(mock, f"{PATH}calls/1").json()["answer"]
    assert answer["error"] == "busy"
    assert picture[:16] not in answer["image"]


def test_numbers_and_nulls_in_a_response_are_shown_as_they_were_sent(mock):
    body = {"score": 98.5, "faces": [1, 0], "is_live": True, "age": None}
    mock.control.add_fault(Fault(stage="answer", kind="json", body=body))
    assert match(mock).json() == body
    assert detail_of(mock)["answer"] == body


def test_console_shows_a_webhook_as_it_was_signed(mock):
    mock.control.webhooks.add("http://127.0.0.1:1/hook")
    match(mock)
    (listed,) = ask(mock, f"{PATH}state/didit/webhooks").json()["newest"]
    shown = ask(mock, f"{PATH}delivery/didit/{listed['id']}").json()
    sent = mock.control.webhooks.delivery(listed["id"])
    assert shown == {"headers": dict(sent.headers), "body": sent.body.decode()}
    assert json.loads(shown["body"])["session_id"] == listed["session_id"]


def detail_of(mock, number=1):
    return ask(mock, f"{PATH}calls/{number}").json()


def test_charge_is_shown_only_on_its_own_call(mock):
    session = match(mock).json()["request_id"]
    headers = {"x-api-key": mock.live_key}
    for _ in range(5):
        ask(mock, f"/v3/session/{session}/decision/", headers=headers)
    assert [row["charged"] for row in rows(mock, 6)] == ["0.0500", *[None] * 5]
    assert [entry.charge is not None for entry in mock.control.journal()] == [True, *[False] * 5]


def test_only_the_newest_response_bodies_are_stored(monkeypatch):
    monkeypatch.setattr("facematch_mock_server.world.journal.MAX_ANSWER_BYTES", 1500)
    with MockServer() as mock:
        for _ in range(4):
            match(mock)
        old, new = (detail_of(mock, number) for number in (1, 4))
        assert (old["status"], old["answer"], old["answered"]) == (200, None, None)
        assert new["answer"]["face_match"]["status"] == "Approved"
        for number in ("9", "9" * 30, "x"):
            assert ask(mock, f"{PATH}calls/{number}").status_code == 404


def test_each_account_sees_only_its_own_calls(mock):
    other = mock.new_account()
    match(mock, vendor_data="mine")
    match(mock, key=other.live_key, vendor_data="theirs")
    its = {"X-Facematch-Account": other.name}
    with events(mock, **its) as stream:
        shown = next(data for name, _, data in stream if name == "calls")
    assert [call["fields"] for call in shown] == [{"vendor_data": "theirs"}]
    assert [call["fields"] for call in rows(mock, 1)] == [{"vendor_data": "mine"}]
    shown_there = ask(mock, f"{PATH}calls/1", headers=its).json()
    assert shown_there["fields"]["vendor_data"] == "theirs"


def test_search_covers_sessions_and_webhooks_beyond_the_displayed_rows(mock):
    mock.control.webhooks.add("http://127.0.0.1:9/hook")
    more = {"service": "FACE_MATCH", "status": "Approved", "created_at": mock.control.now()}
    more |= {"metadata": None, "pictures": {}, "result": {}}
    for number in range(210):
        mock.world.sessions.add(f"id-{number}", vendor_data=f"order-{number}.", **more)
    match(mock, vendor_data="order-x")
    state = f"{PATH}state/didit/sessions"
    every = ask(mock, state).json()
    assert (every["total"], len(every["newest"])) == (211, 200)
    (oldest,) = ask(mock, f"{state}?search=Order-0.%20approved").json()["newest"]
    assert oldest["vendor_data"] == "order-0."
    for search, count in (("order-x", 1), ("127.0.0.1:9/hook", 1), ("order-y", 0)):
        answer = ask(mock, f"{PATH}state/didit/webhooks?search={search}").json()
        assert answer["total"] == len(answer["newest"]) == count


def test_pictures_are_shown_only_with_show_pictures(mock):
    match(mock)
    digest = rows(mock, 1)[0]["pictures"][0]["digest"]
    assert ask(mock, f"{PATH}pictures/{digest}").status_code == 404
    assert ask(mock, f"{PATH}about").json()["show_pictures"] is False
    with MockServer(show_pictures=True) as showing:
        match(showing)
        match(showing, probe=b"<svg onload=alert(1)>")
        pictures = [picture["digest"] for call in rows(showing, 2) for picture in call["pictures"]]
        shown = ask(showing, f"{PATH}pictures/{pictures[0]}")
        assert shown.content == P1
        # What may be no picture is nothing that a browser runs.
        hostile = ask(showing, f"{PATH}pictures/{pictures[2]}").headers
        assert hostile["Content-Type"] == "application/octet-stream"
        assert hostile["X-Content-Type-Options"] == "nosniff"
        showing.control.reset()
        match(showing)
        assert ask(showing, f"{PATH}pictures/{pictures[0]}").content == P1


NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed: the page NOT TESTED")
def test_console_scripts_parse_in_node_and_their_unit_tests_pass():
    for script in FILES.glob("*.mjs"):
        subprocess.run([NODE, "--check", script], check=True, timeout=240)
    ran = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", Path(__file__).with_name("pure.test.mjs")],
        env={**os.environ, "PURE": str(FILES / "pure.mjs")},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stdout
    assert "# fail 0" in ran.stdout
    assert "# pass 0" not in ran.stdout
