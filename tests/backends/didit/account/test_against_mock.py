"""`DiditAccount` against the mock server."""

import contextlib

import attrs
import pytest

from facematch_core import (
    AuthenticationFailed,
    Environment,
    FaceVerifier,
    Image,
    RateLimited,
    RequestRejected,
    Retention,
)
from facematch_didit import DiditAccount, DiditBackend
from facematch_didit.account import (
    ApiService,
    SessionNotFound,
    SessionStatus,
)
from facematch_mock_server import card_sheet

SHEET = card_sheet()
#: What a decision does not tell of a call.
NOT_TOLD = {"threshold", "probe_faces", "reference_faces", "raw", "elapsed_s"}
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def card(name):
    return Image.from_bytes(SHEET[name].data)


@pytest.fixture
def world(didit_server):
    """A verifier and an account of one key, in a new world."""
    backend = DiditBackend(api_key=didit_server.live_key, base_url=didit_server.url)
    with FaceVerifier(backend) as verifier, contextlib.closing(DiditAccount.of(backend)) as account:
        yield verifier, account


def kept(verifier, ref=None, **more):
    probe, reference = card("p1"), card("p1-again")
    more = {"retention": Retention.KEEP, "caller_ref": ref, "metadata": {"gate": "north"}} | more
    return verifier.verify(probe, reference, **more)


def test_a_decision_is_the_result_of_the_call(world):
    """Field by field, for a match and for a liveness check."""
    verifier, account = world
    match = kept(verifier, "emp-0042")
    live = verifier.check_liveness(card("p1"), retention=Retention.KEEP, metadata={"gate": "south"})
    for called in (match, live):
        decision = account.decision(called.ids.session, just_kept=True)
        (told,) = decision.results
        assert type(told) is type(called)
        for field in attrs.fields(type(called)):
            if field.name not in NOT_TOLD:
                same = getattr(told, field.name) == getattr(called, field.name)
                assert same, (field.name, getattr(told, field.name), getattr(called, field.name))
        assert decision.environment is Environment.MOCK
        assert decision.media


def test_a_list_holds_what_was_kept(world):
    """Newest first, over pages, and only what fits."""
    verifier, account = world
    first, second, third = (kept(verifier, ref) for ref in ("a", "b", "a"))
    everything = [row.session_id for row in account.sessions(page_size=2)]
    assert everything == [third.ids.session, second.ids.session, first.ids.session]
    fitting = account.sessions(
        caller_ref="a",
        api_service=ApiService.FACE_MATCH,
        status=SessionStatus.APPROVED,
    )
    assert [row.session_id for row in fitting] == [third.ids.session, first.ids.session]
    assert list(account.sessions(api_service=ApiService.PASSIVE_LIVENESS)) == []


def test_a_session_that_was_deleted(world):
    """It is gone from the list and from its decision, and a second time it is unknown."""
    verifier, account = world
    session_id = kept(verifier).ids.session
    assert account.delete(session_id).session_id == session_id
    for call in (account.decision, account.delete):
        with pytest.raises(SessionNotFound):
            call(session_id)
    assert list(account.sessions()) == []


def test_a_person_decides(world):
    """The session takes the new status and the comment; its comparison is held back, not turned."""
    verifier, account = world
    called = kept(verifier)
    account.update_status(called.ids.session, SessionStatus.DECLINED, comment="Not them.")
    decision = account.decision(called.ids.session)
    assert decision.status is SessionStatus.DECLINED
    assert not decision.matches[0].is_match
    assert decision.matches[0].score == called.score
    (review,) = decision.raw["reviews"]
    assert (review["user"], review["comment"]) == ("API Client", "Not them.")
    with pytest.raises(RequestRejected, match="same as the current"):
        account.update_status(called.ids.session, SessionStatus.DECLINED)


def test_an_unknown_session(world):
    """Every call about one says so."""
    _, account = world
    for call in (
        account.decision,
        account.delete,
        lambda session_id: account.update_status(session_id, SessionStatus.DECLINED),
    ):
        with pytest.raises(SessionNotFound):
            call(UNKNOWN_ID)


def test_an_account_is_opened(didit_server):
    """From a registration to a key that pays for calls; what was typed wrong costs only the try."""
    email, password = "me@firm.io", "Abcdefg1!"
    control, url = didit_server.control, didit_server.url
    with DiditAccount(base_url=url) as account:
        assert account.register(email, password).email == email
        with pytest.raises(RateLimited) as caught:
            account.resend_code(email)
        assert 0 < caught.value.retry_after_s <= 60
        control.advance(61)
        account.resend_code(email)
        assert len(control.mailbox.mails(email)) == 2
        with pytest.raises(RequestRejected):
            account.verify_email(email, "nope00")
        verified = account.verify_email(email, control.mailbox.code(email))
        assert account.login(email, password).expires_in_s == verified.tokens.expires_in_s == 86_400
        with pytest.raises(AuthenticationFailed, match="not accepted") as caught:
            account.login(email, "Secret-guess-1")
        assert "Secret-guess-1" not in str(caught.value)
    backend = DiditBackend(api_key=verified.api_key, base_url=url)
    with FaceVerifier(backend) as verifier, contextlib.closing(DiditAccount.of(backend)) as account:
        before = account.balance().amount
        assert verifier.verify(card("p1"), card("p1-again")).is_match
        assert account.balance().amount < before


def test_a_wrong_key(world):
    """It is told as such, whatever status says so."""
    verifier, account = world
    session_id = kept(verifier).ids.session
    with DiditAccount(api_key="wrong", base_url=account.base_url) as stranger:
        for call in (lambda: list(stranger.sessions()), lambda: stranger.decision(session_id)):
            with pytest.raises(AuthenticationFailed):
                call()
