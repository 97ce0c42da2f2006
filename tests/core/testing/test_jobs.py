"""What the bench sees of a vendor that answers later: nobody waits for its waits."""

import pytest
from mutants.reference import JobSimulator

from facematch_core import DeadlineExceeded, Decision, MatchResult, Operation, OutcomeUnknown
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
    outcome = bench.ask(MATCH, Situation.SAME_PERSON)
    assert outcome.answer.decision is Decision.MATCH
    assert (outcome.requests, outcome.charges) == (JobSimulator.steps, 1)
    assert outcome.answer.billing.charges == 1
    assert bench.waits == (1, 1)
    assert outcome.answer.elapsed_s >= 2
    other = bench.ask(MATCH, Situation.SCORE, score=61.5).answer
    assert other.score.value == 61.5
    assert other.ids.vendor != outcome.answer.ids.vendor


@pytest.mark.parametrize(
    ("situation", "how", "due", "requests"),
    [
        # A poll that meets a fault is made again; a job may run of which nobody heard.
        (Situation.OUTAGE, {"step": 2}, MatchResult, JobSimulator.steps + 1),
        (Situation.LOST_ANSWER, {"step": 1}, OutcomeUnknown, 1),
        (Situation.NEVER_DONE, {"deadline_s": 10.0}, DeadlineExceeded, 10),
    ],
)
def test_a_job_is_charged_once_whatever_becomes_of_it(bench, situation, how, due, requests):
    outcome = bench.ask(MATCH, situation, **how)
    assert type(outcome.error or outcome.result) is due
    assert (outcome.requests, outcome.charges) == (requests, 1)
    assert sum(bench.waits) <= 10
