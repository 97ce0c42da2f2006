import contextlib
import os
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutants.reference import (
    GUESSES,
    HttpReference,
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    can,
)
from mutants.table import MUTANTS

from facematch_core.backend.base import plugin_faults
from facematch_core.testing import Situation, rules
from facematch_core.testing.bench import NEVER_ENDS, Bench
from facematch_core.testing.conformance import (
    LONGEST,
    each_case,
    in_one_line,
    rule_lines,
)
from facematch_core.testing.contract import CAUSES
from facematch_core.testing.report import SIMULATOR_FAILED, Case, Status
from facematch_core.testing.simulator import required


def counted():
    """A simulator, and a list of all that were made of it."""
    simulators = []

    def make():
        simulators.append(ReferenceSimulator())
        return simulators[-1]

    return make, simulators


def test_rules_are_run_in_order():
    """Each case with a simulator of its own; how many there are is reported all the while."""
    progress, listening = [], len(plugin_faults)
    make, simulators = counted()
    cases = tuple(each_case(make, rules={"R16", "R01"}, progress=lambda *at: progress.append(at)))
    assert [case.name for case in cases][:3] == ["", "same_person", "live"]
    assert [case.rule for case in cases] == ["R01", *["R16"] * (len(cases) - 1)]
    assert progress == [(done, len(cases)) for done in range(1, len(cases) + 1)]
    assert {case.status for case in cases} == {Status.PASSED}
    assert len(simulators) == len(cases)
    assert len(plugin_faults) == listening
    # Whoever has seen enough stops: nothing is run that nobody asks for.
    make, simulators = counted()
    assert next(each_case(make, rules={"R16"})).rule == "R16"
    assert len(simulators) == 1


def test_the_two_kinds_of_a_skip_become_two_statuses():
    class Poor(ReferenceSimulator):
        situations = required(ReferenceBackend.capabilities) | {Situation.BAD_KEY}
        cannot_happen: ClassVar = {Situation.TWO_FACES: "The vendor counts no faces."}

    cases = tuple(each_case(Poor, rules={"R12", "R13", "R16"}))
    for rule, status, reason in (
        ("R13", Status.OPEN, "Poor cannot produce UNKNOWN_STATUS."),
        ("R12", Status.DOES_NOT_APPLY, "The vendor counts no faces."),
    ):
        [case] = [case for case in cases if case.rule == rule]
        assert case == Case(rule=rule, name="", status=status, reason=reason)
    statuses = {case.status for case in cases if case.rule == "R16"}
    assert statuses == {Status.PASSED, Status.OPEN, Status.DOES_NOT_APPLY}


def test_a_simulator_that_does_not_say_the_unknown_word_is_named():
    """Else its author would look for the fault in the backend."""

    class Forgetful(HttpReferenceSimulator):
        def set_situation(self, situation, **how):
            forgets = situation is Situation.UNKNOWN_STATUS
            super().set_situation(Situation.SAME_PERSON if forgets else situation, **how)

    failed = [case for case in each_case(Forgetful, rules={"R13"}) if case.status is Status.FAILED]
    assert [case.rule for case in failed] == ["R13"]
    assert "which the simulator's last answer does not hold, is match" in failed[0].reason


def test_a_reason_holds_no_secret_and_no_place():
    """A report is sent to strangers. What a plug-in raises is shown with its own file and line."""

    class Rude(ReferenceBackend):
        def refusal(self, status):
            if status == 401:
                raise OSError(f"{self.key.reveal()} refused in {Path.cwd()}/keys/one.pem")
            return super().refusal(status)

    cases = tuple(each_case(lambda: ReferenceSimulator(Rude), rules={"R16"}))
    [case] = [case for case in cases if case.status is Status.FAILED]
    assert case.name == "bad_key"
    assert case.reason.startswith("the backend's own code raised OSError: *** refused in ...")
    assert f"one.pem ({Path(__file__).name}, line " in case.reason
    assert str(Path.cwd()) not in case.reason


def test_a_reason_is_given_with_the_cases_that_met_it():
    fault = f"{SIMULATOR_FAILED}no port"
    cases = [
        Case(rule=rule, name=name, status=status, reason=reason)
        for rule, name, status, reason in (
            ("R16", "bad_key", Status.FAILED, "its own"),
            ("R16", "rejected", Status.PASSED, ""),
            ("R18", "live", Status.NOT_JUDGED, "because of R16"),
            ("R18", "slow", Status.PASSED, ""),
            ("R20", "no_face", Status.FAILED, "every case"),
            ("R21", "live", Status.FAILED, fault),
            ("R21", "spoof", Status.PASSED, ""),
        )
    ]
    reasons = {line.number: (line.status, line.reasons) for line in rule_lines(cases)}
    assert reasons["R16"] == (Status.FAILED, ("bad_key: its own",))
    assert reasons["R18"] == (Status.NOT_JUDGED, ("because of R16",))
    assert reasons["R20"] == (Status.FAILED, ("every case",))
    assert reasons["R21"] == (Status.FAILED, (fault,))


def statuses(cases):
    """The worst that came out of each rule, in the order in which they were run."""
    return {line.number: line.status for line in rule_lines(cases) if line.cases}


def test_every_rule_has_its_place_after_those_that_it_follows_from():
    places = [number for numbers, _ in CAUSES for number in numbers.split()]
    assert places == [rule.number for rule in rules()]
    for rule in rules():
        assert {*rule.follows} <= {*places[: places.index(rule.number)]}


def test_what_follows_from_a_failure_is_not_judged():
    """An author reads the cause, and not what it does to every other rule."""
    come = statuses(each_case(MUTANTS["LooksForAnotherName"].make))
    failed = [number for number, status in come.items() if status is Status.FAILED]
    assert failed == ["R51"]
    alone = {rule.number for rule in rules() if "R51" not in rule.follows} - {"R51"}
    assert {come[number] for number in alone} == {Status.PASSED, Status.DOES_NOT_APPLY}
    rest = come.keys() - alone - {"R51"}
    assert {come[number] for number in rest} == {Status.NOT_JUDGED}


@pytest.mark.slow
def test_two_faults_without_a_common_cause_are_named_in_one_run():
    leak, edge = MUTANTS["KeyInTheLog"].backend, MUTANTS["AtLeastForAbove"].backend
    backend = type("Both", (leak, edge), {"__module__": leak.__module__})
    come = statuses(each_case(lambda: ReferenceSimulator(backend)))
    assert [number for number, status in come.items() if status is Status.FAILED] == ["R07", "R21"]
    assert Status.NOT_JUDGED not in come.values()


def test_what_several_rules_meet_is_said_by_the_first():
    """A backend that cannot be opened: each rule would say the same."""

    class Anywhere(HttpReference):
        allowed_hosts = HttpReference.allowed_hosts | {"*.co.uk"}

    cases = tuple(each_case(lambda: HttpReferenceSimulator(Anywhere)))
    assert statuses(cases) == {
        rule.number: Status.FAILED if rule.number == "R31" else Status.NOT_JUDGED
        for rule in rules()
    }
    assert {case.reason for case in cases[1:]} == {"because of R31"}


def test_no_rule_speaks_of_warnings():
    class Old(ReferenceBackend):
        def request(self, call):
            warnings.warn("requests like this are deprecated", DeprecationWarning, stacklevel=1)
            return super().request(call)

    with warnings.catch_warnings(action="error"):
        first, *_ = each_case(lambda: ReferenceSimulator(Old), rules={"R01"})
    assert (first.status, first.reason) == (Status.PASSED, "")


@pytest.mark.slow
def test_a_call_that_does_not_end_is_waited_for_once(monkeypatch):
    module, released = sys.modules["facematch_core.testing.conformance"], threading.Event()
    monkeypatch.setattr(module, "ENDS_S", 3)
    monkeypatch.setattr(module, "AGAIN_S", 1)

    class Waits(ReferenceBackend):
        def refusal(self, status):
            if status == 429:
                released.wait(30)
            return super().refusal(status)

    cases = tuple(each_case(lambda: ReferenceSimulator(Waits), rules={"R16", "R18", "R21", "R07"}))
    released.set()
    throttled = {case.rule: case for case in cases if case.name == "throttled"}
    assert throttled["R18"].reason == NEVER_ENDS
    assert {(throttled[rule].status, throttled[rule].reason) for rule in ("R16", "R21")} == {
        (Status.NOT_JUDGED, "because of R18")
    }
    assert {case.status for case in cases if case.name != "throttled"} == {Status.PASSED}


def test_a_broken_simulator_fails_the_rule_that_met_it():
    class Broken(ReferenceSimulator):
        def __enter__(self):
            raise OSError("no port")

    class Untidy(ReferenceSimulator):
        def __exit__(self, *_):
            raise OSError("still there")

    listening = len(plugin_faults)
    for make, reason in (
        (Broken, "the simulator failed: OSError: no port"),
        (Untidy, "the simulator failed: OSError: still there"),
    ):
        first, *others = each_case(make, rules={"R01", "R16"})
        assert (first.rule, first.status) == ("R01", Status.FAILED)
        assert first.reason.startswith(reason)
        assert {(case.status, case.reason) for case in others} == {
            (Status.NOT_JUDGED, "because of R01")
        }
    assert len(plugin_faults) == listening


@pytest.mark.parametrize("failed_before", [False, True])
def test_a_run_has_an_end(monkeypatch, failed_before):
    """A minute where a rule has failed; an honest backend on a slow machine has three."""
    ended, module = threading.Event(), sys.modules["facematch_core.testing.conformance"]

    class Sleepy(MUTANTS["ShowsItsKey"].backend if failed_before else ReferenceBackend):
        def exchange(self, call):
            ended.wait(30)

    monkeypatch.setattr(module, "RUN_S", 0.6)
    monkeypatch.setattr(module, "HONEST_RUN_S", 1.2)
    begun = time.monotonic()
    come = {case.rule: case for case in each_case(lambda: ReferenceSimulator(Sleepy))}
    taken_s = time.monotonic() - begun
    ended.set()
    if failed_before:
        assert come["R23"].status is Status.FAILED
        over = Status.NOT_JUDGED, "the 0.6 s of a run were over"
        assert {(come[rule].status, come[rule].reason) for rule in ("R51", "R28")} == {over}
        assert taken_s < 1.2
    else:
        over = Status.FAILED, "the 1.2 s of a run were over"
        assert (come["R51"].status, come["R51"].reason) == over
        assert (come["R28"].status, come["R28"].reason) == (Status.NOT_JUDGED, "because of R51")


def test_a_case_that_is_given_up_gives_the_console_back(monkeypatch, capfd):
    """It looks at what is printed meanwhile: the report would be lost there."""
    before, ended = {*threading.enumerate()}, threading.Event()

    class Sleepy(ReferenceBackend):
        def exchange(self, call):
            ended.wait(30)
            return super().exchange(call)

    for limit in ("RUN_S", "HONEST_RUN_S"):
        monkeypatch.setattr(sys.modules["facematch_core.testing.conformance"], limit, 0.3)
    first, *_ = each_case(lambda: ReferenceSimulator(Sleepy), rules={"R21"})
    print("the report")  # noqa: T201 - as whoever runs the kit shows it
    os.write(2, b"a warning")
    printed = capfd.readouterr()
    ended.set()
    for thread in {*threading.enumerate()} - before:
        thread.join(30)
    assert (first.status, *printed) == (Status.FAILED, "the report\n", "a warning")


def test_one_line_may_be_shown_to_anybody():
    """Short, and without the folders of who keeps a file; paths of an API stay."""
    assert in_one_line("one\n  two\tthree") == "one two three"
    line = in_one_line("x" * 5000)
    assert (len(line), line[-4:]) == (LONGEST, " ...")
    for folder in (Path.cwd(), Path(tempfile.gettempdir()) / "made", *map(Path, HOMES)):
        line = in_one_line(f"No such file: '{folder / 'deep' / 'one.pem'}'.")
        assert str(folder) not in line
        assert line.endswith("one.pem'.")
    for text in ("POST /v3/face-match/ was sent", "50/50 and/or 3 / 4"):
        assert in_one_line(text) == text


HOMES = ("/home/somebody", "/Users/one")


@given(st.text("0123456789abcdef", min_size=6), st.text(), st.text())
def test_secrets_are_masked(secret, before, after):
    assert secret not in in_one_line(f"{before}{secret}{after}", [secret])
    assert in_one_line(f"is {secret}-more", [secret, f"{secret}-more"]) == "is ***"


class Silent(ReferenceBackend):
    """Its vendor gives a score, and no word besides."""

    capabilities = can(billed_operations=frozenset())

    def result(self, call, body):
        return attrs.evolve(super().result(call, body), vendor_status=None, warnings=())


class Telling(ReferenceBackend):
    def faces(self, body, place):
        return super().faces({**body, "guesses": [GUESSES]}, place)


@pytest.mark.parametrize(
    "name", ["UNKNOWN_STATUS", "UNKNOWN_WARNING", "DEMOGRAPHICS", "NO_CREDIT", "SPOOF"]
)
def test_what_can_be_seen_need_not_be_said(name):
    """Of a vendor that shows it, it is asked for; that nobody says what a spoof is, is not seen."""
    situations = ReferenceSimulator.situations - {Situation[name]}
    unable = type("Unable", (ReferenceSimulator,), {"situations": situations})
    for backend, is_open in ((Silent, name == "SPOOF"), (Telling, True)):
        with contextlib.closing(Bench(unable(backend))) as bench:
            assert (bench.why_not(Situation[name]) is None) is is_open
