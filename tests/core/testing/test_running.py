"""The runner: what comes out of the rules, and that nobody else's pytest takes part."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mutants.reference import ReferenceBackend, ReferenceSimulator
from mutants.table import MUTANTS

from facematch_core.testing import Situation, rules
from facematch_core.testing.report import Case, Status
from facematch_core.testing.running import run
from facematch_core.testing.simulator import required

TESTS = Path(__file__).parents[2]
NUMBERS = [rule.number for rule in rules()]


class Poor(ReferenceSimulator):
    """Cannot do much, and knows of one thing that it is not there."""

    situations = required(ReferenceBackend.capabilities) | {Situation.BAD_KEY}
    cannot_happen = {Situation.TWO_FACES: "The vendor counts no faces."}  # noqa: RUF012 - as simulators have it


class Rude(ReferenceBackend):
    """Its answer to one failure is an exception that tells key and place."""

    def refusal(self, status):
        if status == 401:
            raise OSError(f"{self.key.reveal()} refused in {Path.cwd()}/keys/one.pem")
        return super().refusal(status)


@pytest.fixture(scope="module")
def found():
    """One run over four subjects."""
    told = []
    cases = run(
        {
            "reference": ReferenceSimulator,
            "poor": Poor,
            "rude": lambda: ReferenceSimulator(Rude),
            "blind": MUTANTS["EveryPassIsCertain"].make,
        },
        progress=lambda done, total: told.append((done, total)),
    )
    return cases, told


def of(cases, rule, status=None):
    """The cases of one rule."""
    return [case for case in cases if case.rule == rule and status in (None, case.status)]


def test_every_rule_is_run_in_order(found):
    """For each subject, from the first to the last."""
    cases, _ = found
    assert list(cases) == ["reference", "poor", "rude", "blind"]
    for of_one in cases.values():
        assert list(dict.fromkeys(case.rule for case in of_one)) == NUMBERS


def test_cases_are_told_apart(found):
    """A rule about several situations has a case for each, by its name."""
    names = [case.name for case in of(found[0]["reference"], "R17")]
    assert names[:2] == ["bad_key", "no_credit"]
    assert [case.name for case in of(found[0]["reference"], "R01")] == [""]


def test_what_is_open_and_what_does_not_apply(found):
    """The two prefixes of a skip become two statuses; the reason stays."""
    poor = found[0]["poor"]
    for rule, status, reason in (
        ("R13", Status.OPEN, "Poor cannot produce UNKNOWN_STATUS."),
        ("R12", Status.DOES_NOT_APPLY, "The vendor counts no faces."),
    ):
        assert of(poor, rule) == [Case(rule=rule, name="", status=status, reason=reason)]
    assert {case.status for case in of(poor, "R17")} == {Status.PASSED, Status.OPEN}


def test_a_failure_says_what_the_rule_saw(found):
    """In one line, the assertion's own words or the values that it met."""
    [case] = of(found[0]["blind"], "R09")
    assert (case.status, case.reason) == (Status.FAILED, "score 61.23, review up to 61.23")
    [case] = of(found[0]["blind"], "R03", Status.FAILED)
    assert case.reason == "the vendor said 50.1 of 100, and the score is 100.0"
    told = MUTANTS["DefaultIsTheCallers"].make
    [case] = run({"told": told}, aimed={"told": "R45"})["told"]
    assert case.reason.startswith("assert (")
    assert "\n" not in case.reason


def test_reasons_hold_no_secret_and_no_place(found):
    """A card is sent to strangers."""
    failed = of(found[0]["rude"], "R17", Status.FAILED)
    assert [case.name for case in failed] == ["bad_key"]
    assert failed[0].reason.startswith("OSError: *** refused in ...")
    assert "one.pem" in failed[0].reason
    assert str(Path.cwd()) not in failed[0].reason


def test_progress_counts_every_case(found):
    """From the first to the last."""
    cases, told = found
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert {total for _, total in told} == {sum(map(len, cases.values()))}


def test_only_the_pure_rules():
    """Those are run where nobody plays the vendor."""
    pure = {rule.number for rule in rules() if rule.pure}
    found = run({"reference": ReferenceSimulator}, pure_only=True)["reference"]
    assert {case.rule for case in found} == pure


def test_one_rule_of_one_subject():
    """Who is aimed at is asked about that rule alone, until a case of it fails."""
    makes = {
        "reference": ReferenceSimulator,
        "aimed": ReferenceSimulator,
        "rude": lambda: ReferenceSimulator(Rude),
    }
    told = []
    found = run(
        makes,
        aimed={"aimed": "R18", "rude": "R17"},
        progress=lambda done, total: told.append((done, total)),
    )
    assert {case.rule for case in found["reference"]} == set(NUMBERS)
    assert list(found["aimed"]) == of(found["reference"], "R18")
    assert [(case.rule, case.name, case.status) for case in found["rude"]] == [
        ("R17", "bad_key", Status.FAILED)
    ]
    assert told[-1] == (len(told), len(told))


def test_a_broken_simulator_fails_the_rule_that_met_it():
    """What goes wrong before and after a rule is told as such."""

    class Broken(ReferenceSimulator):
        def __enter__(self):
            raise OSError("no port")

    class Untidy(ReferenceSimulator):
        def __exit__(self, *_):
            raise OSError("still there")

    found = run({"broken": Broken, "untidy": Untidy}, pure_only=True)
    for name, reason in (
        ("broken", "before the rule: OSError: no port"),
        ("untidy", "after the rule: OSError: still there"),
    ):
        assert {(case.status, case.reason) for case in found[name]} == {(Status.FAILED, reason)}


def test_ctrl_c_stops_it():
    """Half a card is none."""

    class Stopped(ReferenceSimulator):
        def set_situation(self, situation, *, score=None, step=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run({"stopped": Stopped})


def test_the_environment_is_left_as_it_was(monkeypatch):
    """What is set for the inner run is taken back, and what was set takes no part."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_module")
    before = dict(os.environ)
    assert run({"reference": ReferenceSimulator}, pure_only=True)["reference"]
    assert dict(os.environ) == before


HOSTILE = {
    "conftest.py": "raise RuntimeError('a conftest of somebody else')",
    "pytest.ini": "[pytest]\naddopts = --no-such-option\n",
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = ["--nonsense"]\n',
    "site/foreign.py": "raise RuntimeError('a plug-in of somebody else')",
    "site/foreign-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: foreign\nVersion: 1\n",
    "site/foreign-1.dist-info/entry_points.txt": "[pytest11]\nforeign = foreign\n",
}
FOREIGN = """
from facematch_core.testing.report import Status
from facematch_core.testing.running import run
from mutants.reference import ReferenceSimulator
from mutants.table import MUTANTS

cases = run({"reference": ReferenceSimulator, "blind": MUTANTS["EveryPassIsCertain"].make})
print({case.status.value for case in cases["reference"]})
print([c.reason for c in cases["blind"] if c.rule == "R03" and c.status is Status.FAILED])
"""


def test_nobody_elses_pytest_takes_part(tmp_path):
    """Settings, a conftest and plug-ins of the project around it; and nothing is written there.

    The assertions of the rules are rewritten all the same: a failure says more than its class.
    """
    for name, text in HOSTILE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                (str(tmp_path / "site"), str(TESTS), os.environ.get("PYTHONPATH", ""))
            ),
            "PYTEST_ADDOPTS": "--nonsense",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    statuses, reasons = done.stdout.splitlines()
    assert "failed" not in statuses
    assert "open" not in statuses
    assert "100" in reasons
    assert sorted(tmp_path.rglob("*")) == before
