from functools import partial

import pytest
from kit.attempts import new_record
from kit.fakes import PROBE, REFERENCE, FakeBackend, open_profile

import facematch_core as fm
from facematch_core.base.deadline import RateWindow
from facematch_core.config import opening as config
from facematch_core.resilience import Policy, RateLimiter


class Keeping(FakeBackend):
    """Keeps deadlines by itself, and takes so many seconds of a clock for each answer."""

    keeps_deadline = True

    def __init__(self, clock, seconds=0, **options):
        super().__init__(**options)
        self.clock = clock
        self.seconds = seconds
        self.searched = []

    def match(self, request):
        try:
            return super().match(request)
        finally:
            self.clock.advance(self.seconds)

    def reconcile(self, call, *, deadline):
        self.searched.append(deadline.timeout_s())
        return super().reconcile(call, deadline=deadline)


def failover(clock, *backends, deadline_s=None, member_deadline_s=None):
    """Members a, b, c over backends, on one clock; each with a deadline of its `own`."""
    members = [
        fm.FaceVerifier(backend, deadline_s=member_deadline_s, clock=clock) for backend in backends
    ]
    return fm.Failover(dict(zip("abc", members, strict=False)), deadline_s=deadline_s, clock=clock)


def limits_of(backends):
    """How many seconds each was given; None for one that was not asked."""
    return [backend.times[0][0] if backend.times else None for backend in backends]


# Whose it is


@pytest.mark.parametrize(
    ("default", "argument_s", "counts"), [(None, None, None), (5, None, 5), (5, 9, 9)]
)
def test_deadline_of_a_call_overrides_the_verifiers(clock, default, argument_s, counts):
    backend = Keeping(clock)
    with fm.FaceVerifier(backend, deadline_s=default, clock=clock) as verifier:
        verifier.verify(PROBE, REFERENCE, deadline_s=argument_s)
        verifier.check_liveness(PROBE, deadline_s=argument_s)
        record = new_record(retention=fm.Retention.KEEP, started_at=clock.now())
        verifier.reconcile(record, deadline_s=argument_s)
    assert [seconds for seconds, _ in backend.times] == [counts, counts]
    assert backend.searched == [counts]


def test_invalid_deadline_is_refused_at_construction():
    with pytest.raises(fm.ConfigurationError):
        fm.FaceVerifier(FakeBackend(), deadline_s=0)
    with pytest.raises(fm.ConfigurationError):
        fm.Failover([fm.FaceVerifier(FakeBackend())], deadline_s=0)


@pytest.mark.parametrize("of_failover", [True, False])
def test_deadline_covers_both_calls_of_verify_live_and_keeps_liveness(clock, of_failover):
    backend = Keeping(clock, script=[lambda _: clock.advance(3)])
    verifier = fm.FaceVerifier(backend, clock=clock, deadline_s=None if of_failover else 5)
    if of_failover:
        verifier = fm.Failover({"a": verifier}, deadline_s=5, clock=clock)
    verifier.verify_live(PROBE, REFERENCE)
    assert [seconds for seconds, _ in backend.times] == [5, 2]
    backend.script = [lambda _: clock.advance(5)]
    with pytest.raises(fm.VendorUnavailable) as caught:
        verifier.verify_live(PROBE, REFERENCE)
    assert (caught.value.billing.charged, caught.value.retryable) == (fm.Charged.NO, False)
    assert caught.value.liveness.is_live
    assert len(backend.calls) == 3


@pytest.mark.parametrize(
    ("default", "argument_s", "limits"),
    [(20, None, [20, 10, None]), (30, 15, [15, 5, None]), (30, None, [30, 20, 10])],
)
def test_failover_deadline_covers_all_members_and_overrides_theirs(
    clock, default, argument_s, limits
):
    backends = [Keeping(clock, 10, script=[fm.VendorUnavailable(name)]) for name in "abc"]
    group = failover(clock, *backends, deadline_s=default, member_deadline_s=3)
    with pytest.raises(fm.VendorUnavailable) as caught:
        group.verify(PROBE, REFERENCE, deadline_s=argument_s)
    assert limits_of(backends) == limits
    # Of two that are left, each has half of the time.
    assert backends[1].times[0][1] == limits[1] / 2
    skipped = [each.backend for each in caught.value.route.skipped]
    assert skipped == list("abc")[: 3 - limits.count(None)]


@pytest.fixture
def opened(monkeypatch, tmp_path, at_end):
    shop = type("ShopBackend", (FakeBackend,), {"name": "one", "keeps_deadline": True})
    monkeypatch.setattr(config, "backend_class", lambda _: shop)
    return partial(open_profile, at_end, tmp_path, "shop")


@pytest.mark.parametrize(
    ("profile", "argument", "expected_s"),
    [
        ("shop", {}, 7),
        ("shop", {"deadline_s": 4}, 4),
        ("ha", {}, 9),
    ],
)
def test_deadline_argument_overrides_the_profiles_deadline(opened, profile, argument, expected_s):
    profiles = {
        "plain": {"backend": "one"},
        "shop": {"backend": "one", "deadline_s": 7.0},
        "ha": {"members": ["shop", "plain"], "deadline_s": 9},
    }
    verifier = opened(profiles, profile, **argument)
    verifier.verify(PROBE, REFERENCE)
    asked_verifier = verifier.members["shop"] if profile == "ha" else verifier
    (limit_s,) = limits_of([asked_verifier.backend])
    assert expected_s - 2 < limit_s <= expected_s


# The share of a failover's member


def test_incapable_member_gets_no_share_of_the_deadline(clock):
    narrow = FakeBackend(operations=frozenset({fm.Operation.LIVENESS}))
    capable = Keeping(clock)
    failover(clock, capable, narrow).verify(PROBE, REFERENCE, deadline_s=12)
    assert capable.times[0][1] is None


def test_rate_limit_wait_must_fit_into_the_members_share(clock):
    limiter = RateLimiter(RateWindow(1, 8), clock=clock)
    limited = fm.FaceVerifier(Keeping(clock), policies=[limiter], clock=clock)
    limited.verify(PROBE, REFERENCE)
    spare = fm.FaceVerifier(Keeping(clock), clock=clock)
    group = fm.Failover({"a": limited, "b": spare}, clock=clock)
    assert group.verify(PROBE, REFERENCE, deadline_s=12).route.answered_by == "b"
    assert clock.slept == []
    assert group.verify(PROBE, REFERENCE, deadline_s=20).route.answered_by == "a"


# What goes on after it


def test_member_sends_nothing_after_its_share_of_the_deadline(clock):
    """A policy has waited through it: the time that is left is the next member's."""

    class Waits(Policy):
        def enter(self, context):
            clock.advance(5)
            return lambda _outcome: None

    late_backend = Keeping(clock)
    spare_backend = Keeping(clock)
    waiting = fm.FaceVerifier(late_backend, policies=[Waits()], clock=clock)
    members = {"a": waiting, "b": fm.FaceVerifier(spare_backend, clock=clock)}
    result = fm.Failover(members, clock=clock).verify(PROBE, REFERENCE, deadline_s=8)
    assert (result.route.answered_by, late_backend.calls, len(spare_backend.calls)) == ("b", [], 1)
