import pytest

from facematch_core import FaceVerifier, WarningCode
from facematch_core.testing import Situation
from facematch_local import _simulator


@pytest.fixture
def simulator():
    with _simulator.LocalSimulator() as opened:
        yield opened


def test_every_situation_is_met_or_has_a_reason():
    simulator = _simulator.LocalSimulator
    assert simulator.situations | set(simulator.cannot_happen) == set(Situation)
    assert not simulator.situations & set(simulator.cannot_happen)
    assert all(reason.endswith(".") for reason in simulator.cannot_happen.values())


def test_each_simulator_counts_its_own_calls_and_each_picture_reaches_the_engine(simulator):
    assert simulator.backend().cached_pictures == 0
    assert simulator.backend(cached_pictures=7).cached_pictures == 7
    with _simulator.LocalSimulator() as other, FaceVerifier(simulator.backend()) as verifier:
        assert verifier.verify(*simulator.pictures_for(Situation.SAME_PERSON)).is_match
        assert (simulator.requests_seen, simulator.charges, other.requests_seen) == (1, 0, 0)


def test_the_photographs_show_what_they_should(simulator):
    with FaceVerifier(simulator.backend(cached_pictures=9)) as verifier:

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
