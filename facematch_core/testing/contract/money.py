"""R16, R18-R20: who pays, how often, and who knows of it."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import pytest

from facematch_core import Billing, Charged, FaceVerifier, Operation, errors
from facematch_core.backend.sdk import SdkBackend
from facematch_core.base.deadline import NO_DEADLINE
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing.bench import FAIL, PASS, Bench, Outcome
from facematch_core.testing.simulator import (
    ANSWERS,
    BAD,
    FAILURES,
    GOOD,
    STALLS,
    SimulatorReply,
    Situation,
)

from ._frame import Rules, rule


@attrs.frozen
class Expected:
    """What a failure must become, of a call of which nothing was charged before it."""

    errors: tuple[type[errors.VendorError], ...]
    charged: tuple[Charged, ...]
    #: None: as the vendor's documents say.
    retryable: bool | None = False
    #: How many the vendor may see: one that it refuses at its sign-in is never seen.
    requests: tuple[int, ...] = (1,)


_NO, _UNKNOWN, _YES = (Charged.NO,), (Charged.UNKNOWN,), (Charged.YES,)
_REFUSED = errors.AuthenticationFailed, errors.PermissionDenied
_LOST = Expected((errors.OutcomeUnknown,), _UNKNOWN)
_LATE = Expected((errors.DeadlineExceeded,), _UNKNOWN)

EXPECTED = {
    Situation.BAD_KEY: Expected(_REFUSED, _NO, requests=(0, 1)),
    Situation.NO_CREDIT: Expected((errors.InsufficientCredit,), _NO),
    Situation.THROTTLED: Expected((errors.RateLimited,), _NO, retryable=True),
    Situation.REJECTED: Expected((errors.RequestRejected,), _NO),
    Situation.UNREACHABLE: Expected((errors.VendorUnavailable,), _NO, True, requests=(0,)),
    **dict.fromkeys((Situation.LOST_ANSWER, Situation.BROKEN_ANSWER), _LOST),
    Situation.GATEWAY_ERROR: _LOST,
    # Some vendors say that their own faults are free.
    Situation.OUTAGE: Expected((errors.VendorUnavailable, *_LOST.errors), (*_NO, *_UNKNOWN), None),
    Situation.UNREADABLE_200: Expected((errors.UnexpectedResponse,), _YES),
}

#: The same of what only the time of a call ends.
_OVER = {
    Situation.SLOW: _LATE,
    Situation.DRIPPING: _LATE,
    # Known by its size, too: as an answer that cannot be read.
    Situation.ENDLESS: Expected((*_LOST.errors, errors.UnexpectedResponse), (*_UNKNOWN, *_YES)),
    Situation.NEVER_DONE: _LOST,
}

#: Seconds that a call is given where the vendor's answer has no end, and how many times as long it
#: may take. More, where it was late or did not come as far: that may be the machine's fault.
DEADLINES_S, LATE = (0.1, 0.3, 0.6), 3


class MoneyRules(Rules):
    """Who pays, how often, and who knows of it."""

    @pytest.mark.parametrize("situation", [*ANSWERS, *FAILURES], ids=str)
    @rule("R51")
    def test_r16_results_tell_what_they_cost(self, bench: Bench, situation: Situation) -> None:
        """`billing` says what the vendor charged, and why we think so; each failure becomes its own
        error, which says besides whether it may be retried.

        A budget that counts too little is found out when the invoice comes. "Unknown" is only for
        answers that never came. Code that retries on "retryable" must not pay twice; code that
        stops on "no credit" must not stop because of a busy minute.
        """
        judge_one = _judge_failure if situation in FAILURES else _judge_price
        for operation in bench.operations_for(situation):
            judge_one(bench, operation, situation)

    @pytest.mark.parametrize("situation", [*ANSWERS, *FAILURES], ids=str)
    @rule("R51")
    def test_r18_no_request_is_repeated(self, bench: Bench, situation: Situation) -> None:
        """A call sends the requests that its steps need, and repeats none but a free poll.

        After a lost answer above all: the request may have been carried out and charged.
        """
        failure = EXPECTED.get(situation)
        for operation in bench.operations_for(situation):
            steps = bench.steps(operation)
            for step in bench.each_step(operation, situation):
                # Whoever was refused may ask again, however often.
                for _ in range(6 if situation is Situation.REJECTED else 1):
                    outcome = bench.ask(operation, situation, step=step)
                count, counts = outcome.requests, [steps]
                if failure and request_at(bench, operation, step).on_refusal == "raise":
                    # How often it asks for what costs nothing is its own affair.
                    good = bench.ask(operation, GOOD[operation])
                    count, counts = outcome.charges, [*range(good.charges + 1)]
                elif failure:
                    counts = [step] if step else [*failure.requests]
                elif situation is not GOOD[operation]:
                    counts = [*range(1, steps + 1)]  # a picture without a face may end it early
                assert count in counts, (
                    f"{_at(operation, situation, step)}: {count} requests, not {counts[-1]}: does "
                    "it try again, or keep an answer? If each of them is needed, the simulator "
                    "says so in `steps`"
                )
        if situation is not Situation.REJECTED or not bench.simulator.takes_replies:
            return
        # A refused token may be renewed, but nothing that may have been charged is repeated.
        for operation in bench.operations:
            polls = [request.on_refusal == "raise" for request in bench.requests(operation)]
            last = (True in polls and polls.index(True)) or bench.steps(operation)
            for status in (404, 408, 409, 422, 500, 504):  # the others are situations
                bench.simulator.set_reply(SimulatorReply(status=status, body={}), step=last)
                count = bench.make_call(bench.call(operation, GOOD[operation])).requests
                assert count <= last, f"{operation}: {count} requests after a {status}, not {last}"

    @rule("R51", "R06")
    def test_r19_deadline_holds(self, bench: Bench) -> None:
        """`deadline_s` ends a call that would never end, a job ends without one too, and the next
        call is not affected.

        A door that waits for minutes is broken; one that reads the last visitor's answer is worse.
        """
        can, cannot = bench.simulator.situations, bench.simulator.cannot_happen
        stalls = [stall for stall in STALLS if stall in can or stall not in cannot]
        bench.need(*(stalls or STALLS))
        for operation in bench.operations:
            endless = _find_endless(bench, operation)
            assert not endless, f"{operation}: `client.send` without its deadline: {endless[0]}"
            places = _watch_sleep(bench, operation)
            assert not places, f"{operation}: `yield Wait(seconds)` for time.sleep in {places[0]}"
            bench.ask(operation, GOOD[operation])
            waits_s = sum(bench.waits)
            for stall in stalls:
                steps = bench.each_step(operation, stall)
                # Before any wait, and after all of them; how it has no end is the same at both.
                for step in {steps[0], steps[-1]} if stall is Situation.SLOW else steps[-1:]:
                    before_s = waits_s if step == steps[-1] else 0.0
                    for deadline_s in DEADLINES_S:
                        if Situation.UNREACHABLE in can:
                            # What a call before this one sent too late is not counted here.
                            bench.prepare(Situation.UNREACHABLE)
                        at, ends_s = time.monotonic(), deadline_s + before_s
                        outcome = bench.ask(operation, stall, step=step, deadline_s=ends_s)
                        taken_s = time.monotonic() - at
                        if taken_s < LATE * deadline_s and outcome.requests >= (step or 1):
                            break
                    assert taken_s < LATE * deadline_s, (
                        f"{_at(operation, stall, step)}: a call with {deadline_s:g} s to go took "
                        f"{taken_s:.2f} s, and gave {outcome.summary}"
                    )
                    judge(bench, operation, stall, step, outcome)
                for table, due in ((BAD, FAIL[operation]), (GOOD, PASS[operation])):
                    decision = bench.ask(operation, table[operation]).answer.decision
                    after = f"{operation}: the result after a call that was given up"
                    assert decision is due, f"{after} is {decision}, not {due}: is it that one's?"
            if not waits_s or Situation.NEVER_DONE in cannot:
                continue
            # A job that is never finished ends at the deadline, and without one by itself.
            bench.need(never := Situation.NEVER_DONE)
            longest_s = DEADLINES_S[0] + 4 * waits_s
            with contextlib.closing(bench.simulator.backend()) as backend:
                patient = FaceVerifier(backend, clock=bench.clock)
                late = bench.ask(operation, never, deadline_s=longest_s)
                step = len(bench.requests(operation)) or None
                for outcome in (late, bench.ask(operation, never, verifier=patient)):
                    judge(bench, operation, never, step, outcome)

    @rule("R51")
    def test_r20_first_byte_is_told_once(self, bench: Bench) -> None:
        """`on_sent` is called once, before bytes may leave, and never if none leave; if it raises,
        nothing is sent.

        A budget relies on it when the program is killed in the middle of a call.
        """
        simulator, at = bench.simulator, list[int]()

        def note() -> None:
            at.append(simulator.requests_seen)

        for operation in bench.operations:
            at.clear()
            before = simulator.requests_seen
            bench.ask_directly(operation, GOOD[operation], on_sent=note)
            heard = at or not bench.backend.reports_sent
            assert heard, f"{operation}: `on_sent` was not called, but `reports_sent` is true"
            assert at in ([], [before]), (
                f"{operation}: `on_sent` was called {len(at)} times, and the vendor had "
                f"{at[-1] - before} requests by then"
            )
            for stop in (SystemExit(), ZeroDivisionError()) if at else ():
                before, gave = simulator.requests_seen, ""
                call = bench.call(operation, GOOD[operation], on_sent=mock.Mock(side_effect=stop))
                with contextlib.suppress(type(stop)):
                    gave = bench.make_call(call).summary
                # What would be sent a little later arrives before the next call does.
                later = bench.ask_directly(operation, GOOD[operation])
                sent = simulator.requests_seen - before - later.requests
                assert not gave, f"{operation}: `on_sent` raised, and the call gave {gave}"
                assert sent <= 0, f"{operation}: `on_sent` raised, and {sent} requests have left"
        for operation, situation in bench.cases((Situation.UNREACHABLE,)):
            at.clear()
            error = bench.ask_directly(operation, situation, on_sent=note).error
            # A library that sends by itself cannot say "now": then it must say why not.
            ground = isinstance(error, errors.VendorError) and error.billing.ground
            assert ground or not at, (
                f"{operation}: nobody is there, `on_sent` was called, and `billing.ground` is empty"
            )


def _judge_price(bench: Bench, operation: Operation, situation: Situation) -> None:
    outcome, good = bench.ask(operation, situation), GOOD[operation]
    if situation is Situation.NULL_SCORE and outcome.result is None:
        return  # R02 takes an error for it, and says what that may cost
    billing, where = outcome.answer.billing, f"{operation}, {situation.name}"
    agrees_with_books(billing, outcome, where)
    may_be = _YES if situation is good else (*_YES, *_NO)
    if situation in bench.simulator.price_unknown:
        may_be = _UNKNOWN
    elif operation not in bench.can.billed_operations:
        may_be = _NO
    assert billing.charged in may_be, (
        f"{where}: the result says {billing.charged}, not {' or '.join(may_be)}, by "
        "`billed_operations` and the simulator's `price_unknown`"
    )
    ground = billing.ground or billing.charged is not Charged.YES
    assert ground, f"{where}: charged, and `billing.ground` does not say why"
    for wish in bench.wishes(operation) if situation is good else ():
        outcome = bench.ask(operation, good, **wish)
        agrees_with_books(outcome.answer.billing, outcome, f"{operation} with {wish}")


def _judge_failure(bench: Bench, operation: Operation, situation: Situation) -> None:
    for step in bench.each_step(operation, situation):
        # Past the verifier, too, whose own rules would hide a fault of the backend.
        direct = bench.ask_directly(operation, situation, step=step)
        judge(bench, operation, situation, step, direct)
        outcome = bench.ask(operation, situation, step=step)
        judge(bench, operation, situation, step, outcome)
        another = outcome.error is not direct.error or not direct.error
        assert another, f"{_at(operation, situation, step)}: two calls raised one error object"


def judge(
    bench: Bench, operation: Operation, situation: Situation, step: int | None, outcome: Outcome
) -> None:
    """Assert that a failure became its own error, with the vendor's bill, or was survived."""
    where, request = _at(operation, situation, step), request_at(bench, operation, step)
    gave, error, has_waited = f"{where} gave {outcome.summary}", outcome.error, bool(bench.waits)
    polled, free = request.on_refusal == "raise", not request.charges
    if outcome.result is not None and polled and situation in EXPECTED:
        agrees_with_books(outcome.result.billing, outcome, where)
        assert outcome.result.decision is PASS[operation], f"{gave} when it asked again"
        return
    # What it may become, by what the call has cost before, and what the request costs.
    expected, billed = (EXPECTED | _OVER)[situation], operation in bench.can.billed_operations
    classes, bills = expected.errors, {*expected.charged}
    if situation is Situation.UNREADABLE_200 and isinstance(bench.backend, SdkBackend):
        # A library that falls over the answer does not say that there was one.
        bills, classes = {*bills, Charged.UNKNOWN}, (*classes, errors.OutcomeUnknown)
    elif polled and situation in EXPECTED:
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
    assert charged in bills, f"{where}: the error says {charged}, not {' or '.join(sorted(bills))}"
    is_named = charged is not Charged.UNKNOWN or isinstance(error, errors.OutcomeUnknown)
    assert is_named, f"{gave}, whose bill is unknown: that is OutcomeUnknown"
    agrees_with_books(error.billing, outcome, where)
    retryable = expected.retryable if classes == expected.errors else None
    right = (retryable if charged is Charged.NO else False) in (None, error.retryable)
    assert right, f"{where}: `retryable` is {error.retryable}, and charged {charged}"
    wait_s = getattr(error, "retry_after_s", None) or 0.0
    assert 0 <= wait_s < math.inf, f"{where}: `retry_after_s` is {wait_s}"
    call = bench.call(operation, GOOD[operation], vendor_id=error.ids.vendor)
    can_be = bench.backend.reconcilable(call) or not getattr(error, "reconcilable", False)
    assert can_be, f"{where}: `reconcilable`, but the vendor kept nothing"
    if situation is Situation.NEVER_DONE or (polled and has_waited and outcome.charges):
        again = isinstance(error, (errors.RateLimited, errors.VendorUnavailable))
        assert not again, f"{gave}: the job was accepted, so it has to be an OutcomeUnknown"
        assert error.ids.vendor, f"{where}: the error has no `ids.vendor` to find the job by"


def agrees_with_books(billing: Billing, outcome: Outcome, where: str) -> None:
    """Assert that the vendor wrote down the charges that are reported; if unknown, no fewer."""
    charges, counted = billing.charges or 0, outcome.charges
    right = charges == counted and (billing.charged is Charged.YES) == (counted > 0)
    if billing.charged is Charged.UNKNOWN:
        right = charges <= counted
    assert right, (
        f"{where}: the backend says {billing.charged} ({charges} charge{'s' * (charges != 1)}), "
        f"the vendor counted {counted}"
    )


def _at(operation: Operation, situation: Situation, step: int | None) -> str:
    return f"{operation}, {situation.name}" + (f" at step {step}" if step else "")


def request_at(bench: Bench, operation: Operation, step: int | None) -> HttpRequest:
    """The request of a good call at this step; where a library sends it, one that may cost."""
    sent = bench.requests(operation)[(step or 1) - 1 :]
    return sent[0] if sent else HttpRequest(url="https://vendor.example")


def _find_endless(bench: Bench, operation: Operation) -> list[str]:
    """What a call with a deadline asks without one: where it signs in."""
    requests = list[str]()

    def hear(request: HttpRequest, send: Any, _: bool) -> HttpReply:
        if send.keywords.get("deadline", NO_DEADLINE).limit_s is None:
            requests.append(repr(request))
        reply: HttpReply = send()
        return reply

    with bench.line(hear):
        bench.ask(operation, GOOD[operation], deadline_s=60.0)
    return requests


def _watch_sleep(bench: Bench, operation: Operation) -> list[str]:
    """Where a step of a good call sleeps; what a vendor's own library does is its own affair."""
    places, before = list[str](), sys.getprofile()
    if not isinstance(bench.backend, HttpBackend):
        return places

    def watch(frame: Any, event: str, function: object) -> None:
        # Python 3.11 and 3.12 have no audit event of it, and the name may be imported already.
        if event == "c_call" and function is time.sleep:
            code = frame.f_code
            places.append(f"{code.co_name}, {Path(code.co_filename).name}:{frame.f_lineno}")

    bench.prepare(GOOD[operation])
    backend, call = bench.backend, bench.call(operation, GOOD[operation])
    ask: Any = backend.match if operation is Operation.MATCH else backend.check_liveness
    sys.setprofile(watch)
    try:
        with contextlib.suppress(errors.VendorError):
            ask(call)
    finally:
        sys.setprofile(before)
    return places
