"""Answers other than 2xx, and none at all: the error, what it says of money, and what to do."""

import itertools
import pickle
from typing import get_args

import pytest
import requests

import facematch_core as fm
from facematch_core.http import MOCK_HEADER, BodyShape
from facematch_didit import DiditBackend
from facematch_didit.account import SessionNotFound, SessionStatus
from facematch_didit.client import AccountRequest, meaning
from facematch_didit.wire import Form

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"

READS = {
    "balance": lambda a: a.balance(),
    "sessions": lambda a: list(a.sessions()),
    "decision": lambda a: a.decision(ID),
}
#: Calls that change something, and a word of the advice.
CHANGES = {
    "top_up": (lambda a: a.top_up(50), "payment page"),
    "update_status": (lambda a: a.update_status(ID, SessionStatus.DECLINED), "decision"),
    "delete": (lambda a: a.delete(ID), "SessionNotFound"),
    "register": (lambda a: a.register("a@b.example", "Secret-123"), "mailbox"),
    "verify_email": (lambda a: a.verify_email("a@b.example", "A1B2C3"), "login"),
    "login": (lambda a: a.login("a@b.example", "Secret-123"), "five failures"),
    "resend_code": (lambda a: a.resend_code("a@b.example"), "mailbox"),
}
#: No usable answer: after the first byte, and from a gateway.
SILENCE = {
    "reset": requests.exceptions.ConnectionError("reset"),
    "too late": requests.exceptions.ReadTimeout("late"),
    "gateway": (502, b"<html>Bad gateway</html>"),
    "empty 503": (503, b""),
    "gave up": (408, b""),
}


def caught(call, account):
    with pytest.raises(fm.VendorError) as found:
        call(account)
    error = found.value
    assert (error.__context__, error.__cause__) == (None, None)
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), copied.message, copied.billing.charged) == (
        type(error),
        error.message,
        error.billing.charged,
    )
    return error


def unknown(call, account, advice):
    """The error of a call of which nobody knows whether it was done."""
    error = caught(call, account)
    assert type(error) is fm.OutcomeUnknown
    assert (error.billing.charged, error.reconcilable) == (fm.Charged.NO, False)
    assert advice in error.message
    return error


@pytest.mark.parametrize(("name", "silence"), [*itertools.product(READS, SILENCE)])
def test_reading_costs_nothing(name, silence, scripted):
    """No answer to a question is no riddle: ask again."""
    account, script = scripted(SILENCE[silence])
    error = caught(READS[name], account)
    assert type(error) is fm.VendorUnavailable
    assert (error.billing.charged, error.retryable) == (fm.Charged.NO, True)
    assert "charged" in error.message
    assert "records" not in error.message
    assert len(script.seen) == 1


@pytest.mark.parametrize(("name", "silence"), [*itertools.product(CHANGES, SILENCE)])
def test_what_may_have_been_done_is_unknown(name, silence, scripted):
    """The sentence says what to look at; nothing is repeated, and `reconcile` has nothing to do."""
    call, advice = CHANGES[name]
    account, script = scripted(SILENCE[silence])
    error = unknown(call, account, advice)
    assert not error.retryable
    assert "asked to keep" not in error.message
    assert len(script.seen) == 1


#: 2xx of a gateway, a login page of a network, or a proxy.
STRANGE = {
    "markup": b"<html>Welcome to our network</html>",
    "text": b"OK",
    "a list": b"[]",
    "a number": b"1",
}


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize(("name", "answer"), [*itertools.product(CHANGES, STRANGE)])
def test_a_success_in_strange_words_is_unknown(name, answer, status, scripted):
    """Whoever answers a deletion with a page of markup has not deleted anything."""
    call, advice = CHANGES[name]
    account, script = scripted((status, STRANGE[answer]))
    error = unknown(call, account, advice)
    assert error.status_code == status
    assert "Welcome" not in error.message
    assert len(script.seen) == 1


@pytest.mark.parametrize("name", ["delete", "resend_code"])
@pytest.mark.parametrize("answer", [(204, b""), (200, b" "), (200, {}), (200, {"a": 1})])
def test_a_success_in_didits_words_is_done(name, answer, scripted):
    """Nothing, or an object: the documents have both."""
    account, _ = scripted(answer)
    CHANGES[name][0](account)


@pytest.mark.parametrize(
    "answer", [(204, b""), (200, {}), (200, {"session_id": ID[::-1]}), (200, {"session_id": 7})]
)
def test_an_update_is_confirmed_by_its_session(answer, scripted):
    """The one thing that is documented of the answer has to be there."""
    call, advice = CHANGES["update_status"]
    account, _ = scripted(answer)
    error = caught(call, account)
    assert type(error) is fm.OutcomeUnknown
    assert advice in error.message
    account, _ = scripted((200, {"session_id": ID}))
    account.update_status(ID.upper(), SessionStatus.DECLINED)


def test_no_attempt_to_look_for(scripted):
    """`reconcile` says of such an error that it is none of a verifier, not what it did not cost."""
    account, _ = scripted(SILENCE["reset"])
    error = caught(CHANGES["delete"][0], account)
    refusal = pytest.raises(fm.InvalidRequest, match="only those of verifiers")
    with fm.FaceVerifier(DiditBackend(api_key="k")) as verifier, refusal as refused:
        verifier.reconcile(error)
    assert "not charged" not in refused.value.message


@pytest.mark.parametrize("name", [*READS, *CHANGES])
def test_not_connected(name, scripted):
    """Nothing left this machine."""
    call = READS.get(name) or CHANGES[name][0]
    account, _ = scripted(requests.exceptions.ConnectTimeout("no"))
    error = caught(call, account)
    assert (type(error), error.retryable) == (fm.VendorUnavailable, True)
    assert error.billing.charged is fm.Charged.NO


#: What Didit says, by call.
SPOKEN = [
    ("balance", 401, {"detail": "Invalid API Key."}, fm.AuthenticationFailed),
    (
        "balance",
        403,
        {"detail": "You do not have permission to perform this action."},
        fm.AuthenticationFailed,
    ),
    ("balance", 403, {"error": "You don't have enough credits"}, fm.InsufficientCredit),
    ("balance", 429, {"detail": "Request was throttled."}, fm.RateLimited),
    ("balance", 500, {"detail": "A server error occurred."}, fm.VendorUnavailable),
    ("balance", 404, {"detail": "Not found."}, fm.RequestRejected),
    ("balance", 302, b"", fm.RequestRejected),
    ("balance", 400, b"<html>", fm.RequestRejected),
    ("decision", 404, {"detail": "Not found."}, SessionNotFound),
    ("decision", 404, {"detail": "Session not found."}, SessionNotFound),
    ("decision", 404, b"<html>Not Found</html>", fm.RequestRejected),
    ("delete", 404, {"detail": "Not found."}, SessionNotFound),
    ("update_status", 404, {"detail": "Not found."}, SessionNotFound),
    ("top_up", 400, ["Amount must be at least $50."], fm.RequestRejected),
    ("top_up", 500, {"detail": "A server error occurred."}, fm.OutcomeUnknown),
    ("delete", 503, {"detail": "Try again."}, fm.OutcomeUnknown),
    ("top_up", 429, {"detail": "Request was throttled."}, fm.RateLimited),
    ("register", 400, {"email": ["Enter a valid email address."]}, fm.RequestRejected),
    ("register", 400, b"<html>", fm.RequestRejected),
    ("register", 409, b"", fm.RequestRejected),
    ("register", 429, b"", fm.RateLimited),
    ("register", 500, {"detail": "A server error occurred."}, fm.OutcomeUnknown),
    ("login", 401, b"", fm.AuthenticationFailed),
    ("login", 403, {"error": "Account locked."}, fm.AuthenticationFailed),
    ("verify_email", 404, {"detail": "Not found."}, fm.RequestRejected),
]


@pytest.mark.parametrize(("name", "status", "body", "expected"), SPOKEN)
def test_what_didit_says(name, status, body, expected, scripted):
    """Each answer of the documents is its error, and nothing was charged."""
    account, _ = scripted((status, body))
    error = caught(READS.get(name) or CHANGES[name][0], account)
    assert type(error) is expected
    assert (error.billing.charged, error.status_code, error.backend) == (
        fm.Charged.NO,
        status,
        "didit",
    )
    if expected is not fm.OutcomeUnknown:
        assert error.retryable is (expected in (fm.RateLimited, fm.VendorUnavailable))


def test_an_unknown_session_is_a_lookup_error(scripted):
    """It can be caught as one, and says the three reasons."""
    account, _ = scripted((404, {"detail": "Not found."}))
    with pytest.raises(LookupError, match=r"unknown.*deleted.*may not see"):
        account.decision(ID)


def test_fields_are_told(scripted):
    """Didit's own words, by field."""
    account, _ = scripted((400, {"new_status": ["It is so."]}))
    error = caught(CHANGES["update_status"][0], account)
    assert error.field_errors == {"new_status": ("It is so.",)}
    assert "It is so." in error.message


def test_a_mock_says_so_in_errors_too(scripted):
    """The header is read with every answer."""
    account, _ = scripted((404, {"detail": "Not found."}, {MOCK_HEADER: "1"}))
    assert caught(READS["decision"], account).environment is fm.Environment.MOCK


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (READS["balance"], {"balance": "much"}),
        (READS["balance"], b'{"balance": "1", "deep": ' + b"[" * 900 + b"]" * 900 + b"}"),
        (READS["decision"], b"<html>"),
        (READS["sessions"], {"results": "none"}),
        (CHANGES["top_up"][0], {"checkout_session_id": ""}),
        (CHANGES["verify_email"][0], {"access_token": "token-in-a-body"}),
    ],
)
def test_a_form_that_cannot_be_read(call, body, scripted):
    """It is said, without the body, and what was asked for was done."""
    account, _ = scripted((200, body))
    error = caught(call, account)
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is fm.Charged.NO
    assert "token-in-a-body" not in error.message
    assert ("carried out" in error.message) is (call not in READS.values())


@pytest.mark.parametrize("call", [READS["balance"], CHANGES["top_up"][0]])
def test_an_endless_answer(call, scripted):
    """A body beyond the limit is one that cannot be read."""
    account, _ = scripted((200, b" " * (2 << 20)))
    error = caught(call, account)
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is fm.Charged.NO
    assert "counts as charged" not in error.message


#: One call of each kind.
KINDS = {
    "reads": AccountRequest(path="/"),
    "reads a session": AccountRequest(path="/", of_session=True),
    "changes": AccountRequest(method="POST", path="/", advice="Look."),
    "changes a session": AccountRequest(method="DELETE", path="/", advice="Look.", of_session=True),
    "registers": AccountRequest(method="POST", path="/", advice="Look.", registers=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_has_a_meaning(kind):
    """Each status with each body: a read leaves nothing open, a change says so."""
    request = KINDS[kind]
    for status, form, shape in itertools.product(range(100, 600), get_args(Form), BodyShape):
        row = meaning(request, status, form, shape)
        assert not issubclass(row.error, fm.OutcomeUnknown)
        assert row.charged is not fm.Charged.UNKNOWN
        if request.reads:
            assert row.error is not fm.VendorError
        else:
            assert row.error is not fm.VendorUnavailable
