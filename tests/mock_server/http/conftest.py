"""A small engine that says what it was asked, and servers over it."""

import contextlib
import json
import threading

import attrs
import pytest

from facematch_mock_server.base.messages import Response
from facematch_mock_server.http.server import THREAD, HttpServer
from facematch_mock_server.world.clock import Draws
from facematch_mock_server.world.faults import Fault, Faults, Kind, Stage


class FakeEngine:
    """Echoes requests; `handled` were carried out, `notes` is what fronts told the journal."""

    def __init__(self, *faults, limit=1_000_000):
        self.faults = Faults(Draws(seed=0))
        self.limit = limit
        self.handled = []
        self.notes = []
        for fault in faults:
            self.faults.add(fault)

    def mock_vendor_of(self, head):
        return self

    def at_connection(self):
        return self.faults.at_connection()

    def begin(self, head):
        declared = head.header("content-length")
        if declared and int(declared) > self.limit:
            return self.too_large(head)
        head.fault = self.take_fault(head, Stage.MID_UPLOAD)
        return None

    def max_body_bytes(self, head):
        return self.limit

    def handle(self, request):
        fault = self.take_fault(request) if request.fault is None else None
        if fault is None:
            return self.echo(request, request.fault)
        answer = Response(status=fault.status, body=fault.kind.encode())
        if fault.is_carried_out:
            carried_out = self.echo(request, fault)
            answer = answer if fault.stage is Stage.ANSWER else carried_out
        elif not fault.is_postponed:
            self.note(request, str(fault))
        return answer if fault.stage is Stage.ANSWER else attrs.evolve(answer, fault=fault)

    def take_fault(self, request, only=None):
        return self.faults.for_request(
            lambda rule: rule.fits(request, "didit", None, dict, (), is_call=True), only
        )

    def echo(self, request, fault):
        self.handled.append(request)
        if fault is not None:
            self.note(request, str(fault))
        seen = {"target": request.target, "length": len(request.body)}
        return Response(
            status=int(dict(request.query).get("status", "200")),
            headers=(("Content-Type", "application/json"),),
            body=json.dumps(seen).encode(),
        )

    def too_large(self, head):
        return Response(status=413, headers=(("Content-Type", "text/html"),), body=b"<h1>413</h1>")

    def is_slow(self, request):
        return False

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
    before = _threads()
    with contextlib.ExitStack() as running:
        yield lambda engine, **settings: running.enter_context(HttpServer(engine, **settings))
    # A server that other tests share may run, too.
    assert _threads() == before
