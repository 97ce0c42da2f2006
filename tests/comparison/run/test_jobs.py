"""A run asks again for paid calls whose vendor answers later, and pays for none twice."""

import pytest
from kit.comparison.studies import pair_states, run_once, stored_system
from mutants.reference import JobSimulator

from facematch_comparison.run import PairState
from facematch_core import Charged, FaceVerifier
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_core.testing import Situation


@pytest.fixture
def vendor():
    with JobSimulator() as simulator:
        yield simulator


@pytest.fixture
def slow(vendor, clock, address):
    vendor.set_situation(Situation.NEVER_DONE)
    store = SqlStore(address)
    budget = Budget(100, name="jobs", store=store)

    def opened(on_event):
        more = {"clock": clock, "deadline_s": 5, "policies": [budget]}
        return FaceVerifier(vendor.backend(), on_event=on_event, **more)

    yield opened
    store.close()


def test_a_paid_job_is_asked_for_by_the_next_start(  # noqa: PLR0917 - fixtures
    database, study, clock, vendor, slow, address
):
    summary = run_once(database, study, slow, clock=clock)
    assert summary.progress.states == {PairState.NO_RESPONSE: 6}
    assert (vendor.charges, summary.progress.charged) == (6, 6)
    charges = database.unresolved(stored_system(database))
    assert len({charge.call.vendor_id for charge in charges} - {None}) == 6
    assert not any(charge.call.kept for charge in charges)
    vendor.set_situation(Situation.SAME_PERSON)
    again = run_once(database, study, slow, clock=clock)
    assert (again.asked, vendor.charges) == (0, 6)
    assert pair_states(database) == ["answered"] * 6
    assert (again.progress.charged, again.progress.maybe_charged) == (6, 0)
    books = SqlStore(address)
    (budget,) = books.budgets()
    assert (budget.spent, budget.reserved, budget.unknown) == (6, 0, 0)
    books.close()


def test_a_job_that_is_done_when_the_run_ends_is_answered_by_it(
    database, study, clock, vendor, slow
):

    def done_by_now(_name, _state):
        vendor.set_situation(Situation.SAME_PERSON)

    summary = run_once(database, study, slow, clock=clock, progress=done_by_now)
    assert summary.progress.states == {PairState.ANSWERED: 6}
    assert vendor.charges == 6


def test_a_job_whose_id_was_never_said_is_not_asked_for(database, study, clock, vendor, slow):
    vendor.set_situation(Situation.LOST_ANSWER, step=1)
    summary = run_once(database, study, slow, clock=clock)
    assert summary.progress.states == {PairState.ANSWERED: 5, PairState.UNRESOLVED: 1}
    assert (summary.progress.charged, summary.progress.maybe_charged) == (5, 1)
    seen = vendor.requests_seen
    run_once(database, study, slow, clock=clock)
    assert vendor.requests_seen == seen
    (charge,) = database.unresolved(stored_system(database))
    assert charge.call.vendor_id is None
    assert database.resolve(charge.system, charge.call.id, Charged.NO)
    assert run_once(database, study, slow, clock=clock).progress.states == {PairState.ANSWERED: 6}
