import json
import logging
import sys
import threading

import pytest
from kit.plugins import Site
from mutants.reference import HttpReference, ReferenceBackend, ReferenceSimulator
from mutants.table import MUTANTS

from facematch_core import BackendUnavailable, ConfigurationError, __version__
from facematch_core.config.plugins import BACKENDS
from facematch_core.testing import ManualClock, conformance, rules
from facematch_core.testing.conformance import GROUP, simulator_of
from facematch_core.testing.contract import answers
from facematch_core.testing.report import Status

#: Backends and simulators, as a stranger's distribution brings them.
SIMULATOR_CODE = """
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


@pytest.fixture
def site(tmp_path, monkeypatch):
    return Site(tmp_path, monkeypatch)


@pytest.fixture
def few(monkeypatch):
    some = [rule for rule in rules() if rule.number in ("R06", "R07", "R16")]
    monkeypatch.setattr(MODULE, "all_rules", lambda: some)


def numbers(report, *statuses):
    return {rule.number for status in statuses for rule in report.of(status)}


def test_an_installed_backend_with_its_simulator(site):
    points = [(BACKENDS, "near", "Near"), (GROUP, "near", "NearSimulator")]
    site.add("facematch-near", points, SIMULATOR_CODE, version="2.1")
    report = conformance("near")
    assert report.verdict == "conforms"
    backend = report.backend, report.distribution, report.version
    assert backend == ("near", "facematch-near", "2.1")
    simulator = report.simulator, report.simulator_distribution, report.simulator_version
    assert simulator == ("NearSimulator", "facematch-near", "2.1")
    assert report.core_version == __version__
    assert [rule.number for rule in report.rules] == [rule.number for rule in rules()]
    assert not numbers(report, Status.OPEN, Status.FAILED)
    assert all(line.proved for line in report.capabilities)


def test_without_a_simulator_there_is_nothing_to_check(site):
    site.add("facematch-made", [BACKEND], SIMULATOR_CODE)
    with pytest.raises(BackendUnavailable, match=rf"of made: .* {GROUP}.* docs/extend/.*\.md"):
        conformance("made")


@pytest.mark.usefixtures("few")
def test_a_plug_in_that_logs_is_not_heard(monkeypatch, capfd):
    """`logging.warning` gives a root without a handler one of its own, which would stay."""

    def simulator():
        logging.warning("opened")  # noqa: LOG015 - as plug-ins do
        return ReferenceSimulator()

    monkeypatch.setattr(logging.root, "handlers", [])
    assert conformance(ReferenceBackend, simulator=simulator).verdict != "fails"
    assert logging.root.handlers == []
    assert "opened" not in capfd.readouterr().err


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", ["AtLeastForAbove", "MismatchesAreFree"])
def test_in_ones_own_tests_nothing_is_installed(name):
    mutant = MUTANTS[name]
    report = conformance(mutant.backend, simulator=lambda: ReferenceSimulator(mutant.backend))
    assert report.verdict == "fails"
    assert (report.distribution, report.simulator_distribution) == (None, None)
    assert numbers(report, Status.FAILED) == {mutant.rule}
    assert all(rule.reasons for rule in report.of(Status.FAILED))


@pytest.mark.usefixtures("few")
def test_settings_go_over_those_of_the_simulator():
    class Simulator(ReferenceSimulator):
        secrets = ("another-key-5510",)

    key = {"key": "another-key-5510"}
    report = conformance(ReferenceBackend, simulator=Simulator, settings=key)
    assert not numbers(report, Status.FAILED)
    assert report.settings == ("key",)
    assert "another-key-5510" not in json.dumps(report.to_dict())


@pytest.mark.parametrize("simulator", ["Dead", "Other", "HttpReference", "Missing"])
def test_a_simulator_that_cannot_be_used_is_named_with_its_distribution(site, simulator):
    site.add("facematch-made", [BACKEND, (GROUP, "made", simulator)], SIMULATOR_CODE)
    with pytest.raises(BackendUnavailable, match=r"of facematch-made|no Made"):
        conformance("made")


def test_what_cannot_be_tried():
    with pytest.raises(BackendUnavailable):
        conformance(ReferenceBackend, simulator=ReferenceSimulator, settings={"colour": "red"})
    with pytest.raises(BackendUnavailable):
        conformance("didid")
    with pytest.raises(ConfigurationError):
        conformance(HttpReference(api_key="reference-key-1234"))


def test_what_does_not_open_is_given_up(monkeypatch):
    """Nobody waits for ever for a broken plug-in."""
    ended = threading.Event()
    monkeypatch.setattr(MODULE, "RUN_S", 0.2)

    class Stuck(ReferenceSimulator):
        def backend(self, **settings):
            ended.wait(30)

    with pytest.raises(BackendUnavailable, match=r"Stuck .*0\.2 s"):
        conformance(ReferenceBackend, simulator=Stuck)
    ended.set()


class Sleepy(ReferenceBackend):
    """Takes its time, the first of each operation or all of them, on a clock that tests move."""

    clock = ManualClock()
    always = True

    def exchange(self, call):
        if self.always or call.operation not in self.loads:
            self.clock.advance(5)
        self.loads.add(call.operation)
        return super().exchange(call)


@pytest.mark.parametrize("always", [True, False])
def test_calls_that_take_their_time_end_the_run(monkeypatch, always):
    """A contract of hundreds of them would take half an hour; the first may load an engine."""
    backend = type("Sleeps", (Sleepy,), {"always": always, "loads": set()})
    monkeypatch.setattr(answers, "time", Sleepy.clock)
    first = [rule for rule in rules() if rule.number in ("R31", "R51", "R07")]
    monkeypatch.setattr(MODULE, "all_rules", lambda: first)
    report = conformance(backend, simulator=lambda: ReferenceSimulator(backend))
    statuses = {rule.number: rule.status for rule in report.rules}
    if not always:
        assert set(statuses.values()) == {Status.PASSED}
        return
    assert report.verdict == "fails"
    assert statuses == {"R31": "passed", "R51": "failed", "R07": "not_judged"}
    [line] = report.of("failed")
    assert line.reasons[0].startswith("a good match call took 5.")
    assert not any(line.proved for line in report.capabilities)


# --- The simulator of an installed backend --------------------------------------------------------


def test_whose_simulator_is_played(site):
    """A report must say so: no stranger plays for ours, and of two neither is imported."""
    source = "from mutants.reference import ReferenceSimulator as Made"
    for name in ("azure", "compreface", "deepvue", "didit", "local", "rekognition"):
        assert simulator_of(name).distribution == "facematch-core"
    assert simulator_of("made") is None
    evil = site.add("evil-simulator", [(GROUP, "local", "Made")], source)
    assert simulator_of("local").distribution == "facematch-core"
    two = [site.add(f"{who}-made", [(GROUP, "made", "Made")], source) for who in ("first", "last")]
    with pytest.raises(BackendUnavailable, match="first-made and last-made"):
        simulator_of("made")
    assert not {evil, *two} & set(sys.modules)
