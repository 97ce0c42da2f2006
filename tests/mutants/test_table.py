"""Every rule of the contract catches the faults that it is there for, and nobody who conforms."""

import pytest
from kit.contract import Status, failures, rules, run
from mutants.answers import PoliteReference, PoliteSimulator
from mutants.clauses import failed_clauses
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
from mutants.sessions import SessionReference, SessionVendor
from mutants.sharing import LoginReference, LoginSimulator, ReportReference, ReportSimulator
from mutants.table import MUTANTS, TABLES

#: Mutants that raise, and by which the rule therefore fails without a clause of its own.
RAISES = {"LooksForAnotherName", "ImpossibleScoreIsFree", "ClosesOnce"}


def test_every_rule_catches_somebody():
    assert {mutant.rule for mutant in MUTANTS.values()} == {*rules()}
    assert len({mutant.fault for mutant in MUTANTS.values()}) == len(MUTANTS)
    assert sum(map(len, TABLES)) == len(MUTANTS), "two mutants have one name"


def in_turn(names, first):
    """These names as parameters: some for `make test`, the others are slow."""
    return [name if name in first else pytest.param(name, marks=pytest.mark.slow) for name in names]


#: Mutants of rules that read hundreds of answers or wait: slow, but for the first of each rule.
LONG_RULES = {"R19", "R28", "R38"}
FIRST = {mutant.rule: name for name, mutant in reversed(MUTANTS.items())}.values()
QUICK = {name for name, mutant in MUTANTS.items() if mutant.rule not in LONG_RULES} | {*FIRST}
QUICK -= {"TakesItsTime"}


@pytest.mark.parametrize("name", in_turn(MUTANTS, QUICK))
def test_each_mutant_is_caught_by_its_rule(name, capfd):
    """By the rule that names its fault, and by what that rule saw, not by a crash before it."""
    mutant = MUTANTS[name]
    case, clause = next(failed_clauses(mutant, capfd=capfd), (None, None))
    assert case is not None, f"{name} survives {mutant.rule}: {mutant.fault}"
    assert (clause is None) == (name in RAISES), case.reason


#: The forms of the reference: what mutants of each derive from, and its simulator.
FORMS = {
    "in this process": (ReferenceBackend, ReferenceSimulator),
    "over HTTP": (HttpReference, HttpReferenceSimulator),
    "by a library": (SdkReference, lambda: HttpReferenceSimulator(SdkReference)),
    "in steps": (StepsReference, StepsSimulator),
    "as a job": (JobReference, JobSimulator),
    "as a check": (CheckReference, CheckSimulator),
    "behind a login": (LoginReference, LoginSimulator),
    "that only compares": (ReportReference, ReportSimulator),
    "with sessions": (SessionReference, SessionVendor),
    "refused with a 200": (PoliteReference, PoliteSimulator),
}

#: The rules about hosted sessions, and about plug-ins that send by code of their own.
SESSIONS = frozenset(number for number in rules() if number >= "R52")
OWN = frozenset({"R19", "R28", "R30", "R31"})

#: The rules that do not apply to a form.
APART = {
    **dict.fromkeys(FORMS, SESSIONS | OWN | {"R32", "R49"}),
    "in this process": SESSIONS | {"R38", "R49"},
    "by a library": SESSIONS | {"R32", "R49"},
    # Of R16 and R21 what a live face does.
    "that only compares": SESSIONS | {"R16", "R21", "R38", "R49"},
    "as a job": SESSIONS | OWN | {"R49"},
    "as a check": SESSIONS | OWN,
    "behind a login": SESSIONS | {"R32", "R49"},
    "with sessions": OWN | {"R32", "R49"},
}


@pytest.mark.parametrize("form", in_turn(FORMS, ()))
def test_every_form_conforms(form):
    """To every rule, with nothing open."""
    cases = tuple(run(FORMS[form][1]))
    assert not failures(cases)
    assert {case.rule for case in cases if case.status is Status.DOES_NOT_APPLY} == APART[form]
