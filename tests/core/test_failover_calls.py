"""`Failover`: both calls of `verify_live`, events, deadlines, batches, threads."""

import threading

import pytest
from kit.fakes import FakeBackend, liveness_result, picture

from facematch_core import (
    Charged,
    DeadlineExceeded,
    EventKind,
    FaceVerifier,
    Failover,
    ImageFormat,
    InvalidImage,
    InvalidRequest,
    LivenessDecision,
    Operation,
    Unsupported,
    errors,
)
from facematch_core.backend import ImageLimits
from facematch_core.testing import ManualClock

A, B = picture(), picture((10, 20, 30))


def failover(*backends):
    """Members a, b, c over backends."""
    return Failover(dict(zip("abc", map(FaceVerifier, backends), strict=False)))


@pytest.mark.parametrize("decision", [LivenessDecision.NOT_LIVE, LivenessDecision.INCONCLUSIVE])
def test_a_face_that_is_not_live_is_not_compared(decision):
    """By no member."""
    first, spare = FakeBackend(script=[liveness_result(decision)]), FakeBackend()
    assert failover(first, spare).verify_live(A, B).match is None
    assert (len(first.calls), spare.calls) == (1, [])


def test_each_call_of_verify_live_finds_its_member():
    """Liveness by one, the comparison by the other: both parts tell which."""
    first = FakeBackend(script=[None, errors.InsufficientCredit("empty")])
    second = FakeBackend()
    result = failover(first, second).verify_live(A, B)
    assert result.is_verified
    assert (result.liveness.route.answered_by, result.match.route.answered_by) == (
        "a",
        "b",
    )
    assert (result.liveness.route.skipped, result.match.route.skipped[0].reason) == (
        (),
        "InsufficientCredit",
    )


def test_a_member_without_liveness_compares():
    """A matcher of this machine is a second member for comparisons alone."""
    matcher = FakeBackend(operations=frozenset({Operation.MATCH}))
    vendor = FakeBackend(script=[None, errors.VendorUnavailable("down")])
    result = failover(vendor, matcher).verify_live(A, B)
    assert (result.liveness.route.answered_by, result.match.route.answered_by) == (
        "a",
        "b",
    )
    with pytest.raises(errors.VendorUnavailable) as caught:
        failover(FakeBackend(script=[errors.VendorUnavailable("down")]), matcher).check_liveness(A)
    assert [s.reason for s in caught.value.route.skipped] == [
        "VendorUnavailable",
        "Unsupported",
    ]


def test_liveness_is_not_paid_if_nobody_can_compare():
    """What would refuse the second call by every member is found before the first."""
    only_live = {"operations": frozenset({Operation.LIVENESS})}
    first, second = FakeBackend(**only_live), FakeBackend(**only_live)
    with pytest.raises(Unsupported) as caught:
        failover(first, second).verify_live(A, B)
    assert first.calls == second.calls == []
    assert [s.backend for s in caught.value.route.skipped] == ["a", "b"]


def test_liveness_is_not_paid_if_nobody_takes_the_reference():
    """Nor is it refused if one of the members takes it."""
    narrow = {"image_limits": ImageLimits(formats={ImageFormat.HEIC})}
    first, second = FakeBackend(**narrow), FakeBackend(**narrow)
    with pytest.raises(InvalidImage) as caught:
        failover(first, second).verify_live(A, B)
    assert first.calls == second.calls == []
    assert [s.backend for s in caught.value.route.skipped] == ["a", "b"]
    wide = FakeBackend()
    assert failover(first, wide).verify_live(A, B).match.route.answered_by == "b"


def test_a_paid_liveness_check_is_kept():
    """On the error of the comparison, as with one verifier."""
    first = FakeBackend(script=[None, errors.RateLimited("slow down")])
    second = FakeBackend(script=[errors.VendorUnavailable("down")])
    with pytest.raises(errors.VendorUnavailable) as caught:
        failover(first, second).verify_live(A, B)
    assert caught.value.liveness.route.answered_by == "a"
    assert caught.value.billing.charged is Charged.NO


def test_each_member_tells_its_own_events():
    """With an attempt id per member; nothing else is told."""
    told = []
    first = FaceVerifier(FakeBackend(script=[errors.RateLimited("x")]), on_event=told.append)
    second = FaceVerifier(FakeBackend(), on_event=told.append)
    result = Failover({"a": first, "b": second}).verify(A, B)
    assert [event.kind for event in told] == [
        *(EventKind.STARTED, EventKind.SENT, EventKind.REFUSED),
        *(EventKind.STARTED, EventKind.SENT, EventKind.ANSWERED, EventKind.CHARGED),
    ]
    assert {event.call_id for event in told[3:]} == {result.ids.call}
    assert len({event.call_id for event in told}) == 2


class Slow(FakeBackend):
    """Takes ten seconds of a clock for each answer."""

    def __init__(self, clock, **more):
        super().__init__(**more)
        self.clock = clock

    def match(self, call):
        self.clock.advance(10)
        return super().match(call)

    check_liveness = FakeBackend.check_liveness


def test_the_deadline_covers_all_members():
    """Each has what is left; when nothing is, nobody else is asked."""
    clock = ManualClock()
    backends = [Slow(clock, script=[errors.VendorUnavailable(name)]) for name in "ab"]
    last = Slow(clock)
    verifiers = [FaceVerifier(backend, clock=clock) for backend in (*backends, last)]
    members = dict(zip("abc", verifiers, strict=True))
    with pytest.raises(errors.VendorUnavailable, match=r"^b$") as caught:
        Failover(members, clock=clock).verify(A, B, deadline_s=15)
    assert [backend.calls[0].deadline_s for backend in backends] == [15, 5]
    assert last.calls == []
    assert [s.backend for s in caught.value.route.skipped] == ["a", "b"]


def test_the_members_may_have_other_clocks():
    """What is over is counted on the failover's."""
    ours, theirs = ManualClock(), ManualClock()
    theirs.advance(1000)
    first = Slow(ours, script=[errors.VendorUnavailable("down")])
    second = FakeBackend()
    members = {"a": FaceVerifier(first, clock=ours), "b": FaceVerifier(second, clock=theirs)}
    Failover(members, clock=ours).verify(A, B, deadline_s=15)
    assert second.calls[0].deadline_s == 5


def test_nothing_left_for_the_comparison():
    """The error says so, is free, and carries the paid liveness check."""
    clock = ManualClock()
    backend = FakeBackend(script=[lambda call: clock.advance(20) or liveness_result()])
    verifier = Failover({"a": FaceVerifier(backend, clock=clock)}, clock=clock)
    with pytest.raises(errors.VendorUnavailable, match="before anything was sent") as caught:
        verifier.verify_live(A, B, deadline_s=15)
    assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, False)
    assert caught.value.liveness.route.answered_by == "a"
    assert len(backend.calls) == 1


def test_a_deadline_that_ran_out_on_the_way_ends_the_call():
    """It may be charged."""
    spare = FakeBackend()
    with pytest.raises(DeadlineExceeded):
        failover(FakeBackend(script=[DeadlineExceeded("late")]), spare).verify(A, B, deadline_s=5)
    assert spare.calls == []


def test_many_pairs():
    """Each pair fails over for itself, in order."""
    first = FakeBackend(script=[None, errors.RateLimited("x"), None])
    outcomes = failover(first, FakeBackend()).verify_many([(A, B)] * 3, max_workers=1)
    assert [outcome.result.route.answered_by for outcome in outcomes] == ["a", "b", "a"]
    named_thresholds = failover(FakeBackend()).verify_many([(A, B)], threshold={"a": 90})
    assert [outcome.decision for outcome in named_thresholds] == ["no_match"]
    with pytest.raises(InvalidRequest, match="no option threshhold"):
        failover(first).verify_many([], threshhold=3)


def test_a_batch_survives_the_empty_account_of_the_second_member():
    """The first one is only throttled: the batch may go on, so `FATAL` is not what is raised."""
    first = FakeBackend(script=[errors.RateLimited("x"), None])
    second = FakeBackend(script=[errors.InsufficientCredit("empty")])
    outcomes = list(failover(first, second).verify_many([(A, B)] * 2, max_workers=1))
    assert [type(o.error).__name__ for o in outcomes] == ["RateLimited", "NoneType"]


def test_threads_share_it():
    """Each call has its own list of who was skipped."""
    first = FakeBackend(script=[errors.RateLimited("x")] * 40)
    shared = failover(first, FakeBackend())
    results = []

    def call():
        results.extend(shared.verify(A, B) for _ in range(10))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 80
    assert sum(r.route.answered_by == "b" for r in results) == 40
    assert all(len(r.route.skipped) == (r.route.answered_by == "b") for r in results)
