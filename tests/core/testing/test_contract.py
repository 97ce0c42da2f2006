import subprocess
import sys

import pytest
from kit.contract import rules

from facematch_core.testing import BackendContract

#: Numbers of rules that are there no more: none is given a second time.
GONE = {1, 4, 5, 6, 7, 9, 11, 18, 20, 22, 23, 26, 27, 29, *range(33, 38), *range(40, 49), 61, 62}


def test_the_number_of_a_rule_that_is_gone_is_not_used_again():
    assert not GONE & {int(number[1:]) for number in rules()}


def test_a_rule_cannot_be_replaced():
    for replacement in (lambda self: None, None):
        changed = {"test_r02_score_lies_on_its_scale": replacement}
        with pytest.raises(TypeError, match=r"Weak changes the rule test_r02_score"):
            type("Weak", (BackendContract,), changed)
        with pytest.raises(TypeError, match="changes the rule test_r02"):
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
