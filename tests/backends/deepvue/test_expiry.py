"""How long a token may be used: every form of its expiry that was met, and none."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_deepvue.wire import LONGEST_S, UNKNOWN_S, life_s

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
        ({"expiry": "2026-03-07T14:00:00+00:00"}, 2 * HOUR),
        ({"expiry": "2026-03-07T14:00:00"}, 2 * HOUR),
        ({"expiry": "2026-03-07T14:00:00+01:00"}, HOUR),
        ({"expiry": "24hrs"}, 24 * HOUR),
        ({"expiry": " 24HRS "}, 24 * HOUR),
        ({"expiry": "600"}, 600),
        ({"expiry": 600}, 600),
        ({"expires_in": 900}, 900),
        ({"expires_in": "900"}, 900),
        # As a date it would be that of the next day; digits are seconds, and more than a day.
        ({"expiry": "20260308"}, 24 * HOUR),
        # Never longer than a day, never less than nothing.
        ({"expiry": "2027-01-01T00:00:00Z"}, 24 * HOUR),
        ({"expires_in": 10**400}, UNKNOWN_S),
        ({"expires_in": 10**9}, 24 * HOUR),
        ({"expiry": "2026-03-07T11:00:00Z"}, 0),
        ({"expires_in": -5}, 0),
        # The soonest of what can be read.
        ({"expiry": "24hrs", "expires_in": 600}, 600),
        ({"expiry": "2026-03-07T13:00:00Z", "expires_in": 7200}, HOUR),
        ({"expiry": "24hrs", "access_token": jwt(exp=NOW.timestamp() + 300)}, 300),
        ({"access_token": jwt(exp=NOW.timestamp() + 600, sub="client")}, 600),
        # What cannot be read is passed over.
        ({"expiry": "soon"}, UNKNOWN_S),
        ({"expiry": "12 hours"}, UNKNOWN_S),
        ({"expiry": ""}, UNKNOWN_S),
        ({"expiry": True}, UNKNOWN_S),
        ({"expiry": ["24hrs"]}, UNKNOWN_S),
        ({"expiry": "soon", "expires_in": 600}, 600),
        ({"access_token": jwt(exp="never")}, UNKNOWN_S),
        ({"access_token": jwt(exp=True)}, UNKNOWN_S),
        ({"access_token": "a.b"}, UNKNOWN_S),
        ({"access_token": "a.!!!.c"}, UNKNOWN_S),
        ({"access_token": "a.WzFd.c"}, UNKNOWN_S),
        ({"access_token": "a.\ud800.c"}, UNKNOWN_S),
        ({"access_token": f"a.{'W1tb' * 50_000}.c"}, UNKNOWN_S),
    ],
)
def test_a_life(answer, life):
    """In seconds from now."""
    assert life_s(answer, NOW) == pytest.approx(life)


def test_the_longest_and_the_assumed_life():
    """A day, as the page says, and an hour less where nothing can be read."""
    assert (LONGEST_S, UNKNOWN_S) == (24 * HOUR, 23 * HOUR)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has one zone for all")
def test_a_time_without_a_zone_is_utc(monkeypatch):
    """Wherever this machine is."""
    try:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("TZ", "Asia/Kolkata")
            time.tzset()
            assert life_s({"expiry": "2026-03-07T14:00:00"}, NOW) == 2 * HOUR
    finally:
        time.tzset()


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(
    answer=st.fixed_dictionaries(
        {},
        optional={
            "expiry": VALUES | st.datetimes().map(str),
            "expires_in": VALUES,
            "access_token": VALUES | st.tuples(st.text(), st.text(), st.text()).map(".".join),
        },
    )
)
def test_any_answer_has_a_life(answer):
    """From nothing to a day, whatever it says."""
    assert 0 <= life_s(answer, NOW) <= LONGEST_S


@given(more=st.fixed_dictionaries({}, optional={"expiry": VALUES, "expires_in": VALUES}))
def test_nothing_makes_a_life_longer(more):
    """What is told besides can only shorten what the token itself says."""
    token = {"access_token": jwt(exp=NOW.timestamp() + 600)}
    assert life_s({**more, **token}, NOW) <= 600
