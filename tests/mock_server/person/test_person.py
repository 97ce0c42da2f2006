"""The page where a tester plays the person, over a socket: who gets it, what it does, what it hides."""

import base64
import json
import re
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.hosted import PERSON

BACK = "https://shop.example/back?order=7#top"
WORKFLOW, KYC = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
P1, P2 = card_sheet()["p1"].data, card_sheet()["p2"].data
ALL_BUTTONS = ["Show this face", "Fail this attempt", "Walk away", "Let it expire"]


@pytest.fixture
def mock():
    with MockServer() as running:
        yield running


def start(mock, *, key=None, **fields):
    """A new session, as an application asks for it."""
    body = {"workflow_id": WORKFLOW, "vendor_data": "case-7", "callback": BACK}
    body |= {"portrait_image": base64.b64encode(P1).decode(), **fields}
    answer = requests.post(
        f"{mock.url}/v3/session/",
        headers={"x-api-key": key or mock.live_key},
        json={name: value for name, value in body.items() if value is not None},
        timeout=10,
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def start_kyc(mock, **fields):
    mock.control.sessions.workflow(KYC, kind="kyc")
    return start(mock, workflow_id=KYC, **fields)


def form_token(page):
    return re.search(r'name="form_token" value="([^"]+)"', page)[1]


def press(url, do, *, files=None, headers=None, **fields):
    """What a browser sends when somebody presses a button of the page."""
    if "form_token" not in fields:
        fields["form_token"] = form_token(requests.get(url, timeout=10).text)
    parts = urlsplit(url)
    # Every browser says where a form comes from.
    headers = {"Origin": f"{parts.scheme}://{parts.netloc}", **(headers or {})}
    # Without a file, too, a form that may have one is multipart.
    every = [(name, (None, value)) for name, value in {"do": do, **fields}.items()]
    every += [(name, ("photo.png", data)) for name, data in (files or {}).items()]
    return requests.post(url, files=every, headers=headers, allow_redirects=False, timeout=10)


def status_of(mock, session):
    (status,) = {x.status for x in mock.control.sessions.all() if x.id == session["session_id"]}
    return status


# What it does


def test_the_page_says_that_it_is_a_mock_and_who_asks_for_what(mock):
    session = start(mock, vendor_data="<b>case</b>")
    page = requests.get(session["url"], timeout=10)
    assert page.status_code == 200
    assert re.search(r"<strong>MOCK</strong>", page.text)
    for words in ("Didit", "biometric", "&lt;b&gt;case&lt;/b&gt;", "https://shop.example<"):
        assert words in page.text
    # Where exactly it leads back is not for who looks over a shoulder.
    assert "order=7" not in page.text
    assert re.findall(r"<button[^>]*>([^<]+)</button>", page.text) == ALL_BUTTONS
    assert re.findall(r'name="face" value="([^"]+)"', page.text).count("p1") == 1
    assert 'name="document"' not in page.text
    assert "<script" not in page.text
    assert status_of(mock, session) == "In Progress"


def test_every_card_has_a_picture_and_the_page_a_style(mock):
    page = requests.get(start(mock)["url"], timeout=10).text
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert len(pictures) == len(card_sheet())
    for path in pictures:
        answer = requests.get(mock.url + path, timeout=10)
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.content == card_sheet()[path.rsplit("/", 1)[1].removesuffix(".png")].data
    (style,) = re.findall(r'rel="stylesheet" href="([^"]+)"', page)
    assert "--accent" in requests.get(mock.url + style, timeout=10).text


@pytest.mark.parametrize(
    ("do", "fields", "status"),
    [
        ("card", {"face": "p1"}, "Approved"),
        ("card", {"face": "not-live"}, "Declined"),
        ("card", {"face": "p2"}, "Declined"),
        ("abandon", {}, "Abandoned"),
        ("expire", {}, "Expired"),
    ],
)
def test_an_act_that_ends_the_session_leads_to_the_callback(mock, do, fields, status):
    session = start_kyc(mock)
    answer = press(session["url"], do, document="p1", **fields)
    assert answer.status_code == 303
    back = urlsplit(answer.headers["Location"])
    assert (back.netloc, back.path, back.fragment) == ("shop.example", "/back", "top")
    assert parse_qs(back.query) == {
        "order": ["7"],
        "verificationSessionId": [session["session_id"]],
        "status": [status],
    }
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert status_of(mock, session) == status


def test_a_failed_attempt_is_told_and_the_session_goes_on(mock):
    session = start(mock)
    answer = press(session["url"], "fail_attempt")
    assert (answer.status_code, mock.url + answer.headers["Location"]) == (303, session["url"])
    page = requests.get(session["url"], timeout=10).text
    assert re.search(r'role="status"[^>]*>Attempt 1 failed', page)
    assert press(session["url"], "card", face="p1").status_code == 303


@pytest.mark.parametrize(("document", "status"), [(P1, "Approved"), (P2, "Declined")])
def test_a_picture_from_the_device_counts_instead_of_a_card(mock, document, status):
    session = start_kyc(mock)
    files = {"face_picture": P1, "document_picture": document}
    answer = press(session["url"], "card", files=files, face="no-face", document="no-face")
    assert f"status={status}" in answer.headers["Location"]


def test_what_cannot_be_done_is_said_on_the_page_and_changes_nothing(mock):
    session = start(mock)
    for do, fields in (("fly", {}), ("card", {"face": "p99"})):
        answer = press(session["url"], do, **fields)
        assert answer.status_code == 400
        assert re.search(r'role="status"[^>]*>[^<]*(fly|p99)', answer.text)
    assert status_of(mock, session) == "In Progress"


def test_without_a_callback_the_page_says_how_it_ended(mock):
    answer = press(start(mock, callback=None)["url"], "card", face="p1")
    assert answer.status_code == 200
    assert "Finished: " in answer.text
    assert "Location" not in answer.headers


def test_an_app_is_opened_by_its_scheme(mock):
    session = start(mock, callback='myapp://done?"x')
    answer = press(session["url"], "abandon")
    address = f"myapp://done?%22x&verificationSessionId={session['session_id']}&status=Abandoned"
    assert answer.headers["Refresh"] == f"0; url={address}"
    assert f'href="{address.replace("&", "&amp;")}"' in answer.text


# Who may


def test_an_address_finds_one_session_and_ends_with_it(mock):
    first, second = start(mock), start(mock, vendor_data="case-8")
    assert first["url"] != second["url"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{12}", first["session_token"])
    press(first["url"], "abandon")
    page = requests.get(first["url"], timeout=10)
    assert page.status_code == 410
    assert "case-7" not in page.text
    other = form_token(requests.get(second["url"], timeout=10).text)
    assert press(first["url"], "card", form_token=other).status_code == 410
    for path in ("main/session/AAAAAAAAAAAA", "main/session/", "nobody/session/x", "x.png", ""):
        answer = requests.get(mock.url + PERSON + path, timeout=10)
        assert (answer.status_code, "<h1>" in answer.text) == (404, True)


def test_a_session_of_one_account_is_not_found_in_another(mock):
    other = mock.new_account("team-b")
    session = start(mock, key=other.live_key)
    assert "/team-b/" in session["url"]
    moved = session["url"].replace("/team-b/", "/main/")
    assert requests.get(moved, timeout=10).status_code == 404
    assert requests.get(session["url"], timeout=10).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://shop.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Host": "rebound.example", "Origin": "http://rebound.example"},
    ],
)
def test_a_form_of_another_page_is_refused(mock, headers):
    session = start(mock)
    assert press(session["url"], "abandon", headers=headers).status_code == 403
    assert status_of(mock, session) == "In Progress"


def test_a_form_needs_the_token_of_its_session(mock):
    session, other = start(mock), start(mock, vendor_data="case-8")
    wrong = form_token(requests.get(other["url"], timeout=10).text)
    for token in (wrong, "", "\u00e9"):
        assert press(session["url"], "abandon", form_token=token).status_code == 403
    assert status_of(mock, session) == "Not Started"
    head = {"Origin": mock.url, "Content-Type": "application/json"}
    assert requests.post(session["url"], "{}", headers=head, timeout=10).status_code == 403


@pytest.mark.parametrize("is_on", [False, True])
def test_beyond_the_loopback_it_is_off_unless_it_is_wanted(is_on):
    # None, the default, is off there.
    more = {"person_page": True} if is_on else {}
    with MockServer(host="0.0.0.0", control=False, **more) as mock:  # noqa: S104
        local = f"http://127.0.0.1:{mock.port}"
        head = {"x-api-key": mock.live_key, "Host": "phone.example"}
        body = {"workflow_id": WORKFLOW, "portrait_image": base64.b64encode(P1).decode()}
        made = requests.post(f"{local}/v3/session/", headers=head, json=body, timeout=10).json()
        url = made["url"].replace("http://phone.example", local)
        page = requests.get(url, headers={"Host": "phone.example"}, timeout=10)
        assert (page.status_code == 200) is is_on
        assert ("--person-page" in page.text) is not is_on


def test_within_a_process_there_is_no_page(mock):
    session = start(mock)
    client = requests.Session()
    client.mount("http://", mock.adapter())
    answer = client.get(session["url"])
    assert answer.status_code == 404
    assert "control.sessions" in answer.text


# What it hides


def test_no_answer_is_kept_framed_or_tells_where_somebody_was(mock):
    session = start(mock)
    pages = [requests.get(session["url"], timeout=10), requests.head(session["url"], timeout=10)]
    pages += [press(session["url"], "abandon"), requests.get(session["url"], timeout=10)]
    for page in pages:
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] in {"no-referrer", "same-origin"}
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_neither_journal_nor_console_nor_log_has_the_address_or_the_picture(mock, caplog, capfd):
    session = start(mock)
    mock.control.clear_journal()
    press(session["url"], "card", files={"face_picture": P2})
    too_long = {"Content-Length": str(1 << 40), "Origin": mock.url}
    requests.post(session["url"], data=b"", headers=too_long, timeout=10)
    state = json.dumps(requests.get(f"{mock.control_url}console/state/didit/sessions", timeout=10).json())
    shown = repr(mock.control.journal()) + state + caplog.text + "".join(capfd.readouterr())
    assert session["session_token"] not in shown


UNSAFE = [f"{scheme}:alert(1)" for scheme in ("javascript", "data", "BLOB", "file", "vbscript")]


@pytest.mark.parametrize("address", [*UNSAFE, "//elsewhere.example", "http:/__mock__/", " x:y"])
def test_no_callback_runs_in_the_name_of_the_page(mock, address):
    mock.control.sessions.workflow(KYC, kind="kyc", callback=address)
    session = start(mock, workflow_id=KYC, callback=None)
    assert "<dd>nowhere</dd>" in requests.get(session["url"], timeout=10).text
    answer = press(session["url"], "abandon")
    assert answer.status_code == 200
    assert not {"Location", "Refresh"} & {*answer.headers}
    assert "href" not in answer.text.partition("<main>")[2]
