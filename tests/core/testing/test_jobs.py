"""A vendor that answers later, with the frame of a scripted HTTP vendor."""

import itertools
from typing import ClassVar

import attrs
import pytest

from facematch_core import (
    Charged,
    DeadlineExceeded,
    Decision,
    MatchResult,
    Operation,
    OutcomeUnknown,
    RateLimited,
    ScaleSource,
    Score,
    VendorUnavailable,
)
from facematch_core.backend import Capabilities, decide_by_threshold
from facematch_core.http import ApiKeyBackend, HttpRequest, Wait
from facematch_core.testing import HttpSimulator, SimulatorReply, Situation, Status
from facematch_core.testing.bench import Bench
from facematch_core.testing.conformance import run_rules

KEY = "later-key-8f14e45fceea"
MATCH = Operation.MATCH


@attrs.define(kw_only=True, eq=False, slots=False)
class Later(ApiKeyBackend):
    """Takes a job, and asks about it every two seconds."""

    name = "later"
    request_id_header = "Location"
    capabilities = Capabilities(
        default_threshold=50.0, score_scale="later/match", billed_operations=frozenset({MATCH})
    )
    allowed_hosts: ClassVar = frozenset({"api.later.example"})
    base_url: str = "https://api.later.example"

    def request(self, path, **more):
        return HttpRequest(
            url=f"{self.address}/{path}", headers={"X-Api-Key": self.api_key}, **more
        )

    def steps(self, call):
        accepted = yield self.request("jobs", body=call.probe.data, expects={202})
        job = accepted.headers["Location"]
        while True:
            yield Wait(2)
            try:
                poll = self.request(job, method="GET", charges=0, on_refusal="raise")
                body = (yield poll).json()
            except (RateLimited, VendorUnavailable, OutcomeUnknown):
                continue
            if body["state"] == "done":
                score = Score(body["score"], "later/match", source=ScaleSource.DOCUMENTED)
                return MatchResult(
                    decision=decide_by_threshold(score, call.threshold),
                    score=score,
                    threshold=call.threshold,
                    backend=self.name,
                )


class Jobs(HttpSimulator):
    """All that is to be written: the first poll finds every job running."""

    situations = HttpSimulator.FAULTS | {
        *(Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE, Situation.SCORE),
        *(Situation.BAD_KEY, Situation.THROTTLED, Situation.OUTAGE),
        *(Situation.UNREADABLE_200, Situation.NEVER_DONE),
    }
    refusals: ClassVar = {
        Situation.BAD_KEY: 401,
        Situation.THROTTLED: 429,
        Situation.OUTAGE: 503,
    }
    steps = 3
    secrets = (KEY,)

    def __init__(self):
        super().__init__()
        self._numbers = itertools.count(1)
        self.polls = {}

    def backend(self, **settings):
        return Later(**{"api_key": KEY, "base_url": self.url, **settings})

    def answer(self, request, situation, score):
        if situation in self.refusals:
            return SimulatorReply(status=self.refusals[situation], body={})
        if situation is Situation.UNREADABLE_200:
            charged = request.method == "POST"
            return SimulatorReply(status=202 if charged else 200, body=b"?", charged=charged)
        if request.method == "POST":
            job = f"jobs/{next(self._numbers)}"
            self.polls[job] = 0
            return SimulatorReply(status=202, body={}, headers={"Location": job}, charged=True)
        job = request.path.strip("/")
        self.polls[job] += 1
        if situation is Situation.NEVER_DONE or self.polls[job] < 2:
            return SimulatorReply(body={"state": "running"}, charged=False)
        usual = 7.0 if situation is Situation.DIFFERENT_PEOPLE else 93.5
        body = {"state": "done", "score": usual if score is None else score}
        return SimulatorReply(body=body, charged=False)


@pytest.fixture
def bench():
    with Jobs() as simulator:
        bench = Bench(simulator)
        yield bench
        bench.close()


@pytest.mark.long
def test_it_keeps_every_rule_that_it_can_be_asked_about():
    """No situation is missing without which its jobs, its money and its time are not judged."""
    cases = run_rules(Jobs)
    assert [case for case in cases if case.status is Status.FAILED] == []
    kept = {case.rule for case in cases if case.status is Status.PASSED}
    assert kept >= {"R01", "R16", "R17", "R18", "R19", "R28", "R38"}


def test_a_job_costs_no_time_and_has_its_own_answer(bench):
    """The waits are those of the backend, and nobody waits for them."""
    outcome = bench.ask(MATCH, Situation.SAME_PERSON)
    assert outcome.answer.decision is Decision.MATCH
    assert (outcome.requests, outcome.charges) == (Jobs.steps, 1)
    assert outcome.answer.billing.charges == 1
    assert bench.waits == (2, 2)
    assert outcome.answer.elapsed_s >= 4
    other = bench.ask(MATCH, Situation.SCORE, score=61.5).answer
    assert other.score.value == 61.5
    assert other.ids.vendor != outcome.answer.ids.vendor


@pytest.mark.parametrize("fault", [Situation.THROTTLED, Situation.OUTAGE, Situation.LOST_ANSWER])
@pytest.mark.parametrize("step", [2, 3])
def test_a_poll_that_meets_a_fault_is_made_again(bench, fault, step):
    """The fault strikes at one request, and the job goes on behind it."""
    outcome = bench.ask(MATCH, fault, step=step)
    assert outcome.answer.decision is Decision.MATCH
    assert Jobs.steps <= outcome.requests <= Jobs.steps + 1
    assert outcome.charges == 1


def test_the_first_request_is_charged_whatever_becomes_of_its_answer(bench):
    """A job may run of which nobody heard."""
    outcome = bench.ask(MATCH, Situation.LOST_ANSWER, step=1)
    assert type(outcome.error) is OutcomeUnknown
    assert (outcome.requests, outcome.charges) == (1, 1)


def test_a_job_that_never_ends_is_given_up(bench):
    """At the deadline, or after the longest time of a call; without a real wait."""
    for deadline_s in (10.0, None):
        outcome = bench.ask(MATCH, Situation.NEVER_DONE, deadline_s=deadline_s)
        assert type(outcome.error) is DeadlineExceeded
        assert outcome.error.billing.charged is Charged.YES
        assert outcome.charges == 1
        assert sum(bench.waits) <= (deadline_s or bench.backend.call_timeout_s)


def test_the_requests_of_a_good_call_are_known(bench):
    """Which of them are free, and which may be refused."""
    requests = bench.requests(MATCH)
    assert [one.charges for one in requests] == [1, 0, 0]
    assert [one.on_refusal for one in requests] == ["end", "raise", "raise"]
    asked = bench.simulator.requests_seen
    assert bench.requests(MATCH) == requests
    assert bench.simulator.requests_seen == asked


def test_what_is_answered_is_overheard(bench):
    """With what is charged by then; the pictures are in the last request that had a body."""
    with bench.overheard() as heard:
        bench.ask_directly(MATCH, Situation.SAME_PERSON)
    assert [(reply.status, charges) for reply, charges in heard] == [(202, 1), (200, 1), (200, 1)]
    bench.ask_directly(MATCH, Situation.SAME_PERSON)
    assert len(heard) == 3
    assert bench.simulator.last.body == bench.simulator.pictures_for(Situation.SAME_PERSON)[0].data
