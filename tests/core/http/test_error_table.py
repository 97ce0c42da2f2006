"""What answers other than 200 mean: every status and body, and the errors made of that."""

from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from facematch_core import (
    AuthenticationFailed,
    Charged,
    Ids,
    InsufficientCredit,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    Secret,
    UnexpectedResponse,
    VendorError,
)
from facematch_core.http import (
    BodyShape,
    ErrorRow,
    HttpReply,
    default_row,
    retry_after_s,
    rows,
    vendor_error,
)

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
    401: AuthenticationFailed,
    402: InsufficientCredit,
    403: PermissionDenied,
    404: RequestRejected,
    405: RequestRejected,
    407: RequestRejected,
    411: RequestRejected,
    413: RequestRejected,
    414: RequestRejected,
    415: RequestRejected,
    417: RequestRejected,
    421: RequestRejected,
    426: RequestRejected,
    428: RequestRejected,
    429: RateLimited,
    431: RequestRejected,
}
HALF_WAY = (408, 460, 499)


def error_of(status, body=b"", table=MappingProxyType({}), headers=None, **more):
    reply = HttpReply(status=status, body=body, headers=headers or {})
    return vendor_error(reply, table, backend="acme", now=NOW, **more)


def expected(status, shape):
    """The rule of the module, said once more in other words."""
    if status in BY_STATUS:
        return BY_STATUS[status], Charged.NO
    if status in (301, 307, 308):
        return RequestRejected, Charged.NO
    if 200 <= status < 300:
        return UnexpectedResponse, Charged.YES
    if 400 <= status < 500 and status not in HALF_WAY and shape is BodyShape.JSON_OBJECT:
        return RequestRejected, Charged.NO
    return OutcomeUnknown, Charged.UNKNOWN


@pytest.mark.parametrize("shape", BodyShape)
def test_every_row(shape):
    """Class, bill and repeatability of every status with this shape of body."""
    for status in range(100, 600):
        error = error_of(status, BODIES[shape])
        assert (type(error), error.billing.charged) == expected(status, shape), status
        assert error.retryable == (status == 429), status
        assert (error.status_code, error.backend) == (status, "acme")
        assert error.billing.ground
        assert error.message.startswith(f"acme answered {status}: ")
        assert ("It is so." in error.message) == (shape is BodyShape.JSON_OBJECT)


def test_unknown_and_outcome_unknown_are_the_same():
    """Only UNKNOWN raises `OutcomeUnknown`, and nothing unknown may be repeated."""
    for status in range(1000):
        for shape in BodyShape:
            row = default_row(status, shape)
            assert (row.charged is Charged.UNKNOWN) == (row.error is OutcomeUnknown)
            assert not row.retryable


def test_a_status_beyond_the_table_is_unknown():
    """Three digits are all that a server needs."""
    assert type(error_of(999, b"{}")) is OutcomeUnknown


def test_the_wait_after_a_429():
    """In both forms, or None."""
    assert error_of(429, headers={"Retry-After": "7"}).retry_after_s == 7.0
    date = {"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}
    assert error_of(429, headers=date).retry_after_s == 30.0
    assert error_of(429).retry_after_s is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 7 ", 7.0),
        ("2.5", 2.5),
        ("-3", 0.0),
        ("123456789", 123456789.0),
        ("1234567890", None),
        ("soon", None),
        ("", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30.0),
        # Without a zone it is UTC, as all dates in HTTP.
        ("Sun, 01 Mar 2026 12:00:30", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 11:00:30 GMT", 0.0),
        ("Sun, 31 Feb 2026 12:00:30 GMT", None),
        ("Mar +99999999999 12:00 2026", None),
    ],
)
def test_how_long_to_wait(text, seconds):
    """Seconds or a date; never below 0, and None for what makes no sense."""
    assert retry_after_s(HttpReply(status=503, body=b"", headers={"Retry-After": text}), NOW) == (
        seconds
    )


def test_a_clock_without_a_zone_gives_no_wait():
    """A date cannot be held against it."""
    reply = HttpReply(status=429, body=b"", headers={"Retry-After": "Sun, 01 Mar 2026 12:00:30"})
    assert retry_after_s(reply, NOW.replace(tzinfo=None)) is None


GROUNDS = {
    200: "a 2xx answer is taken as charged",
    299: "a 2xx answer is taken as charged",
    199: "no final answer",
    300: "a redirect after the call",
    302: "a redirect after the call",
    301: "a redirect; not executed here",
    308: "a redirect; not executed here",
    399: "a redirect after the call",
    400: "a 4xx answer that is not in the vendor's own form",
    408: "given up half way by the server or a gateway",
    499: "given up half way by the server or a gateway",
    500: "a 5xx answer",
    401: "a 4xx answer; the vendor says nothing of charging",
}


@pytest.mark.parametrize("status", GROUNDS)
def test_the_ground_of_a_bill(status):
    """Why a status is charged, or not, or may be."""
    error = error_of(status, b"<html>")
    assert error.billing.ground == GROUNDS[status]
    assert f": {default_row(status, BodyShape.HTML).text}." in error.message


UNREAD = "success in a form that this backend does not know; please report it"


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "acme answered 401: the key or token is not accepted."),
        (429, "acme answered 429: too many calls; wait before the next."),
        (201, f"acme answered 201: {UNREAD}."),
    ],
)
def test_the_sentence_of_an_error(status, sentence):
    """All of it, where the vendor says nothing."""
    assert error_of(status).message == sentence


class Lost(OutcomeUnknown):
    """An outcome that a vendor's plug-in has a class of its own for."""


class TooMany(RateLimited):
    """And a limit."""


def test_a_row_may_raise_a_class_of_its_own():
    """What those of its kind carry it carries as well, and a plain one nothing more."""
    kept = error_of(502, reconcilable=True, row=ErrorRow(Lost, Charged.UNKNOWN, "seen", "lost"))
    assert (type(kept), kept.reconcilable) == (Lost, True)
    row = ErrorRow(TooMany, Charged.NO, "seen", "too many")
    limited = error_of(403, headers={"Retry-After": "7"}, row=row)
    assert (type(limited), limited.retry_after_s) == (TooMany, 7.0)
    plain = error_of(502, row=ErrorRow(VendorError, Charged.NO, "seen", "no"))
    assert (type(plain), plain.message) == (VendorError, "acme answered 502: no.")


def test_a_row_that_is_given_comes_first():
    """Before the vendor's table, and before the usual."""
    given = ErrorRow(InsufficientCredit, Charged.NO, "given", "no credit", retryable=True)
    table = rows((403,), ErrorRow(RequestRejected, Charged.NO, "table", "rejected"))
    error = error_of(403, b"{}", table, row=given)
    assert type(error) is InsufficientCredit
    assert (error.billing.ground, error.retryable) == ("given", True)
    assert error_of(403, b"{}", table).billing.ground == "table"


def test_an_unknown_outcome_says_whether_records_can_tell():
    """The attribute and the sentence."""
    kept, gone = error_of(502, reconcilable=True), error_of(502)
    assert (kept.reconcilable, gone.reconcilable) == (True, False)
    assert "look for it" in kept.message
    assert "cannot say what happened" in gone.message


def test_a_redirect_names_the_setting():
    """Whether its bill is known or not."""
    for status in (301, 302, 303, 307, 308):
        assert "redirects are never followed" in error_of(status).message


def test_a_vendor_s_own_rows():
    """Laid over the table; everything else stays."""
    unpaid = ErrorRow(OutcomeUnknown, Charged.UNKNOWN, "seen", "broken", retryable=False)
    credit = ErrorRow(InsufficientCredit, Charged.NO, "documented", "no credit is left")
    table = {
        **rows((403,), credit, [BodyShape.JSON_OBJECT]),
        **rows(range(500, 502), unpaid),
    }
    assert type(error_of(403, b"{}", table)) is InsufficientCredit
    assert type(error_of(403, b"", table)) is PermissionDenied
    assert error_of(501, b"", table).billing.ground == "seen"
    assert type(error_of(401, b"", table)) is AuthenticationFailed


def test_more_arguments_reach_the_error():
    """The vendor's id, ours, and the texts per field."""
    error = error_of(
        400, b"{}", ids=Ids(call="a", vendor="r"), field_errors={"probe": ["Too dark."]}
    )
    assert (error.ids.call, error.ids.vendor) == ("a", "r")
    assert error.field_errors == {"probe": ("Too dark.",)}


def test_an_echoed_key_is_masked():
    """The vendor repeats what was sent."""
    reply = HttpReply(status=401, body=b'{"detail": "No key hush."}', secrets=(Secret("hush"),))
    error = vendor_error(reply, {}, backend="acme", now=NOW)
    assert "hush" not in error.message
    assert 'It says: "No key ***."' in error.message
