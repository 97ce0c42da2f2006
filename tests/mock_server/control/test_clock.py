"""The clock of a world at its ends: however far it is moved, every call is answered."""

import datetime as dt

import pytest
import requests
from kit import mock_didit as didit
from kit.mock_didit import control, match, request
from kit.mock_didit_accounts import login, opened, register, verify

from facematch_mock_server import MockServer, VirtualClock

#: The first moment that a clock does not reach, and the last one that it does.
END = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)
LAST = END - dt.timedelta(microseconds=1)


def test_many_large_steps():
    """Each is taken or refused in a sentence; the calls between them are answered."""
    engine = didit.new_engine(switches={"start_credit": 100})
    statuses = []
    for _ in range(40):
        moved = engine.handle(control("clock/advance", {"seconds": 1e10}))
        statuses.append(moved.status)
        if moved.status == 400:
            assert moved.json() == {"mock": "the clock cannot go beyond the year 8999"}
        assert engine.handle(match()).status == 200
        assert engine.handle(request("/v3/sessions/", method="GET")).status == 200
    assert statuses == sorted(statuses)
    assert set(statuses) == {200, 400}


@pytest.mark.parametrize("advanced", [False, True])
def test_the_last_moment(advanced):
    """What is due later is a date all the same: a retry, a token's end, a picture's."""
    clock = VirtualClock(didit.START if advanced else LAST)
    engine = didit.new_engine(clock=clock)
    if advanced:
        clock.advance((LAST - didit.START).total_seconds() - 1)
    for call in (match(), register(), verify(), login()):
        answer = call(engine) if callable(call) else engine.handle(call)
        assert answer.status in (200, 201), answer.body
    assert opened(engine) is not None


def test_a_token_at_the_last_moment():
    """Deepvue's are dates as well."""
    with MockServer(vendor="deepvue", clock=VirtualClock(LAST)) as mock:
        pair = {"client_id": "mock-client", "client_secret": mock.live_key}
        answer = requests.post(f"{mock.url}/v1/authorize", data=pair, timeout=10)
    assert (answer.status_code, len(mock.control.tokens.issued())) == (200, 1)


@pytest.mark.parametrize("start", [END, dt.datetime.max.replace(tzinfo=dt.UTC)])
def test_it_starts_no_later(start):
    """One sentence, before any server is made."""
    with pytest.raises(ValueError, match="beyond the year 8999"):
        VirtualClock(start)


def test_a_clock_of_long_ago():
    """A test may live in any year before."""
    engine = didit.new_engine(clock=VirtualClock(dt.datetime(1, 1, 2, tzinfo=dt.UTC)))
    assert engine.handle(match()).status == 200
    assert engine.handle(request("/v3/sessions/", method="GET")).status == 200
