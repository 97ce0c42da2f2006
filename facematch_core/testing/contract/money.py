"""R16-R20: who pays, how often, and who knows of it."""

from __future__ import annotations

import math
import time

import attrs
import pytest

from facematch_core import Billing, CallEvent, Charged, EventKind, Operation, errors
from facematch_core.backend import SdkBackend
from facematch_core.testing.bench import DEADLINE_S, FAIL, PASS, Bench, Outcome, Result
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


@attrs.frozen
class Expected:
    """What a failure must become, of a call of which nothing was charged before it.

    Attributes:
        errors: Any of these classes.
        charged: Any of these.
        retryable: Exactly this; None if it depends on the vendor's documents.
        requests: How many requests the vendor may have seen, where the failure meets the whole
            call: one that a vendor refuses at its sign-in is never seen.
    """

    errors: tuple[type[errors.VendorError], ...]
    charged: tuple[Charged, ...]
    retryable: bool | None
    requests: tuple[int, ...] = (1,)


_NO, _UNKNOWN, _YES = (Charged.NO,), (Charged.UNKNOWN,), (Charged.YES,)

EXPECTED = {
    Situation.BAD_KEY: Expected(
        (errors.AuthenticationFailed, errors.PermissionDenied), _NO, False, (0, 1)
    ),
    Situation.NO_CREDIT: Expected((errors.InsufficientCredit,), _NO, False),
    Situation.THROTTLED: Expected((errors.RateLimited,), _NO, True),
    Situation.REJECTED: Expected((errors.RequestRejected,), _NO, False),
    Situation.UNREACHABLE: Expected((errors.VendorUnavailable,), _NO, True, (0,)),
    Situation.LOST_ANSWER: Expected((errors.OutcomeUnknown,), _UNKNOWN, False),
    Situation.BROKEN_ANSWER: Expected((errors.OutcomeUnknown,), _UNKNOWN, False),
    Situation.GATEWAY_ERROR: Expected((errors.OutcomeUnknown,), _UNKNOWN, False),
    # Some vendors say that their own faults are free.
    Situation.OUTAGE: Expected(
        (errors.VendorUnavailable, errors.OutcomeUnknown), (*_NO, *_UNKNOWN), None
    ),
    Situation.UNREADABLE_200: Expected((errors.UnexpectedResponse,), _YES, False),
}

#: How often a call may miss its time before it is the backend's fault, and not the machine's; and
#: by how many seconds it may.
TRIES, LATE_S = 3, 0.5


def agrees_with_books(billing: Billing, outcome: Outcome, where: str) -> None:
    """Assert that what is reported of the charges is what the vendor wrote down.

    Where that is not known, no more than that.
    """
    told = (
        f"{where}: the backend says {billing.charged} ({billing.charges or 0} charges), "
        f"the vendor counted {outcome.charges}"
    )
    if billing.charged is Charged.UNKNOWN:
        assert (billing.charges or 0) <= outcome.charges, told
    else:
        assert (billing.charges or 0) == outcome.charges, told
        assert (billing.charged is Charged.YES) == (outcome.charges > 0), told


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
            billing, where = outcome.answer.billing, f"{operation}, {situation}"
            if situation in bench.simulator.price_unknown:
                assert billing.charged is Charged.UNKNOWN, f"{where}: the vendor says no price"
                continue
            assert billing.charged is not Charged.UNKNOWN, f"{where}: answered, at an unknown price"
            agrees_with_books(billing, outcome, where)
            if operation not in bench.can.billed_operations:
                assert billing.charged is Charged.NO, f"{operation} is not declared as billed"
            elif situation is GOOD[operation]:
                assert billing.charged is Charged.YES, (
                    f"{where}: {billing.charged}, but it is billed"
                )
                assert billing.ground, "charged, but the ground is missing"
        for operation in bench.operations:
            # What a caller may ask for besides, and may cost more.
            for wish in bench.wishes():
                outcome = bench.ask(operation, GOOD[operation], **wish)
                agrees_with_books(outcome.answer.billing, outcome, f"{operation} with {wish}")

    @pytest.mark.parametrize("situation", FAILURES, ids=lambda situation: situation.value)
    def test_r17_failures_are_told_apart(self, bench: Bench, situation: Situation) -> None:
        """Each failure becomes its own error, which says whether it was charged and may be retried.

        Code that retries on "retryable" must not pay twice; code that stops on "no credit" must not
        stop because of a busy minute.
        """
        for operation in bench.operations_for(situation):
            for step in bench.each_step(operation, situation):
                own = bench.ask_directly(operation, situation, step=step)
                told = bench.ask(operation, situation, step=step)
                where = f"{operation}, {situation.name}" + (f" at step {step}" if step else "")
                for outcome in (own, told):
                    self._is_the_one(bench, operation, situation, outcome, where)
                assert isinstance(told.error, errors.VendorError)
                assert told.error.backend == bench.backend.name
                assert told.error.ids.call

    def _is_the_one(
        self, bench: Bench, operation: Operation, situation: Situation, outcome: Outcome, where: str
    ) -> None:
        wanted, error = EXPECTED[situation], outcome.error
        by_library = situation is Situation.UNREADABLE_200 and isinstance(bench.backend, SdkBackend)
        if by_library and isinstance(error, errors.OutcomeUnknown):
            # Its own library fell over the answer, and does not say that there was one.
            assert error.billing.charged is Charged.UNKNOWN, f"{where}: {error.billing.charged}"
            return
        assert isinstance(error, wanted.errors), f"{where} gave {outcome.told}"
        assert isinstance(error, errors.VendorError)
        charged = error.billing.charged
        allowed = wanted.charged
        if situation is Situation.UNREADABLE_200:
            allowed = bench.paid_if_unreadable(operation, outcome.charges)
        elif outcome.charges and Charged.NO in allowed:
            # An earlier step was charged, so that the call was.
            allowed = (*(one for one in allowed if one is not Charged.NO), Charged.YES)
        assert charged in allowed, f"{where}: the error says {charged}, not {' or '.join(allowed)}"
        if outcome.charges and charged is not Charged.UNKNOWN:
            assert not error.retryable, f"{where}: what was charged would be repeated"
        else:
            assert wanted.retryable in (None, error.retryable), f"{where}: {error.retryable}"
        assert isinstance(error, errors.OutcomeUnknown) == (charged is Charged.UNKNOWN), where
        assert not error.retryable or charged is Charged.NO, f"{where}: repeated and paid twice"
        assert error.status_code is None or 100 <= error.status_code <= 599
        assert str(error).strip(), "an error without a sentence"
        agrees_with_books(error.billing, outcome, where)
        # Nobody was asked to keep anything.
        assert not getattr(error, "reconcilable", False), (
            "reconcilable, but the vendor kept nothing"
        )
        if isinstance(error, errors.RateLimited) and error.retry_after_s is not None:
            assert math.isfinite(error.retry_after_s)
            assert error.retry_after_s >= 0

    @pytest.mark.parametrize(
        "situation", [*ANSWERS, *FAILURES], ids=lambda situation: situation.value
    )
    def test_r18_no_request_is_repeated(self, bench: Bench, situation: Situation) -> None:
        """A call sends the requests that its steps need, and repeats none.

        After a lost answer above all: the request may have been carried out and charged.
        """
        for operation in bench.operations_for(situation):
            steps = bench.steps(operation)
            for step in bench.each_step(operation, situation):
                seen = [bench.ask(operation, situation, step=step).requests for _ in range(2)]
                wanted: tuple[int, ...] = (step or 1,)
                if situation in EXPECTED:
                    wanted = wanted if step else EXPECTED[situation].requests
                elif situation in (GOOD[operation], Situation.SAME_PERSON):
                    wanted = (steps,)
                else:
                    # A picture without a face may end it early.
                    wanted = tuple(range(1, steps + 1))
                assert seen[0] in wanted, (
                    f"{seen[0]} requests for one call, and not {wanted[-1]}: does it try again, "
                    "or keep an answer? If each of them is needed, the simulator says so in `steps`"
                )
                assert seen[0] == seen[1], f"{seen[0]} requests for a call, and {seen[1]} for it"
        if situation is Situation.REJECTED and bench.simulator.takes_replies:
            for operation in bench.operations:
                self._no_status_is_sent_again(bench, operation)

    def _no_status_is_sent_again(self, bench: Bench, operation: Operation) -> None:
        """A refused token may be renewed, but nothing that may have been charged is repeated."""
        call = bench.call(operation, GOOD[operation])
        for status in (400, 404, 408, 409, 422, 429, 500, 502, 503, 504):
            bench.simulator.set_reply(SimulatorReply(status=status, body={"error": "kit"}))
            requests, steps = bench.made(call).requests, bench.steps(operation)
            assert requests <= steps, f"after a {status} {requests} requests for one call"

    def test_r19_deadline_holds(self, bench: Bench) -> None:
        """`deadline_s` ends a call that would never end, and the next call is not affected.

        A door that waits for minutes is broken; one that reads the last visitor's answer is worse.
        """
        cannot = set(bench.simulator.cannot_happen) - bench.simulator.situations
        stalls = [stall for stall in STALLS if stall not in cannot]
        bench.need(*(stalls or STALLS))
        for operation in bench.operations:
            for stall in stalls:
                for step in bench.each_step(operation, stall):
                    before = self._gives_up(bench, operation, stall, step).ids.vendor
                    # An answer that came too late says the opposite.
                    other = bench.ask(operation, BAD[operation]).answer
                    assert other.decision is FAIL[operation], "the answer of the call before"
                    later = bench.ask(operation, GOOD[operation]).answer
                    assert later.decision is PASS[operation]
                    assert before is None or later.ids.vendor != before, "that of the call before"

    def _gives_up(
        self, bench: Bench, operation: Operation, stall: Situation, step: int | None
    ) -> Result:
        """Run out of time; what was answered just before that, while the vendor answered."""
        for _ in range(TRIES):
            good = bench.ask(operation, GOOD[operation]).answer
            at = time.monotonic()
            outcome = bench.ask(operation, stall, step=step)
            taken_s = time.monotonic() - at
            error = outcome.error
            where = (
                f"{operation}, {stall}: had {DEADLINE_S} s, took {taken_s:.2f} s: {outcome.told}"
            )
            ends: dict[type[errors.VendorError], tuple[Charged, ...]] = {
                errors.DeadlineExceeded: _UNKNOWN
            }
            if stall is Situation.ENDLESS:
                # Known by its size, too: as an answer that cannot be read.
                ends |= {errors.OutcomeUnknown: _UNKNOWN}
                paid = bench.paid_if_unreadable(operation, outcome.charges)
                ends |= {errors.UnexpectedResponse: paid}
            if operation not in bench.can.billed_operations:
                ends |= {errors.VendorUnavailable: _NO}
            assert isinstance(error, errors.VendorError), where
            assert type(error) in ends, where
            assert error.billing.charged in ends[type(error)], where
            assert not error.retryable, where
            agrees_with_books(error.billing, outcome, where)
            assert outcome.requests <= (step or 1), f"{outcome.requests} requests for one call"
            if taken_s < DEADLINE_S + LATE_S:
                return good
        raise AssertionError(
            f"{operation}, {stall}: a call with {DEADLINE_S} s to go ended after {taken_s:.2f} s"
        )

    def test_r20_first_byte_is_told_once(self, bench: Bench) -> None:
        """`on_sent` is called once, before bytes may leave, and never if none leave; if it raises,
        nothing is sent.

        A budget relies on it when the program is killed in the middle of a call.
        """
        tells = bench.backend.reports_sent
        simulator, seen = bench.simulator, list[int]()
        for operation in bench.operations:
            seen.clear()
            before = simulator.requests_seen
            bench.ask_directly(
                operation, GOOD[operation], on_sent=lambda: seen.append(simulator.requests_seen)
            )
            assert len(seen) <= 1, "on_sent was called more than once"
            assert seen or not tells, "on_sent was not called, although reports_sent is true"
            assert all(at == before for at in seen), (
                "on_sent was called after the vendor had the request"
            )
            for stop in (_Killed(), _Stopped("no room in the budget")) if seen else ():
                self._stopped_in_between(bench, operation, stop)
        for operation, situation in bench.cases((Situation.UNREACHABLE, Situation.LOST_ANSWER)):
            told: list[tuple[EventKind, int]] = []

            def hear(event: CallEvent, told: list[tuple[EventKind, int]] = told) -> None:
                told.append((event.kind, simulator.requests_seen))

            before = simulator.requests_seen
            verifier = bench.open_verifier(on_event=hear)
            error = bench.ask(operation, situation, verifier=verifier).error
            kinds, lost = [kind for kind, _ in told], situation is Situation.LOST_ANSWER
            assert kinds.count(EventKind.UNKNOWN) == lost, f"{situation.name}: {kinds}"
            assert EventKind.CHARGED not in kinds
            if lost:
                assert kinds.count(EventKind.SENT) <= 1
                assert EventKind.SENT in kinds or not tells, f"{situation.name}: {kinds}"
            elif EventKind.SENT in kinds:
                # A library that sends by itself cannot say "now": then it must say why not.
                assert isinstance(error, errors.VendorError)
                assert error.billing.ground, (
                    "reported as sent, though nothing left, without a ground"
                )
            assert all(at == before for kind, at in told if kind is EventKind.SENT), "too late"

    def _stopped_in_between(self, bench: Bench, operation: Operation, stop: BaseException) -> None:
        """What is raised while the first byte is reported ends the call: a Ctrl-C, a budget."""

        def raise_it() -> None:
            raise stop

        simulator = bench.simulator
        before = simulator.requests_seen
        call = bench.call(operation, GOOD[operation], on_sent=raise_it)
        with pytest.raises(type(stop)):
            bench.made(call)
        # What would be sent a little later arrives before the next call does.
        bench.ask_directly(operation, GOOD[operation])
        sent = simulator.requests_seen - before - bench.steps(operation)
        assert sent <= 0, f"stopped before the first byte, and {sent} requests have left"


class _Killed(BaseException):
    """As a Ctrl-C: no `except Exception` catches it."""


class _Stopped(Exception):
    """As what a policy of the library raises."""
