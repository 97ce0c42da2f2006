import pytest
from kit.comparison.studies import (
    ask_pair,
    begin_pair,
    charged_answer,
    enter_system,
    fail_with,
    opener,
    pair_outcome,
    pair_states,
    run_once,
    write_study,
)
from kit.fakes import FakeBackend

from facematch_comparison.run import PairState, StudyRun, run_study
from facematch_core import Billing, Charged, Retry
from facematch_core.errors import BreakerOpen, ConfigurationError, RateLimited
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_core.testing import ManualClock

pytestmark = pytest.mark.usefixtures("in_file_order")

BUSY = "The store of calls failed (database is locked): try again."


def refused(step, *about):
    """A step out of another state, or of another call, is reported and changes nothing."""
    with pytest.raises(ConfigurationError, match="The row of pair 1 has changed unexpectedly"):
        step(*about)


def test_a_call_that_lost_its_pair_does_nothing_to_the_next_one(database):
    """Should the lock ever fail, as on a bad network drive: it sends nothing, and frees nothing."""
    system = enter_system(database, 1)
    lost = begin_pair(database, system)
    database.take_back(system, lambda _calls, _billed: None)
    mine = begin_pair(database, system)
    refused(database.ask, system.number, 0, lost.id)
    database.ask(system.number, 0, mine.id)
    refused(database.repeat, system.number, 0, lost.id)
    for state in (PairState.FAILED, PairState.FREE, PairState.UNRESOLVED, PairState.ANSWERED):
        refused(database.end, system.number, [(0, pair_outcome(state, lost.id))])
    database.release(system.number, 0, lost.id)
    assert pair_states(database, system) == ["asked"]
    database.end(system.number, [(0, pair_outcome(PairState.ANSWERED, mine.id))])
    assert pair_states(database, system) == ["answered"]


def test_between_two_tries_of_a_call_nothing_is_under_way(database, tmp_path):
    """Whoever is killed while it waits for the next try has paid nothing."""
    study = write_study(tmp_path / "pictures", pairs=1)
    clock, waiting = ManualClock(), []
    sleep = clock.sleep

    def look(seconds):
        waiting.extend(pair_states(database))
        sleep(seconds)

    clock.sleep = look
    backend = FakeBackend(script=[fail_with(RateLimited("Slower.")), None])
    system = opener(backend, retry=Retry(), clock=clock)
    assert run_once(database, study, system, clock=clock).error is None
    assert (waiting, len(backend.calls)) == (["begun"], 2)
    assert pair_states(database) == ["answered"]


def test_a_lost_acknowledgement_pays_for_nothing_twice(database, tmp_path):
    """A pair is free again once that is certain: no other thread has it before."""
    study = write_study(tmp_path / "pictures", pairs=1)
    end, written = database.end, []
    backend = FakeBackend()

    def ending(system, outcomes):
        written.append((outcomes[0][1].state, len(backend.calls)))
        done = end(system, outcomes)
        if len(written) == 1:
            raise ConfigurationError(BUSY)
        return done

    database.end = ending
    refusal = BreakerOpen("Down.", retry_after_s=0.01, billing=Billing(Charged.NO))
    backend.script = [refusal, charged_answer()]
    run_study(study, {"fake": opener(backend)}, database, workers=2, clock=ManualClock())
    assert pair_states(database) == ["answered"]
    assert written == [("free", 1), ("free", 1), ("answered", 2)]


def test_what_a_budget_does_not_know_yet_is_not_free(database):
    system = enter_system(database, 1)
    call = begin_pair(database, system)
    reported = []

    def busy(call_ids, billed):
        reported.append((billed, call_ids))
        raise ConfigurationError(BUSY)

    with pytest.raises(ConfigurationError):
        database.take_back(system, busy)
    assert pair_states(database, system) == ["begun"]
    database.take_back(system, lambda calls, billed: reported.append((billed, calls)))
    assert reported == [(Charged.NO, [call.id])] * 2 + [(Charged.UNKNOWN, [])]
    assert pair_states(database, system) == ["free"]


@pytest.mark.parametrize(("is_billed", "state"), [(True, "unresolved"), (False, "free")])
def test_lost_call_is_unresolved_only_if_it_may_be_charged(database, is_billed, state):
    system = enter_system(database, 1, billed=is_billed)
    ask_pair(database, system)
    reported = []
    database.take_back(system, lambda calls, billed: reported.append((billed, len(calls))))
    assert (Charged.UNKNOWN if is_billed else Charged.NO, 1) in reported
    assert pair_states(database, system) == [state]


def test_a_budget_that_cannot_be_written_keeps_the_pair(database, study, address):
    store = SqlStore(address)
    ask, finalize = database.ask, store.finalize
    database.ask = lambda *_about: fail_with(ConfigurationError(BUSY))(None)
    store.finalize = lambda *_args, **_more: fail_with(ConfigurationError(BUSY))(None)
    system = opener(FakeBackend(), policies=[Budget(100, name="shop", store=store)])
    with StudyRun(study, {"fake": system}, database) as run:
        assert not run.run(workers=1).is_complete
    assert pair_states(database) == ["begun", *["free"] * 5]
    store.finalize, database.ask = finalize, ask
    assert run_once(database, study, system).progress.states == {PairState.ANSWERED: 6}
    (progress,) = store.budgets()
    assert (progress.reserved, progress.unknown) == (0, 0)
    store.close()
