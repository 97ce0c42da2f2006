"""Veriff's sessions as its documents describe them, asked over HTTP with hand-made signatures."""

import datetime as dt
import json

import pytest
import requests
from kit.cards import CARDS
from kit.mock_veriff import SECRET, SESSIONS, TEST_API_KEY, TEST_SECRET, reference, sign

from facematch_mock_server import MockServer
from facematch_mock_server.vendors.veriff.vendor import API_KEY

SIGNED_ID = "11111111-2222-4333-8444-555555555555"


class Shop:
    """A client of a mock, with the keys of one of its integrations."""

    def __init__(self, mock, api_key=API_KEY, secret=SECRET):
        self.mock, self.control, self.people = mock, mock.control, mock.control.sessions
        self.api_key, self.secret = api_key, secret

    def ask(self, method, path, body=None, *, signed=None):
        content = b"" if body is None else json.dumps(body).encode()
        headers = {
            "X-AUTH-CLIENT": self.api_key,
            "X-HMAC-SIGNATURE": sign(content if signed is None else signed, self.secret),
            "Content-Type": "application/json",
        }
        return requests.request(
            method, f"{self.mock.url}{path}", data=content, headers=headers, timeout=10
        )

    def start(self, **fields):
        answer = self.ask("POST", SESSIONS, {"verification": fields})
        assert answer.status_code == 201, answer.text
        return answer.json()["verification"]["id"]

    def about(self, method, session_id, more_path=""):
        path = f"{SESSIONS}/{session_id}{more_path}"
        return self.ask(method, path, signed=session_id.encode())

    def begin(self, session_id):
        act = {"session_id": session_id, "do": "begin"}
        url = f"{self.mock.url}/__mock__/sessions/act"
        requests.post(url, json=act, timeout=10).raise_for_status()

    def decision(self, session_id):
        answer = self.about("GET", session_id, "/decision")
        assert answer.status_code == 200, answer.text
        return answer.json()["verification"]

    def attempts(self, session_id):
        answers = self.about("GET", session_id, "/attempts").json()["verifications"]
        return [attempt["status"] for attempt in answers]

    def code(self, answer):
        return answer.status_code, answer.json().get("code")


@pytest.fixture
def mock():
    with MockServer(vendor="veriff", seed=7) as server:
        yield server


@pytest.fixture
def shop(mock):
    return Shop(mock)


@pytest.fixture
def hooks(mock):
    """The deliveries to a receiver that takes both kinds of webhooks, oldest first."""
    url = "http://127.0.0.1:9/hook"
    mock.control.webhooks.add(url, events=["decision", "event"], secret=SECRET)

    def list_deliveries(*, statuses=True):
        webhooks = mock.control.webhooks
        letters = [webhooks.delivery(each.id) for each in webhooks.deliveries()]
        return [f"{letter.event} {letter.status}" for letter in letters] if statuses else letters

    return list_deliveries


def test_a_session_has_no_decision_before_the_person_has_finished(shop):
    session_id = shop.start(vendorData="rec-1")
    assert (shop.decision(session_id), shop.attempts(session_id)) == (None, ["created"])
    shop.begin(session_id)
    assert (shop.decision(session_id), shop.attempts(session_id)) == (None, ["started"])
    shop.people.finish(session_id, "p1")
    decision = shop.decision(session_id)
    assert (decision["id"], decision["vendorData"]) == (session_id, "rec-1")
    assert (decision["document"]["type"], decision["person"]["firstName"]) == ("PASSPORT", None)


@pytest.mark.parametrize(
    ("card", "document", "status", "reason_code"),
    [
        ("p1", "p1-again", "approved", None),
        ("p2", "p1", "declined", 103),
        ("spoof", "p1", "declined", 503),
        ("no-face", "p1", "resubmission_requested", 202),
        ("p1", "no-face", "resubmission_requested", 209),
    ],
)
def test_the_reason_code_says_what_was_wrong(shop, card, document, status, reason_code):
    session_id = shop.start()
    shop.people.finish(session_id, card, document)
    decision = shop.decision(session_id)
    assert (decision["status"], decision["reasonCode"]) == (status, reason_code)
    assert (decision["reason"] is None) is (reason_code is None)


@pytest.mark.parametrize(
    ("act", "status", "code"),
    [
        ("finish", "approved", 9001),
        ("fail_attempt", "resubmission_requested", 9103),
        ("expire", "expired", 9104),
        ("abandon", "abandoned", 9104),
    ],
)
def test_code_of_a_decision_follows_its_status(shop, act, status, code):
    session_id = shop.start()
    getattr(shop.people, act)(session_id)
    decision = shop.decision(session_id)
    assert (decision["status"], decision["code"]) == (status, code)


@pytest.mark.parametrize(
    ("card", "status", "reason_code"),
    [("p1-again", "approved", None), ("p2", "declined", 120)],
)
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_a_reference_takes_the_place_of_the_document(shop, card, status, reason_code, prefix):
    session_id = shop.start()
    image = reference()
    image["content"] = prefix + image["content"]
    answer = shop.ask("POST", f"{SESSIONS}/{session_id}/media", {"image": image})
    assert answer.status_code == 200
    shop.people.finish(session_id, card)
    decision = shop.decision(session_id)
    assert (decision["status"], decision["reasonCode"]) == (status, reason_code)
    assert set(decision["document"].values()) == {None}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "1403"),
        ({"image": reference(content=None)}, "1400"),
        ({"image": reference(content="no base64!")}, "1401"),
        ({"image": reference(context="another")}, "1402"),
    ],
    ids=["no image", "no content", "no base64", "another context"],
)
def test_wrong_picture_is_400_with_its_code(shop, body, code):
    path = f"{SESSIONS}/{shop.start()}/media"
    assert shop.code(shop.ask("POST", path, body)) == (400, code)


def test_a_picture_has_at_most_17_mb(shop):
    assert shop.control.world.claims["media.max_bytes"] == 17_000_000


def test_a_reference_without_a_face_declines_the_session(shop):
    session_id = shop.start()
    image = reference(CARDS["no-face"])
    shop.ask("POST", f"{SESSIONS}/{session_id}/media", {"image": image})
    shop.people.finish(session_id, "p1")
    assert shop.decision(session_id)["reasonCode"] == 122


def test_the_tenth_failed_attempt_has_a_reason_of_its_own(shop):
    session_id = shop.start()
    for _ in range(10):
        shop.people.fail_attempt(session_id)
    decision = shop.decision(session_id)
    assert (decision["code"], decision["reasonCode"]) == (9102, 539)
    assert shop.attempts(session_id) == ["resubmission_requested"] * 9 + ["declined"]


def test_after_a_request_to_resubmit_the_same_url_goes_on(shop):
    session_id = shop.start()
    page = shop.people.page(session_id)
    shop.people.fail_attempt(session_id)
    first = shop.decision(session_id)
    assert shop.people.page(session_id) == page
    shop.people.finish(session_id)
    second = shop.decision(session_id)
    assert (second["status"], second["reasonCode"]) == ("approved", None)
    assert first["attemptId"] != second["attemptId"]


def test_a_test_integration_decides_nothing_by_itself_and_is_free(mock):
    shop = Shop(mock, TEST_API_KEY, TEST_SECRET)
    session_id = shop.start()
    shop.people.finish(session_id, "p2", "p1")
    assert (shop.decision(session_id), shop.attempts(session_id)) == (None, ["submitted"])
    shop.people.decide(session_id, "approved")
    assert shop.decision(session_id)["status"] == "approved"
    assert shop.control.charges() == ()


def test_an_integration_sees_its_own_sessions_alone(shop, mock):
    session_id = shop.start()
    other = Shop(mock, TEST_API_KEY, TEST_SECRET)
    assert other.about("GET", session_id, "/decision").status_code == 404


def test_a_review_is_no_verdict_until_somebody_decides(shop):
    session_id = shop.start()
    shop.control.set_outcome("match", review=True)
    shop.people.finish(session_id)
    assert (shop.decision(session_id)["status"], shop.decision(session_id)["code"]) == (
        "review",
        9121,
    )
    assert shop.code(shop.about("DELETE", session_id)) == (400, "1305")
    shop.people.decide(session_id, "declined")
    assert shop.decision(session_id)["status"] == "declined"


def test_each_response_is_signed(shop):
    session_id = shop.start()
    answers = [
        shop.about("GET", session_id, "/decision"),
        shop.about("GET", SIGNED_ID, "/attempts"),
    ]
    for answer in answers:
        assert answer.headers["x-hmac-signature"] == sign(answer.content)
        assert answer.headers["x-auth-client"] == API_KEY


def test_reads_sign_the_id_alone_and_posts_the_body(shop):
    session_id = shop.start()
    path = f"{SESSIONS}/{session_id}/decision"
    assert shop.code(shop.ask("GET", path, signed=path.encode())) == (401, "1818")
    body = {"image": reference()}
    answer = shop.ask("POST", f"{SESSIONS}/{session_id}/media", body, signed=session_id.encode())
    assert shop.code(answer) == (401, "1819")


@pytest.mark.parametrize(
    ("client", "signature", "code"),
    [
        (None, "right", "1801"),
        ("no UUID", "right", "1802"),
        (SIGNED_ID, "right", "1803"),
        (API_KEY, None, "1815"),
        (API_KEY, "no hash", "1812"),
        (API_KEY, "0" * 64, "1818"),
    ],
)
def test_wrong_key_or_signature_is_401_with_its_code(shop, client, signature, code):
    session_id = shop.start()
    headers = {"X-AUTH-CLIENT": client, "X-HMAC-SIGNATURE": signature}
    if signature == "right":
        headers["X-HMAC-SIGNATURE"] = sign(session_id.encode())
    url = f"{shop.mock.url}{SESSIONS}/{session_id}/decision"
    answer = requests.get(url, headers=headers, timeout=10)
    assert shop.code(answer) == (401, code)


def test_inactive_integration_is_401(mock, shop):
    client = "00000000-0000-4000-8000-000000000001"
    mock.control.add_key(key="inactive", client=client, allowed=False)
    inactive = Shop(mock, client, "inactive")
    assert shop.code(inactive.ask("POST", SESSIONS, {"verification": {}})) == (401, "1804")


def test_a_start_needs_no_signature(mock):
    answer = requests.post(
        f"{mock.url}{SESSIONS}",
        headers={"X-AUTH-CLIENT": API_KEY},
        json={"verification": {}},
        timeout=10,
    )
    assert answer.status_code == 201
    verification = answer.json()["verification"]
    assert verification["vendorData"] is None
    assert verification["url"].endswith(verification["sessionToken"])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"callback": "http://shop.example/back"}, "1302"),
        ({"vendorData": "x" * 1001}, "1500"),
        ({"vendorData": 17}, "1501"),
        ({"endUserId": "customer-17"}, "1104"),
        ({"lang": "../en"}, "1104"),
        *(({name: 17}, "1104") for name in ("callback", "lang", "endUserId", "document")),
        ({"timestamp": True}, "1202"),
        ({"timestamp": "2026-11-28T13:00:00"}, "1202"),
        ({"person": "Ada"}, "1104"),
        ({"timestamp": "today"}, "1202"),
        ({"timestamp": "2016-05-19T08:30:25.597Z"}, "1201"),
    ],
)
def test_start_refuses_a_wrong_field(shop, fields, code):
    answer = shop.ask("POST", SESSIONS, {"verification": fields})
    assert shop.code(answer) == (400, code)
    assert shop.people.all() == ()


@pytest.mark.parametrize(
    ("fields", "callback"),
    [
        ({"callback": "https://shop.example/back"}, "https://shop.example/back"),
        ({"vendorData": "x" * 1000, "endUserId": SIGNED_ID, "lang": "pt"}, None),
    ],
)
def test_start_takes_the_documented_fields(shop, fields, callback):
    timestamp = f"{shop.control.now():%Y-%m-%dT%H:%M:%S.000Z}"
    session_id = shop.start(timestamp=timestamp, person={"firstName": "Ada"}, **fields)
    (session,) = shop.people.all()
    assert (session.id, session.hosted.callback) == (session_id, callback)


def test_the_document_is_shown_in_the_decision(shop):
    session_id = shop.start()
    born = dt.date(1980, 1, 1)
    shop.people.document(session_id, full_name="Ada King Lovelace", date_of_birth=born)
    shop.people.finish(session_id)
    person = shop.decision(session_id)["person"]
    names = (person["firstName"], person["lastName"], person["dateOfBirth"], person["yearOfBirth"])
    assert names == ("Ada", "King Lovelace", "1980-01-01", "1980")


def test_a_deletion_ends_an_open_session_with_a_webhook(shop, hooks):
    created, left, passed = (shop.start() for _ in range(3))
    shop.begin(left)
    shop.people.finish(passed)
    assert [shop.about("DELETE", each).status_code for each in (created, left, passed)] == [200] * 3
    assert shop.about("GET", created, "/decision").status_code == 404
    assert hooks() == [
        "event started",
        "event started",
        "event submitted",
        "decision approved",
        "decision expired",
        "decision abandoned",
    ]


def test_webhooks_tell_each_step(shop, hooks):
    session_id = shop.start(vendorData="rec-1")
    shop.people.finish(session_id)
    started, submitted, decided = hooks(statuses=False)
    for letter, code, action in ((started, 7001, "started"), (submitted, 7002, "submitted")):
        body = json.loads(letter.body)
        assert (body["id"], body["code"], body["action"]) == (session_id, code, action)
        assert (body["feature"], body["vendorData"]) == ("selfid", "rec-1")
        assert "verification" not in body
    assert json.loads(decided.body) == shop.about("GET", session_id, "/decision").json()
    for letter in (started, submitted, decided):
        assert letter.headers["X-HMAC-SIGNATURE"] == sign(letter.body)
        assert letter.headers["X-AUTH-CLIENT"] == API_KEY


def test_a_request_to_resubmit_is_told_after_five_minutes(shop, hooks):
    session_id = shop.start()
    shop.people.fail_attempt(session_id)
    shop.control.webhooks.wait()
    pending = shop.control.webhooks.deliveries("pending", event="decision")
    assert [(each.due - each.created_at).total_seconds() for each in pending] == [300]


def test_a_person_who_tries_again_stops_the_request_to_resubmit(shop, hooks):
    session_id = shop.start()
    shop.people.fail_attempt(session_id)
    shop.people.finish(session_id)
    webhooks = shop.control.webhooks
    states = {each.status: each.state for each in webhooks.deliveries(event="decision")}
    assert states["resubmission_requested"] == "dropped"
    assert set(states) == {"resubmission_requested", "approved"}


def test_the_essential_plan_sends_full_auto_webhooks_without_reasons():
    with MockServer(vendor="veriff", switches={"plan": "essential"}) as mock:
        shop = Shop(mock)
        mock.control.webhooks.add("http://127.0.0.1:9/hook", secret=SECRET)
        passed, declined = (shop.start(vendorData="rec-1") for _ in range(2))
        shop.people.finish(passed)
        shop.people.finish(declined, "p2", "p1")
        webhooks = mock.control.webhooks
        bodies = [json.loads(webhooks.delivery(each.id).body) for each in webhooks.deliveries()]
        shown = [body["data"]["verification"]["decision"] for body in bodies]
        assert shown == ["approved", "declined"]
        assert {body["eventType"] for body in bodies} == {"fullauto"}
        assert {body["vendorData"] for body in bodies} == {"rec-1"}
        assert [body["sessionId"] for body in bodies] == [passed, declined]
        assert shop.decision(declined)["reasonCode"] is None
