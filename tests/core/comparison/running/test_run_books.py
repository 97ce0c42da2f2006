"""The journal, the budgets and the vendor's records of one run: they agree, whatever fails."""

from decimal import Decimal

import attrs
from attempts import of_nobody, passage
from core.comparison.running.studies import Recorded, answer, failing, once, opener, states, stored
from fakes import FakeBackend

from facematch_core import (
    Charged,
    ConfigurationError,
    Ids,
    Retention,
)
from facematch_core.comparison.running import StudyRun, read_answers
from facematch_core.comparison.running._records import PairState
from facematch_core.comparison.running._settling import hear_budgets
from facematch_core.errors import (
    OutcomeUnknown,
    RateLimited,
)
from facematch_core.resilience import Budget, Retry
from facematch_core.store import Owner, SqlStore


def test_retries_of_the_profile_are_made_within_the_run(journal, study, clock):
    """The pair is held meanwhile: nothing of it is under way."""
    seen = []
    backend = FakeBackend(script=[failing(RateLimited("Slower."))] * 2)

    class Watched(type(clock)):
        def sleep(self, seconds):
            seen.append(states(journal, stored(journal))[0])
            super().sleep(seconds)

    contender = opener(backend, retry=Retry(times=3), clock=Watched())
    summary = once(journal, study, contender)
    assert seen == ["claimed", "claimed"]
    assert summary.standing.states == {PairState.ANSWERED: 6}


def test_each_step_is_written_before_the_next_is_made(journal, study):
    """Claimed and named before anything is reserved; asked before the first byte; ended after."""
    seen = []

    class Watching(FakeBackend):
        def match(self, call):
            seen.append(states(journal, stored(journal))[0])
            (row,) = journal._database.run(
                lambda file: file.exec_driver_sql(
                    "SELECT attempt_id FROM facematch_comparisons WHERE pair = 0"
                ).all()
            )
            seen.append(row.attempt_id == call.call_id)
            result = super().match(call)
            seen.append(states(journal, stored(journal))[0])
            return result

    study = type(study)(name=study.name, pairs=study.pairs[:1])
    once(journal, study, opener(Watching()))
    assert seen == ["claimed", True, "asked"]
    assert states(journal, stored(journal)) == ["answered"]


def test_a_journal_that_fails_holds_the_call_back(journal, study, address):
    """No byte leaves that nothing would remember, and the budget is told so."""
    store = SqlStore(address)
    backend = FakeBackend()
    contender = opener(backend, policies=[Budget(100, name="shop", store=store)])
    asking, journal.ask = journal.ask, None
    calls = []

    def ask(claim):
        calls.append(claim)
        raise ConfigurationError("The disk is full.")

    journal.ask = ask
    summary = once(journal, study, contender)
    assert summary.error.message == "The disk is full."
    assert len(calls) == 1
    # The scripted backend was called, and was stopped where it wanted to send.
    assert states(journal, stored(journal)) == ["free"] * 6
    (standing,) = store.budgets()
    assert (standing.spent, standing.reserved, standing.unknown) == (0, 0, 0)
    journal.ask = asking
    assert once(journal, study, contender).standing.states == {PairState.ANSWERED: 6}
    assert store.budgets()[0].spent == 6
    store.close()


def test_whatever_keeps_it_from_being_written_holds_the_call_back(journal, study):
    """An exception of a hook is logged as a rule, and the call goes on; not this one."""

    def ask(_claim):
        raise MemoryError

    backend = FakeBackend()
    journal.ask = ask
    summary = once(journal, study, opener(backend))
    assert summary.error.message == "The journal failed with MemoryError: nothing was sent."
    assert states(journal, stored(journal)) == ["free"] * 6


def test_a_claim_that_was_taken_over_is_not_asked(journal, study):
    """Somebody else, who thought this process gone, has it now."""
    backend = FakeBackend()
    contender = opener(backend)
    beginning = journal.begin
    stolen = []

    def begin(claim, attempt):
        if not stolen:
            stolen.append(claim)
            journal._database.run(
                lambda file: file.exec_driver_sql(
                    "UPDATE facematch_comparisons SET run = 'other', host = 'elsewhere', "
                    "claim = 'other' "
                    f"WHERE pair = {claim.pair}"
                )
            )
        return beginning(claim, attempt)

    journal.begin = begin
    summary = once(journal, study, contender)
    assert summary.error is None
    assert len(backend.calls) == 5
    assert states(journal, stored(journal)) == ["claimed", *["answered"] * 5]


def test_a_paid_answer_is_written_as_soon_as_that_works_again(journal, study, clock):
    """The journal fails for a moment after an answer that was paid for."""
    ending, failures = journal.end, [1, 1]

    def end(outcomes):
        if failures:
            failures.pop()
            raise ConfigurationError("Busy.")
        return ending(outcomes)

    journal.end = end
    summary = once(journal, study, opener(), clock=clock)
    assert summary.standing.states == {PairState.ANSWERED: 6}
    assert summary.error is None


def test_a_journal_that_stays_away_ends_the_run(journal, study, clock):
    """What was asked then is unknown to the next start."""

    def end(_outcomes):
        raise ConfigurationError("Gone.")

    journal.end = end
    summary = once(journal, study, opener(), clock=clock)
    assert summary.error.message == "Gone."
    assert states(journal, stored(journal)) == ["asked", *["free"] * 5]


def test_a_lost_answer_is_found_in_the_records(journal, study, address):
    """If it was kept: the pair is answered, and the budget knows the charge."""
    store = SqlStore(address)
    backend = Recorded()

    def lose(call):
        backend.records[call.call_id] = answer(ids=Ids(call=call.call_id))(call)
        raise OutcomeUnknown("Lost.", reconcilable=True)

    backend.script = [lose]
    contender = opener(backend, policies=[Budget(100, name="shop", store=store)])
    summary = once(journal, study, contender, keep=["fake"])
    assert summary.standing.states == {PairState.ANSWERED: 6}
    assert (store.budgets()[0].spent, store.budgets()[0].unknown) == (6, 0)
    assert all(call.retention is Retention.KEEP for call in backend.calls)
    (found,) = read_answers(journal, journal.study())
    assert "asked to keep each call" in found.privacy
    store.close()


def test_what_a_budget_knows_settles_the_pair(journal, study, address):
    """Somebody said it to the budget, in the same database; a free one is asked again."""
    store = SqlStore(address)
    backend = FakeBackend(script=[failing(OutcomeUnknown("Lost."))] * 2)
    contender = opener(backend, policies=[Budget(100, name="shop", store=store)])
    once(journal, study, contender)
    left = journal.left(stored(journal))
    entries = {one.call.id: one for one in store.open_reservations()}
    assert set(entries) == {one.attempt.id for one in left}
    for one, billed in zip(left, (Charged.YES, Charged.NO), strict=True):
        store.finalize(entries[one.attempt.id], billed, at=one.since)
    again = once(journal, study, contender)
    assert again.asked == 1
    assert states(journal, stored(journal)) == ["lost", *["answered"] * 5]
    store.close()


def test_what_a_budget_elsewhere_knows_settles_the_pair(journal, study, tmp_path):
    """Of the profile, in another database: the process ended between the two books."""
    store = SqlStore(f"sqlite:///{tmp_path}/elsewhere.sqlite3")
    backend = FakeBackend(script=[failing(OutcomeUnknown("Lost."))] * 2)
    budgets = [Budget(100, name="shop", store=store), Budget(50, name="other", store=store)]
    contender = opener(backend, policies=budgets)
    once(journal, study, contender)
    first, second = journal.left(stored(journal))
    for entry in store.open_reservations():
        # Of the second call one budget does not know it yet.
        if entry.call.id == first.attempt.id or entry.key.name == "shop":
            store.finalize(entry, Charged.NO, at=first.since)
    assert once(journal, study, contender).asked == 1
    assert states(journal, stored(journal)) == ["answered", "unknown", *["answered"] * 4]
    assert [one.call.id for one in store.open_reservations()] == [second.attempt.id]
    store.close()


def test_what_was_set_aside_for_a_call_that_was_not_sent_is_free_again(
    journal, study, address, monkeypatch
):
    """Its process is gone: the budget is told, and the pair is asked."""
    store = SqlStore(address)
    mine, nobody = Owner.here(), of_nobody()
    budget = Budget(100, name="shop", store=store)
    contender = opener(policies=[budget])
    monkeypatch.setattr(Owner, "here", staticmethod(lambda: nobody))
    with StudyRun(study, {"fake": contender}, journal) as run:
        ((_, one),) = run.contenders
    (claim,) = journal.claim(one.number)
    call = passage()
    assert journal.begin(claim, call.call)
    budget.enter(call)
    monkeypatch.setattr(Owner, "here", staticmethod(lambda: mine))
    assert len(store.open_reservations()) == 1
    assert once(journal, study, contender).standing.states == {PairState.ANSWERED: 6}
    (standing,) = store.budgets()
    assert (standing.spent, standing.reserved, standing.unknown) == (6, 0, 0)
    store.close()


def test_a_call_of_which_one_book_knows_nothing_yet_is_not_settled(journal, study, address):
    """Two databases, and a try that is under way: all must have said it."""
    here, there = SqlStore(address), SqlStore(f"{address}.there")
    budgets = [Budget(9, name="a", store=here), Budget(9, name="b", store=there)]
    lose = failing(OutcomeUnknown("Lost."))
    once(journal, study, opener(FakeBackend(script=[lose]), policies=budgets))
    contender = stored(journal)
    (left,) = journal.left(contender)
    stores = [there]
    (entry,) = here.open_reservations()
    here.finalize(entry, Charged.NO, at=left.since)
    assert hear_budgets(journal, contender, stores) == 0
    # Another try of the same call, which has not ended.
    here.reserve(attrs.evolve(entry, number=2, state="reserved"), Decimal(99))
    (other,) = there.open_reservations()
    there.finalize(other, Charged.NO, at=left.since)
    assert journal.told_by_budgets([left.attempt.id]) == {left.attempt.id: Charged.UNKNOWN}
    assert hear_budgets(journal, contender, stores) == 0
    (second,) = here.open_reservations()
    here.finalize(second, Charged.YES, at=left.since)
    assert hear_budgets(journal, contender, stores) == 1
    assert states(journal, contender) == ["lost", *["answered"] * 5]
    here.close()
    there.close()


def test_a_call_is_looked_for_at_once_and_when_it_is_late(journal, study, clock):
    """By the reference that it was given; not with every start."""
    looked = []

    class Looking(Recorded):
        def reconcile(self, attempt, *, deadline_s=None):
            looked.append(attempt.caller_ref)
            return super().reconcile(attempt, deadline_s=deadline_s)

    lose = failing(OutcomeUnknown("Lost."))
    backend = Looking(script=[lose, lose], sends_caller_ref=True)
    more = {"keep": ["fake"], "clock": clock}
    once(journal, study, opener(backend), **more)
    digest = journal.study().digest[:16]
    assert looked == [f"facematch-{digest}-0", f"facematch-{digest}-1"]
    assert [call.caller_ref for call in backend.calls[:2]] == looked
    for minutes, times in ((0, 2), (14, 2), (1, 4), (0, 4), (600, 4)):
        clock.advance(minutes * 60)
        once(journal, study, opener(backend), **more)
        assert len(looked) == times
