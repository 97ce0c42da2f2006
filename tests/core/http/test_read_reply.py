"""`HttpBackend.read_reply`: what a reply means, without a request."""

import pytest
from kit.fakes import picture

from facematch_core import (
    Charged,
    Decision,
    Environment,
    EnvironmentMismatch,
    LivenessDecision,
    OutcomeUnknown,
    Secret,
    UnexpectedResponse,
)
from facematch_core.backend import LivenessCall, MatchCall
from facematch_core.http import MOCK_HEADER, HttpReply

NOWHERE = "http://127.0.0.1:1"
MATCH = MatchCall(probe=picture(), reference=picture((1, 2, 3)))


@pytest.mark.parametrize(
    ("call", "body", "decision"),
    [
        (MATCH, b'{"same": true}', Decision.MATCH),
        (LivenessCall(probe=picture()), b'{"live": false}', LivenessDecision.NOT_LIVE),
    ],
)
def test_a_result(acme, call, body, decision):
    """By the kind of call; nobody listens where the backend would ask."""
    assert acme(NOWHERE).read_reply(call, HttpReply(status=200, body=body)).decision is decision


@pytest.mark.parametrize(
    ("status", "body", "kind", "billed"),
    [
        (502, b"<html></html>", OutcomeUnknown, Charged.UNKNOWN),
        (200, b"<html></html>", UnexpectedResponse, Charged.YES),
        # A result, but not of what was asked.
        (200, b'{"live": true}', UnexpectedResponse, Charged.YES),
    ],
)
def test_an_error_is_told_and_not_raised(acme, status, body, kind, billed):
    """As the call would raise it: with backend, status and id of the call."""
    error = acme(NOWHERE).read_reply(MATCH, HttpReply(status=status, body=body))
    assert (type(error), error.billing.charged, error.status_code) == (kind, billed, status)
    assert (error.backend, error.ids.call) == ("acme", MATCH.call_id)
    assert error.__traceback__ is None


def test_secrets_are_masked(acme):
    """Those of the reply, as if they had been sent."""
    secret = Secret("quite-a-secret")
    reply = HttpReply(status=400, body=b'{"error": "no quite-a-secret"}', secrets=(secret,))
    assert str(acme(NOWHERE).read_reply(MATCH, reply)).endswith('It says: "no ***".')


def test_who_is_set_to_mock_believes_a_mock_alone(acme):
    """Without its header the reply may be the real vendor's."""

    class Rehearsing(type(acme(NOWHERE))):
        environment = Environment.MOCK

    backend = acme(NOWHERE, cls=Rehearsing)
    body = b'{"same": true}'
    told = backend.read_reply(MATCH, HttpReply(status=200, body=body))
    assert isinstance(told, EnvironmentMismatch)
    marked = HttpReply(status=200, body=body, headers={MOCK_HEADER: "1"})
    assert backend.read_reply(MATCH, marked).environment is Environment.MOCK
