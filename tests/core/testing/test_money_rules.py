"""The rule of the deadline, where a machine stalls; and what holds of a vendor that is free."""

import time

import attrs
import pytest
from mutants.reference import (
    HttpReference,
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    can,
)

from facematch_core import Billing, Charged, DeadlineExceeded, UnexpectedResponse
from facematch_core.testing import BackendContract, Situation
from facematch_core.testing.bench import DEADLINE_S, Bench
from facematch_core.testing.contract import money

#: Seconds that are clearly too late.
LATE_S = 4 * DEADLINE_S


class Clock:
    """The clock that the rule looks at: it goes on by itself, and machines lose time on it."""

    lost_s = 0.0

    def monotonic(self):
        return time.monotonic() + self.lost_s


CLOCK = Clock()


@pytest.fixture(autouse=True)
def _rule_looks_at_it(monkeypatch):
    monkeypatch.setattr(money, "time", CLOCK)


class Late(ReferenceBackend):
    """Ends the first calls long after their deadline, and the others in time."""

    missed = 1

    def exchange(self, call):
        answer = super().exchange(call)
        if isinstance(answer[2], DeadlineExceeded) and self.missed:
            self.missed -= 1
            CLOCK.lost_s += LATE_S
        return answer


class AlwaysLate(Late):
    """The same, of all calls."""

    missed = 99


def judge(backend):
    """Run the rule against a backend."""
    bench = Bench(ReferenceSimulator(backend))
    BackendContract().test_r19_deadline_holds(bench)
    bench.close()


def test_one_late_call_is_asked_again():
    """The backend kept its time when it was given it."""
    judge(Late)


def test_what_is_always_late_is_told():
    """With the seconds that it took."""
    with pytest.raises(AssertionError, match=r"a call with 0\.25 s to go ended after 1\.\d\d s"):
        judge(AlwaysLate)


class Free(HttpReference):
    """Its vendor charges nothing."""

    capabilities = can(billed_operations=frozenset())

    def charged(self, call):
        return Charged.NO


class FreeSimulator(HttpReferenceSimulator):
    """That vendor."""

    def answer(self, request, situation, score):
        return attrs.evolve(super().answer(request, situation, score), charged=False)


def unreadable(backend, simulator):
    """Run the rules that meet an answer 200 which cannot be read."""
    rules = BackendContract()
    with simulator(backend) as opened:
        bench = Bench(opened)
        try:
            rules.test_r15_impossible_score_is_no_score(bench)
            rules.test_r17_failures_are_told_apart(bench, Situation.UNREADABLE_200)
            rules.test_r39_what_is_no_number_is_no_score(bench)
            rules.test_r40_any_body_is_read_or_refused(bench)
        finally:
            bench.close()


def test_what_cannot_be_read_of_a_free_vendor_is_free():
    """The core says so by itself, and the rules take it."""
    unreadable(Free, FreeSimulator)


def test_what_cannot_be_read_of_a_billed_vendor_is_not():
    """Whoever says so is caught, by the declaration and not by the books alone."""

    class Sparing(HttpReference):
        def parse(self, call, reply):
            try:
                return super().parse(call, reply)
            except (KeyError, TypeError, ValueError):
                raise UnexpectedResponse("Odd.", billing=Billing(Charged.NO)) from None

    with pytest.raises(AssertionError, match="charged"):
        unreadable(Sparing, FreeSimulator)
