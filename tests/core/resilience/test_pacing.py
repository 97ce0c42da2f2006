"""RateLimiter: who waits how long, what counts, and what is refused."""

import gc
import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import FakeBackend, picture
from kit.gate_clocks import Shared
from kit.gate_passages import ANSWERED, INTERRUPTED, UNREACHABLE, failed, passage, refused

from facematch_core import Charged, FaceVerifier
from facematch_core.errors import (
    ConfigurationError,
    OutcomeUnknown,
    RateLimited,
    RequestRejected,
)
from facematch_core.resilience import RateLimiter, RateWindow
from facematch_core.resilience.rate_limiter import MARGIN_S
from facematch_didit import DiditBackend

A, B = picture(), picture((20, 30, 40))


def paced(clock, *windows, **settings):
    """RateLimiter with windows of (calls, seconds)."""
    return RateLimiter([RateWindow(*window) for window in windows], clock=clock, **settings)


def call(pacing, ending=ANSWERED, **about):
    """One call; when it was let through."""
    context = passage(**about)
    leave = pacing.enter(context)
    at = pacing.clock.monotonic()
    if ending.sent:
        pacing.sent(context)
    leave(ending)
    return at


def times(pacing, number):
    """When each of so many calls was let through, in whole seconds."""
    return [int(call(pacing)) for _ in range(number)]


def test_a_window_is_kept(clock):
    """Two at once, then two more when the first have left the window."""
    assert times(paced(clock, (2, 10)), 5) == [0, 0, 10, 10, 20]
    assert sum(clock.slept) == pytest.approx(2 * (10 + MARGIN_S))


def test_every_window_is_kept(clock):
    """The one that is full decides."""
    pacing = paced(clock, (1, 1), (3, 10), (4, 100))
    assert times(pacing, 4) == [0, 1, 2, 10]
    with pytest.raises(RateLimited) as caught:
        call(pacing)
    assert 89 < caught.value.retry_after_s < 91


def test_room_is_used_at_once(clock):
    """Nobody waits while there is room, and a window slides: it is no full minute."""
    pacing = paced(clock, (2, 10))
    call(pacing)
    clock.advance(6)
    assert times(pacing, 3) == [6, 10, 16]


@pytest.mark.parametrize(("count_from", "at"), [("sent", 13), ("ended", 17)])
def test_when_the_time_of_a_call_begins(clock, count_from, at):
    """When its first byte leaves, or when it has ended; never when it was let through."""
    pacing, context = paced(clock, (1, 10), count_from=count_from), passage()
    leave = pacing.enter(context)
    clock.advance(3)
    pacing.sent(context)
    clock.advance(4)
    pacing.sent(context)  # by a backend that says it twice
    leave(ANSWERED)
    assert times(pacing, 1) == [at]


def test_who_does_not_say_when_it_sends_counts_from_its_end(clock):
    """The vendor may have counted it as late as that."""
    pacing = paced(clock, (1, 10))
    leave = pacing.enter(passage())
    clock.advance(7)
    leave(ANSWERED)
    assert times(pacing, 1) == [17]


@pytest.mark.parametrize("count_from", ["sent", "ended"])
def test_who_is_not_counted_yet_holds_its_place(count_from):
    """However long it takes to connect, or to end."""
    clock = Shared()
    pacing = paced(clock, (1, 10), max_wait_s=1000, count_from=count_from)

    def slow():
        context = passage()
        leave = pacing.enter(context)
        if count_from == "ended":
            pacing.sent(context)
        clock.sleep(35)
        pacing.sent(context)
        leave(ANSWERED)

    def after():
        clock.sleep(1)
        return call(pacing)

    _, at = clock.run(slow, after)
    assert 45 <= at <= 46


@pytest.mark.parametrize(
    "ending",
    [failed(RequestRejected("no")), failed(RateLimited("no")), failed(OutcomeUnknown("?"))],
    ids=lambda ending: type(ending.error).__name__,
)
def test_whatever_was_sent_counts(clock, ending):
    """A refused call, too: whether the vendor counts it nobody told us."""
    pacing = paced(clock, (1, 10))
    call(pacing, ending)
    assert times(pacing, 1) == [10]


def test_a_try_that_was_broken_off_counts(clock):
    """If it had begun to leave."""
    pacing = paced(clock, (1, 10))
    call(pacing, INTERRUPTED)
    assert times(pacing, 1) == [10]


@pytest.mark.parametrize(
    "ending", [UNREACHABLE, refused(RateLimited("later", retry_after_s=50.0))], ids=["down", "gate"]
)
def test_what_never_left_gives_its_place_back(clock, ending):
    """No connection, or refused by a later gate, whose word is not the vendor's."""
    pacing = paced(clock, (1, 10))
    for _ in range(3):
        call(pacing, ending)
    assert times(pacing, 1) == [0]


def test_the_vendors_word_holds_everybody_back(clock):
    """Also where our windows have room; a shorter word does not shorten it."""
    pacing = paced(clock, (100, 1))
    one, two = pacing.enter(passage()), pacing.enter(passage())
    one(failed(RateLimited("wait", retry_after_s=25.0)))
    two(failed(RateLimited("wait", retry_after_s=5.0)))
    assert times(pacing, 2) == [25, 25]


def test_who_waits_already_is_held_back_too():
    """The word may come while somebody waits."""
    clock = Shared()
    pacing = paced(clock, (2, 10))

    def throttled():
        leave = pacing.enter(passage())
        clock.sleep(5)
        leave(failed(RateLimited("wait", retry_after_s=30.0)))

    def waiting():
        call(pacing)
        clock.sleep(1)
        return call(pacing)

    assert clock.run(throttled, waiting)[1] == pytest.approx(35)


def test_a_throttle_without_a_word_holds_nobody_back(clock):
    """It counts as any call."""
    pacing = paced(clock, (2, 10))
    call(pacing, failed(RateLimited("no", retry_after_s=None)))
    assert times(pacing, 1) == [0]


def test_too_long_a_wait_is_refused_at_once(clock):
    """Unpaid, with the time to come back; nobody has waited, and the place is free again."""
    pacing = paced(clock, (1, 10), max_wait_s=5.0)
    call(pacing)
    clock.advance(3)
    for _ in range(3):
        with pytest.raises(RateLimited, match=r"max_wait_s \(5 s\): nothing was sent") as caught:
            call(pacing)
    assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, True)
    assert caught.value.retry_after_s == pytest.approx(7 + MARGIN_S)
    assert clock.slept == []
    clock.advance(3)
    assert times(pacing, 1) == [10]


def test_no_wait_at_all(clock):
    """With 0 a call is made now or refused."""
    pacing = paced(clock, (1, 10), max_wait_s=0)
    call(pacing)
    with pytest.raises(RateLimited):
        call(pacing)


def test_those_who_wait_are_counted_in():
    """The third in line knows that its turn comes too late, and does not wait for it."""
    clock = Shared()
    pacing = paced(clock, (1, 10), max_wait_s=25.0)

    def late(number):
        clock.sleep(number / 100)
        try:
            return int(call(pacing))
        except RateLimited as error:
            return error.retry_after_s

    found = clock.run(*(lambda number=number: late(number) for number in range(4)))
    assert found == [0, 10, 20, pytest.approx(30, abs=0.3)]


def test_a_deadline_is_kept(clock):
    """A call that could not be sent before it is refused, with a sentence."""
    pacing = paced(clock, (1, 10))
    call(pacing)
    with pytest.raises(RateLimited, match="longer than the call's deadline: nothing was sent"):
        call(pacing, until=10.0)
    assert int(call(pacing, until=11.0)) == 10


def test_a_verifier_is_held_back_within_its_deadline(clock):
    """The gate sees the caller's deadline; the error carries the attempt."""
    pacing = paced(clock, (1, 10))
    backend = FakeBackend()
    with FaceVerifier(backend, policies=[pacing], clock=clock) as verifier:
        verifier.verify(A, B)
        with pytest.raises(RateLimited) as caught:
            verifier.verify(A, B, deadline_s=3)
        assert caught.value.ids.call
        assert verifier.verify(A, B, deadline_s=30).is_match
    assert len(backend.calls) == 2
    assert backend.calls[1].deadline_s == pytest.approx(20 - MARGIN_S)


@pytest.mark.parametrize("says_so", [True, False])
@pytest.mark.parametrize(("count_from", "second"), [("sent", 10), ("ended", 18)])
def test_a_verifier_says_when_a_call_leaves(clock, says_so, count_from, second):
    """Its backend does, or it does so itself before it asks one that does not."""

    class Unseen(FakeBackend):
        reports_sent = False

        def match(self, call):
            return super().match(attrs.evolve(call, on_sent=lambda: None))

    backend = (FakeBackend if says_so else Unseen)(script=[lambda call: clock.advance(8)])
    pacing = paced(clock, (1, 10), count_from=count_from)
    with FaceVerifier(backend, policies=[pacing], clock=clock) as verifier:
        for _ in range(2):
            verifier.verify(A, B)
    assert int(clock.monotonic()) == second


@pytest.mark.parametrize(
    ("rate", "answer_s", "count_from", "share"),
    [
        ((2, 1), 2.0, "sent", 0.94),
        ((5, 1), 1.0, "sent", 0.94),
        ((1, 1), 1.5, "sent", 0.94),
        ((2, 1), 2.0, "ended", 0.3),
    ],
)
def test_a_rate_is_used_however_slow_the_answers(rate, answer_s, count_from, share):
    """All but the margin of it, in threads enough; from the ends of calls a third."""
    clock = Shared()
    pacing = paced(clock, rate, max_wait_s=1e6, count_from=count_from)

    def work():
        for _ in range(5):
            context = passage()
            leave = pacing.enter(context)
            pacing.sent(context)
            clock.sleep(answer_s)
            leave(ANSWERED)

    clock.run(*[work] * 20)
    allowed = rate[0] * (clock.monotonic() - answer_s) / rate[1]
    assert share <= 100 / allowed <= 1.1


def test_a_ctrl_c_while_waiting_frees_the_place(clock):
    """The next one does not wait for somebody who has gone."""
    pacing = paced(clock, (1, 10))
    call(pacing)

    def interrupted(seconds):
        raise KeyboardInterrupt

    clock.sleep, sleep = interrupted, clock.sleep
    with pytest.raises(KeyboardInterrupt):
        call(pacing)
    clock.sleep = sleep
    assert times(pacing, 1) == [10]


def test_who_is_lost_leaves_the_line(clock):
    """It counts as sent just now, for nobody knows."""
    pacing = paced(clock, (1, 10))
    leave = pacing.enter(passage())
    clock.advance(100)
    del leave
    gc.collect()
    assert times(pacing, 2) == [110, 120]


def test_didit_is_paced_as_published(clock):
    """300 calls at once; the next a minute later."""
    pacing = RateLimiter(DiditBackend.capabilities.rate_windows, clock=clock, max_wait_s=100)
    assert [int(call(pacing)) for _ in range(301)] == [0] * 300 + [60]


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
    """By what leaves; and from the ends of calls also whenever in between the vendor counts."""
    clock = Shared()
    pacing = paced(clock, *windows, max_wait_s=10_000, count_from=count_from)
    counted, started = [], []

    def work(chance):
        for _ in range(4):
            came = clock.monotonic()
            context = passage()
            leave = pacing.enter(context)
            started.append((came, clock.monotonic()))
            if count_from == "ended":
                pacing.sent(context)
            clock.sleep(chance.uniform(0, longest_s))
            pacing.sent(context)
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


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([], "at least one"),
        (RateWindow(1, 1), "must be a list of RateWindow"),
        (7, "must be a list of RateWindow"),
        ([(1, 1)], "must be a list of RateWindow"),
    ],
    ids=str,
)
def test_windows_are_checked(windows, message):
    """One sentence."""
    with pytest.raises(ConfigurationError, match=message):
        RateLimiter(windows)


@pytest.mark.parametrize("value", ["end", None, True], ids=str)
def test_what_is_counted_from_is_checked(value):
    """One of two words."""
    with pytest.raises(ConfigurationError, match="count_from must be"):
        RateLimiter([RateWindow(1, 1)], count_from=value)


@pytest.mark.parametrize("value", [-1, True, "5", float("nan"), float("inf")], ids=str)
def test_the_longest_wait_is_checked(value):
    """A number of seconds."""
    with pytest.raises(ConfigurationError, match="max_wait_s must be"):
        RateLimiter([RateWindow(1, 1)], max_wait_s=value)


@pytest.mark.parametrize(
    ("limit", "seconds", "message"),
    [
        (0, 60, "limit must be a whole number of calls, at least 1, not 0"),
        (True, 60, "not bool"),
        (2.5, 60, r"not 2\.5"),
        ("300", 60, "not str"),
        (300, 0, "seconds must be a number above 0, not 0"),
        (300, float("nan"), "not nan"),
        (300, True, "not bool"),
    ],
)
def test_a_window_is_checked(limit, seconds, message):
    """Whether a vendor's, a plug-in's or a caller's."""
    with pytest.raises(ConfigurationError, match=message):
        RateWindow(limit, seconds)


@pytest.mark.parametrize(
    ("windows", "settings", "held_s"),
    [
        ([(5, 10)], {}, 900),
        ([(5, 10), (100, 86400)], {}, 86400),
        ([(5, 10)], {"max_hold_s": 60}, 60),
    ],
)
def test_one_absurd_number_does_not_close_the_vendor(clock, windows, settings, held_s):
    """A vendor's word holds everybody back for a quarter of an hour, or its longest window."""
    pacing = paced(clock, *windows, max_wait_s=10**6, **settings)
    call(pacing, failed(RateLimited("slower", retry_after_s=999_999_999)))
    assert call(pacing) == pytest.approx(held_s, abs=0.1)


@pytest.mark.parametrize("value", [0, -1, "60", float("inf"), float("nan"), True])
def test_the_longest_hold_is_checked(value):
    """It is a number of seconds above 0."""
    with pytest.raises(ConfigurationError, match="RateLimiter: max_hold_s must be a number of"):
        RateLimiter([RateWindow(1, 1)], max_hold_s=value)
