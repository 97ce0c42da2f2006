"""The rules about series of calls: what they need, and what they tell an author."""

import pytest
from mutants.reference import ReferenceBackend, ReferenceSimulator, can

from facematch_core import Decision, FaceVerifier, Operation, RateLimited
from facematch_core.testing import BackendContract, Situation
from facematch_core.testing.bench import MIDDLE, Bench, Script


@pytest.fixture
def bench():
    """Over the backend that keeps every rule."""
    opened = Bench(ReferenceSimulator())
    yield opened
    opened.close()


def test_a_script_is_played_call_by_call(bench):
    """Each call meets its own situation, and SCORE has the score of the kit."""
    script = Script(bench)
    script.play([Situation.SAME_PERSON, Situation.THROTTLED, Situation.SCORE])
    verifier = bench.open_verifier(on_event=script)
    pictures = bench.simulator.pictures()
    assert verifier.verify(*pictures).is_match
    with pytest.raises(RateLimited):
        verifier.verify(*pictures)
    assert verifier.verify(*pictures).score.value == MIDDLE
    script.check()


def test_a_simulator_that_fails_is_heard(bench, caplog):
    """A verifier logs what its hook raises and goes on; the rule must not go on with it."""
    script = Script(bench)
    script.play([])
    verifier = bench.open_verifier(on_event=script)
    bench.simulator.set_situation(Situation.SAME_PERSON)
    assert verifier.verify(*bench.simulator.pictures()).is_match
    with pytest.raises(StopIteration):
        script.check()
    assert not caplog.records


@pytest.mark.parametrize("operation", [Operation.MATCH, Operation.LIVENESS])
def test_both_calls_are_needed(operation):
    """Half of a question is not asked."""

    class Half(ReferenceBackend):
        capabilities = can(operations=frozenset({operation}))

    missing = ({Operation.MATCH, Operation.LIVENESS} - {operation}).pop()
    bench = Bench(ReferenceSimulator(Half))
    with pytest.raises(
        pytest.skip.Exception, match=f"Does not apply: reference declares no {missing} call."
    ):
        BackendContract().test_r33_check_and_comparison_together(bench)
    if operation is Operation.LIVENESS:
        with pytest.raises(pytest.skip.Exception, match="reference declares no match call"):
            BackendContract().test_r34_many_pairs_in_their_order(bench)


def test_a_simulator_whose_person_is_a_photograph_is_told():
    """Somebody has to be live and the same, or nobody could be verified."""

    class Strict(ReferenceSimulator):
        def set_situation(self, situation, *, score=None, step=None):
            super().set_situation(situation, score=score, step=step)
            if situation is Situation.SAME_PERSON:
                super().set_situation(Situation.SPOOF)

    with pytest.raises(AssertionError, match="SAME_PERSON has to pass a check, too"):
        BackendContract().test_r33_check_and_comparison_together(Bench(Strict()))


def test_pictures_decide_at_the_reference_too(bench):
    """A pair of strangers among others is told apart, so that R34 sees whose answer is whose."""
    bench.simulator.set_situation(Situation.SAME_PERSON)
    verifier = FaceVerifier(bench.backend)
    strangers = bench.simulator.pictures_for(Situation.DIFFERENT_PEOPLE)
    pairs = [bench.simulator.pictures(), strangers, bench.simulator.pictures()]
    decisions = [outcome.decision for outcome in verifier.verify_many(pairs)]
    assert decisions == [Decision.MATCH, Decision.NO_MATCH, Decision.MATCH]
