"""`Failover`: its members, their thresholds, looking for a lost call, closing and forking."""

import copy
import os
import pickle

import hypothesis
import pytest
from hypothesis import strategies as st
from kit.fakes import FakeBackend, found_match, picture
from kit.strategies import percentages

import facematch_core as fm

A, B = picture(), picture((10, 20, 30))


class Other(FakeBackend):
    """Another vendor, with a scale of its own."""

    name = "other"


class Records(FakeBackend):
    """A vendor whose records say what `script` holds."""

    def reconcile(self, attempt, *, deadline_s=None):
        self.calls.append((attempt, deadline_s))
        said = self.script.pop(0)
        if isinstance(said, Exception):
            raise said
        return said(attempt)


def found(attempt):
    return found_match(attempt, 90)


def not_yet(attempt):
    return fm.Reconciliation(outcome=fm.Reconciled.NOT_YET, call=attempt, reason="not there")


def cannot_know(attempt):
    return fm.Reconciliation(outcome=fm.Reconciled.CANNOT_KNOW, call=attempt, reason="no idea")


def test_what_it_is():
    """A `Verifier`, as `FaceVerifier` is one; it shows its members and nothing of them."""
    shop, backup = fm.FaceVerifier(FakeBackend()), fm.FaceVerifier(Other())
    verifier = fm.Failover({"shop": shop, "backup": backup})
    assert isinstance(verifier, fm.Verifier)
    assert isinstance(shop, fm.Verifier)
    assert dict(verifier.members) == {"shop": shop, "backup": backup}
    assert repr(verifier) == "Failover(shop, backup)"
    assert list(fm.Failover([shop, backup]).members) == ["fake", "other"]
    with pytest.raises(TypeError):
        verifier.members["shop"] = backup


@pytest.mark.parametrize(
    ("members", "says"),
    [
        (lambda one: {}, "at least one member"),
        (lambda one: [], "at least one member"),
        (lambda one: "shop", "must be a FaceVerifier, not str"),
        (lambda one: {"a": FakeBackend()}, "must be a FaceVerifier, not FakeBackend"),
        (lambda one: {"a": fm.Failover([one])}, "failovers cannot be nested"),
        (lambda one: [one, fm.FaceVerifier(FakeBackend())], "ask the same backend: name them"),
    ],
)
def test_odd_members(members, says):
    """One sentence each, when it is made."""
    with pytest.raises(fm.ConfigurationError, match=says):
        fm.Failover(members(fm.FaceVerifier(FakeBackend())))


@pytest.mark.parametrize("call", ["verify", "check_liveness", "verify_live"])
@pytest.mark.parametrize("option", ["threshold", "review_threshold"])
def test_no_single_threshold(call, option):
    """Two scales do not compare; the sentence says what to write instead."""
    backend = FakeBackend()
    verifier = fm.Failover({"shop": fm.FaceVerifier(backend)})
    pictures = (A, B) if call.startswith("verify") else (A,)
    with pytest.raises(fm.InvalidRequest, match=rf"no single {option}.*{option}=.*'shop'"):
        getattr(verifier, call)(*pictures, **{option: 60})
    assert backend.calls == []


@pytest.mark.parametrize("option", ["liveness_threshold", "liveness_review_threshold"])
def test_no_single_liveness_threshold(option):
    """Nor for the liveness scores."""
    with pytest.raises(fm.InvalidRequest, match=f"no single {option}"):
        fm.Failover({"shop": fm.FaceVerifier(FakeBackend())}).verify_live(A, B, **{option: 60})


@pytest.mark.parametrize("member", ["shop", "backup"])
def test_each_member_has_its_own_threshold(member):
    """The call's for that member, else its profile's; a review threshold likewise."""
    script = [fm.RateLimited("x")] if member == "backup" else []
    verifier = fm.Failover(
        {
            "shop": fm.FaceVerifier(FakeBackend(script=script), threshold=40),
            "backup": fm.FaceVerifier(FakeBackend(), threshold=70, review_threshold=75),
        }
    )
    plain = verifier.verify(A, B)
    assert plain.threshold.value == {"shop": 40, "backup": 70}[member]
    assert plain.threshold.source is fm.ThresholdSource.PROFILE
    script = [fm.RateLimited("x")] if member == "backup" else []
    verifier.members["shop"].backend.script.extend(script)
    given = {"threshold": {"shop": 41, "backup": 71}, "review_threshold": {member: 99}}
    result = verifier.verify(A, B, **given)
    assert result.threshold.value == {"shop": 41, "backup": 71}[member]
    assert (result.threshold.source, result.decision) == (fm.ThresholdSource.CALLER, "review")


def test_thresholds_of_both_calls():
    """Of liveness and of the comparison, for the member that answers."""
    backend = FakeBackend()
    fm.Failover({"shop": fm.FaceVerifier(backend)}).verify_live(
        A,
        B,
        threshold={"shop": 61},
        review_threshold={"shop": 62},
        liveness_threshold={"shop": 63},
        liveness_review_threshold={"shop": 64},
    )
    assert [call.threshold.value for call in backend.calls] == [63, 61]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"shpo": 50}, "did you mean shop"),
        ({7: 50}, "names no member '7'"),
        (50, "no single threshold"),
        ({"shop": "50"}, "threshold must be a number"),
        ({"backup": 101}, "0 and 100|0 to 100"),
    ],
    ids=str,
)
def test_odd_thresholds(given, says):
    """Refused at once, also those of a member that would not have been asked."""
    first = FakeBackend()
    members = {"shop": fm.FaceVerifier(first), "backup": fm.FaceVerifier(FakeBackend())}
    with pytest.raises(fm.InvalidRequest, match=says):
        fm.Failover(members).verify(A, B, threshold=given)
    assert first.calls == []


@pytest.mark.filterwarnings("ignore::facematch_core.ScaleWarning")
@hypothesis.given(shop=percentages, backup=percentages, fails=st.booleans())
def test_no_threshold_reaches_another_member(shop, backup, fails):
    """Whatever the numbers."""
    first = FakeBackend(script=[fm.RateLimited("x")] if fails else [])
    members = {"shop": fm.FaceVerifier(first), "backup": fm.FaceVerifier(FakeBackend())}
    result = fm.Failover(members).verify(A, B, threshold={"shop": shop, "backup": backup})
    assert result.route.answered_by == ("backup" if fails else "shop")
    assert result.threshold.value == (backup if fails else shop)


def test_a_result_and_an_error_survive_a_queue():
    """With who answered and who did not."""
    down = fm.FaceVerifier(FakeBackend(script=[fm.VendorUnavailable("down")] * 2))
    up = fm.FaceVerifier(FakeBackend())
    result = fm.Failover({"shop": down, "backup": up}).verify(A, B)
    assert pickle.loads(pickle.dumps(result)) == result
    assert type(result).from_dict(result.to_dict()).route.skipped == result.route.skipped
    with pytest.raises(fm.VendorUnavailable) as caught:
        fm.Failover({"shop": down}).verify(A, B)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.route.skipped == caught.value.route.skipped != ()
    assert copy.copy(caught.value).route.skipped == caught.value.route.skipped


def test_it_is_not_pickled():
    """Its members may hold keys and sockets."""
    verifier = fm.Failover([fm.FaceVerifier(FakeBackend())])
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="A Failover cannot be pickled"):
            copied(verifier)


def test_closing_closes_every_member():
    """Also if one of them fails at it; more than once is harmless, and use is refused."""

    class Sick(FakeBackend):
        def close(self):
            raise RuntimeError("stuck")

    first, last = FakeBackend(), FakeBackend()
    backends = {"a": first, "b": Sick(), "c": last}
    verifier = fm.Failover({name: fm.FaceVerifier(backend) for name, backend in backends.items()})
    with pytest.raises(RuntimeError, match="stuck"):
        verifier.close()
    assert (first.closed, last.closed) == (1, 1)
    with pytest.raises(fm.ConfigurationError, match="closed"):
        verifier.verify(A, B)
    with fm.Failover([fm.FaceVerifier(first)]):
        pass
    assert first.closed == 2


def test_after_a_fork():
    """A child process asks with the failover that its parent opened."""
    shared = fm.Failover(
        {
            "a": fm.FaceVerifier(FakeBackend(script=[fm.RateLimited("x")] * 2)),
            "b": fm.FaceVerifier(FakeBackend()),
        }
    )
    child = os.fork()
    if not child:
        # Whatever happens, the child must not go on as a second pytest.
        code = 1
        try:
            code = 0 if shared.verify(A, B).route.answered_by == "b" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert shared.verify(A, B).route.answered_by == "b"


def lost(backend):
    """What a verifier over `backend` raises when it loses an answer of a kept call."""
    backend.script.append(fm.OutcomeUnknown("lost", reconcilable=True))
    with pytest.raises(fm.OutcomeUnknown) as caught:
        fm.FaceVerifier(backend).verify(A, B, retention=fm.Retention.KEEP)
    return caught.value


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (found, None, fm.Reconciled.FOUND),
        (not_yet, found, fm.Reconciled.FOUND),
        (fm.RateLimited("x"), found, fm.Reconciled.FOUND),
        (not_yet, not_yet, fm.Reconciled.NOT_YET),
        (not_yet, cannot_know, fm.Reconciled.CANNOT_KNOW),
        (cannot_know, not_yet, fm.Reconciled.CANNOT_KNOW),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_a_lost_call_is_looked_for_in_every_account_of_its_vendor(first, second, outcome):
    """Until one has it; that nobody has it is told only if all could tell."""
    error = lost(Records())
    members = {
        "other": Other(),
        "one": Records(script=[first]),
        "two": Records(script=[second] if second else []),
    }
    verifier = fm.Failover({name: fm.FaceVerifier(backend) for name, backend in members.items()})
    told = verifier.reconcile(error)
    assert told.outcome is outcome
    if outcome is fm.Reconciled.FOUND:
        assert told.result.route.answered_by == ("two" if second else "one")
        assert told.result.is_match
    assert members["other"].calls == []


def test_records_that_cannot_be_read():
    """The error is raised if no other account has the call: "not yet" would not be known."""
    error = lost(Records())
    members = {"one": Records(script=[fm.RateLimited("x")]), "two": Records(script=[not_yet])}
    with pytest.raises(fm.RateLimited):
        fm.Failover({name: fm.FaceVerifier(b) for name, b in members.items()}).reconcile(error)
    assert len(members["two"].calls) == 1


def test_a_call_of_another_vendor():
    """Is not looked for, with the sentence of one verifier; an attempt serves as well."""
    error = lost(Records())
    with pytest.raises(fm.InvalidRequest, match="'fake', and this verifier calls other"):
        fm.Failover([fm.FaceVerifier(Other())]).reconcile(error)
    with pytest.raises(fm.InvalidRequest, match="takes a CallRecord"):
        fm.Failover([fm.FaceVerifier(Other())]).reconcile("x")
    attempt = fm.CallRecord.from_dict(error.call.to_dict())
    told = fm.Failover([fm.FaceVerifier(Records(script=[found]))]).reconcile(attempt, deadline_s=9)
    assert told.outcome is fm.Reconciled.FOUND
