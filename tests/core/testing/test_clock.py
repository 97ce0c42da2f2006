"""The clock that tests move."""

import datetime as dt
import math
import threading

import pytest

from facematch_core import Clock
from facematch_core.testing import ManualClock


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


@pytest.mark.parametrize("seconds", [-1, -1e-9, math.nan])
def test_it_never_goes_back(seconds):
    """Neither backwards nor nowhere."""
    clock = ManualClock()
    with pytest.raises(ValueError, match="goes forward only"):
        clock.sleep(seconds)
    assert clock.monotonic() == 0
    assert clock.slept == []


def test_start_needs_an_offset():
    """A time of day without an offset is nobody's."""
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
