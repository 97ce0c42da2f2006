"""Stripe: requests to its mock, steps that find a session by its number, and its simulator."""

import base64
import hmac
import json
from urllib.parse import urlencode

from kit import mock_sessions, mock_webhooks
from kit.mock_world import control_request, request_to
from kit.scenario import Scenario, advance, limit
from kit.session_words import all_of, at, free_refusals, put, words_at

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.backend.session_types import Deletion, DeletionState
from facematch_core.testing import Refusal, SessionCase, SessionWebhook, SessionWord, Situation
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator
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
        return request_to(path, method=method or "GET", key=None, **headers)
    headers.setdefault("content_type", "application/x-www-form-urlencoded")
    body = urlencode(form).encode()
    return request_to(path, body, method=method or "POST", key=None, **headers)


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
        mock_webhooks.listen(secret="whsec_of-the-receiver"),
        mock_webhooks.listen(secret="whsec_other", events=[f"{EVENTS}.redacted"]),
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
        mock_sessions.acting(1, "fail_attempt"),
        mock_sessions.acting(1, "card", card="p2", document="p1"),
        reading(1, "last_verification_report"),
        mock_sessions.acting(1, "card", card="p1", document="p1"),
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
        stripe_request(query={"limit": "many"}),
        stripe_request(query={"expand[]": "last_verification_report"}),
        stripe_request(query={"starting_after": NOBODY}),
        between_the_cursors(1),
        deciding(2, "requires_input abandoned"),
        stripe_request("/v3/", key=None),
        stripe_request("/identity/modal", query={"client_secret": "vs_none_secret_x"}, key=None),
        mock_webhooks.carried(500, 404, 302, 400, "timeout"),
        advance(3600),
        mock_webhooks.carried(),
        limit("request", 0),
        stripe_request(),
        limit("request", None),
        failing(500, stripe_request()),
    )
    return [
        Scenario("stripe", calls, {"price": "0.01"}, Recognizer()),
        Scenario("stripe", [starting()], {"access": "unapproved"}),
    ]


# The simulator of Stripe: the mock server, and answers that it does not give by itself.

STATES = "docs.stripe.com/identity/how-sessions-work, read on 2026-11-29"
CLIENT = "stripe 16.1.0 for Python, stripe/identity, read on 2026-11-29"
FIXTURES = "stripe/openapi f6c2a48, openapi/fixtures3.json, read on 2026-11-29"
WEBHOOK_SECRET = "whsec_simulator-5d20f7c1"
FORMER_SECRET = "whsec_former"
SELFIE_STATUS = at("last_verification_report.selfie.status")
CODE = at("last_verification_report.selfie.error.code")
SELFIE_CODES = {
    Decision.NO_MATCH: "selfie_face_mismatch",
    # A manipulated selfie says nothing about the match.
    Decision.INCONCLUSIVE: "selfie_document_missing_photo, selfie_unverified_other, "
    "selfie_manipulated",
    LivenessDecision.NOT_LIVE: "selfie_manipulated",
}
DAY_S = 86_400


def make_older(body):
    body["created"] -= DAY_S


def compare_no_face(body):
    """Show the report of a session that asked for no selfie."""
    del body["last_verification_report"]["selfie"]


def errors(*codes, kind="invalid_request_error"):
    """Return a body with each of the codes; None for an error without one."""
    bodies = []
    for code in codes:
        error = {"type": kind, "message": "No."}
        if code is not None:
            error["code"] = code
        bodies.append({"error": error})
    return bodies


NOT_FOUND = errors("resource_missing")
REFUSALS = all_of(
    free_refusals(
        fm.RequestRejected,
        400,
        errors("parameter_missing", "parameter_unknown", "parameter_invalid_empty", "url_invalid"),
    ),
    free_refusals(fm.RequestRejected, 400, errors(None, kind="idempotency_error")),
    free_refusals(
        fm.AuthenticationFailed, 401, errors(None, "api_key_expired", "secret_key_required")
    ),
    free_refusals(fm.PermissionDenied, 403, errors(None)),
    free_refusals(fm.RateLimited, 400, errors("rate_limit")),
    free_refusals(fm.RateLimited, 409, errors("idempotency_key_in_use")),
    free_refusals(fm.RateLimited, 429, errors("rate_limit", "lock_timeout")),
)


class StripeSessions(MockSessionsWithWebhooks):
    webhook_secret = WEBHOOK_SECRET
    decisive_fields = {
        "livemode": "the environment, unless a mock answers",
        "type": "a session of another type need not ask for a selfie",
    }
    signs_time = True
    start_sets_lifetime = False
    hands_over = ("link", "token")
    hands_over_again = ("link", "token")
    documented_capabilities = {
        "link_hosts": {"verify.stripe.com"},
        **dict.fromkeys(
            (
                "reads_document",
                "start_is_repeatable",
                "finds_by_record",
                "can_delete",
                "link_works_once",
                "takes_return_url",
            ),
            True,
        ),
    }
    #: The tolerance of Stripe's clients.
    webhook_max_age_s = 300.0
    compared_with = (ComparedWith.DOCUMENT,)
    document = "p1"
    #: The selfie and the document.
    always_kept = 2
    cannot_happen = {
        SessionCase.OTHER_PICTURE: "Its selfie is compared with the document alone.",
        SessionCase.UNFINISHED: "It makes a report once a try is checked.",
    }
    changes = {
        SessionCase.NO_FACE_ITEM: compare_no_face,
        SessionCase.FOREIGN: put(id="vs_another"),
        SessionCase.OLDER: make_older,
        SessionCase.SANDBOX: put(livemode=False),
        SessionCase.UNKNOWN_ENVIRONMENT: put(livemode="staging"),
    }
    start_refusals = all_of(
        REFUSALS,
        free_refusals(fm.PermissionDenied, 400, errors("identity_api_invalid_application")),
        free_refusals(fm.RequestRejected, 404, NOT_FOUND),
        [
            Refusal(
                status=500,
                body=body,
                error=fm.OutcomeUnknown,
                charged=fm.Charged.UNKNOWN,
            )
            for body in errors(None, kind="api_error")
        ],
    )
    read_refusals = all_of(REFUSALS, free_refusals(fm.errors.SessionNotFound, 404, NOT_FOUND))
    delete_refusals = REFUSALS
    words = all_of(
        words_at(
            at("status"),
            STATES,
            {
                SessionState.PENDING: "requires_input",
                SessionState.PROCESSING: "processing",
                SessionState.DECIDED: "verified",
                SessionState.CANCELED: "canceled",
            },
            yes="verified",
        ),
        # Without a verified session, a verified selfie is no verdict on the face.
        words_at(
            at("status"), CLIENT, {Decision.INCONCLUSIVE: "requires_input, processing, canceled"}
        ),
        [
            # After a failed try Stripe waits for the person.
            SessionWord(
                at("status"),
                "requires_input",
                SessionState.PENDING,
                STATES,
                case=SessionCase.OTHER_PERSON,
                is_asked_back=True,
            ),
            # An error without a code is none.
            SessionWord(
                at("last_error"),
                {"code": None, "reason": None},
                SessionState.DECIDED,
                FIXTURES,
                is_yes=True,
            ),
        ],
        [
            SessionWord(at("redaction"), {"status": status}, SessionState.GONE, CLIENT)
            for status in ("processing", "validated", "redacted")
        ],
        [
            SessionWord(at("redaction"), {"status": status}, deletion, CLIENT)
            for status, deletion in (
                ("processing", Deletion(state=DeletionState.REQUESTED)),
                ("validated", Deletion(state=DeletionState.REQUESTED)),
                ("redacted", Deletion(state=DeletionState.DONE, face_kept=False)),
            )
        ],
        words_at(SELFIE_STATUS, CLIENT, {Decision.MATCH: "verified"}, yes="verified"),
        [
            SessionWord(CODE, code, means, CLIENT, case=SessionCase.OTHER_PERSON)
            for means, codes in SELFIE_CODES.items()
            for code in codes.split(", ")
        ],
    )

    def id_in(self, body):
        # Only a read is edited, which alone has the report; and the answer to a redaction.
        has_report = isinstance(body.get("last_verification_report"), dict)
        return body["id"] if has_report or body.get("redaction") else None

    def write(self, body, place, word):
        if place == CODE:
            failed = {"status": "unverified", "error": {"code": None, "reason": "No."}}
            body["last_verification_report"]["selfie"] |= failed
        super().write(body, place, word)

    def kept(self, session_id):
        return len(self.session(session_id).pictures)

    def webhooks(self, session_id):
        body, _ = self.deliver(session_id)
        event = json.loads(body)
        customer = {**event, "data": {"object": {"id": "cus_1", "object": "customer"}}}
        return (
            self.signed(event, FORMER_SECRET, WEBHOOK_SECRET),
            self.signed({**event, "type": "identity.verification_session.redacted"}),
            self.signed(customer, names_session=False),
        )

    def signed(self, event, *secrets, names_session=True):
        """Return an event with a signature by each secret, after a decoy."""
        body = json.dumps(event).encode()
        time = f"{self.clock.now().timestamp():.0f}"
        parts = [f"t={time}", "v0=" + "0" * 64]
        for secret in secrets or (WEBHOOK_SECRET,):
            digest = hmac.digest(secret.encode(), time.encode() + b"." + body, "sha256")
            parts.append(f"v1={digest.hex()}")
        headers = {"Stripe-Signature": ",".join(parts)}
        return SessionWebhook(body=body, headers=headers, names_session=names_session)


class StripeSimulator(MockSimulator):
    vendor = "stripe"
    calls = frozenset()
    session_paths = ("/v1/identity/verification_sessions",)
    session_class = StripeSessions
    keys = {
        # Only a restricted key reads dates of birth.
        "api_key": "rk_live_simulator-3ac95be07d",
        "webhook_secrets": WEBHOOK_SECRET,
    }
    secrets = (keys["api_key"], keys["webhook_secrets"])
    sandbox_settings = {
        "api_key": "rk_test_simulator-3ac95be07d",
        "base_url": "https://api.stripe.com",
    }
    scope = "request"
    cannot_happen = {Situation.NO_CREDIT: "Stripe documents no error about credit."}

    def accepts(self, request):
        # Else the account's own settings choose the form of an answer.
        is_pinned = request.headers["Stripe-Version"] == "2026-10-28.endive"
        is_start = request.method == "POST" and request.path.endswith("verification_sessions")
        requires_selfie = b"require_matching_selfie%5D=true" in request.body
        return is_pinned and (requires_selfie or not is_start)
