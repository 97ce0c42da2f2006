"""What the tests of `DiditAccount` share."""

import copy
import json
from pathlib import Path

import pytest
from kit.scripted import ScriptedAdapter

from facematch_didit import DiditAccount, DiditBackend

FOLDER = Path(__file__).parent / "answers"
ANSWERS = {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}


@pytest.fixture(scope="session")
def key():
    return "didit-key-8c1f5e2ab9"


@pytest.fixture
def answers():
    """The examples of the documents by name, decoded, to be changed at will."""
    return copy.deepcopy(ANSWERS)


@pytest.fixture
def scripted_account(key, at_end):
    """Opens an account whose calls are answered as `kit.scripted` says."""

    def open_account(*answers, **settings):
        backend, script = DiditBackend(api_key=key, **settings), ScriptedAdapter(*answers)
        backend.client.mount("https://", script)
        at_end.callback(backend.close)
        return DiditAccount.of(backend), script

    return open_account
