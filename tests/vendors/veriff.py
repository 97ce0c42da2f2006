"""Veriff: requests to its mock as clients send them, its webhooks, and its simulators."""

import base64
import datetime as dt
import hashlib
import hmac
import json

from kit import mock_sessions, mock_webhooks
from kit.cards import CARDS
from kit.mock_sessions import nth
from kit.mock_world import START, control_request, json_bytes, json_request
from kit.scenario import Scenario, advance, answer_with_fault, limit
from kit.session_words import (
    NO_ENVIRONMENT,
    OTHER_ID,
    a_day_earlier,
    all_of,
    at,
    free_refusals,
    words_at,
)

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.testing import SessionCase, SessionWebhook, SessionWord, Situation
from facematch_mock_server import Fault
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator
from facematch_mock_server.vendors.veriff.vendor import API_KEY, TEST_API_KEY

#: What the pictures show is what the test cards themselves say.
SETTINGS = {"vendor": "veriff", "recognizer": Recognizer()}
SECRET = "mock-live-key"
TEST_SECRET = "mock-sandbox-key"
#: An id that is no session's and no integration's, and the API key of one that is inactive.
UNKNOWN = "00000000-0000-4000-8000-000000000000"
WEAK = "00000000-0000-4000-8000-000000000001"
SESSIONS = "/v1/sessions"
HOOK = "http://127.0.0.1:9/hook"


def sign(message, secret=SECRET):
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def request(
    method,
    path,
    body=None,
    *,
    signed=None,
    malformed=False,
    client=API_KEY,
    secret=SECRET,
    **headers,
):
    """A request that signs `signed`: the body by default; nothing is signed if it is False."""
    if client is not None:
        headers["x_auth_client"] = client
    if signed is not False:
        message = json_bytes(body) if signed is None else signed
        headers["x_hmac_signature"] = "not hexadecimal" if malformed else sign(message, secret)
    return json_request(path, body, method=method, key=None, **headers)


def start(*, test=False, **fields):
    keys = {"client": TEST_API_KEY, "secret": TEST_SECRET} if test else {}
    return request("POST", SESSIONS, {"verification": fields}, **keys)


def at_session(number, method="GET", more_path="", **more):
    """A step with a request about the session that was started as this one, counted from 1."""

    def step(engine):
        session_id = nth(engine, number)
        return engine.handle(about(session_id, method, more_path, **more))

    return step


def about(session_id, method="GET", more_path="", **more):
    path = f"{SESSIONS}/{session_id}{more_path}"
    if method not in ("POST", "PATCH"):
        more.setdefault("signed", session_id.encode())
    return request(method, path, **more)


def decision(number, **more):
    return at_session(number, "GET", "/decision", **more)


def attempts(number):
    return at_session(number, "GET", "/attempts")


def deletion(number):
    return at_session(number, "DELETE")


def listing(number, **more):
    return at_session(number, "GET", "/media", **more)


def downloading(number, context="face", **more):
    """A step that downloads a picture of a session from the place that the list names."""

    def step(engine):
        images = listing(number)(engine).json()["images"]
        (image_id,) = (image["id"] for image in images if image["context"] == context)
        return engine.handle(download(image_id, **more))

    return step


def download(image_id, **more):
    return request("GET", f"/v1/media/{image_id}", signed=image_id.encode(), **more)


def media(number, image):
    return at_session(number, "POST", "/media", body={"image": image})


def reference(picture=None, **changes):
    """The picture of a Selfie2Selfie session."""
    return {
        "context": "face-reference",
        "content": base64.b64encode(CARDS["p1"] if picture is None else picture).decode(),
        "timestamp": f"{START:%Y-%m-%dT%H:%M:%S.000Z}",
        **changes,
    }


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        mock_webhooks.listen(events=["decision", "event"]),
        about(UNKNOWN, "GET", "/watchlist-screening"),
        request("OPTIONS", SESSIONS, client=None, signed=False),
        request("POST", SESSIONS, {}, client=None),
        request("POST", SESSIONS, {}, client="no UUID"),
        request("POST", SESSIONS, {}, client=UNKNOWN),
        control_request("keys", {"key": "weak-key", "client": WEAK, "allowed": False}),
        request("POST", SESSIONS, {}, client=WEAK, secret="weak-key"),
        request("POST", SESSIONS, {"verification": {}}, signed=b"another body"),
        request("POST", SESSIONS, b"[]", signed=False),
        start(callback="ftp://shop.example"),
        start(callback="http://127.0.0.1/back", lang="pt"),
        start(vendorData=1),
        start(vendorData="x" * 1001),
        start(endUserId="no UUID"),
        start(person={"dateOfBirth": "31.1.1990"}),
        about("1", "GET", "/decision"),
        about("1" * 20, "GET", "/decision"),
        start(timestamp="yesterday"),
        start(timestamp=(START - dt.timedelta(hours=2)).isoformat()),
        decision(1, signed=False),
        decision(1, signed=b"the path"),
        at_session(1, "GET", "/decision", malformed=True),
        about(UNKNOWN, "GET", "/decision"),
        attempts(1),
        # A person whose face is not seen, who tries again, and passes.
        mock_sessions.acting(1, "card", card="no-face"),
        decision(1),
        # The five webhooks: started, submitted, started, submitted, approved.
        mock_webhooks.carried(500, 404, "timeout", 302, 401),
        # A picture to compare with.
        start(vendorData="of-a-record"),
        at_session(2, "POST", "/media", body={}),
        media(2, reference(content="")),
        media(2, reference(content="not base64!")),
        media(2, reference(context="selfie")),
        media(2, reference()),
        media(2, reference(b"x" * 17_000_001)),
        mock_sessions.acting(2, "card", card="p2"),
        media(2, reference()),
        # A test integration, which decides nothing by itself.
        start(test=True),
        deletion(3),
        mock_sessions.acting(3, "card"),
        decision(3, client=TEST_API_KEY, secret=TEST_SECRET),
        at_session(3, "DELETE", client=TEST_API_KEY, secret=TEST_SECRET),
        start(),
        mock_sessions.acting(4, "fail_attempt"),
        advance(300),
        mock_webhooks.carried(),
        deletion(4),
        limit("delete_per_hour", 0),
        deletion(2),
        control_request("limits", {"delete_per_hour": None, "delete_per_day": 0}),
        deletion(2),
        answer_with_fault(500, start()),
        # Pictures that a program sends itself, at a path with a slash.
        request("POST", f"{SESSIONS}/", {"verification": {}}),
        at_session(5, "PATCH", body={"verification": {"status": "approved"}}),
        at_session(5, "PATCH", body={"verification": {"status": "submitted"}}),
        at_session(5, "PATCH", body={"verification": {"status": "submitted"}}),
        at_session(5, "GET", "/decision/fullauto?version=1.0.0"),
        downloading(5),
        download(UNKNOWN),
        decision(1, signed=False, x_signature="0" * 64),
        at_session(1, "POST", "/media", body={}, signed=False, x_signature="0" * 64),
        # A document with another name than the request.
        start(person={"firstName": "Ada", "lastName": "Lovelace"}),
        mock_sessions.acting(6, "card", card="p1"),
        decision(6),
    )
    return [Scenario("veriff", calls, None, Recognizer())]


# The simulator of Veriff: the mock server in the place of an integration.

STATUSES = "devdocs.veriff.com, verification-session-status-codes-table, read on 2026-11-28"
STATES = {
    SessionState.DECIDED: "approved, declined",
    SessionState.PROCESSING: "submitted, review",
    SessionState.PENDING: "created, started, resubmission_requested",
    SessionState.EXPIRED: "expired",
    SessionState.ABANDONED: "abandoned",
}
ATTEMPTS = "devdocs.veriff.com, v1sessionsidattempts-1, read on 2026-11-28"
REASONS = "devdocs.veriff.com, granular-reason-codes, read on 2026-11-28"
FAQ = "devdocs.veriff.com, general-faq, read on 2026-11-28"
VERIFICATION = at("verification")
REASON_CODE = at("verification.reasonCode")
#: Declined because the face is another person's, and because the face was no live one.
OTHER_PERSON = (103, 120, 509)
SPOOF = (503, 504, 505, 515, 526)
#: Where the status of an attempt stands; the answer has no id of the session.
FIRST_ATTEMPT = ("verifications", 0, "status")
SECOND_ATTEMPT = ("verifications", 1, "status")
#: The status of an attempt while the session is open, by its meaning.
OPEN_ATTEMPTS = {
    # Decided, but the decision is not shown yet.
    SessionState.PROCESSING: "submitted, approved, declined",
    SessionState.PENDING: "started, resubmission_requested",
}
WEBHOOK_SECRET = "veriff-simulator-secret-71c0de52"


def within_verification(change):
    """Return a function that changes a decision, if the answer has one."""

    def change_body(body):
        if body.get("verification"):
            change(body["verification"])

    return change_body


def make_older(verification):
    verification["acceptanceTime"] = a_day_earlier(verification["acceptanceTime"])


def compare_with_a_stored_face(verification):
    """Show the decision of an integration for Biometric Authentication, which reads no document."""
    verification["document"] = dict.fromkeys(verification["document"])
    verification["biometricAuthentication"] = {"matchedSessionId": OTHER_ID}


def codes(*numbers):
    """Return the documented bodies of these codes."""
    return [{"status": "fail", "code": str(number), "message": "No."} for number in numbers]


REFUSALS = all_of(
    free_refusals(
        fm.AuthenticationFailed, 401, codes(1801, 1802, 1803, 1812, 1813, 1814, 1815, 1818, 1819)
    ),
    free_refusals(fm.PermissionDenied, 401, codes(1804)),
    free_refusals(
        fm.RequestRejected,
        400,
        codes(
            1001,
            1002,
            1102,
            1104,
            1201,
            1202,
            1203,
            1302,
            1303,
            1304,
            1400,
            1401,
            1402,
            1403,
            1500,
            1501,
        ),
    ),
    free_refusals(fm.RateLimited, 429, [{"status": "fail", "message": "No."}]),
)


class VeriffSessions(MockSessionsWithWebhooks):
    webhook_secret = WEBHOOK_SECRET
    decisive_fields = {
        "verification.document.type": "shows that there was a document to compare with",
    }
    signature_header = "X-HMAC-SIGNATURE"
    start_sets_lifetime = False
    hands_over = ("link", "token")
    documented_capabilities = dict.fromkeys(
        (
            "can_delete",
            "takes_language",
            "takes_return_url",
        ),
        True,
    )
    compared_with = (ComparedWith.DOCUMENT,)
    document = "p1"
    cannot_happen = {
        SessionCase.NO_FACE_ITEM: "Its one verdict is about the face and the document together.",
        SessionCase.UNFINISHED: "Its one verdict has no items.",
        SessionCase.SANDBOX: NO_ENVIRONMENT,
        SessionCase.UNKNOWN_ENVIRONMENT: NO_ENVIRONMENT,
    }
    changes = {
        SessionCase.OTHER_PICTURE: within_verification(compare_with_a_stored_face),
        SessionCase.FOREIGN: within_verification(lambda shown: shown.update(id=OTHER_ID)),
        SessionCase.OLDER: within_verification(make_older),
    }
    start_refusals = REFUSALS
    #: No code of an unknown session is documented.
    read_refusals = all_of(
        REFUSALS,
        free_refusals(fm.errors.SessionNotFound, 404, [{"status": "fail", "message": "No."}]),
    )
    delete_refusals = all_of(REFUSALS, free_refusals(fm.RequestRejected, 400, codes(1305, 1306)))
    words = all_of(
        words_at(
            at("verification.status"),
            STATUSES,
            STATES,
            yes="approved",
            asked_back=("resubmission_requested",),
        ),
        # Only a decision is a verdict.
        words_at(
            at("verification.status"),
            STATUSES,
            {
                Decision.INCONCLUSIVE: "created, started, submitted, review, expired, abandoned, "
                "resubmission_requested"
            },
        ),
        # "null or empty" while there is no decision.
        [
            SessionWord(VERIFICATION, None, SessionState.PROCESSING, FAQ),
            SessionWord(VERIFICATION, {}, SessionState.PROCESSING, FAQ),
        ],
        [
            SessionWord(REASON_CODE, code, means, REASONS, case=SessionCase.OTHER_PERSON)
            for code in OTHER_PERSON
            # Another person may well be live: nothing is said about that.
            for means in (Decision.NO_MATCH, LivenessDecision.INCONCLUSIVE)
        ],
        [
            SessionWord(
                REASON_CODE, code, LivenessDecision.NOT_LIVE, REASONS, case=SessionCase.OTHER_PERSON
            )
            for code in SPOOF
        ],
        words_at(FIRST_ATTEMPT, ATTEMPTS, OPEN_ATTEMPTS, asked_back=("resubmission_requested",)),
        words_at(SECOND_ATTEMPT, ATTEMPTS, OPEN_ATTEMPTS, asked_back=("resubmission_requested",)),
    )

    def id_in(self, body):
        verification = body.get("verification")
        return verification.get("id") if isinstance(verification, dict) else None

    def say(self, session_id, place, word, case=SessionCase.PASSED):
        if place in (FIRST_ATTEMPT, SECOND_ATTEMPT):
            # The session is open: nobody has decided on it.
            self._words[session_id] = place, word
        else:
            super().say(session_id, place, word, case)

    def write(self, body, place, word):
        # A decision is no answer about attempts.
        if place not in (FIRST_ATTEMPT, SECOND_ATTEMPT):
            super().write(body, place, word)

    def change_answer(self, path, body):
        """Return an answer about attempts with a former one, before or after the word's."""
        *_, session_id, what = path.split("/")
        place, word = self._words.get(session_id, ((), None))
        if what != "attempts" or place not in (FIRST_ATTEMPT, SECOND_ATTEMPT):
            return body
        former = {"id": OTHER_ID, "status": "resubmission_requested"}
        attempts = [former, former]
        attempts[place[1]] = {"id": session_id, "status": word}
        return {**body, "verifications": attempts}

    def other_options(self, declared):
        return {declared(end_user_id=OTHER_ID): OTHER_ID}

    def webhooks(self, session_id):
        body, _ = self.deliver(session_id)
        vendor_data = json.loads(body)["verification"]["vendorData"]
        shared = {"attemptId": OTHER_ID, "vendorData": vendor_data}
        event = {"id": session_id, **shared, "feature": "selfid", "code": 7001, "action": "started"}
        full_auto = {
            "status": "success",
            "eventType": "fullauto",
            "sessionId": session_id,
            **shared,
            "data": {"verification": {"decision": "approved", "decisionScore": 1}},
        }
        webhooks = []
        for document in (event, full_auto):
            webhook = self.sign(document, **{"X-AUTH-CLIENT": VeriffSimulator.client})
            # Veriff's own receiver takes both cases.
            capitals = webhook.headers[self.signature_header].upper()
            headers = {**webhook.headers, self.signature_header: capitals}
            webhooks += [webhook, SessionWebhook(body=webhook.body, headers=headers)]
        return webhooks


class VeriffSimulator(MockSimulator):
    vendor = "veriff"
    calls = frozenset()
    session_paths = ("/v1/sessions",)
    session_class = VeriffSessions
    client = "3f6a1c58-0b7d-4e21-9c44-5a8e2d7b9f16"
    keys = {
        "api_key": client,
        "shared_secret": WEBHOOK_SECRET,
        "solution": "document_selfie",
    }
    secrets = (keys["shared_secret"], client)
    faults = {Situation.THROTTLED: Fault(stage="answer", kind="status", status=429)}
    cannot_happen = {
        Situation.NO_CREDIT: "Veriff documents no error about credit: it sends invoices.",
    }

    def alter(self, request, body):
        path, _, _ = request.path.partition("?")
        return self.sessions.change_answer(path, body)


class VeriffReferenceSessions(VeriffSessions):
    """Sessions whose start sends two requests: the second one has the reference."""

    compared_with = (ComparedWith.GIVEN,)
    looks_at_references = True
    document = None
    decisive_fields = {}


class VeriffReferenceSimulator(VeriffSimulator):
    session_class = VeriffReferenceSessions
    keys = {**VeriffSimulator.keys, "solution": "selfie2selfie"}


def delete_a_new_session(engine):
    engine.handle(start())
    return deletion(engine.world.sessions.all()[-1].number)(engine)


class Tables:
    """The vendor's rows in the tables of the tests, which kit.of_vendors adds there."""

    HOME = "https://stationapi.veriff.com"
    CONTRACT = VeriffSimulator
    NOT_TESTED = {"R58": "each success of a deletion means the same"}
    FURTHER_CONTRACTS = {"WithAReference": VeriffReferenceSimulator}
    NEEDED = {
        "api_key": "some-key",
        "shared_secret": "some-secret",
        "base_url": HOME,
        "solution": "document_selfie",
    }
    OF_A_CUSTOMER = {
        "VERIFF_API_KEY": "8f3a77aa-1122-4abc-9def-001122334466",
        "VERIFF_SHARED_SECRET": "8f3a77aa-1122-4abc-9def-001122334477",
    }
    OWN_CLIENT = WEAK
    LIMITS = [
        ("delete_per_hour", 3600, delete_a_new_session),
        ("delete_per_day", 86_400, delete_a_new_session),
    ]
    DOCUMENTED_LIMITS = {"delete_per_hour": 5, "delete_per_day": 10}
    UNKNOWN_PATH = "/v1/sessions/6d4b9adb-ebcd-4f5e-89c1-8070b6d13089/watch"
    JSON_FIELDS = ["verification"]
    WORDS_OF_FAULTS = (
        start(),
        {
            400: '"1104"',
            401: '"1803"',
            404: "Session not found",
            409: "Session is already submitted",
            429: "Too many requests",
            500: "Internal server error",
        },
    )
    FIELD_CALL = {
        "path": "/v1/sessions",
        "field": {"verification": "x"},
        "json": {"verification": "x"},
    }
    PROGRAM_SESSION = (
        {"compared_with": "document", "solution": "document_selfie"},
        {"any_document": True},
    )
    START = start()
    READ = decision(1)
    DELIVERIES = {
        "waits_s": (3600,) * 168,
        "timeout_s": 5,
        "signature": "X-HMAC-SIGNATURE",
        "states": {"delivered": (200,), "pending": (204, 302, 401, 404, 500, "timeout")},
    }
    VARIABLES = ["VERIFF_API_KEY", "VERIFF_SHARED_SECRET", "VERIFF_BASE_URL"]
    PASTED = [
        (f"{HOME}/v1/sessions", HOME),
        ("https://api.veriff.me/v1", "https://api.veriff.me"),
    ]
    WRONG_SETTINGS = [
        ({"solution": "document_only"}, "solution"),
        ({"base_url": "https://veriff.com.evil.example"}, "allow_base_url"),
    ]
    SECRET_SETTINGS = [
        ("api_key",),
        ("shared_secret",),
    ]
    CALLED_HOST = "stationapi.veriff.com"
    PRICED = {"credit.price": "document"}

    @staticmethod
    def own_key_calls(client, key):
        """Calls with a program's own key."""
        return [request("POST", SESSIONS, {"verification": {}}, client=WEAK, secret=key)]
