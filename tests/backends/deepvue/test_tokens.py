"""Tokens: their end, and a login without an answer."""

from datetime import UTC, datetime

import pytest

from facematch_deepvue.wire import UNKNOWN_S, read_life_s

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
