"""R16-R20: who pays, how often, and who knows of it."""

from __future__ import annotations

import math
import time

import attrs
import pytest

from facematch_core import (
    AuthenticationFailed,
    Charged,
    DeadlineExceeded,
    EventKind,
    InsufficientCredit,
    Operation,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.testing._situations import ANSWERS, BAD, BEST, FAILURES, GOOD, Situation

from ._bench import DEADLINE_S, Bench
from ._outcome import FAIL, PASS, Outcome, Result
from ._rules import Rules


@attrs.frozen
class Expected:
    """What a failure must become.

    Attributes:
        errors: Any of these classes.
        billed: Any of these; see `charges`.
        retryable: Exactly this; None if it depends on the vendor's documents.
        requests: How many requests the vendor may have seen.
        billed_free: Any of these as well, of an operation that is not declared as billed.
    """

    errors: tuple[type[VendorError], ...]
    billed: tuple[Charged, ...]
    retryable: bool | None
    requests: tuple[int, ...] = (1,)
    billed_free: tuple[Charged, ...] = ()

    def charges(self, *, free: bool) -> tuple[Charged, ...]:
        """What it may be told to have cost."""
        return self.billed + (self.billed_free if free else ())


_NO, _UNKNOWN, _YES = (Charged.NO,), (Charged.UNKNOWN,), (Charged.YES,)

EXPECTED = {
    # A vendor with a separate sign-in refuses there, before any request that it bills.
    Situation.BAD_KEY: Expected((AuthenticationFailed, PermissionDenied), _NO, False, (0, 1)),
    Situation.NO_CREDIT: Expected((InsufficientCredit,), _NO, False),
    Situation.THROTTLED: Expected((RateLimited,), _NO, True),
    Situation.REJECTED: Expected((RequestRejected,), _NO, False),
    Situation.UNREACHABLE: Expected((VendorUnavailable,), _NO, True, (0,)),
    Situation.LOST_ANSWER: Expected((OutcomeUnknown,), _UNKNOWN, False),
    Situation.BROKEN_ANSWER: Expected((OutcomeUnknown,), _UNKNOWN, False),
    Situation.GATEWAY_ERROR: Expected((OutcomeUnknown,), _UNKNOWN, False),
    # Some vendors say that their own faults are free.
    Situation.OUTAGE: Expected((VendorUnavailable, OutcomeUnknown), (*_NO, *_UNKNOWN), None),
    Situation.UNREADABLE_200: Expected((UnexpectedResponse,), _YES, False, billed_free=_NO),
}


def unreadable_costs(bench: Bench, operation: Operation) -> tuple[Charged, ...]:
    """What an answer 200 that cannot be read may be told to have cost."""
    free = operation not in bench.can.billed_operations
    return EXPECTED[Situation.UNREADABLE_200].charges(free=free)


#: How often a call may miss its time before it is the backend's fault, and not the machine's.
TRIES = 3


def _books_agree(billed: Charged, outcome: Outcome) -> None:
    """What is told of the charge is what the vendor wrote down, unless it is not known."""
    if billed is not Charged.UNKNOWN:
        wanted = 1 if billed is Charged.YES else 0
        assert outcome.charges == wanted, f"told {billed}, charged {outcome.charges} times"


class MoneyRules(Rules):
    """Who pays, how often, and who knows of it."""

    def test_r16_results_tell_what_they_cost(self, bench: Bench) -> None:
        """`billed` agrees with the vendor's books, and says on what ground.

        A budget that counts less than the vendor does is found out when the invoice comes.
        """
        for operation, situation in bench.cases(ANSWERS):
            outcome = bench.ask(operation, situation)
            result = outcome.answer
            _books_agree(result.billing.charged, outcome)
            if operation not in bench.can.billed_operations:
                assert result.billing.charged is Charged.NO, (
                    f"{operation} is not declared as billed"
                )
            elif situation is GOOD[operation]:
                assert result.billing.charged is Charged.YES
                assert result.billing.ground, "billed, but the ground is missing"

    @pytest.mark.parametrize("situation", FAILURES, ids=lambda situation: situation.value)
    def test_r17_failures_are_told_apart(self, bench: Bench, situation: Situation) -> None:
        """Each failure has its one error, which says whether it was paid and may be repeated.

        Who retries on "retryable" must not pay twice; who stops on "no credit" must not stop
        because of a busy minute.
        """
        wanted = EXPECTED[situation]
        for operation in bench.operations_for(situation):
            own = bench.ask_directly(operation, situation)
            told = bench.ask(operation, situation)
            for outcome in (own, told):
                error = outcome.error
                assert isinstance(error, wanted.errors), f"{situation.name} gave {outcome.told}"
                assert isinstance(error, VendorError)
                free = operation not in bench.can.billed_operations
                assert error.billing.charged in wanted.charges(free=free)
                assert wanted.retryable in (None, error.retryable)
                assert isinstance(error, OutcomeUnknown) == (
                    error.billing.charged is Charged.UNKNOWN
                )
                assert not error.retryable or error.billing.charged is Charged.NO
                assert error.status_code is None or 100 <= error.status_code <= 599
                assert str(error).strip(), "an error without a sentence"
                _books_agree(error.billing.charged, outcome)
                # Neither was asked to keep anything.
                assert not getattr(error, "reconcilable", False), "told as one that can be found"
                if isinstance(error, RateLimited) and error.retry_after_s is not None:
                    assert math.isfinite(error.retry_after_s)
                    assert error.retry_after_s >= 0
            assert isinstance(told.error, VendorError)
            assert told.error.backend == bench.backend.name
            assert told.error.ids.call

    @pytest.mark.parametrize(
        "situation", [*ANSWERS, *FAILURES], ids=lambda situation: situation.value
    )
    def test_r18_one_call_is_one_request(self, bench: Bench, situation: Situation) -> None:
        """The vendor sees one request per call: nothing is ever repeated behind one's back.

        After a lost answer above all: the first call may have been carried out and charged.
        """
        wanted = EXPECTED[situation].requests if situation in EXPECTED else (1,)
        for operation in bench.operations_for(situation):
            outcome = bench.ask(operation, situation)
            assert outcome.requests in wanted, f"{outcome.requests} requests for one call"

    def test_r19_deadline_holds(self, bench: Bench) -> None:
        """`deadline_s` ends a call that the vendor does not answer, and the next call is whole.

        A door that waits for minutes is broken; one that reads the last visitor's answer is worse.
        """
        bench.need(Situation.SLOW)
        for operation in bench.declared:
            before = self._gives_up(bench, operation).ids.vendor
            if operation in bench.operations:
                # An answer that came too late says the opposite.
                other = bench.ask(operation, BAD[operation]).answer
                assert other.decision is FAIL[operation], "the answer of the call before"
            later = bench.ask(operation, BEST[operation]).answer
            assert later.decision is PASS.get(operation, later.decision)
            assert before is None or later.ids.vendor != before, "the answer of the call before"

    def _gives_up(self, bench: Bench, operation: Operation) -> Result:
        """Run out of time; what was answered just before that, while the vendor answered."""
        for _ in range(TRIES):
            at = time.monotonic()
            good = bench.ask(operation, BEST[operation]).answer
            usual_s, at = time.monotonic() - at, time.monotonic()
            outcome = bench.ask(operation, Situation.SLOW)
            taken_s = time.monotonic() - at
            assert isinstance(outcome.error, DeadlineExceeded), outcome.told
            assert outcome.error.billing.charged is Charged.UNKNOWN
            assert not outcome.error.retryable
            assert outcome.requests <= 1, f"{outcome.requests} requests for one call"
            # Twice may be what is waited for in turn: an answer, and its end.
            if taken_s < 3 * DEADLINE_S + 10 * usual_s:
                return good
        raise AssertionError(f"a call with {DEADLINE_S} s to go ended after {taken_s:.2f} s")

    def test_r20_first_byte_is_told_once(self, bench: Bench) -> None:
        """`on_sent` is called once if bytes may have left, and never if none have.

        It is what a budget keeps its reservation by when the program is killed in between.
        """
        sent: list[bool] = []
        for operation in bench.declared:
            sent.clear()
            bench.ask_directly(operation, BEST[operation], on_sent=lambda: sent.append(True))
            assert len(sent) == 1 or (not sent and operation not in bench.can.billed_operations)
        for operation, situation in bench.cases((Situation.UNREACHABLE, Situation.LOST_ANSWER)):
            events = [event.kind for event in bench.ask(operation, situation).events]
            left = situation is Situation.LOST_ANSWER
            assert events.count(EventKind.SENT) == left
            assert events.count(EventKind.UNKNOWN) == left
            assert EventKind.CHARGED not in events
