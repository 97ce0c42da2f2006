import datetime as dt
import math

import pytest

from facematch_core.base.deadline import Clock
from facematch_core.testing import ManualClock


def test_manual_clock_moves_only_by_sleep_and_advance():
    clock: Clock = ManualClock(
        dt.datetime(2026, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    )
    assert clock.monotonic() == clock.monotonic() == 0
    assert clock.now() == clock.now()
    clock.sleep(3600)
    clock.advance(0.5)
    assert clock.now() == dt.datetime(2026, 1, 1, 1, 0, 0, 500_000, tzinfo=dt.UTC)
    assert clock.now().tzinfo is dt.UTC
    assert clock.monotonic() == 3600.5
    assert clock.slept == [3600]


def test_manual_clock_never_goes_back_and_requires_a_time_zone():
    clock = ManualClock()
    for seconds in (-1, -1e-9, math.nan):
        with pytest.raises(ValueError, match="must be 0 or more"):
            clock.sleep(seconds)
    assert (clock.monotonic(), clock.slept) == (0, [])
    with pytest.raises(ValueError, match="timezone-aware"):
        ManualClock(dt.datetime(2026, 1, 1))
