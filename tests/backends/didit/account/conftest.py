"""What the tests of `DiditAccount` share."""

import copy
import io
import json
from pathlib import Path

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter

from facematch_didit.account import DiditAccount

FOLDER = Path(__file__).parent / "answers"
ANSWERS = {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}


class Script(BaseAdapter):
    """Gives its answers in turn, the last one again and again, and keeps the requests."""

    def __init__(self, answers):
        super().__init__()
        self.answers, self.seen = list(answers), []

    def send(self, request, **_):
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        status, body, headers = (*answer, {})[:3]
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = requests.Response()
        response.status_code = status
        response.headers.update(headers)
        response.raw = urllib3.HTTPResponse(
            body=io.BytesIO(data), status=status, preload_content=False
        )
        return response

    def close(self):
        pass

    @property
    def sent(self):
        """Method, address and decoded body (None if there is none) of every request."""
        return [
            (request.method, request.url, json.loads(request.body) if request.body else None)
            for request in self.seen
        ]


@pytest.fixture(scope="session")
def key():
    """The application's key in these tests."""
    return "didit-key-8c1f5e2ab9"


@pytest.fixture
def answers():
    """The examples of the documents by name, decoded, to be changed at will."""
    return copy.deepcopy(ANSWERS)


@pytest.fixture
def scripted(key, clock, at_end):
    """Opens an account whose calls are answered as told: (status, body[, headers]) or an error."""

    def open_account(*told, **settings):
        account = DiditAccount(**{"api_key": key, "clock": clock} | settings)
        script = Script(told)
        account.client.mount("https://", script)
        at_end.callback(account.close)
        return account, script

    return open_account
