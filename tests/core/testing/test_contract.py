import subprocess
import sys
from pathlib import Path

import pytest
from mutants.reference import HttpReference, HttpReferenceSimulator

from facematch_core import UnexpectedResponse
from facematch_core.testing import BackendContract, rules

#: Numbers of rules that are there no more: none is given a second time.
GONE = {"R04", "R09", "R26", "R27", "R29", "R33", "R34", "R35", "R36", "R40", "R41", "R43"}
GONE |= {"R45", "R46"}


def test_a_number_is_a_name():
    numbers = [rule.number for rule in rules()]
    assert len(numbers) == len(set(numbers))
    assert not GONE & set(numbers)


def test_a_rule_cannot_be_replaced():
    for replacement in (lambda self: None, None):
        changed = {"test_r07_threshold_edge": replacement}
        with pytest.raises(TypeError, match=r"Weak changes the rule test_r07_threshold_edge\."):
            type("Weak", (BackendContract,), changed)
        with pytest.raises(TypeError, match="changes the rule test_r07"):
            type("Sly", (type("Mixin", (), changed), BackendContract), {})


@pytest.mark.parametrize(
    "mark", [pytest.mark.skip(reason="no"), pytest.mark.xfail, pytest.mark.xfail(reason="")]
)
def test_a_reason_is_needed(mark):
    @mark
    def muted(self, bench):
        pass

    with pytest.raises(TypeError, match="changes the rule test_r12"):
        type("Mute", (BackendContract,), {"test_r12_two_faces_are_told": muted})


def test_a_known_failure_is_declared():
    class KnownContract(BackendContract):
        @pytest.mark.xfail(reason="Acme says to nobody how many faces it saw", strict=True)
        def test_r12_two_faces_are_told(self, bench):
            super().test_r12_two_faces_are_told(bench)

    assert type("Heir", (KnownContract,), {}).test_r12_two_faces_are_told


def test_a_class_without_a_simulator_learns_what_it_needs():
    fixture = BackendContract.simulator
    with pytest.raises(NotImplementedError, match="BackendContract needs a fixture `simulator`"):
        next(fixture.__wrapped__(BackendContract()))


def test_an_author_sees_what_the_own_code_raised(capsys):
    """The core's error says only where; pytest shows what is printed where a rule has failed."""

    class Clumsy(HttpReference):
        def parse(self, call, reply):
            return reply.json()["confidence"]

    with HttpReferenceSimulator(Clumsy) as simulator:
        fixture = BackendContract.bench.__wrapped__(BackendContract(), simulator)
        with pytest.raises(UnexpectedResponse):
            BackendContract().test_r06_verdicts_are_not_swapped(next(fixture))
        next(fixture, None)
    raised = f"the backend's own code raised KeyError: 'confidence' ({Path(__file__).name}, line "
    assert raised in capsys.readouterr().out


def test_only_the_kit_needs_pytest():
    """Without it one line says what to install. The kit itself loads no Hypothesis."""
    code = """
import sys
import facematch_core, facematch_core.http
heavy = {"pytest", "_pytest", "facematch_core.testing"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
sys.modules["pytest"] = None
try:
    import facematch_core.testing
except ImportError as error:
    print(error, error.__cause__, error.__suppress_context__)
del sys.modules["pytest"]
import facematch_core.testing
assert "hypothesis" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("facematch_core.testing needs pytest: ")
    assert done.stdout.endswith(" None True\n")
