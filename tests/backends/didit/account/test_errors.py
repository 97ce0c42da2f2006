"""Answers other than 2xx, and none at all: the error, what it says of money, and what to do."""

import itertools
import pickle

import pytest
import requests

import facematch_core as fm
from facematch_core.http import MOCK_HEADER
from facematch_didit import DiditBackend, SessionNotFound

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"

#: What may simply be asked again; of a deletion the second is that it is not there.
READS = {
    "delete": lambda a: a.delete(ID),
    "balance": lambda a: a.balance(),
    "sessions": lambda a: list(a.sessions()),
    "decision": lambda a: a.decision(ID),
}
#: Calls that change something, and a word of the advice.
CHANGES = {
    "top_up": (lambda a: a.top_up(50), "payment page"),
    "register": (lambda a: a.register("a@b.example", "Secret-123"), "mailbox"),
    "verify_email": (lambda a: a.verify_email("a@b.example", "A1B2C3"), "login"),
    "login": (lambda a: a.login("a@b.example", "Secret-123"), "five failures"),
}
#: No usable answer: after the first byte, and from a gateway.
SILENCE = {
    "reset": requests.exceptions.ConnectionError("reset"),
    "gateway": (502, b"<html>Bad gateway</html>"),
    "empty 503": (503, b""),
}


def caught(call, account):
    with pytest.raises(fm.VendorError) as error_info:
        call(account)
    error = error_info.value
    assert (error.__context__, error.__cause__) == (None, None)
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), copied.message, copied.billing.charged) == (
        type(error),
        error.message,
        error.billing.charged,
    )
    return error


def call_of(name):
    return READS.get(name) or CHANGES[name][0]


def unknown(call, account, advice):
    error = caught(call, account)
    assert type(error) is fm.OutcomeUnknown
    assert (error.billing.charged, error.reconcilable) == (fm.Charged.NO, False)
    assert advice in error.message
    return error


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        *itertools.product(READS, SILENCE.values()),
        # Nothing left this machine.
        *((name, requests.exceptions.ConnectTimeout("no")) for name in [*READS, *CHANGES]),
    ],
)
def test_what_was_only_read_or_never_sent_may_be_asked_again(name, answer, scripted_account):
    account, script = scripted_account(answer)
    error = caught(call_of(name), account)
    assert type(error) is fm.VendorUnavailable
    assert (error.billing.charged, error.retryable) == (fm.Charged.NO, True)
    assert len(script.seen) == 1


@pytest.mark.parametrize(("name", "silence"), [*itertools.product(CHANGES, SILENCE)])
def test_what_may_have_been_done_is_unknown(name, silence, scripted_account):
    call, advice = CHANGES[name]
    account, script = scripted_account(SILENCE[silence])
    error = unknown(call, account, advice)
    assert not error.retryable
    assert len(script.seen) == 1
    # `reconcile` is for the calls of verifiers.
    with fm.FaceVerifier(DiditBackend(api_key="k")) as verifier, pytest.raises(fm.InvalidRequest):
        verifier.reconcile(error)


#: 2xx of a gateway, a login page of a network, or a proxy.
STRANGE = {"markup": b"<html>Welcome to our network</html>", "text": b"OK", "a list": b"[]"}


@pytest.mark.parametrize(("name", "answer"), [*itertools.product(CHANGES, STRANGE)])
def test_a_success_in_strange_words_is_unknown(name, answer, scripted_account):
    call, advice = CHANGES[name]
    account, script = scripted_account((202, STRANGE[answer]))
    error = unknown(call, account, advice)
    assert error.status_code == 202
    assert "Welcome" not in error.message
    assert len(script.seen) == 1


EMAIL = {"email": ["Enter a valid email address."]}
#: What Didit says, by call.
SPOKEN = [
    ("balance", 401, {"detail": "Invalid API Key."}, fm.AuthenticationFailed),
    ("balance", 403, {"detail": "You may not."}, fm.AuthenticationFailed),
    ("balance", 429, {"detail": "Request was throttled."}, fm.RateLimited),
    ("register", 404, b"", fm.RequestRejected),
    ("balance", 500, {"detail": "A server error occurred."}, fm.VendorUnavailable),
    ("decision", 404, {"detail": "Session not found."}, SessionNotFound),
    ("decision", 404, b"<html>Not Found</html>", fm.RequestRejected),
    ("top_up", 400, ["Amount must be at least $50."], fm.RequestRejected),
    ("top_up", 500, {"detail": "A server error occurred."}, fm.OutcomeUnknown),
    ("top_up", 403, {"error": "You don't have enough credits"}, fm.InsufficientCredit),
    ("delete", 503, {"detail": "Try again."}, fm.VendorUnavailable),
    ("top_up", 429, {"detail": "Request was throttled."}, fm.RateLimited),
    ("register", 400, EMAIL, fm.RequestRejected),
    ("register", 500, {"detail": "A server error occurred."}, fm.OutcomeUnknown),
    ("login", 401, b"", fm.AuthenticationFailed),
    ("login", 403, {"error": "Account locked."}, fm.AuthenticationFailed),
]


@pytest.mark.parametrize(("name", "status", "body", "expected"), SPOKEN)
def test_each_documented_answer_is_its_error_and_free(
    name, status, body, expected, scripted_account
):
    account, _ = scripted_account((status, body, {MOCK_HEADER: "1"}))
    error = caught(call_of(name), account)
    assert type(error) is expected
    assert error.environment is fm.Environment.MOCK
    assert (error.billing.charged, error.status_code, error.backend) == (
        fm.Charged.NO,
        status,
        "didit",
    )
    if expected is SessionNotFound:
        assert isinstance(error, LookupError)
    if body == EMAIL:
        assert error.field_errors == {"email": tuple(EMAIL["email"])}
    if expected is not fm.OutcomeUnknown:
        assert error.retryable is (expected in (fm.RateLimited, fm.VendorUnavailable))


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (READS["balance"], [7]),
        (READS["balance"], {"balance": "much"}),
        # Beyond the limit.
        (READS["balance"], b" " * (2 << 20)),
        (READS["balance"], b'{"balance": "1", "deep": ' + b"[" * 100 + b"]" * 100 + b"}"),
        (READS["decision"], b"<html>"),
        (READS["sessions"], {"results": "none"}),
        (CHANGES["top_up"][0], {"checkout_session_id": ""}),
        (CHANGES["verify_email"][0], {"access_token": "token-in-a-body"}),
    ],
)
def test_an_answer_that_cannot_be_read_is_free_and_not_quoted(call, body, scripted_account):
    account, _ = scripted_account((200, body))
    error = caught(call, account)
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is fm.Charged.NO
    assert "token-in-a-body" not in error.message
    assert "counts as charged" not in error.message
