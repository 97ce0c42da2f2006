"""The simulator of `local`: one engine for all, counted, with photographs that decide."""

from facematch_core import FaceVerifier, WarningCode
from facematch_core.testing import Situation
from facematch_local import _simulator
from facematch_local._simulator import LocalSimulator


def test_every_situation_is_met_or_has_a_reason():
    """Nothing is left open: what an engine cannot meet is said, in a sentence."""
    assert LocalSimulator.situations | set(LocalSimulator.cannot_happen) == set(Situation)
    assert not LocalSimulator.situations & set(LocalSimulator.cannot_happen)
    assert all(reason.endswith(".") for reason in LocalSimulator.cannot_happen.values())


def test_calls_are_counted_and_cost_nothing():
    """One for each comparison, of each simulator its own."""
    with LocalSimulator() as simulator, LocalSimulator() as other:
        for _ in range(2):
            with FaceVerifier(simulator.backend()) as verifier:
                assert verifier.verify(*simulator.pictures_for(Situation.SAME_PERSON)).is_match
        assert (simulator.requests_seen, simulator.charges, other.requests_seen) == (2, 0, 0)


def test_it_tells_what_the_engine_was_given():
    """Each picture in its place, as it was prepared, in every call."""
    with LocalSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        assert simulator.received == {}
        probe, reference = simulator.pictures_for(Situation.SAME_PERSON)
        for first, second in ((probe, reference), (reference, probe)):
            verifier.verify(first, second)
            assert simulator.received == {
                "probe": first.prepared().data,
                "reference": second.prepared().data,
            }


def test_one_engine_outlives_every_backend():
    """Loading takes half a second: it is done once for the process."""
    with LocalSimulator() as simulator:
        with FaceVerifier(simulator.backend()) as verifier:
            verifier.verify(*simulator.pictures_for(Situation.SAME_PERSON))
        loaded = _simulator._engine()._loaded_here.parts
        assert loaded is not None
        with FaceVerifier(simulator.backend()) as verifier:
            verifier.verify(*simulator.pictures_for(Situation.SAME_PERSON))
        assert _simulator._engine()._loaded_here.parts is loaded


def test_settings_go_over_its_own():
    """By default no picture is remembered, so that each one reaches the engine."""
    with LocalSimulator() as simulator:
        assert simulator.backend().cached_pictures == 0
        assert simulator.backend(cached_pictures=7).cached_pictures == 7


def test_the_photographs_show_what_they_should():
    """The same person short of the very top of the scale, and the right one of two faces."""
    with LocalSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:

        def result(situation, **options):
            return verifier.verify(*simulator.pictures_for(situation), **options)

        assert 80 < result(Situation.SAME_PERSON).score.value < 98
        assert result(Situation.DIFFERENT_PEOPLE).score.value < 40
        assert result(Situation.NO_FACE).score is None
        two = result(Situation.TWO_FACES)
        assert two.is_match
        assert {warning.code for warning in two.warnings} == {WarningCode.MULTIPLE_FACES}
        assert result(Situation.TURNED).score is None
        assert result(Situation.TURNED, rotate=True).is_match
