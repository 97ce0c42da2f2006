import attrs
import pytest
from kit.fakes import FakeBackend, liveness_result, match_result, picture

import facematch_core as fm
from facematch_core import models
from facematch_core.testing import ManualClock
from facematch_core.verifier.policy import judge

A, B = picture(), picture((10, 20, 30))


class Records(FakeBackend):
    def __init__(self, says, **more):
        super().__init__(**more)
        self.says, self.searches = says, []

    def reconcile(self, attempt, *, deadline):
        self.searches.append((attempt, deadline.limit_s))
        return self.says(attempt)


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
    "error", [fm.RateLimited("Slow down."), fm.VendorUnavailable("Down.")], ids=str
)
def test_an_error_that_is_free_carries_no_call_to_look_for(error):
    raised = failed(FakeBackend(), error, retention="keep")
    assert raised.call is None
    with pytest.raises(fm.InvalidRequest):
        fm.FaceVerifier(FakeBackend()).reconcile(raised)


def broken_off(backend, retention):
    def interrupt(_):
        raise KeyboardInterrupt

    events = []
    backend.script = [interrupt]
    with pytest.raises(KeyboardInterrupt):
        fm.FaceVerifier(backend, on_event=events.append).verify(A, B, retention=retention)
    return events


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
