import importlib
from pathlib import Path

import pytest
from kit.comparison.studies import pair_states, run_once, stored_system

from facematch_comparison.run import PairState
from facematch_core import Charged, FaceVerifier
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_core.testing import Situation

LATTERLY = Path(__file__).parents[3] / "docs" / "examples" / "latterly_backend" / "src"


@pytest.fixture
def latterly(monkeypatch):
    monkeypatch.syspath_prepend(LATTERLY)
    with importlib.import_module("facematch_latterly._simulator").LatterlySimulator() as simulator:
        yield simulator


@pytest.fixture
def slow(latterly, clock, address):
    latterly.set_situation(Situation.NEVER_DONE)
    store = SqlStore(address)
    budget = Budget(100, name="latterly", store=store)

    def opened(on_event):
        more = {"clock": clock, "deadline_s": 30, "policies": [budget]}
        return FaceVerifier(latterly.backend(), on_event=on_event, **more)

    yield opened
    store.close()


def test_a_paid_job_is_asked_for_by_the_next_start(  # noqa: PLR0917 - fixtures
    database, study, clock, latterly, slow, address
):
    summary = run_once(database, study, slow, clock=clock)
    assert summary.progress.states == {PairState.NO_RESPONSE: 6}
    assert (latterly.charges, summary.progress.charged) == (6, 6)
    left = database.unresolved(stored_system(database))
    assert {one.call.vendor_id for one in left} == {f"job_{n}" for n in range(1, 7)}
    assert not any(one.call.kept for one in left)
    latterly.set_situation(Situation.SAME_PERSON)
    again = run_once(database, study, slow, clock=clock)
    assert (again.asked, latterly.charges) == (0, 6)
    assert pair_states(database, stored_system(database)) == ["answered"] * 6
    assert (again.progress.charged, again.progress.maybe_charged) == (6, 0)
    books = SqlStore(address)
    (budget,) = books.budgets()
    assert (budget.spent, budget.reserved, budget.unknown) == (6, 0, 0)
    books.close()


def test_a_job_that_is_done_when_the_run_ends_is_answered_by_it(
    database, study, clock, latterly, slow
):

    def done_by_now(_name, _state):
        latterly.set_situation(Situation.SAME_PERSON)

    summary = run_once(database, study, slow, clock=clock, progress=done_by_now)
    assert summary.progress.states == {PairState.ANSWERED: 6}
    assert latterly.charges == 6


def test_a_job_whose_id_was_never_said_is_not_asked_for(database, study, clock, latterly, slow):
    latterly.set_situation(Situation.LOST_ANSWER, step=1)
    summary = run_once(database, study, slow, clock=clock)
    assert summary.progress.states == {PairState.ANSWERED: 5, PairState.UNRESOLVED: 1}
    assert (summary.progress.charged, summary.progress.maybe_charged) == (5, 1)
    seen = latterly.requests_seen
    run_once(database, study, slow, clock=clock)
    assert latterly.requests_seen == seen
    (left,) = database.unresolved(stored_system(database))
    assert left.call.vendor_id is None
    assert database.resolve(left.system, left.call.id, Charged.NO)
    assert run_once(database, study, slow, clock=clock).progress.states == {PairState.ANSWERED: 6}
