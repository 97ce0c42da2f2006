"""Answers other than 200: the whole table, Didit's own sentences, and what they cost."""

import datetime as dt
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.strategies import json_values

from facematch_core import (
    AuthenticationFailed,
    Charged,
    InsufficientCredit,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    Retention,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import HttpReply
from facematch_didit import wire

NO_CREDIT = (
    "You don't have enough credits to perform this request. Please top up at "
    "https://business.didit.me"
)
NO_PERMISSION = "You do not have permission to perform this action."
EXTENSION = (
    "File extension “txt” is not allowed. Allowed extensions are: tiff, jpg, jpeg, png, webp."
)
TOO_FAST = "Write request rate limit exceeded. You can make up to 300 requests per minute."

#: What the vendor's documents and its framework answer, in every edition: status, body, error.
SPOKEN = [
    (400, {"ref_image": ["No file was submitted."]}, RequestRejected),
    (
        400,
        {"user_image": [EXTENSION], "ref_image": ["The submitted file is empty."]},
        RequestRejected,
    ),
    (400, {"user_image": "File size should not exceed 5 MB"}, RequestRejected),
    (400, {"error": "Invalid user image format."}, RequestRejected),
    (400, ["Amount must be at least $50."], RequestRejected),
    (401, {"detail": "Invalid API Key."}, AuthenticationFailed),
    (403, {"detail": NO_PERMISSION}, AuthenticationFailed),
    (403, {"error": NO_CREDIT}, InsufficientCredit),
    (404, {"detail": "Not found."}, RequestRejected),
    (405, {"detail": 'Method "GET" not allowed.'}, RequestRejected),
    (415, {"detail": 'Unsupported media type "application/json" in request.'}, RequestRejected),
    (429, {"detail": TOO_FAST}, RateLimited),
    (500, {"detail": "A server error occurred."}, VendorUnavailable),
    (503, {"error": "Try again later."}, VendorUnavailable),
]

#: One body of each kind that an answer can have.
BODIES = {
    "error": b'{"error": "It is so."}',
    "detail": b'{"detail": "It is so."}',
    "fields": b'{"user_image": ["It is so."]}',
    "list": b'["It is so."]',
    "other object": b'{"code": 7}',
    "empty object": b"{}",
    "other JSON": b"7",
    "HTML": b"<html>It is so.</html>",
    "empty": b"",
    "text": b"It is so.",
    "broken JSON": b'{"detail": "It is',
}
DIDITS = {"error", "detail", "fields", "list"}
BY_STATUS = {
    401: AuthenticationFailed,
    402: InsufficientCredit,
    403: PermissionDenied,
    429: RateLimited,
    **dict.fromkeys((404, 405, 407, 411, 413, 414, 415, 417, 421, 426, 428, 431), RequestRejected),
}


#: One status for two troubles.
SPLIT = {(403, "error"): InsufficientCredit, (403, "detail"): AuthenticationFailed}
BILLED = {OutcomeUnknown: Charged.UNKNOWN, UnexpectedResponse: Charged.YES}


def expected(status, kind):
    """The rules once more, in other words than the table's: the error and whether to repeat."""
    error, repeat = OutcomeUnknown, False
    half_way, gateway = status in (408, 460, 499), status in (502, 504) or status >= 520
    if 200 <= status < 300:
        error = UnexpectedResponse
    elif status in (301, 307, 308):
        error = RequestRejected
    elif (status, kind) in SPLIT:
        error = SPLIT[status, kind]
    elif status in BY_STATUS:
        error, repeat = BY_STATUS[status], status == 429
    elif 400 <= status < 500 and not half_way and kind in (*DIDITS, "other object", "empty object"):
        error = RequestRejected
    elif status >= 500 and not gateway and kind in ("error", "detail"):
        error, repeat = VendorUnavailable, True
    return error, repeat


@pytest.fixture
def asked(canned, make_call):
    """The error that one answer gives."""

    def ask(status, body=b"", headers=None, **call):
        backend, _ = canned(status, body, headers)
        with pytest.raises(VendorError) as caught:
            backend.match(make_call(call_id="a-1", **call))
        return caught.value

    return ask


@pytest.mark.parametrize("kind", BODIES)
def test_every_status_with_every_body(kind, backend, make_call):
    """Each of the 500 statuses has its one error, with what it costs and whether to repeat."""
    call = make_call()
    for status in range(100, 600):
        if status == 200:
            continue
        error = backend.error(HttpReply(status=status, body=BODIES[kind]), call)
        wanted, retryable = expected(status, kind)
        assert type(error) is wanted, status
        assert error.billing.charged is BILLED.get(wanted, Charged.NO), status
        assert error.retryable is retryable, status
        assert (error.backend, error.status_code) == ("didit", status)
        assert error.billing.ground, status


@pytest.mark.parametrize(("status", "body", "wanted"), SPOKEN)
def test_the_vendors_own_words(status, body, wanted, asked):
    """Each documented answer is one error, not charged, that repeats what Didit says."""
    error = asked(status, body)
    assert type(error) is wanted
    assert error.billing.charged is Charged.NO
    assert "only answers 200 are charged" in error.billing.ground
    assert error.ids.call == "a-1"
    texts = body if isinstance(body, list) else body.values()
    for text in itertools.chain.from_iterable([t] if isinstance(t, str) else t for t in texts):
        assert text[:60] in error.message


def test_field_errors(asked):
    """The field map of a form, whether its texts come alone or in lists."""
    error = asked(400, {"user_image": [EXTENSION], "ref_image": "No file was submitted."})
    assert error.field_errors == {
        "user_image": (EXTENSION,),
        "ref_image": ("No file was submitted.",),
    }
    assert asked(400, ["So it is.", "Really."]).field_errors == {
        "non_field_errors": ("So it is.", "Really.")
    }
    assert asked(400, {"error": "Invalid user image format."}).field_errors == {}


def test_a_key_that_is_echoed_is_masked(asked, backend):
    """Neither the sentence nor the field map repeats it."""
    key = backend.api_key.reveal()
    for status in (400, 401):
        error = asked(status, {"user_image": [f"Unknown key {key}."]})
        assert key not in error.message
        assert key not in str(vars(error))


@pytest.mark.parametrize("status", [502, 504, 522])
def test_a_gateway_is_not_didit(status, asked):
    """These statuses are a gateway's words whatever their form: the call may go on behind it."""
    error = asked(status, {"detail": "upstream"}, retention=Retention.KEEP)
    assert (type(error), error.reconcilable) == (OutcomeUnknown, True)
    assert asked(status, {"detail": "upstream"}).reconcilable is False


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused(status, canned, make_call):
    """Key and faces are sent to nobody whom no one set."""
    backend, adapter = canned(status, b"", {"Location": "https://elsewhere.example/"})
    with pytest.raises(VendorError):
        backend.match(make_call())
    assert len(adapter.seen) == 1


NOW = dt.datetime(2026, 7, 2, 9, 15, 0, tzinfo=dt.UTC)
QUOTA = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0"}
IN_30_S = str(int(NOW.timestamp()) + 30)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Thu, 02 Jul 2026 09:15:12 GMT"}, 12),
        ({"Retry-After": "Thu, 02 Jul 2026 09:14:00 GMT"}, 0),
        ({"Retry-After": "7", "X-RateLimit-Reset": IN_30_S}, 7),
        ({"Retry-After": "soon", "X-RateLimit-Reset": IN_30_S}, 30),
        ({**QUOTA, "X-RateLimit-Reset": IN_30_S}, 30),
        ({**QUOTA, "X-RateLimit-Reset": "0"}, 0),
        ({**QUOTA, "X-RateLimit-Reset": IN_30_S + "000"}, None),
        ({**QUOTA, "X-RateLimit-Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_when_to_ask_again(headers, seconds):
    """`Retry-After` in both forms, else the end of the window that the quota headers tell."""
    reply = HttpReply(status=429, headers=headers, body=json.dumps({"detail": TOO_FAST}).encode())
    error = wire.error_of(reply, now=NOW)
    assert type(error) is RateLimited
    assert error.retry_after_s == seconds
    assert error.retryable


@given(
    status=st.integers(100, 599).filter(lambda status: status != 200),
    body=json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30),
)
def test_any_answer_is_one_error(status, body, backend, make_call):
    """However odd an answer is, it is one error of the tree that says what it cost."""
    error = backend.error(HttpReply(status=status, body=body), make_call())
    assert isinstance(error, VendorError)
    assert error.retryable <= (error.billing.charged is Charged.NO)
    if isinstance(error, RequestRejected):
        assert all(isinstance(t, str) for texts in error.field_errors.values() for t in texts)
