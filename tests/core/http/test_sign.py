"""A vendor that wants a login first: when a request is signed, and when once more."""

import attrs
import pytest
from kit.fakes import picture
from kit.rawserver import RawServer, answer, close, read_request, send

from facematch_core import (
    AuthenticationFailed,
    Billing,
    Charged,
    Decision,
    Environment,
    EnvironmentMismatch,
    FaceVerifier,
    Ids,
    MatchResult,
    OutcomeUnknown,
    PermissionDenied,
    Secret,
    VendorUnavailable,
)
from facematch_core.backend import MatchCall
from facematch_core.http import MOCK_HEADER
from facematch_core.testing import ManualClock

TOKENS = ("token-one-5f3a", "token-two-8c1d", "token-three-2b")
SAME = (200, b'{"same": true}')
REFUSED = (403, b'{"detail": "no"}')


def match_call(**more):
    return MatchCall(probe=picture(), reference=picture((1, 2, 3)), **more)


@pytest.fixture
def served(acme):
    """Opens a backend that signs, at a server with one answer for each connection."""
    opened = []

    def serve(*answers, mock=False, **settings):
        @attrs.frozen(kw_only=True)
        class Signing(type(acme("http://127.0.0.1:1"))):
            login: object = None
            told: list = attrs.field(factory=list)
            environment: Environment = Environment.PRODUCTION

            def sign(self, request, call, *, deadline_s=None):
                self.told.append(deadline_s)
                if self.login is not None:
                    self.login()
                token = Secret(TOKENS[len(self.told) - 1])
                headers = {**request.headers, "Authorization": Secret(f"Bearer {token.reveal()}")}
                return attrs.evolve(request, headers=headers, masked=(token,))

            def should_relogin(self, request, reply):
                assert request.masked  # as signed
                return reply.status == 403

            def parse(self, call, reply):
                return MatchResult(
                    decision=Decision.MATCH,
                    backend=self.name,
                    billing=Billing(Charged.YES),
                    ids=Ids(vendor=reply.json().get("id")),
                    raw=reply.json(),
                )

        extra = ["Connection: close", *([f"{MOCK_HEADER}: yes"] if mock else [])]
        server = RawServer(
            [
                [read_request, *([send(answer(*one, *extra))] if one else []), close]
                for one in answers
            ]
        )
        server.__enter__()
        opened.append(server)
        return acme(server.url, cls=Signing, **settings), server

    yield serve
    for server in opened:
        server.__exit__(None, None, None)


def tokens_seen(server):
    texts = [bytes(connection.received).decode("latin-1") for connection in server.connections]
    return [token for text in texts for token in TOKENS if f"Bearer {token}\r\n" in text]


def test_every_request_is_signed(served):
    """Once, if nobody objects."""
    backend, server = served(SAME)
    assert backend.match(match_call()).is_match
    assert tokens_seen(server) == [TOKENS[0]]


def test_a_refusal_is_answered_with_a_new_token(served):
    """The same call, sent a second time; its first byte is told once."""
    backend, server = served(REFUSED, SAME)
    sent = []
    assert backend.match(match_call(on_sent=lambda: sent.append(1))).is_match
    assert tokens_seen(server) == list(TOKENS[:2])
    assert sent == [1]


def test_not_a_third_time(served):
    """What comes after the second sending stands."""
    backend, server = served(REFUSED, REFUSED, SAME)
    with pytest.raises(PermissionDenied) as caught:
        backend.match(match_call())
    assert caught.value.billing.charged is Charged.NO
    assert tokens_seen(server) == list(TOKENS[:2])


def test_other_answers_are_no_refusal(served):
    """An error is not repeated because there is a login."""
    backend, server = served((401, b'{"detail": "no"}'), SAME)
    with pytest.raises(AuthenticationFailed):
        backend.match(match_call())
    assert tokens_seen(server) == [TOKENS[0]]


def test_an_answer_that_is_lost_after_the_refusal(served):
    """The second sending may have been charged, and is not repeated."""
    backend, server = served(REFUSED, None, SAME)
    with pytest.raises(OutcomeUnknown) as caught:
        backend.match(match_call())
    assert caught.value.billing.charged is Charged.UNKNOWN
    assert len(server.connections) == 2


def test_a_login_that_fails(served):
    """Nothing of the call leaves, and its first byte is not told."""

    def login():
        raise VendorUnavailable("No token.", backend="acme")

    backend, server = served(SAME, login=login)
    sent = []
    with pytest.raises(VendorUnavailable, match="No token") as caught:
        backend.match(match_call(on_sent=lambda: sent.append(1)))
    assert caught.value.billing == Billing(Charged.NO)
    assert (sent, server.connections) == ([], [])


def test_a_second_login_that_fails(served):
    """The first sending was refused unpaid and nothing followed it: no unknown outcome."""

    def login():
        if logins:
            raise VendorUnavailable("No token.", backend="acme")
        logins.append(1)

    logins = []
    backend, server = served(REFUSED, SAME, login=login)
    with pytest.raises(VendorUnavailable, match="No token") as caught:
        FaceVerifier(backend).verify(picture(), picture((1, 2, 3)))
    assert caught.value.billing.charged is Charged.NO
    assert "refused" in caught.value.billing.ground
    assert tokens_seen(server) == [TOKENS[0]]


def test_the_deadline_is_one(served):
    """What a login takes is missing from the call, and from the second login."""
    clock = ManualClock()
    backend, server = served(REFUSED, SAME, login=lambda: clock.advance(4))
    backend.client.clock = clock
    with pytest.raises(VendorUnavailable) as caught:
        backend.match(match_call(deadline_s=7.0, clock=clock))
    assert backend.told == [7.0, 3.0]
    assert caught.value.billing.charged is Charged.NO
    assert tokens_seen(server) == [TOKENS[0]]


def test_the_time_for_the_first_byte_is_that_of_the_login_too(served):
    """It bounds the first login, and nothing is sent when it is over; the second may take more."""
    clock = ManualClock()
    backend, server = served(REFUSED, SAME, login=lambda: clock.advance(4))
    backend.client.clock = clock
    assert backend.match(match_call(deadline_s=60.0, send_within_s=5.0, clock=clock)).is_match
    assert backend.told == [5.0, 56.0]
    backend.told.clear()
    with pytest.raises(VendorUnavailable) as caught:
        backend.match(match_call(deadline_s=60.0, send_within_s=3.0, clock=clock))
    assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, False)
    assert tokens_seen(server) == list(TOKENS[:2])


def test_without_a_deadline_a_call_has_the_backends_own_time(served):
    """`call_timeout_s`, five minutes if nobody sets it."""
    backend, _ = served(SAME)
    backend.match(match_call(clock=ManualClock()))
    assert backend.told == [300.0]


def test_no_second_sending_to_who_is_no_mock(served):
    """Set to MOCK, a refusal by a stranger ends the call: a new token is not for them."""
    backend, server = served(REFUSED, SAME, environment=Environment.MOCK)
    with pytest.raises(EnvironmentMismatch):
        backend.match(match_call())
    assert tokens_seen(server) == [TOKENS[0]]
    backend, server = served(REFUSED, SAME, environment=Environment.MOCK, mock=True)
    assert backend.match(match_call()).environment is Environment.MOCK


def test_the_token_alone_is_masked(served):
    """In the header it stands behind a word; an answer repeats it without."""
    echo = f'{{"id": "of {TOKENS[0]}", "text": "{TOKENS[0]}"}}'.encode()
    backend, _ = served((200, echo))
    result = backend.match(match_call())
    assert result.ids.vendor == "of ***"
    assert result.raw == {"id": "of ***", "text": "***"}
    backend, _ = served((401, f'{{"detail": "not {TOKENS[0]}"}}'.encode()))
    with pytest.raises(AuthenticationFailed, match=r"not \*\*\*"):
        backend.match(match_call())
