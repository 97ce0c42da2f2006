"""The database's clock decides, whatever the clocks of the machines say.

Run over PostgreSQL by `tests/system/test_postgres.py`; here a SQLite file has a
server's clock.
"""

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from core.checks.desk import *  # noqa: F403 - its fixtures
from core.sessions.shop import *  # noqa: F403 - its fixtures
from core.sessions.shop import GIVES_TOKEN_ONCE

import facematch_core as fm
from facematch_core.base.deadline import SystemClock
from facematch_core.store import database

STEPS = pytest.mark.parametrize("step_s", [5, 11, 13, 30, 120, 3600, -90, -3600])


class HostClock(SystemClock):
    """The clock of a machine, which may be wrong; somebody may want to know that it waits."""

    def __init__(self, ahead_s=0):
        self.ahead_s = ahead_s
        self.is_waiting = threading.Event()

    def now(self):
        return super().now() + dt.timedelta(seconds=self.ahead_s)

    def sleep(self, seconds):
        self.is_waiting.set()
        super().sleep(seconds)


class ServerClock:
    """The clock of the server of a SQLite file. While a machine is suspended, it goes on."""

    ahead_s = 0.0


@pytest.fixture(autouse=True)
def server(address, monkeypatch):
    clock = ServerClock()
    if not address.startswith("sqlite"):
        return clock
    begin = database.SqliteDatabase._begin  # noqa: SLF001 - as PostgreSQL's, which reads its clock

    def begin_and_read_clock(self, *arguments, **options):
        begin(self, *arguments, **options)
        self.clock_offset_s = time.time() - time.monotonic() + clock.ahead_s

    monkeypatch.setattr(database.SqliteDatabase, "_begin", begin_and_read_clock)
    return clock


class SlowVendor:
    """A vendor's answer that comes once another machine waits for it."""

    def __init__(self):
        self.is_called = threading.Event()
        self.may_answer = threading.Event()

    def answer(self, *_request):
        self.is_called.set()
        assert self.may_answer.wait(60)

    def call_twice(self, first, second, clock):
        """Call `second`, of a machine with `clock`, while the first call is under way."""
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(first)]
            assert self.is_called.wait(60)
            calls.append(pool.submit(second))
            calls[1].add_done_callback(lambda _: clock.is_waiting.set())
            assert clock.is_waiting.wait(60)
            self.may_answer.set()
            return [call.result(60) for call in calls]


@STEPS
def test_check_under_way_at_another_machine_is_paid_once(open_desk, step_s):
    vendor = SlowVendor()
    ours = open_desk(clock=HostClock())
    theirs = open_desk(clock=HostClock(), backend=ours.backend)
    theirs.clock.ahead_s = step_s  # between two calls of an open store
    ours.backend.script = [vendor.answer]
    results = vendor.call_twice(ours.verify_live, theirs.verify_live, theirs.clock)
    assert [each.is_verified for each in results] == [True, True]
    assert ours.operations == "lm"
    assert theirs.store.unknown() == ()
    assert [theirs.of().use(), ours.of().use()] == [fm.Use.FIRST, fm.Use.AGAIN]


@STEPS
def test_verdict_is_returned_again_and_used_although_the_clock_was_changed(open_desk, step_s):
    desk = open_desk(clock=HostClock(), max_age_s=3000)
    desk.verify_live()
    desk.clock.ahead_s = step_s
    assert desk.verify_live().is_verified
    assert desk.operations == "lm"
    assert desk.of().why_not() == ()
    assert desk.of().use()


@STEPS
def test_start_under_way_at_another_machine_is_not_repeated(open_shop, step_s):
    vendor = SlowVendor()
    ours = open_shop(clock=HostClock())
    theirs = open_shop(clock=HostClock(), vendor=ours.vendor)
    theirs.clock.ahead_s = step_s
    ours.vendor.before_start = vendor.answer
    sessions = vendor.call_twice(ours.begin, theirs.begin, theirs.clock)
    assert len({each.record.session_id for each in sessions}) == 1
    assert len(ours.vendor.starts) == 1


@STEPS
def test_link_is_given_out_until_it_expires_whatever_the_clock_of_its_start(open_shop, step_s):
    open_shop(clock=HostClock(step_s)).begin(valid_for_s=1800)
    shop = open_shop(clock=HostClock())
    (row,) = shop.rows()
    assert row["link_expires_at"] == pytest.approx(time.time() + 1800, abs=60)
    assert shop.begin().access.link is not None
    assert shop.vendor.reads == []


@STEPS
def test_session_of_an_unknown_token_is_kept_until_it_ends_whatever_the_clock(open_shop, step_s):
    shop = open_shop(clock=HostClock(), **GIVES_TOKEN_ONCE)
    shop.begin(valid_for_s=1800)
    shop.forget_token()
    theirs = open_shop(clock=HostClock(step_s), vendor=shop.vendor)
    held = theirs.begin()
    assert held.begin_again_at.timestamp() == pytest.approx(time.time() + 1800, abs=60)
    assert (shop.vendor.deleted, len(shop.vendor.starts)) == ([], 1)


def test_first_call_of_a_machine_that_was_suspended_compares_by_the_time_of_now(
    open_desk, open_shop, server
):
    desk, shop = open_desk(clock=HostClock()), open_shop(clock=HostClock())
    desk.verify_live()
    shop.begin()
    server.ahead_s = 3 * 86_400
    assert len(desk.store.forget(2)) == 2
    assert len(shop.store.forget(2)) == 1
