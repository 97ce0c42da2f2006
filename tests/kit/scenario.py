"""Scenarios of a mock: calls, one after another, and the claims that their answers cite."""

import attrs
from kit.mock_world import control_request, handle_with_fault, new_engine

from facematch_mock_server.base.messages import Request
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.world.faults import Fault

BIG = 5 * 1024 * 1024 + 1


@attrs.frozen
class Scenario:
    """Steps of one mock: requests, and functions that are given the engine."""

    vendor: str
    steps: tuple
    switches: dict | None = None
    #: None: pictures say what they show.
    recognizer: Recognizer | None = None

    def play(self):
        """Return the answers, and the entries of the journal."""
        engine = new_engine(self.recognizer, vendor=self.vendor, switches=self.switches)
        answers = []
        for step in self.steps:
            answers.append(step(engine) if callable(step) else engine.handle(step))
        return answers, engine.account.journal.entries


def advance(seconds):
    return control_request("clock/advance", {"seconds": seconds})


def answer_with_fault(status, request, kind="status", **more):
    """Return a step: the request, whose answer a fault replaces."""
    fault = Fault(stage="answer", kind=kind, status=status, **more)
    return lambda engine: handle_with_fault(engine, fault, request)


def declare_too_long(path):
    """Return a step: the head of a request that declares too long a body."""
    head = Request(method="POST", target=path, headers=(("content-length", "99999999"),))
    return lambda engine: engine.begin(head)


def limit(scope, per_window):
    return control_request("limits", {scope: per_window})


def beyond_limit_and_credit(make_request):
    """Return the steps by which a vendor refuses a request by its limit, then without credit."""
    return [
        limit("second", 0),
        make_request(),
        limit("second", None),
        control_request("ledger/balance", {"balance": "0"}),
        make_request(),
    ]
