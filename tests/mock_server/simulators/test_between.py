"""What stands between a client and a mock's engine: it sees, and touches one kind of answer."""

import pytest

from facematch_mock_server.messages import Request, Response
from facematch_mock_server.simulators import Between, MockSimulator


class Engine:
    """Answers what it is told to."""

    def __init__(self, response):
        self.response = response

    def handle(self, request):
        return self.response

    def refuse_early(self, head):
        return None


CALL = Request(method="POST", target="/call?x=1", body=b"picture", headers=(("Content-Type", "a"),))
JSON = ("Content-Type", "application/json")


class Simulator(MockSimulator):
    """Puts the path before every body of an answer 200."""

    vendor = "didit"
    calls = frozenset({"/call"})
    situations = frozenset()

    def keys(self):
        return {}

    def begin(self, situation, score):
        """Nothing."""

    def told(self, sent):
        return {}

    def alter(self, path, body):
        return [path, body]


def between(response):
    return Between(Engine(response), Simulator())


def test_an_answer_200_is_altered():
    """Its body alone."""
    got = between(Response(status=200, headers=(JSON, ("X", "1")), body=b"7")).handle(CALL)
    assert (got.status, got.header("x"), got.json()) == (200, "1", ["/call", 7])


@pytest.mark.parametrize(
    "response",
    [
        Response(status=400, headers=(JSON,), body=b"7"),
        Response(status=200, headers=(("Content-Type", "image/jpeg"),), body=b"\xff\xd8"),
        Response(status=200, body=b""),
    ],
    ids=["refusal", "picture", "nothing"],
)
def test_every_other_answer_is_left_alone(response):
    """A refusal, and what is no JSON."""
    assert between(response).handle(CALL) is response


def test_the_answer_of_a_fault_is_left_alone():
    """It is the test's own already; the call is remembered all the same."""
    response = Response(status=200, headers=(JSON,), body=b"7", claims=("mock.fault.wrong_json",))
    line = between(response)
    assert line.handle(CALL) is response
    assert line.last.body == b"picture"


def test_only_calls_are_counted_and_remembered():
    """By their path; a call counts as soon as its head is there."""
    line = between(Response(status=200))
    other = Request(method="POST", target="/login", body=b"secret")
    line.refuse_early(other)
    line.handle(other)
    assert (line.seen, line.last) == (0, None)
    line.refuse_early(CALL)
    assert (line.seen, line.last) == (1, None)
    line.handle(CALL)
    got = line.last
    assert (line.seen, got.path, got.headers["Content-Type"]) == (1, "/call?x=1", "a")
    assert "picture" not in repr(line.last)
