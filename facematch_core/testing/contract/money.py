"""R16: charges and errors."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from facematch_core import Billing, Charged, Operation, errors
from facematch_core.http import HttpReply, HttpRequest
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import (
    PASS,
    Bench,
    CallOutcome,
    Difference,
    Rules,
    assert_among,
    assert_equal,
    rule,
)
from facematch_core.testing.simulator import (
    FAILURES,
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


#: What an author sets if the simulator counts another charge than the documents name.
COUNTED_BY = "`SimulatorReply.charged`; of a `PairSimulator`, `free_situations`"
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


class MoneyRules(Rules):
    """The rule about charges and errors."""

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
                # The core itself sends nothing again that was refused.
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
            bench.check_wait(outcome, refusal, "the error")


def _is_poll(request: HttpRequest) -> bool:
    """Return whether a plug-in handles the refusal of a request itself, as of a free poll."""
    return request.on_refusal == "raise"


def check_failure(
    bench: Bench, operation: Operation, situation: Situation, step: int | None, outcome: CallOutcome
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
    is_outcome_unknown = isinstance(error, errors.OutcomeUnknown)
    if not is_outcome_unknown and situation not in bench.simulator.price_unknown:
        allowed.discard(Charged.UNKNOWN)
    label = "the charge in the error"
    if outcome.charges:
        label = f"{label}, by the simulator's count ({COUNTED_BY}),"
    benches.check_charge(label, error, allowed)
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
    outcome: CallOutcome,
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


def check_bill(billing: Billing, outcome: CallOutcome, label: str = "") -> None:
    """Assert that the vendor counted the reported charges (or more, if the charge is unknown)."""
    reported = billing.charges or 0
    counted = outcome.charges
    if billing.charged is Charged.UNKNOWN:
        is_right = reported <= counted
    else:
        says_yes = billing.charged is Charged.YES
        is_right = reported == counted and says_yes == (counted > 0)
    if not is_right:
        raise Difference(
            f"{label}the backend reports {billing.charged} (charges: {reported}), but the "
            f"simulator counted {counted} ({COUNTED_BY})"
        )
