"""What the tests of the backend `didit` share."""

import copy
import io
import json
from pathlib import Path

import pytest
import requests
import urllib3
from fakes import picture
from requests.adapters import BaseAdapter

from facematch_core import Operation, Threshold, ThresholdRule, ThresholdSource
from facematch_core.backend import LivenessCall, MatchCall
from facematch_core.http import HttpReply
from facematch_didit import DiditAccount, DiditBackend

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
def canned():
    """A backend whose every call is answered with one reply, and what answers it."""
    opened = []

    def open_backend(status=200, body=b"", headers=None, **settings):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        adapter = Canned(status, body, headers)
        backend = DiditBackend(**{"api_key": KEY} | settings)
        backend.client.mount("https://", adapter)
        opened.append(backend)
        return backend, adapter

    yield open_backend
    for backend in opened:
        backend.close()


@pytest.fixture
def account():
    """An account whose every call is answered with one reply, and what answers it."""
    opened = []

    def open_account(status=200, body=b"", headers=None, **settings):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        adapter = Canned(status, body, headers)
        account = DiditAccount(**{"api_key": KEY} | settings)
        account.client.mount("https://", adapter)
        opened.append(account)
        return account, adapter

    yield open_account
    for account in opened:
        account.close()
