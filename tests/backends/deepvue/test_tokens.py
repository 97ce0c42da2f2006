"""Tokens: shared by backends, ended in time, and what a login without an answer means."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest

import facematch_core as fm
from facematch_deepvue import wire
from facematch_deepvue.wire import UNKNOWN_S, read_life_s


@pytest.mark.parametrize(
    ("met", "kind", "retryable"),
    [
        # The caller's impatience: not to be repeated, and nothing for a breaker.
        (fm.DeadlineExceeded("late"), fm.VendorUnavailable, False),
        (fm.VendorUnavailable("x", retryable=False), fm.VendorUnavailable, False),
        # Nothing of the face call has left, so it may be repeated by whoever has set retries.
        (fm.OutcomeUnknown("reset"), fm.VendorUnavailable, True),
        (fm.VendorUnavailable("no way"), fm.VendorUnavailable, True),
        (fm.UnexpectedResponse("It answered 200.", status_code=200), fm.UnexpectedResponse, False),
    ],
)
def test_a_login_without_an_answer_is_free_and_an_outage_but_for_the_callers_deadline(
    met, kind, retryable
):
    error = wire.free_error(met)
    assert (type(error), error.billing.charged) == (kind, fm.Charged.NO)
    assert (error.retryable, error.status_code) == (retryable, met.status_code)


NOW = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
HOUR = 3600.0


def jwt(**claims):
    parts = [{"alg": "HS256"}, claims]
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(text.rstrip("=") for text in texts), "c2lnbmF0dXJl"])


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
        # As a date it would be that of the next day; digits are seconds, and more than a day.
        ({"expiry": "20260308"}, 24 * HOUR),
        # Never longer than a day, never less than nothing.
        ({"expiry": "2027-01-01T00:00:00Z"}, 24 * HOUR),
        ({"expires_in": 10**400}, UNKNOWN_S),
        ({"expiry": "2026-03-07T11:00:00Z"}, 0),
        # The soonest of what can be read.
        ({"expiry": "24hrs", "expires_in": 600}, 600),
        ({"expiry": "2026-03-07T13:00:00Z", "expires_in": 7200}, HOUR),
        ({"expiry": "24hrs", "access_token": jwt(exp=NOW.timestamp() + 300)}, 300),
        ({"access_token": jwt(exp=NOW.timestamp() + 600, sub="client")}, 600),
        # What cannot be read is passed over.
        ({"expiry": "soon"}, UNKNOWN_S),
        ({"expiry": True}, UNKNOWN_S),
        ({"expiry": "soon", "expires_in": 600}, 600),
        ({"access_token": jwt(exp=True)}, UNKNOWN_S),
        ({"access_token": "a.!!!.c"}, UNKNOWN_S),
        ({"access_token": "a.\ud800.c"}, UNKNOWN_S),
    ],
)
def test_the_soonest_of_what_can_be_read_ends_a_token(answer, life):
    assert read_life_s(answer, NOW) == pytest.approx(life)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has one zone for all")
def test_a_time_without_a_zone_is_utc(monkeypatch):
    try:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("TZ", "Asia/Kolkata")
            time.tzset()
            assert read_life_s({"expiry": "2026-03-07T14:00:00"}, NOW) == 2 * HOUR
    finally:
        time.tzset()
