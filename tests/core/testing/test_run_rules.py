import sys
import tempfile
import threading
from pathlib import Path
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from mutants.reference import (
    ReferenceBackend,
    ReferenceSimulator,
)

from facematch_core.backend import plugin_faults
from facematch_core.testing import Situation
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


def counted():
    """A simulator, and a list of all that were made of it."""
    made = []

    def make():
        made.append(ReferenceSimulator())
        return made[-1]

    return make, made


def test_rules_are_run_in_order():
    """Each case with a simulator of its own; how many there are is reported all the while."""
    told, listening = [], len(plugin_faults)
    make, made = counted()
    cases = run_rules(make, rules={"R17", "R01"}, progress=lambda *at: told.append(at))
    assert [case.name for case in cases][:3] == ["", "bad_key", "no_credit"]
    assert [case.rule for case in cases] == ["R01", *["R17"] * (len(cases) - 1)]
    assert told == [(done, len(cases)) for done in range(1, len(cases) + 1)]
    assert {case.status for case in cases} == {Status.PASSED}
    assert len(made) == len(cases)
    assert len(plugin_faults) == listening
    # Whoever has seen enough stops: nothing is run that nobody asks for.
    make, made = counted()
    assert next(each_case(make, rules={"R17"})).rule == "R17"
    assert len(made) == 1


def test_the_two_kinds_of_a_skip_become_two_statuses():
    class Poor(ReferenceSimulator):
        situations = required(ReferenceBackend.capabilities) | {Situation.BAD_KEY}
        cannot_happen: ClassVar = {Situation.TWO_FACES: "The vendor counts no faces."}

    cases = run_rules(Poor, rules={"R12", "R13", "R17"})
    for rule, status, reason in (
        ("R13", Status.OPEN, "Poor cannot produce UNKNOWN_STATUS."),
        ("R12", Status.DOES_NOT_APPLY, "The vendor counts no faces."),
    ):
        found = [case for case in cases if case.rule == rule]
        assert found == [Case(rule=rule, name="", status=status, reason=reason)]
    found = {case.status for case in cases if case.rule == "R17"}
    assert found == {Status.PASSED, Status.OPEN}


def test_a_reason_holds_no_secret_and_no_place():
    """A report is sent to strangers. What a plug-in raises is shown with its own file and line."""

    class Rude(ReferenceBackend):
        def refusal(self, status):
            if status == 401:
                raise OSError(f"{self.key.reveal()} refused in {Path.cwd()}/keys/one.pem")
            return super().refusal(status)

    cases = run_rules(lambda: ReferenceSimulator(Rude), rules={"R17"})
    [case] = [case for case in cases if case.status is Status.FAILED]
    assert case.name == "bad_key"
    assert case.reason.startswith("OSError: *** refused in ...")
    assert f"one.pem ({Path(__file__).name}, line " in case.reason
    assert str(Path.cwd()) not in case.reason


def test_a_reason_of_several_rules_is_about_no_case():
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


def test_a_run_has_an_end(monkeypatch):
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


def test_one_line_may_be_shown_to_anybody():
    """Short, and without the folders of who keeps a file; paths of an API stay."""
    assert in_one_line("one\n  two\tthree") == "one two three"
    line = in_one_line("x" * 5000)
    assert (len(line), line[-4:]) == (LONGEST, " ...")
    for folder in (Path.cwd(), Path(tempfile.gettempdir()) / "made", *map(Path, HOMES)):
        line = masked(f"No such file: '{folder / 'deep' / 'one.pem'}'.", ())
        assert str(folder) not in line
        assert line.endswith("one.pem'.")
    for text in ("POST /v3/face-match/ was sent", "50/50 and/or 3 / 4"):
        assert masked(text, ()) == text


HOMES = ("/home/somebody", "/Users/one")


@given(st.text("0123456789abcdef", min_size=6), st.text(), st.text())
def test_secrets_are_masked(secret, before, after):
    assert secret not in masked(f"{before}{secret}{after}", [secret])
    assert masked(f"is {secret}-more", [secret, f"{secret}-more"]) == "is ***"
