"""A pair belongs to one claim: who lost it changes nothing, and what was left is taken back."""

import threading

import attrs
import pytest
from attempts import attempt
from core.comparison.running.studies import (
    answer,
    entered,
    failing,
    once,
    opener,
    states,
    stored,
    write_study,
)
from core.comparison.running.test_machine import ended
from fakes import FakeBackend

from facematch_core import Billing, Charged
from facematch_core.comparison.running import Journal, PairState, StudyRun, run_study
from facematch_core.comparison.running._run import _carry_out
from facematch_core.comparison.running._settling import take_back
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


def test_a_pair_that_one_process_claims_twice(journal, clock, monkeypatch):
    """A thread that waited too long cannot touch what another thread of its process has now."""
    contender = entered(journal, 1)
    (lost,) = journal.claim(contender.number)
    assert journal.begin(lost, attempt())
    clock.advance(2 * 3600)
    recovered = elsewhere(monkeypatch, lambda: take_back(journal, contender, [], clock.now()))
    assert recovered == 1
    (mine,) = journal.claim(contender.number)
    call = attempt()
    assert journal.begin(mine, call)
    # Not before its own turn, and not while the other one is under way.
    assert not journal.ask(lost)
    assert journal.ask(mine)
    for state in (PairState.FAILED, PairState.FREE, PairState.UNKNOWN):
        assert journal.end([(lost, ended(state, "of the lost one"))]) == [False]
    assert journal.release([lost], held_back=True) == 0
    assert states(journal, contender) == ["asked"]
    assert journal.end([(mine, ended(PairState.ANSWERED, call.id))]) == [True]


@pytest.mark.parametrize("state", [PairState.FREE, PairState.FAILED])
def test_an_end_that_is_written_again_changes_nothing_of_the_next_claim(journal, state):
    """It was written, and nothing told of it: so it is written once more."""
    contender = entered(journal, 1)
    (first,) = journal.claim(contender.number)
    call = attempt()
    assert journal.begin(first, call)
    assert journal.ask(first)
    assert journal.end([(first, ended(state, call.id))]) == [True]
    journal.release_failed(contender.number, journal._clock.now())
    (second,) = journal.claim(contender.number)
    assert journal.begin(second, attempt())
    assert journal.ask(second)
    assert journal.end([(first, ended(state, call.id))]) == [False]
    assert states(journal, contender) == ["asked"]


@pytest.mark.parametrize("state", [PairState.ANSWERED, PairState.LOST, PairState.UNKNOWN])
def test_an_end_that_is_written_again_is_there(journal, state):
    """And stays as it was written."""
    contender = entered(journal, 1)
    (claim,) = journal.claim(contender.number)
    call = attempt()
    assert journal.begin(claim, call)
    assert journal.ask(claim)
    for _ in range(2):
        assert journal.end([(claim, ended(state, call.id))]) == [True]
    assert states(journal, contender) == [state]


def test_a_lost_acknowledgement_pays_for_nothing_twice(journal, tmp_path):
    """One thread frees a pair and hears nothing; another one asks; the first writes once more."""
    study = write_study(tmp_path / "pictures", pairs=1)
    is_free, is_asked, is_written = (threading.Event() for _ in range(3))
    end, claim, written = journal.end, journal.claim, []

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

    journal.end, journal.claim = ending, claiming
    refused = BreakerOpen("Down.", retry_after_s=0.01, billing=Billing(Charged.NO))
    contender = opener(FakeBackend(script=[refused, asked]))
    run_study(study, {"fake": contender}, journal, workers=2)
    assert states(journal, stored(journal)) == ["answered"]
    assert len(contender.backend.calls) == 2
    assert written[:2] == ["free", "free"]


def test_an_answer_counts_though_a_budget_told_of_its_charge_first(journal, clock, monkeypatch):
    """Its process was held for gone; its budget knows before its journal does."""
    contender = entered(journal, 2)
    claims = journal.claim(contender.number, 2)
    calls = [attempt(), attempt()]
    for claim, call in zip(claims, calls, strict=True):
        assert journal.begin(claim, call)
        assert journal.ask(claim)
    clock.advance(2 * 3600)
    assert elsewhere(monkeypatch, lambda: journal.recover(contender.number)).unknown == 2
    for call in calls:
        assert journal.settle(contender.number, call.id, Charged.YES)
    late = [ended(PairState.ANSWERED, calls[0].id), ended(PairState.FAILED, calls[1].id)]
    # What was charged, as somebody said, is not asked again, whatever comes.
    assert journal.end(list(zip(claims, late, strict=True))) == [True, False]
    assert states(journal, contender) == ["answered", "lost"]


def test_the_first_answer_is_written_as_soon_as_that_works_again(journal, study):
    """The journal fails for a moment where the first answer says what all must be like."""
    fix, failures = journal.fix_origin, [1, 1]

    def fixing(*args):
        if failures:
            failures.pop()
            raise ConfigurationError(BUSY)
        return fix(*args)

    journal.fix_origin = fixing
    summary = once(journal, study, opener(), clock=ManualClock())
    assert (summary.error, summary.asked) == (None, 6)
    assert states(journal, stored(journal)) == ["answered"] * 6


def test_what_a_living_process_could_not_give_back_is_taken_back(journal, clock, monkeypatch):
    """The budgets could not be told: it tries again, and so may others."""

    class Busy:
        def open_reservations(self, key=None):
            raise ConfigurationError(BUSY)

    contender = entered(journal, 1)
    (claim,) = elsewhere(monkeypatch, lambda: journal.claim(contender.number))
    assert journal.begin(claim, attempt())
    clock.advance(2 * 3600)
    with pytest.raises(ConfigurationError):
        take_back(journal, contender, [Busy()], clock.now())
    assert states(journal, contender) == ["claimed"]
    assert take_back(journal, contender, [], clock.now()) == 1
    assert states(journal, contender) == ["free"]


def test_what_this_process_is_at_is_not_taken_back(journal, clock):
    """However long it takes."""
    contender = entered(journal, 2)
    claims = journal.claim(contender.number, 2)
    clock.advance(48 * 3600)
    assert take_back(journal, contender, [], clock.now()) == 0
    journal.let_go(claims)
    assert take_back(journal, contender, [], clock.now()) == 2


def test_a_byte_held_back_is_held_back_though_the_journal_says_that_it_left(
    journal, study, address
):
    """It was noted as sent, and nothing told of the note: the call is not made, and is free."""
    store = SqlStore(address)
    ask = journal.ask

    def asking(claim):
        assert ask(claim)
        raise ConfigurationError(BUSY)

    journal.ask = asking
    contender = opener(FakeBackend(), policies=[Budget(100, name="shop", store=store)])
    ended_by = once(journal, study, contender)
    assert isinstance(ended_by.error, ConfigurationError)
    assert states(journal, stored(journal)) == ["free"] * 6
    (standing,) = store.budgets()
    assert (standing.spent, standing.reserved, standing.unknown) == (0, 0, 0)
    store.close()


def test_a_budget_that_cannot_be_told_keeps_the_pair(journal, study, address, monkeypatch):
    """Until it can: what it set aside would else stay aside."""
    store = SqlStore(address)
    ask, journal.ask = journal.ask, lambda _claim: False
    finalize, store.finalize = store.finalize, failing(ConfigurationError(BUSY))
    store.finalize = lambda *_args, **_more: failing(ConfigurationError(BUSY))(None)
    contender = opener(FakeBackend(), policies=[Budget(100, name="shop", store=store)])
    with StudyRun(study, {"fake": contender}, journal) as run:
        run.run(workers=1)
    assert states(journal, stored(journal)).count("claimed") >= 1
    store.finalize, journal.ask = finalize, ask
    assert once(journal, study, contender).standing.states == {PairState.ANSWERED: 6}
    (standing,) = store.budgets()
    assert (standing.reserved, standing.unknown) == (0, 0)
    store.close()


def test_an_interruption_between_two_starts_ends_what_has_begun():
    """Ctrl-C after the first of two contenders was started: it is told, and waited for."""
    over = threading.Event()
    waited = []

    def work():
        assert over.wait(30)
        waited.append(True)

    class NotStarted(threading.Thread):
        def start(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _carry_out([threading.Thread(target=work), NotStarted()], over)
    assert waited == [True]


def test_claims_of_a_journal_that_failed_are_nobodys(address, clock, monkeypatch):
    """Perhaps they were made and nothing told of it: then they are found."""
    journal = Journal(address, clock=clock)
    contender = entered(journal, 1)
    step = journal._step

    def unheard(name, work):
        step(name, work)
        raise ConfigurationError(BUSY)

    with monkeypatch.context() as patched:
        patched.setattr(journal, "_step", unheard)
        with pytest.raises(ConfigurationError):
            journal.claim(contender.number)
    assert states(journal, contender) == ["claimed"]
    assert take_back(journal, contender, [], clock.now()) == 1
    journal.close()


def test_a_call_that_failed_unpaid_is_asked_again_by_the_next_start_alone(journal, study):
    """Not by another thread of the same run."""
    contender = opener(FakeBackend(script=[failing(RateLimited("Slower."))]))
    assert once(journal, study, contender).asked == 6
    assert states(journal, stored(journal)) == ["failed", *["answered"] * 5]
    assert once(journal, study, contender).asked == 1
