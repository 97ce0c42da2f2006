import gc
import random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.fakes import FakeBackend, picture
from kit.gate_clocks import SharedClock
from kit.gate_passages import (
    ANSWERED,
    INTERRUPTED,
    UNREACHABLE,
    failed,
    gate_attempt,
    refused_later,
)

from facematch_core import Charged, FaceVerifier
from facematch_core.base.deadline import Deadline
from facematch_core.errors import ConfigurationError, OutcomeUnknown, RateLimited, RequestRejected
from facematch_core.resilience import RateLimiter, RateWindow
from facematch_core.resilience.rate_limiter import MARGIN_S
from facematch_didit import DiditBackend

A, B = picture(), picture((20, 30, 40))


def limiter(clock, *windows, **settings):
    """With windows of (calls, seconds)."""
    return RateLimiter([RateWindow(*window) for window in windows], clock=clock, **settings)


def call(limited, ending=ANSWERED, **about):
    """One call; when it went through."""
    context = gate_attempt(**about)
    leave = limited.enter(context)
    at = limited.clock.monotonic()
    if ending.sent:
        limited.sent(context)
    leave(ending)
    return at


def times(limited, number):
    """When each of so many calls went through, in whole seconds."""
    return [int(call(limited)) for _ in range(number)]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [([(2, 10)], [0, 0, 10, 10, 20]), ([(1, 1), (3, 10), (4, 100)], [0, 1, 2, 10, 100])],
)
def test_every_window_is_kept(clock, windows, expected):
    assert times(limiter(clock, *windows, max_wait_s=100), 5) == expected
    assert sum(clock.slept) == pytest.approx(clock.monotonic())


def test_room_is_used_at_once(clock):
    limited = limiter(clock, (2, 10))
    call(limited)
    clock.advance(6)
    assert times(limited, 3) == [6, 10, 16]


def test_didit_is_limited_as_published():
    assert DiditBackend.capabilities.rate_windows == (RateWindow(300, 60.0),)


@pytest.mark.parametrize(
    ("count_from", "says_so", "at"), [("sent", True, 13), ("sent", False, 17), ("ended", True, 17)]
)
def test_when_the_time_of_a_call_begins(clock, count_from, says_so, at):
    limited, context = limiter(clock, (1, 10), count_from=count_from), gate_attempt()
    leave = limited.enter(context)
    for step_s in (3, 4):
        clock.advance(step_s)
        if says_so:  # and once more, as some backends do
            limited.sent(context)
    leave(ANSWERED)
    assert times(limited, 1) == [at]


class Unseen(FakeBackend):
    """Does not say when it sends."""

    reports_sent = False

    def match(self, call):
        return super().match(attrs.evolve(call, on_sent=lambda: None))


@pytest.mark.parametrize("kind", [FakeBackend, Unseen])
@pytest.mark.parametrize(("count_from", "second"), [("sent", 10), ("ended", 18)])
def test_a_verifier_says_when_a_call_leaves(clock, kind, count_from, second):
    backend = kind(script=[lambda call: clock.advance(8)])
    limited = limiter(clock, (1, 10), count_from=count_from)
    with FaceVerifier(backend, policies=[limited], clock=clock) as verifier:
        verifier.verify(A, B)
        verifier.verify(A, B)
    assert int(clock.monotonic()) == second


COUNTING = {
    "rejected": (failed(RequestRejected("no")), 10),
    "throttled": (failed(RateLimited("no")), 10),
    "lost": (failed(OutcomeUnknown("?")), 10),
    "broken off": (INTERRUPTED, 10),
    "never left": (UNREACHABLE, 0),
    "refused by a later policy": (refused_later(RateLimited("later", retry_after_s=50.0)), 0),
}


@pytest.mark.parametrize(("ending", "at"), COUNTING.values(), ids=COUNTING)
def test_whatever_was_sent_counts_and_nothing_else(clock, ending, at):
    limited = limiter(clock, (1, 10))
    for _ in range(1 if at else 3):
        call(limited, ending)
    assert times(limited, 1) == [at]


@pytest.mark.parametrize(
    ("rate", "answer_s", "count_from", "share"),
    [
        *(((2, 1), 2.0, "sent", 0.94), ((5, 1), 1.0, "sent", 0.94)),
        *(((1, 1), 1.5, "sent", 0.94), ((2, 1), 2.0, "ended", 0.3)),
    ],
)
def test_a_rate_is_used_however_slow_the_answers(rate, answer_s, count_from, share):
    clock = SharedClock()
    limited = limiter(clock, rate, max_wait_s=1e6, count_from=count_from)

    def work():
        for _ in range(5):
            context = gate_attempt()
            leave = limited.enter(context)
            limited.sent(context)
            clock.sleep(answer_s)
            leave(ANSWERED)

    clock.run(*[work] * 20)
    allowed = rate[0] * (clock.monotonic() - answer_s) / rate[1]
    assert share <= 100 / allowed <= 1.1


def test_ctrl_c_while_waiting_frees_the_place(clock):
    limited = limiter(clock, (1, 10))
    call(limited)

    def interrupted(seconds):
        raise KeyboardInterrupt

    clock.sleep, sleep = interrupted, clock.sleep
    with pytest.raises(KeyboardInterrupt):
        call(limited)
    clock.sleep = sleep
    assert times(limited, 1) == [10]


def test_who_is_lost_leaves_the_line(clock):
    limited = limiter(clock, (1, 10))
    leave = limited.enter(gate_attempt())
    clock.advance(100)
    del leave
    gc.collect()
    assert times(limited, 2) == [110, 120]


@settings(max_examples=settings().max_examples // 4)
@given(
    windows=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from([1.0, 5.0, 12.0])), min_size=1, max_size=3
    ),
    threads=st.integers(2, 8),
    seed=st.integers(0, 1000),
    longest_s=st.sampled_from([0.0, 0.5, 8.0]),
    count_from=st.sampled_from(["sent", "ended"]),
)
def test_the_rate_is_never_exceeded(windows, threads, seed, longest_s, count_from):
    clock = SharedClock()
    limited = limiter(clock, *windows, max_wait_s=10_000, count_from=count_from)
    counted, started = [], []

    def work(chance):
        for _ in range(4):
            came = clock.monotonic()
            context = gate_attempt()
            leave = limited.enter(context)
            started.append((came, clock.monotonic()))
            if count_from == "ended":
                limited.sent(context)
            clock.sleep(chance.uniform(0, longest_s))
            limited.sent(context)
            counted.append(clock.monotonic())
            clock.sleep(chance.uniform(0, longest_s))
            leave(ANSWERED)

    clock.run(*(lambda n=n: work(random.Random(f"{seed} {n}")) for n in range(threads)))
    counted.sort()
    assert len(counted) == 4 * threads
    for limit, seconds in windows:
        for first, one_more in zip(counted, counted[limit:], strict=False):
            assert one_more - first >= seconds
    if longest_s == 0:
        # First come, first served, and no slower than the windows ask for.
        # Who waits looks again some milliseconds late: those are one moment.
        in_order = sorted(started, key=lambda times: (round(times[1], 2), times[0]))
        assert in_order == sorted(started)
        slowest = max((4 * threads - 1) // n * (s + MARGIN_S) for n, s in windows)
        assert counted[-1] <= slowest + sum(s for _, s in windows) + 1


def test_the_vendors_word_holds_everybody_back(clock):
    limited = limiter(clock, (100, 1))
    leave_first, leave_second = limited.enter(gate_attempt()), limited.enter(gate_attempt())
    leave_first(failed(RateLimited("wait", retry_after_s=25.0)))
    leave_second(failed(RateLimited("wait", retry_after_s=5.0)))
    assert times(limited, 2) == [25, 25]


@pytest.mark.parametrize("max_wait_s", [60, 33])
def test_who_waits_already_is_held_back_too_and_its_wait_counts_from_the_begin(max_wait_s):
    clock = SharedClock()
    limited = limiter(clock, (2, 10), max_wait_s=max_wait_s)

    def throttled():
        leave = limited.enter(gate_attempt())
        clock.sleep(5)
        leave(failed(RateLimited("wait", retry_after_s=30.0)))

    def waiting():
        call(limited)
        clock.sleep(1)
        try:
            return call(limited)
        except RateLimited:
            return None

    # From second 1 to second 35.
    expected = pytest.approx(35) if max_wait_s >= 34 else None
    assert clock.run(throttled, waiting)[1] == expected


@pytest.mark.parametrize(
    ("windows", "options", "asked_s", "held_s"),
    [
        ([(5, 10)], {}, None, 0),
        ([(5, 10)], {}, 999_999_999, 900),
        ([(5, 10), (100, 2000)], {}, 999_999_999, 2000),
        ([(5, 10)], {"max_hold_s": 60}, 999_999_999, 60),
    ],
)
def test_one_absurd_number_does_not_close_the_vendor(clock, windows, options, asked_s, held_s):
    limited = limiter(clock, *windows, max_wait_s=10**6, **options)
    call(limited, failed(RateLimited("slower", retry_after_s=asked_s)))
    assert call(limited) == pytest.approx(held_s, abs=0.1)


def test_too_long_a_wait_is_refused_at_once(clock):
    limited = limiter(clock, (1, 10), max_wait_s=5.0)
    call(limited)
    clock.advance(3)
    for _ in range(3):
        with pytest.raises(RateLimited, match=r"max_wait_s \(5 s\): nothing was sent") as caught:
            call(limited)
    assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, True)
    assert caught.value.retry_after_s == pytest.approx(7 + MARGIN_S)
    limited.max_wait_s = 0
    with pytest.raises(RateLimited):
        call(limited)
    assert clock.slept == []
    limited.max_wait_s = 5.0
    clock.advance(3)
    assert times(limited, 1) == [10]


def test_those_who_wait_are_counted_in():
    clock = SharedClock()
    limited = limiter(clock, (1, 10), max_wait_s=25.0)

    def late(number):
        clock.sleep(number / 100)
        try:
            return int(call(limited))
        except RateLimited as error:
            return error.retry_after_s

    waits_s = clock.run(*(lambda number=number: late(number) for number in range(4)))
    assert waits_s == [0, 10, 20, pytest.approx(30, abs=0.3)]


def test_a_deadline_is_kept(clock):
    limited = limiter(clock, (1, 10))
    call(limited)
    with pytest.raises(RateLimited, match="the call's deadline: nothing was sent"):
        call(limited, deadline=Deadline(ends_at=10.0, clock=clock))
    assert int(call(limited, deadline=Deadline(ends_at=11.0, clock=clock))) == 10


def test_a_verifier_is_held_back_within_its_deadline(clock):
    backend = FakeBackend()
    with FaceVerifier(backend, policies=[limiter(clock, (1, 10))], clock=clock) as verifier:
        verifier.verify(A, B)
        with pytest.raises(RateLimited) as caught:
            verifier.verify(A, B, deadline_s=3)
        assert caught.value.ids.call
        assert verifier.verify(A, B, deadline_s=30).is_match
    assert len(backend.calls) == 2
    assert backend.times[1][0] == pytest.approx(20 - MARGIN_S)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("windows", value) for value in ([], RateWindow(1, 1), 7, [(1, 1)])),
        *(("count_from", value) for value in ("end", None, True)),
        *(("max_wait_s", value) for value in (-1, True, "5", float("nan"), float("inf"))),
        *(("max_hold_s", value) for value in (0, -1, True, "60", float("nan"), float("inf"))),
    ],
)
def test_settings_are_checked(name, value):
    with pytest.raises(ConfigurationError, match=f"RateLimiter: {name} must be"):
        RateLimiter(**{"windows": [RateWindow(1, 1)], name: value})


@pytest.mark.parametrize(
    ("limit", "seconds", "wrong"),
    [
        *((value, 60, "limit") for value in (0, -1, True, 2.5, "300")),
        *((300, value, "seconds") for value in (0, -1, float("nan"), float("inf"), True)),
    ],
)
def test_a_window_is_checked(limit, seconds, wrong):
    with pytest.raises(ConfigurationError, match=f"RateWindow: {wrong} must be"):
        RateWindow(limit, seconds)
