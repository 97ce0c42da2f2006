"""Shared by the tests of the backend `didit`: documented answers, and a vendor in this process."""

import copy
import json
from pathlib import Path

import pytest
from kit.fakes import json_reply, match_call
from kit.scripted import ScriptedAdapter

import facematch_core as fm
from facematch_core import models
from facematch_didit import DiditBackend

KEY = "didit-key-8c1f5e2ab9"
FOLDER = Path(__file__).parent / "answers"
#: Examples of the documents, by name.
ANSWERS = {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}


@pytest.fixture
def answers():
    return copy.deepcopy(ANSWERS)


@pytest.fixture(scope="session")
def edited():
    def edit(name, **block):
        body = copy.deepcopy(ANSWERS[name])
        body["liveness" if name.startswith("liveness") else "face_match"].update(block)
        return body

    return edit


@pytest.fixture(scope="session")
def make_call():
    def make(operation=fm.Operation.MATCH, threshold=30.0, **more):
        return match_call(threshold, models.ThresholdRule.ABOVE, operation, **more)

    return make


@pytest.fixture(scope="session")
def backend():
    return DiditBackend(api_key=KEY)


@pytest.fixture(scope="session")
def parsed(backend, make_call):
    def parse(body, **call):
        operation = fm.Operation.LIVENESS if "liveness" in body else fm.Operation.MATCH
        # The documented answers repeat the `vendor_data` of their requests.
        call = {"caller_ref": body.get("vendor_data"), **call}
        return backend.parse(make_call(operation, **call), json_reply(body))

    return parse


@pytest.fixture
def canned(at_end):
    """Open a backend whose requests get these answers in turn; return its adapter, too."""

    def open_backend(*answers, **settings):
        backend = DiditBackend(**{"api_key": KEY} | settings)
        adapter = ScriptedAdapter(*answers or [(200, b"")])
        backend.client.mount("https://", adapter)
        at_end.callback(backend.close)
        return backend, adapter

    return open_backend
