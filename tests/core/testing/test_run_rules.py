"""One rule after another: what comes out of each case, and why."""

import sys
import tempfile
import threading
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutants.reference import (
    HttpReference,
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
)

from facematch_core import Operation
from facematch_core.backend import plugin_faults
from facematch_core.testing import Situation, bench
from facematch_core.testing.conformance import (
    LONGEST,
    each_case,
    in_one_line,
    masked,
    rule_lines,
    run_rules,
)
from facematch_core.testing.report import SIMULATOR_FAILED, Case, Status
from facematch_core.testing.simulator import required


class Poor(ReferenceSimulator):
    """Cannot do much, and knows of one thing that it is not there."""

    situations = required(ReferenceBackend.capabilities) | {Situation.BAD_KEY}
    cannot_happen: ClassVar = {Situation.TWO_FACES: "The vendor counts no faces."}


class Rude(ReferenceBackend):
    """Its answer to one failure is an exception that tells key and place."""

    def refusal(self, status):
        if status == 401:
            raise OSError(f"{self.key.reveal()} refused in {Path.cwd()}/keys/one.pem")
        return super().refusal(status)


def of(cases, rule):
    """The cases of one rule."""
    return [case for case in cases if case.rule == rule]


class Counted(ReferenceSimulator):
    """Knows how many of it were made."""

    made: ClassVar = []

    def __init__(self):
        super().__init__()
        self.made.append(self)


def test_rules_are_run_in_order():
    """Each case with a simulator of its own; how many there are is told all the while."""
    told, listening = [], len(plugin_faults)
    Counted.made.clear()
    cases = run_rules(Counted, rules={"R17", "R01"}, progress=lambda *at: told.append(at))
    assert [case.name for case in cases][:3] == ["", "bad_key", "no_credit"]
    assert [case.rule for case in cases] == ["R01", *["R17"] * (len(cases) - 1)]
    assert told == [(done, len(cases)) for done in range(1, len(cases) + 1)]
    assert {case.status for case in cases} == {Status.PASSED}
    assert len(Counted.made) == len(cases)
    assert len(plugin_faults) == listening


def test_whoever_has_seen_enough_stops():
    """Nothing is run that nobody asks for."""
    Counted.made.clear()
    assert next(each_case(Counted, rules={"R17"})).rule == "R17"
    assert len(Counted.made) == 1


def test_what_is_open_and_what_does_not_apply():
    """The two kinds of a skip become two statuses; the reason stays."""
    cases = run_rules(Poor, rules={"R12", "R13", "R17"})
    for rule, status, reason in (
        ("R13", Status.OPEN, "Poor cannot produce UNKNOWN_STATUS."),
        ("R12", Status.DOES_NOT_APPLY, "The vendor counts no faces."),
    ):
        assert of(cases, rule) == [Case(rule=rule, name="", status=status, reason=reason)]
    assert {case.status for case in of(cases, "R17")} == {Status.PASSED, Status.OPEN}


def test_a_reason_holds_no_secret_and_no_place():
    """A report is sent to strangers. What a plug-in raises is told with its own file and line."""
    [case] = [
        case
        for case in run_rules(lambda: ReferenceSimulator(Rude), rules={"R17"})
        if case.status is Status.FAILED
    ]
    assert case.name == "bad_key"
    assert case.reason.startswith("OSError: *** refused in ...")
    assert f"one.pem ({Path(__file__).name}, line " in case.reason
    assert str(Path.cwd()) not in case.reason


@attrs.define(kw_only=True, eq=False, slots=False)
class Clumsy(HttpReference):
    """Its reading trips over every answer."""

    def parse(self, call, reply):
        return reply.json()["confidence"]


def test_what_a_plug_in_trips_over_is_the_one_reason():
    """With its text, its file and its line, in the same words in every rule."""
    cases = run_rules(lambda: HttpReferenceSimulator(Clumsy), rules={"R01", "R06"})
    assert {case.rule for case in cases} == {"R01", "R06"}
    [reason] = {case.reason for case in cases}
    assert reason.startswith(f"KeyError: 'confidence' ({Path(__file__).name}, line ")
    assert {line.reasons for line in rule_lines(cases) if line.cases} == {(reason,)}


def test_a_reason_of_several_rules_is_about_no_case():
    """What only one rule met is told with the cases in which it did."""
    cases = [
        Case(rule=rule, name=name, status=status, reason=reason)
        for rule, name, status, reason in (
            ("R17", "bad_key", Status.FAILED, "the cause"),
            ("R17", "outage", Status.FAILED, "its own"),
            ("R17", "rejected", Status.PASSED, ""),
            ("R18", "slow", Status.FAILED, "the cause"),
            ("R20", "no_face", Status.FAILED, "every case"),
            ("R21", "live", Status.FAILED, f"{SIMULATOR_FAILED}no port"),
            ("R21", "spoof", Status.PASSED, ""),
        )
    ]
    reasons = {line.number: line.reasons for line in rule_lines(cases)}
    assert reasons["R17"] == ("the cause", "outage: its own")
    assert reasons["R18"] == ("the cause",)
    assert reasons["R20"] == ("every case",)
    assert reasons["R21"] == (f"{SIMULATOR_FAILED}no port",)


def test_a_broken_simulator_fails_the_rule_that_met_it():
    """What goes wrong before and after a rule is told as such."""

    class Broken(ReferenceSimulator):
        def __enter__(self):
            raise OSError("no port")

    class Untidy(ReferenceSimulator):
        def __exit__(self, *_):
            raise OSError("still there")

    listening = len(plugin_faults)
    for make, reason in (
        (Broken, "before the rule: OSError: no port"),
        (Untidy, "after the rule: OSError: still there"),
    ):
        cases = run_rules(make, rules={"R01", "R17"})
        assert {case.status for case in cases} == {Status.FAILED}
        assert all(case.reason.startswith(reason) for case in cases)
    assert len(plugin_faults) == listening


def test_a_fault_of_the_simulator_is_told_as_its_own():
    """With its place in the simulator's own file."""

    class Faulty(HttpReferenceSimulator):
        def answer(self, request, situation, score):
            return {}["no such thing"]

    [case] = run_rules(Faulty, rules={"R01"})
    place = f"({Path(__file__).name}, line "
    assert case.reason.startswith(f"{SIMULATOR_FAILED}KeyError: 'no such thing' {place}")
    assert case.reason.endswith("in Faulty.answer")


def test_ctrl_c_stops_it():
    """Half a report is none."""

    class Stopped(ReferenceSimulator):
        def set_situation(self, situation, *, score=None, step=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_rules(Stopped)


def test_a_run_has_an_end(monkeypatch):
    """Whatever a plug-in waits for: what is under way is given up, and nothing more is begun."""
    ended = threading.Event()

    class Sleepy(ReferenceSimulator):
        def set_situation(self, situation, *, score=None, step=None):
            ended.wait(30)

    # By its name stands the function in the package.
    monkeypatch.setattr(sys.modules["facematch_core.testing.conformance"], "RUN_S", 0.2)
    first, *others = run_rules(Sleepy)
    ended.set()
    assert first.reason == "it did not end before the 0.2 s of a run were over"
    assert {(one.status, one.reason) for one in others} == {
        (Status.FAILED, "not run: the 0.2 s of a run were over")
    }


@attrs.define(kw_only=True, eq=False, slots=False)
class AsksAgain(HttpReference):
    """Asks until the vendor has another word than "no"."""

    ended = threading.Event()

    def steps(self, call):
        reply = yield self.build(call)
        if "verdict" not in reply.json():
            self.ended.wait(30)
        return self.parse(call, reply)


def test_a_call_has_an_end(monkeypatch):
    """Without a deadline, too."""
    monkeypatch.setattr(bench, "ENDS_S", 0.1)
    with HttpReferenceSimulator(AsksAgain) as simulator:
        asked = bench.Bench(simulator)
        with pytest.raises(AssertionError, match="did not end in 0 s: does it try again"):
            asked.ask_directly(Operation.MATCH, Situation.UNREADABLE_200)
        AsksAgain.ended.set()
        asked.close()


# --- In one line, which may be shown to anybody ---------------------------------------------------


def test_one_line():
    """Short enough to be read."""
    assert in_one_line("one\n  two\tthree") == "one two three"
    line = in_one_line("x" * 5000)
    assert (len(line), line[-4:]) == (LONGEST, " ...")


@pytest.mark.parametrize(
    "folder",
    [Path.cwd(), Path(tempfile.gettempdir()) / "made", Path("/home/somebody"), Path("/Users/one")],
    ids=str,
)
def test_folders_are_masked(folder):
    """The name of a file may help, where somebody keeps it may not be told."""
    line = masked(f"No such file: '{folder / 'deep' / 'one.pem'}'.", ())
    assert str(folder) not in line
    assert line.endswith("one.pem'.")


@pytest.mark.parametrize("text", ["POST /v3/face-match/ was sent", "50/50 and/or 3 / 4"])
def test_other_slashes_stay(text):
    """Paths of a vendor's API are what a reason may be about."""
    assert masked(text, ()) == text


@given(st.text("0123456789abcdef", min_size=6), st.text(), st.text())
def test_secrets_are_masked(secret, before, after):
    """Wherever they stand; the longer one first, so that one that holds another leaves no rest."""
    assert secret not in masked(f"{before}{secret}{after}", [secret])
    assert masked(f"is {secret}-more", [secret, f"{secret}-more"]) == "is ***"
