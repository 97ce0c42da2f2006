"""A pair belongs to one claim: who lost it changes nothing, and what was left is taken back."""

import threading

import attrs
import pytest
from attempts import attempt
from core.comparison.run.studies import (
    answer,
    asked,
    entered,
    failing,
    once,
    opener,
    states,
    stored,
    write_study,
)
from core.comparison.run.test_machine import ended
from fakes import FakeBackend

from facematch_core import Billing, Charged
from facematch_core.comparison.run import PairState, RunDatabase, StudyRun, run_study
from facematch_core.comparison.run.recover import take_back
from facematch_core.comparison.run.run import join_all
from facematch_core.errors import BreakerOpen, ConfigurationError, RateLimited
from facematch_core.resilience import Budget
from facematch_core.store import Owner, SqlStore
from facematch_core.testing import ManualClock

BUSY = "The store of calls failed (database is locked): try again."


def elsewhere(monkeypatch, step):
    """Do something as a process of another machine, an hour and more later."""
    here = Owner.here()
    away = attrs.evolve(here, host="elsewhere", run="of another machine")
    with monkeypatch.context() as patched:
        patched.setattr(Owner, "here", staticmethod(lambda: away))
        return step()


def test_a_pair_that_one_process_claims_twice(database, clock, monkeypatch):
    """A thread that waited too long cannot touch what another thread of its process has now."""
    system = entered(database, 1)
    (lost,) = database.claim(system.number)
    assert database.begin(lost, attempt())
    clock.advance(2 * 3600)
    recovered = elsewhere(monkeypatch, lambda: take_back(database, system, [], clock.now()))
    assert recovered == 1
    (mine,) = database.claim(system.number)
    call = attempt()
    assert database.begin(mine, call)
    # Not before its own turn, and not while the other one is under way.
    assert not database.ask(lost)
    assert database.ask(mine)
    for state in (PairState.FAILED, PairState.FREE, PairState.UNRESOLVED):
        assert database.end([(lost, ended(state, "of the lost one"))]) == [False]
    assert database.release([lost], held_back=True) == 0
    assert states(database, system) == ["asked"]
    assert database.end([(mine, ended(PairState.ANSWERED, call.id))]) == [True]


@pytest.mark.parametrize("state", [PairState.FREE, PairState.FAILED])
def test_an_end_that_is_written_again_changes_nothing_of_the_next_claim(database, state):
    """It was written, and nothing told of it: so it is written once more."""
    system = entered(database, 1)
    (first,) = database.claim(system.number)
    call = asked(database, first)
    assert database.end([(first, ended(state, call.id))]) == [True]
    database.release_failed(system.number, database._clock.now())
    (second,) = database.claim(system.number)
    asked(database, second)
    assert database.end([(first, ended(state, call.id))]) == [False]
    assert states(database, system) == ["asked"]


@pytest.mark.parametrize("state", [PairState.ANSWERED, PairState.NO_RESPONSE, PairState.UNRESOLVED])
def test_an_end_that_is_written_again_is_there(database, state):
    """And stays as it was written."""
    system = entered(database, 1)
    (claim,) = database.claim(system.number)
    call = asked(database, claim)
    for _ in range(2):
        assert database.end([(claim, ended(state, call.id))]) == [True]
    assert states(database, system) == [state]


def test_a_lost_acknowledgement_pays_for_nothing_twice(database, tmp_path):
    """One thread frees a pair and hears nothing; another one asks; the first writes once more."""
    study = write_study(tmp_path / "pictures", pairs=1)
    is_free, is_asked, is_written = (threading.Event() for _ in range(3))
    end, claim, written = database.end, database.claim, []

    def ending(outcomes):
        written.append(outcomes[0][1].state)
        turn = len(written)
        noted = end(outcomes)
        if turn == 1:
            is_free.set()
            assert is_asked.wait(30)
            raise ConfigurationError(BUSY)
        if turn == 2:
            is_written.set()
        return noted

    first = threading.Semaphore(1)

    def claiming(*args, **more):
        if not first.acquire(blocking=False):
            assert is_free.wait(30)
        return claim(*args, **more)

    def asked(call):
        is_asked.set()
        assert is_written.wait(30)
        return answer()(call)

    database.end, database.claim = ending, claiming
    refused = BreakerOpen("Down.", retry_after_s=0.01, billing=Billing(Charged.NO))
    system = opener(FakeBackend(script=[refused, asked]))
    run_study(study, {"fake": system}, database, workers=2)
    assert states(database, stored(database)) == ["answered"]
    assert len(system.backend.calls) == 2
    assert written[:2] == ["free", "free"]


def test_an_answer_counts_though_a_budget_told_of_its_charge_first(database, clock, monkeypatch):
    """Its process was held for gone; its budget knows before its database does."""
    system = entered(database, 2)
    claims = database.claim(system.number, 2)
    calls = [attempt(), attempt()]
    for claim, call in zip(claims, calls, strict=True):
        assert database.begin(claim, call)
        assert database.ask(claim)
    clock.advance(2 * 3600)
    assert elsewhere(monkeypatch, lambda: database.recover(system.number)).unresolved == 2
    for call in calls:
        assert database.resolve(system.number, call.id, Charged.YES)
    late = [ended(PairState.ANSWERED, calls[0].id), ended(PairState.FAILED, calls[1].id)]
    # What was charged, as somebody said, is not asked again, whatever comes.
    assert database.end(list(zip(claims, late, strict=True))) == [True, False]
    assert states(database, system) == ["answered", "no response"]


def test_the_first_answer_is_written_as_soon_as_that_works_again(database, study):
    """The database fails for a moment where the first answer says what all must be like."""
    fix, failures = database.fix_origin, [1, 1]

    def fixing(*args):
        if failures:
            failures.pop()
            raise ConfigurationError(BUSY)
        return fix(*args)

    database.fix_origin = fixing
    summary = once(database, study, opener(), clock=ManualClock())
    assert (summary.error, summary.asked) == (None, 6)
    assert states(database, stored(database)) == ["answered"] * 6


def test_what_a_living_process_could_not_give_back_is_taken_back(database, clock, monkeypatch):
    """The budgets could not be told: it tries again, and so may others."""

    class Busy:
        def open_reservations(self, key=None):
            raise ConfigurationError(BUSY)

    system = entered(database, 1)
    (claim,) = elsewhere(monkeypatch, lambda: database.claim(system.number))
    assert database.begin(claim, attempt())
    clock.advance(2 * 3600)
    with pytest.raises(ConfigurationError):
        take_back(database, system, [Busy()], clock.now())
    assert states(database, system) == ["claimed"]
    assert take_back(database, system, [], clock.now()) == 1
    assert states(database, system) == ["free"]


def test_what_this_process_is_at_is_not_taken_back(database, clock):
    """However long it takes."""
    system = entered(database, 2)
    claims = database.claim(system.number, 2)
    clock.advance(48 * 3600)
    assert take_back(database, system, [], clock.now()) == 0
    database.let_go(claims)
    assert take_back(database, system, [], clock.now()) == 2


def test_a_byte_held_back_is_held_back_though_the_journal_says_that_it_left(
    database, study, address
):
    """It was noted as sent, and nothing told of the note: the call is not made, and is free."""
    store = SqlStore(address)
    ask = database.ask

    def asking(claim):
        assert ask(claim)
        raise ConfigurationError(BUSY)

    database.ask = asking
    system = opener(FakeBackend(), policies=[Budget(100, name="shop", store=store)])
    ended_by = once(database, study, system)
    assert isinstance(ended_by.error, ConfigurationError)
    assert states(database, stored(database)) == ["free"] * 6
    (standing,) = store.budgets()
    assert (standing.spent, standing.reserved, standing.unknown) == (0, 0, 0)
    store.close()


def test_a_budget_that_cannot_be_told_keeps_the_pair(database, study, address, monkeypatch):
    """Until it can: what it set aside would else stay aside."""
    store = SqlStore(address)
    ask, database.ask = database.ask, lambda _claim: False
    finalize, store.finalize = store.finalize, failing(ConfigurationError(BUSY))
    store.finalize = lambda *_args, **_more: failing(ConfigurationError(BUSY))(None)
    system = opener(FakeBackend(), policies=[Budget(100, name="shop", store=store)])
    with StudyRun(study, {"fake": system}, database) as run:
        run.run(workers=1)
    assert states(database, stored(database)).count("claimed") >= 1
    store.finalize, database.ask = finalize, ask
    assert once(database, study, system).progress.states == {PairState.ANSWERED: 6}
    (standing,) = store.budgets()
    assert (standing.reserved, standing.unknown) == (0, 0)
    store.close()


def test_an_interruption_between_two_starts_ends_what_has_begun():
    """Ctrl-C after the first of two systems was started: it is told, and waited for."""
    over = threading.Event()
    waited = []

    def work():
        assert over.wait(30)
        waited.append(True)

    class NotStarted(threading.Thread):
        def start(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        join_all([threading.Thread(target=work), NotStarted()], over)
    assert waited == [True]


def test_claims_of_a_journal_that_failed_are_nobodys(address, clock, monkeypatch):
    """Perhaps they were made and nothing told of it: then they are found."""
    database = RunDatabase(address, clock=clock)
    system = entered(database, 1)
    step = database._step

    def unheard(name, work):
        step(name, work)
        raise ConfigurationError(BUSY)

    with monkeypatch.context() as patched:
        patched.setattr(database, "_step", unheard)
        with pytest.raises(ConfigurationError):
            database.claim(system.number)
    assert states(database, system) == ["claimed"]
    assert take_back(database, system, [], clock.now()) == 1
    database.close()


def test_a_call_that_failed_unpaid_is_asked_again_by_the_next_start_alone(database, study):
    """Not by another thread of the same run."""
    system = opener(FakeBackend(script=[failing(RateLimited("Slower."))]))
    assert once(database, study, system).asked == 6
    assert states(database, stored(database)) == ["failed", *["answered"] * 5]
    assert once(database, study, system).asked == 1


def test_a_pair_changes_only_from_the_state_that_it_is_in(database):
    """What was asked is not given back, asked twice or named anew; what was not, is not held."""
    system = entered(database, 1)
    (claim,) = database.claim(system.number)
    call = attempt()
    assert not database.hold(claim)
    assert database.begin(claim, call)
    assert database.ask(claim)
    assert not database.ask(claim)
    assert not database.begin(claim, attempt())
    assert database.release([claim]) == 0
    assert states(database, system) == ["asked"]
    assert database.end([(claim, ended(PairState.ANSWERED, call.id))]) == [True]
    assert not database.hold(claim)
    assert database.release([claim], held_back=True) == 0
    assert states(database, system) == ["answered"]


@pytest.mark.parametrize("state", [PairState.ANSWERED, PairState.NO_RESPONSE])
@pytest.mark.parametrize("billed", [Charged.YES, Charged.NO])
def test_only_what_is_unresolved_is_resolved(database, state, billed):
    """Not what is under way, nor what is known: it would be asked, and paid for, again."""
    system = entered(database, 1)
    (claim,) = database.claim(system.number)
    call = asked(database, claim)
    assert not database.resolve(system.number, call.id, billed)
    assert database.end([(claim, ended(state, call.id))]) == [True]
    assert not database.resolve(system.number, call.id, billed)
    assert states(database, system) == [state]


def test_an_answer_of_another_call_is_not_taken_for_this_one(database, clock, monkeypatch):
    """A pair was lost, asked again by somebody else, and that call has no answer."""
    system = entered(database, 1)
    (lost,) = database.claim(system.number)
    first, second = attempt(), attempt()
    assert database.begin(lost, first)
    database.let_go([lost])
    assert take_back(database, system, [], clock.now()) == 1
    (mine,) = database.claim(system.number)
    assert database.begin(mine, second)
    assert database.ask(mine)
    assert database.end([(mine, ended(PairState.UNRESOLVED, second.id))]) == [True]
    assert database.end([(lost, ended(PairState.ANSWERED, first.id))]) == [False]
    assert states(database, system) == ["unresolved"]
