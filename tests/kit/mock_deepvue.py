"""Requests to Deepvue as clients send them."""

import base64
import json
from urllib.parse import urlencode

import attrs
from kit import mock_didit as didit
from kit.mock_didit import STARTS

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
    return engine.handle(authorize(**pair)).json()["access_token"]


def request(path=MATCH, body=b"", content_type=None, *, method="POST", token=None, **more):
    """A call with a token, or without one; `more` are further headers, and the `key`."""
    if token is not None:
        more["authorization"] = f"Bearer {token}"
    return didit.request(path, body, content_type, method=method, **{"key": SECRET, **more})


def match(one=None, other=None, *, path=MATCH, names=("a.jpg", "b.jpg"), fields=(), **more):
    """A comparison of two pictures; they are different unless two are given."""
    pictures = picture() if one is None else one, picture(other=1) if other is None else other
    files = zip(("file_a", "file_b"), names, pictures, strict=True)
    return request(path, *multipart(fields, files), **more)


def liveness(probe=None, *, data_uri=False, **more):
    text = base64.b64encode(picture() if probe is None else probe).decode()
    body = {"image": f"data:image/jpeg;base64,{text}" if data_uri else text}
    return posted(body, **more)


def posted(body, content_type="application/json", **more):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(LIVENESS, data, content_type, **more)


def wallet(key=SECRET, client=CLIENT, method="GET"):
    return didit.request(WALLET, method=method, key=key, client_id=client)


def steer(path, body=None, **more):
    return control(f"deepvue/{path}", body, **more)


GIF = b"GIF89a"


def with_token(sent, change=str):
    """A step that makes a call with a fresh token, or with what `change` makes of it."""

    def step(engine):
        token = change(engine.handle(authorize()).json().get("access_token", "x"))
        bearer = ("authorization", f"Bearer {token}")
        return engine.handle(attrs.evolve(sent, headers=(*sent.headers, bearer)))

    return step


#: Every setting of a world that a claim can need.
SETTINGS = tuple(
    {"vendor": "deepvue", "switches": switches}
    for switches in (
        *({"expiry": form, "token_type": "Bearer"} for form in ("24hrs", "digits")),
        *({"expiry": form} for form in ("expires_in", "missing")),
        {"bad_token": 401, "no_face": 200, "code": "null", "liveness_score": "number"},
        {"error_shape": "envelope", "confidence_as": "decision", "retry_after": True},
        {"validation_bodies": "pydantic2"},
        {"confidence_as": "null", "plan": "starter"},
        *({"plan": plan} for plan in ("business", "growth", "enterprise")),
    )
)
