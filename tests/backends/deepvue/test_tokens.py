"""Tokens: their end, and a login without an answer."""

import time
from datetime import UTC, datetime

import pytest

import facematch_core as fm
from facematch_deepvue import wire
from facematch_deepvue.wire import UNKNOWN_S, read_life_s


@pytest.mark.parametrize(
    ("met", "kind", "retryable"),
    [
        # The caller's deadline: not repeated, and no breaker counts it.
        (fm.DeadlineExceeded("late"), fm.VendorUnavailable, False),
        (fm.VendorUnavailable("x", retryable=False), fm.VendorUnavailable, False),
        # Nothing of the face call was sent, so it may be repeated.
        (fm.OutcomeUnknown("reset"), fm.VendorUnavailable, True),
        (fm.VendorUnavailable("no way"), fm.VendorUnavailable, True),
        (fm.UnexpectedResponse("It answered 200.", status_code=200), fm.UnexpectedResponse, False),
    ],
)
def test_login_without_an_answer_is_free(met, kind, retryable):
    error = wire.free_error(met)
    assert (type(error), error.billing.charged) == (kind, fm.Charged.NO)
    assert (error.retryable, error.status_code) == (retryable, met.status_code)


NOW = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
HOUR = 3600.0


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        ({}, UNKNOWN_S),
        ({"expiry": "2026-03-08T00:00:00Z"}, 12 * HOUR),
        ({"expiry": "2026-03-07T14:00:00"}, 2 * HOUR),
        ({"expiry": "2026-03-07T14:00:00+01:00"}, HOUR),
        ({"expiry": "24hrs"}, 24 * HOUR),
        ({"expiry": "600"}, 600),
        ({"expires_in": 900}, 900),
        # Digits are seconds, not a date; more than a day counts as a day.
        ({"expiry": "20260308"}, 24 * HOUR),
        # At most a day, at least 0.
        ({"expiry": "2027-01-01T00:00:00Z"}, 24 * HOUR),
        ({"expires_in": 10**400}, UNKNOWN_S),
        ({"expiry": "2026-03-07T11:00:00Z"}, 0),
        # The soonest readable end.
        ({"expiry": "24hrs", "expires_in": 600}, 600),
        ({"expiry": "2026-03-07T13:00:00Z", "expires_in": 7200}, HOUR),
        # Unreadable values are ignored.
        ({"expiry": "soon"}, UNKNOWN_S),
        ({"expiry": True}, UNKNOWN_S),
        ({"expiry": "soon", "expires_in": 600}, 600),
    ],
)
def test_soonest_readable_end_counts(answer, life):
    assert read_life_s(answer, NOW) == pytest.approx(life)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has one zone for all")
def test_time_without_a_zone_is_utc(monkeypatch):
    try:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("TZ", "Asia/Kolkata")
            time.tzset()
            assert read_life_s({"expiry": "2026-03-07T14:00:00"}, NOW) == 2 * HOUR
    finally:
        time.tzset()
