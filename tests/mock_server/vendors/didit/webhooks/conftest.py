"""A receiver on the loopback, a mock that delivers to it, and a world whose deliveries go nowhere.

The receiver takes whatever comes and answers what a test tells it to.
"""

import threading
from http.server import ThreadingHTTPServer

import pytest
from kit import mock_didit as didit
from kit.mock_worlds import Quiet, control_of, serving

from facematch_mock_server import MockServer, VirtualClock
from facematch_mock_server.vendors.didit.webhooks import WRITER
from facematch_mock_server.webhooks import Answer, attempt

#: Nobody listens there.
HOOK = "http://127.0.0.1:9/hook"


class Receiver(ThreadingHTTPServer):
    """Keeps headers and bodies; answers 200, or what `answers` says next."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came = []
        self.answers = []
        self.hold = None
        self.has_come = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(Quiet):
    def do_POST(self):  # noqa: N802 - the library's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        server.came.append((self.path, dict(self.headers), body))
        server.has_come.set()
        if server.hold is not None:
            server.hold.wait(10)
        status = server.answers.pop(0) if server.answers else 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if 300 <= status < 400:
            self.send_header("Location", server.url)
        self.end_headers()


@pytest.fixture
def receiver():
    """A receiver that runs."""
    server = Receiver()
    with serving(server, lambda: server.hold and server.hold.set()):
        yield server


@pytest.fixture
def mock():
    """A running mock whose clock stands still."""
    with MockServer(clock=VirtualClock(didit.START), seed=3) as server:
        yield server


@pytest.fixture
def new():
    """A destination of an engine's world."""

    def made(engine, url=HOOK, **fields):
        return control_of(engine.world).webhooks.add(url, **fields)

    return made


class Carrier:
    """Carries letters nowhere: keeps them, and answers what it was told to."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.letters = []

    def __call__(self, url, letter, timeout_s):
        self.letters.append((url, letter, timeout_s))
        status = self.answers.pop(0) if self.answers else 200
        if isinstance(status, str):
            return Answer(problem=status, elapsed_ms=5000)
        return Answer(status=status, elapsed_ms=12)


@pytest.fixture
def carry():
    """Deliver what is due in an engine's world, without a thread; the letters that were carried."""

    def carried(engine, *answers):
        carrier = Carrier(*answers)
        world = engine.world
        while (due := world.records.outbox.take(world.clock.now())) is not None:
            attempt(world, world.records.outbox, due, WRITER, carrier)
        return carrier.letters

    return carried
