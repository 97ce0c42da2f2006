"""Doubles of installed backends: found by metadata, with the care that backends get."""

import sys

import pytest
from kit.plugins import Site

from facematch_core import BackendUnavailable
from facematch_core.testing.running import GROUP, simulator_of

SIMULATOR = """
    from mutants.reference import ReferenceSimulator

    class Made(ReferenceSimulator):
        pass
"""
MADE = [(GROUP, "made", "Made")]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of plug-ins."""
    return Site(tmp_path, monkeypatch)


def test_a_simulator_is_found_with_its_distribution(site):
    """By the backend's name, whoever offers it."""
    site.add("facematch-made", MADE, SIMULATOR)
    found = simulator_of("made")
    assert (found.cls.__name__, found.distribution, found.version) == (
        "Made",
        "facematch-made",
        "1.0",
    )


def test_no_simulator_is_no_error():
    """Most backends have none at first."""
    assert simulator_of("made") is None


def test_our_three_backends_have_one():
    """They are what the reference shows."""
    for name in ("didit", "deepvue", "local"):
        assert simulator_of(name).distribution == "facematch-core"


def test_two_distributions_that_offer_one(site):
    """Neither is imported: a card must say whose simulator was played."""
    modules = [site.add("first-made", MADE, SIMULATOR), site.add("second-made", MADE, SIMULATOR)]
    with pytest.raises(BackendUnavailable, match="first-made and second-made"):
        simulator_of("made")
    assert not any(module in sys.modules for module in modules)


def test_a_stranger_cannot_play_for_ours(site):
    """A simulator that lets anything pass would give our backend a card that it has not earned."""
    module = site.add("evil-simulator", [(GROUP, "local", "Made")], SIMULATOR)
    assert simulator_of("local").distribution == "facematch-core"
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise RuntimeError('no licence')", "simulator made of facematch-made cannot be imported"),
        ("Made = 5", "no subclass of facematch_core.testing.VendorSimulator"),
        ("class Made: pass", "no subclass of facematch_core.testing.VendorSimulator"),
    ],
)
def test_what_is_no_simulator(site, source, says):
    """One sentence that names the distribution."""
    site.add("facematch-made", MADE, source)
    with pytest.raises(BackendUnavailable, match=says):
        simulator_of("made")
