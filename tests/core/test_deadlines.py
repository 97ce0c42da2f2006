"""The deadline of a call: whose it is, what it covers, and what goes on after it."""

import contextlib
import socket
import threading
import time

import pytest
from kit.deaf import deaf_host
from kit.fakes import FakeBackend, open_profile, picture

import facematch_core as fm
from facematch_core import backend as spi
from facematch_core import config
from facematch_core._cancellation import CANCELLATION, Cancellation
from facematch_core.clock import RateWindow
from facematch_core.resilience import RateLimiter, Retry
from facematch_core.testing import ManualClock

A, B = picture(), picture((9, 8, 7))


class Keeping(FakeBackend):
    """Keeps deadlines by itself, and takes so many seconds of a clock for each answer."""

    keeps_deadline = True

    def __init__(self, clock, seconds=0, **more):
        super().__init__(**more)
        self.clock, self.seconds, self.searched = clock, seconds, []

    def match(self, call):
        self.clock.advance(self.seconds)
        return super().match(call)

    def reconcile(self, call, *, deadline_s=None):
        self.searched.append(deadline_s)
        return super().reconcile(call, deadline_s=deadline_s)


@pytest.fixture
def clock():
    return ManualClock()


# Whose it is.


@pytest.mark.parametrize(
    ("default", "asked", "counts"), [(None, None, None), (5, None, 5), (5, 2, 2), (5, 9, 9)]
)
def test_that_of_a_call_goes_before_that_of_its_verifier(clock, default, asked, counts):
    backend = Keeping(clock)
    with fm.FaceVerifier(backend, deadline_s=default, clock=clock) as verifier:
        verifier.verify(A, B, deadline_s=asked)
        verifier.check_liveness(A, deadline_s=asked)
        call = verifier.verify(A, B, retention=fm.Retention.KEEP)
        record = fm.CallRecord(
            id=call.ids.call,
            operation=fm.Operation.MATCH,
            backend=backend.name,
            started_at=clock.now(),
            kept=True,
        )
        verifier.reconcile(record, deadline_s=asked)
    assert [call.deadline_s for call in backend.calls[:2]] == [counts, counts]
    assert backend.searched == [counts]


@pytest.mark.parametrize("wrong", [0, -1, True, "3", float("inf")])
def test_one_that_is_none_is_refused_at_once(wrong):
    for make in (
        lambda: fm.FaceVerifier(FakeBackend(), deadline_s=wrong),
        lambda: fm.Failover([fm.FaceVerifier(FakeBackend())], deadline_s=wrong),
    ):
        with pytest.raises(fm.ConfigurationError, match="deadline_s"):
            make()


@pytest.mark.parametrize("of_failover", [True, False])
def test_it_covers_both_calls_of_verify_live(clock, of_failover):
    backend = Keeping(clock, script=[lambda _: clock.advance(3)])
    own = {} if of_failover else {"deadline_s": 5}
    verifier = fm.FaceVerifier(backend, clock=clock, **own)
    if of_failover:
        verifier = fm.Failover({"a": verifier}, deadline_s=5, clock=clock)
    verifier.verify_live(A, B)
    assert [call.deadline_s for call in backend.calls] == [5, 2]


@pytest.mark.parametrize(("default", "asked", "left"), [(20, None, [20, 10]), (30, 15, [15, 5])])
def test_that_of_a_failover_covers_all_members(clock, default, asked, left):
    """Also where the members have others of their own."""
    down = fm.VendorUnavailable("down")
    backends = [Keeping(clock, 10, script=[down]), Keeping(clock)]
    members = [fm.FaceVerifier(one, deadline_s=3, clock=clock) for one in backends]
    both = fm.Failover(dict(zip("ab", members, strict=True)), deadline_s=default, clock=clock)
    both.verify(A, B, deadline_s=asked)
    assert [one.calls[0].deadline_s for one in backends] == left


def test_without_one_each_members_own_counts_from_when_it_is_asked(clock):
    down = fm.VendorUnavailable("down")
    backends = [Keeping(clock, 10, script=[down]), Keeping(clock)]
    members = [fm.FaceVerifier(one, deadline_s=12, clock=clock) for one in backends]
    fm.Failover(dict(zip("ab", members, strict=True)), clock=clock).verify(A, B)
    assert [one.calls[0].deadline_s for one in backends] == [12, 12]
    assert {one.calls[0].send_within_s for one in backends} == {None}


class One(FakeBackend):
    """As a profile names it."""

    name = "one"
    keeps_deadline = True


@pytest.mark.parametrize(
    ("profile", "argument", "asked"),
    [("shop", None, 7), ("shop", 4, 4), ("ha", None, 9), ("ha", 4, 4), ("plain", None, None)],
)
def test_a_profile_has_one(monkeypatch, tmp_path, profile, argument, asked):
    """Of a verifier and of a failover; an argument goes before it."""
    monkeypatch.setattr(config, "backend_class", lambda _: One)
    profiles = {
        "plain": {"backend": "one"},
        "shop": {"backend": "one", "deadline_s": 7.0},
        "ha": {"members": ["shop", "plain"], "deadline_s": 9},
    }
    given = {} if argument is None else {"deadline_s": argument}
    with contextlib.ExitStack() as at_end:
        verifier = open_profile(at_end, tmp_path, "shop", profiles, profile, **given)
        verifier.verify(A, B)
        first = verifier.members["shop"] if profile == "ha" else verifier
        left = first.backend.calls[0].deadline_s
    assert left is None if asked is None else asked - 2 < left <= asked


@pytest.mark.parametrize("profile", ["shop", "ha"])
def test_a_profiles_own_is_a_number_above_0(monkeypatch, tmp_path, profile):
    monkeypatch.setattr(config, "backend_class", lambda _: One)
    profiles = {"shop": {"backend": "one"}, "ha": {"members": ["shop"]}}
    profiles[profile]["deadline_s"] = 0
    with (
        contextlib.ExitStack() as at_end,
        pytest.raises(fm.ConfigurationError, match=rf"\[profiles.{profile}\].*deadline_s"),
    ):
        open_profile(at_end, tmp_path, "shop", profiles)


@pytest.mark.parametrize("reports", [True, False])
def test_its_error_names_the_callers_number(clock, reports):
    """Not what was left of it after a first try."""
    release = threading.Event()

    class Hanging(FakeBackend):
        reports_sent = reports

        def match(self, call):
            if len(self.calls) > 0:
                release.wait(20)
            return super().match(call)

    backend = Hanging(script=[fm.RateLimited("wait")])
    verifier = fm.FaceVerifier(backend, retry=Retry(first_s=0.001), clock=fm.SystemClock())
    with pytest.raises((fm.VendorUnavailable, fm.DeadlineExceeded), match=r"\b0\.25 s\b"):
        verifier.verify(A, B, deadline_s=0.25)
    release.set()


# The share of a failover's member.


@pytest.fixture
def deaf():
    """The address of a host that takes no connections: its queue is full."""
    with deaf_host() as address:
        yield address


class Connecting(FakeBackend):
    """A client of its own, which knows no deadline."""

    def __init__(self, address, **more):
        super().__init__(**more)
        self.address = address

    def match(self, call):
        with socket.create_connection(self.address, timeout=20):
            return super().match(call)


def test_who_takes_no_connections_leaves_time_for_the_next(deaf):
    first = fm.FaceVerifier(Connecting(deaf))
    began = time.monotonic()
    both = fm.Failover({"a": first, "b": fm.FaceVerifier(FakeBackend())})
    result = both.verify(A, B, deadline_s=1.5)
    assert time.monotonic() - began < 1.5
    assert [one.backend for one in result.route.skipped] == ["a"]
    assert result.route.skipped[0].reason == "VendorUnavailable"
    assert result.route.answered_by == "b"


def test_each_but_the_last_has_a_share_of_what_is_left(clock):
    down = fm.VendorUnavailable("down")
    backends = [Keeping(clock, 2, script=[down]), Keeping(clock, 3, script=[down]), Keeping(clock)]
    members = [fm.FaceVerifier(one, clock=clock) for one in backends]
    fm.Failover(dict(zip("abc", members, strict=True)), clock=clock).verify(A, B, deadline_s=12)
    assert [one.calls[0].send_within_s for one in backends] == [4, 5, None]
    assert [one.calls[0].deadline_s for one in backends] == [12, 10, 7]


def test_who_cannot_take_the_call_has_no_share(clock):
    """It is passed over before anybody is asked."""
    narrow = FakeBackend(operations=frozenset({fm.Operation.LIVENESS}))
    last = Keeping(clock)
    members = {"a": fm.FaceVerifier(last, clock=clock), "b": fm.FaceVerifier(narrow)}
    fm.Failover(members, clock=clock).verify(A, B, deadline_s=12)
    assert last.calls[0].send_within_s is None


@pytest.mark.parametrize("answers", [True, False])
def test_what_left_within_the_share_has_the_whole_deadline(answers):
    """It may be charged, so nobody else is asked, however long the answer takes."""
    release = threading.Event()

    def wait(_):
        release.wait(0.5 if answers else 20)

    slow = FakeBackend(script=[wait])
    spare = FakeBackend()
    both = fm.Failover({"a": fm.FaceVerifier(slow), "b": fm.FaceVerifier(spare)})
    if answers:
        assert both.verify(A, B, deadline_s=0.8).route.answered_by == "a"
    else:
        with pytest.raises(fm.DeadlineExceeded):
            both.verify(A, B, deadline_s=0.4)
    release.set()
    assert spare.calls == []


def test_an_engine_has_no_share():
    """Nothing of it is sent, so there is nothing to be late with."""
    engine = Engine()
    threading.Timer(0.8, engine.release.set).start()
    both = fm.Failover({"a": fm.FaceVerifier(engine), "b": fm.FaceVerifier(FakeBackend())})
    assert both.verify(A, B, deadline_s=1.2).route.answered_by == "a"


def test_a_wait_for_the_rate_is_within_the_share(clock):
    """No byte has left, so the next member is asked instead."""
    limiter = RateLimiter((RateWindow(1, 8),), clock=clock)
    busy, spare = Keeping(clock), Keeping(clock)
    first = fm.FaceVerifier(busy, policies=[limiter], clock=clock)
    first.verify(A, B)
    both = fm.Failover({"a": first, "b": fm.FaceVerifier(spare, clock=clock)}, clock=clock)
    assert both.verify(A, B, deadline_s=12).route.answered_by == "b"
    assert clock.slept == []
    assert both.verify(A, B, deadline_s=20).route.answered_by == "a"


# What goes on after it.


class Engine(spi.EngineBackend):
    """Compares until it is released, and counts how many comparisons are under way."""

    name = "engine"
    capabilities = spi.Capabilities(score_scale="engine/v1", default_threshold=50.0)

    def __init__(self):
        self.release, self.lock = threading.Event(), threading.Lock()
        self.under_way = self.most = 0

    def compare(self, call):
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.release.wait(20)
        with self.lock:
            self.under_way -= 1
        return spi.Compared(score=60.0)


def test_what_is_left_behind_can_be_waited_for():
    """Whoever limits how many calls there are counts it until its thread ends."""
    engine, cancellation = Engine(), Cancellation()
    token = CANCELLATION.set(cancellation)
    try:
        with pytest.raises(fm.VendorUnavailable):
            fm.FaceVerifier(engine).verify(A, B, deadline_s=0.1)
    finally:
        CANCELLATION.reset(token)
    (running,) = cancellation.left_behind
    assert not running.done()
    engine.release.set()
    running.result(timeout=20)
    assert engine.under_way == 0


def test_few_calls_are_left_behind():
    """The next one waits for one of them to end, within its own deadline."""
    engine = Engine()
    verifier = fm.FaceVerifier(engine)
    for _ in range(12):
        with pytest.raises(fm.VendorUnavailable):
            verifier.verify(A, B, deadline_s=0.02)
    assert engine.most == 8
    threading.Timer(0.1, engine.release.set).start()
    assert verifier.verify(A, B, deadline_s=20).is_match


def test_a_byte_that_leaves_at_the_last_moment_has_left(monkeypatch):
    """The thread is let go, and then it takes a while until it says so: the bill is open."""
    committed, go_on = threading.Event(), threading.Event()
    commit = Cancellation.commit

    def slow(self):
        commit(self)
        committed.set()
        go_on.wait(20)

    monkeypatch.setattr(Cancellation, "commit", slow)
    left, events = threading.Event(), []

    class Sending(FakeBackend):
        def match(self, call):
            call.on_sent()
            left.set()

    with pytest.raises(fm.DeadlineExceeded) as caught:
        fm.FaceVerifier(Sending(), on_event=events.append).verify(A, B, deadline_s=0.1)
    assert committed.is_set()
    assert caught.value.billing.charged is fm.Charged.UNKNOWN
    go_on.set()
    assert left.wait(20)
    kinds = [event.kind for event in events]
    assert kinds == [fm.EventKind.STARTED, fm.EventKind.SENT, fm.EventKind.UNKNOWN]
