"""R16-R20: who pays, how often, and who knows of it."""

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
from facematch_core.deadline import NO_DEADLINE
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.sdk import SdkBackend
from facematch_core.settings import declared_settings
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

from ._frame import Rules
from .jobs import judge_pauses


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
_LOST = Expected((errors.OutcomeUnknown,), _UNKNOWN)

EXPECTED = {
    Situation.BAD_KEY: Expected(
        (errors.AuthenticationFailed, errors.PermissionDenied), _NO, requests=(0, 1)
    ),
    Situation.NO_CREDIT: Expected((errors.InsufficientCredit,), _NO),
    Situation.THROTTLED: Expected((errors.RateLimited,), _NO, retryable=True),
    Situation.REJECTED: Expected((errors.RequestRejected,), _NO),
    Situation.UNREACHABLE: Expected((errors.VendorUnavailable,), _NO, True, requests=(0,)),
    Situation.LOST_ANSWER: _LOST,
    Situation.BROKEN_ANSWER: _LOST,
    Situation.GATEWAY_ERROR: _LOST,
    # Some vendors say that their own faults are free.
    Situation.OUTAGE: Expected(
        (errors.VendorUnavailable, errors.OutcomeUnknown), (*_NO, *_UNKNOWN), retryable=None
    ),
    Situation.UNREADABLE_200: Expected((errors.UnexpectedResponse,), _YES),
}

#: The same of what only the time of a call ends.
_OVER = {
    Situation.SLOW: Expected((errors.DeadlineExceeded,), _UNKNOWN),
    Situation.DRIPPING: Expected((errors.DeadlineExceeded,), _UNKNOWN),
    # Known by its size, too: as an answer that cannot be read.
    Situation.ENDLESS: Expected(
        (errors.OutcomeUnknown, errors.UnexpectedResponse), (*_UNKNOWN, *_YES)
    ),
    Situation.NEVER_DONE: _LOST,
}

#: Seconds that a call is given where the vendor's answer has no end, and how many times as long it
#: may take. More, where it was late or did not come as far: that may be the machine's fault.
DEADLINES_S, LATE = (0.1, 0.3, 0.6), 3


class MoneyRules(Rules):
    """Who pays, how often, and who knows of it."""

    def test_r16_results_tell_what_they_cost(self, bench: Bench) -> None:
        """`billing` says what the vendor charged, and why we think so.

        A budget that counts too little is found out when the invoice comes. "Unknown" is only for
        answers that never came.
        """
        for operation, situation in bench.cases(ANSWERS):
            outcome = bench.ask(operation, situation)
            if situation is Situation.NULL_SCORE and outcome.result is None:
                continue  # R10 takes an error for it, and says what that may cost
            billing, where = outcome.answer.billing, f"{operation}, {situation.name}"
            agrees_with_books(billing, outcome, where)
            may_be = _YES if situation is GOOD[operation] else (*_YES, *_NO)
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
        for operation in bench.operations:
            # What a caller may ask for besides, and may cost more.
            for wish in bench.wishes(operation):
                outcome = bench.ask(operation, GOOD[operation], **wish)
                agrees_with_books(outcome.answer.billing, outcome, f"{operation} with {wish}")

    @pytest.mark.parametrize("situation", FAILURES, ids=lambda one: one.value)
    def test_r17_failures_are_told_apart(self, bench: Bench, situation: Situation) -> None:
        """Each failure becomes its own error, which says whether it was charged and may be retried.

        Code that retries on "retryable" must not pay twice; code that stops on "no credit" must not
        stop because of a busy minute.
        """
        for operation in bench.operations_for(situation):
            for step in bench.each_step(operation, situation):
                # Past the verifier, too, whose own rules would hide a fault of the backend.
                own = bench.ask_directly(operation, situation, step=step)
                judge(bench, operation, situation, step, own)
                told = bench.ask(operation, situation, step=step)
                judge(bench, operation, situation, step, told)
                where, another = _at(operation, situation, step), told.error is not own.error
                assert another or not own.error, f"{where}: two calls raised one error object"

    @pytest.mark.parametrize("situation", [*ANSWERS, *FAILURES], ids=lambda one: one.value)
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
                seen, wanted = outcome.requests, [steps]
                if failure and request_at(bench, operation, step).on_refusal == "raise":
                    # How often it asks for what costs nothing is its own affair.
                    good = bench.ask(operation, GOOD[operation])
                    seen, wanted = outcome.charges, [*range(good.charges + 1)]
                elif failure:
                    wanted = [step] if step else [*failure.requests]
                elif situation is not GOOD[operation]:
                    wanted = [*range(1, steps + 1)]  # a picture without a face may end it early
                assert seen in wanted, (
                    f"{_at(operation, situation, step)}: {seen} requests, not {wanted[-1]}: does "
                    "it try again, or keep an answer? If each of them is needed, the simulator "
                    "says so in `steps`"
                )
        if situation is not Situation.REJECTED or not bench.simulator.takes_replies:
            return
        # A refused token may be renewed, but nothing that may have been charged is repeated.
        for operation in bench.operations:
            polls = [one.on_refusal == "raise" for one in bench.requests(operation)]
            last = (True in polls and polls.index(True)) or bench.steps(operation)
            for status in (404, 408, 409, 422, 500, 504):  # the others are situations
                bench.simulator.set_reply(SimulatorReply(status=status, body={}), step=last)
                seen = bench.made(bench.call(operation, GOOD[operation])).requests
                assert seen <= last, f"{operation}: {seen} requests after a {status}, not {last}"

    def test_r19_deadline_holds(self, bench: Bench) -> None:
        """`deadline_s` ends a call that would never end, a job ends without one too, and the next
        call is not affected.

        A door that waits for minutes is broken; one that reads the last visitor's answer is worse.
        """
        can, cannot = bench.simulator.situations, bench.simulator.cannot_happen
        stalls = [stall for stall in STALLS if stall in can or stall not in cannot]
        bench.need(*(stalls or STALLS))
        for operation in bench.operations:
            endless = _without_deadline(bench, operation)
            assert not endless, f"{operation}: `client.send` without its deadline: {endless[0]}"
            asleep = sleeps(bench, operation)
            assert not asleep, (
                f"{operation}: time.sleep in {asleep[0]} heeds no deadline: `yield Wait(seconds)`"
            )
            bench.ask(operation, GOOD[operation])
            waits_s = sum(bench.waits)
            judge_pauses(bench, operation)
            for stall in stalls:
                steps = bench.each_step(operation, stall)
                # Before any wait, and after all of them; how it has no end is the same at both.
                for step in {steps[0], steps[-1]} if stall is Situation.SLOW else steps[-1:]:
                    before_s = waits_s if step == steps[-1] else 0.0
                    for deadline_s in DEADLINES_S:
                        at, ends_s = time.monotonic(), deadline_s + before_s
                        outcome = bench.ask(operation, stall, step=step, deadline_s=ends_s)
                        taken_s = time.monotonic() - at
                        if taken_s < LATE * deadline_s and outcome.requests >= (step or 1):
                            break
                    assert taken_s < LATE * deadline_s, (
                        f"{_at(operation, stall, step)}: a call with {deadline_s:g} s to go took "
                        f"{taken_s:.2f} s, and gave {outcome.told}"
                    )
                    judge(bench, operation, stall, step, outcome)
                # An answer that came too late says the opposite.
                after = f"{operation}: the result after a call that was given up"
                for one, said in ((BAD, FAIL[operation]), (GOOD, PASS[operation])):
                    told = bench.ask(operation, one[operation]).answer.decision
                    assert told is said, f"{after} is {told}, not {said}: is it that one's?"
            if waits_s and Situation.NEVER_DONE not in cannot:
                bench.need(Situation.NEVER_DONE)
                self._job_ends(bench, operation, DEADLINES_S[0] + 4 * waits_s)

    def _job_ends(self, bench: Bench, operation: Operation, longest_s: float) -> None:
        """A job that the vendor never finishes ends at the deadline, and without one by itself."""
        never, step = Situation.NEVER_DONE, len(bench.requests(operation)) or None
        setting = "call_timeout_s" in declared_settings(type(bench.backend))
        own = {"call_timeout_s": longest_s} if setting else {}
        with contextlib.closing(bench.simulator.backend(**own)) as backend:
            patient = FaceVerifier(backend, clock=bench.clock)
            late = bench.ask(operation, never, deadline_s=longest_s)
            for outcome in (late, bench.ask(operation, never, verifier=patient)):
                judge(bench, operation, never, step, outcome)

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
            # The end of the program, and what a policy raises.
            for stop in (SystemExit(), ZeroDivisionError()) if at else ():
                before, told = simulator.requests_seen, ""
                call = bench.call(operation, GOOD[operation], on_sent=mock.Mock(side_effect=stop))
                with contextlib.suppress(type(stop)):
                    told = bench.made(call).told
                # What would be sent a little later arrives before the next call does.
                later = bench.ask_directly(operation, GOOD[operation])
                sent = simulator.requests_seen - before - later.requests
                assert not told, f"{operation}: `on_sent` raised, and the call gave {told}"
                assert sent <= 0, f"{operation}: `on_sent` raised, and {sent} requests have left"
        for operation, situation in bench.cases((Situation.UNREACHABLE,)):
            at.clear()
            error = bench.ask_directly(operation, situation, on_sent=note).error
            # A library that sends by itself cannot say "now": then it must say why not.
            ground = isinstance(error, errors.VendorError) and error.billing.ground
            assert ground or not at, (
                f"{operation}: nobody is there, `on_sent` was called, and `billing.ground` is empty"
            )


def judge(
    bench: Bench, operation: Operation, situation: Situation, step: int | None, outcome: Outcome
) -> None:
    """Assert that a failure became its own error, with the vendor's bill, or was survived."""
    has_waited, where = bool(bench.waits), _at(operation, situation, step)
    gave, error = f"{where} gave {outcome.told}", outcome.error
    polled = request_at(bench, operation, step).on_refusal == "raise"
    if outcome.result is not None and polled and situation in EXPECTED:
        agrees_with_books(outcome.result.billing, outcome, where)
        assert outcome.result.decision is PASS[operation], f"{gave} when it asked again"
        return
    wanted = _wanted(bench, operation, situation, step, outcome)
    names = " or ".join(dict.fromkeys(one.__name__ for one in wanted.errors))
    assert isinstance(error, wanted.errors), f"{gave}, and not {names}"
    said, may_be = error.billing.charged, " or ".join(sorted(wanted.charged))
    assert said in wanted.charged, f"{where}: the error says {said}, not {may_be}"
    named = said is not Charged.UNKNOWN or isinstance(error, errors.OutcomeUnknown)
    assert named, f"{gave}, whose bill is unknown: that is OutcomeUnknown"
    agrees_with_books(error.billing, outcome, where)
    retryable = wanted.retryable if said is Charged.NO else False
    right = retryable in (None, error.retryable)
    assert right, f"{where}: `retryable` is {error.retryable}, and charged {said}"
    wait_s = getattr(error, "retry_after_s", None) or 0.0
    assert 0 <= wait_s < math.inf, f"{where}: `retry_after_s` is {wait_s}"
    call = bench.call(operation, GOOD[operation], vendor_id=error.ids.vendor)
    found = bench.backend.reconcilable(call) or not getattr(error, "reconcilable", False)
    assert found, f"{where}: `reconcilable`, but the vendor kept nothing"
    if situation is Situation.NEVER_DONE or (polled and has_waited and outcome.charges):
        again = isinstance(error, (errors.RateLimited, errors.VendorUnavailable))
        assert not again, f"{gave}: the job was accepted, so it has to be an OutcomeUnknown"
        assert error.ids.vendor, f"{where}: the error has no `ids.vendor` to find the job by"


def _wanted(
    bench: Bench, operation: Operation, situation: Situation, step: int | None, outcome: Outcome
) -> Expected:
    """What a failure may become, by what the call has cost before, and what the request costs."""
    wanted, request = (EXPECTED | _OVER)[situation], request_at(bench, operation, step)
    charged, free = {*wanted.charged}, not request.charges
    classes, billed = wanted.errors, operation in bench.can.billed_operations
    if situation is Situation.UNREADABLE_200 and isinstance(bench.backend, SdkBackend):
        # A library that falls over the answer does not say that there was one.
        charged, classes = charged | {Charged.UNKNOWN}, (*classes, errors.OutcomeUnknown)
    elif request.on_refusal == "raise" and situation in EXPECTED:
        classes = (errors.VendorError,)
    elif free and step not in (None, 1):  # accepted, and not finished
        classes = (*classes, errors.VendorUnavailable, errors.OutcomeUnknown)
    elif Charged.UNKNOWN in charged and (free or not billed):
        classes = (*classes, errors.VendorUnavailable)
    if free:
        charged = {Charged.NO}
    elif Charged.YES in charged or not billed:
        charged |= {Charged.NO}  # the vendor's books decide
    if outcome.charges:  # for this request, or for one before it
        charged = {Charged.YES if one is Charged.NO else one for one in charged}
    return Expected(classes, (*charged,), wanted.retryable if classes == wanted.errors else None)


def agrees_with_books(billing: Billing, outcome: Outcome, where: str) -> None:
    """Assert that the vendor wrote down the charges that are reported; if unknown, no fewer."""
    said, counted = billing.charges or 0, outcome.charges
    told = f"{billing.charged} ({said} charge{'s' * (said != 1)})"
    right = said == counted and (billing.charged is Charged.YES) == (counted > 0)
    if billing.charged is Charged.UNKNOWN:
        right = said <= counted
    assert right, f"{where}: the backend says {told}, the vendor counted {counted}"


def _at(operation: Operation, situation: Situation, step: int | None) -> str:
    return f"{operation}, {situation.name}" + (f" at step {step}" if step else "")


def request_at(bench: Bench, operation: Operation, step: int | None) -> HttpRequest:
    """The request of a good call at this step; where a library sends it, one that may cost."""
    sent = bench.requests(operation)[(step or 1) - 1 :]
    return sent[0] if sent else HttpRequest(url="https://vendor.example")


def _without_deadline(bench: Bench, operation: Operation) -> list[str]:
    """What a call with a deadline asks without one: where it signs in."""
    found = list[str]()

    def hear(request: HttpRequest, send: Any, _: bool) -> HttpReply:
        if send.keywords.get("deadline", NO_DEADLINE).limit_s is None:
            found.append(repr(request))
        reply: HttpReply = send()
        return reply

    with bench.line(hear):
        bench.ask(operation, GOOD[operation], deadline_s=60.0)
    return found


def sleeps(bench: Bench, operation: Operation) -> list[str]:
    """Where a step of a good call sleeps; what a vendor's own library does is its own affair."""
    bench.prepare(GOOD[operation])
    call: Any = bench.call(operation, GOOD[operation])
    backend, found, before = bench.backend, list[str](), sys.getprofile()

    def watch(frame: Any, event: str, function: object) -> None:
        # Python 3.11 and 3.12 have no audit event of it, and the name may be imported already.
        if event == "c_call" and function is time.sleep:
            code = frame.f_code
            found.append(f"{code.co_name}, {Path(code.co_filename).name}:{frame.f_lineno}")

    if isinstance(backend, HttpBackend):
        sys.setprofile(watch)
        try:
            with contextlib.suppress(errors.VendorError):
                (backend.match if operation is Operation.MATCH else backend.check_liveness)(call)
        finally:
            sys.setprofile(before)
    return found
