"""Answers other than 200: the whole table, Didit's own sentences, and what they cost."""

import datetime as dt
import itertools
import json

import pytest

import facematch_core as fm
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
    (400, {"ref_image": ["No file was submitted."]}, fm.RequestRejected),
    (
        400,
        {"user_image": [EXTENSION], "ref_image": ["The submitted file is empty."]},
        fm.RequestRejected,
    ),
    (400, {"error": "Invalid user image format."}, fm.RequestRejected),
    (400, ["Amount must be at least $50."], fm.RequestRejected),
    (401, {"detail": "Invalid API Key."}, fm.AuthenticationFailed),
    (403, {"detail": NO_PERMISSION}, fm.AuthenticationFailed),
    (403, {"error": NO_CREDIT}, fm.InsufficientCredit),
    (429, {"detail": TOO_FAST}, fm.RateLimited),
    (500, {"detail": "A server error occurred."}, fm.VendorUnavailable),
    (503, {"error": "Try again later."}, fm.VendorUnavailable),
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
    "other list": b'["It is so.", 7]',
    "HTML": b"<html>It is so.</html>",
    "empty": b"",
    "text": b"It is so.",
    "broken JSON": b'{"detail": "It is',
}
DIDITS = {"error", "detail", "fields", "list"}
BY_STATUS = {
    401: fm.AuthenticationFailed,
    402: fm.InsufficientCredit,
    403: fm.PermissionDenied,
    429: fm.RateLimited,
    **dict.fromkeys(
        (404, 405, 407, 411, 413, 414, 415, 417, 421, 426, 428, 431), fm.RequestRejected
    ),
}


#: One status for two troubles.
SPLIT = {(403, "error"): fm.InsufficientCredit, (403, "detail"): fm.AuthenticationFailed}
BILLED = {fm.OutcomeUnknown: fm.Charged.UNKNOWN, fm.UnexpectedResponse: fm.Charged.YES}


def expected(status, kind):
    error, repeat = fm.OutcomeUnknown, False
    half_way, gateway = status in (408, 460, 499), status in (502, 504) or status >= 520
    if 200 <= status < 300:
        error = fm.UnexpectedResponse
    elif status in (301, 307, 308):
        error = fm.RequestRejected
    elif (status, kind) in SPLIT:
        error = SPLIT[status, kind]
    elif status in BY_STATUS:
        error, repeat = BY_STATUS[status], status == 429
    elif 400 <= status < 500 and not half_way and kind in (*DIDITS, "other object", "empty object"):
        error = fm.RequestRejected
    elif status >= 500 and not gateway and kind in ("error", "detail"):
        error, repeat = fm.VendorUnavailable, True
    return error, repeat


@pytest.fixture
def catch_error(canned, make_call):

    def ask(status, body=b"", headers=None, **call):
        backend, _ = canned(status, body, headers)
        with pytest.raises(fm.VendorError) as caught:
            backend.match(make_call(call_id="a-1", **call))
        return caught.value

    return ask


@pytest.mark.parametrize("kind", BODIES)
def test_each_of_500_statuses_with_each_body_has_one_error_a_bill_and_a_reason(
    kind, backend, make_call
):
    call = make_call()
    for status in range(100, 600):
        if status == 200:
            continue
        error = backend.error(HttpReply(status=status, body=BODIES[kind]), call)
        error_class, retryable = expected(status, kind)
        assert type(error) is error_class, status
        assert error.billing.charged is BILLED.get(error_class, fm.Charged.NO), status
        assert error.retryable is retryable, status
        assert (error.backend, error.status_code) == ("didit", status)
        assert error.billing.ground, status


@pytest.mark.parametrize(("status", "body", "error_class"), SPOKEN)
def test_each_documented_answer_is_one_free_error_in_didits_words(
    status, body, error_class, catch_error
):
    error = catch_error(status, body)
    assert type(error) is error_class
    assert error.billing.charged is fm.Charged.NO
    assert "only answers 200 are charged" in error.billing.ground
    assert error.ids.call == "a-1"
    texts = body if isinstance(body, list) else body.values()
    for text in itertools.chain.from_iterable([t] if isinstance(t, str) else t for t in texts):
        assert text[:60] in error.message


@pytest.mark.parametrize("status", [502, 504, 522])
def test_a_gateways_status_is_unknown_whatever_its_form(status, catch_error):
    error = catch_error(status, {"detail": "upstream"}, retention=fm.Retention.KEEP)
    assert (type(error), error.reconcilable) == (fm.OutcomeUnknown, True)
    assert catch_error(status, {"detail": "upstream"}).reconcilable is False


NOW = dt.datetime(2026, 7, 2, 9, 15, 0, tzinfo=dt.UTC)
QUOTA = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0"}
IN_30_S = str(int(NOW.timestamp()) + 30)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Thu, 02 Jul 2026 09:15:12 GMT"}, 12),
        ({"Retry-After": "7", "X-RateLimit-Reset": IN_30_S}, 7),
        ({**QUOTA, "X-RateLimit-Reset": IN_30_S}, 30),
        ({**QUOTA, "X-RateLimit-Reset": IN_30_S + "000"}, None),
        ({**QUOTA, "X-RateLimit-Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_counts_before_the_window_of_the_quota(headers, seconds):
    reply = HttpReply(status=429, headers=headers, body=json.dumps({"detail": TOO_FAST}).encode())
    error = wire.error_of(reply, now=NOW)
    assert type(error) is fm.RateLimited
    assert error.retry_after_s == seconds
    assert error.retryable
