"""Every rule of the contract catches the faults that it is there for, and nobody who conforms."""

import pytest
from kit.contract import Status, failures, rules, run
from mutants.answers import PoliteReference, PoliteSimulator
from mutants.clauses import MODULES, clauses, failed_clauses
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

#: Mutants of which a rule asks that they raise nothing, or nothing else.
RAISES = {"ImpossibleScoreIsFree", "ClosesOnce", "DiagnoseNeedsTheVendor", "LooksForAnotherName"}
RAISES |= {"NeverSignsInAgain"}

#: Clauses without a mutant, by their functions and some of their words, and why.
APART_FROM = {
    ("run_in_time", "NEVER_ENDS"): "takes 15 seconds",
    ("test_r19_deadline_holds", "s to go took"): "takes seconds; test_rules.py moves a clock",
    ("test_r42", "{operation} of {how} gives"): "of engines only: test_engine_simulator.py has one",
}


def test_every_rule_catches_somebody():
    assert {mutant.rule for mutant in MUTANTS.values()} == {*rules()}
    assert len({mutant.fault for mutant in MUTANTS.values()}) == len(MUTANTS)
    assert sum(map(len, TABLES)) == len(MUTANTS), "two mutants have one name"


def in_turn(names, first):
    """These names as parameters: some for `make test`, the others are slow."""
    return [name if name in first else pytest.param(name, marks=pytest.mark.slow) for name in names]


#: Rules that read hundreds of answers or wait for threads: of each one mutant is enough in passing.
LONG_RULES = {"R28", "R38"}
#: And those that take more than a quarter of a second, differ in a number only, or fail by a clause
#: by which a cheaper one fails, too.
SLOW = {"TakesItsTime", "ItsLibraryHasGlobals", "EachWaitHasTheDeadline", "AllOfNothing"}
SLOW |= {"PollsForEver", "KeepsTheFirstPoll", "AsksAProgram", "LateStart", "LateIsFree"}
SLOW |= {"LinkIsAFact", "LinkInErrors", "AddressInRaw"}
SLOW |= {"AskedInTheWrongWay", "OddIsNoScore", "DigitsForAPerson"}
SLOW |= {"NothingIsNought", "BeyondIsTheBest"}
SLOW |= {"NamesTheApplicantFirst", "WhatIsFoundIsAPass", "NobodyIsAskedAgain", "NeverThereYet"}
SLOW |= {"EndsBeforeItIsDone", "TriesAgainWhenBusy", "WaitsForWhatItDoesNotKnow"}
SLOW |= {"PostsForNothing", "MissingIsZero"}
SLOW |= {name for name in MUTANTS if name.startswith("SendsAgainAfterA")} - {"SendsAgainAfterA500"}
SLOW |= {name for name, mutant in MUTANTS.items() if mutant.rule in LONG_RULES}
SLOW -= {"WarmsUpEachThread", "NoVerdictIsYes", "TrueIsOne"}


@pytest.mark.parametrize("name", in_turn(MUTANTS, MUTANTS.keys() - SLOW))
def test_each_mutant_is_caught_by_its_rule(name):
    """By the rule that names its fault, and by what that rule saw, not by a crash before it."""
    mutant = MUTANTS[name]
    case, clause = next(failed_clauses(mutant), (None, None))
    assert case is not None, f"{name} survives {mutant.rule}: {mutant.fault}"
    assert (clause is None) == (name in RAISES), case.reason


@pytest.mark.slow
def test_every_clause_has_a_mutant_that_fails_by_it():
    """Else it could be taken out, and nobody would notice."""
    met = {clause for mutant in MUTANTS.values() for _, clause in failed_clauses(mutant)}
    unmet = [
        str(clause)
        for clause in (each for file in MODULES for each in clauses(file))
        if clause not in met
        and not any(name in clause.function and words in clause.text for name, words in APART_FROM)
    ]
    assert not unmet, "No mutant in tests/mutants fails by:\n" + "\n".join(unmet)


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

#: What is about hosted sessions.
SESSIONS = frozenset(number for number in rules() if number >= "R52")

#: Whom a rule is not about, and why not: answers that are no bytes, records that nobody can read,
#: clean-ups that nobody sees.
APART = {
    **dict.fromkeys(FORMS, SESSIONS | {"R32", "R49"}),
    "in this process": SESSIONS | {"R38", "R49"},
    # Of R16, R18 and R21 what a live face does.
    "that only compares": SESSIONS | {"R16", "R18", "R21", "R38", "R49"},
    "as a job": SESSIONS | {"R49"},
    "as a check": SESSIONS,
    "with sessions": frozenset({"R32", "R49"}),
}


@pytest.mark.parametrize("form", in_turn(FORMS, ()))
def test_every_form_conforms(form):
    """To every rule, with nothing open."""
    cases = tuple(run(FORMS[form][1]))
    assert not failures(cases)
    assert {case.rule for case in cases if case.status is Status.DOES_NOT_APPLY} == APART[form]
