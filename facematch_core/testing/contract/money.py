"""R16: what each answer costs, and which error each failure becomes."""

from __future__ import annotations

import math

import attrs
import pytest

from facematch_core import Billing, Charged, Operation, errors
from facematch_core.http import HttpRequest
from facematch_core.testing.bench import PASS, Bench, Outcome, same
from facematch_core.testing.simulator import ANSWERS, FAILURES, GOOD, Situation

from ._frame import Rules, rule


@attrs.frozen
class Expected:
    """The error that a failure must become, if nothing was charged in the call before it."""

    errors: tuple[type[errors.VendorError], ...]
    charged: tuple[Charged, ...]
    #: None if the vendor's documents decide.
    retryable: bool | None = False


_NO, _UNKNOWN, _YES = (Charged.NO,), (Charged.UNKNOWN,), (Charged.YES,)
_LOST = Expected((errors.OutcomeUnknown,), _UNKNOWN)
_LATE = Expected((errors.DeadlineExceeded,), _UNKNOWN)

EXPECTED = {
    Situation.BAD_KEY: Expected((errors.AuthenticationFailed, errors.PermissionDenied), _NO),
    Situation.NO_CREDIT: Expected((errors.InsufficientCredit,), _NO),
    Situation.THROTTLED: Expected((errors.RateLimited,), _NO, retryable=True),
    Situation.REJECTED: Expected((errors.RequestRejected,), _NO),
    Situation.UNREACHABLE: Expected((errors.VendorUnavailable,), _NO, retryable=True),
    **dict.fromkeys((Situation.LOST_ANSWER, Situation.BROKEN_ANSWER), _LOST),
    Situation.GATEWAY_ERROR: _LOST,
    # Some vendors say that their own faults are free.
    Situation.OUTAGE: Expected((errors.VendorUnavailable, *_LOST.errors), (*_NO, *_UNKNOWN), None),
    Situation.UNREADABLE_200: Expected((errors.UnexpectedResponse,), _YES),
}

#: The errors of situations that only a deadline ends.
_OVER = {
    Situation.SLOW: _LATE,
    Situation.DRIPPING: _LATE,
    Situation.NEVER_DONE: _LOST,
}


class MoneyRules(Rules):
    """Rules about money: what a call costs, and which error a failure becomes."""

    @pytest.mark.parametrize("situation", [*ANSWERS, *FAILURES], ids=str)
    @rule("R51")
    def test_r16_results_tell_what_they_cost(self, bench: Bench, situation: Situation) -> None:
        """`billing` says what the vendor charged, and why we think so; each failure becomes its own
        error, which says whether it may be retried; no request is repeated but a free poll.

        A budget that counts too little is found out when the invoice comes. Code that retries on
        "retryable" must not pay twice; code that stops on "no credit" must not stop because of a
        busy minute. After a lost answer the request may have been carried out and charged.
        """
        for operation in bench.operations_for(situation):
            if situation in FAILURES:
                _judge_failure(bench, operation, situation)
            else:
                _judge_price(bench, operation, situation)


def _judge_price(bench: Bench, operation: Operation, situation: Situation) -> None:
    outcome, good = bench.ask(operation, situation), GOOD[operation]
    if situation is Situation.NULL_SCORE and outcome.result is None:
        return  # R02 takes an error for it, and says what that may cost
    billing = outcome.answer.billing
    agrees_with_books(billing, outcome)
    may_be = _YES if situation is good else (*_YES, *_NO)
    if situation in bench.simulator.price_unknown:
        may_be = _UNKNOWN
    elif operation not in bench.can.billed_operations:
        may_be = _NO
    by = "`billed_operations` and the simulator's `price_unknown`"
    same(f"the charge in the result, by {by},", billing.charged, *may_be)
    assert billing.ground or billing.charged is not Charged.YES, "`billing.ground` says nothing"
    steps = bench.steps(operation)
    # A picture without a face may end a call early.
    counts = outcome.requests == steps or (outcome.requests < steps and situation is not good)
    sent = f"{outcome.requests} requests, and the simulator's `steps` are {steps}"
    assert counts or not bench.sends_itself, f"{sent}: does it try again, or keep an answer?"
    for wish in bench.wishes(operation) if situation is good else ():
        outcome = bench.ask(operation, good, **wish)
        agrees_with_books(outcome.answer.billing, outcome, f"with {wish} ")


def _judge_failure(bench: Bench, operation: Operation, situation: Situation) -> None:
    for step in bench.each_step(operation, situation):
        # Past the verifier, too, whose own rules would hide a fault of the backend.
        for ask in (bench.ask_directly, bench.ask):
            outcome = ask(operation, situation, step=step)
            judge(bench, operation, situation, step, outcome)
            most = step or bench.steps(operation)
            polls = request_at(bench, operation, step).on_refusal == "raise"
            right = polls or outcome.requests <= most or not bench.sends_itself
            assert right, f"{outcome.requests} requests, not {most}: does it try again?"
    if situation is Situation.REJECTED and bench.sends_itself:
        # A refused token may be renewed, but a call that may have been charged is not repeated.
        for status in (404, 409, 500, 504):  # the others are situations
            with bench.overhear(status=status):
                count = bench.make_call(bench.call(operation, GOOD[operation])).requests
            most = bench.steps(operation)
            assert count <= most, f"{count} requests after a {status}, not {most}"


def judge(
    bench: Bench, operation: Operation, situation: Situation, step: int | None, outcome: Outcome
) -> None:
    """Assert that a failure became its own error with the vendor's bill, or was survived."""
    has_waited, request = bool(bench.waits), request_at(bench, operation, step)
    gave, error = f"it gave {outcome.summary}", outcome.error
    polled, free = request.on_refusal == "raise", not request.charges
    if outcome.result is not None and polled and situation in EXPECTED:
        agrees_with_books(outcome.result.billing, outcome)
        assert outcome.result.decision is PASS[operation], f"{gave} when it asked again"
        return
    # The allowed errors and bills depend on the cost of this request and of those before it.
    expected, billed = (EXPECTED | _OVER)[situation], operation in bench.can.billed_operations
    classes, bills = expected.errors, {*expected.charged}
    if polled and situation in EXPECTED:
        classes = (errors.VendorError,)
    elif free and step not in (None, 1):  # accepted, and not finished
        classes = (*classes, errors.VendorUnavailable, errors.OutcomeUnknown)
    elif Charged.UNKNOWN in bills and (free or not billed):
        classes = (*classes, errors.VendorUnavailable)
    if free:
        bills = {Charged.NO}
    elif Charged.YES in bills or not billed:
        bills |= {Charged.NO}  # the vendor's books decide
    if outcome.charges:  # for this request, or for one before it
        bills = {Charged.YES if bill is Charged.NO else bill for bill in bills}
    names = " or ".join(dict.fromkeys(each.__name__ for each in classes))
    assert isinstance(error, classes), f"{gave}, and not {names}"
    charged = error.billing.charged
    same("the charge in the error", charged, *sorted(bills))
    is_named = charged is not Charged.UNKNOWN or isinstance(error, errors.OutcomeUnknown)
    assert is_named, f"{gave}, whose bill is unknown: that is OutcomeUnknown"
    agrees_with_books(error.billing, outcome)
    retryable = expected.retryable if classes == expected.errors else None
    right = (retryable if charged is Charged.NO else False) in (None, error.retryable)
    assert right, f"`retryable` is {error.retryable}, and charged {charged}"
    wait_s = getattr(error, "retry_after_s", None) or 0.0
    assert 0 <= wait_s < math.inf, f"`retry_after_s` is {wait_s}"
    call = bench.call(operation, GOOD[operation], vendor_id=error.ids.vendor)
    can_be = bench.backend.reconcilable(call) or not getattr(error, "reconcilable", False)
    assert can_be, "`reconcilable`, but the vendor kept nothing"
    if situation is Situation.NEVER_DONE or (polled and has_waited and outcome.charges):
        again = isinstance(error, (errors.RateLimited, errors.VendorUnavailable))
        assert not again, f"{gave}: the job was accepted, so it has to be an OutcomeUnknown"
        assert error.ids.vendor, "the error has no `ids.vendor` to find the job by"


def agrees_with_books(billing: Billing, outcome: Outcome, where: str = "") -> None:
    """Assert that the vendor counted the reported charges; if unknown, no fewer."""
    charges, counted = billing.charges or 0, outcome.charges
    right = charges == counted and (billing.charged is Charged.YES) == (counted > 0)
    if billing.charged is Charged.UNKNOWN:
        right = charges <= counted
    assert right, (
        f"{where}the backend says {billing.charged} ({charges} charge{'s' * (charges != 1)}), "
        f"the vendor counted {counted}"
    )


def request_at(bench: Bench, operation: Operation, step: int | None) -> HttpRequest:
    """Return the request of a good call at this step; where a library sends it, one that costs."""
    sent = bench.requests(operation)[(step or 1) - 1 :]
    return sent[0] if sent else HttpRequest(url="https://vendor.example")
