"""The page where a tester plays the person, over a socket: what it does, who may, what it hides."""

import base64
import re
import uuid
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kit.mock_world import P1, P2

from facematch_core import open_sessions
from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.base.messages import PERSON
from facematch_mock_server.pages import web
from facematch_mock_server.vendors import vendor_names

#: The vendors whose web SDK shows the page in a frame.
WEB_SDKS = [name for name in vendor_names() if web.has_script(name)]
BACK = "https://shop.example/back?order=7#top"
DOCUMENTATION = Path(__file__).parents[4] / "docs" / "test" / "test-the-camera-step.md"
KYC = str(uuid.UUID(int=1))
BIOMETRIC = str(uuid.UUID(int=2))


@pytest.fixture
def mock():
    with MockServer() as running:
        running.control.sessions.workflow(KYC, kind="kyc")
        yield running


def start(mock, *, key=None, url=None, headers=(), **fields):
    headers = {"x-api-key": key or mock.live_key, **dict(headers)}
    sent = {"workflow_id": KYC, "vendor_data": "case-7", "callback": BACK, **fields}
    answer = requests.post(f"{url or mock.url}/v3/session/", json=sent, headers=headers, timeout=10)
    return answer.json()


def look(url, **options):
    return requests.get(url, timeout=10, **options)


def form_token(page):
    return re.search(r'name="form_token" value="([^"]+)"', page.text)[1]


def press(url, do, *, token=None, files=(), headers=(), **fields):
    """What a browser sends when somebody presses a button; every one says where a form is from."""
    fields |= {"do": do, "form_token": form_token(look(url)) if token is None else token}
    parts = [(name, (None, text)) for name, text in fields.items()]
    parts += [(f"{name}_picture", ("photo.png", data)) for name, data in dict(files).items()]
    headers = {"Origin": url.partition(PERSON)[0], **dict(headers)}
    return requests.post(url, files=parts, headers=headers, allow_redirects=False, timeout=10)


def status_of(mock, session):
    return {each.id: each.status for each in mock.control.sessions.all()}[session["session_id"]]


def test_person_page_shows_mock_vendor_workflow_and_callback_host(mock):
    mock.control.sessions.workflow(BIOMETRIC)
    portrait = base64.b64encode(P1).decode()
    fields = {"workflow_id": BIOMETRIC, "portrait_image": portrait, "vendor_data": "<b>case</b>"}
    session = start(mock, **fields)
    page = look(session["url"]).text
    for words in ("MOCK<", "Didit", "biometric", "&lt;b&gt;case&lt;", "https://shop.example<"):
        assert words in page
    # Where exactly it leads back is not for who looks over a shoulder.
    assert "order=7" not in page
    text = DOCUMENTATION.read_text("utf-8")
    section = text.split("## What the person does")[1].partition("\n## ")[0]
    promised = re.findall(r"\*\*(.+?)\*\*", section)
    assert promised
    assert re.findall(r"<button[^>]*>([^<]+)</button>", page) == promised
    assert set(re.findall(r'name="face" value="([^"]+)"', page)) == set(card_sheet())
    assert 'name="document"' not in page
    assert status_of(mock, session) == "In Progress"
    assert "status=Approved" in press(session["url"], "card", face="p1").headers["Location"]


@pytest.mark.parametrize(
    ("do", "fields", "status"),
    [
        ("card", {"face": "p1-again", "document": "p1"}, "Approved"),
        ("card", {"face": "spoof", "document": "p1"}, "Declined"),
        ("card", {"face": "p1", "document": "p2"}, "Declined"),
        # A picture from the device counts instead of a card.
        ("card", {"face": "p2", "document": "p1", "files": {"face": P1}}, "Approved"),
        ("card", {"face": "p1", "document": "p1", "files": {"document": P2}}, "Declined"),
        ("abandon", {}, "Abandoned"),
        ("expire", {}, "Expired"),
    ],
)
def test_ending_the_session_redirects_to_the_callback(mock, do, fields, status):
    session = start(mock)
    answer = press(session["url"], do, **fields)
    assert (answer.status_code, answer.headers["Referrer-Policy"]) == (303, "no-referrer")
    back = urlsplit(answer.headers["Location"])
    assert (back.netloc, back.path, back.fragment) == ("shop.example", "/back", "top")
    added = {"verificationSessionId": [session["session_id"]], "status": [status]}
    assert parse_qs(back.query) == {"order": ["7"], **added}
    assert status_of(mock, session) == status
    # The address ends with the session.
    for late in (look(session["url"]), press(session["url"], "card", token="")):
        assert (late.status_code, "case-7" in late.text) == (410, False)


def test_failed_attempt_is_shown_and_the_session_continues(mock):
    url = start(mock)["url"]
    answer = press(url, "fail_attempt")
    assert (answer.status_code, mock.url + answer.headers["Location"]) == (303, url)
    assert re.search(r'role="status"[^>]*>Attempt 1 failed', look(url).text)
    for do, face in (("fly", ""), ("card", "p99")):
        answer = press(url, do, face=face)
        assert answer.status_code == 400
        assert re.search(r'role="status"[^>]*>[^<]*(fly|p99)', answer.text)
    assert press(url, "card", face="p1", document="p1").status_code == 303


def test_callback_with_an_app_scheme_opens_the_app(mock):
    session = start(mock, callback='myapp://done?"x')
    answer = press(session["url"], "abandon")
    address = f"myapp://done?%22x&verificationSessionId={session['session_id']}&status=Abandoned"
    assert answer.headers["Refresh"] == f"0; url={address}"
    assert f'href="{address.replace("&", "&amp;")}"' in answer.text


UNSAFE = [f"{scheme}:alert(1)" for scheme in ("javascript", "data", "BLOB", "file", "vbscript")]


@pytest.mark.parametrize(
    "address", [None, *UNSAFE, "//elsewhere.example", "http:/__mock__/", " x:"]
)
def test_unsafe_or_missing_callback_causes_no_redirect_or_link(mock, address):
    mock.control.sessions.workflow(KYC, kind="kyc", callback=address)
    url = start(mock, callback=None)["url"]
    assert "<dd>nowhere</dd>" in look(url).text
    answer = press(url, "abandon")
    assert (answer.status_code, {"Location", "Refresh"} & set(answer.headers)) == (200, set())
    assert "href" not in answer.text.partition("<main>")[2]


def test_page_url_finds_only_the_session_of_its_account(mock):
    other = mock.new_account("team-b")
    other.control.sessions.workflow(KYC, kind="kyc")
    session = start(mock, key=other.live_key)
    assert look(session["url"]).status_code == 200
    moved = session["url"].replace("/team-b/", "/main/")
    paths = ("main/session/AAAAAAAAAAAA", "main/session/", "nobody/session/x", "x.png", "")
    for url in (moved, *(mock.url + PERSON + path for path in paths)):
        answer = look(url)
        assert (answer.status_code, "<h1>" in answer.text) == (404, True)


@pytest.mark.parametrize(
    "options",
    [
        *({"headers": {"Origin": origin}} for origin in ("https://shop.example", "null", None)),
        {"headers": {"Host": "rebound.example", "Origin": "http://rebound.example"}},
        {"headers": {"Content-Type": "application/json"}},
        *({"token": token} for token in ("", "\u00e9", "of another session")),
    ],
)
def test_forged_or_cross_site_form_is_rejected(mock, options):
    session = start(mock)
    other = start(mock, vendor_data="case-8")
    if options.get("token") == "of another session":
        options = {"token": form_token(look(other["url"]))}
    assert press(session["url"], "abandon", **options).status_code == 403
    assert status_of(mock, session) != "Abandoned"


@pytest.mark.parametrize("is_on", [None, True])
def test_person_page_is_off_beyond_loopback_unless_enabled(is_on):
    with MockServer(host="0.0.0.0", control=False, person_page=is_on) as mock:
        mock.control.sessions.workflow(KYC, kind="kyc")
        local = f"http://127.0.0.1:{mock.port}"
        phone = {"Host": "phone.example"}
        url = start(mock, url=local, headers=phone)["url"]
        page = look(url.replace("http://phone.example", local), headers=phone)
        expected = (200, False) if is_on else (404, True)
        assert (page.status_code, "--person-page" in page.text) == expected


@pytest.mark.parametrize("vendor", [name for name in WEB_SDKS if name != "stripe"])
@pytest.mark.parametrize("is_on", [None, True])
def test_page_for_a_web_sdk_is_off_beyond_loopback_unless_enabled(vendor, is_on):
    options = {"host": "0.0.0.0", "control": False, "person_page": is_on}
    with MockServer(vendor=vendor, **options) as mock:
        page = look(f"http://127.0.0.1:{mock.port}{PERSON}main/web/{vendor}/session/unknown")
        assert (page.status_code, "--person-page" in page.text) == (404, not is_on)
        script = look(f"http://127.0.0.1:{mock.port}{PERSON}{vendor}.mjs")
        assert script.status_code == (200 if is_on else 404)


def test_person_page_is_not_cached_or_journaled(mock, caplog):
    session = start(mock)
    mock.control.clear_journal()
    answers = [look(session["url"]), requests.head(session["url"], timeout=10)]
    too_long = {"Content-Length": str(1 << 40), "Origin": mock.url}
    refused = requests.post(session["url"], data=b"", headers=too_long, timeout=10)
    answers += [press(session["url"], "abandon"), look(session["url"])]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] in {"no-referrer", "same-origin"}
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert (refused.status_code, mock.control.journal()) == (413, ())
    assert session["session_token"] not in caplog.text


def policy_of(answer):
    """The sources of each directive of the page's policy."""
    directives = answer.headers["Content-Security-Policy"].split("; ")
    return {name: sources for name, *sources in map(str.split, directives)}


def test_only_pages_of_this_machine_frame_the_page_of_a_vendor_with_a_web_sdk(mock):
    session = start(mock)
    policy = policy_of(look(session["url"]))
    assert policy["frame-ancestors"] == ["http://localhost:*", "http://127.0.0.1:*"]
    assert policy["script-src"] == ["'self'"]
    press(session["url"], "abandon")
    over = look(session["url"])
    assert (over.status_code, "<script" in over.text) == (410, False)
    assert policy_of(over) == policy


def test_page_of_a_vendor_without_a_web_sdk_has_no_script_and_no_frame():
    with MockServer(vendor="azure") as mock:
        sent = {
            "livenessOperationMode": "PassiveActive",
            "deviceCorrelationId": str(uuid.UUID(int=3)),
        }
        started = requests.post(
            f"{mock.url}/face/v1.2/detectLiveness-sessions",
            json=sent,
            headers={"Ocp-Apim-Subscription-Key": mock.live_key},
            timeout=10,
        )
        page = look(mock.control.sessions.page(started.json()["sessionId"]))
        assert policy_of(page)["frame-ancestors"] == ["'none'"]
        assert "script" not in page.text + page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("do", "moment"), [("card", "finished"), ("abandon", "left"), ("expire", "expired")]
)
def test_in_a_frame_the_page_says_how_the_session_ended_and_redirects_nowhere(mock, do, moment):
    session = start(mock)
    answer = press(session["url"], do, framed="iframe", **({"face": "p1"} if do == "card" else {}))
    assert (answer.status_code, {"Location", "Refresh"} & set(answer.headers)) == (200, set())
    assert f'data-moment="{moment}" data-session="{session["session_id"]}"' in answer.text
    assert policy_of(answer)["script-src"] == ["'self'"]
    # Its scripts come from the mock.
    for name in (*(f"{name}.mjs" for name in WEB_SDKS), "frame.mjs"):
        script = look(f"{mock.url}{PERSON}{name}")
        assert script.headers["Content-Type"].startswith("text/javascript")
    assert look(f"{mock.url}{PERSON}azure.mjs").status_code == 404


def test_expired_link_is_told_to_the_web_sdk_which_can_fetch_another_token():
    with MockServer(vendor="sumsub") as mock:
        backend = open_sessions(
            "sumsub",
            app_token=mock.client_id,
            secret_key=mock.live_key,
            base_url=mock.url,
            level_name="id-and-liveness",
            compared_with="document",
            require_environment="mock",
        )
        with backend as sessions:
            started = sessions.start(sessions.plan("customer-17", purpose="signup"))
        url = started.access.link.reveal()
        mock.control.sessions.expire(started.record.session_id)
        page = look(url)
        assert (page.status_code, 'data-moment="expired"' in page.text) == (410, True)


def test_in_a_frame_a_failed_attempt_is_told_and_the_session_continues(mock):
    url = start(mock)["url"]
    assert 'data-moment="opened"' in look(url).text
    failed = press(url, "fail_attempt", framed="iframe")
    assert (failed.status_code, 'data-moment="tried"' in failed.text) == (200, True)
    unknown = press(url, "fly", framed="iframe")
    assert (unknown.status_code, 'data-moment="refused"' in unknown.text) == (400, True)
    assert press(url, "card", framed="iframe", face="p1").status_code == 200


@pytest.fixture
def persona():
    with MockServer(vendor="persona") as running:
        yield running


def open_in_persona_sdk(mock):
    """Create an inquiry; return its id, and the URL of the page that the web SDK shows."""
    answer = requests.post(
        f"{mock.url}/api/v1/inquiries",
        json={"data": {"attributes": {"inquiry-template-id": "itmpl_mock"}}},
        headers={"Authorization": f"Bearer {mock.live_key}"},
        timeout=10,
    )
    inquiry_id = answer.json()["data"]["id"]
    widget = look(f"{mock.url}/widget?inquiry-id={inquiry_id}&flow-type=inline")
    assert (widget.status_code, len(widget.history)) == (200, 1)
    assert urlsplit(widget.url).query == f"inquiry-id={inquiry_id}&flow-type=inline"
    return inquiry_id, widget.url


def test_page_in_a_web_sdk_begins_the_session_with_the_first_action(persona):
    _, url = open_in_persona_sdk(persona)
    assert 'data-status="created"' in look(url).text
    failed = press(url, "fail_attempt")
    assert (failed.status_code, persona.url + failed.headers["Location"]) == (303, url)
    assert 'data-status="pending"' in look(url).text


def test_in_a_frame_the_page_says_that_the_person_left_a_session_that_stays_open(persona):
    inquiry_id, url = open_in_persona_sdk(persona)
    answer = press(url, "abandon", headers={"Sec-Fetch-Dest": "iframe"})
    assert (answer.status_code, "<form" in answer.text) == (200, False)
    told = f'data-moment="left" data-session="{inquiry_id}" data-status="pending"'
    assert told in answer.text
    # Without a frame it is said to the person alone.
    assert "data-moment" not in press(url, "abandon").text
    assert "<form" in look(url).text


def test_page_in_a_web_sdk_says_why_there_is_no_session(persona):
    other = persona.new_account("team-b")
    other.control.sessions.allow_frames(["https://shop.test"])
    _, url = open_in_persona_sdk(persona)
    press(url, "expire")
    over = look(url)
    assert (over.status_code, 'data-moment="over"' in over.text) == (410, True)
    unknown = look(url.replace("/main/", "/team-b/"))
    assert (unknown.status_code, 'data-moment="unknown"' in unknown.text) == (404, True)
    assert policy_of(unknown)["frame-ancestors"] == ["https://shop.test"]
    assert "<script" not in look(url.replace("/web/persona/", "/web/azure/")).text


@pytest.mark.parametrize(
    ("outcome", "document", "expected"),
    [
        ("p1", None, ("card", "p1", "p1")),
        ("p2", "p1", ("card", "p2", "p1")),
        (["fail_attempt", "p1"], None, ("fail_attempt", "", "")),
        ("abandon", None, ("abandon", "", "")),
    ],
)
def test_on_open_lets_the_page_act_as_a_click_does(mock, outcome, document, expected):
    session = start(mock)
    mock.control.sessions.on_open(session["session_id"], outcome=outcome, document=document)
    page = look(session["url"])
    attributes = re.search(
        r'act\.mjs" data-outcome="(.*?)" data-face="(.*?)" data-document="(.*?)"', page.text
    )
    assert attributes.groups() == expected
    assert "/__mock__/person/act.mjs" not in look(start(mock, vendor_data="case-8")["url"]).text
    mock.control.sessions.on_open(session["session_id"], outcome=None)
    assert "act.mjs" not in look(session["url"]).text


def test_on_open_takes_the_next_outcome_at_the_next_attempt(mock):
    session = start(mock)
    url = f"{mock.url}/__mock__/sessions/on_open"
    body = {"outcome": ["fail_attempt", "p1"]}
    requests.post(url, json=body, timeout=10).raise_for_status()
    assert 'data-outcome="fail_attempt"' in look(session["url"]).text
    press(session["url"], "fail_attempt")
    assert 'data-outcome="card" data-face="p1"' in look(session["url"]).text


@pytest.mark.parametrize("outcome", ["approve", [], ["p1", 7]])
def test_on_open_lists_the_outcomes_when_one_is_unknown(mock, outcome):
    with pytest.raises(ValueError) as caught:
        mock.control.sessions.on_open(outcome=outcome)
    assert outcome == [] or {"p1", "spoof", "fail_attempt", "abandon", "expire"} <= set(
        re.findall(r"[\w-]+", str(caught.value))
    )
    with pytest.raises(LookupError):
        mock.control.sessions.on_open("nobody", outcome="p1")


def test_account_chooses_which_origins_may_show_the_page_in_a_frame(mock):
    session = start(mock)
    mock.control.sessions.allow_frames(["https://shop.test"])
    policy = look(session["url"]).headers["Content-Security-Policy"]
    assert "frame-ancestors https://shop.test;" in policy
    for origin in ("https://shop.test/path", "shop.test", "https://a.test; script-src *", 7):
        with pytest.raises(ValueError):
            mock.control.sessions.allow_frames([origin])
    mock.control.reset()
    again = start(mock)
    assert "http://localhost:*" in look(again["url"]).headers["Content-Security-Policy"]
