"""From a backend's name, or its class, to its report."""

import json
import subprocess
import sys
import time
from typing import ClassVar

import attrs
import pytest
from kit.plugins import Site
from mutants.reference import HttpReference, ReferenceBackend, ReferenceSimulator
from mutants.table import MUTANTS

from facematch_core import BackendUnavailable, ConfigurationError, Secret, __version__
from facematch_core.backend import Backend
from facematch_core.plugins import BACKENDS
from facematch_core.testing import Situation, conformance, rules
from facematch_core.testing.conformance import GROUP, NO_SIMULATOR, Alone, simulator_of, too_slow
from facematch_core.testing.report import NO_RULE_RUN, Status

#: Backends and simulators, as a stranger's distribution brings them.
MADE = """
    from mutants.reference import HttpReference, ReferenceBackend, ReferenceSimulator

    class Made(HttpReference):
        name = "made"

    class Near(ReferenceBackend):
        name = "near"

    class NearSimulator(ReferenceSimulator):
        def __init__(self):
            super().__init__(Near)

    class Other(ReferenceSimulator):
        pass

    class Dead(ReferenceSimulator):
        def __enter__(self):
            raise OSError("no port is free")
"""
BACKEND = (BACKENDS, "made", "Made")
#: By its name stands the function in the package.
MODULE = sys.modules[conformance.__module__]
ALL = {rule.number for rule in rules()}
PURE = {rule.number for rule in rules() if rule.pure}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of plug-ins."""
    return Site(tmp_path, monkeypatch)


@pytest.fixture
def few(monkeypatch):
    """A contract of few rules, where it is not about them."""
    some = [rule for rule in rules() if rule.number in ("R06", "R07", "R16")]
    monkeypatch.setattr(MODULE, "all_rules", lambda: some)


def numbers(report, *statuses):
    """The rules of some statuses."""
    return {rule.number for status in statuses for rule in report.of(status)}


def test_an_installed_backend_with_its_simulator(site):
    """The report says who was tried with whom, under which rules."""
    points = [(BACKENDS, "near", "Near"), (GROUP, "near", "NearSimulator")]
    site.add("facematch-near", points, MADE, version="2.1")
    report = conformance("near")
    assert report.verdict == "conforms"
    backend = report.backend, report.distribution, report.version
    assert backend == ("near", "facematch-near", "2.1")
    simulator = report.simulator, report.simulator_distribution, report.simulator_version
    assert simulator == ("NearSimulator", "facematch-near", "2.1")
    assert report.core_version == __version__
    assert [rule.number for rule in report.rules] == sorted(ALL)
    assert not numbers(report, Status.OPEN, Status.FAILED)
    assert all(line.proved for line in report.capabilities)


def test_without_a_simulator(site):
    """Only the pure rules are run, over placeholders; of all others the report says why not."""
    site.add("facematch-made", [BACKEND], MADE)
    report = conformance("made")
    assert report.verdict == "open"
    assert report.simulator is None
    assert numbers(report, Status.PASSED) == PURE
    open_ones = report.of(Status.OPEN)
    assert {rule.number for rule in open_ones} == ALL - PURE
    assert {(rule.reasons, rule.cases) for rule in open_ones} == {((NO_SIMULATOR,), 0)}
    assert not any(line.proved for line in report.capabilities)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", ["AtLeastForAbove", "EverythingIsFree"])
def test_a_fault_is_named(name):
    """By its rule, in the words of what was seen; in one's own tests nothing is installed."""
    mutant = MUTANTS[name]

    class Simulator(ReferenceSimulator):
        def __init__(self):
            super().__init__(mutant.backend)

    report = conformance(mutant.backend, simulator=Simulator)
    assert report.verdict == "fails"
    assert (report.distribution, report.simulator_distribution) == (None, None)
    assert numbers(report, Status.FAILED) == {mutant.rule}
    assert all(rule.reasons for rule in report.of(Status.FAILED))


@pytest.mark.usefixtures("few")
def test_settings_go_over_those_of_the_simulator():
    """Their names stand in the report, their values nowhere."""

    class Simulator(ReferenceSimulator):
        secrets = ("another-key-5510",)

    given = {"key": "another-key-5510"}
    report = conformance(ReferenceBackend, simulator=Simulator, settings=given)
    assert not numbers(report, Status.FAILED)
    assert report.settings == ("key",)
    assert "another-key-5510" not in json.dumps(report.to_dict())


@pytest.mark.parametrize(
    ("simulator", "says"),
    [
        ("Dead", r"simulator Dead of facematch-made cannot be used \(OSError: no port is free\)"),
        ("Other", r"it opens ReferenceBackend, which is no Made"),
    ],
)
def test_a_simulator_that_cannot_be_used(site, simulator, says):
    """One sentence, instead of a report in which every rule failed."""
    site.add("facematch-made", [BACKEND, (GROUP, "made", simulator)], MADE)
    with pytest.raises(BackendUnavailable, match=says):
        conformance("made")


def test_settings_that_the_backend_refuses():
    """Its own sentence is what people read."""
    with pytest.raises(BackendUnavailable, match=r"cannot be used \(TypeError: .*colour"):
        conformance(ReferenceBackend, simulator=ReferenceSimulator, settings={"colour": "red"})


def test_what_is_no_backend():
    """An unknown name gets the usual hint, and an object is no class."""
    with pytest.raises(BackendUnavailable, match="did you mean didit"):
        conformance("didid")
    with pytest.raises(ConfigurationError, match=r"not HttpReference: give it type\(backend\)"):
        conformance(HttpReference(api_key="reference-key-1234"))


@pytest.mark.long
def test_without_assertions_nothing_is_proved():
    """``python -O`` leaves them out: said, instead of rules that see nothing."""
    code = "from facematch_core.testing import conformance; conformance('local')"
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert "The rules are assertions, which Python leaves out with -O" in done.stderr


class Sleepy(ReferenceBackend):
    """Sleeps by itself before it asks, where nobody can wake it."""

    loads: ClassVar = set()

    def exchange(self, call):
        if call.operation not in self.loads:
            time.sleep(0.05)
        return super().exchange(call)


class SleepySimulator(ReferenceSimulator):
    """Opens it."""

    def __init__(self, backend=Sleepy):
        super().__init__(backend)


def test_calls_that_take_their_time_end_the_run(monkeypatch):
    """In one sentence: a contract of hundreds of such calls would take half an hour."""
    monkeypatch.setattr(MODULE, "CALL_S", 0.02)
    report = conformance(Sleepy, simulator=SleepySimulator)
    assert report.verdict == "fails"
    assert {(rule.status, rule.passed) for rule in report.rules} == {(Status.FAILED, 0)}
    [reason] = {reason for rule in report.rules for reason in rule.reasons}
    assert reason.startswith(f"{NO_RULE_RUN}a good match call took 0.")
    assert not any(rule.is_of_the_backend for rule in report.rules)


def test_the_first_call_may_take_longer(monkeypatch):
    """It may load an engine."""
    monkeypatch.setattr(MODULE, "CALL_S", 0.02)

    class Loads(Sleepy):
        loads: ClassVar = set()

        def exchange(self, call):
            answer = super().exchange(call)
            self.loads.add(call.operation)
            return answer

    assert too_slow(lambda: SleepySimulator(Loads)) is None
    assert len(Loads.loads) == 2


# --- The simulator of an installed backend --------------------------------------------------------

SIMULATOR = "from mutants.reference import ReferenceSimulator as Made"
POINTS = [(GROUP, "made", "Made")]


def test_our_own_have_one():
    """They are what the reference shows; most others have none at first."""
    assert simulator_of("made") is None
    for name in ("azure", "compreface", "deepvue", "didit", "local", "rekognition"):
        assert simulator_of(name).distribution == "facematch-core"


def test_two_distributions_that_offer_one(site):
    """Neither is imported: a report must say whose simulator was played."""
    modules = [site.add(f"{who}-made", POINTS, SIMULATOR) for who in ("first", "second")]
    with pytest.raises(BackendUnavailable, match="first-made and second-made"):
        simulator_of("made")
    assert not any(module in sys.modules for module in modules)


def test_a_stranger_cannot_play_for_ours(site):
    """One that lets anything pass would give our backend a report that it has not earned."""
    module = site.add("evil-simulator", [(GROUP, "local", "Made")], SIMULATOR)
    assert simulator_of("local").distribution == "facematch-core"
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise RuntimeError('no licence')", "simulator made of facematch-made cannot be imported"),
        ("class Made: pass", "no subclass of facematch_core.testing.VendorSimulator"),
    ],
)
def test_what_is_no_simulator(site, source, says):
    """One sentence that names the distribution."""
    site.add("facematch-made", POINTS, source)
    with pytest.raises(BackendUnavailable, match=says):
        simulator_of("made")


# --- With nobody behind it ------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Keyed(Backend):
    """Two keys, one of which it can do without."""

    name = "keyed"
    environment_variables = {"key": "KEYED_KEY"}  # noqa: RUF012 - as short as a test may be

    key: Secret
    second: Secret | None = None

    def match(self, call):
        raise NotImplementedError


@attrs.frozen(kw_only=True)
class Regional(Keyed):
    """Needs something that means something."""

    region: str


def test_a_needed_secret_is_made_up(monkeypatch):
    """One that is long enough to be searched for; the environment's is not taken for a trial."""
    monkeypatch.setenv("KEYED_KEY", "a-real-key")
    simulator = Alone(Keyed)
    assert simulator.backend().second is None
    assert simulator.secrets == (simulator.backend().key.reveal(),)
    assert len(simulator.secrets[0]) > 12
    assert simulator.secrets[0] != "a-real-key"


def test_what_is_given_stays():
    """A text in the place of a key is one, too; what cannot be guessed is asked for by name."""
    backend = Alone(Regional, {"key": "a-given-key", "region": "north"}).backend()
    assert (backend.key, backend.region) == (Secret("a-given-key"), "north")
    with pytest.raises(ConfigurationError, match=r"keyed needs region, .* --set region=VALUE"):
        Alone(Regional)


def test_nobody_is_asked():
    """A rule that wants an answer, or sets a setting that is none, has come to the wrong place."""
    with pytest.raises(NotImplementedError, match="Nobody is behind keyed"):
        Alone(Keyed).set_situation(Situation.SAME_PERSON)
    with pytest.raises(TypeError, match="unexpected keyword argument 'odd'"):
        Alone(Keyed).backend(odd=1)
