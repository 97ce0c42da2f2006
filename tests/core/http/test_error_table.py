"""What answers other than 200 mean: every status and body, and the errors made of that."""

from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from kit.acme import ACME_KEY, AcmeBackend
from kit.fakes import match_call

import facematch_core as fm
from facematch_core.http import (
    BodyShape,
    ErrorRow,
    HttpReply,
    default_row,
    rows,
    vendor_error,
)

YES = fm.Charged.YES
NO = fm.Charged.NO
UNKNOWN = fm.Charged.UNKNOWN
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
BODIES = {
    BodyShape.JSON_OBJECT: b'{"detail": "It is so."}',
    BodyShape.OTHER_JSON: b'["It is so."]',
    BodyShape.HTML: b"<html>It is so.",
    BodyShape.EMPTY: b"",
    BodyShape.OTHER: b"It is so.",
}
#: Refusals by their very status: whoever says so, no work was done.
BY_STATUS = {
    **dict.fromkeys(
        (404, 405, 407, 411, 413, 414, 415, 417, 421, 426, 428, 431), fm.RequestRejected
    ),
    401: fm.AuthenticationFailed,
    402: fm.InsufficientCredit,
    403: fm.PermissionDenied,
    429: fm.RateLimited,
}


def error_of(status, body=b"", table=MappingProxyType({}), headers=None, is_free=False, **options):
    reply = HttpReply(status=status, body=body, headers=headers or {}, is_free=is_free)
    return vendor_error(reply, table, backend="acme", now=NOW, **options)


def expected(status, shape):
    """The rule of the module, said once more in other words."""
    if status in BY_STATUS:
        return BY_STATUS[status], NO
    if status in (301, 307, 308):
        return fm.RequestRejected, NO
    if 200 <= status < 300:
        return fm.UnexpectedResponse, YES
    half_way = status in (408, 460, 499)
    if 400 <= status < 500 and not half_way and shape is BodyShape.JSON_OBJECT:
        return fm.RequestRejected, NO
    return fm.OutcomeUnknown, UNKNOWN


@pytest.mark.parametrize("shape", BodyShape)
def test_error_for_every_status_and_body_shape(shape):
    for status in (*range(0, 1000, 7), *range(300, 505), 2000):
        error = error_of(status, BODIES[shape])
        assert (type(error), error.billing.charged) == expected(status, shape), status
        assert error.retryable == (status == 429), status
        assert (error.status_code, error.backend) == (status, "acme")
        assert error.billing.ground
        assert f"acme answered {status}: {default_row(status, shape).text}." in error.message
        assert ("It is so." in error.message) == (shape is BodyShape.JSON_OBJECT)
        if status in (301, 302, 303, 307, 308):
            assert "base_url" in error.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (" 7 ", 7.0),
        ("-3", 0.0),
        ("9" * 400, 1e9),
        ("", None),
        ("1e3", None),
        ("\u0663", None),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30.0),
        ("Sun, 01 Mar 2026 11:00:30 GMT", 0.0),
        # Without a zone it is UTC, as all dates in HTTP.
        ("Sun, 01 Mar 2026 12:00:30", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 31 Feb 2026 12:00:30 GMT", None),
        ("Mar +99999999999 12:00 2026", None),
    ],
)
def test_retry_after_is_parsed(text, seconds):
    headers = {"Retry-After": text}
    waits = [error_of(status, headers=headers).retry_after_s for status in (429, 503, 400, 200)]
    assert waits == [seconds] * 4


def test_explicit_row_precedes_the_table_and_the_default():
    credit = ErrorRow(fm.InsufficientCredit, NO, "documented", "no credit is left")
    table = {
        **rows((403,), credit, [BodyShape.JSON_OBJECT]),
        **rows(range(500, 502), ErrorRow(fm.OutcomeUnknown, UNKNOWN, "seen", "broken")),
    }
    assert type(error_of(403, b"{}", table)) is fm.InsufficientCredit
    assert type(error_of(403, b"", table)) is fm.PermissionDenied
    assert error_of(501, b"", table).billing.ground == "seen"
    assert type(error_of(401, b"", table)) is fm.AuthenticationFailed
    first_row = ErrorRow(fm.RequestRejected, NO, "given", "no", retryable=True)
    error = error_of(403, b"{}", table, row=first_row)
    assert (type(error), error.billing.ground) == (fm.RequestRejected, "given")
    assert error.retryable


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(408, True), (418, False), (499, True), (500, True), (502, True), (302, False)],
)
def test_free_request_is_retryable_after_server_errors_and_timeouts(status, retryable):
    error = error_of(status, b"<html>", is_free=True)
    assert (type(error), error.billing.charged) == (fm.VendorUnavailable, NO)
    assert error.retryable is retryable


@pytest.mark.parametrize(
    ("status", "body", "expected_text"),
    [
        (200, b"<p>Log in</p>", "HTML page"),
        (200, b"", "its body is empty; ValueError in "),
        (200, b" null\n", "its body is null; "),
    ],
)
def test_unexpected_body_is_described_in_the_message(status, body, expected_text):
    backend = AcmeBackend(api_key=ACME_KEY)
    assert (
        expected_text
        in backend.read_reply(match_call(), HttpReply(status=status, body=body)).message
    )


@pytest.mark.parametrize(
    "problem",
    [
        lambda: fm.Score(150, "acme/v1"),
        [].pop,
        lambda: (_ for _ in ()).throw(fm.ConfigurationError("a wrong word")),
        lambda: None,
    ],
)
def test_errors_in_parse_are_unexpected_responses_and_charged(problem):
    backend = type("Own", (AcmeBackend,), {"parse": lambda *_: problem()})()
    error = backend.read_reply(match_call(), HttpReply(status=200, body=b"{}"))
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is YES
