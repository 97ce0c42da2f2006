"""Requests to Veriff as clients send them, and its webhooks."""

import base64
import hashlib
import hmac

from kit.cards import CARDS
from kit.mock_didit import START, json_bytes, json_request
from kit.mock_didit_sessions import nth

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
    method, path, body=None, *, signed=None, malformed=False, client=API_KEY, secret=SECRET
):
    """A request that signs `signed`: the body by default; nothing is signed if it is False."""
    headers = {}
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
