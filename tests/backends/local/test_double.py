"""The double of `local`: one engine for all, counted, with photographs that decide."""

from facematch_core import FaceVerifier, WarningCode
from facematch_core.testing import Situation
from facematch_local import _double
from facematch_local._double import LocalDouble


def test_every_situation_is_met_or_has_a_reason():
    """Nothing is left open: what an engine cannot meet is said, in a sentence."""
    assert LocalDouble.situations | set(LocalDouble.absent) == set(Situation)
    assert not LocalDouble.situations & set(LocalDouble.absent)
    assert all(reason.endswith(".") for reason in LocalDouble.absent.values())


def test_calls_are_counted_and_cost_nothing():
    """One for each comparison, of each double its own."""
    with LocalDouble() as double, LocalDouble() as other:
        for _ in range(2):
            with FaceVerifier(double.backend()) as verifier:
                assert verifier.verify(*double.pictures()).is_match
        assert (double.requests_seen, double.charges, other.requests_seen) == (2, 0, 0)


def test_it_tells_what_the_engine_was_given():
    """Each picture in its place, as it was prepared, in every call."""
    with LocalDouble() as double, FaceVerifier(double.backend()) as verifier:
        assert double.received == {}
        probe, reference = double.pictures()
        for first, second, rotate in ((probe, reference, False), (reference, probe, True)):
            verifier.verify(first, second, rotate=rotate)
            assert double.received == {
                "probe": first.prepared().data,
                "reference": second.prepared().data,
                "rotate": rotate,
            }


def test_one_engine_outlives_every_backend():
    """Loading takes half a second: it is done once for the process."""
    with LocalDouble() as double:
        with FaceVerifier(double.backend()) as verifier:
            verifier.verify(*double.pictures())
        loaded = _double._engine()._loaded_here.parts
        assert loaded is not None
        with FaceVerifier(double.backend()) as verifier:
            verifier.verify(*double.pictures())
        assert _double._engine()._loaded_here.parts is loaded


def test_settings_go_over_its_own():
    """By default no picture is remembered, so that each one reaches the engine."""
    with LocalDouble() as double:
        assert double.backend().cached_pictures == 0
        assert double.backend(cached_pictures=7).cached_pictures == 7


def test_the_photographs_show_what_they_should():
    """The same person short of the very top of the scale, and the right one of two faces."""
    with LocalDouble() as double, FaceVerifier(double.backend()) as verifier:

        def result(situation, **options):
            return verifier.verify(*double.pictures_for(situation), **options)

        assert 80 < result(Situation.SAME_PERSON).score.value < 98
        assert result(Situation.DIFFERENT_PEOPLE).score.value < 40
        assert result(Situation.NO_FACE).score is None
        two = result(Situation.TWO_FACES)
        assert two.is_match
        assert {warning.code for warning in two.warnings} == {WarningCode.MULTIPLE_FACES}
        assert result(Situation.TURNED).score is None
        assert result(Situation.TURNED, rotate=True).is_match
