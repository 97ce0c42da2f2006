"""The contract has teeth: each saboteur is caught by the rule that names its fault."""

import statistics

import attrs
import pytest

from facematch_core.testing import _self_test, rules, self_test
from facematch_core.testing._running import run
from facematch_core.testing._saboteurs import SABOTEURS
from facematch_core.testing._self_test import Sabotage, SelfTest, judged

#: The saboteurs in parts, so that several workers share the work.
PARTS = 8


def test_each_saboteur_is_caught_by_its_rule():
    """The rule that names the fault fails, and the paragons keep every rule."""
    found = self_test()
    survivors = [f"{o.name} survives {o.rule}: {o.fault}" for o in found.survivors]
    assert survivors == []
    assert (found.paragons, found.idle) == ({"Paragon": (), "HttpParagon": ()}, ())
    assert [one.name for one in found.sabotages] == list(SABOTEURS)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_a_fault_trips_few_rules(part):
    """One or two, as a rule: a report of thirty failures helps nobody."""
    wrong = dict(list(SABOTEURS.items())[part::PARTS])
    found = run({name: one.make for name, one in wrong.items()})
    sabotages = [judged(one, found[name]) for name, one in wrong.items()]
    assert [one.name for one in sabotages if not one.caught] == []
    assert statistics.median(len(one.failed) for one in sabotages) <= 2
    broad = {one.name: one.passed for one in sabotages if one.passed < len(rules()) / 2}
    assert broad == {}


def test_every_rule_catches_somebody():
    """No rule is there for show."""
    assert {saboteur.rule for saboteur in SABOTEURS.values()} == {rule.number for rule in rules()}


@pytest.fixture
def two(monkeypatch):
    """Two saboteurs in the place of all: of one of them another rule is told to name its fault."""
    caught = SABOTEURS["EveryPassIsCertain"]
    some = {"Caught": caught, "Free": attrs.evolve(caught, name="Free", rule="R46")}
    monkeypatch.setattr(_self_test, "saboteurs", lambda: some)
    return some


@pytest.mark.parametrize(
    ("everything", "failed"),
    [(False, [("R09",), ()]), (True, [("R03", "R09"), ("R03", "R09")])],
)
def test_the_self_test_runs_them_all(two, everything, failed):
    """Who is not caught by its own rule is a survivor, whatever the other rules say."""
    told = []
    found = self_test(
        everything=everything, progress=lambda done, total: told.append((done, total))
    )
    assert (found.paragons, found.idle) == ({"Paragon": (), "HttpParagon": ()}, ())
    assert [one.name for one in found.survivors] == ["Free"]
    assert found.sabotages[0].fault == two["Caught"].fault
    assert [one.failed for one in found.sabotages] == failed
    assert len(told) == told[-1][1]


CAUGHT = Sabotage(name="A", rule="R01", fault="a", failed=("R01", "R02"), passed=40)
FREE = Sabotage(name="B", rule="R01", fault="b", failed=("R02",), passed=40)


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"sabotages": (CAUGHT, FREE)}, False),
        ({"idle": ("R07",)}, False),
        ({"paragons": {"P": ("R07",)}}, False),
    ],
    ids=["caught", "survivor", "idle", "strict"],
)
def test_what_the_self_test_says(changes, passes):
    """A survivor, a rule that nobody keeps, a paragon that fails: each is a fault of the kit."""
    told = SelfTest(**{"paragons": {"P": ()}, "idle": (), "sabotages": (CAUGHT,), **changes})
    assert told.passed is passes
    assert told.to_dict()["passed"] is passes
    assert told.survivors == tuple(one for one in told.sabotages if one is FREE)
