"""What the tests of the backend `didit` share."""

import copy
import json
from pathlib import Path

import pytest
from kit.fakes import match_call
from kit.scripted import ScriptedAdapter

import facematch_core as fm
from facematch_core.backend import LivenessCall
from facematch_core.http import HttpReply
from facematch_didit import DiditBackend

FOLDER = Path(__file__).parent / "answers"
ANSWERS = {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
KEY = "didit-key-8c1f5e2ab9"


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

    def make(operation=fm.Operation.MATCH, threshold=30.0, **more):
        call = match_call(threshold, fm.ThresholdRule.ABOVE, **more)
        if operation is fm.Operation.LIVENESS:
            return LivenessCall(probe=call.probe, threshold=call.threshold, **more)
        return call

    return make


@pytest.fixture(scope="session")
def backend():
    return DiditBackend(api_key=KEY)


@pytest.fixture(scope="session")
def parsed(backend, make_call):
    """The result in a decoded body, by the operation that its block names."""

    def parse(body, *, of=backend, **call):
        operation = fm.Operation.LIVENESS if "liveness" in body else fm.Operation.MATCH
        reply = HttpReply(status=200, body=json.dumps(body).encode())
        return of.parse(make_call(operation, **call), reply)

    return parse


@pytest.fixture
def canned(at_end):
    def open_backend(*answer, **settings):
        backend, script = (
            DiditBackend(**{"api_key": KEY} | settings),
            ScriptedAdapter(answer or (200,)),
        )
        backend.client.mount("https://", script)
        at_end.callback(backend.close)
        return backend, script

    return open_backend
