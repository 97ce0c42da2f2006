"""The console over HTTP: who gets the page, who may ask, what it is told, and what it is not."""

import base64
import io
import json
import re
import shutil
import subprocess
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
import pytest
import requests
from kit.mock_rekognition import boto

import facematch_mock_server.console as console_package
from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet, read_card
from facematch_mock_server.messages import Request, Response

SHEET = card_sheet()
P1, P2 = SHEET["p1"].data, SHEET["p2"].data
PATH = "/__mock__/console/"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
FILES = Path(console_package.__file__).parent
TOKEN = "a-token-of-the-tests"


@pytest.fixture
def mock():
    """A running server."""
    with MockServer(seed=5) as running:
        yield running


def ask(mock, path="/", method="GET", **options):
    """The answer to a request, whatever it is."""
    return requests.request(method, mock.url + path, timeout=10, **options)


def match(mock, probe=P1, reference=P1, *, key=None, **fields):
    """A comparison, as any client makes it."""
    return ask(
        mock,
        "/v3/face-match/",
        "POST",
        headers={"x-api-key": key or mock.live_key},
        files={"user_image": ("a.png", probe), "ref_image": ("b.png", reference)},
        data=fields,
    )


@contextmanager
def events(mock, last="", **headers):
    """Reads events as (name, id, data), each as soon as it is there."""
    headers = {"Last-Event-ID": last, **headers}
    with requests.get(mock.url + PATH + "events", headers=headers, stream=True, timeout=10) as got:
        assert got.headers["Content-Type"] == "text/event-stream"

        def read():
            told = {}
            for line in got.iter_lines(chunk_size=1, decode_unicode=True):
                if line:
                    name, _, value = line.partition(": ")
                    told[name] = value
                elif "data" in told:
                    yield told["event"], told["id"], json.loads(told["data"])
                    told = {}

        yield read()


def rows(mock, count):
    """The first `count` calls that the events tell."""
    told = []
    with events(mock) as stream:
        for name, _, data in stream:
            if name == "calls":
                told += data
            if len(told) >= count:
                return told
    raise AssertionError("the stream has ended")


def test_a_rate_limit_has_its_unit(mock):
    """Of a minute, but for those who register."""
    (vendor,) = ask(mock, f"{PATH}about").json()["vendors"]
    assert vendor["limited"]["write"] == "write per minute"
    assert vendor["limited"]["register"] == "register per hour"


# The page


def test_a_browser_is_given_the_page_and_nobody_else(mock):
    """HTML for whoever wants HTML; the mock's own 404 in JSON for every other client."""
    page = ask(mock, headers=BROWSER)
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<title>facematch mock</title>" in page.text
    assert ask(mock, method="HEAD", headers=BROWSER).status_code == 200
    other = ask(mock)
    assert (other.status_code, list(other.json())) == (404, ["mock"])
    assert ask(mock, method="POST", headers=BROWSER).status_code == 404


@pytest.mark.parametrize("path", ["/", f"{PATH}console.mjs", f"{PATH}style.css", f"{PATH}about"])
def test_no_page_of_another_place_gets_in(mock, path):
    """Scripts, styles and requests of this server alone; no frame, form, base or referrer."""
    headers = ask(mock, path, headers=BROWSER).headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Facematch-Mock"]


def test_the_page_names_no_other_host_and_makes_no_html():
    """Nothing is loaded from elsewhere, and no text can become an element."""
    for name in ("page.html", "console.css", "console.mjs", "pure.mjs"):
        text = (FILES / name).read_text()
        addresses = set(re.findall(r"(?:https?:)?//[a-z][a-z0-9.-]+\.[a-z]+", text))
        assert addresses <= {"http://www.w3.org", "//www.w3.org"}
    script = (FILES / "console.mjs").read_text() + (FILES / "pure.mjs").read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("):
        assert way not in script
    page = (FILES / "page.html").read_text()
    assert not re.search(r"\son\w+=|style=|<script(?! type=\"module\" src=)", page)


def test_nothing_of_the_console_is_written_into_the_journal_or_struck_by_a_fault(mock):
    """A fault for the next request waits for a client's."""
    mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=503))
    assert ask(mock, headers=BROWSER).status_code == 200
    assert ask(mock, f"{PATH}about").status_code == 200
    assert mock.control.journal() == ()
    assert match(mock).status_code == 503


# Who may ask


@pytest.mark.parametrize("path", ["/", f"{PATH}console.mjs", f"{PATH}about", f"{PATH}events"])
def test_it_answers_only_under_a_loopback_name(mock, path):
    """A name that points here is of no use to anybody's page."""
    for host in ("evil.example", "127.0.0.1.evil.example", "[::1]evil.example"):
        answer = ask(mock, path, headers={**BROWSER, "Host": host})
        assert answer.status_code == 403
        assert "Content-Security-Policy" in answer.headers


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
def test_no_other_page_of_the_browser_is_told_anything(mock, headers):
    """Neither a foreign site nor another port of this machine."""
    for path in ("about", "calls/1", "cards"):
        assert ask(mock, PATH + path, headers=headers).status_code == 403
    own = {"Origin": mock.url, "Sec-Fetch-Site": "same-origin"}
    assert ask(mock, f"{PATH}about", headers=own).status_code == 200


def test_with_a_token_only_what_holds_no_data_is_open():
    """The page can be opened, and asks for the token; nothing else is told without it."""
    with MockServer(control_token=TOKEN) as mock:
        for path in ("/", f"{PATH}console.mjs", f"{PATH}style.css"):
            assert ask(mock, path, headers=BROWSER).status_code == 200
        for path in ("about", "events", "calls/1", "cards", "pictures/00"):
            assert ask(mock, PATH + path).status_code == 403
        token = {"X-Mock-Token": TOKEN}
        assert ask(mock, f"{PATH}about", headers=token).status_code == 200
        match(mock)
        with events(mock, **token) as stream:
            assert [name for name, _, _ in (next(stream), next(stream))] == ["cleared", "calls"]


def test_without_control_there_is_none():
    """What switches the control API off switches the console off."""
    with MockServer(control=False) as mock:
        for path in ("/", f"{PATH}console.mjs", f"{PATH}about", f"{PATH}events"):
            answer = ask(mock, path, headers=BROWSER)
            assert answer.status_code == 404
            assert "html" not in answer.headers["Content-Type"]


def test_other_paths_are_those_of_the_control_api(mock):
    """Also those that begin alike."""
    assert ask(mock, f"{PATH}nothing").status_code == 404
    assert ask(mock, f"{PATH}about", "POST", json={}).status_code == 404


# Events


def test_a_call_is_told_within_a_second(mock):
    """While the page listens."""
    with events(mock) as stream:
        assert next(stream)[0] == "cleared"
        began = time.monotonic()
        match(mock, P1, P2, vendor_data="order-1")
        name, _, (call,) = next(stream)
        assert time.monotonic() - began < 1
    assert name == "calls"
    assert {
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
        "text": "vendor_data=order-1",
    }.items() <= call.items()
    assert [one["card"]["person"] for one in call["pictures"]] == ["p1", "p2"]


def test_a_page_goes_on_where_it_was(mock):
    """With the id of its last event; and it is told when its calls are gone."""
    match(mock)
    match(mock)
    with events(mock) as stream:
        *_, (_, last, told) = next(stream), next(stream)
        assert [call["number"] for call in told] == [1, 2]
    match(mock)
    with events(mock, last) as stream:
        name, _, told = next(stream)
        assert (name, [call["number"] for call in told]) == ("calls", [3])
        mock.control.clear_journal()
        assert next(stream)[0] == "cleared"
        match(mock)
        assert [call["number"] for call in next(stream)[2]] == [4]
        mock.control.reset()
        assert next(stream)[0] == "cleared"
    with events(mock, "another-run:2") as stream:
        assert next(stream)[0] == "cleared"


def test_streams_hold_up_neither_calls_nor_the_end(mock):
    """Twenty pages listen; calls are answered at once, and stop waits for none of them."""
    opened = [requests.get(f"{mock.url}{PATH}events", stream=True, timeout=10) for _ in range(20)]
    try:
        began = time.monotonic()
        assert [match(mock).status_code for _ in range(10)] == [200] * 10
        assert time.monotonic() - began < 5
        began = time.monotonic()
        mock.stop()
        assert time.monotonic() - began < 2
    finally:
        for one in opened:
            one.close()


def test_who_is_gone_is_sent_nothing_more(mock):
    """The connection is given back as soon as its client has closed it."""
    with events(mock) as stream:
        next(stream)
        assert mock._http.connections == 1
    ending = time.monotonic() + 5
    while mock._http.connections and time.monotonic() < ending:
        time.sleep(0.02)
    assert mock._http.connections == 0


def test_without_a_socket_the_stream_ends_and_can_be_taken_up(mock):
    """Fronts in this process answer with what there is."""
    match(mock)
    with requests.Session() as session:
        session.mount(mock.url, mock.adapter())
        text = session.get(f"{mock.url}{PATH}events", timeout=10).text
    assert "retry: 1000" in text
    assert "event: calls" in text


def test_every_call_is_beside_its_own_answer(mock):
    """From many threads at once, and in this process."""
    mock.control.set_limit("write", None)

    def work(number):
        with requests.Session() as session:
            if number % 2:
                session.mount(mock.url, mock.adapter())
            for at in range(10):
                session.post(
                    f"{mock.url}/v3/face-match/",
                    headers={"x-api-key": mock.live_key},
                    files={"user_image": ("a.png", P1), "ref_image": ("b.png", P2)},
                    data={"vendor_data": f"{number}-{at}"},
                    timeout=10,
                )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for call in rows(mock, 60):
        told = ask(mock, f"{PATH}calls/{call['number']}").json()
        assert told["answer"]["vendor_data"] == told["fields"]["vendor_data"]


FORM = ["user_image", "ref_image"]
STRUCK = [
    (Fault(stage="connect", kind="reset"), (None, "none", [], None)),
    (Fault(stage="mid_upload", kind="reset"), (None, "none", [], None)),
    (Fault(stage="after_upload", kind="reset"), (None, "live", FORM, None)),
    (Fault(stage="after_upload", kind="reset", executed=True), (200, "live", FORM, "0.0500")),
    (Fault(stage="after_upload", kind="delay", seconds=0), (200, "live", FORM, "0.0500")),
    (Fault(stage="mid_headers", kind="reset"), (200, "live", FORM, "0.0500")),
    (Fault(stage="mid_headers", kind="dribble", seconds=0), (200, "live", FORM, "0.0500")),
    (Fault(stage="mid_body", kind="truncate"), (200, "live", FORM, "0.0500")),
    (Fault(stage="answer", kind="status", status=503), (503, "live", FORM, None)),
    (Fault(stage="answer", kind="html"), (502, "live", FORM, None)),
    (Fault(stage="answer", kind="wrong_json", status=200), (200, "live", FORM, None)),
    (Fault(stage="answer", kind="status", executed=True), (200, "live", FORM, "0.0500")),
]


@pytest.mark.parametrize("way", ["over HTTP", "in process"])
@pytest.mark.parametrize(
    ("fault", "row"), STRUCK, ids=[f"{one.stage}-{one.kind}-{one.executed}" for one, _ in STRUCK]
)
def test_a_call_that_a_fault_strikes_is_one_row(mock, fault, row, way):
    """With key, pictures and charge where they are known, and the fault beside them."""
    mock.control.add_fault(fault)
    session = requests.Session()
    if way == "in process":
        session.mount(mock.url, mock.adapter())
    with suppress(requests.RequestException):
        session.post(
            f"{mock.url}/v3/face-match/",
            headers={"x-api-key": mock.live_key},
            files={"user_image": ("a.png", P1), "ref_image": ("b.png", P1)},
            timeout=10,
        )
    (shown,) = rows(mock, 1)
    (entry,) = mock.control.journal()
    fields = [one["field"] for one in shown["pictures"]]
    assert (shown["status"], shown["key"], fields, shown["charged"]) == row
    assert [file.field for file in entry.files] == fields
    instead = ": 502 was sent instead" if fault.stage == "answer" and fault.executed else ""
    assert shown["note"] == entry.note == f"fault: {fault.stage} {fault.kind}{instead}"


@pytest.mark.parametrize("way", ["over HTTP", "in process"])
def test_a_postponed_call_of_a_client_that_left_is_one_row(mock, way):
    """It is never carried out, and the journal says why."""
    mock.control.add_fault(Fault(stage="after_upload", kind="delay", seconds=60))
    session = requests.Session()
    if way == "in process":
        session.mount(mock.url, mock.adapter())
    with pytest.raises(requests.ReadTimeout):
        session.post(f"{mock.url}/v3/face-match/", data=b"x", timeout=0.2)
    session.close()
    (shown,) = rows(mock, 1)
    assert (shown["path"], shown["status"]) == ("/v3/face-match/", None)
    assert shown["note"] == "fault: after_upload delay; the client did not wait"


def test_other_vendors_are_read_by_the_same_words():
    """Verdict, score and charge, whatever the vendor calls them."""
    with MockServer(vendor=["deepvue", "compreface"]) as mock:
        key = {"x-api-key": "mock-live-key"}
        pair = {"client_id": "mock-client", "client_secret": "mock-live-key"}
        token = ask(mock, "/v1/authorize", "POST", data=pair).json()["access_token"]
        headers = {**key, "Authorization": f"Bearer {token}"}
        files = {"file_a": ("a.png", P2), "file_b": ("b.png", P1)}
        ask(mock, "/v1/facematch", "POST", headers=headers, files=files)
        files = {"source_image": ("a.png", P1), "target_image": ("b.png", P1)}
        key = {"x-api-key": mock.of("compreface").live_key}
        ask(mock, "/api/v1/verification/verify", "POST", headers=key, files=files)
        login, deepvue, compreface = rows(mock, 3)
        about = ask(mock, f"{PATH}about").json()
        shown = ask(mock, f"{PATH}calls/1").json()
    assert (login["verdict"], login["score"], login["pictures"]) == (None, None, [])
    assert (deepvue["verdict"], deepvue["score"], deepvue["charged"]) == (False, 15, "0.0300")
    assert (compreface["verdict"], compreface["score"]) == (None, 0.95466)
    assert shown["answer"]["access_token"] == shown["fields"]["client_secret"] == "***"
    assert [vendor["name"] for vendor in about["vendors"]] == ["deepvue", "compreface"]
    assert about["vendors"][0]["limited"]["minute"] == "requests per minute"
    assert all(vendor["examples"] for vendor in about["vendors"])


def test_a_picture_that_is_the_whole_body_is_read_alike():
    """Where a vendor takes no form."""
    with MockServer(vendor="azure") as mock:
        headers = {
            "Ocp-Apim-Subscription-Key": mock.live_key,
            "Content-Type": "application/octet-stream",
        }
        ask(mock, "/face/v1.2/detect", "POST", headers=headers, data=P1)
        (row,) = rows(mock, 1)
        about = ask(mock, f"{PATH}about").json()
    assert row["pictures"][0]["card"]["person"] == "p1"
    assert [one["as_bytes"] for one in about["vendors"][0]["examples"]] == [True, False]


def test_a_vendor_that_signs_has_no_call_to_try():
    """A page in a browser cannot sign; the calls of others are shown with their score."""
    with MockServer(vendor="rekognition") as mock:
        with boto(mock.url) as client:
            client.compare_faces(SourceImage={"Bytes": P1}, TargetImage={"Bytes": P1})
        (call,) = rows(mock, 1)
        (vendor,) = ask(mock, f"{PATH}about").json()["vendors"]
    assert call["score"] == pytest.approx(95.466, abs=0.001)
    assert vendor["examples"] == []


# What views show


def test_long_lists_are_told_by_their_newest_part(mock, monkeypatch):
    """Sessions, those that wait for a person, deliveries, charges: never all of ten thousand."""
    monkeypatch.setattr(console_package, "_ROWS", 3)
    monkeypatch.setattr(console_package, "_DELIVERIES", 2)
    made = [match(mock).json()["request_id"] for _ in range(8)]
    for session in made[:5]:
        mock.control.sessions.decide(session, "In Review")
    mock.control.webhooks.add("http://127.0.0.1:9/")
    made += [match(mock).json()["request_id"] for _ in range(3)]
    state = f"{PATH}state/didit/"
    sessions = ask(mock, f"{state}sessions").json()
    assert (sessions["total"], sessions["choices"]) == (11, ["Approved", "Declined"])
    assert [one["id"] for one in sessions["newest"]] == made[-3:]
    assert [one["id"] for one in sessions["waiting"]] == made[2:5]
    deliveries = ask(mock, f"{state}webhooks").json()["newest"]
    assert [one["session_id"] for one in deliveries] == made[-2:]
    assert json.loads(deliveries[0]["body"])["session_id"] == made[-2]
    mock.control.set_outcome("match", score=12)
    control = ask(mock, f"{state}control").json()
    assert (control["balance"], len(control["charges"])) == ("99.4500", 6)
    assert [one["score"] for one in control["outcomes"]] == [12]
    for wrong in ("deepvue/control", "didit/nothing", "", "didit"):
        assert ask(mock, f"{PATH}state/{wrong}").status_code == 404


def test_a_vendor_without_sessions_has_no_such_view():
    """And is asked for nothing that it has not."""
    with MockServer(vendor="deepvue") as mock:
        for view in ("webhooks", "sessions"):
            answer = ask(mock, f"{PATH}state/deepvue/{view}")
            assert (answer.status_code, answer.json()) == (
                404,
                {"mock": f"this vendor has no {view}"},
            )


# What is shown of a call


@pytest.mark.parametrize("length", [9_000, 1_000_000])
def test_hostile_text_is_shortened_and_stays_text(mock, length):
    """A megabyte, an element, escapes of a terminal: short, in JSON, nowhere as HTML."""
    evil = "<img src=x onerror=alert(1)>\x1b[31m\u202e"
    began = time.monotonic()
    taken = match(mock, vendor_data=evil + "x" * length).status_code == 200
    assert taken or length > 500_000
    assert time.monotonic() - began < 5
    (call,) = rows(mock, 1)
    shown = ask(mock, f"{PATH}calls/1")
    assert shown.headers["Content-Type"] == "application/json"
    assert len(json.dumps(call)) < 2_000
    assert len(shown.content) < 10_000
    if taken:
        assert shown.json()["fields"]["vendor_data"].startswith(evil)
    assert b"<img" not in ask(mock, headers=BROWSER).content


def test_no_secret_is_shown(mock):
    """Of answers neither: what sounds like a secret, and what makes an address work."""
    made = mock.control.webhooks.add("http://user:word@127.0.0.1:1/hook?token=abc")
    match(mock)
    session = mock.control.sessions.all()[0].id
    header = {"x-api-key": mock.live_key}
    decision = ask(mock, f"/v3/session/{session}/decision/", headers=header).json()
    signed = re.search(r"/__media__/[^\"?]*\?[^\"]+", json.dumps(decision))
    shown = "".join(ask(mock, f"{PATH}calls/{number}").text for number in (1, 2, 3))
    assert signed
    for secret in (made.secret, signed[0], "user:word", "token=abc", mock.live_key):
        assert secret not in shown


def shown(mock, number=1):
    """What is told of one call."""
    return ask(mock, f"{PATH}calls/{number}").json()


def test_a_call_is_shown_as_it_was_sent(mock):
    """Its headers, its body in the order of the bytes, and how long it took; no picture's bytes."""
    match(mock, P1, P2, vendor_data="order-9")
    told = shown(mock)
    assert told["sent"]["headers"]["x-api-key"] == "***"
    assert told["sent"]["headers"]["content-type"].startswith("multipart/form-data")
    assert told["answered"]["Content-Type"] == "application/json"
    assert 0 < told["ms"] < 5_000
    body = told["sent"]["body"]
    at = [body.index(name) for name in ('name="vendor_data"', 'name="user_image"', "ref_image")]
    assert at == sorted(at)
    assert "order-9" in body
    for file in told["files"]:
        assert f"<{file['size']:,} bytes, SHA-256 {file['digest']}>" in body
    assert "IHDR" not in json.dumps(told)


def test_a_picture_in_json_and_one_that_is_the_body_are_named():
    """In base64 as well; a secret in a form is masked."""
    with MockServer(vendor=["deepvue", "azure"]) as mock:
        pair = {"client_id": "mock-client", "client_secret": "mock-live-key"}
        token = ask(mock, "/v1/authorize", "POST", data=pair).json()["access_token"]
        headers = {"x-api-key": "mock-live-key", "Authorization": f"Bearer {token}"}
        sent = {"image": base64.b64encode(P1).decode()}
        ask(mock, "/v1/liveness-check", "POST", headers=headers, json=sent)
        binary = {"Ocp-Apim-Subscription-Key": mock.of("azure").live_key}
        binary["Content-Type"] = "application/octet-stream"
        ask(mock, "/face/v1.2/detect", "POST", headers=binary, data=P1)
        form, in_json, as_bytes = (shown(mock, number) for number in (1, 2, 3))
    assert form["sent"]["body"] == "client_id=mock-client&client_secret=***"
    assert len(in_json["sent"]["body"]) < 100
    assert "<picture of" in in_json["sent"]["body"]
    assert as_bytes["sent"]["body"].startswith(f"<{len(P1):,} bytes, SHA-256")
    for told in (form, in_json, as_bytes):
        assert token not in json.dumps(told)
        assert "mock-live-key" not in json.dumps(told)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl: NOT TESTED")
def test_the_command_of_a_call_makes_it_again(mock, tmp_path):
    """In a shell, with the key in its place and the pictures beside it."""
    (tmp_path / "a.png").write_bytes(P1)
    (tmp_path / "b.png").write_bytes(P2)
    match(mock, P1, P2, vendor_data='it\'s "$HOME" & more')
    sessions = {"x-api-key": mock.live_key}
    ask(mock, "/v3/sessions/?limit=1", headers=sessions)
    for number in (1, 2):
        command = shown(mock, number)["curl"].replace("{url}", mock.url)
        assert mock.live_key not in command
        command = command.replace("YOUR-KEY", mock.live_key)
        run = subprocess.run(
            ["sh", "-c", f"{command} -s"], cwd=tmp_path, capture_output=True, check=True, timeout=20
        )
        assert json.loads(run.stdout)
    first, listed, again, listed_again = mock.control.journal()
    assert (again.fields, again.files) == (first.fields, first.files)
    assert (listed_again.path, listed_again.status) == (listed.path, 200)


def test_a_picture_within_json_is_read_by_the_shell():
    """The command names a file in its place."""
    with MockServer(vendor="deepvue") as mock:
        sent = {"image": base64.b64encode(P1).decode()}
        ask(mock, "/v1/liveness-check", "POST", headers={"x-api-key": "k"}, json=sent)
        assert "$(base64 -w0 picture.png)" in shown(mock)["curl"]


def again(mock, number=1, **headers):
    """The same call once more, as the page asks for it."""
    sent = {"Content-Type": "application/json", "X-Facematch-Again": str(number), **headers}
    return ask(mock, "/v3/face-match/", "POST", headers=sent, data="{}")


def test_a_call_is_sent_again_with_what_the_page_has_not(mock):
    """Key, fields and pictures; it costs once more, and a fault strikes it."""
    match(mock, P1, P2, vendor_data="once")
    assert again(mock).json()["face_match"]["score"] == 15.35
    first, second = mock.control.journal()
    assert (first.key, first.fields, first.files) == (second.key, second.fields, second.files)
    assert len(mock.control.charges()) == 2
    mock.control.add_fault(Fault(stage="answer", kind="status", status=503))
    assert again(mock).status_code == 503
    told = shown(mock, 3)
    assert (told["status"], told["key"], told["sent"]["headers"]["x-api-key"]) == (
        503,
        "live",
        "***",
    )


def test_nobody_else_sends_a_call_again(mock):
    """Neither a foreign page, nor whoever has no token, nor one that is not there."""
    match(mock)
    assert again(mock, Origin="https://evil.example").status_code == 403
    assert again(mock, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert again(mock, Host="evil.example").status_code == 403
    assert again(mock, **{"Content-Type": "text/plain"}).status_code == 415
    assert again(mock, 7).status_code == 404
    assert again(mock, "x").status_code == 404
    assert len(mock.control.journal()) == 1
    with MockServer(control_token=TOKEN) as guarded:
        match(guarded)
        assert again(guarded).status_code == 403
        assert again(guarded, **{"X-Mock-Token": TOKEN}).status_code == 200


def test_one_call_can_be_deleted(mock):
    """From the list and from the journal; the others keep their numbers."""
    for name in ("a", "b", "c"):
        match(mock, vendor_data=name)
    forget = {"json": {}}
    assert ask(mock, f"{PATH}forget/2", "POST", **forget).status_code == 200
    assert ask(mock, f"{PATH}forget/2", "POST", **forget).status_code == 404
    assert [one.fields["vendor_data"] for one in mock.control.journal()] == ["a", "c"]
    assert [call["number"] for call in rows(mock, 2)] == [1, 3]
    assert shown(mock, 3)["fields"]["vendor_data"] == "c"
    match(mock)
    assert [call["number"] for call in rows(mock, 3)] == [1, 3, 4]


@pytest.mark.parametrize(
    ("vendor", "ask_it", "reason"),
    [
        ("didit", lambda mock: match(mock, key="wrong"), "You do not have permission"),
        ("didit", lambda mock: match(mock, probe=b""), "empty"),
        ("azure", lambda mock: ask(mock, "/face/v1.2/verify", "POST"), "subscription key"),
        ("didit", lambda mock: ask(mock, "/v9/"), "Did you mean"),
    ],
)
def test_a_refusal_has_its_reason(vendor, ask_it, reason):
    """In the words of the answer, wherever the vendor puts them."""
    with MockServer(vendor=vendor) as mock:
        ask_it(mock)
        (row,) = rows(mock, 1)
    assert reason in row["reason"]
    assert (row["verdict"], row["score"]) == (None, None)


def test_a_score_is_never_the_confidence_of_a_detection(mock):
    """A call without a score has none; Azure's confidence is one, for it is beside a verdict."""
    match(mock, SHEET["no-face"].data)
    (row,) = rows(mock, 1)
    assert (row["verdict"], row["score"]) == ("Declined", None)
    with MockServer(vendor="azure") as azure:
        headers = {"Ocp-Apim-Subscription-Key": azure.live_key}
        binary = {**headers, "Content-Type": "application/octet-stream"}
        faces = [
            ask(azure, "/face/v1.2/detect", "POST", headers=binary, data=one).json()[0]["faceId"]
            for one in (P1, SHEET["p1-again"].data)
        ]
        body = {"faceId1": faces[0], "faceId2": faces[1]}
        score = ask(azure, "/face/v1.2/verify", "POST", headers=headers, json=body).json()
        *detected, verified = rows(azure, 3)
    assert [(row["verdict"], row["score"]) for row in detected] == [(None, None)] * 2
    assert (verified["verdict"], verified["score"]) == (True, score["confidence"])


def test_the_pages_own_answers_close_their_connection(mock):
    """A browser sends a POST again when a connection that it kept breaks; other clients keep it."""
    assert ask(mock, f"{PATH}about").headers["Connection"] == "close"
    own = {"x-api-key": mock.live_key, "Origin": mock.url}
    assert ask(mock, "/v3/face-match/", "POST", headers=own).headers["Connection"] == "close"
    assert "Connection" not in match(mock).headers


def test_an_answer_of_the_tests_own_breaks_nothing(mock):
    """Not even with numbers that JSON does not have, or a depth that Python does not read."""
    body = {"match": True, "score": 1e300, "deep": json.loads("[" * 40 + "]" * 40)}
    mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.JSON, status=200, body=body))
    match(mock)
    entry = mock.control.journal()[-1]
    number = entry.number
    for odd in (b'{"score": NaN}', b'{"score": 1e999}', b'{"score": -Infinity}', b"[" * 9_000):
        answer = Response(status=200, headers=(("Content-Type", "application/json"),), body=odd)
        number += 1
        odd_entry = attrs.evolve(entry, number=number)
        mock.app.console._feed("main").add(odd_entry, Request(method="POST", target="/"), answer)
    for number in range(1, 6):
        shown = ask(mock, f"{PATH}calls/{number}").text
        json.loads(shown, parse_constant=pytest.fail)
    assert len(rows(mock, 5)) == 5


def test_only_the_newest_bytes_are_kept(monkeypatch):
    """Of requests and answers, each in so many bytes; the calls themselves stay."""
    monkeypatch.setattr(console_package, "ANSWER_BYTES", 15_000)
    monkeypatch.setattr(console_package, "SENT_BYTES", 3 * len(P1))
    with MockServer() as mock:
        for _ in range(4):
            match(mock)
        old, _, third, new = (shown(mock, number) for number in (1, 2, 3, 4))
        assert (old["sent"], old["answer"], old["answered"], old["curl"]) == (None,) * 4
        assert old["status"] == 200
        assert (third["sent"]["body"], third["curl"]) == (None, None)
        assert third["answer"]["face_match"]["status"] == "Approved"
        assert new["sent"]["body"]
        assert again(mock, 3).status_code == again(mock, 1).status_code == 404
        assert ask(mock, f"{PATH}calls/9").status_code == 404
        assert ask(mock, f"{PATH}calls/{'9' * 30}").status_code == 404
        assert ask(mock, f"{PATH}calls/x").status_code == 404


def test_an_account_has_calls_of_its_own(mock):
    """Nobody sees another one's, deletes it or sends it again; a closed one is forgotten."""
    other = mock.new_account()
    match(mock, vendor_data="mine")
    match(mock, key=other.live_key, vendor_data="theirs")
    its = {"X-Facematch-Account": other.name}
    with events(mock, **its) as stream:
        told = next(data for name, _, data in stream if name == "calls")
    assert [call["text"] for call in told] == ["vendor_data=theirs"]
    assert [call["text"] for call in rows(mock, 1)] == ["vendor_data=mine"]
    about = ask(mock, f"{PATH}about", headers=its).json()
    assert about["vendors"][0]["key"] == other.live_key
    shown_there = ask(mock, f"{PATH}calls/1", headers=its).json()
    assert shown_there["fields"]["vendor_data"] == "theirs"
    assert other.live_key not in json.dumps(shown_there)
    assert again(mock, 1, **its).status_code == 200
    assert [len(one.journal.entries) for one in mock.accounts.all] == [1, 2]
    assert ask(mock, f"{PATH}forget/1", "POST", json={}, headers=its).status_code == 200
    assert [len(one.journal.entries) for one in mock.accounts.all] == [1, 1]
    mock.control.close_account(other.name)
    assert ask(mock, f"{PATH}calls/2", headers=its).status_code == 404


# Pictures and cards


def test_a_picture_is_shown_only_if_that_was_asked_for(mock):
    """Else the mock says what its card says, and nothing of the picture itself."""
    match(mock)
    digest = rows(mock, 1)[0]["pictures"][0]["digest"]
    assert ask(mock, f"{PATH}pictures/{digest}").status_code == 404
    assert ask(mock, f"{PATH}about").json()["show_pictures"] is False
    with MockServer(show_pictures=True) as showing:
        match(showing)
        match(showing, probe=b"<svg onload=alert(1)>")
        pictures = [one["digest"] for call in rows(showing, 2) for one in call["pictures"]]
        shown = ask(showing, f"{PATH}pictures/{pictures[0]}")
        assert shown.content == P1
        # What may be no picture is nothing that a browser runs.
        hostile = ask(showing, f"{PATH}pictures/{pictures[2]}").headers
        assert hostile["Content-Type"] == "application/octet-stream"
        assert hostile["X-Content-Type-Options"] == "nosniff"
        showing.control.reset()
        match(showing)
        assert ask(showing, f"{PATH}pictures/{pictures[0]}").content == P1


def test_cards_can_be_taken_and_made(mock):
    """Each of the sheet, all of them, and one of one's own; wrong facts are one sentence."""
    listed = ask(mock, f"{PATH}cards").json()["cards"]
    assert [card["name"] for card in listed] == list(SHEET)
    assert ask(mock, f"{PATH}cards/p2.png").content == P2
    assert ask(mock, f"{PATH}cards/nobody.png").status_code == 404
    with zipfile.ZipFile(io.BytesIO(ask(mock, f"{PATH}cards/sheet.zip").content)) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {
            f"{name}.png": card.data for name, card in SHEET.items()
        }
    made = ask(mock, f"{PATH}cards", "POST", json={"person": "p7", "score": 41.5, "faces": 2})
    card = read_card(made.content)
    assert (card.person, card.score, card.faces) == ("p7", 41.5, 2)
    deep = {"data": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}
    assert ask(mock, f"{PATH}cards", "POST", **deep).status_code == 400
    for wrong in ({"person": "p 7"}, {"faces": 9}, {"size": [9000, 9000]}, [], {"kind": "BMP"}):
        answer = ask(mock, f"{PATH}cards", "POST", json=wrong)
        assert (answer.status_code, list(answer.json())) == (400, ["mock"])
    assert ask(mock, f"{PATH}cards", "POST", data="person=p1").status_code == 415
