"""`FaceVerifier.reconcile`, and what a call leaves behind to be found by."""

import copy
import pickle

import attrs
import pytest
from kit.fakes import SCALE, FakeBackend, liveness_result, match_result, picture

import facematch_core as fm
from facematch_core.backend import CALL_ID_KEY
from facematch_core.testing import ManualClock

A, B = picture(), picture((10, 20, 30))


class Records(FakeBackend):
    """A fake whose vendor's records say what `told` makes of an attempt."""

    def __init__(self, told, **more):
        super().__init__(**more)
        self.told, self.asked = told, []

    def reconcile(self, attempt, *, deadline_s=None):
        self.asked.append((attempt, deadline_s))
        return self.told(attempt)


def test_a_paid_answer_from_elsewhere_can_be_looked_up():
    """Its error goes to `reconcile` as it is, of a verifier and of a failover."""
    said = fm.EnvironmentMismatch(
        "No.", environment=fm.Environment.MOCK, billing=fm.Billing(fm.Charged.UNKNOWN)
    )
    backend = Records(
        lambda attempt: fm.Reconciliation(
            outcome=fm.Reconciled.NOT_YET, call=attempt, reason="Not there."
        ),
        script=[said],
    )
    verifier = fm.FaceVerifier(backend)
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        verifier.verify(A, B, retention=fm.Retention.KEEP)
    other = FakeBackend()
    other.name = "other"
    members = {"other": fm.FaceVerifier(other), "made": verifier}
    for one in (verifier, fm.Failover(members)):
        assert one.reconcile(caught.value).call == caught.value.call
    assert len(backend.asked) == 2


def found(result):
    def tell(attempt):
        return fm.Reconciliation(
            outcome=fm.Reconciled.FOUND, call=attempt, result=result, reason="There it is."
        )

    return tell


def attempt(**changes):
    facts = {"id": "a-1", "operation": fm.Operation.MATCH, "backend": "fake", "kept": True}
    return fm.CallRecord(**{**facts, "started_at": ManualClock().now()} | changes)


def failed(backend, error, **options):
    """The error of a call that ends in `error`."""
    backend.script = [error]
    with pytest.raises(type(error)) as caught:
        fm.FaceVerifier(backend, clock=ManualClock()).verify(A, B, **options)
    return caught.value


@pytest.mark.parametrize(
    "error", [fm.OutcomeUnknown("Lost."), fm.UnexpectedResponse("Odd.")], ids=str
)
def test_an_error_that_may_be_paid_carries_the_attempt(error):
    """All that is needed to look for the call, through a pickle as well."""
    raised = failed(
        FakeBackend(),
        error,
        threshold=60,
        review_threshold=70,
        retention="keep",
        caller_ref="case 7",
    )
    left = raised.call
    assert (left.id, left.operation, left.backend) == (raised.ids.call, fm.Operation.MATCH, "fake")
    assert (left.kept, left.caller_ref) == (True, "case 7")
    assert left.started_at == ManualClock().now()
    assert (left.threshold.value, left.review_threshold.value) == (60, 70)
    for again in (pickle.loads(pickle.dumps(raised)), copy.deepcopy(raised)):
        assert again.call == left
    assert "case 7" not in repr(left)


@pytest.mark.parametrize(
    "error", [fm.RateLimited("Slow down."), fm.VendorUnavailable("Down.")], ids=str
)
def test_an_error_that_is_free_carries_none(error):
    """There is nothing to look for, and looking for it is a mistake that is told."""
    raised = failed(FakeBackend(), error, retention="keep")
    assert raised.call is None
    with pytest.raises(fm.InvalidRequest, match="carries no call"):
        fm.FaceVerifier(FakeBackend()).reconcile(raised)


def test_an_unknown_outcome_without_an_attempt_is_not_called_free():
    """It is of a call around a match: what to look at stands in it."""
    with pytest.raises(fm.InvalidRequest, match="carries no call") as caught:
        fm.FaceVerifier(FakeBackend()).reconcile(fm.OutcomeUnknown("Was it deleted?"))
    assert "not charged" not in caught.value.message


def test_events_carry_it_without_the_callers_reference():
    """After a crash `Started` or `Sent` is the last word; events hold nothing of the caller's."""
    events = []
    backend = FakeBackend()
    result = fm.FaceVerifier(backend, on_event=events.append).verify(
        A, B, retention="keep", caller_ref="case 7"
    )
    started, sent, answered = events[:3]
    assert (started.kind, sent.kind, answered.kind) == (
        fm.EventKind.STARTED,
        fm.EventKind.SENT,
        fm.EventKind.ANSWERED,
    )
    assert started.call == sent.call
    assert (started.call.id, started.call.kept) == (result.ids.call, True)
    assert started.call.caller_ref is None
    assert fm.CallRecord.from_dict(started.call.to_dict()) == started.call
    assert "case 7" not in repr(events)


@pytest.mark.parametrize("kept", [True, False])
def test_a_call_that_is_broken_off_says_whether_it_can_be_found(kept):
    """Ctrl-C after the first byte: the bill is open, and perhaps it can be settled."""

    def interrupt(_):
        raise KeyboardInterrupt

    events = []
    backend = Records(found(match_result()), script=[interrupt])
    verifier = fm.FaceVerifier(backend, on_event=events.append)
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(A, B, retention="keep" if kept else "minimal")
    assert events[-1].kind is fm.EventKind.UNKNOWN
    assert events[-1].reconcilable is kept is events[0].call.kept


class Asked(Records):
    """A backend that knows of itself which calls its vendor's records tell."""

    def __init__(self, answer, **more):
        super().__init__(found(match_result()), **more)
        self.answer = answer

    def reconcilable(self, call):
        if isinstance(self.answer, Exception):
            raise self.answer
        assert (call.operation, call.retention) == (fm.Operation.MATCH, fm.Retention.KEEP)
        return self.answer


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (FakeBackend, False),
        (lambda **more: Asked(True, **more), True),
        (lambda **more: Asked(False, **more), False),
        (lambda **more: Asked(ValueError("bug"), **more), False),
    ],
    ids=["cannot look", "yes", "no", "bug"],
)
def test_whether_it_can_be_found_is_for_the_backend_to_say(backend, expected):
    """Kept is not enough: a vendor may have no records that can be read, or keep nothing."""

    def interrupt(_):
        raise KeyboardInterrupt

    events = []
    verifier = fm.FaceVerifier(backend(script=[interrupt]), on_event=events.append)
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(A, B, retention="keep")
    assert events[-1].reconcilable is expected


def test_what_is_found_goes_through_the_rules():
    """Ids, demographics, thresholds, review: as the call's own answer would have."""
    face = fm.Face(demographics=fm.Demographics(age=30.0, gender="guessed"))
    result = match_result(
        ids=fm.Ids(call="a-1", caller="case 7"),
        score=fm.Score(80, SCALE),
        billing=fm.Billing(fm.Charged.YES),
        metadata={"gate": 1},
        probe_faces=[face],
        raw={"gender": "guessed"},
    )
    fifty = fm.Threshold(50, fm.ThresholdRule.AT_LEAST, fm.ThresholdSource.CALLER)
    backend, clock = Records(found(result)), ManualClock()
    clock.advance(90)
    verifier = fm.FaceVerifier(backend, clock=clock)
    told = verifier.reconcile(attempt(threshold=fifty), deadline_s=3).result
    assert (told.ids.call, told.ids.caller, told.metadata) == ("a-1", "case 7", {"gate": 1})
    assert (told.threshold, told.decision, told.elapsed_s) == (fifty, fm.Decision.MATCH, 90.0)
    assert "guessed" not in str(told.to_dict())
    assert backend.asked[0][1] == 3.0
    ninety = attrs.evolve(fifty, value=90.0)
    for doubt in ({"threshold": ninety}, {"threshold": fifty, "review_threshold": ninety}):
        assert verifier.reconcile(attempt(**doubt)).result.decision is fm.Decision.REVIEW


@pytest.mark.parametrize("outcome", [fm.Reconciled.NOT_YET, fm.Reconciled.CANNOT_KNOW])
def test_other_outcomes_have_no_result_and_are_not_raised(outcome):
    """They are answers."""
    backend = Records(lambda a: fm.Reconciliation(outcome=outcome, call=a, reason="So it is."))
    told = fm.FaceVerifier(backend).reconcile(attempt())
    assert (told.outcome, told.result, told.reason) == (outcome, None, "So it is.")
    with pytest.raises(TypeError, match="no truth value"):
        bool(told)


def test_nothing_kept_is_nothing_asked():
    """The vendor cannot know what it was told to forget."""
    backend = Records(found(match_result()))
    told = fm.FaceVerifier(backend).reconcile(attempt(kept=False))
    assert (told.outcome, backend.asked) == (fm.Reconciled.CANNOT_KNOW, [])


def test_a_backend_that_cannot_look_says_so():
    """The default of every plug-in."""
    told = fm.FaceVerifier(FakeBackend()).reconcile(attempt())
    assert told.outcome is fm.Reconciled.CANNOT_KNOW
    assert "cannot look" in told.reason


@pytest.mark.parametrize("given", [None, "a-1", {"id": "a-1"}, ValueError("x")], ids=str)
def test_only_attempts_can_be_looked_for(given):
    """Or the errors that carry them."""
    with pytest.raises(fm.InvalidRequest, match="takes a CallRecord"):
        fm.FaceVerifier(FakeBackend()).reconcile(given)


def test_another_backends_attempt_is_refused():
    """Its vendor's records are elsewhere."""
    with pytest.raises(fm.InvalidRequest, match="'acme'"):
        fm.FaceVerifier(FakeBackend()).reconcile(attempt(backend="acme"))


def test_odd_deadlines_and_closed_verifiers_are_refused():
    """As by every call."""
    verifier = fm.FaceVerifier(Records(found(match_result())))
    with pytest.raises(fm.InvalidRequest, match="deadline_s"):
        verifier.reconcile(attempt(), deadline_s=-1)
    verifier.close()
    with pytest.raises(fm.ConfigurationError, match="closed"):
        verifier.reconcile(attempt())


def test_the_environment_is_required_here_as_well():
    """A record of the mock settles no bill of production."""
    result = match_result(environment=fm.Environment.MOCK, ids=fm.Ids(call="a-1"))
    verifier = fm.FaceVerifier(Records(found(result)), require_environment="production")
    with pytest.raises(fm.EnvironmentMismatch):
        verifier.reconcile(attempt())
    with pytest.raises(fm.EnvironmentMismatch, match="nothing was sent"):
        fm.FaceVerifier(Records(found(result)), require_environment="sandbox").reconcile(attempt())


def test_a_vendors_refusal_is_raised_with_its_call():
    """Looking is a call like any other, but free."""

    def refuse(_):
        raise fm.AuthenticationFailed("No.")

    with pytest.raises(fm.AuthenticationFailed) as caught:
        fm.FaceVerifier(Records(refuse)).reconcile(attempt())
    error = caught.value
    assert (error.billing.charged, error.backend, error.ids.call) == (fm.Charged.NO, "fake", "a-1")


def about_another(attempt):
    return found(match_result(ids=fm.Ids(call="a-1")))(attrs.evolve(attempt, id="a-2"))


@pytest.mark.parametrize(
    "told",
    [
        lambda _: None,
        lambda _: 1 / 0,
        found(liveness_result(ids=fm.Ids(call="a-1"))),
        found(match_result(ids=fm.Ids(call="a-2"))),
        found(match_result()),
        about_another,
    ],
    ids=["none", "bug", "kind", "another's record", "nobody's record", "another attempt"],
)
def test_a_plug_ins_mistake_is_named(told):
    """Neither its exception nor an answer to another question reaches the caller."""
    with pytest.raises(fm.BackendUnavailable, match="report this"):
        fm.FaceVerifier(Records(told)).reconcile(attempt())


def test_rules_of_a_call_for_a_record_of_it():
    """What is read in another way than `reconcile` can be judged as it would."""
    fifty = fm.Threshold(50, fm.ThresholdRule.AT_LEAST, fm.ThresholdSource.CALLER)
    ninety = attrs.evolve(fifty, value=90.0)
    record = match_result(ids=fm.Ids(call="a-1"), score=fm.Score(80, SCALE), threshold=None)
    told = fm.judge(record, attempt(threshold=fifty))
    assert (told.decision, told.threshold, told.score) == (fm.Decision.MATCH, fifty, record.score)
    told = fm.judge(record, attempt(threshold=fifty, review_threshold=ninety))
    assert (told.decision, told.review_threshold) == (fm.Decision.REVIEW, ninety)
    assert fm.judge(record, attempt(threshold=ninety)).decision is fm.Decision.REVIEW
    for other in (
        match_result(ids=fm.Ids(call="a-2")),
        match_result(),
        liveness_result(ids=fm.Ids(call="a-1")),
    ):
        with pytest.raises(fm.InvalidRequest, match="another"):
            fm.judge(other, attempt())


def test_outcome_and_result_go_together():
    """Found without a result, or a result without having been found, is nothing."""
    with pytest.raises(ValueError):
        fm.Reconciliation(outcome=fm.Reconciled.FOUND, call=attempt(), reason="x")
    with pytest.raises(ValueError):
        fm.Reconciliation(
            outcome=fm.Reconciled.NOT_YET, call=attempt(), reason="x", result=match_result()
        )


@pytest.mark.parametrize("name", ["verify", "check_liveness"])
def test_our_name_in_the_metadata_is_refused(name):
    """Two ids under one name would make a stranger's call look like this one."""
    backend = FakeBackend()
    pictures = (A, B) if name == "verify" else (A,)
    with pytest.raises(fm.InvalidRequest, match=CALL_ID_KEY):
        getattr(fm.FaceVerifier(backend), name)(*pictures, metadata={CALL_ID_KEY: "x"})
    assert backend.calls == []
