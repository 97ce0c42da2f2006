"""Every rule of the contract catches the faults that it is there for, and nobody who conforms."""

import pytest
from kit.contract import Status, failures, rules, run
from mutants import reference
from mutants.engine import ColourSimulator
from mutants.faults import ComparesAlone
from mutants.reference import ReferenceSimulator
from mutants.sessions import LinksWithTokens, LooksAtReferences, SessionVendor, TellsTheRealm
from mutants.table import MUTANTS
from mutants.vendors import RefusesAsDocumented, TellsOfPhotos

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
    "ReceivesTexts",
    "PicturesOfOneColour",
    "FailsAtNull",
}


def test_every_rule_has_a_mutant_and_every_mutant_is_unique():
    assert {mutant.rule for mutant in MUTANTS.values()} == {*rules()}
    assert len({mutant.fault for mutant in MUTANTS.values()}) == len(MUTANTS)


#: Mutants that keep a rule waiting for seconds.
SLOW = {
    "SaysNothingOfWhatIsTaken",  # its picture is of 16 megabytes
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


#: The simulators of the forms of the reference, and of an engine.
FORMS = {
    "in this process": ReferenceSimulator,
    "over HTTP": reference.HttpReferenceSimulator,
    "that only compares": lambda: TellsOfPhotos(ComparesAlone),
    "as an engine": ColourSimulator,
    "with sessions": SessionVendor,
    "with references that its vendor looks at": LooksAtReferences,
    "with tokens in its links": lambda: LinksWithTokens(TellsTheRealm),
    "with a login": reference.LoginSimulator,
    "with documented refusals": RefusesAsDocumented,
}

#: The rules about hosted sessions.
SESSIONS = frozenset({"R61", *(number for number in rules() if "R52" <= number <= "R59")})
#: The rules about what a vendor answers, keeps and issues.
ABOUT_VENDORS = frozenset({"R12", "R14", "R38", "R60"})

#: The rules that do not apply to a form.
APART = {
    **dict.fromkeys(FORMS, SESSIONS),
    "in this process": SESSIONS | {"R38", "R60"},
    # Of R16 and R21 what a live face does; of an engine what a vendor does.
    "that only compares": SESSIONS | {"R16", "R21", "R38", "R60"},
    "as an engine": SESSIONS | ABOUT_VENDORS | {"R16", "R21"},
    "with sessions": frozenset(),
    "with references that its vendor looks at": frozenset(),
    "with tokens in its links": frozenset(),
}


#: Rules that ask a backend only a few times.
SPARING_RULES = {"R12", "R14", "R51", "R54", "R56", "R57"}


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(SPARING_RULES, id="sparing"),
        pytest.param({*rules()}, id="all", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_every_reference_backend_passes_the_rules_that_apply(form, numbers):
    cases = tuple(run(FORMS[form], numbers))
    assert not failures(cases)
    apart = {case.rule for case in cases if case.status is Status.DOES_NOT_APPLY}
    assert apart == APART[form] & numbers
