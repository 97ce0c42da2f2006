"""A simulator's mistake is the simulator's: no rule of the backend is blamed for it."""

import pytest
from mutants.reference import ReferenceSimulator
from mutants.sessions import Player, SessionReference, SessionVendor
from mutants.sharing import ReportReference, ReportSimulator

from facematch_core import BackendUnavailable, Box, Operation
from facematch_core.testing import SessionCase, Situation, Verdict, conformance
from facematch_core.testing.bench import Bench

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
        ("steps", {"match": 2}),
        ("price_unknown", Situation.NO_FACE),
        ("secrets", "a-secret-key"),
        ("secrets", [b"a-secret-key"]),
        ("demographics", ["age"]),
        ("faces", {"probe": BOX}),
        ("faces", [BOX]),
        ("unknown_warning", None),
        ("sessions", SessionCase.PASSED),
    ],
)
def test_what_has_another_form_is_named(name, value):
    simulator = ReferenceSimulator()
    setattr(simulator, name, value)
    with pytest.raises(TypeError, match=rf"ReferenceSimulator\.{name} must be"):
        Bench(simulator)


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
    Bench(simulator)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cases", {"passed"}),
        ("cannot_happen", {SessionCase.OLDER: None}),
        ("words", [("status",)]),
        ("compared_with", ()),
        ("compared_with", ("given",)),
    ],
)
def test_what_its_sessions_declare_is_looked_at_before_any_rule(name, value):
    class Odd(SessionVendor):
        def __init__(self):
            super().__init__()
            setattr(self.sessions, name, value)

    with pytest.raises(BackendUnavailable, match=rf"could not be checked .*Player\.{name} must be"):
        conformance(SessionReference, simulator=Odd)


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
    report = conformance(SessionReference, simulator=Careless)
    [failed] = report.of("failed")
    assert report.verdict is Verdict.UNCHECKED
    assert failed.reasons[0].startswith("the simulator failed: KeyError: 'session-")
    assert failed.reasons[0].endswith(" in Forgetful.play")


def test_what_the_kit_itself_gets_wrong_is_no_fault_of_the_backend(monkeypatch):
    def crash(self):
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(Bench, "edges", crash)
    report = conformance(ReportReference, simulator=ReportSimulator)
    [failed] = report.of("failed")
    assert (report.verdict, failed.number) == (Verdict.UNCHECKED, "R07")
    assert failed.reasons[0].startswith("the kit failed: ZeroDivisionError: a mistake (")
