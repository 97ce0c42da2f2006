"""Every rule of the contract catches the faults that it is there for, and nobody who conforms."""

import pytest
from mutants import sharing
from mutants.jobs import ByHandReference, PoliteReference, PoliteSimulator
from mutants.making import broken
from mutants.reference import (
    CheckReference,
    CheckSimulator,
    HttpReference,
    HttpReferenceSimulator,
    JobReference,
    JobSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    SdkReference,
    StepsReference,
    StepsSimulator,
)
from mutants.sharing import ReportReference, ReportSimulator
from mutants.table import MUTANTS

from facematch_core.testing import Status, rules
from facematch_core.testing.conformance import run_rules

#: What a reason says of a rule that did not come as far as the fault.
CRASHES = ("before the rule", "AttributeError", "NameError")


def test_every_rule_catches_somebody():
    assert {one.rule for one in MUTANTS.values()} == {rule.number for rule in rules()}
    assert len({one.fault for one in MUTANTS.values()}) == len(MUTANTS)


def in_turn(names, first):
    """These names as parameters: some for `make test`, the others are slow."""
    return [name if name in first else pytest.param(name, marks=pytest.mark.slow) for name in names]


#: Those that take more than a quarter of a second.
SLOW = {"ReadsByPosition", "EmptiesWhatItRead", "WarningsAsASet", "SkipsOddWarnings"}
SLOW |= {row.name for row in sharing.ROWS if row.rule == "R28"} - {"KeepsInAQueue"}
SLOW |= {
    "TakesItsTime",
    "NoScoreIsTheBest",
    "HighScoreOverrulesNo",
    "KeepsEveryCall",
    "ItsLibraryHasGlobals",
}


@pytest.mark.parametrize("name", in_turn(MUTANTS, MUTANTS.keys() - SLOW))
def test_each_mutant_is_caught_by_its_rule(name):
    """By the rule that names its fault, and by what that rule saw, not by a crash before it."""
    mutant = MUTANTS[name]
    case = next(broken(mutant.make, mutant.rule), None)
    assert case is not None, f"{name} survives {mutant.rule}: {mutant.fault}"
    assert not case.reason.startswith(CRASHES)


#: The forms of the reference: what mutants of each derive from, and its simulator.
FORMS = {
    "in this process": (ReferenceBackend, ReferenceSimulator),
    "over HTTP": (HttpReference, HttpReferenceSimulator),
    "by a library": (SdkReference, lambda: HttpReferenceSimulator(SdkReference)),
    "in steps": (StepsReference, StepsSimulator),
    "as a job": (JobReference, JobSimulator),
    "as a check": (CheckReference, CheckSimulator),
    "that only compares": (ReportReference, ReportSimulator),
    "refused with a 200": (PoliteReference, PoliteSimulator),
    "refused by hand": (ByHandReference, lambda: PoliteSimulator(ByHandReference)),
}

#: Whom a rule is not about, and why not: answers that are no bytes, records that nobody can read,
#: clean-ups that nobody sees.
APART = {
    **dict.fromkeys(FORMS, frozenset({"R32"})),
    "in this process": frozenset({"R38", "R39", "R49"}),
    "by a library": frozenset({"R32", "R49"}),
    # Of R18 and R21 what a live face does.
    "that only compares": frozenset({"R18", "R21", "R32", "R38", "R39", "R49"}),
    "as a job": frozenset(),
    "as a check": frozenset(),
}


@pytest.mark.parametrize("form", in_turn(FORMS, {"in this process"}))
def test_every_form_conforms(form):
    """To every rule, with nothing open."""
    cases = run_rules(FORMS[form][1])
    assert [case for case in cases if case.status in (Status.FAILED, Status.OPEN)] == []
    assert {case.rule for case in cases if case.status is Status.DOES_NOT_APPLY} == APART[form]
