"""The clock that tests move."""

import datetime as dt
import math
import threading
import time

import pytest

from facematch_core import Clock
from facematch_core.testing import ManualClock
from facematch_core.testing.clock import RunningClock


def test_it_stands_still():
    """Time does not pass by itself."""
    clock: Clock = ManualClock()
    assert clock.monotonic() == clock.monotonic() == 0
    assert clock.now() == clock.now()
    assert clock.now().tzinfo is dt.UTC


def test_sleep_moves_it_at_once():
    """A wait of an hour takes no time, and is remembered."""
    clock = ManualClock(dt.datetime(2026, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))))
    clock.sleep(3600)
    clock.advance(0.5)
    assert clock.now() == dt.datetime(2026, 1, 1, 1, 0, 0, 500_000, tzinfo=dt.UTC)
    assert clock.monotonic() == 3600.5
    assert clock.slept == [3600]


def test_it_never_goes_back_and_has_an_offset():
    """Neither backwards nor nowhere; a time of day without an offset is nobody's."""
    clock = ManualClock()
    for seconds in (-1, -1e-9, math.nan):
        with pytest.raises(ValueError, match="goes forward only"):
            clock.sleep(seconds)
    assert (clock.monotonic(), clock.slept) == (0, [])
    with pytest.raises(ValueError, match="offset"):
        ManualClock(dt.datetime(2026, 1, 1))


def test_threads_lose_no_second():
    """Every advance counts."""
    clock = ManualClock()
    threads = [
        threading.Thread(target=lambda: [clock.advance(1) for _ in range(200)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == 1600


def test_a_running_clock_runs_and_nobody_waits():
    """A wait moves it at once; what passes besides is real."""
    clock, began = RunningClock(), time.monotonic()
    clock.sleep(3600)
    assert time.monotonic() - began < 60
    since = clock.monotonic()
    assert 3600 <= since < 3660
    while clock.monotonic() == since:
        assert time.monotonic() - began < 60
    assert abs((clock.now() - dt.datetime.now(dt.UTC)).total_seconds() - 3600) < 60
    assert clock.slept == [3600]
