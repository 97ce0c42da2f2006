"""A simulator's mistake is the simulator's: no rule of the backend is blamed for it."""

import pytest
from kit.contract import Status, run
from mutants.reference import ReferenceSimulator
from mutants.sessions import Player, SessionVendor

from facematch_core import Operation
from facematch_core.models import Box
from facematch_core.testing import SessionCase, Situation
from facematch_core.testing.simulator import check_declared

BOX = Box(left=0.1, top=0.1, right=0.5, bottom=0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("situations", {"same_person"}),
        ("situations", "same_person"),
        ("situations", None),
        ("cannot_happen", [Situation.NO_FACE]),
        ("cannot_happen", {Situation.NO_FACE: None}),
        ("steps", "two"),
        ("price_unknown", Situation.NO_FACE),
        ("secrets", "a-secret-key"),
        ("secrets", [b"a-secret-key"]),
        ("faces", {"probe": BOX}),
        ("faces", [BOX]),
        ("unknown_warning", None),
        ("sessions", SessionCase.PASSED),
    ],
)
def test_what_has_another_form_is_named(name, value):
    simulator = ReferenceSimulator()
    setattr(simulator, name, value)
    assert f"ReferenceSimulator.{name} must be" in check_declared(simulator)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("situations", frozenset()),
        ("steps", {Operation.MATCH: 2}),
        ("secrets", ("a-secret-key",)),
        ("faces", {"probe": [BOX], "reference": (BOX,)}),
    ],
)
def test_what_has_its_form_is_taken(name, value):
    simulator = ReferenceSimulator()
    setattr(simulator, name, value)
    assert check_declared(simulator) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cases", {"passed"}),
        ("cannot_happen", {SessionCase.OLDER: None}),
        ("words", [("status",)]),
        ("compared_with", ("given",)),
    ],
)
def test_what_its_sessions_declare_is_looked_at_before_any_rule(name, value):
    class Odd(SessionVendor):
        def __init__(self):
            super().__init__()
            setattr(self.sessions, name, value)

    [case] = run(Odd, {"R51"})
    assert case.reason.startswith(f"the simulator failed: Player.{name} must be")


class Forgetful(Player):
    """Has a mistake in one case."""

    def play(self, session_id, case):
        if case is SessionCase.OTHER_PERSON:
            raise KeyError(session_id)
        super().play(session_id, case)


class Careless(SessionVendor):
    def __init__(self):
        super().__init__()
        self.sessions = Forgetful(self.store)


@pytest.mark.slow
def test_a_simulator_that_fails_says_nothing_of_the_backend():
    [failed] = [case for case in run(Careless) if case.status is Status.FAILED]
    assert failed.reason.startswith("the simulator failed: KeyError: 'session-")
    assert failed.reason.endswith(" in Forgetful.play")
