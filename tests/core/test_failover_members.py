import pytest
from kit.fakes import FakeBackend, found_match, picture

import facematch_core as fm
from facematch_core.testing import ManualClock

A, B = picture(), picture((10, 20, 30))


class Other(FakeBackend):
    name = "other"


class Records(FakeBackend):
    def reconcile(self, attempt, *, deadline):
        self.calls.append((attempt, deadline.limit_s))
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(attempt)


def find_call(attempt):
    return found_match(attempt, 90)


def not_yet(attempt):
    return fm.Reconciliation(outcome=fm.Reconciled.NOT_YET, call=attempt, reason="not there")


def cannot_know(attempt):
    return fm.Reconciliation(outcome=fm.Reconciled.CANNOT_KNOW, call=attempt, reason="no idea")


def test_it_is_a_verifier_that_shows_its_members_and_nothing_of_them():
    shop, backup = fm.FaceVerifier(FakeBackend()), fm.FaceVerifier(Other())
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
def test_odd_members_are_refused_when_it_is_made(members):
    with pytest.raises(fm.ConfigurationError):
        fm.Failover(members(fm.FaceVerifier(FakeBackend())))


LIVENESS = ("liveness_threshold", "liveness_review_threshold")


@pytest.mark.parametrize("call", ["verify", "check_liveness", "verify_live"])
def test_two_scales_have_no_single_threshold(call):
    backend = FakeBackend()
    verifier = fm.Failover({"shop": fm.FaceVerifier(backend)})
    pictures = (A, B) if call.startswith("verify") else (A,)
    for option in ("threshold", "review_threshold", *(LIVENESS if call == "verify_live" else ())):
        with pytest.raises(fm.InvalidRequest, match=rf"no single {option}.*'shop'"):
            getattr(verifier, call)(*pictures, **{option: 60})
    assert backend.calls == []


@pytest.mark.parametrize(
    "thresholds", [{"shpo": 50}, {7: 50}, 50, {"shop": "50"}, {"backup": 101}], ids=str
)
def test_odd_thresholds_are_refused_at_once_also_of_a_member_that_would_not_be_asked(thresholds):
    first = FakeBackend()
    members = {"shop": fm.FaceVerifier(first), "backup": fm.FaceVerifier(FakeBackend())}
    with pytest.raises(fm.InvalidRequest):
        fm.Failover(members).verify(A, B, threshold=thresholds)
    assert first.calls == []


def test_closing_closes_every_member_also_if_one_fails_at_it():

    class Sick(FakeBackend):
        def close(self):
            raise RuntimeError("stuck")

    first, last = FakeBackend(), FakeBackend()
    backends = {"a": first, "b": Sick(), "c": last}
    verifier = fm.Failover({name: fm.FaceVerifier(backend) for name, backend in backends.items()})
    with pytest.raises(RuntimeError):
        verifier.close()
    assert (first.closed, last.closed) == (1, 1)
    with pytest.raises(fm.ConfigurationError):
        verifier.verify(A, B)
    with fm.Failover([fm.FaceVerifier(first)]):
        pass
    assert first.closed == 2


def lost(backend):
    backend.script.append(fm.OutcomeUnknown("lost", reconcilable=True))
    with pytest.raises(fm.OutcomeUnknown) as caught:
        fm.FaceVerifier(backend).verify(A, B, retention=fm.Retention.KEEP)
    return caught.value


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (find_call, None, fm.Reconciled.FOUND),
        (not_yet, find_call, fm.Reconciled.FOUND),
        (fm.RateLimited("x"), find_call, fm.Reconciled.FOUND),
        (not_yet, not_yet, fm.Reconciled.NOT_YET),
        (not_yet, cannot_know, fm.Reconciled.CANNOT_KNOW),
        (cannot_know, not_yet, fm.Reconciled.CANNOT_KNOW),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_a_lost_call_is_looked_for_in_every_account_of_its_vendor(first, second, outcome):
    error = lost(Records())
    members = {
        "other": Other(),
        "one": Records(script=[first]),
        "two": Records(script=[second] if second else []),
    }
    verifier = fm.Failover({name: fm.FaceVerifier(backend) for name, backend in members.items()})
    answer = verifier.reconcile(error)
    assert answer.outcome is outcome
    if outcome is fm.Reconciled.FOUND:
        assert answer.result.route.answered_by == ("two" if second else "one")
        assert answer.result.is_match
    assert members["other"].calls == []


def test_records_that_cannot_be_read_are_an_error_unless_another_account_has_the_call():
    """Else "not yet" would not be known."""
    error = lost(Records())
    members = {"one": Records(script=[fm.RateLimited("x")]), "two": Records(script=[not_yet])}
    with pytest.raises(fm.RateLimited):
        fm.Failover({name: fm.FaceVerifier(b) for name, b in members.items()}).reconcile(error)
    assert len(members["two"].calls) == 1


def test_all_members_together_look_no_longer_than_the_deadline():
    error, clock = lost(Records()), ManualClock()

    def search(attempt):
        clock.advance(7)
        return not_yet(attempt)

    backends = [Records(script=[search]) for _ in range(3)]
    members = {str(index): fm.FaceVerifier(b, clock=clock) for index, b in enumerate(backends)}
    fm.Failover(members, clock=clock).reconcile(error, deadline_s=10)
    first, second, third = ([limit_s for _, limit_s in backend.calls] for backend in backends)
    assert (first, second) == ([10], [3])
    assert all(limit_s < 1 for limit_s in third), "too late to be asked for long"


def test_a_call_of_another_vendor_is_not_looked_for():
    error = lost(Records())
    for wrong in (error, "x"):
        with pytest.raises(fm.InvalidRequest):
            fm.Failover([fm.FaceVerifier(Other())]).reconcile(wrong)
    attempt = fm.CallRecord.from_dict(error.call.to_dict())
    answer = fm.Failover([fm.FaceVerifier(Records(script=[find_call]))]).reconcile(
        attempt, deadline_s=9
    )
    assert answer.outcome is fm.Reconciled.FOUND
