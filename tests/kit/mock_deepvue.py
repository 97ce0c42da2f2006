"""Requests to Deepvue as clients send them."""

import base64
from urllib.parse import urlencode

import attrs
from kit import mock_didit as didit
from kit.mock_didit import STARTS, control_request, didit_request, scene
from kit.scenario import Scenario, answer_with_fault, limit

AUTHORIZE = "/v1/authorize"
FACEMATCH = "/v1/facematch"
LIVENESS_CHECK = "/v1/liveness-check"
JPEG = STARTS[0]
CLIENT = "mock-client"
SECRET = "mock-live-key"
FORM = "application/x-www-form-urlencoded"


def jpeg_scene(**facts):
    return JPEG + didit.scene(**facts)


def authorize(client=CLIENT, secret=SECRET, *, as_files=False):
    """A call for a token; a part that is None is left out."""
    pair = [("client_id", client), ("client_secret", secret)]
    sent = [(name, text) for name, text in pair if text is not None]
    body, kind = didit.multipart(sent) if as_files else (urlencode(sent).encode(), FORM)
    return didit.didit_request(AUTHORIZE, body, kind, key=None)


def token_of(engine, **pair):
    return engine.handle(authorize(**pair)).json()["access_token"]


def deepvue_request(
    path=FACEMATCH, body=b"", content_type=None, *, method="POST", token=None, **more
):
    if token is not None:
        more["authorization"] = f"Bearer {token}"
    return didit.didit_request(path, body, content_type, method=method, **{"key": SECRET, **more})


def deepvue_match(first=None, second=None, *, path=FACEMATCH, names=("a.jpg", "b.jpg"), **more):
    """A comparison of two pictures; they are different unless two are given."""
    pictures = (
        jpeg_scene() if first is None else first,
        jpeg_scene(other=1) if second is None else second,
    )
    files = zip(("file_a", "file_b"), names, pictures, strict=True)
    return deepvue_request(path, *didit.multipart(files=files), **more)


def deepvue_liveness(probe=None, **more):
    text = base64.b64encode(jpeg_scene() if probe is None else probe).decode()
    body = {"image": text}
    return post_liveness(body, **more)


def post_liveness(body, **more):
    return deepvue_request(LIVENESS_CHECK, didit.json_bytes(body), "application/json", **more)


def wallet(client=CLIENT):
    return didit.didit_request(
        "/v1/internal/wallet-balance", method="GET", key=SECRET, client_id=client
    )


def with_deepvue_token(sent, change=str):
    def step(engine):
        token = change(engine.handle(authorize()).json().get("access_token", "x"))
        bearer = ("authorization", f"Bearer {token}")
        return engine.handle(attrs.evolve(sent, headers=(*sent.headers, bearer)))

    return step


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    match = with_deepvue_token(deepvue_match())
    jpeg = jpeg_scene()
    calls = {
        "tokens": (
            authorize(secret="wrong"),
            didit_request(AUTHORIZE, method="GET", key=None),
        ),
        "guards": (deepvue_match(key="wrong"),),
        "clients": (
            control_request("keys", {"key": "weak-secret", "allowed": False}),
            with_deepvue_token(deepvue_match(key="weak-secret")),
            control_request("keys/revoke", {"key": SECRET}),
            authorize(),
        ),
        "answers": (
            with_deepvue_token(deepvue_match(scene(), scene())),
            with_deepvue_token(deepvue_match(), change=lambda token: "unknown"),
            with_deepvue_token(deepvue_match(jpeg, jpeg)),
            with_deepvue_token(post_liveness({"image": "not base64!"})),
        ),
        "rates": (
            wallet(client="nobody"),
            limit("second", 0),
            match,
            control_request("limits", {"second": None, "minute": 0}),
            match,
            control_request("limits", {"minute": None, "day": 0}),
            match,
        ),
        "faults": (answer_with_fault(418, deepvue_match()),),
    }
    return [Scenario("deepvue", steps) for steps in calls.values()]
