"""Answers other than 2xx, and none at all: the error, what it says of money, and what to do."""

import itertools
import pickle

import pytest
import requests

import facematch_core as fm
from facematch_core.http import MOCK_HEADER
from facematch_didit import SessionNotFound

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"

#: What may simply be asked again; of a deletion the second is that it is not there.
READS = {
    "delete": lambda a: a.delete(ID),
    "balance": lambda a: a.balance(),
    "sessions": lambda a: list(a.sessions()),
    "decision": lambda a: a.decision(ID),
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


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        *itertools.product(READS, SILENCE.values()),
        # Nothing left this machine.
        *((name, requests.exceptions.ConnectTimeout("no")) for name in READS),
    ],
)
def test_what_was_only_read_or_never_sent_may_be_asked_again(name, answer, scripted_account):
    account, script = scripted_account(answer)
    error = caught(READS[name], account)
    assert type(error) is fm.VendorUnavailable
    assert (error.billing.charged, error.retryable) == (fm.Charged.NO, True)
    assert len(script.seen) == 1


#: What Didit says, by call.
SPOKEN = [
    ("balance", 401, {"detail": "Invalid API Key."}, fm.AuthenticationFailed),
    ("balance", 403, {"detail": "You may not."}, fm.AuthenticationFailed),
    ("balance", 429, {"detail": "Request was throttled."}, fm.RateLimited),
    ("balance", 500, {"detail": "A server error occurred."}, fm.VendorUnavailable),
    ("decision", 404, {"detail": "Session not found."}, SessionNotFound),
    ("decision", 404, b"<html>Not Found</html>", fm.RequestRejected),
    ("delete", 503, {"detail": "Try again."}, fm.VendorUnavailable),
]


@pytest.mark.parametrize(("name", "status", "body", "expected"), SPOKEN)
def test_each_documented_answer_is_its_error_and_free(
    name, status, body, expected, scripted_account
):
    account, _ = scripted_account((status, body, {MOCK_HEADER: "1"}))
    error = caught(READS[name], account)
    assert type(error) is expected
    assert error.environment is fm.Environment.MOCK
    assert (error.billing.charged, error.status_code, error.backend) == (
        fm.Charged.NO,
        status,
        "didit",
    )
    if expected is SessionNotFound:
        assert isinstance(error, LookupError)
    assert error.retryable is (expected in (fm.RateLimited, fm.VendorUnavailable))


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (READS["balance"], [7]),
        (READS["balance"], {"balance": "much"}),
        # Beyond the limit.
        (READS["balance"], b" " * (2 << 20)),
        (READS["balance"], b'{"balance": "1", "deep": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
        (READS["decision"], b"<html>"),
        (READS["sessions"], {"results": "none"}),
    ],
)
def test_an_answer_that_cannot_be_read_is_free_and_not_quoted(call, body, scripted_account):
    account, _ = scripted_account((200, body))
    error = caught(call, account)
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is fm.Charged.NO
    assert "counts as charged" not in error.message
