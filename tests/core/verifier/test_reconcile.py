from functools import partial

import attrs
import pytest
from kit.attempts import new_record
from kit.fakes import (
    PROBE,
    REFERENCE,
    FakeBackend,
    found_match,
    liveness_result,
    match_result,
)

import facematch_core as fm
from facematch_core import models
from facematch_core.call.verdict import apply_rules
from facematch_core.testing import ManualClock


class Records(FakeBackend):
    def reconcile(self, attempt, *, deadline):
        self.calls.append((attempt, deadline.limit_s))
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(attempt)


class Other(FakeBackend):
    name = "other"


def find_result(result):
    return lambda attempt: fm.Reconciliation(
        outcome=fm.Reconciled.FOUND, call=attempt, result=result, reason="There it is."
    )


def find_call(attempt):
    return found_match(attempt, 90)


def not_yet(attempt):
    return fm.Reconciliation(outcome=fm.Reconciled.NOT_YET, call=attempt, reason="So it is.")


def cannot_know(attempt):
    return fm.Reconciliation(outcome=fm.Reconciled.CANNOT_KNOW, call=attempt, reason="So it is.")


#: Makes a record of a call that the vendor was asked to keep.
attempt = partial(new_record, id="a-1", retention=fm.Retention.KEEP)


def failed(backend, error):
    backend.script = [error]
    with pytest.raises(type(error)) as caught:
        fm.FaceVerifier(backend).verify(PROBE, REFERENCE, retention="keep")
    return caught.value


def lost():
    return failed(Records(), fm.OutcomeUnknown("lost", reconcilable=True))


def failover(**backends):
    return fm.Failover({name: fm.FaceVerifier(each) for name, each in backends.items()})


def test_free_error_has_no_call_to_reconcile():
    raised = failed(FakeBackend(), fm.RateLimited("Slow down."))
    assert raised.call is None
    with pytest.raises(fm.InvalidRequest):
        fm.FaceVerifier(FakeBackend()).reconcile(raised)


class Reconcilable(Records):
    def __init__(self, answer, **options):
        super().__init__(**options)
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
        (Reconcilable(ValueError("bug")), False),
    ],
    ids=["cannot look", "yes", "bug"],
)
def test_backend_decides_whether_a_call_is_reconcilable(backend, expected):
    """Kept is not enough: a vendor may have no records that can be read, or keep nothing."""
    events = []
    backend.script = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        fm.FaceVerifier(backend, on_event=events.append).verify(PROBE, REFERENCE, retention="keep")
    assert events[-1].reconcilable is expected


@pytest.mark.parametrize("says", [not_yet, cannot_know])
def test_not_yet_and_cannot_know_have_no_result(says):
    answer = fm.FaceVerifier(Records(script=[says])).reconcile(attempt())
    assert (answer.outcome, answer.result, answer.reason) == (says.__name__, None, "So it is.")
    with pytest.raises(TypeError):
        bool(answer)


def test_reconcile_returns_cannot_know_if_not_kept_or_unsupported():
    backend = Records()
    answer = fm.FaceVerifier(backend).reconcile(attempt(retention=fm.Retention.MINIMAL))
    assert (answer.outcome, backend.calls) == (fm.Reconciled.CANNOT_KNOW, [])
    answer = fm.FaceVerifier(FakeBackend()).reconcile(attempt())
    assert answer.outcome is fm.Reconciled.CANNOT_KNOW


@pytest.mark.parametrize(
    "target",
    ["a-1", ValueError("x"), attempt(backend="acme")],
    ids=["text", "error", "of another backend"],
)
def test_reconcile_refuses_anything_but_a_call_of_this_backend(target):
    with pytest.raises(fm.InvalidRequest):
        fm.FaceVerifier(Records()).reconcile(target)


def test_record_from_a_mock_raises_environment_mismatch():
    result = match_result(environment=fm.Environment.MOCK, ids=models.Ids(call="a-1"))
    for environment, says in (("production", None), ("sandbox", "nothing was sent")):
        backend = Records(script=[find_result(result)])
        verifier = fm.FaceVerifier(backend, require_environment=environment)
        with pytest.raises(fm.EnvironmentMismatch, match=says):
            verifier.reconcile(attempt())


def about_another(attempt):
    return find_result(match_result(ids=models.Ids(call="a-1")))(attrs.evolve(attempt, id="a-2"))


@pytest.mark.parametrize(
    "says",
    [
        lambda _: None,
        lambda _: 1 / 0,
        find_result({"decision": "match"}),
        find_result(liveness_result(ids=models.Ids(call="a-1"))),
        find_result(match_result(ids=models.Ids(call="a-2"))),
        find_result(match_result()),
        about_another,
    ],
    ids=[
        "none",
        "bug",
        "no result",
        "kind",
        "another's record",
        "nobody's record",
        "another attempt",
    ],
)
def test_wrong_reconcile_result_is_a_plug_in_fault(says):
    with pytest.raises(fm.BackendUnavailable):
        fm.FaceVerifier(Records(script=[says])).reconcile(attempt())


@pytest.mark.parametrize("record", [match_result(), liveness_result(ids=models.Ids(call="a-1"))])
def test_rules_refuse_the_record_of_another_call_or_kind(record):
    with pytest.raises(fm.InvalidRequest):
        apply_rules(record, attempt())


# In a failover


@pytest.mark.parametrize(
    ("first_answer", "second_answer", "outcome"),
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
def test_failover_reconciles_with_every_account_of_the_vendor(first_answer, second_answer, outcome):
    error = lost()
    other_vendor = Other()
    accounts = {"one": Records(script=[first_answer]), "two": Records(script=[second_answer])}
    answer = failover(other=other_vendor, **accounts).reconcile(error)
    assert answer.outcome is outcome
    if outcome is fm.Reconciled.FOUND:
        assert answer.result.route.answered_by == ("two" if second_answer else "one")
        assert answer.result.is_match
    assert other_vendor.calls == []


def test_reconcile_error_is_raised_unless_another_account_has_the_call():
    """Else "not yet" would not be known."""
    error = lost()
    first_account = Records(script=[fm.RateLimited("x")])
    second_account = Records(script=[not_yet])
    with pytest.raises(fm.RateLimited):
        failover(first_account=first_account, second_account=second_account).reconcile(error)
    assert len(second_account.calls) == 1


def test_reconcile_deadline_covers_all_members():
    error = lost()
    clock = ManualClock()

    def search(attempt):
        clock.advance(7)
        return not_yet(attempt)

    backends = [Records(script=[search]) for _ in range(3)]
    members = {str(index): fm.FaceVerifier(b, clock=clock) for index, b in enumerate(backends)}
    fm.Failover(members, clock=clock).reconcile(error, deadline_s=10)
    limits_s = [limit_s for backend in backends for _, limit_s in backend.calls]
    assert limits_s[:2] == [10, 3]
    assert all(limit_s < 1 for limit_s in limits_s[2:]), "too late to be asked for long"


def test_failover_refuses_to_reconcile_another_vendors_call():
    error = lost()
    with pytest.raises(fm.InvalidRequest):
        fm.Failover([fm.FaceVerifier(Other())]).reconcile(error)
    record = fm.CallRecord.from_dict(error.call.to_dict())
    answer = failover(first_account=Records(script=[find_call])).reconcile(record, deadline_s=9)
    assert answer.outcome is fm.Reconciled.FOUND
