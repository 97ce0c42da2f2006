import copy
import pickle
import threading

import attrs
import pytest
from kit.fakes import SCALE, FakeBackend, liveness_result, match_result, picture

import facematch_core as fm
from facematch_core import models
from facematch_core.testing import ManualClock
from facematch_core.verifier.policy import judge

A, B = picture(), picture((10, 20, 30))
#: The longest wait, in seconds.
LIMIT_S = 30


class Records(FakeBackend):
    def __init__(self, says, **more):
        super().__init__(**more)
        self.says, self.searches = says, []

    def reconcile(self, attempt, *, deadline):
        self.searches.append((attempt, deadline.limit_s))
        return self.says(attempt)


def test_a_paid_answer_from_elsewhere_can_be_looked_up_by_verifier_and_failover():
    mismatch = fm.EnvironmentMismatch(
        "No.", environment=fm.Environment.MOCK, billing=fm.Billing(fm.Charged.UNKNOWN)
    )
    backend = Records(outcome(fm.Reconciled.NOT_YET), script=[mismatch])
    verifier = fm.FaceVerifier(backend)
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        verifier.verify(A, B, retention=fm.Retention.KEEP)
    other = FakeBackend()
    other.name = "other"
    for each in (verifier, fm.Failover({"other": fm.FaceVerifier(other), "made": verifier})):
        assert each.reconcile(caught.value).call == caught.value.call
    assert len(backend.searches) == 2


def test_a_look_up_that_ran_out_of_time_may_be_tried_again():
    gone = threading.Event()

    class Slow(Records):
        keeps_deadline = False

    backend = Slow(lambda _: gone.wait(LIMIT_S))
    try:
        with pytest.raises(fm.VendorUnavailable) as caught:
            fm.FaceVerifier(backend).reconcile(attempt(), deadline_s=0.05)
    finally:
        gone.set()
    assert (caught.value.retryable, caught.value.billing.charged) == (True, fm.Charged.NO)


def find_result(result):
    return lambda attempt: fm.Reconciliation(
        outcome=fm.Reconciled.FOUND, call=attempt, result=result, reason="There it is."
    )


def outcome(which):
    return lambda attempt: fm.Reconciliation(outcome=which, call=attempt, reason="So it is.")


def attempt(**changes):
    facts = {"id": "a-1", "operation": fm.Operation.MATCH, "backend": "fake", "kept": True}
    return fm.CallRecord(**{**facts, "started_at": ManualClock().now()} | changes)


def failed(backend, error, **options):
    backend.script = [error]
    with pytest.raises(type(error)) as caught:
        fm.FaceVerifier(backend, clock=ManualClock()).verify(A, B, **options)
    return caught.value


@pytest.mark.parametrize(
    "error", [fm.OutcomeUnknown("Lost."), fm.UnexpectedResponse("Odd.")], ids=str
)
def test_an_error_that_may_be_paid_carries_all_that_is_needed_to_look_for_the_call(error):
    options = {"threshold": 60, "review_threshold": 70, "retention": "keep"}
    raised = failed(FakeBackend(), error, caller_ref="case 7", **options)
    record = raised.call
    assert (record.id, record.operation, record.backend) == (
        raised.ids.call,
        fm.Operation.MATCH,
        "fake",
    )
    assert (record.kept, record.caller_ref) == (True, "case 7")
    assert record.started_at == ManualClock().now()
    assert (record.threshold.value, record.review_threshold.value) == (60, 70)
    for again in (pickle.loads(pickle.dumps(raised)), copy.deepcopy(raised)):
        assert again.call == record
    assert "case 7" not in repr(record)


@pytest.mark.parametrize("charged", fm.Charged)
def test_a_mismatch_of_environments_carries_the_call_unless_it_is_free(charged):
    mismatch = fm.EnvironmentMismatch(
        "No mock.", environment=fm.Environment.PRODUCTION, billing=fm.Billing(charged)
    )
    assert (failed(FakeBackend(), mismatch).call is None) is (charged is fm.Charged.NO)


@pytest.mark.parametrize(
    "error", [fm.RateLimited("Slow down."), fm.VendorUnavailable("Down.")], ids=str
)
def test_an_error_that_is_free_carries_no_call_to_look_for(error):
    raised = failed(FakeBackend(), error, retention="keep")
    assert raised.call is None
    with pytest.raises(fm.InvalidRequest):
        fm.FaceVerifier(FakeBackend()).reconcile(raised)


def test_events_carry_the_call_without_the_callers_reference():
    """After a crash `Started` or `Sent` is the last word."""
    events = []
    result = fm.FaceVerifier(FakeBackend(), on_event=events.append).verify(
        A, B, retention="keep", caller_ref="case 7"
    )
    started, sent = events[:2]
    assert (started.kind, sent.kind) == (fm.EventKind.STARTED, fm.EventKind.SENT)
    assert started.call == sent.call
    assert (started.call.id, started.call.kept) == (result.ids.call, True)
    assert started.call.caller_ref is None
    assert fm.CallRecord.from_dict(started.call.to_dict()) == started.call
    assert "case 7" not in repr(events)


def broken_off(backend, retention):
    def interrupt(_):
        raise KeyboardInterrupt

    events = []
    backend.script = [interrupt]
    with pytest.raises(KeyboardInterrupt):
        fm.FaceVerifier(backend, on_event=events.append).verify(A, B, retention=retention)
    return events


@pytest.mark.parametrize(("retention", "kept"), [("keep", True), ("minimal", False)])
def test_a_call_that_is_broken_off_says_whether_it_can_be_found(retention, kept):
    events = broken_off(Records(find_result(match_result())), retention)
    assert events[-1].kind is fm.EventKind.UNKNOWN
    assert events[-1].reconcilable is kept is events[0].call.kept
    assert events[-1].call == events[0].call


class Reconcilable(Records):
    def __init__(self, answer, **more):
        super().__init__(find_result(match_result()), **more)
        self.answer = answer

    def reconcilable(self, call):
        if isinstance(self.answer, Exception):
            raise self.answer
        assert (call.operation, call.retention) == (fm.Operation.MATCH, fm.Retention.KEEP)
        return self.answer


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (FakeBackend(), False),
        (Reconcilable(True), True),
        (Reconcilable(False), False),
        (Reconcilable(ValueError("bug")), False),
    ],
    ids=["cannot look", "yes", "no", "bug"],
)
def test_whether_it_can_be_found_is_for_the_backend_to_say(backend, expected):
    """Kept is not enough: a vendor may have no records that can be read, or keep nothing."""
    assert broken_off(backend, "keep")[-1].reconcilable is expected


def test_what_is_found_is_judged_as_the_calls_own_answer():
    result = match_result(
        ids=models.Ids(call="a-1", caller="case 7"),
        score=fm.Score(80, SCALE),
        billing=fm.Billing(fm.Charged.YES),
        metadata={"gate": 1},
        raw={"gender": "guessed"},
    )
    fifty = fm.Threshold(50, models.ThresholdRule.AT_LEAST, models.ThresholdSource.CALLER)
    backend, clock = Records(find_result(result)), ManualClock()
    clock.advance(90)
    verifier = fm.FaceVerifier(backend, clock=clock)
    answer = verifier.reconcile(attempt(threshold=fifty), deadline_s=3).result
    assert (answer.ids.call, answer.ids.caller, answer.metadata) == ("a-1", "case 7", {"gate": 1})
    assert (answer.threshold, answer.decision, answer.elapsed_s) == (fifty, fm.Decision.MATCH, 90.0)
    assert "guessed" not in str(answer.to_dict())
    assert backend.searches[0][1] == 3.0
    ninety = attrs.evolve(fifty, value=90.0)
    for doubt in ({"threshold": ninety}, {"threshold": fifty, "review_threshold": ninety}):
        assert verifier.reconcile(attempt(**doubt)).result.decision is fm.Decision.REVIEW


@pytest.mark.parametrize("which", [fm.Reconciled.NOT_YET, fm.Reconciled.CANNOT_KNOW])
def test_other_outcomes_are_answers_without_a_result(which):
    answer = fm.FaceVerifier(Records(outcome(which))).reconcile(attempt())
    assert (answer.outcome, answer.result, answer.reason) == (which, None, "So it is.")
    with pytest.raises(TypeError):
        bool(answer)


def test_nothing_is_asked_where_nothing_was_kept_or_nobody_can_look():
    backend = Records(find_result(match_result()))
    answer = fm.FaceVerifier(backend).reconcile(attempt(kept=False))
    assert (answer.outcome, backend.searches) == (fm.Reconciled.CANNOT_KNOW, [])
    answer = fm.FaceVerifier(FakeBackend()).reconcile(attempt())
    assert answer.outcome is fm.Reconciled.CANNOT_KNOW


@pytest.mark.parametrize(
    "target",
    [None, "a-1", {"id": "a-1"}, ValueError("x"), attempt(backend="acme")],
    ids=["none", "text", "object", "error", "of another backend"],
)
def test_only_calls_of_this_backend_and_errors_that_carry_one_are_looked_for(target):
    with pytest.raises(fm.InvalidRequest):
        fm.FaceVerifier(Records(find_result(match_result()))).reconcile(target)


def test_a_record_of_a_mock_is_none_of_production():
    result = match_result(environment=fm.Environment.MOCK, ids=models.Ids(call="a-1"))
    verifier = fm.FaceVerifier(Records(find_result(result)), require_environment="production")
    with pytest.raises(fm.EnvironmentMismatch):
        verifier.reconcile(attempt())
    with pytest.raises(fm.EnvironmentMismatch, match="nothing was sent"):
        fm.FaceVerifier(Records(find_result(result)), require_environment="sandbox").reconcile(
            attempt()
        )


def test_a_vendors_refusal_is_raised_with_its_call():

    def refuse(_):
        raise fm.AuthenticationFailed("No.")

    with pytest.raises(fm.AuthenticationFailed) as caught:
        fm.FaceVerifier(Records(refuse)).reconcile(attempt())
    error = caught.value
    assert (error.billing.charged, error.backend, error.ids.call) == (fm.Charged.NO, "fake", "a-1")


def about_another(attempt):
    return find_result(match_result(ids=models.Ids(call="a-1")))(attrs.evolve(attempt, id="a-2"))


@pytest.mark.parametrize(
    "says",
    [
        lambda _: None,
        lambda _: 1 / 0,
        find_result(liveness_result(ids=models.Ids(call="a-1"))),
        find_result(match_result(ids=models.Ids(call="a-2"))),
        find_result(match_result()),
        about_another,
    ],
    ids=["none", "bug", "kind", "another's record", "nobody's record", "another attempt"],
)
def test_an_answer_to_another_question_is_a_fault_of_the_plug_in(says):
    with pytest.raises(fm.BackendUnavailable):
        fm.FaceVerifier(Records(says)).reconcile(attempt())


@pytest.mark.parametrize(
    "record",
    [
        match_result(ids=models.Ids(call="a-2")),
        match_result(),
        liveness_result(ids=models.Ids(call="a-1")),
    ],
    ids=["another's", "nobody's", "another kind"],
)
def test_a_record_of_another_call_is_not_judged_as_one_of_this(record):
    with pytest.raises(fm.InvalidRequest):
        judge(record, attempt())
