"""Requests to Deepvue as clients send them, and a suite of them that every claim takes part in."""

import base64
import json
from urllib.parse import urlencode

import attrs
from kit import mock_didit as didit
from kit.mock_didit import STARTS
from kit.mock_worlds import struck_by

from facematch_mock_server.faults import Fault

AUTHORIZE = "/v1/authorize"
MATCH = "/v1/facematch"
MATCH_2 = "/v2/facematch"
LIVENESS = "/v1/liveness-check"
WALLET = "/v1/internal/wallet-balance"
JPEG, PNG, PDF = STARTS
CLIENT, SECRET = "mock-client", "mock-live-key"
FORM = "application/x-www-form-urlencoded"

new_engine = didit.new_engine
new_world = didit.new_world
multipart = didit.multipart
control = didit.control


def picture(**said):
    """A JPEG for `mock_didit.Scripted`."""
    return JPEG + didit.picture(**said)


def authorize(client=CLIENT, secret=SECRET, *, as_files=False, path=AUTHORIZE):
    """A call for a token; a part that is None is left out."""
    pair = [("client_id", client), ("client_secret", secret)]
    sent = [(name, text) for name, text in pair if text is not None]
    body, kind = multipart(sent) if as_files else (urlencode(sent).encode(), FORM)
    return didit.request(path, body, kind, key=None)


def token_of(engine, **pair):
    """A fresh token."""
    return engine.handle(authorize(**pair)).json()["access_token"]


def request(path=MATCH, body=b"", content_type=None, *, method="POST", token=None, **more):
    """A call with a token, or without one; `more` are further headers, and the `key`."""
    if token is not None:
        more["authorization"] = f"Bearer {token}"
    return didit.request(path, body, content_type, method=method, **{"key": SECRET, **more})


def match(one=None, other=None, *, path=MATCH, names=("a.jpg", "b.jpg"), fields=(), **more):
    """A comparison of two pictures; they are different unless told otherwise."""
    pictures = picture() if one is None else one, picture(other=1) if other is None else other
    files = zip(("file_a", "file_b"), names, pictures, strict=True)
    return request(path, *multipart(fields, files), **more)


def liveness(probe=None, *, data_uri=False, **more):
    """A liveness check."""
    text = base64.b64encode(picture() if probe is None else probe).decode()
    body = {"image": f"data:image/jpeg;base64,{text}" if data_uri else text}
    return posted(body, **more)


def posted(body, content_type="application/json", **more):
    """A liveness check with this body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(LIVENESS, data, content_type, **more)


def wallet(key=SECRET, client=CLIENT, method="GET"):
    """A call for the balance."""
    return didit.request(WALLET, method=method, key=key, client_id=client)


def steer(path, body=None, **more):
    """A request to the control API of this vendor."""
    return control(f"deepvue/{path}", body, **more)


class Signed:
    """A step of a scenario: a call with a token that was just given out, or an earlier one.

    Args:
        sent: The call.
        keep: Whether the token of the step before is used again.
    """

    def __init__(self, sent, *, keep=False):
        self.sent = sent
        self.keep = keep

    def __call__(self, engine):
        known = getattr(engine, "known_token", None)
        if known is None or not self.keep:
            answer = engine.handle(authorize())
            # What is turned may refuse it.
            known = engine.known_token = json.loads(answer.body).get("access_token", "x")
        bearer = ("authorization", f"Bearer {known}")
        return engine.handle(attrs.evolve(self.sent, headers=(*self.sent.headers, bearer)))


def again(sent):
    """A call with the token of the step before."""
    return Signed(sent, keep=True)


def answered(status, kind="status", **more):
    """The answer of a fault."""
    fault = Fault(stage="answer", kind=kind, status=status, **more)
    return lambda engine: struck_by(engine, fault, match())


def limited(**limits):
    """A change of limits."""
    return steer("limits", limits)


def paid(balance):
    """A change of the balance."""
    return steer("ledger/balance", {"balance": balance})


GIF = b"GIF89a"
ONE = multipart((), [("file_a", "a.jpg", picture())])
TWICE = multipart(
    (),
    [
        ("file_a", "a.gif", GIF),
        ("file_a", "a.jpg", picture()),
        ("file_b", "b.jpg", picture(other=1)),
    ],
)

SCENARIOS = {
    "tokens": (
        authorize(),
        authorize(as_files=True),
        authorize(client="nobody"),
        authorize(secret="wrong"),
        authorize(client=None, secret=None),
        authorize(secret=None),
        didit.request(AUTHORIZE, b"x", "multipart/form-data", key=None),
        didit.request(AUTHORIZE, method="GET", key=None),
    ),
    "guards": (
        match(),
        match(token="x.y.z"),
        match(authorization="Basic x"),
        Signed(match(key="wrong")),
        Signed(match(key=None)),
        match(token="x.y.z", key="wrong"),
        match(key="wrong"),
        Signed(match()),
        authorize(),
        again(match()),
        control("clock/advance", {"seconds": 86_399}),
        again(match()),
        control("clock/advance", {"seconds": 1}),
        again(match()),
        Signed(match()),
        steer("tokens/revoke", {}),
        again(match()),
    ),
    "clients": (
        steer("keys", {"key": "second-secret", "client": "second-client"}),
        Signed(match(key="second-secret")),
        steer("keys", {"key": "weak-secret", "allowed": False}),
        Signed(match(key="weak-secret")),
        steer("keys", {"key": "past-secret", "expires": "2026-07-01"}),
        authorize(secret="past-secret"),
        Signed(match(key="past-secret")),
        steer("keys/revoke", {"key": SECRET}),
        authorize(),
        wallet(),
    ),
    "verdicts": (
        Signed(match()),
        again(match(picture(score=12))),
        again(match(picture(score=3))),
        again(match(picture(score=59.6))),
        again(match(picture(score=60))),
        again(match(picture(), picture())),
        again(match(picture(faces=2))),
        again(match(picture(faces=0))),
        again(match(JPEG + b"no picture")),
        again(match(path=MATCH_2)),
        again(match(picture(faces=0), path=MATCH_2)),
        again(match(PDF + didit.picture(), path=MATCH_2, names=("a.pdf", "b.jpg"))),
    ),
    "liveness": (
        Signed(liveness()),
        again(liveness(data_uri=True)),
        again(liveness(picture(score=50))),
        again(liveness(picture(score=49.9))),
        again(liveness(picture(score=None))),
        again(liveness(picture(attack=True))),
        again(liveness(picture(faces=0))),
    ),
    "files": (
        Signed(request(MATCH)),
        again(request(MATCH, *multipart([("file_a", "text"), ("file_b", "text")]))),
        again(request(MATCH, *ONE)),
        again(request(MATCH, *TWICE)),
        again(match(GIF, names=("a.gif", "b.jpg"))),
        again(match(names=("a.gif", "b.jpg"))),
        again(match(GIF)),
        again(match(names=("a.JPG", "b.Png"))),
        again(match(names=("a.pdf", "b.pdf"))),
        again(match(names=("a.pdf", "b.pdf"), path=MATCH_2)),
        again(request(MATCH, b"x", "multipart/form-data")),
        again(request(MATCH, ONE[0][:-20], ONE[1])),
        again(request(MATCH, b"{}", "application/json")),
    ),
    "json": (
        Signed(posted(b"")),
        again(posted(b"{")),
        again(posted(b"[]")),
        again(posted({})),
        again(posted({"image": 7})),
        again(posted({"image": "not base64!"})),
        again(posted({"image": "aW1hZ2U="}, "text/plain")),
    ),
    "rates": (
        Signed(liveness()),
        limited(second=2, minute=3, day=4),
        again(match()),
        again(match()),
        again(match()),
        again(match(key="wrong")),
        control("clock/advance", {"seconds": 1}),
        again(match()),
        again(match()),
        wallet(),
        control("clock/advance", {"seconds": 60}),
        again(match()),
        again(match()),
        steer("keys", {"key": "other-secret"}),
        again(match(key="other-secret")),
    ),
    "wallets": (
        limited(minute=1),
        wallet(),
        wallet(),
        wallet(key="wrong"),
        wallet(client="nobody"),
        wallet(method="POST"),
    ),
    "plans": (
        Signed(match()),
        *(
            step
            for window in ("second", "minute", "day")
            for step in (limited(**{window: 0}), again(match()), limited(**{window: None}))
        ),
    ),
    "order": (
        limited(second=0),
        match(key="wrong"),
        Signed(match(key="wrong")),
        Signed(request(MATCH)),
        limited(second=None),
        paid("0.02"),
        Signed(request(MATCH)),
        again(match(picture(faces=0))),
        again(match()),
        again(liveness()),
    ),
    "made up": (
        steer("answers", {"kind": "match", "fields": {"data": {"match": "true"}}}),
        Signed(match()),
    ),
    "paths": (
        request("/v1/facematsch"),
        request("/v1/elsewhere"),
        request(MATCH, method="GET"),
        request("/elsewhere"),
    ),
    "faults": (
        *(answered(status) for status in (400, 401, 402, 403, 404, 405, 418, 429, 500, 503)),
        answered(502, "html"),
        answered(503, "json", body={"detail": "own"}),
        answered(200, "wrong_json"),
    ),
}

#: Every way of settling a world that a claim can need.
SETTINGS = tuple(
    {"vendor": "deepvue", "switches": switches}
    for switches in (
        {},
        *({"expiry": form, "token_type": "Bearer"} for form in ("24hrs", "digits")),
        *({"expiry": form} for form in ("expires_in", "missing")),
        {"bad_token": 401, "no_face": 200, "code": "null", "liveness_score": "number"},
        {"error_shape": "envelope", "confidence_as": "decision", "retry_after": True},
        {"confidence_as": "null", "plan": "starter"},
        *({"plan": plan} for plan in ("business", "growth", "enterprise")),
    )
)
