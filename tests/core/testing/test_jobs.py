"""What the bench sees of a vendor that answers later."""

import pytest
from mutants.reference import JobSimulator

from facematch_core import Charged, DeadlineExceeded, Decision, Operation, OutcomeUnknown
from facematch_core.testing import Situation
from facematch_core.testing.bench import Bench

MATCH = Operation.MATCH


@pytest.fixture
def bench():
    with JobSimulator() as simulator:
        bench = Bench(simulator)
        yield bench
        bench.close()


def test_a_job_costs_no_time_and_has_its_own_answer(bench):
    """The waits are those of the backend, and nobody waits for them."""
    outcome = bench.ask(MATCH, Situation.SAME_PERSON)
    assert outcome.answer.decision is Decision.MATCH
    assert (outcome.requests, outcome.charges) == (JobSimulator.steps, 1)
    assert outcome.answer.billing.charges == 1
    assert bench.waits == (1, 1)
    assert outcome.answer.elapsed_s >= 2
    other = bench.ask(MATCH, Situation.SCORE, score=61.5).answer
    assert other.score.value == 61.5
    assert other.ids.vendor != outcome.answer.ids.vendor


def test_a_poll_that_meets_a_fault_is_made_again(bench):
    outcome = bench.ask(MATCH, Situation.OUTAGE, step=2)
    assert outcome.answer.decision is Decision.MATCH
    assert (outcome.requests, outcome.charges) == (JobSimulator.steps + 1, 1)


def test_the_first_request_is_charged_whatever_becomes_of_its_answer(bench):
    """A job may run of which nobody heard."""
    outcome = bench.ask(MATCH, Situation.LOST_ANSWER, step=1)
    assert type(outcome.error) is OutcomeUnknown
    assert (outcome.requests, outcome.charges) == (1, 1)


def test_a_job_that_never_ends_is_given_up_without_a_real_wait(bench):
    outcome = bench.ask(MATCH, Situation.NEVER_DONE, deadline_s=10.0)
    assert type(outcome.error) is DeadlineExceeded
    assert outcome.error.billing.charged is Charged.YES
    assert outcome.charges == 1
    assert sum(bench.waits) <= 10
