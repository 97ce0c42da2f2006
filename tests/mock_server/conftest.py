"""Mocks that are asked without a socket, in which time passes where somebody sleeps."""

import pytest
import requests
from kit.cards import CARDS
from kit.front import MockAdapter

from facematch_mock_server import MockServer

PATHS = {"match": "/v3/face-match/", "liveness": "/v3/passive-liveness/"}


class Asking:
    """A mock, whoever asks it, and the seconds that its answers waited for."""

    url = "http://127.0.0.1:1"

    def __init__(self, **settings):
        self.mock = MockServer(**{"seed": 5, **settings})
        self.control = self.mock.control
        self.seconds = []
        self.session = requests.Session()
        self.session.mount(self.url, MockAdapter(self.mock.app, sleep=self.seconds.append))

    def didit(self, probe="p1", reference="p2", call="match", *, key=None, timeout=None, **fields):
        """A call of Didit, with cards by name or other pictures."""
        pictures = {"user_image": ("a.png", CARDS.get(probe, probe))}
        if call == "match":
            pictures["ref_image"] = ("b.png", CARDS.get(reference, reference))
        headers = {"x-api-key": key or self.mock.live_key}
        return self.post(PATHS[call], headers=headers, files=pictures, data=fields, timeout=timeout)

    def get(self, path):
        return self.session.get(self.url + path)

    def post(self, path, **more):
        return self.session.post(self.url + path, **more)

    @property
    def charged(self):
        return len(self.control.charges())


@pytest.fixture
def mock(request):
    """A running mock with the settings `MOCK` of the test's module."""
    with MockServer(**getattr(request.module, "MOCK", {})) as running:
        yield running


@pytest.fixture
def open_asking(at_end):
    """Opens such a mock with the settings of `MockServer`."""

    def open_one(**settings):
        opened = Asking(**settings)
        at_end.enter_context(opened.session)
        return opened

    return open_one


@pytest.fixture
def asking(open_asking):
    return open_asking()
