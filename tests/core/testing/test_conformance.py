"""From a backend's name, or its class, to its card."""

import json
import subprocess
import sys

import pytest
from plugins import Site

from facematch_core import (
    BackendUnavailable,
    ConfigurationError,
    __version__,
)
from facematch_core.plugins import BACKENDS
from facematch_core.testing import Situation, conformance, rules
from facematch_core.testing._conformance import NO_DOUBLE
from facematch_core.testing._doubles import GROUP as DOUBLES
from facematch_core.testing._running import Status
from facematch_core.testing._saboteurs import SABOTEURS, ParagonBackend, ParagonDouble
from facematch_core.testing._saboteurs._http_paragon import HttpParagon

#: A backend and its double, as a stranger's distribution brings them.
MADE = """
    from facematch_core.testing._saboteurs import ParagonDouble
    from facematch_core.testing._saboteurs._http_paragon import HttpParagon, HttpParagonDouble

    class Made(HttpParagon):
        name = "made"

    class Double(HttpParagonDouble):
        def __init__(self):
            super().__init__(Made)

    class Other(ParagonDouble):
        pass

    class Dead(Double):
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


def test_an_installed_backend_with_its_double(site):
    """The card says who was tried with whom, under which rules."""
    points = [(BACKENDS, "made", "Made"), (DOUBLES, "made", "Double")]
    site.add("facematch-made", points, MADE, version="2.1")
    card = conformance("made")
    assert card.verdict == "conforms"
    assert (card.backend, card.distribution, card.version) == ("made", "facematch-made", "2.1")
    assert (card.double, card.double_distribution, card.double_version) == (
        "Double",
        "facematch-made",
        "2.1",
    )
    assert card.core_version == __version__
    assert [rule.number for rule in card.rules] == sorted(ALL)
    assert not numbers(card, Status.OPEN, Status.FAILED)
    assert {line.name for line in card.capabilities if not line.proved} == set()


def test_without_a_double(site):
    """Only the pure rules are run, over placeholders; of all others the card says why not."""
    site.add("facematch-made", [(BACKENDS, "made", "Made")], MADE)
    card = conformance("made")
    assert card.verdict == "open"
    assert card.double is None
    assert numbers(card, Status.PASSED) == PURE
    open_ones = card.of(Status.OPEN)
    assert {rule.number for rule in open_ones} == ALL - PURE
    assert {rule.reasons for rule in open_ones} == {(NO_DOUBLE,)}
    assert {rule.cases for rule in open_ones} == {0}
    assert not any(line.proved for line in card.capabilities)


def test_a_class_and_a_double_of_ones_own():
    """In one's own tests nothing needs to be installed."""
    card = conformance(ParagonBackend, double=ParagonDouble)
    assert card.verdict == "conforms"
    assert (card.distribution, card.double_distribution, card.double) == (
        None,
        None,
        "ParagonDouble",
    )


@pytest.mark.parametrize("name", ["AtLeastForAbove", "EveryPassIsCertain"])
def test_a_fault_is_named(name):
    """By its rule, in the words of what was seen."""
    saboteur = SABOTEURS[name]

    class Double(ParagonDouble):
        def __init__(self):
            super().__init__(saboteur.backend)

    card = conformance(saboteur.backend, double=Double)
    assert card.verdict == "fails"
    assert saboteur.rule in numbers(card, Status.FAILED)
    assert all(rule.reasons for rule in card.of(Status.FAILED))


def test_reasons_are_told_once_with_their_cases():
    """Not once for each of ten cases; and one open case leaves the rule open."""

    class Poor(ParagonDouble):
        situations = ParagonDouble.situations - {Situation.REJECTED, Situation.NO_CREDIT}

    class Tongue(ParagonBackend):
        def refusal(self, status):
            raise KeyError("no such status")

    card = conformance(ParagonBackend, double=Poor)
    told = {rule.number: rule for rule in card.rules}
    assert told["R17"].status is Status.OPEN
    assert told["R17"].reasons == (
        "no_credit: Poor cannot produce NO_CREDIT.",
        "rejected: Poor cannot produce REJECTED.",
    )
    assert (told["R17"].cases, told["R17"].passed) == (10, 8)

    class Double(Poor):
        def __init__(self):
            super().__init__(Tongue)

    told = {rule.number: rule for rule in conformance(Tongue, double=Double).rules}
    assert told["R17"].status is Status.FAILED
    assert told["R17"].reasons == (
        "bad_key, throttled, gateway_error, outage: KeyError: 'no such status'",
    )


def test_settings_go_over_those_of_the_double():
    """Their names stand on the card, their values nowhere."""

    class Double(ParagonDouble):
        secrets = ("another-key-5510",)

    card = conformance(ParagonBackend, double=Double, settings={"key": "another-key-5510"})
    assert card.verdict == "conforms"
    assert card.settings == ("key",)
    assert "another-key-5510" not in json.dumps(card.to_dict())


def test_settings_without_a_double(site):
    """A needed setting that is no secret is asked for in a sentence."""
    source = (
        MADE
        + """
    import attrs

    @attrs.frozen(kw_only=True)
    class Region(HttpParagon):
        name = "region"
        region: str
"""
    )
    site.add("facematch-region", [(BACKENDS, "region", "Region")], source)
    with pytest.raises(ConfigurationError, match="needs region"):
        conformance("region")
    assert conformance("region", settings={"region": "here"}).settings == ("region",)


@pytest.mark.parametrize(
    ("double", "says"),
    [
        ("Dead", r"double Dead of facematch-made cannot be used \(OSError: no port is free\)"),
        ("Other", r"it opens ParagonBackend, which is no Made"),
    ],
)
def test_a_double_that_cannot_be_used(site, double, says):
    """One sentence, instead of a card on which every rule failed."""
    points = [(BACKENDS, "made", "Made"), (DOUBLES, "made", double)]
    site.add("facematch-made", points, MADE)
    with pytest.raises(BackendUnavailable, match=says):
        conformance("made")


def test_settings_that_the_backend_refuses():
    """Its own sentence is what people read."""
    with pytest.raises(BackendUnavailable, match=r"cannot be used \(TypeError: .*colour"):
        conformance(ParagonBackend, double=ParagonDouble, settings={"colour": "red"})


def test_what_is_no_backend():
    """An unknown name gets the usual hint, and an object is no class."""
    with pytest.raises(BackendUnavailable, match="did you mean didit"):
        conformance("didid")
    with pytest.raises(ConfigurationError, match=r"not HttpParagon: give it type\(backend\)"):
        conformance(HttpParagon(api_key="paragon-key-1234"))


def test_without_assertions_nothing_is_proved():
    """``python -O`` leaves them out: said, instead of rules that see nothing."""
    code = "from facematch_core.testing import conformance; conformance('local')"
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert "The rules are assertions, which Python leaves out with -O" in done.stderr
