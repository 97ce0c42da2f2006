"""Every rule of the contract catches the faults that it is there for, and nobody who conforms."""

import statistics

import pytest
from mutants.making import broken
from mutants.reference import (
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
from mutants.sabotage import SABOTAGE
from mutants.stricter import Fractions, FractionsSimulator, SdkSteps
from mutants.table import MUTANTS

from facematch_core.testing import Status, rules
from facematch_core.testing.conformance import run_rules, too_slow

#: What a reason says of a rule that did not come as far as the fault.
CRASHES = ("before the rule", "AttributeError", "NameError")


def dear(*names):
    """These names as parameters: the first for `make test`, the others are for `make test-long`."""
    first, *others = names
    return [first, *(pytest.param(name, marks=pytest.mark.long) for name in others)]


#: Mutants of the rule that makes a call for each value of each answer, and all others.
MANY = [name for name, one in MUTANTS.items() if one.rule == "R38"]
FEW = [name for name in MUTANTS if name not in MANY]


@pytest.mark.parametrize("name", [*FEW, *dear(*MANY)])
def test_each_mutant_is_caught_by_its_rule(name):
    """By the rule that names its fault, and by what that rule saw, not by a crash before it."""
    mutant = MUTANTS[name]
    case = next(broken(mutant.make, mutant.rule), None)
    assert case is not None, f"{name} survives {mutant.rule}: {mutant.fault}"
    assert not case.reason.startswith(CRASHES)


def test_every_rule_catches_somebody():
    """No rule is there for show, and no mutant is lost."""
    assert {one.rule for one in MUTANTS.values()} == {rule.number for rule in rules()}
    assert len({one.fault for one in MUTANTS.values()}) == len(MUTANTS) == 224


def test_each_sabotage_is_a_mutant():
    """Whatever was done to a plug-in is done to one here."""
    assert {name for made in SABOTAGE.values() for name in made} <= MUTANTS.keys()


def test_a_step_that_sleeps_ends_the_run_before_its_rules():
    """Hundreds of calls would take as many seconds."""
    assert too_slow(MUTANTS["SleepsInAStep"].make) is not None
    assert too_slow(HttpReferenceSimulator) is None


#: The forms of the reference: what mutants of each derive from, and its simulator.
FORMS = {
    "in this process": (ReferenceBackend, ReferenceSimulator),
    "over HTTP": (HttpReference, HttpReferenceSimulator),
    "by a library": (SdkReference, lambda: HttpReferenceSimulator(SdkReference)),
    "in steps": (StepsReference, StepsSimulator),
    "in steps by a library": (SdkSteps, lambda: StepsSimulator(SdkSteps)),
    "in fractions": (Fractions, lambda: FractionsSimulator(Fractions)),
    "as a job": (JobReference, JobSimulator),
}

#: Whom a rule is not about, and why not: answers that are no bytes, records that nobody can read.
APART = {
    **dict.fromkeys(FORMS, frozenset({"R32"})),
    **dict.fromkeys(("in this process", "in fractions"), frozenset({"R38", "R39"})),
    "as a job": frozenset(),
}


def apart(cases):
    """What is wrong with those who conform, and the rules that are not about them."""
    wrong = [case for case in cases if case.status in (Status.FAILED, Status.OPEN)]
    return wrong, {case.rule for case in cases if case.status is Status.DOES_NOT_APPLY}


@pytest.mark.parametrize("form", dear(*FORMS))
def test_every_form_conforms(form):
    """To every rule, with nothing open."""
    assert apart(run_rules(FORMS[form][1])) == ([], APART[form])


@pytest.mark.long
def test_a_fault_trips_few_rules():
    """One or two, as a rule: a report of thirty failures helps nobody."""
    tried = [one for one in MUTANTS.values() if issubclass(one.backend, ReferenceBackend)]
    failed = {one.name: {case.rule for case in broken(one.make)} for one in tried[::2]}
    assert statistics.median(map(len, failed.values())) <= 2
    assert [name for name, found in failed.items() if len(found) > len(rules()) / 2] == []
