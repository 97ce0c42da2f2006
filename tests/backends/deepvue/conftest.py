"""Fixtures of the tests of the backend `deepvue`."""

import itertools
import threading

import pytest
from kit.fakes import json_reply, match_call
from kit.scripted import ScriptedAdapter

from facematch_core import Operation
from facematch_deepvue import DeepvueBackend

CLIENT_SECRET = "deepvue-secret-77f0c2"
#: Backends of one client share a token, so each test is a client of its own.
CLIENTS = itertools.count(1)

MATCH = {
    "code": 200,
    "timestamp": 1710444590759,
    "transaction_id": "9f3c6f3a1b4d4e2f8c7a5d6e7f8091a2",
    "sub_code": "SUCCESS",
    "message": "Face match completed.",
    "data": {"match": True, "confidence": 98},
}
LIVE = {
    "code": 200,
    "timestamp": None,
    "transaction_id": "1b2c3d4e-0000-4000-8000-0123456789ab",
    "sub_code": "SUCCESS",
    "message": "Request processed successfully",
    "data": {"is_live": True, "score": None},
}


class Deepvue(ScriptedAdapter):
    """A Deepvue in this process: an adapter of requests that answers by path."""

    def __init__(self):
        super().__init__(self.answer)
        self.client_id = f"deepvue-client-{next(CLIENTS)}"
        #: Fields of a login's answer beside the token.
        self.life = {"expiry": "24hrs"}
        self.tokens = []
        #: Answers by path, in place of the usual ones.
        self.replies = {}
        self.lock = threading.Lock()
        self.before_login = lambda: None

    def set_answers(self, path, *replies):
        """Set the answers at `path`; the last one stays."""
        self.replies[path] = list(replies)

    def requests_to(self, path):
        return [request for request in self.seen if request.path_url == path]

    def answer(self, request):
        path = request.path_url
        if path == "/v1/authorize":
            self.before_login()
        with self.lock:
            replies = self.replies.get(path)
            if replies:
                return replies.pop(0) if len(replies) > 1 else replies[0]
            if path == "/v1/authorize":
                self.tokens.append(f"token-{len(self.tokens) + 1}-3c5e7a")
                return 200, {"access_token": self.tokens[-1], **self.life}
        return 200, LIVE if path == "/v1/liveness-check" else MATCH


@pytest.fixture
def deepvue():
    return Deepvue()


@pytest.fixture
def open_backend(deepvue, clock, at_end):
    def open_backend(**settings):
        keys = {"client_id": deepvue.client_id, "client_secret": CLIENT_SECRET}
        backend = DeepvueBackend(**{**keys, **settings})
        backend.client.mount("https://", deepvue)
        backend.client.clock = clock
        at_end.callback(backend.close)
        return backend

    return open_backend


def parse(operation, body, threshold, settings):
    backend = DeepvueBackend(client_id="client-1", client_secret=CLIENT_SECRET, **settings)
    outcome = backend.read_reply(match_call(threshold, operation=operation), json_reply(body))
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@pytest.fixture(scope="session")
def parse_match():
    """Return the result of a match with this `data`, by a backend with some settings."""

    def parse_match(data, threshold=None, **settings):
        return parse(Operation.MATCH, {**MATCH, "data": data}, threshold, settings)

    return parse_match


@pytest.fixture(scope="session")
def parse_liveness():
    """Return the result of a liveness check with this `data`, by a backend with some settings."""

    def parse_liveness(data, threshold=None, **settings):
        return parse(Operation.LIVENESS, {**LIVE, "data": data}, threshold, settings)

    return parse_liveness
