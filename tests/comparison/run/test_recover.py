"""The database, the budgets and the vendor's records of one run: they agree, whatever fails."""

from decimal import Decimal

import attrs
import pytest
from kit.attempts import passage
from kit.comparison.studies import Recorded, answer, failing, once, opener, states, stored
from kit.fakes import FakeBackend

from facematch_comparison.run import StudyRun, read_answers
from facematch_comparison.run.recover import reconcile_charges, resolve_by_budgets
from facematch_comparison.run.schema import PairState
from facematch_core import (
    Billing,
    Charged,
    ConfigurationError,
    Environment,
    FaceVerifier,
    Ids,
    Retention,
    Score,
)
from facematch_core.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    RateLimited,
)
from facematch_core.resilience import Budget, Retry
from facematch_core.store import SqlStore

pytestmark = pytest.mark.usefixtures("in_file_order")


def test_retries_of_the_profile_are_made_within_the_run(database, study, clock):
    """Nothing of the pair is under way meanwhile."""
    seen = []
    backend = FakeBackend(script=[failing(RateLimited("Slower."))] * 2)

    class Watched(type(clock)):
        def sleep(self, seconds):
            seen.append(states(database, stored(database))[0])
            super().sleep(seconds)

    system = opener(backend, retry=Retry(times=3), clock=Watched())
    summary = once(database, study, system)
    assert seen == ["begun", "begun"]
    assert summary.progress.states == {PairState.ANSWERED: 6}


def test_each_step_is_written_before_the_next_is_made(database, study):
    """Named before anything is reserved; asked before the first byte; ended after."""
    seen = []

    class Watching(FakeBackend):
        def match(self, call):
            seen.append(states(database, stored(database))[0])
            (row,) = database._database.run(
                lambda file: file.exec_driver_sql(
                    "SELECT call_id FROM facematch_comparisons WHERE pair = 0"
                ).all()
            )
            seen.append(row.call_id == call.call_id)
            result = super().match(call)
            seen.append(states(database, stored(database))[0])
            return result

    study = type(study)(name=study.name, pairs=study.pairs[:1])
    once(database, study, opener(Watching()))
    assert seen == ["begun", True, "asked"]
    assert states(database, stored(database)) == ["answered"]


def test_a_database_that_fails_holds_the_call_back(database, study, address):
    """No byte leaves that nothing would remember, and the budget is told so."""
    store = SqlStore(address)
    backend = FakeBackend()
    system = opener(backend, policies=[Budget(100, name="shop", store=store)])
    asking, database.ask = database.ask, None
    calls = []

    def ask(*about):
        calls.append(about)
        raise ConfigurationError("The disk is full.")

    database.ask = ask
    summary = once(database, study, system)
    assert summary.error.message == "The disk is full."
    assert len(calls) == 1
    # The scripted backend was called, and was stopped where it wanted to send.
    assert states(database, stored(database)) == ["free"] * 6
    (progress,) = store.budgets()
    assert (progress.spent, progress.reserved, progress.unknown) == (0, 0, 0)
    database.ask = asking
    assert once(database, study, system).progress.states == {PairState.ANSWERED: 6}
    assert store.budgets()[0].spent == 6
    store.close()


def test_whatever_keeps_it_from_being_written_holds_the_call_back(database, study):
    """An exception of a hook is logged as a rule, and the call goes on; not this one."""

    def ask(*_about):
        raise MemoryError

    backend = FakeBackend()
    database.ask = ask
    summary = once(database, study, opener(backend))
    assert summary.error.message == "The run database failed with MemoryError: nothing was sent."
    assert states(database, stored(database)) == ["free"] * 6


def test_a_pair_that_something_else_began_is_not_asked(database, study):
    """It is told, and ends the system: who changes the database behind a run may pay twice."""
    backend = FakeBackend()
    beginning, stolen = database.begin, []

    def begin(system, pair, call):
        if not stolen:
            stolen.append(pair)
            beginning(system, pair, attrs.evolve(call, id="somebody else's"))
        beginning(system, pair, call)

    database.begin = begin
    summary = once(database, study, opener(backend))
    assert summary.error.message == (
        "The row of pair 1 is not as this run left it: something else has changed the run database."
    )
    assert backend.calls == []
    assert states(database, stored(database)) == ["begun", *["free"] * 5]


def test_a_paid_answer_is_written_as_soon_as_that_works_again(database, study, clock):
    """The database fails for a moment after an answer that was paid for."""
    ending, failures = database.end, [1, 1]

    def end(system, outcomes):
        if failures:
            failures.pop()
            raise ConfigurationError("Busy.")
        return ending(system, outcomes)

    database.end = end
    summary = once(database, study, opener(), clock=clock)
    assert summary.progress.states == {PairState.ANSWERED: 6}
    assert summary.error is None


def test_a_database_that_stays_away_ends_the_run(database, study, clock):
    """What was asked then is unknown to the next start, and has not come to an end."""
    ended = []

    def end(_system, _outcomes):
        raise ConfigurationError("Gone.")

    database.end = end
    summary = once(database, study, opener(), clock=clock, progress=lambda *one: ended.append(one))
    assert summary.error.message == "Gone."
    assert (summary.asked, ended) == (0, [])
    assert states(database, stored(database)) == ["asked", *["free"] * 5]


def test_a_lost_answer_is_found_in_the_records(database, study, address):
    """If it was kept: the pair is answered, and the budget knows the charge."""
    store = SqlStore(address)
    backend = Recorded()

    def lose(call):
        backend.records[call.call_id] = answer(ids=Ids(call=call.call_id))(call)
        raise OutcomeUnknown("Lost.", reconcilable=True)

    backend.script = [lose]
    system = opener(backend, policies=[Budget(100, name="shop", store=store)])
    summary = once(database, study, system, keep=["fake"])
    assert summary.progress.states == {PairState.ANSWERED: 6}
    assert (store.budgets()[0].spent, store.budgets()[0].unknown) == (6, 0)
    assert all(call.retention is Retention.KEEP for call in backend.calls)
    (found,) = read_answers(database, database.study())
    assert "asked to keep each call" in found.privacy
    store.close()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"score": Score(0.9, "fake/v2")}, "on the scale fake/v2, and before on fake/v1"),
        ({"environment": Environment.MOCK}, "from mock, and before from production"),
    ],
    ids=["scale", "environment"],
)
@pytest.mark.parametrize(
    ("billed", "state", "budget"),
    [
        (Charged.YES, "no response", (6, 0)),
        (Charged.NO, "free", (5, 0)),
        (Charged.UNKNOWN, "unresolved", (5, 1)),
    ],
    ids=lambda value: str(value) if isinstance(value, Charged) else None,
)
def test_a_found_answer_that_does_not_belong_brings_its_charge_alone(  # noqa: PLR0917 - fixtures
    database, study, address, other, says, billed, state, budget
):
    """As one that comes by itself: such answers do not compare with those before."""
    store = SqlStore(address)
    script = [None, failing(OutcomeUnknown("Lost.", reconcilable=True))]
    backend = Recorded(script=script, environment=None)
    system = opener(backend, policies=[Budget(100, name="shop", store=store)])
    once(database, study, system, keep=["fake"])
    one = stored(database)
    (left,) = database.unresolved(one)
    call_id = left.call.id
    facts = {"billing": Billing(billed), "ids": Ids(call=call_id), **other}
    backend.records[call_id] = answer(**facts)(backend.calls[1])
    verifier = FaceVerifier(backend)
    (looked,) = reconcile_charges(database, one, verifier, [store], left.since)
    assert looked.outcome == "error"
    assert says in looked.reason
    assert states(database, one) == ["answered", state, *["answered"] * 4]
    assert (store.budgets()[0].spent, store.budgets()[0].unknown) == budget
    # What is known to be charged stays so, whatever else the records say of it.
    backend.records[call_id] = attrs.evolve(
        backend.records[call_id], billing=Billing(Charged.UNKNOWN)
    )
    reconcile_charges(database, one, verifier, [store], left.since)
    assert states(database, one)[1] == state
    store.close()


def test_an_answer_that_is_found_first_fixes_what_the_others_must_be(database, study):
    """Its scale and its place, as those of any first answer."""
    backend = Recorded()

    def lose(call):
        backend.records[call.call_id] = answer(
            score=Score(0.9, "fake/v2"), ids=Ids(call=call.call_id)
        )(call)
        raise OutcomeUnknown("Lost.", reconcilable=True)

    backend.script = [lose, AuthenticationFailed("No.")]
    once(database, study, opener(backend), keep=["fake"])
    one = stored(database)
    assert (one.scale, one.answered_from) == ("fake/v2", Environment.PRODUCTION)
    summary = once(database, study, opener(backend), keep=["fake"])
    assert "on the scale fake/v1, and before on fake/v2" in summary.error.message


def test_what_a_budget_knows_settles_the_pair(database, study, address):
    """Somebody said it to the budget, in the same database; a free one is asked again."""
    store = SqlStore(address)
    backend = FakeBackend(script=[failing(OutcomeUnknown("Lost."))] * 2)
    system = opener(backend, policies=[Budget(100, name="shop", store=store)])
    once(database, study, system)
    left = database.unresolved(stored(database))
    entries = {one.call.id: one for one in store.open_reservations()}
    assert set(entries) == {one.call.id for one in left}
    for one, billed in zip(left, (Charged.YES, Charged.NO), strict=True):
        store.finalize(entries[one.call.id], billed, at=one.since)
    again = once(database, study, system)
    assert again.asked == 1
    assert states(database, stored(database)) == ["no response", *["answered"] * 5]
    store.close()


def test_what_a_budget_elsewhere_knows_settles_the_pair(database, study, tmp_path):
    """Of the profile, in another database: the process ended between the two books."""
    store = SqlStore(f"sqlite:///{tmp_path}/elsewhere.sqlite3")
    backend = FakeBackend(script=[failing(OutcomeUnknown("Lost."))] * 2)
    budgets = [Budget(100, name="shop", store=store), Budget(50, name="other", store=store)]
    system = opener(backend, policies=budgets)
    once(database, study, system)
    first, second = database.unresolved(stored(database))
    for entry in store.open_reservations():
        # Of the second call one budget does not know it yet.
        if entry.call.id == first.call.id or entry.key.name == "shop":
            store.finalize(entry, Charged.NO, at=first.since)
    assert once(database, study, system).asked == 1
    assert states(database, stored(database)) == ["answered", "unresolved", *["answered"] * 4]
    assert [one.call.id for one in store.open_reservations()] == [second.call.id]
    store.close()


def test_what_was_set_aside_for_a_call_that_was_not_sent_is_free_again(database, study, address):
    """Its process is gone: the budget is told, and the pair is asked."""
    store = SqlStore(address)
    budget = Budget(100, name="shop", store=store)
    system = opener(policies=[budget])
    with StudyRun(study, {"fake": system}, database) as run:
        (one,) = [system.stored for system in run.systems]
    call = passage()
    database.begin(one.number, 0, call.call)
    budget.enter(call)
    assert len(store.open_reservations()) == 1
    assert once(database, study, system).progress.states == {PairState.ANSWERED: 6}
    (progress,) = store.budgets()
    assert (progress.spent, progress.reserved, progress.unknown) == (6, 0, 0)
    store.close()


def test_a_call_of_which_one_book_knows_nothing_yet_is_not_settled(database, study, address):
    """Two databases, and a try that is under way: all must have said it."""
    here, there = SqlStore(address), SqlStore(f"{address}.there")
    budgets = [Budget(9, name="a", store=here), Budget(9, name="b", store=there)]
    lose = failing(OutcomeUnknown("Lost."))
    once(database, study, opener(FakeBackend(script=[lose]), policies=budgets))
    system = stored(database)
    (left,) = database.unresolved(system)
    stores = [there]
    (entry,) = here.open_reservations()
    here.finalize(entry, Charged.NO, at=left.since)
    assert resolve_by_budgets(database, system, stores) == 0
    # Another try of the same call, which has not ended.
    here.reserve(attrs.evolve(entry, number=2, state="reserved"), Decimal(99))
    (other,) = there.open_reservations()
    there.finalize(other, Charged.NO, at=left.since)
    assert here.charges([left.call.id]) == {left.call.id: Charged.UNKNOWN}
    assert resolve_by_budgets(database, system, stores) == 0
    (second,) = here.open_reservations()
    here.finalize(second, Charged.YES, at=left.since)
    assert resolve_by_budgets(database, system, stores) == 1
    assert states(database, system) == ["no response", *["answered"] * 5]
    here.close()
    there.close()


def test_a_call_is_looked_for_at_once_and_when_it_is_late(database, study, clock):
    """By the reference that it was given; not with every start."""
    looked = []

    class Looking(Recorded):
        def reconcile(self, attempt, *, deadline_s=None):
            looked.append(attempt.caller_ref)
            return super().reconcile(attempt, deadline_s=deadline_s)

    lose = failing(OutcomeUnknown("Lost."))
    backend = Looking(script=[lose, lose], sends_caller_ref=True)
    more = {"keep": ["fake"], "clock": clock}
    once(database, study, opener(backend), **more)
    digest = database.study().digest[:16]
    assert looked == [f"facematch-{digest}-0", f"facematch-{digest}-1"]
    assert [call.caller_ref for call in backend.calls[:2]] == looked
    for minutes, times in ((0, 2), (14, 2), (1, 4), (0, 4), (600, 4)):
        clock.advance(minutes * 60)
        once(database, study, opener(backend), **more)
        assert len(looked) == times
