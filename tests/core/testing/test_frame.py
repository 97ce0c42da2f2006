"""What an author reads of a rule that failed, and of those that were skipped."""

from pathlib import Path
from typing import ClassVar

import pytest
from kit.contract import Case, Status, rules, run
from mutants.reference import (
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
)
from mutants.table import MUTANTS

from facematch_core import ConfigurationError
from facematch_core.backend.base import plugin_faults
from facematch_core.testing import Situation
from facematch_core.testing.simulator import required


def failed(cases):
    return [case for case in cases if case.status is Status.FAILED]


def test_the_cause_comes_first_and_what_follows_from_it_is_skipped():
    cases = tuple(run(MUTANTS["LooksForAnotherName"].make))
    assert [case.rule for case in failed(cases)] == ["R51"]
    assert failed(cases)[0].reason.startswith("the plug-in failed: ")
    skipped = {case.reason for case in cases if case.status is Status.NOT_JUDGED}
    assert skipped == {"R51"}
    assert not {case.rule for case in cases if case.status is Status.OPEN}


def test_two_rules_do_not_fail_by_one_reason():
    """A backend that cannot be opened fails each rule in the same words."""

    class Closed(ReferenceBackend):
        def __init__(self, *settings):
            raise ConfigurationError("It cannot be opened.")

    cases = tuple(run(lambda: ReferenceSimulator(Closed)))
    assert len(failed(cases)) == 1
    assert {case.rule for case in cases} == {*rules()}
    assert {case.status for case in cases} == {Status.FAILED, Status.NOT_JUDGED}


def test_a_skip_says_whether_a_better_simulator_could_test_it():
    class Poor(ReferenceSimulator):
        situations = required(ReferenceBackend.capabilities) | {Situation.BAD_KEY}
        cannot_happen: ClassVar = {Situation.UNKNOWN_WARNING: "The vendor has no warnings."}

    cases = run(Poor, {"R13", "R49"})
    assert [*cases] == [
        Case("R13", "", Status.OPEN, "Poor cannot produce UNKNOWN_STATUS."),
        Case(
            *("R49", "", Status.DOES_NOT_APPLY),
            "reference is no HttpBackend, and has no clean-ups.",
        ),
    ]


def test_a_plug_in_that_raises_is_named_with_its_line_and_without_its_secret():
    class Rude(ReferenceBackend):
        def refusal(self, status):
            if status == 401:
                raise OSError(f"{self.key.reveal()} is refused")
            return super().refusal(status)

    [case] = failed(run(lambda: ReferenceSimulator(Rude), {"R16"}))
    assert case.name == "bad_key"
    assert case.reason.startswith("the plug-in failed: its own code raised OSError: *** is refused")
    assert f"({Path(__file__).name}, line " in case.reason


def test_a_simulator_that_raises_is_not_the_plug_ins_fault():
    class Broken(HttpReferenceSimulator):
        def answer(self, request, situation, score):
            return {}["port"]

    listening = len(plugin_faults)
    first, *others = run(Broken, {"R51", "R16"})
    assert first.reason.startswith("the simulator failed: KeyError: 'port' (test_frame.py, line ")
    assert first.reason.endswith(" in Broken.answer")
    assert {(case.status, case.reason) for case in others} == {(Status.NOT_JUDGED, "R51")}
    assert len(plugin_faults) == listening


@pytest.mark.parametrize("given", [None, "yes", object()])
def test_what_is_no_result_is_the_plug_ins_fault(given):
    class Odd(ReferenceBackend):
        def answer(self, call):
            return given

    [case] = failed(run(lambda: ReferenceSimulator(Odd), {"R51"}))
    assert case.reason.startswith("the plug-in failed: ")
