"""Requests to Stripe as its clients send them, and steps that find a session by its number."""

import base64
from urllib.parse import urlencode

from kit import mock_didit_sessions as sessions
from kit import mock_didit_webhooks as webhooks
from kit.mock_didit import control_request, didit_request
from kit.scenario import Scenario, advance, limit

from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.world.faults import Fault

IDENTITY = "/v1/identity"
SESSIONS = f"{IDENTITY}/verification_sessions"
REPORTS = f"{IDENTITY}/verification_reports"
LIVE = "mock-live-key"
TEST = "mock-sandbox-key"
RESTRICTED = "rk_live_of-the-receiver"
NOBODY = "vs_nobody"
SELFIE = {"options[document][require_matching_selfie]": "true"}
EVENTS = "identity.verification_session"
#: Metadata that are refused, by what is wrong.
WRONG_METADATA = {
    "keys": {f"metadata[{number}x]": "x" for number in range(51)},
    "key": {f"metadata[{'k' * 41}]": "x"},
    "text": {"metadata[a]": "x" * 501},
}


def stripe_request(path=SESSIONS, form=None, *, method=None, key=LIVE, query=None, **headers):
    """Return a request: a GET without a form, else a POST, unless `method` says so."""
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    if query:
        path = f"{path}?{urlencode(query)}"
    if form is None:
        return didit_request(path, method=method or "GET", key=None, **headers)
    headers.setdefault("content_type", "application/x-www-form-urlencoded")
    body = urlencode(form).encode()
    return didit_request(path, body, method=method or "POST", key=None, **headers)


def starting(form=None, *, key=LIVE, **headers):
    """The request that starts a session, by default with a document and a selfie."""
    sent = {"type": "document", **SELFIE} if form is None else form
    return stripe_request(SESSIONS, sent, key=key, **headers)


def nth(engine, number):
    """The id of a session by its number in the world, counted from 1."""
    ids = {session.number: session.id for session in engine.world.sessions.all()}
    return ids.get(number, NOBODY)


def about(number, action="", form=None, **more):
    """A step with a request about a session."""

    def step(engine):
        path = f"{SESSIONS}/{nth(engine, number)}{action}"
        return engine.handle(stripe_request(path, form, **more))

    return step


def on_newest(action="", form=None, **more):
    """A step with a request about the newest session."""

    def step(engine):
        return about(len(engine.world.sessions.all()), action, form, **more)(engine)

    return step


def reading(number, *fields, key=LIVE):
    """A step that reads a session with these fields expanded."""
    return about(number, query=[("expand[]", field) for field in fields], key=key)


def deciding(number, status):
    """A step that decides a session as a test does."""

    def step(engine):
        sent = {"session_id": nth(engine, number), "status": status}
        return engine.handle(control_request("sessions/decide", sent))

    return step


def between_the_cursors(number):
    """A step with a list that has a session as both cursors."""

    def step(engine):
        cursor = nth(engine, number)
        query = {"starting_after": cursor, "ending_before": cursor}
        return engine.handle(stripe_request(query=query))

    return step


def reading_report(number):
    """A step that reads the newest report of a session."""

    def step(engine):
        report_id = reading(number)(engine).json()["last_verification_report"]
        return engine.handle(stripe_request(f"{REPORTS}/{report_id}"))

    return step


def rolling(engine):
    """Roll the secret of the newest endpoint."""
    destination = engine.world.outbox.destinations.all()[-1]
    sent = {"destination": destination.uuid}
    return engine.handle(control_request("webhooks/destinations/roll", sent))


def beside_another(request):
    """A step with a request while the first one with its idempotency key is under way."""

    def step(engine):
        name = f"live {request.header('idempotency-key')}"
        engine.world.records.under_way.add(name)
        answer = engine.handle(request)
        engine.world.records.under_way.remove(name)
        return answer

    return step


def failing(status, request):
    """A step with a request whose answer a fault replaces."""

    def step(engine):
        fault = Fault(stage="answer", kind="status", status=status)
        engine.account.faults.add(fault)
        return engine.handle(request)

    return step


def add_key(**settings):
    return control_request("keys", settings)


BASIC = "Basic " + base64.b64encode(f"{LIVE}:".encode()).decode()


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        stripe_request(key=None),
        stripe_request(key="wrong"),
        stripe_request(key="pk_live_of-a-page"),
        stripe_request(key=None, authorization=BASIC),
        add_key(key="weak-key", allowed=False),
        stripe_request(key="weak-key"),
        add_key(key="old-key", expires="2020-01-01"),
        stripe_request(key="old-key"),
        add_key(key=RESTRICTED),
        stripe_request(stripe_version="2022-11-15"),
        stripe_request(method="DELETE"),
        webhooks.listen(secret="whsec_of-the-receiver"),
        webhooks.listen(secret="whsec_other", events=[f"{EVENTS}.redacted"]),
        rolling,
        starting({}),
        starting({"type": "document", "picture": "x"}),
        starting({"type": ""}),
        starting({"type": "selfie"}),
        starting({"type": "document", "type[0]": "x"}),
        starting({"type": "document", "return_url": "shop"}),
        *(starting({"type": "document", **metadata}) for metadata in WRONG_METADATA.values()),
        stripe_request(stripe_account="acct_1"),
        starting({"type": "document", "expand[]": "picture"}),
        starting(content_type="application/json"),
        starting(idempotency_key="one"),
        starting(idempotency_key="one"),
        starting({"type": "document"}, idempotency_key="one"),
        starting(idempotency_key="x" * 256),
        beside_another(starting(idempotency_key="two")),
        starting({"verification_flow": "vf_1"}),
        about(9),
        reading(1),
        about(1, key=TEST),
        about(1, form={"metadata[a]": "b", "metadata[c]": ""}),
        sessions.acting(1, "fail_attempt"),
        sessions.acting(1, "card", card="p2", document="p1"),
        reading(1, "last_verification_report"),
        sessions.acting(1, "card", card="p1", document="p1"),
        reading(1, "verified_outputs", "verified_outputs.dob", key=RESTRICTED),
        reading_report(1),
        about(1, "/cancel", {}),
        about(2, "/cancel", {}),
        about(1, "/redact", {}),
        about(1, "/redact", {}),
        starting(key=TEST),
        about(3, "/redact", {}, key=TEST),
        stripe_request(query={"limit": "1", "created[gte]": "1"}),
        stripe_request(query={"limit": "0"}),
        stripe_request(query={"expand[]": "last_verification_report"}),
        stripe_request(query={"starting_after": NOBODY}),
        between_the_cursors(1),
        stripe_request(REPORTS),
        deciding(2, "requires_input abandoned"),
        webhooks.carried(500, 404, 302, 400, "timeout"),
        advance(3600),
        webhooks.carried(),
        limit("request", 0),
        stripe_request(),
        limit("request", None),
        failing(500, stripe_request()),
    )
    return [
        Scenario("stripe", calls, {"price": "0.01"}, Recognizer()),
        Scenario("stripe", calls, {"url_after_failure": "none"}, Recognizer()),
    ]
