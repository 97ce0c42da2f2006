"""The contract has teeth: each saboteur is caught by the rule that names its fault."""

import statistics
from pathlib import Path

import pytest

from facematch_core.testing import rules
from facematch_core.testing._saboteurs import SABOTEURS


class _Collector:
    """Notes which rules failed, per contract class."""

    def __init__(self):
        self.failed = {}
        self.passed = {}

    def pytest_runtest_logreport(self, report):
        _, saboteur, test = report.nodeid.split("::")
        rule = test.split("_")[1].upper()
        name = saboteur.removeprefix("Test")
        if report.failed:
            self.failed.setdefault(name, set()).add(rule)
        elif report.passed and report.when == "call":
            self.passed.setdefault(name, set()).add(rule)


@pytest.fixture(scope="module")
def run():
    """All saboteurs under the contract, in one inner run."""
    collector = _Collector()
    here = Path(__file__).parent
    pytest.main(
        [
            str(here / "against_saboteurs.py"),
            f"--rootdir={here}",
            "--config-file=/dev/null",
            "--import-mode=importlib",
            "-pno:cacheprovider",
            "-pno:xdist",
            "-pno:hypothesispytest",
            "-pno:logging",
            "--noconftest",
            "--quiet",
            "--tb=no",
            "--no-summary",
        ],
        plugins=[collector],
    )
    return collector


@pytest.mark.parametrize("name", SABOTEURS)
def test_saboteur_is_caught(run, name):
    """The rule that names the fault fails."""
    assert SABOTEURS[name].rule in run.failed.get(name, set())


def test_the_finding_is_narrow(run):
    """One fault trips one or two rules, as a rule: a report of thirty failures helps nobody."""
    assert statistics.median(len(run.failed[name]) for name in SABOTEURS) <= 2
    broad = {n: len(run.passed[n]) for n in SABOTEURS if len(run.passed[n]) < len(rules()) / 2}
    assert broad == {}


def test_every_rule_catches_somebody():
    """No rule is there for show."""
    assert {saboteur.rule for saboteur in SABOTEURS.values()} == {rule.number for rule in rules()}
