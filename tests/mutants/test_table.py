"""Every rule of the contract catches the faults that it is there for, and nobody who conforms."""

import pytest
from kit.contract import Status, failures, rules, run
from mutants import reference
from mutants.faults import ComparesAlone
from mutants.reference import JobReference, JobSimulator, ReferenceBackend, ReferenceSimulator
from mutants.sessions import LooksAtReferences, SessionReference, SessionVendor
from mutants.table import MUTANTS
from mutants.vendors import RefusedReference, RefusesAsDocumented, TellsOfPhotos

#: How a rule begins the reason of a crash, in place of what it saw.
CRASHES = (
    "the kit could not read",
    "the simulator failed: ",
    "AttributeError",
    "NameError",
    "TypeError",
    "KeyError",
)
#: Mutants that crash, or whose simulator is at fault.
MEANT = {
    "LooksForAnotherName",
    "OnePictureForBoth",
    "ListsNoSecret",
    "LosesNoAnswer",
    "OneIdOfItsVendor",
    "PassesAtTheEdge",
    "SaysAnotherWord",
    "ReceivesTexts",
    "PicturesOfOneColour",
    "FailsAtNull",
}


def test_every_rule_has_a_mutant_and_every_mutant_is_unique():
    assert {mutant.rule for mutant in MUTANTS.values()} == {*rules()}
    assert len({mutant.fault for mutant in MUTANTS.values()}) == len(MUTANTS)


#: Mutants that keep a rule waiting for seconds.
SLOW = {
    "CleansUpWhenItIsLate",
    "LogsInWithoutALimit",
    "NeverLogsInAgain",
    "SaysNothingOfWhatIsTaken",  # its picture is of 16 megabytes
    "WaitsForTheLock",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in MUTANTS],
)
def test_each_mutant_is_caught_by_its_rule(name, capfd):
    """By what the rule saw, and not by a crash before."""
    mutant = MUTANTS[name]
    cases = run(mutant.make, {mutant.rule}, capfd=capfd)
    failed = next((case for case in cases if case.status is Status.FAILED), None)
    assert failed is not None, f"{name} survives {mutant.rule}: {mutant.fault}"
    is_crash = any(words in failed.reason for words in CRASHES)
    assert not is_crash or name in MEANT, failed.reason


#: The forms of the reference: what mutants of each derive from, and its simulator.
FORMS = {
    "in this process": (ReferenceBackend, ReferenceSimulator),
    "over HTTP": (reference.HttpReference, reference.HttpReferenceSimulator),
    "as a job": (JobReference, JobSimulator),
    "as a check": (reference.CheckReference, reference.CheckSimulator),
    "that only compares": (ReferenceBackend, lambda: TellsOfPhotos(ComparesAlone)),
    "with sessions": (SessionReference, SessionVendor),
    "with references that its vendor looks at": (SessionReference, LooksAtReferences),
    "with a login": (reference.LoginReference, reference.LoginSimulator),
    "with documented refusals": (RefusedReference, RefusesAsDocumented),
}

#: The rules about hosted sessions, and about plug-ins that send by code of their own.
SESSIONS = frozenset(number for number in rules() if "R52" <= number <= "R59")
OWN = frozenset({"R19", "R28", "R30", "R31"})

#: The rules that do not apply to a form.
APART = {
    **dict.fromkeys(FORMS, SESSIONS | OWN | {"R32", "R49", "R63"}),
    "in this process": SESSIONS | {"R38", "R49", "R63"},
    # Of R16 and R21 what a live face does.
    "that only compares": SESSIONS | {"R16", "R21", "R38", "R49", "R63"},
    "as a job": SESSIONS | OWN | {"R49", "R63"},
    "as a check": SESSIONS | OWN | {"R63"},
    **dict.fromkeys(
        ("with sessions", "with references that its vendor looks at"), OWN | {"R32", "R49", "R63"}
    ),
    "with a login": SESSIONS | {"R32", "R49"},
}


#: Rules that ask a backend only a few times.
SPARING_RULES = {"R12", "R13", "R14", "R28", "R30", "R31", "R32", "R49", "R51", "R54", "R56", "R57"}


@pytest.mark.parametrize("form", FORMS)
def test_every_reference_backend_passes_the_rules_that_ask_little(form):
    cases = tuple(run(FORMS[form][1], SPARING_RULES))
    assert not failures(cases)
    apart = {case.rule for case in cases if case.status is Status.DOES_NOT_APPLY}
    assert apart == APART[form] & SPARING_RULES


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_every_reference_backend_passes_all_applicable_rules(form):
    """To every rule, with nothing open."""
    cases = tuple(run(FORMS[form][1]))
    assert not failures(cases)
    assert {case.rule for case in cases if case.status is Status.DOES_NOT_APPLY} == APART[form]
