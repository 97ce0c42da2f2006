"""Requests to Veriff as clients send them, and its webhooks."""

import base64
import datetime as dt
import hashlib
import hmac

from kit import mock_didit as didit
from kit import mock_didit_sessions as sessions
from kit import mock_didit_webhooks as webhooks
from kit.cards import CARDS
from kit.mock_didit import START, control_request, json_bytes, json_request
from kit.mock_didit_sessions import nth
from kit.scenario import Scenario, advance, answer_with_fault, limit

from facematch_mock_server.recognition.recognizer import Recognizer
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
        webhooks.listen(events=["decision", "event"]),
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
        start(timestamp="yesterday"),
        start(timestamp=(didit.START - dt.timedelta(hours=2)).isoformat()),
        decision(1, signed=False),
        decision(1, signed=b"the path"),
        at_session(1, "GET", "/decision", malformed=True),
        about(UNKNOWN, "GET", "/decision"),
        attempts(1),
        # A person whose face is not seen, who tries again, and passes.
        sessions.acting(1, "card", card="no-face"),
        decision(1),
        sessions.acting(1, "card", card="p1"),
        # The five webhooks: started, submitted, started, submitted, approved.
        webhooks.carried(500, 404, "timeout", 302, 401),
        advance(3600),
        # A picture to compare with.
        start(vendorData="of-a-record"),
        at_session(2, "POST", "/media", body={}),
        media(2, reference(content="")),
        media(2, reference(content="not base64!")),
        media(2, reference(context="selfie")),
        media(2, reference()),
        media(2, reference(b"x" * 17_000_001)),
        sessions.acting(2, "card", card="p2"),
        media(2, reference()),
        # A test integration, which decides nothing by itself.
        start(test=True),
        deletion(3),
        sessions.acting(3, "card"),
        decision(3, client=TEST_API_KEY, secret=TEST_SECRET),
        at_session(3, "DELETE", client=TEST_API_KEY, secret=TEST_SECRET),
        start(),
        sessions.acting(4, "fail_attempt"),
        advance(300),
        webhooks.carried(),
        deletion(4),
        limit("delete_per_hour", 0),
        deletion(2),
        control_request("limits", {"delete_per_hour": None, "delete_per_day": 0}),
        deletion(2),
        answer_with_fault(500, start()),
        # Pictures that a program sends itself, at a path with a slash.
        request("POST", f"{SESSIONS}/", {"verification": {}}),
        media(5, reference(context="face")),
        media(5, reference(context="document-front")),
        at_session(5, "PATCH", body={"verification": {"status": "submitted"}}),
        at_session(5, "PATCH", body={"verification": {"status": "submitted"}}),
        at_session(5, "GET", "/decision/fullauto?version=1.0.0"),
        at_session(5, "GET", "/person"),
        listing(5),
        downloading(5),
        download(UNKNOWN),
    )
    return [
        Scenario("veriff", calls, {"plan": "plus"}, Recognizer()),
        Scenario("veriff", calls, {"plan": "essential"}, Recognizer()),
    ]
