"""Every rule of the contract catches the faults that it is there for, and nobody who conforms."""

import statistics

import pytest
from mutants.reference import HttpReferenceSimulator, SdkReference, StepsSimulator
from mutants.stricter import Fractions, FractionsSimulator, SdkSteps
from mutants.table import MUTANTS

from facematch_core.testing import Status, rules
from facematch_core.testing.running import run

#: The mutants in parts, so that several workers share the work.
PARTS = 6


def some(part):
    """The mutants of a part."""
    return [*MUTANTS.values()][part::PARTS]


def numbers(cases, status):
    """The rules with a case of that status."""
    return {case.rule for case in cases if case.status is status}


@pytest.mark.parametrize("part", range(PARTS))
def test_each_mutant_is_caught_by_its_rule(part):
    """By the rule that names its fault, and by what that rule saw, not by a crash before it."""
    tried = some(part)
    found = run({one.name: one.make for one in tried}, aimed={one.name: one.rule for one in tried})
    survivors = [
        f"{one.name} survives {one.rule}: {one.fault}"
        for one in tried
        if one.rule not in numbers(found[one.name], Status.FAILED)
    ]
    assert survivors == []
    crashes = ("before the rule", "AttributeError", "NameError")
    reasons = [case.reason for cases in found.values() for case in cases]
    assert [reason for reason in reasons if reason.startswith(crashes)] == []


def test_every_rule_catches_somebody():
    """No rule is there for show, and no mutant is lost."""
    assert {one.rule for one in MUTANTS.values()} == {rule.number for rule in rules()}
    assert len({one.fault for one in MUTANTS.values()}) == len(MUTANTS) == 214


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_a_fault_trips_few_rules(part):
    """One or two, as a rule: a report of thirty failures helps nobody."""
    tried = some(part)
    found = run({one.name: one.make for one in tried})
    failed = {name: numbers(cases, Status.FAILED) for name, cases in found.items()}
    assert [one.name for one in tried if one.rule not in failed[one.name]] == []
    assert statistics.median(map(len, failed.values())) <= 2
    broad = {name: len(of) for name, of in failed.items() if len(of) > len(rules()) / 2}
    assert broad == {}


#: The other forms of the reference that mutants are made of, and the rules that catch those.
FORMS = {
    "over HTTP": (
        HttpReferenceSimulator,
        ("R14", "R18", "R19", "R28", "R30", "R38", "R39", "R40", "R41", "R46"),
    ),
    "by a library": (
        lambda: HttpReferenceSimulator(SdkReference),
        ("R19", "R28", "R38", "R39", "R40"),
    ),
    "in steps": (StepsSimulator, ("R16",)),
    "in steps by a library": (lambda: StepsSimulator(SdkSteps), ("R16", "R17")),
    "in fractions": (lambda: FractionsSimulator(Fractions), ("R07",)),
}


def test_what_they_are_mutants_of_passes():
    """The rules that catch the mutants of another form pass on the form itself."""
    pairs = [(form, make, rule) for form, (make, caught) in FORMS.items() for rule in caught]
    found = run(
        {f"{form}, {rule}": make for form, make, rule in pairs},
        aimed={f"{form}, {rule}": rule for form, _, rule in pairs},
    )
    cases = [case for cases in found.values() for case in cases]
    assert [case for case in cases if case.status is not Status.PASSED] == []


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_other_forms_conform(form):
    """To every rule, with nothing open."""
    cases = run({form: FORMS[form][0]})[form]
    assert [case for case in cases if case.status in (Status.FAILED, Status.OPEN)] == []
