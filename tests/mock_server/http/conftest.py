"""A small engine that says what it was asked, and servers over it."""

import datetime as dt
import hashlib
import json
import threading

import attrs
import pytest

from facematch_mock_server.base.messages import Response
from facematch_mock_server.http.server import THREAD, HttpServer
from facematch_mock_server.world.faults import Fault, Faults, Kind, Stage

NOON = dt.datetime(2026, 7, 2, 12, tzinfo=dt.UTC)


class FakeEngine:
    """Echoes every request as JSON.

    Attributes:
        handled: The requests that were carried out.
        notes: What fronts wrote into the journal, beside a call that was carried out or alone.
        limit: Of bodies, in bytes.
        slow: Whether it says so of each request.
        is_stopped: Whether it lets nobody reach it.
    """

    slow = is_stopped = False

    def __init__(self, *faults, limit=1_000_000):
        self.faults = Faults()
        for fault in faults:
            self.faults.add(fault)
        self.limit = limit
        self.handled = []
        self.notes = []

    def vendor_of(self, head):
        return self

    def at_connection(self):
        return self.faults.at_connection()

    def begin(self, head):
        declared = head.header("content-length")
        if declared and int(declared) > self.limit:
            return self.too_large(head)
        head.fault = self.faults.at_head(lambda rule: rule.fits(head, None, dict, is_call=True))
        return None

    def max_body_bytes(self, head):
        return self.limit

    def handle(self, request):
        fault = None
        if request.fault is None:
            fault = self.faults.for_request(
                lambda rule: rule.fits(request, None, dict, is_call=True)
            )
        if fault is None:
            return self.echo(request, request.fault)
        answer = Response(status=fault.status, body=fault.kind.encode())
        if fault.is_carried_out:
            carried_out = self.echo(request, fault)
            answer = answer if fault.stage is Stage.ANSWER else carried_out
        elif not fault.is_postponed:
            self.note(request, str(fault))
        return answer if fault.stage is Stage.ANSWER else attrs.evolve(answer, fault=fault)

    def echo(self, request, fault):
        self.handled.append(request)
        if fault is not None:
            self.note(request, str(fault))
        seen = {
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "length": len(request.body),
            "digest": hashlib.sha256(request.body).hexdigest(),
        }
        status = int(dict(request.query).get("status", "200"))
        return Response(
            status=status,
            headers=(("Content-Type", "application/json"), ("X-Twice", "a"), ("X-Twice", "b")),
            body=json.dumps(seen).encode(),
            date=NOON,
        )

    def too_large(self, head):
        return Response(status=413, headers=(("Content-Type", "text/html"),), body=b"<h1>413</h1>")

    def is_slow(self, request):
        return self.slow

    def latency_s(self, head):
        return 0.0

    def note(self, head, what):
        self.notes.append((head.target, what))


@pytest.fixture(scope="session")
def make_engine():
    """Makes engines: ``make_engine(fault, ..., limit=...)``."""
    return FakeEngine


@pytest.fixture(scope="session")
def make_fault():
    """Makes faults: ``make_fault("mid_body.reset", ...)``."""

    def make(place, **more):
        stage, kind = place.split(".")
        if kind == Kind.JSON:
            more.setdefault("body", {"detail": "own"})
        return Fault(stage=stage, kind=kind, **more)

    return make


@pytest.fixture
def engine():
    return FakeEngine()


def _threads():
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


@pytest.fixture
def serve():
    running, before = [], _threads()

    def start(engine, **settings):
        front = HttpServer(engine, **settings).start()
        running.append(front)
        return front

    yield start
    for front in running:
        front.stop()
    # A server that other tests share may run, too.
    assert _threads() == before
