"""Deepvue: requests to its mock as clients send them, and its simulator."""

import base64
from urllib.parse import urlencode

import attrs
import requests
from kit.mock_world import STARTS, control_request, json_bytes, multipart, request_to, scene
from kit.scenario import Scenario, answer_with_fault, limit

from facematch_core.testing import Situation
from facematch_mock_server.testing import MockSimulator

AUTHORIZE = "/v1/authorize"
FACEMATCH = "/v1/facematch"
LIVENESS_CHECK = "/v1/liveness-check"
JPEG = STARTS[0]
CLIENT = "mock-client"
SECRET = "mock-live-key"
FORM = "application/x-www-form-urlencoded"


def jpeg_scene(**facts):
    return JPEG + scene(**facts)


def authorize(client=CLIENT, secret=SECRET, *, as_files=False):
    """A call for a token; a part that is None is left out."""
    pair = [("client_id", client), ("client_secret", secret)]
    sent = [(name, text) for name, text in pair if text is not None]
    body, kind = multipart(sent) if as_files else (urlencode(sent).encode(), FORM)
    return request_to(AUTHORIZE, body, kind, key=None)


def token_of(engine, **pair):
    return engine.handle(authorize(**pair)).json()["access_token"]


def deepvue_request(
    path=FACEMATCH, body=b"", content_type=None, *, method="POST", token=None, **more
):
    if token is not None:
        more["authorization"] = f"Bearer {token}"
    return request_to(path, body, content_type, method=method, **{"key": SECRET, **more})


def deepvue_match(first=None, second=None, *, path=FACEMATCH, names=("a.jpg", "b.jpg"), **more):
    """A comparison of two pictures; they are different unless two are given."""
    pictures = (
        jpeg_scene() if first is None else first,
        jpeg_scene(other=1) if second is None else second,
    )
    files = zip(("file_a", "file_b"), names, pictures, strict=True)
    return deepvue_request(path, *multipart(files=files), **more)


def deepvue_liveness(probe=None, **more):
    text = base64.b64encode(jpeg_scene() if probe is None else probe).decode()
    body = {"image": text}
    return post_liveness(body, **more)


def post_liveness(body, **more):
    return deepvue_request(LIVENESS_CHECK, json_bytes(body), "application/json", **more)


def wallet(client=CLIENT):
    return request_to("/v1/internal/wallet-balance", method="GET", key=SECRET, client_id=client)


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
            request_to(AUTHORIZE, method="GET", key=None),
        ),
        "guards": (
            deepvue_match(key="wrong"),
            deepvue_match(path="/v1/unknown"),
            with_deepvue_token(deepvue_match(key="wrong")),
        ),
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
            with_deepvue_token(deepvue_liveness()),
            with_deepvue_token(deepvue_match(jpeg_scene(faces=0))),
            wallet(),
            control_request("ledger/balance", {"balance": "0"}),
            match,
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
        "faults": [answer_with_fault(status, deepvue_match()) for status in (400, 418, 500, 503)],
    }
    return [Scenario("deepvue", steps) for steps in calls.values()]


# The simulator of Deepvue, which documents a yes or no with a number.

LOGIN, LIVENESS = "/v1/authorize", "/v1/liveness-check"


class DeepvueSimulator(MockSimulator):
    vendor = "deepvue"
    calls = frozenset({"/v1/facematch", "/v2/facematch", LIVENESS})
    pictures = {"file_b": "probe", "file_a": "reference"}
    faces = {}
    keys = {
        "client_id": "deepvue-simulator-client-7c1e90",
        "client_secret": "deepvue-simulator-secret-4f7e1c2ab9",
    }
    # No page of Deepvue says which of several faces is compared.
    situations = frozenset(Situation) - {
        *(Situation.NO_FACE, Situation.TWO_FACES, Situation.SMALLER_FACE_MATCHES),
    }
    cannot_happen = {
        Situation.NO_FACE: "Deepvue documents no answer for a picture without a face.",
        Situation.TWO_FACES: "Deepvue's answer does not say how many faces there were.",
    }

    def __init__(self):
        super().__init__()
        self.control.add_key(key=self.keys["client_secret"], client=self.keys["client_id"])
        self.token = None

    def __enter__(self):
        super().__enter__()
        # The kit must know the token before a backend is given it. `alter` gives it to each login.
        with requests.post(self.url + LOGIN, data=self.keys, timeout=10) as answer:
            self.token = answer.json()["access_token"]
        return self

    @property
    def secrets(self):
        return (*self.keys.values(), *([self.token] if self.token else []))

    def begin(self, situation, score):
        control = self.control
        # Not `reset`: it would revoke the tokens that backends hold.
        control.clear_faults()
        control.set_balance(0 if situation is Situation.NO_CREDIT else 100)
        control.set_limit("day", 0 if situation is Situation.THROTTLED else None)
        # A wrong key is the secret of another client.
        client = "somebody-else" if situation is Situation.BAD_KEY else self.keys["client_id"]
        control.add_key(key=self.keys["client_secret"], client=client)

    def alter(self, request, body):
        data = body.get("data")
        if isinstance(data, dict):
            if "is_live" in data:
                # With a number a backend whose setting names the scale can be tested, too.
                data["score"] = 97 if data["is_live"] else 4
            self.put_score(data, "confidence" if "confidence" in data else "score")
        is_login = request.path == LOGIN and self.token
        return {**body, "access_token": self.token} if is_login else body

    def understand(self, request):
        if not request.path.startswith(LIVENESS):
            return super().understand(request)
        return {"probe": base64.b64decode(request.json()["image"].rpartition(",")[2])}
