"""The rules of money and time: what an honest backend may say, and what is no fault of one."""

import time

import attrs
import pytest
from mutants.reference import (
    HttpReference,
    HttpReferenceSimulator,
    JobReference,
    JobSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    SdkReference,
    can,
)

from facematch_core import (
    Billing,
    Charged,
    DeadlineExceeded,
    OutcomeUnknown,
    UnexpectedResponse,
)
from facematch_core.http import Wait
from facematch_core.testing import Situation, Status
from facematch_core.testing.conformance import run_rules
from facematch_core.testing.contract import money

#: Seconds that are too late for the longest deadline of the rule.
LATE_S = (money.LATE + 1) * money.DEADLINES_S[-1]


def judged(make, *rules):
    """What is not passed of these rules: the rule, and why."""
    cases = run_rules(make, rules=set(rules))
    return [(case.rule, case.status, case.reason) for case in cases if case.status != "passed"]


class Clock:
    """The clock that the rule looks at: it goes on by itself, and machines lose time on it."""

    lost_s = 0.0

    def monotonic(self):
        return time.monotonic() + self.lost_s


CLOCK = Clock()


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


def test_one_late_call_is_asked_again(monkeypatch):
    """A machine may stall: the backend kept its time when it was given it."""
    monkeypatch.setattr(money, "time", CLOCK)
    assert judged(lambda: ReferenceSimulator(Late), "R19") == []


def test_what_is_always_late_is_told(monkeypatch):
    """With the seconds that it took."""
    monkeypatch.setattr(money, "time", CLOCK)
    [(_, _, reason)] = judged(lambda: ReferenceSimulator(AlwaysLate), "R19")
    assert f"{money.DEADLINES_S[-1]:g} s to go took {LATE_S:.1f}" in reason


class Free(HttpReference):
    """Its vendor charges nothing."""

    capabilities = can(billed_operations=frozenset())

    def charged(self, call):
        return Charged.NO


class FreeSimulator(HttpReferenceSimulator):
    """That vendor."""

    def answer(self, request, situation, score):
        return attrs.evolve(super().answer(request, situation, score), charged=False)


def test_what_fails_at_a_free_vendor_is_free():
    """The core says so by itself, and the rules take it."""
    assert judged(lambda: FreeSimulator(Free), "R15", "R16", "R17", "R19") == []


def test_what_cannot_be_read_of_a_billed_vendor_is_not():
    """Whoever says so is caught, by the declaration and not by the books alone."""

    class Sparing(HttpReference):
        def parse(self, call, reply):
            try:
                return super().parse(call, reply)
            except (KeyError, TypeError, ValueError):
                raise UnexpectedResponse("Odd.", billing=Billing(Charged.NO)) from None

    found = judged(lambda: FreeSimulator(Sparing), "R15", "R39")
    assert {rule for rule, _, _ in found} == {"R15", "R39"}


# A vendor that answers later.


class Passes(JobReference):
    """Lets a refusal of a poll pass, which the core tells as a job that is not finished."""

    def steps(self, call):
        reply = yield self.submit(call)
        while True:
            yield Wait(1)
            reply_at_last = yield self.poll(f"{self.address}{reply.headers['Location']}")
            if self.is_done(reply_at_last.json()):
                return self.parse(call, reply_at_last)


class Ends(JobReference):
    """Its polls end the call as every other request does."""

    def poll(self, job):
        return attrs.evolve(super().poll(job), on_refusal="end")


class SaysSo(JobReference):
    """Gives up at the first refusal, in words of its own."""

    def refused(self, refusal):
        raise OutcomeUnknown("The job is under way, and nobody knows how far.")


@pytest.mark.parametrize("backend", [Passes, Ends, SaysSo])
def test_a_poll_that_is_refused_may_end_as_it_likes(backend):
    """The job goes on, or is told as one that was accepted: both are honest."""
    assert judged(lambda: JobSimulator(backend), "R17") == []


def test_who_waits_is_tried_with_a_job_that_never_ends():
    """Without it the rule is open, unless it cannot happen."""

    class Finite(JobSimulator):
        situations = JobSimulator.situations - {Situation.NEVER_DONE}

    class Certain(Finite):
        cannot_happen = {Situation.NEVER_DONE: "Jobs are done within a second."}  # noqa: RUF012 - as simulators have it

    [(_, status, reason)] = judged(Finite, "R19")
    assert (status, "NEVER_DONE" in reason) == (Status.OPEN, True)
    assert judged(Certain, "R19") == []


def test_a_library_may_sleep():
    """What a vendor's own library does meanwhile is not the plug-in's to say."""

    class Sleepy(SdkReference):
        def ask(self, call):
            time.sleep(0.001)
            return super().ask(call)

    assert judged(lambda: HttpReferenceSimulator(Sleepy), "R19") == []
