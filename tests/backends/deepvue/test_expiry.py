"""How long a token may be used: every form of its expiry that was met, and none."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_deepvue._expiry import LONGEST_S, UNTOLD_S, life_s

NOW = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
HOUR = 3600.0


def jwt(**claims):
    parts = [{"alg": "HS256"}, claims]
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(text.rstrip("=") for text in texts), "c2lnbmF0dXJl"])


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        ({}, UNTOLD_S),
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
        ({"expires_in": 10**400}, UNTOLD_S),
        ({"expires_in": 10**9}, 24 * HOUR),
        ({"expiry": "2026-03-07T11:00:00Z"}, 0),
        ({"expires_in": -5}, 0),
        # The soonest of what can be read.
        ({"expiry": "24hrs", "expires_in": 600}, 600),
        ({"expiry": "2026-03-07T13:00:00Z", "expires_in": 7200}, HOUR),
        ({"expiry": "24hrs", "access_token": jwt(exp=NOW.timestamp() + 300)}, 300),
        ({"access_token": jwt(exp=NOW.timestamp() + 600, sub="client")}, 600),
        # What cannot be read is passed over.
        ({"expiry": "soon"}, UNTOLD_S),
        ({"expiry": "12 hours"}, UNTOLD_S),
        ({"expiry": ""}, UNTOLD_S),
        ({"expiry": True}, UNTOLD_S),
        ({"expiry": ["24hrs"]}, UNTOLD_S),
        ({"expiry": "soon", "expires_in": 600}, 600),
        ({"access_token": jwt(exp="never")}, UNTOLD_S),
        ({"access_token": jwt(exp=True)}, UNTOLD_S),
        ({"access_token": "a.b"}, UNTOLD_S),
        ({"access_token": "a.!!!.c"}, UNTOLD_S),
        ({"access_token": "a.WzFd.c"}, UNTOLD_S),
        ({"access_token": "a.\ud800.c"}, UNTOLD_S),
    ],
)
def test_a_life(answer, life):
    """In seconds from now."""
    assert life_s(answer, NOW) == pytest.approx(life)


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
