"""Veriff's sessions as its documents describe them, asked with hand-made signatures."""

import datetime as dt
import hashlib
import json

import pytest
from kit.cards import CARDS
from kit.mock_sessions import acting
from kit.mock_webhooks import carry
from kit.mock_world import control_of, new_engine
from vendors import veriff
from vendors.veriff import HOOK, SECRET, TEST_API_KEY, TEST_SECRET, reference, sign

from facematch_mock_server.vendors.veriff.signature import sign_again
from facematch_mock_server.vendors.veriff.vendor import API_KEY
from facematch_mock_server.world.keys import LIVE_KEY, SANDBOX_KEY

SIGNED_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def engine():
    return new_engine(**veriff.SETTINGS)


def start(engine, **fields):
    """Start a session; return its id."""
    answer = engine.handle(veriff.start(**fields))
    assert answer.status == 201
    return answer.json()["verification"]["id"]


@pytest.fixture
def session_id(engine):
    """The id of the first session."""
    return start(engine, vendorData="rec-1")


def decision_of(engine, number=1, **keys):
    answer = veriff.decision(number, **keys)(engine)
    assert answer.status == 200
    return answer.json()["verification"]


def attempts_of(engine, number=1):
    answer = veriff.attempts(number)(engine)
    return [attempt["status"] for attempt in answer.json()["verifications"]]


def code_of(answer):
    return answer.status, answer.json().get("code")


def test_a_session_has_no_decision_before_the_person_has_finished(engine, people, session_id):
    assert (decision_of(engine), attempts_of(engine)) == (None, ["created"])
    acting(1, "begin")(engine)
    assert (decision_of(engine), attempts_of(engine)) == (None, ["started"])
    people.finish(session_id, "p1")
    decision = decision_of(engine)
    assert (decision["id"], decision["vendorData"]) == (session_id, "rec-1")
    assert decision["document"]["type"] == "PASSPORT"


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
def test_the_reason_code_says_what_was_wrong(engine, card, document, status, reason_code):
    control_of(engine).sessions.finish(start(engine), card, document)
    decision = decision_of(engine)
    assert (decision["status"], decision["reasonCode"]) == (status, reason_code)
    assert (decision["reason"] is None) is (reason_code is None)


@pytest.mark.parametrize(
    ("act", "code"),
    [("finish", 9001), ("fail_attempt", 9103), ("expire", 9104), ("abandon", 9104)],
)
def test_code_of_a_decision_follows_its_status(engine, people, session_id, act, code):
    getattr(people, act)(session_id)
    assert decision_of(engine)["code"] == code


@pytest.mark.parametrize(
    ("before", "status"), [(None, "expired"), ("begin", "abandoned"), ("fail_attempt", "abandoned")]
)
@pytest.mark.parametrize("is_by_time", [True, False])
def test_session_that_the_person_began_is_abandoned_when_its_time_is_over(
    engine, session_id, before, status, is_by_time
):
    control = control_of(engine)
    if before is not None:
        acting(1, before)(engine)
    if is_by_time:
        control.advance(604_800)
    else:
        control.sessions.expire(session_id)
    assert decision_of(engine)["status"] == status


@pytest.mark.parametrize(
    ("shown", "card", "reason_code"),
    [("p1", "p1-again", None), ("p1", "p2", 120), ("no-face", "p1", 122)],
)
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_a_reference_takes_the_place_of_the_document(engine, shown, card, reason_code, prefix):
    session_id = start(engine)
    image = reference(CARDS[shown])
    image["content"] = prefix + image["content"]
    assert veriff.media(1, image)(engine).status == 200
    control_of(engine).sessions.finish(session_id, card)
    decision = decision_of(engine)
    assert decision["status"] == ("declined" if reason_code else "approved")
    assert decision["reasonCode"] == reason_code
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
def test_wrong_picture_is_400_with_its_code(engine, session_id, body, code):
    assert code_of(veriff.at_session(1, "POST", "/media", body=body)(engine)) == (400, code)


def test_a_picture_has_at_most_17_mb(control):
    assert control.world.claims["media.max_bytes"] == 17_000_000


def test_the_tenth_failed_attempt_has_a_reason_of_its_own(engine, people, session_id):
    for _ in range(10):
        people.fail_attempt(session_id)
    decision = decision_of(engine)
    assert (decision["code"], decision["reasonCode"]) == (9102, 539)
    assert attempts_of(engine) == ["resubmission_requested"] * 9 + ["declined"]


def test_after_a_request_to_resubmit_the_same_page_goes_on(engine, people, session_id):
    token = people.fail_attempt(session_id).hosted.token
    first = decision_of(engine)
    assert people.finish(session_id).hosted.token == token
    second = decision_of(engine)
    assert (second["status"], second["reasonCode"]) == ("approved", None)
    assert first["attemptId"] != second["attemptId"]


def test_a_test_integration_decides_nothing_by_itself_and_is_free(engine, control, people):
    session_id = start(engine, test=True)
    keys = {"client": TEST_API_KEY, "secret": TEST_SECRET}
    people.finish(session_id, "p2", "p1")
    assert decision_of(engine, **keys) is None
    people.decide(session_id, "approved")
    assert decision_of(engine, **keys)["status"] == "approved"
    assert control.charges() == ()
    # Another integration does not see it.
    assert veriff.decision(1)(engine).status == 404


def test_a_review_is_no_verdict_until_somebody_decides(engine, control, people, session_id):
    control.set_outcome("match", review=True)
    people.finish(session_id)
    decision = decision_of(engine)
    assert (decision["status"], decision["code"]) == ("review", 9121)
    assert code_of(veriff.deletion(1)(engine)) == (400, "1305")
    people.decide(session_id, "declined")
    assert decision_of(engine)["status"] == "declined"


@pytest.mark.parametrize("number", [1, 9])
def test_each_response_is_signed(engine, session_id, number):
    answer = veriff.attempts(number)(engine)
    assert answer.header("x-hmac-signature") == sign(answer.body)
    assert answer.header("x-auth-client") == API_KEY


def test_reads_sign_the_id_alone_and_posts_the_body(engine, session_id):
    path = f"{veriff.SESSIONS}/{session_id}/decision"
    assert code_of(veriff.decision(1, signed=path.encode())(engine)) == (401, "1818")
    signed = {"body": {"image": reference()}, "signed": session_id.encode()}
    assert code_of(veriff.at_session(1, "POST", "/media", **signed)(engine)) == (401, "1819")


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"client": None}, "1801"),
        ({"client": "no UUID"}, "1802"),
        ({"client": SIGNED_ID}, "1803"),
        ({"signed": False}, "1815"),
        ({"malformed": True}, "1812"),
        ({"secret": "another"}, "1818"),
    ],
    ids=str,
)
def test_wrong_key_or_signature_is_401_with_its_code(engine, session_id, keys, code):
    assert code_of(veriff.decision(1, **keys)(engine)) == (401, code)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("1", "1001"),
        ("1" * 41, "1001"),
        ("1" * 20, "1002"),
        ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "1002"),
    ],
)
def test_session_id_of_another_form_is_refused(engine, number, code):
    assert code_of(engine.handle(veriff.about(number, "GET", "/decision"))) == (400, code)


@pytest.mark.parametrize(("features", "is_hinted"), [(["x"], True), ([], False), (None, False)])
def test_features_are_taken_with_a_hint(engine, features, is_hinted):
    answer = engine.handle(veriff.start(features=features))
    assert answer.status == 201
    assert ("1301" in (answer.header("X-Facematch-Hint") or "")) is is_hinted


def test_inactive_integration_is_401(engine, control):
    control.add_key(key="inactive", client=veriff.WEAK, allowed=False)
    keys = {"client": veriff.WEAK, "secret": "inactive"}
    answer = engine.handle(veriff.request("POST", veriff.SESSIONS, {"verification": {}}, **keys))
    assert code_of(answer) == (401, "1804")


def test_a_start_needs_no_signature(engine):
    body = {"verification": {}}
    answer = engine.handle(veriff.request("POST", veriff.SESSIONS, body, signed=False))
    assert answer.status == 201
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
        ({"callback": "http://["}, "1302"),
        ({"callback": 17}, "1104"),
        ({"lang": 17}, "1104"),
        ({"endUserId": 17}, "1104"),
        ({"document": 17}, "1104"),
        ({"person": {"dateOfBirth": "31.1.1990"}}, "1203"),
        ({"person": {"dateOfBirth": "19900131"}}, "1203"),
        ({"person": {"dateOfBirth": "1990-02-31"}}, "1203"),
        ({"person": {"dateOfBirth": 1990}}, "1203"),
        ({"timestamp": True}, "1202"),
        ({"timestamp": "2026-11-28T13:00:00"}, "1202"),
        ({"person": "Ada"}, "1104"),
        ({"timestamp": "today"}, "1202"),
        ({"timestamp": "2016-05-19T08:30:25.597Z"}, "1201"),
    ],
)
def test_start_refuses_a_wrong_field(engine, people, fields, code):
    assert code_of(engine.handle(veriff.start(**fields))) == (400, code)
    assert people.all() == ()


@pytest.mark.parametrize(
    ("fields", "callback"),
    [
        ({"callback": "https://shop.example/back"}, "https://shop.example/back"),
        ({"vendorData": "x" * 1000, "endUserId": SIGNED_ID, "lang": "pt"}, None),
    ],
)
def test_start_takes_the_documented_fields(engine, control, people, fields, callback):
    timestamp = f"{control.now():%Y-%m-%dT%H:%M:%S.000Z}"
    start(engine, timestamp=timestamp, person={"firstName": "Ada"}, **fields)
    (session,) = people.all()
    assert session.hosted.callback == callback


def test_the_document_is_shown_in_the_decision(engine, people, session_id):
    born = dt.date(1980, 1, 1)
    people.document(session_id, full_name="Ada King Lovelace", date_of_birth=born)
    people.finish(session_id)
    person = decision_of(engine)["person"]
    assert (person["firstName"], person["lastName"]) == ("Ada King", "Lovelace")
    assert (person["dateOfBirth"], person["yearOfBirth"]) == ("1980-01-01", "1980")


# Webhooks


@pytest.fixture
def hooked(control):
    """A receiver that takes both kinds of webhooks."""
    control.webhooks.add(HOOK, events=["decision", "event"], secret=SECRET)
    return control.webhooks


@pytest.mark.parametrize(("test", "secret"), [(False, LIVE_KEY), (True, SANDBOX_KEY)])
def test_webhooks_are_signed_with_the_shared_secret_of_the_integration(test, secret):
    engine = new_engine(**veriff.SETTINGS)
    control = control_of(engine)
    control.webhooks.add(HOOK, events=["event"])
    start(engine, test=test)
    acting(1, "begin")(engine)
    ((_, letter, _),) = carry(engine)
    assert dict(letter.headers)["X-HMAC-SIGNATURE"] == sign(letter.body, secret)
    assert "x-signature" not in dict(letter.headers)


def test_start_that_is_signed_in_the_older_way_gets_such_signatures(engine, people, hooked):
    body = {"verification": {}}
    answer = engine.handle(
        veriff.request("POST", veriff.SESSIONS, body, signed=False, x_signature="0" * 64)
    )
    people.finish(answer.json()["verification"]["id"])
    letters = [letter for _, letter, _ in carry(engine)]
    assert letters
    signed = [(answer.header("x-signature"), answer.body)]
    signed += [(dict(letter.headers)["x-signature"], letter.body) for letter in letters]
    for signature, content in signed:
        assert signature == hashlib.sha256(content + SECRET.encode()).hexdigest()


def signed_in_the_older_way(message, secret=SECRET):
    signature = hashlib.sha256(message + secret.encode()).hexdigest()
    return {"signed": False, "x_signature": signature}


@pytest.mark.parametrize("what", ["decision", "attempts", "media"])
def test_read_may_be_signed_in_the_older_way(engine, session_id, what):
    older = signed_in_the_older_way(session_id.encode())
    answer = engine.handle(veriff.about(session_id, "GET", f"/{what}", **older))
    assert answer.status == 200
    assert answer.header("x-signature")


def test_wrong_older_signature_has_its_own_code(engine, session_id):
    wrong = signed_in_the_older_way(session_id.encode(), "another")
    assert code_of(veriff.decision(1, **wrong)(engine)) == (401, "1813")
    uploading = veriff.at_session(1, "POST", "/media", body={"image": reference()}, **wrong)
    assert code_of(uploading(engine)) == (401, "1814")


def test_door_signs_again_in_the_older_way(engine, session_id):
    sent = signed_in_the_older_way(session_id.encode(), "secret of the program")
    request = veriff.about(session_id, "GET", "/decision", client=veriff.WEAK, **sent)
    assert engine.handle(sign_again(request, client=API_KEY, secret=SECRET)).status == 200


def test_key_that_the_door_replaced_stays_the_shown_one(engine, people, hooked):
    request = veriff.request("POST", veriff.SESSIONS, {"verification": {}}, client=veriff.WEAK)
    answer = engine.handle(sign_again(request, client=API_KEY, secret=SECRET))
    people.finish(answer.json()["verification"]["id"])
    shown = [dict(letter.headers)["X-AUTH-CLIENT"] for _, letter, _ in carry(engine)]
    assert {answer.header("x-auth-client"), *shown} == {veriff.WEAK}
    assert shown


def test_a_deletion_ends_an_open_session_with_a_webhook(engine, people, hooked, session_id):
    start(engine)
    start(engine)
    acting(2, "begin")(engine)
    people.finish(people.all()[-1].id)
    assert [veriff.deletion(number)(engine).status for number in (1, 2, 3)] == [200] * 3
    assert engine.handle(veriff.about(session_id, "GET", "/decision")).status == 404
    assert [f"{each.event} {each.status}" for each in hooked.deliveries()] == [
        "event started",
        "event started",
        "event submitted",
        "decision approved",
        "decision expired",
        "decision abandoned",
    ]


def test_webhooks_tell_each_step(engine, people, hooked, session_id):
    people.finish(session_id)
    started, submitted, decided = (letter for _, letter, _ in carry(engine))
    for letter, code, action in ((started, 7001, "started"), (submitted, 7002, "submitted")):
        body = json.loads(letter.body)
        assert (body["id"], body["code"], body["action"]) == (session_id, code, action)
        assert (body["feature"], body["vendorData"]) == ("selfid", "rec-1")
        assert "verification" not in body
    assert json.loads(decided.body)["verification"] == decision_of(engine)
    for letter in (started, submitted, decided):
        headers = dict(letter.headers)
        assert headers["X-HMAC-SIGNATURE"] == sign(letter.body)
        assert headers["X-AUTH-CLIENT"] == API_KEY


def test_a_request_to_resubmit_is_told_after_five_minutes(people, hooked, session_id):
    people.fail_attempt(session_id)
    (delivery,) = hooked.deliveries(event="decision")
    assert (delivery.due - delivery.created_at).total_seconds() == 300


def test_a_request_to_resubmit_what_a_program_sent_is_told_at_once(engine, hooked, session_id):
    body = {"verification": {"status": "submitted"}}
    assert veriff.at_session(1, "PATCH", body=body)(engine).status == 200
    (delivery,) = hooked.deliveries(event="decision")
    assert delivery.status == "resubmission_requested"
    assert delivery.due == delivery.created_at


def test_a_person_who_tries_again_stops_the_request_to_resubmit(people, hooked, session_id):
    people.fail_attempt(session_id)
    people.finish(session_id)
    states = {each.status: each.state for each in hooked.deliveries(event="decision")}
    assert states["resubmission_requested"] == "dropped"
    assert set(states) == {"resubmission_requested", "approved"}


# Starts from a page


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("http://localhost", True),
        ("http://127.0.0.1:5173", True),
        ("https://shop.test", False),
        ("http://localhost.shop.test:80", False),
        ("null", False),
    ],
)
def test_page_of_an_origin_that_may_show_the_frame_may_start_a_session(engine, origin, is_allowed):
    allowed = origin if is_allowed else None
    preflight = veriff.request("OPTIONS", veriff.SESSIONS, client=None, signed=False, origin=origin)
    answer = engine.handle(preflight)
    assert (answer.status, answer.header("access-control-allow-origin")) == (204, allowed)
    assert "x-auth-client" in answer.header("access-control-allow-headers")
    body = {"verification": {}}
    answer = engine.handle(
        veriff.request("POST", veriff.SESSIONS, body, signed=False, origin=origin)
    )
    assert (answer.status, answer.header("access-control-allow-origin")) == (201, allowed)
    control_of(engine).sessions.allow_frames(["https://shop.test"])
    answer = engine.handle(preflight)
    is_shop = origin == "https://shop.test"
    assert answer.header("access-control-allow-origin") == (origin if is_shop else None)


def test_page_may_make_no_other_call(engine, session_id):
    origin = "http://localhost:5173"
    answer = veriff.at_session(1, "GET", "/decision", origin=origin)(engine)
    assert (answer.status, answer.header("access-control-allow-origin")) == (200, None)
    assert veriff.at_session(1, "OPTIONS", origin=origin)(engine).status == 404
