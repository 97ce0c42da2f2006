"""The contract as a list of tests, what keeps it whole, and a backend that keeps every rule."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from mutants.reference import HttpReference, HttpReferenceSimulator, ReferenceSimulator

import facematch_core
from facematch_core import UnexpectedResponse
from facematch_core.testing import BackendContract, rules

CORE = Path(facematch_core.__file__).parent

#: Numbers of rules that are there no more: none is given a second time.
GONE = {"R04", "R09", "R26", "R27", "R29", "R33", "R34", "R35", "R36", "R40", "R41", "R43"}
GONE |= {"R45", "R46"}


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with ReferenceSimulator() as simulator:
            yield simulator


def test_a_number_is_a_name():
    """It is not used twice, and none comes back."""
    numbers = [rule.number for rule in rules()]
    assert numbers == sorted(set(numbers))
    assert not GONE & set(numbers)
    assert set(numbers) | GONE == {f"R{n:02}" for n in range(1, int(numbers[-1][1:]) + 1)}


def test_every_rule_gives_its_reason():
    """What is asked, in a sentence, and why it matters, in another."""
    for rule in rules():
        assert rule.title.endswith(".")
        assert rule.reason.endswith("."), rule.number
        assert rule.name.startswith(f"test_{rule.number.lower()}_")


def test_every_assertion_has_its_sentence():
    """Nothing rewrites assertions: one without words would say nothing to the backend's author."""
    for file in (CORE / "testing").rglob("*.py"):
        nodes = ast.walk(ast.parse(file.read_text()))
        mute = [node.lineno for node in nodes if type(node) is ast.Assert and node.msg is None]
        assert mute == [], file
    assert (CORE / "testing" / "contract").is_dir()


def test_a_rule_cannot_be_replaced():
    """Neither by a weaker one nor by nothing, wherever the override comes from."""
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
    """A mark alone is no reason, and a rule is never skipped on request."""

    @mark
    def muted(self, bench):
        pass

    with pytest.raises(TypeError, match="changes the rule test_r12"):
        type("Mute", (BackendContract,), {"test_r12_two_faces_are_told": muted})


def test_a_known_failure_is_declared():
    """With a reason a rule may be expected to fail, and what inherits that may stay."""

    class Known(BackendContract):
        @pytest.mark.xfail(reason="Acme tells nobody how many faces it saw", strict=True)
        def test_r12_two_faces_are_told(self, bench):
            super().test_r12_two_faces_are_told(bench)

    assert type("Heir", (Known,), {}).test_r12_two_faces_are_told


def test_own_tests_are_welcome():
    """A class may add tests, also with names that begin like a rule's."""
    own = {"test_r99_ours": lambda self: None, "test_rotation": lambda self: None}
    heir = type("Heir", (type("Own", (BackendContract,), own),), {"test_rotation": print})
    assert heir.test_r99_ours


def test_a_class_without_a_simulator_learns_what_it_needs():
    """The message names the fixture."""
    fixture = BackendContract.simulator
    with pytest.raises(NotImplementedError, match="BackendContract needs a fixture `simulator`"):
        next(fixture.__wrapped__(BackendContract()))


class Clumsy(HttpReference):
    """Its reading trips over every answer."""

    def parse(self, call, reply):
        return reply.json()["confidence"]


def test_an_author_sees_what_the_own_code_raised(capsys):
    """The core's error says only where; pytest shows what is printed where a rule has failed."""
    with HttpReferenceSimulator(Clumsy) as simulator:
        fixture = BackendContract.bench.__wrapped__(BackendContract(), simulator)
        with pytest.raises(UnexpectedResponse):
            BackendContract().test_r06_verdicts_are_not_swapped(next(fixture))
        next(fixture, None)
    told = f"The backend's own code raised KeyError: 'confidence' ({Path(__file__).name}, line "
    assert told in capsys.readouterr().out


def run(code):
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CORE.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_the_core_needs_no_pytest():
    """`import facematch_core` loads neither pytest nor the kit."""
    code = (
        "import sys, facematch_core, facematch_core.http\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('pytest', '_pytest')"
        " or m.startswith('facematch_core.testing')])"
    )
    assert run(code) == "[]"


def test_without_pytest_it_says_what_to_install():
    """One line, and it is the command."""
    code = (
        "import sys\n"
        "sys.modules['pytest'] = None\n"
        "try:\n"
        "    import facematch_core.testing\n"
        "except ImportError as error:\n"
        "    print(error, type(error).__name__, error.__cause__, error.__suppress_context__)"
    )
    command = 'pip install "facematch-core[testing]"'
    assert run(code) == (
        f"facematch_core.testing needs pytest: install it with `{command}`. ImportError None True"
    )
