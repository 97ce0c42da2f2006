"""R16, R32: charges, errors, and lost calls."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

import facematch_core as fm
from facematch_core import Billing, Charged, Operation, errors
from facematch_core.backend import Backend
from facematch_core.base.deadline import Deadline
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import (
    PASS,
    Bench,
    Outcome,
    Result,
    Rules,
    assert_among,
    assert_equal,
    rule,
)
from facematch_core.testing.simulator import (
    FAILURES,
    NOT_PASSING,
    PASSING,
    RESULT_SITUATIONS,
    Refusal,
    Situation,
)


@attrs.frozen
class ExpectedError:
    """The expected error for a failure, if no earlier request of the call was charged."""

    classes: tuple[type[errors.VendorError], ...]
    charged: tuple[Charged, ...]
    #: None if it depends on the vendor's documentation.
    retryable: bool | None = False


_LOST = ExpectedError((errors.OutcomeUnknown,), (Charged.UNKNOWN,))
_LATE = ExpectedError((errors.DeadlineExceeded,), (Charged.UNKNOWN,))
EXPECTED_ERRORS = {
    Situation.BAD_KEY: ExpectedError(
        (errors.AuthenticationFailed, errors.PermissionDenied), (Charged.NO,)
    ),
    Situation.NO_CREDIT: ExpectedError((errors.InsufficientCredit,), (Charged.NO,)),
    Situation.THROTTLED: ExpectedError((errors.RateLimited,), (Charged.NO,), retryable=True),
    Situation.REJECTED: ExpectedError((errors.RequestRejected,), (Charged.NO,)),
    Situation.UNREACHABLE: ExpectedError(
        (errors.VendorUnavailable,), (Charged.NO,), retryable=True
    ),
    Situation.LOST_ANSWER: _LOST,
    Situation.BROKEN_ANSWER: _LOST,
    Situation.GATEWAY_ERROR: _LOST,
    # Some vendors document that their own errors are free.
    Situation.OUTAGE: ExpectedError(
        (errors.VendorUnavailable, errors.OutcomeUnknown),
        (Charged.NO, Charged.UNKNOWN),
        retryable=None,
    ),
    Situation.UNREADABLE_200: ExpectedError((errors.UnexpectedResponse,), (Charged.YES,)),
    Situation.SLOW: _LATE,
    Situation.DRIPPING: _LATE,
}


@attrs.frozen
class Ending:
    """A situation in which a call ends, and the result of such a call."""

    operation: Operation
    situation: Situation
    result: Result


@attrs.frozen
class CallToFind:
    """A call that `reconcile` must find: its record, and how it ends.

    The description says how it was lost, or that the vendor keeps it.
    """

    description: str
    record: fm.CallRecord
    ending: Ending


class MoneyRules(Rules):
    """Rules about charges and records: the cost of a call, and how a lost call is found."""

    @pytest.mark.parametrize("situation", RESULT_SITUATIONS + FAILURES, ids=str)
    @rule("R51")
    def test_r16_results_tell_what_they_cost(self, bench: Bench, situation: Situation) -> None:
        """`billing` states what the vendor charged, and why. Each kind of failure raises its own
        error, which states whether it is retryable. Only free polls may be retried.

        A budget that undercounts is noticed only on the invoice. Code that retries on
        "retryable" must not pay twice, and must not give up when throttled.
        """
        for operation in bench.operations_for(situation):
            if situation in FAILURES:
                self._r16_check_failure(bench, operation, situation)
            else:
                self._r16_check_charge(bench, operation, situation)
            if situation is Situation.REJECTED:
                for refusal in bench.simulator.refusals:
                    self._r16_check_documented_refusal(bench, operation, refusal)
                if bench.bypasses_core_sender:
                    self._r16_check_not_sent_again(bench, operation)

    def _r16_check_charge(self, bench: Bench, operation: Operation, situation: Situation) -> None:
        """Assert the charge of a result, and how many requests it took."""
        outcome = bench.call_verifier(operation, situation)
        if situation is Situation.NULL_SCORE and outcome.result is None:
            return  # R02 tests this error and its charge
        is_pass = situation is PASSING[operation]
        billing = outcome.require_result().billing
        check_bill(billing, outcome)
        allowed = {Charged.YES} if is_pass else {Charged.YES, Charged.NO}
        if situation in bench.simulator.price_unknown:
            allowed = {Charged.UNKNOWN}
        elif operation not in bench.capabilities.billed_operations:
            allowed = {Charged.NO}
        assert_among(
            "the charge in the result, by `billed_operations` and the simulator's `price_unknown`,",
            billing.charged,
            allowed,
        )
        if billing.charged is Charged.YES:
            assert billing.ground, "`billing.ground` is empty"
        if bench.bypasses_core_sender:
            # A picture without a face may end a call early.
            steps = bench.request_count(operation)
            has_ended_early = outcome.requests < steps and not is_pass
            assert outcome.requests == steps or has_ended_early, (
                f"{outcome.requests} requests, but the simulator's `steps` are {steps}: "
                "does it retry, or cache a response?"
            )
        if is_pass:
            for options in bench.option_sets(operation):
                outcome = bench.call_verifier(operation, situation, **options)
                billing = outcome.require_result().billing
                check_bill(billing, outcome, f"with {options} ")

    def _r16_check_failure(self, bench: Bench, operation: Operation, situation: Situation) -> None:
        """Assert the error and the charge if any one request of a call fails."""
        for step in bench.steps_to_fail(operation, situation):
            max_requests = step or bench.request_count(operation)
            is_poll = _is_poll(bench.request_at(operation, step))
            # Also without the verifier, whose checks could hide a bug in the backend.
            for make_call in (bench.call_backend, bench.call_verifier):
                outcome = make_call(operation, situation, step=step)
                check_failure(bench, operation, situation, step, outcome)
                if bench.bypasses_core_sender and not is_poll:
                    assert outcome.requests <= max_requests, (
                        f"{outcome.requests} requests, not {max_requests}: does it retry?"
                    )

    def _r16_check_not_sent_again(self, bench: Bench, operation: Operation) -> None:
        """Assert that a call that may be charged is not sent again, as after a new login."""
        max_requests = bench.request_count(operation)
        for status in (404, 409, 500, 504):  # situations cover other statuses
            request = bench.make_request(operation, PASSING[operation])
            with bench.record_exchanges(status=status):
                requests = bench.run_request(request).requests
            assert requests <= max_requests, (
                f"{requests} requests after a {status}, not {max_requests}"
            )

    def _r16_check_documented_refusal(
        self, bench: Bench, operation: Operation, refusal: Refusal
    ) -> None:
        """Assert that a further documented refusal has its error and charge."""
        backend: Any = bench.backend
        body = json.dumps(refusal.body)
        bench.context = f"{operation}, answered {refusal.status} with {body:.120}"
        headers = {"Content-Type": "application/json", **refusal.headers}
        reply = HttpReply(status=refusal.status, headers=headers, body=body.encode())
        request = bench.make_request(operation, PASSING[operation])
        outcome = backend.read_reply(request, reply)
        if refusal.error is None:
            decision = getattr(outcome, "decision", type(outcome).__name__)
            assert_equal("the decision", decision, benches.INCONCLUSIVE[operation])
        else:
            assert_equal("the error", type(outcome).__name__, refusal.error.__name__)
        assert_equal("the charge", outcome.billing.charged, refusal.charged)
        if refusal.error is not None:
            bench.check_retry(outcome)

    @rule("R51")
    def test_r32_another_call_is_never_found(self, bench: Bench) -> None:
        """`reconcile` finds a lost call by its ids, and never another call.

        A call that is not found is paid for again. Another visitor's record gives a wrong verdict.
        """
        searches = type(bench.backend).reconcile is not Backend.reconcile
        bench.skip_unless_applicable(searches, "cannot search its vendor's records")
        keeps_records = bench.simulator.keeps_records
        bench.skip_unless_testable(keeps_records, "keeps no records to search")
        is_searched = False
        for operation in bench.operations:
            calls = itertools.chain(
                self._r32_make_kept_calls(bench, operation),
                self._r32_make_lost_calls(bench, operation),
            )
            for call in calls:
                self._r32_check_found(bench, call)
                self._r32_check_no_other_found(bench, call)
                is_searched = True
        if not is_searched:
            bench.skip_unless_available(Situation.LOST_ANSWER)
            raise AssertionError("it has `reconcile`, but no kept or lost call is `reconcilable`")

    def _r32_check_found(self, bench: Bench, call: CallToFind) -> None:
        """Assert that a call is found by its ids, unless the search fails."""
        record = call.record
        situation = call.ending.situation
        bench.simulator.set_situation(situation)
        label = f"{record.operation}, {call.description} that ends in {situation.name}"
        reconciliation = reconcile(bench, record)
        for _ in range(20):
            if reconciliation.outcome is not fm.Reconciled.NOT_YET:
                break
            reconciliation = reconcile(bench, record)
        found = reconciliation.result
        assert found is not None, (
            f"{label}, in the vendor's records: for `vendor_id` {record.vendor_id} `reconcile` "
            f"returns {reconciliation.reason}. A simulator without records sets `keeps_records` "
            "= False"
        )
        vendor_id = record.vendor_id or found.ids.vendor
        expected_ids = (record.id, vendor_id)
        assert_equal(
            f"{label}: the ids of the found call", (found.ids.call, found.ids.vendor), expected_ids
        )
        found_facts = _facts_to_compare(found)
        for name, fact in _facts_to_compare(call.ending.result).items():
            assert_equal(f"{label}: the {name} of the found call", found_facts[name], fact)
        if not isinstance(bench.backend, HttpBackend):
            return
        for status in (401, 503):
            with bench.record_exchanges(also_logins=True, status=status, body=b"{}"):
                reconciliation = reconcile(bench, record)
            # A search that failed is an error, without an outcome, or NOT_YET: nothing is known.
            assert reconciliation.outcome in (None, fm.Reconciled.NOT_YET), (
                f"{label}: after a {status}, `reconcile` returns {reconciliation.reason}"
            )

    def _r32_check_no_other_found(self, bench: Bench, call: CallToFind) -> None:
        """Assert that a call is not found by ids that resemble its own."""
        record = call.record
        is_kept = record.retention is fm.Retention.KEEP
        other_vendor_id = f"{record.vendor_id}x"
        # Unknown ids, and ids that share the beginning or the end of a known one.
        call_ids = (str(uuid.uuid4()), record.id[:-12] + "0" * 12, "0" * 8 + record.id[8:])
        ids: list[tuple[str, str | None]]
        ids = list(itertools.product(call_ids, (None, other_vendor_id)))
        if not is_kept:  # a kept call is found by its own id alone
            ids.append((record.id, other_vendor_id))
        for call_id, vendor_id in ids:
            other = attrs.evolve(record, id=call_id, vendor_id=vendor_id)
            if not bench.backend.reconcilable(other):
                continue
            reconciliation = reconcile(bench, other)
            assert reconciliation.result is None, f"found by ids of another call: {other}"
            if not is_kept:
                is_open = reconciliation.outcome is fm.Reconciled.NOT_YET
                assert not is_open, (
                    f"{call.description}: an unknown `vendor_id` gives {reconciliation.reason}"
                )

    def _r32_make_kept_calls(self, bench: Bench, operation: Operation) -> Iterator[CallToFind]:
        """Make calls that the vendor is asked to keep; yield passing ones and others."""
        if fm.Retention.KEEP not in bench.capabilities.retention:
            return
        for situation in (PASSING[operation], NOT_PASSING[operation]):
            # Five calls, so that the first call's record is not the newest.
            oldest, *_, newest = [_ending_to_find(bench, operation, situation) for _ in range(5)]
            for ending in (oldest, newest):
                record = record_of(bench, operation, ending.result)
                is_reconcilable = bench.backend.reconcilable(record)
                assert is_reconcilable, "it has `reconcile`, but a kept call is not `reconcilable`"
                yield CallToFind("a kept call", record, ending)

    def _r32_make_lost_calls(self, bench: Bench, operation: Operation) -> Iterator[CallToFind]:
        """Make calls without a result; yield those that `reconcile` promises to find."""
        passing = _ending_to_find(bench, operation, PASSING[operation])
        if Situation.LOST_ANSWER not in bench.simulator.situations:
            return
        steps = bench.steps_to_fail(operation, Situation.LOST_ANSWER)
        charged_steps = [step for step in steps if bench.request_at(operation, step).charges]
        for step in {*charged_steps[:1], steps[-1]}:
            call = self._r32_lose_call(bench, passing, step=step)
            if call is not None:
                yield call

    def _r32_lose_call(
        self, bench: Bench, ending: Ending, *, step: int | None
    ) -> CallToFind | None:
        """Lose a call that would end as `ending`; return None if the backend cannot find it."""
        outcome = bench.call_verifier(
            ending.operation,
            Situation.LOST_ANSWER,
            step=step,
            images=bench.simulator.pictures_for(ending.situation),
            deadline_s=benches.SHORT_DEADLINE_S + benches.CALL_LIMIT_S,
            **_options_of_call_to_find(bench),
        )
        error = outcome.error
        if not isinstance(error, fm.OutcomeUnknown) or not error.reconcilable:
            return None
        record = error.call
        if record is None:  # the error of a call that is never charged has no `call`
            ids = attrs.evolve(ending.result.ids, call=error.ids.call, vendor=error.ids.vendor)
            lost_result = attrs.evolve(ending.result, ids=ids)
            record = record_of(bench, ending.operation, lost_result)
        return CallToFind("a call lost by LOST_ANSWER", record, ending)


def _is_poll(request: HttpRequest) -> bool:
    """Return whether a plug-in handles the refusal of a request itself, as of a free poll."""
    return request.on_refusal == "raise"


def check_failure(
    bench: Bench, operation: Operation, situation: Situation, step: int | None, outcome: Outcome
) -> None:
    """Assert that a failure raised the expected error and bill, or that a retry passed."""
    request = bench.request_at(operation, step)
    is_retried_poll = _is_poll(request) and situation in FAILURES
    outcome_text = f"it gave {outcome.summary}"
    if outcome.result is not None and is_retried_poll:
        check_bill(outcome.result.billing, outcome)
        assert outcome.result.decision is PASS[operation], f"{outcome_text} after a retry"
        return
    expected = EXPECTED_ERRORS[situation]
    classes = expected.classes
    is_paid_request = request.charges and operation in bench.capabilities.billed_operations
    if is_retried_poll:
        classes = (errors.VendorError,)
    elif not request.charges and step not in (None, 1):  # accepted, and not finished
        classes = (*classes, errors.VendorUnavailable, errors.OutcomeUnknown)
    elif Charged.UNKNOWN in expected.charged and not is_paid_request:
        classes = (*classes, errors.VendorUnavailable)
    names = " or ".join(dict.fromkeys(each.__name__ for each in classes))
    error = outcome.error
    assert isinstance(error, classes), f"{outcome_text}, not {names}"
    shows_traceback = "Traceback (most recent call last)" in str(error)
    assert not shows_traceback, "the error shows the server's traceback, with paths of the server"
    charged = error.billing.charged
    allowed = _allowed_charges(bench, operation, situation, request, outcome)
    assert_among("the charge in the error", charged, allowed)
    # A refusal is a known outcome, even if its price is not documented.
    if charged is Charged.UNKNOWN and situation not in bench.simulator.price_unknown:
        assert isinstance(error, errors.OutcomeUnknown), (
            f"{outcome_text} with an unknown charge: it must be an OutcomeUnknown, unless the "
            "simulator's `price_unknown` says that the vendor does not document the charge of "
            "this refusal"
        )
    check_bill(error.billing, outcome)
    bench.check_retry(error)
    is_free_and_known = charged is Charged.NO and classes == expected.classes
    if is_free_and_known and expected.retryable is not None:
        label = f"`retryable` of an error whose `charged` is {charged}"
        assert_equal(label, error.retryable, expected.retryable)
    if getattr(error, "reconcilable", False):
        stored = bench.make_request(operation, PASSING[operation], vendor_id=error.ids.vendor)
        is_stored = bench.backend.reconcilable(stored)
        assert is_stored, "`reconcilable` is True, but the vendor stored nothing"


def _allowed_charges(
    bench: Bench,
    operation: Operation,
    situation: Situation,
    request: HttpRequest,
    outcome: Outcome,
) -> set[Charged]:
    """Return the charges that an error may report if `request` fails."""
    allowed = set(EXPECTED_ERRORS[situation].charged)
    is_billed = operation in bench.capabilities.billed_operations
    if not request.charges:
        allowed = {Charged.NO}
    else:
        if Charged.YES in allowed or not is_billed:
            allowed.add(Charged.NO)  # `check_bill` compares the simulator's count
        if situation in bench.simulator.price_unknown:
            allowed.add(Charged.UNKNOWN)
    if outcome.charges and Charged.NO in allowed:  # for this request or an earlier one
        allowed.remove(Charged.NO)
        allowed.add(Charged.YES)
    return allowed


def check_bill(billing: Billing, outcome: Outcome, label: str = "") -> None:
    """Assert that the vendor counted the reported charges (or more, if the charge is unknown)."""
    reported = billing.charges or 0
    counted = outcome.charges
    if billing.charged is Charged.UNKNOWN:
        is_right = reported <= counted
    else:
        says_yes = billing.charged is Charged.YES
        is_right = reported == counted and says_yes == (counted > 0)
    assert is_right, (
        f"{label}the backend reports {billing.charged} (charges: {reported}), "
        f"but the vendor counted {counted}"
    )


def _options_of_call_to_find(bench: Bench) -> dict[str, Any]:
    """Return the options of a call that `reconcile` is to find."""
    retention = fm.Retention.MINIMAL
    if fm.Retention.KEEP in bench.capabilities.retention:
        retention = fm.Retention.KEEP
    return {"caller_ref": "visitor 7", "retention": retention}


def _ending_to_find(bench: Bench, operation: Operation, situation: Situation) -> Ending:
    """Make a call that `reconcile` is to find; return how it ended."""
    outcome = bench.call_verifier(operation, situation, **_options_of_call_to_find(bench))
    return Ending(operation, situation, outcome.require_result())


def record_of(bench: Bench, operation: Operation, result: Result) -> fm.CallRecord:
    """Return a record with which `reconcile` finds the call of `result`, if it was stored."""
    return fm.CallRecord(
        id=str(result.ids.call),
        operation=operation,
        backend=bench.backend.name,
        started_at=result.created_at or bench.clock.now(),
        caller_ref=result.ids.caller,
        retention=fm.Retention.KEEP,
        vendor_id=result.ids.vendor,
        threshold=result.threshold,
    )


def reconcile(bench: Bench, record: fm.CallRecord) -> fm.Reconciliation:
    """Reconcile a call and assert that this is free. After an error, `outcome` is None.

    The reason begins with the outcome.
    """
    deadline = Deadline.after(benches.CALL_LIMIT_S / 2, bench.clock)
    search = bench.observe(lambda: bench.backend.reconcile(record, deadline=deadline))
    assert_equal("the number of charges for `reconcile`", search.charges, 0)
    if search.error is not None:
        if not isinstance(search.error, fm.VendorError):
            raise search.error
        charged = search.error.billing.charged
        assert_equal("the charge of an error of `reconcile`", charged, Charged.NO)
        no_outcome: Any = None
        return fm.Reconciliation(outcome=no_outcome, call=record, reason=search.summary)
    found: fm.Reconciliation = search.result
    assert_equal("the class that `reconcile` returns", type(found), fm.Reconciliation)
    call_id = getattr(found.call, "id", None)
    assert_equal("the id of the call in the result of `reconcile`", call_id, record.id)
    return attrs.evolve(found, reason=f"{found.outcome} ({found.reason})")


def _facts_to_compare(result: Result) -> dict[str, object]:
    """Return what a result found by `reconcile` must have in common with the call's own."""
    score = result.score and (result.score.value, result.score.scale)
    bill = (result.billing.charged, result.billing.charges)
    return {"decision": result.decision, "score": score, "bill": bill}
