"""What the tests of the backend `didit` share."""

import copy
import io
import json
from functools import partial
from pathlib import Path

import pytest
import requests
import urllib3
from kit.fakes import picture
from requests.adapters import BaseAdapter

from facematch_core import (
    FaceVerifier,
    Image,
    Operation,
    Threshold,
    ThresholdRule,
    ThresholdSource,
)
from facematch_core.backend import LivenessCall, MatchCall
from facematch_core.http import HttpReply
from facematch_didit import DiditAccount, DiditBackend
from facematch_mock_server import MockServer, card_sheet

FOLDER = Path(__file__).parent / "answers"
ANSWERS = {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
KEY = "didit-key-8c1f5e2ab9"


class Canned(BaseAdapter):
    """Answers every request of requests with one reply, and keeps the requests."""

    def __init__(self, status=200, body=b"", headers=None):
        super().__init__()
        self.status, self.body, self.headers = status, body, headers or {}
        self.seen = []

    def send(self, request, **_):
        self.seen.append(request)
        response = requests.Response()
        response.status_code = self.status
        response.headers.update(self.headers)
        response.raw = urllib3.HTTPResponse(
            body=io.BytesIO(self.body), status=self.status, preload_content=False
        )
        return response

    def close(self):
        pass


@pytest.fixture(scope="module")
def server():
    """A mock server for a module."""
    with MockServer(seed=5) as running:
        yield running


@pytest.fixture
def mock(server):
    """The same, begun anew."""
    server.control.reset()
    return server


@pytest.fixture
def verifier(mock):
    """A verifier that asks it; a new one has no connection yet, so it meets every fault."""
    with FaceVerifier(DiditBackend(api_key=mock.live_key, base_url=mock.url)) as opened:
        yield opened


@pytest.fixture(scope="session")
def cards():
    """Two pictures of one person."""
    return tuple(Image.from_bytes(card_sheet()[name].data) for name in ("p1", "p1-again"))


@pytest.fixture(scope="session")
def answers():
    """The examples of the documents by name, decoded; a copy for each test is up to it."""
    return ANSWERS


@pytest.fixture(scope="session")
def edited():
    """Makes a copy of an example with other values in its block (`face_match` or `liveness`)."""

    def edit(name, **block):
        body = copy.deepcopy(ANSWERS[name])
        body["liveness" if name.startswith("liveness") else "face_match"].update(block)
        return body

    return edit


@pytest.fixture(scope="session")
def make_call():
    """Makes a call as the verifier does: with a threshold, and whatever else is wanted."""

    def make(operation=Operation.MATCH, threshold=30.0, **more):
        limit = Threshold(threshold, ThresholdRule.ABOVE, ThresholdSource.CALLER)
        if operation is Operation.LIVENESS:
            return LivenessCall(probe=picture(), threshold=limit, **more)
        return MatchCall(probe=picture(), reference=picture((1, 2, 3)), threshold=limit, **more)

    return make


@pytest.fixture(scope="session")
def backend():
    """A backend for what needs no network."""
    return DiditBackend(api_key=KEY)


@pytest.fixture(scope="session")
def parsed(backend, make_call):
    """The result in a decoded body, by the operation that its block tells."""

    def parse(body, *, of=backend, **call):
        operation = Operation.LIVENESS if "liveness" in body else Operation.MATCH
        reply = HttpReply(status=200, body=json.dumps(body).encode())
        return of.parse(make_call(operation, **call), reply)

    return parse


@pytest.fixture
def canned(at_end):
    """A backend whose every call is answered with one reply, and what answers it."""
    return partial(answered_alike, at_end, DiditBackend)


@pytest.fixture
def account(at_end):
    """An account whose every call is answered with one reply, and what answers it."""
    return partial(answered_alike, at_end, DiditAccount)


def answered_alike(at_end, cls, status=200, body=b"", headers=None, **settings):
    """A backend or an account whose every call is answered with one reply, and what answers it."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    adapter = Canned(status, body, headers)
    opened = cls(**{"api_key": KEY} | settings)
    opened.client.mount("https://", adapter)
    at_end.callback(opened.close)
    return opened, adapter
