"""A backend whose vendor's library sends: money, deadlines and honesty hold it, too."""

import time

import pytest
from mutants.reference import HttpReferenceSimulator, SdkReference

from facematch_core import DeadlineExceeded, FaceVerifier
from facematch_core.testing import Situation, Status
from facematch_core.testing.conformance import run_rules


def opened(backend=SdkReference):
    """The vendor of the reference, at whose port the library is pointed."""
    return HttpReferenceSimulator(backend)


def test_the_rules_about_answers_apply():
    """Answers that nobody gave are served through the socket."""
    found = run_rules(opened, rules={"R20", "R39"})
    assert {case.rule for case in found if case.status is Status.PASSED} == {"R20", "R39"}


class Retries(SdkReference):
    """Its library asks again where the vendor has a fault."""

    def ask(self, call):
        answer = super().ask(call)
        return answer if answer[0] < 500 else super().ask(call)


def test_a_library_that_repeats_is_caught():
    """Its own retries pay twice."""
    found = run_rules(lambda: opened(Retries), rules={"R18"})
    reasons = [case.reason for case in found if case.status is Status.FAILED]
    assert reasons
    assert all("2" in each for each in reasons), reasons


@pytest.mark.parametrize("stall", [Situation.SLOW, Situation.DRIPPING, Situation.ENDLESS])
def test_the_deadline_ends_a_library(stall):
    """Whatever it waits for: its own time-outs are those of one wait."""
    with opened() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(stall)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            verifier.verify(*simulator.pictures_for(stall), deadline_s=0.2)
        assert time.monotonic() - began < 5
