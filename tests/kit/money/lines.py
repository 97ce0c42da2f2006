"""An adapter that sends to a mock in this process, reports the first byte and can break."""

import datetime as dt
import http.client
import io
import threading

import attrs
import requests
from kit import canaries
from kit.front import MockAdapter
from requests.adapters import BaseAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from facematch_core.http.transport import EXCHANGE
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend
from facematch_mock_server import MockServer
from facematch_mock_server.world.clock import VirtualClock

START = dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC)
#: The calls that cost money, by vendor; and the one that Deepvue wants first.
PAID = {
    "didit": ("/v3/face-match/", "/v3/passive-liveness/"),
    "deepvue": ("/v1/facematch", "/v2/facematch", "/v1/liveness-check"),
}
LOGIN = "/v1/authorize"


class WorldClock:
    def __init__(self, world):
        self._world = world
        self._start = world.now()
        #: Called with "sleeping" before each wait.
        self.at = lambda moment: None

    def now(self):
        return self._world.now()

    def monotonic(self):
        return (self._world.now() - self._start).total_seconds()

    def sleep(self, seconds):
        self.at("sleeping")
        self._world.advance(seconds)


@attrs.define
class MockLine(BaseAdapter):
    """Carries requests to a mock, by its adapter."""

    mock: MockAdapter
    #: How many further connections are not made, by the beginning of their path.
    cut: dict = attrs.field(factory=dict)
    #: Returns the body to receive in place of a body of the mock, if set.
    change: object = None
    #: Called with "before", "sent" and "executed" and the path, at those moments.
    at: object = lambda moment, path: None
    #: The paths of all requests whose first byte has left.
    sent: list = attrs.field(factory=list)
    _lock: object = attrs.field(factory=threading.Lock)

    def send(self, request, **settings):
        path = request.path_url.partition("?")[0]
        self.at("before", path)
        if self._is_cut(path):
            refused = NewConnectionError(None, "nobody listens")
            raise requests.ConnectionError(MaxRetryError(None, path, refused), request=request)
        EXCHANGE.get().begin()
        self.sent.append(path)
        self.at("sent", path)
        response = self.mock.send(request, **settings)
        self.at("executed", path)
        if not response.headers:
            # A head that broke off: http.client takes it for a whole one, our own transport not.
            broken = ProtocolError("Connection broken.", http.client.IncompleteRead(b""))
            raise requests.ConnectionError(broken, request=request)
        if self.change is not None:
            response.raw = io.BytesIO(self.change(response.raw.read()))
        return response

    def _is_cut(self, path):
        with self._lock:
            for beginning, count in self.cut.items():
                if count and path.startswith(beginning):
                    self.cut[beginning] = count - 1
                    return True
        return False

    def paid(self, vendor):
        return sum(path.startswith(PAID[vendor]) for path in self.sent)

    def close(self):
        """Nothing is open."""


class TwoVendors:
    """Two mock vendors, one clock for them and for their client, and the line between.

    The client's keys are canaries: `kit.canaries` finds them wherever they are written down. All is
    in this process; over a socket a fault has the same effect, as in
    `mock_server/http/test_faults_everywhere.py`.
    """

    def __init__(self, *, version="v1", seed=1):
        self.version = version
        virtual = VirtualClock(START)
        self.mock = MockServer(vendor=["didit", "deepvue"], clock=virtual, seed=seed)
        self.control("didit").add_key(key=canaries.API_KEY)
        self.control("deepvue").add_key(key=canaries.CLIENT_SECRET, client=canaries.CLIENT_ID)
        for vendor in PAID:
            for kind in ("match", "liveness"):
                self.mock.of(vendor).control.set_outcome(kind, score=95, times=None)
        self.clock = WorldClock(virtual)
        self._backends = []
        self.line = MockLine(MockAdapter(self.mock.app, sleep=virtual.advance))

    def backend(self, vendor):
        if vendor == "didit":
            backend = DiditBackend(api_key=canaries.API_KEY)
        else:
            keys = {"client_id": canaries.CLIENT_ID, "client_secret": canaries.CLIENT_SECRET}
            scales = dict.fromkeys(("confidence_scale", "liveness_score_scale"), "percent")
            backend = DeepvueBackend(api_version=self.version, **keys, **scales)
        backend.client.clock = self.clock
        backend.client.mount("https://", self.line)
        self._backends.append(backend)
        return backend

    def close(self):
        while self._backends:
            self._backends.pop().close()

    def control(self, vendor):
        return self.mock.of(vendor).control

    def charges(self, vendor):
        return self.control(vendor).charges()
