"""A call that is several requests: faults at each of them, charges that are numbers."""

import pytest
from mutants.reference import StepsSimulator

from facematch_core import Charged, Operation, RateLimited
from facematch_core.testing import Situation
from facematch_core.testing.bench import Bench
from facematch_core.testing.conformance import run_rules


@pytest.mark.parametrize(
    ("step", "charged", "charges"), [(1, Charged.NO, 0), (2, Charged.YES, 1), (3, Charged.YES, 2)]
)
def test_what_an_honest_backend_says_of_a_busy_vendor(step, charged, charges):
    """Throttled after two charges is charged, and nobody is punished for saying so."""
    with StepsSimulator() as simulator:
        bench = Bench(simulator)
        outcome = bench.ask(Operation.MATCH, Situation.THROTTLED, step=step)
        assert isinstance(outcome.error, RateLimited)
        billing = outcome.error.billing
        assert (billing.charged, billing.charges) == (charged, charges)
        assert (outcome.requests, outcome.charges) == (step, charges)
        assert outcome.error.retryable == (charges == 0)
        bench.close()


def test_a_simulator_that_does_not_tell_of_its_steps_is_told():
    """Three requests are no repeat, if the author says that each of them is needed."""

    class Silent(StepsSimulator):
        steps = 1

    reasons = {case.reason for case in run_rules(Silent, rules={"R18"})}
    assert any("the simulator says so in `steps`" in reason for reason in reasons)
