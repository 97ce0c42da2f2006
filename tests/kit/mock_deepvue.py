"""Requests to Deepvue as clients send them."""

import base64
import json
from urllib.parse import urlencode

import attrs
from kit import mock_didit as didit
from kit.mock_didit import STARTS

AUTHORIZE = "/v1/authorize"
FACEMATCH = "/v1/facematch"
FACEMATCH_2 = "/v2/facematch"
LIVENESS_CHECK = "/v1/liveness-check"
WALLET = "/v1/internal/wallet-balance"
JPEG, PNG, PDF = STARTS
CLIENT, SECRET = "mock-client", "mock-live-key"
FORM = "application/x-www-form-urlencoded"

new_engine = didit.new_engine
new_world = didit.new_world
multipart = didit.multipart
control = didit.control_request


def jpeg_scene(**facts):
    """A JPEG for `mock_didit.ScriptedRecognizer`."""
    return JPEG + didit.scene(**facts)


def authorize(client=CLIENT, secret=SECRET, *, as_files=False, path=AUTHORIZE):
    """A call for a token; a part that is None is left out."""
    pair = [("client_id", client), ("client_secret", secret)]
    sent = [(name, text) for name, text in pair if text is not None]
    body, kind = multipart(sent) if as_files else (urlencode(sent).encode(), FORM)
    return didit.didit_request(path, body, kind, key=None)


def token_of(engine, **pair):
    return engine.handle(authorize(**pair)).json()["access_token"]


def deepvue_request(
    path=FACEMATCH, body=b"", content_type=None, *, method="POST", token=None, **more
):
    """A call with a token, or without one; `more` are further headers, and the `key`."""
    if token is not None:
        more["authorization"] = f"Bearer {token}"
    return didit.didit_request(path, body, content_type, method=method, **{"key": SECRET, **more})


def deepvue_match(
    first=None, second=None, *, path=FACEMATCH, names=("a.jpg", "b.jpg"), fields=(), **more
):
    """A comparison of two pictures; they are different unless two are given."""
    pictures = (
        jpeg_scene() if first is None else first,
        jpeg_scene(other=1) if second is None else second,
    )
    files = zip(("file_a", "file_b"), names, pictures, strict=True)
    return deepvue_request(path, *multipart(fields, files), **more)


def deepvue_liveness(probe=None, *, data_uri=False, **more):
    text = base64.b64encode(jpeg_scene() if probe is None else probe).decode()
    body = {"image": f"data:image/jpeg;base64,{text}" if data_uri else text}
    return post_liveness(body, **more)


def post_liveness(body, content_type="application/json", **more):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return deepvue_request(LIVENESS_CHECK, data, content_type, **more)


def wallet(key=SECRET, client=CLIENT, method="GET"):
    return didit.didit_request(WALLET, method=method, key=key, client_id=client)


def deepvue_control(path, body=None, **more):
    return control(f"deepvue/{path}", body, **more)


GIF = b"GIF89a"


def with_deepvue_token(sent, change=str):
    """A step that makes a call with a fresh token, or with what `change` makes of it."""

    def step(engine):
        token = change(engine.handle(authorize()).json().get("access_token", "x"))
        bearer = ("authorization", f"Bearer {token}")
        return engine.handle(attrs.evolve(sent, headers=(*sent.headers, bearer)))

    return step
