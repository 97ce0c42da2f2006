"""Worlds of the mock, short ways to ask them, and a receiver of webhooks on the loopback."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kit import mock_didit as didit
from kit.mock_didit import liveness_request, match_request, scene

from facematch_mock_server import MockServer, VirtualClock


def body_of(response):
    is_json = response.header("Content-Type") == "application/json"
    return response.json() if is_json else response.body.decode()


@pytest.fixture
def ask():
    """Asks a new world: (status, decoded body, response) of the last request."""

    def send(*requests, **settings):
        engine = didit.new_engine(**settings)
        for request in requests:
            response = engine.handle(request)
        return response.status, body_of(response), response

    return send


@pytest.fixture
def engine_with_sessions():
    """Session 1 is an approved comparison, session 2 a declined liveness check."""

    def saved(**settings):
        engine = didit.new_engine(**settings)
        fields = {"vendor_data": "emp-0042", "metadata": '{"gate":"north"}'}
        engine.handle(match_request(scene(score=55.5), **fields))
        engine.handle(liveness_request(scene(score=12, faces=2)))
        return engine

    return saved


@pytest.fixture
def engine(engine_with_sessions):
    return engine_with_sessions()


@pytest.fixture
def answer():
    def answered(engine, step):
        response = step(engine) if callable(step) else engine.handle(step)
        return response.status, body_of(response)

    return answered


class Receiver(ThreadingHTTPServer):
    """Keeps headers and bodies; answers 200, or what `answers` says next."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came = []
        self.answers = []
        self.hold = None
        self.arrived = threading.Semaphore(0)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        server.came.append((self.path, dict(self.headers), body))
        server.arrived.release()
        if server.hold is not None:
            server.hold.wait(10)
        status = server.answers.pop(0) if server.answers else 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if 300 <= status < 400:
            self.send_header("Location", server.url)
        self.end_headers()


@pytest.fixture
def open_receiver():
    """Opens receivers; at the end they let go of what they hold."""
    running = []

    def open_one():
        server = Receiver()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return server

    yield open_one
    for server, thread in running:
        with server:
            if server.hold is not None:
                server.hold.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def receiver(open_receiver):
    return open_receiver()


@pytest.fixture
def mock():
    """A running mock whose clock stands still."""
    with MockServer(clock=VirtualClock(didit.START), seed=3) as server:
        yield server
