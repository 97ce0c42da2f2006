import threading

import pytest
from kit.fakes import (
    PROBE,
    REFERENCE,
    FakeBackend,
    FakeOptions,
    liveness_result,
    match_result,
)

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits


def build(error):
    extra = {
        fm.errors.EnvironmentMismatch: {"environment": fm.Environment.MOCK},
        fm.errors.Unsupported: {"backend": "fake", "what": "x"},
    }
    return error("said so", **extra.get(error, {}))


#: The whole tree: after which of its errors the next member is asked, and after which it is not.
PASSED_OVER = [
    fm.errors.InvalidImage,
    fm.errors.Unsupported,
    fm.errors.InsufficientCredit,
    fm.errors.RateLimited,
    fm.errors.VendorUnavailable,
    fm.errors.BreakerOpen,
]
RAISED = [
    fm.errors.FaceMatchError,
    fm.errors.ConfigurationError,
    fm.errors.BackendUnavailable,
    fm.errors.EnvironmentMismatch,
    fm.errors.InvalidRequest,
    fm.errors.BudgetExceeded,
    fm.errors.StoreUnavailable,
    fm.errors.VendorError,
    fm.errors.RequestRejected,
    fm.errors.AuthenticationFailed,
    fm.errors.PermissionDenied,
    fm.errors.OutcomeUnknown,
    fm.errors.DeadlineExceeded,
    fm.errors.UnexpectedResponse,
]

ASKED_AND_FREE = [error for error in PASSED_OVER if issubclass(error, fm.errors.VendorError)]


def named(error):
    return error.__name__


class Refusing(FakeBackend):
    def match(self, request):
        self.calls.append(request)
        raise self.script[0]


def failing(error):
    """A backend that ends with `error`: unsent, unless it comes from the vendor."""
    if issubclass(error, fm.errors.VendorError):
        return FakeBackend(script=[build(error)])
    return Refusing(script=[build(error)])


def skipped_members(route):
    return [skipped.backend for skipped in route.skipped]


def failover(*backends, **options):
    verifiers = [fm.FaceVerifier(backend) for backend in backends]
    return fm.Failover(dict(zip("abc", verifiers, strict=False)), **options)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("error", PASSED_OVER, ids=named)
def test_free_errors_fail_over_to_the_next_member(error, position):
    failing_backends = [failing(error) for _ in range(position + 1)]
    answering = FakeBackend()
    result = failover(*failing_backends, answering).verify(PROBE, REFERENCE)
    assert result.is_match
    assert result.route.answered_by == "abc"[position + 1]
    assert skipped_members(result.route) == list("abc"[: position + 1])
    assert {s.reason for s in result.route.skipped} == {error.__name__}
    assert len(answering.calls) == 1


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("error", RAISED, ids=named)
def test_caller_mistakes_and_possible_charges_do_not_fail_over(error, position):
    throttled = [FakeBackend(script=[fm.errors.RateLimited("x")]) for _ in range(position)]
    spare = FakeBackend()
    with pytest.raises(fm.FaceMatchError) as caught:
        failover(*throttled, failing(error), spare).verify(PROBE, REFERENCE)
    # What is sent and fails without a word on money is unknown to the verifier itself.
    assert isinstance(caught.value, (error, fm.errors.OutcomeUnknown))
    assert spare.calls == []
    assert skipped_members(caught.value.route) == list("abc"[: position + 1])
    assert caught.value.route.skipped[-1].reason == type(caught.value).__name__


@pytest.mark.parametrize("error", [fm.AuthenticationFailed, fm.PermissionDenied], ids=named)
def test_a_rejected_key_is_logged_with_the_members_name(error, caplog):
    with pytest.raises(error):
        failover(failing(error), FakeBackend()).verify(PROBE, REFERENCE)
    (record,) = (each for each in caplog.records if each.levelname == "WARNING")
    assert "member a" in record.getMessage()
    assert error.__name__ in record.getMessage()


@pytest.mark.parametrize("billed", [fm.Charged.YES, fm.Charged.UNKNOWN])
@pytest.mark.parametrize("error", ASKED_AND_FREE, ids=named)
def test_error_that_may_be_charged_does_not_fail_over(error, billed):
    spare = FakeBackend()
    with pytest.raises(error) as caught:
        failover(FakeBackend(script=[error("x", billing=fm.Billing(billed))]), spare).verify(
            PROBE, REFERENCE
        )
    assert caught.value.billing.charged is billed
    assert spare.calls == []


@pytest.mark.parametrize("decision", [*fm.Decision, *fm.LivenessDecision])
def test_no_decision_fails_over(decision):
    spare = FakeBackend()
    if isinstance(decision, fm.Decision):
        verifier = failover(FakeBackend(script=[match_result(decision)]), spare)
        result = verifier.verify(PROBE, REFERENCE)
    else:
        verifier = failover(FakeBackend(script=[liveness_result(decision)]), spare)
        result = verifier.check_liveness(PROBE)
    assert (result.route.answered_by, result.route.skipped) == ("a", ())
    assert spare.calls == []


NARROW = {"image_limits": ImageLimits(formats={ImageFormat.HEIC})}


@pytest.mark.parametrize(
    ("options", "can", "error"),
    [
        ({"options": FakeOptions()}, {"options": None}, fm.Unsupported),
        ({}, NARROW, fm.InvalidImage),
    ],
    ids=["options", "HEIC"],
)
def test_incapable_member_is_skipped_without_a_call(options, can, error):
    """It is an error only if nobody can."""
    unable = FakeBackend(**can)
    able = FakeBackend()
    result = failover(unable, able).verify(PROBE, REFERENCE, **options)
    assert (unable.calls, result.route.answered_by) == ([], "b")
    assert result.route.skipped[0].reason == error.__name__
    with pytest.raises(error) as caught:
        failover(FakeBackend(**can), FakeBackend(**can)).verify(PROBE, REFERENCE, **options)
    assert skipped_members(caught.value.route) == ["a", "b"]


# A member whose calls keep failing

LOST = fm.OutcomeUnknown("503")


def test_member_is_skipped_for_30_s_after_five_failed_calls(clock):
    failing_backend = FakeBackend(script=[LOST] * 5 + [KeyboardInterrupt()])
    verifier = failover(failing_backend, FakeBackend(), clock=clock)
    for _ in range(5):
        with pytest.raises(fm.OutcomeUnknown):
            verifier.verify(PROBE, REFERENCE)
    route = verifier.verify(PROBE, REFERENCE).route
    assert (route.answered_by, route.skipped[0].reason) == ("b", "BreakerOpen")
    assert "OutcomeUnknown: 503" in route.skipped[0].message
    assert len(failing_backend.calls) == 5
    clock.advance(30)
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(PROBE, REFERENCE)  # which makes room for another probe
    assert verifier.verify(PROBE, REFERENCE).route.answered_by == "a"


def test_nothing_is_sent_if_every_member_is_skipped(clock):
    backends = [FakeBackend(script=[LOST] * 5) for _ in "ab"]
    verifier = failover(*backends, clock=clock)
    for _ in range(10):
        with pytest.raises(fm.OutcomeUnknown):
            verifier.verify(PROBE, REFERENCE)
    with pytest.raises(fm.errors.BreakerOpen) as caught:
        verifier.verify(PROBE, REFERENCE)
    assert caught.value.retry_after_s == 30
    assert [len(backend.calls) for backend in backends] == [5, 5]


# Both calls of verify_live


@pytest.mark.parametrize(
    ("can", "error"),
    [
        ({"operations": frozenset({fm.Operation.LIVENESS})}, fm.Unsupported),
        (NARROW, fm.InvalidImage),
    ],
)
def test_no_liveness_check_is_sent_if_no_member_can_compare(can, error):
    unable = FakeBackend(**can)
    also_unable = FakeBackend(**can)
    with pytest.raises(error) as caught:
        failover(unable, also_unable).verify_live(PROBE, REFERENCE)
    assert unable.calls == also_unable.calls == []
    assert skipped_members(caught.value.route) == ["a", "b"]
    assert (
        failover(unable, FakeBackend()).verify_live(PROBE, REFERENCE).match.route.answered_by == "b"
    )


# Events, batches, threads


def test_each_pair_of_a_batch_fails_over_separately():
    throttled = FakeBackend(script=[None, fm.errors.RateLimited("x"), None])
    pairs = [(PROBE, REFERENCE)] * 3
    outcomes = failover(throttled, FakeBackend()).verify_many(pairs, max_workers=1)
    assert [outcome.result.route.answered_by for outcome in outcomes] == ["a", "b", "a"]


def test_batch_refuses_an_unknown_option():
    with pytest.raises(fm.InvalidRequest):
        failover(FakeBackend()).verify_many([], threshhold=3)


# Members


class Other(FakeBackend):
    name = "other"


def test_failover_is_a_verifier_with_read_only_members():
    shop = fm.FaceVerifier(FakeBackend())
    backup = fm.FaceVerifier(Other())
    verifier = fm.Failover({"shop": shop, "backup": backup})
    assert isinstance(verifier, fm.Verifier)
    assert dict(verifier.members) == {"shop": shop, "backup": backup}
    assert repr(verifier) == "Failover(shop, backup)"
    assert list(fm.Failover([shop, backup]).members) == ["fake", "other"]
    with pytest.raises(TypeError):
        verifier.members["shop"] = backup


@pytest.mark.parametrize(
    "members",
    [
        lambda verifier: {},
        lambda verifier: [],
        lambda verifier: "shop",
        lambda verifier: {"a": FakeBackend()},
        lambda verifier: {"a": fm.Failover([verifier])},
        lambda verifier: [verifier, fm.FaceVerifier(FakeBackend())],
    ],
    ids=["none", "no list", "text", "backend", "failover", "one backend twice"],
)
def test_invalid_members_are_refused_at_construction(members):
    with pytest.raises(fm.ConfigurationError):
        fm.Failover(members(fm.FaceVerifier(FakeBackend())))


def test_failover_refuses_a_threshold_for_all_members():
    backend = FakeBackend()
    verifier = fm.Failover({"shop": fm.FaceVerifier(backend)})
    for option in ("threshold", "review_threshold", "liveness_threshold"):
        with pytest.raises(fm.InvalidRequest, match=f"takes no {option}"):
            verifier.verify_live(PROBE, REFERENCE, **{option: 60})
    with pytest.raises(fm.InvalidRequest, match="takes no threshold"):
        verifier.check_liveness(PROBE, threshold=60)
    assert backend.calls == []


def test_close_closes_every_member_even_if_one_fails():
    class Sick(FakeBackend):
        def close(self):
            raise RuntimeError("stuck")

    backends = [FakeBackend(), Sick(), FakeBackend()]
    members = dict(zip("abc", map(fm.FaceVerifier, backends), strict=True))
    with pytest.raises(RuntimeError), fm.Failover(members) as verifier:
        pass
    assert (backends[0].closed, backends[2].closed) == (1, 1)
    with pytest.raises(fm.ConfigurationError):
        verifier.verify(PROBE, REFERENCE)
    with pytest.raises(fm.ConfigurationError):
        verifier.reconcile(None)


def test_member_without_a_thread_fails_over(monkeypatch):
    start = threading.Thread.start

    def refuse_once(_thread):
        monkeypatch.setattr(threading.Thread, "start", start)
        raise RuntimeError("can't start new thread")

    first = FakeBackend()
    with failover(first, FakeBackend()) as verifier:
        monkeypatch.setattr(threading.Thread, "start", refuse_once)
        result = verifier.verify(PROBE, REFERENCE, deadline_s=20)
    assert (result.route.answered_by, first.calls) == ("b", [])
    (skipped,) = result.route.skipped
    assert skipped.reason == "VendorUnavailable"
