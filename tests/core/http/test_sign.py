"""A vendor that wants a login first: when a request is signed, and when once more."""

import attrs
import pytest
from kit.acme import AcmeBackend
from kit.fakes import PROBE, REFERENCE, match_call
from kit.rawserver import http_reply, one_each

import facematch_core as fm
from facematch_core import Charged, Secret, VendorUnavailable
from facematch_core.base.deadline import NO_DEADLINE
from facematch_core.http import HttpRequest

TOKENS_OF_BACKEND = ("token-one-5f3a", "token-two-8c1d", "token-three-2b")
SAME = (200, b'{"same": true}')
REFUSED = (403, b'{"detail": "no"}')


@attrs.frozen(kw_only=True)
class Signing(AcmeBackend):
    """Signs with the next token, after a login."""

    login: object = None
    tokens: list = attrs.field(factory=lambda: list(TOKENS_OF_BACKEND))
    environment: fm.Environment | None = None

    def sign(self, http_request, request, *, deadline=NO_DEADLINE):
        if self.login is not None:
            self.login()
        token = Secret(self.tokens.pop(0))
        headers = {**http_request.headers, "Authorization": Secret(f"Bearer {token.reveal()}")}
        return attrs.evolve(http_request, headers=headers, masked=(token,))

    def should_relogin(self, http_request, reply):
        assert http_request.masked  # as signed
        return reply.status == 403


@pytest.fixture
def served(acme, at_end):
    """Opens a backend that signs, at a server with one answer for each connection."""

    def serve(*answers, cls=Signing, **settings):
        replies = [http_reply(status, body, "Connection: close") for status, body in answers]
        server = at_end.enter_context(one_each(*replies))
        return acme(server.url, cls=cls, **settings), server

    return serve


def tokens_seen(server):
    texts = [bytes(connection.received).decode("latin-1") for connection in server.connections]
    return [token for text in texts for token in TOKENS_OF_BACKEND if f"Bearer {token}\r\n" in text]


def test_no_second_login_at_a_server_that_is_not_the_expected_mock(served):
    backend, server = served(REFUSED, SAME, environment=fm.Environment.MOCK)
    with pytest.raises(fm.EnvironmentMismatch):
        backend.match(match_call())
    assert tokens_seen(server) == list(TOKENS_OF_BACKEND[:1])


@pytest.mark.parametrize("good", [0, 1], ids=["the first", "the second"])
def test_failed_login_is_not_charged(served, good):
    logins = []

    def login():
        if len(logins) == good:
            raise VendorUnavailable("No token.", backend="acme")
        logins.append(1)

    backend, server = served(REFUSED, SAME, login=login)
    with pytest.raises(VendorUnavailable, match="No token") as caught:
        fm.FaceVerifier(backend).verify(PROBE, REFERENCE)
    billing = caught.value.billing
    assert (billing.charged, bool(billing.ground)) == (Charged.NO, True)
    assert tokens_seen(server) == list(TOKENS_OF_BACKEND[:good])


def test_reply_is_used_if_should_relogin_raises(served):
    class Asking(Signing):
        def should_relogin(self, http_request, reply):
            raise ValueError("not JSON")

    backend, server = served(SAME, SAME, cls=Asking)
    result = fm.FaceVerifier(backend).verify(PROBE, REFERENCE)
    assert (result.decision, result.billing.charged) == (fm.Decision.MATCH, Charged.YES)
    assert tokens_seen(server) == list(TOKENS_OF_BACKEND[:1])


def test_fetch_outside_a_call_also_logs_in_again(served):
    backend, server = served(REFUSED, SAME)
    reply = backend.fetch(HttpRequest(method="GET", url=f"{server.url}/jobs/7"), call=None)
    assert (reply.status, tokens_seen(server)) == (200, list(TOKENS_OF_BACKEND[:2]))
