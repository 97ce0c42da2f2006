"""A backend whose vendor's library sends: money, deadlines and honesty hold it, too."""

import time

import pytest
from mutants.reference import HttpReferenceSimulator, SdkReference

from facematch_core import DeadlineExceeded, FaceVerifier
from facematch_core.testing import BackendContract, Situation, Status
from facematch_core.testing.running import run


def opened(backend=SdkReference):
    """The vendor of the reference, at whose port the library is pointed."""
    return HttpReferenceSimulator(backend)


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with opened() as simulator:
            yield simulator


def test_the_rules_about_answers_apply():
    """Answers that nobody gave are served through the socket."""
    for rule in ("R19", "R20", "R38", "R39", "R40", "R41"):
        found = run({"it": opened}, aimed={"it": rule})["it"]
        assert {case.status for case in found} == {Status.PASSED}, rule


class Retries(SdkReference):
    """Its library asks again where the vendor has a fault."""

    def ask(self, call):
        answer = super().ask(call)
        return answer if answer[0] < 500 else super().ask(call)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [("R18", "2 requests for one call"), ("R38", "2 requests for a call that was answered 5")],
)
def test_a_library_that_repeats_is_caught(rule, reason):
    """Its own retries pay twice."""
    found = run({"it": lambda: opened(Retries)}, aimed={"it": rule})["it"]
    reasons = [case.reason for case in found if case.status is Status.FAILED]
    assert any(reason in each for each in reasons), reasons


@pytest.mark.parametrize("stall", [Situation.SLOW, Situation.DRIPPING, Situation.ENDLESS])
def test_the_deadline_ends_a_library(stall):
    """Whatever it waits for: its own time-outs are those of one wait."""
    with opened() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(stall)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            verifier.verify(*simulator.pictures_for(stall), deadline_s=0.2)
        assert time.monotonic() - began < 5
