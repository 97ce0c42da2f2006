"""From a backend's name, or its class, to its card."""

import json
import subprocess
import sys

import pytest
from kit.plugins import Site
from mutants.reference import HttpReference, ReferenceBackend, ReferenceSimulator
from mutants.table import MUTANTS

from facematch_core import (
    BackendUnavailable,
    ConfigurationError,
    __version__,
)
from facematch_core.plugins import BACKENDS
from facematch_core.testing import Situation, conformance, rules
from facematch_core.testing.report import Status
from facematch_core.testing.running import GROUP as SIMULATORS
from facematch_core.testing.running import NO_SIMULATOR

#: A backend and its simulator, as a stranger's distribution brings them.
MADE = """
    from mutants.reference import ReferenceSimulator
    from mutants.reference import HttpReference, PromptSimulator

    class Made(HttpReference):
        name = "made"

    class Simulator(PromptSimulator):
        def __init__(self):
            super().__init__(Made)

    class Other(ReferenceSimulator):
        pass

    class Dead(Simulator):
        def __enter__(self):
            raise OSError("no port is free")
"""
ALL = {rule.number for rule in rules()}
PURE = {rule.number for rule in rules() if rule.pure}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of plug-ins."""
    return Site(tmp_path, monkeypatch)


def numbers(card, *statuses):
    """The rules of some statuses."""
    return {rule.number for status in statuses for rule in card.of(status)}


def test_an_installed_backend_with_its_simulator(site):
    """The card says who was tried with whom, under which rules."""
    points = [(BACKENDS, "made", "Made"), (SIMULATORS, "made", "Simulator")]
    site.add("facematch-made", points, MADE, version="2.1")
    card = conformance("made")
    assert card.verdict == "conforms"
    assert (card.backend, card.distribution, card.version) == ("made", "facematch-made", "2.1")
    assert (card.simulator, card.simulator_distribution, card.simulator_version) == (
        "Simulator",
        "facematch-made",
        "2.1",
    )
    assert card.core_version == __version__
    assert [rule.number for rule in card.rules] == sorted(ALL)
    assert not numbers(card, Status.OPEN, Status.FAILED)
    assert {line.name for line in card.capabilities if not line.proved} == set()


def test_without_a_simulator(site):
    """Only the pure rules are run, over placeholders; of all others the card says why not."""
    site.add("facematch-made", [(BACKENDS, "made", "Made")], MADE)
    card = conformance("made")
    assert card.verdict == "open"
    assert card.simulator is None
    assert numbers(card, Status.PASSED) == PURE
    open_ones = card.of(Status.OPEN)
    assert {rule.number for rule in open_ones} == ALL - PURE
    assert {rule.reasons for rule in open_ones} == {(NO_SIMULATOR,)}
    assert {rule.cases for rule in open_ones} == {0}
    assert not any(line.proved for line in card.capabilities)


def test_a_class_and_a_simulator_of_ones_own():
    """In one's own tests nothing needs to be installed."""
    card = conformance(ReferenceBackend, simulator=ReferenceSimulator)
    assert card.verdict == "conforms"
    assert (card.distribution, card.simulator_distribution, card.simulator) == (
        None,
        None,
        "ReferenceSimulator",
    )


@pytest.mark.parametrize("name", ["AtLeastForAbove", "EveryPassIsCertain"])
def test_a_fault_is_named(name):
    """By its rule, in the words of what was seen."""
    mutant = MUTANTS[name]

    class Simulator(ReferenceSimulator):
        def __init__(self):
            super().__init__(mutant.backend)

    card = conformance(mutant.backend, simulator=Simulator)
    assert card.verdict == "fails"
    assert mutant.rule in numbers(card, Status.FAILED)
    assert all(rule.reasons for rule in card.of(Status.FAILED))


def test_reasons_are_told_once_with_their_cases():
    """Not once for each of ten cases; and one open case leaves the rule open."""

    class Poor(ReferenceSimulator):
        situations = ReferenceSimulator.situations - {Situation.REJECTED, Situation.NO_CREDIT}

    class Tongue(ReferenceBackend):
        def refusal(self, status):
            raise KeyError("no such status")

    card = conformance(ReferenceBackend, simulator=Poor)
    told = {rule.number: rule for rule in card.rules}
    assert told["R17"].status is Status.OPEN
    assert told["R17"].reasons == (
        "no_credit: Poor cannot produce NO_CREDIT.",
        "rejected: Poor cannot produce REJECTED.",
    )
    assert (told["R17"].cases, told["R17"].passed) == (10, 8)

    class Simulator(Poor):
        def __init__(self):
            super().__init__(Tongue)

    told = {rule.number: rule for rule in conformance(Tongue, simulator=Simulator).rules}
    assert told["R17"].status is Status.FAILED
    assert told["R17"].reasons == (
        "bad_key, throttled, gateway_error, outage: KeyError: 'no such status'",
    )


def test_settings_go_over_those_of_the_simulator():
    """Their names stand on the card, their values nowhere."""

    class Simulator(ReferenceSimulator):
        secrets = ("another-key-5510",)

    card = conformance(ReferenceBackend, simulator=Simulator, settings={"key": "another-key-5510"})
    assert card.verdict == "conforms"
    assert card.settings == ("key",)
    assert "another-key-5510" not in json.dumps(card.to_dict())


def test_settings_without_a_simulator(site):
    """A needed setting that is no secret is asked for in a sentence."""
    source = (
        MADE
        + """
    import attrs

    @attrs.frozen(kw_only=True)
    class Region(HttpReference):
        name = "region"
        region: str
"""
    )
    site.add("facematch-region", [(BACKENDS, "region", "Region")], source)
    with pytest.raises(ConfigurationError, match="needs region"):
        conformance("region")
    assert conformance("region", settings={"region": "here"}).settings == ("region",)


@pytest.mark.parametrize(
    ("simulator", "says"),
    [
        ("Dead", r"simulator Dead of facematch-made cannot be used \(OSError: no port is free\)"),
        ("Other", r"it opens ReferenceBackend, which is no Made"),
    ],
)
def test_a_simulator_that_cannot_be_used(site, simulator, says):
    """One sentence, instead of a card on which every rule failed."""
    points = [(BACKENDS, "made", "Made"), (SIMULATORS, "made", simulator)]
    site.add("facematch-made", points, MADE)
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


def test_without_assertions_nothing_is_proved():
    """``python -O`` leaves them out: said, instead of rules that see nothing."""
    code = "from facematch_core.testing import conformance; conformance('local')"
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert "The rules are assertions, which Python leaves out with -O" in done.stderr
