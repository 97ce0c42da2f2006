import contextlib
import sqlite3
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from kit.attempts import new_attempt
from kit.comparison.studies import (
    RecordingBackend,
    charged_answer,
    fail_with,
    opener,
    pair_states,
    run_once,
    stored_system,
    write_study,
)
from kit.fakes import FakeBackend

from facematch_comparison.run import StudyRun, read_answers
from facematch_comparison.run.pairs import PairState
from facematch_comparison.run.recover import look_for_calls, resolve_by_budgets
from facematch_core import (
    Billing,
    Charged,
    ConfigurationError,
    Environment,
    FaceVerifier,
    Retention,
    Score,
)
from facematch_core.errors import AuthenticationFailed, OutcomeUnknown, VendorUnavailable
from facematch_core.models import Ids
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore

pytestmark = pytest.mark.usefixtures("in_file_order")

LOST = OutcomeUnknown("Lost.", reconcilable=True)

#: A call is looked for again after this time.
LATE = timedelta(minutes=16)


@pytest.fixture
def store(address):
    """The books of budgets, in the file of the run database."""
    with contextlib.closing(SqlStore(address)) as opened:
        yield opened


def shop(store):
    return [Budget(100, name="shop", store=store)]


def sums(store):
    """Spent, reserved and unknown, of the one budget."""
    (progress,) = store.budgets()
    return progress.spent, progress.reserved, progress.unknown


def replaced(database, step, errors, *, is_written=False):
    """The database fails at a step, with each of these errors and then no more."""
    real = getattr(database, step)

    def failing_first(*about):
        done = real(*about) if is_written or not errors else None
        if errors:
            raise errors.pop(0)
        return done

    setattr(database, step, failing_first)


FREE_OF_CHARGE = {"billed_operations": frozenset()}


@pytest.mark.parametrize(
    ("more", "states"),
    [
        ({}, ["begun", "asked"]),
        ({"environment": Environment.MOCK, **FREE_OF_CHARGE}, ["begun", "asked"]),
        ({"environment": Environment.LOCAL, **FREE_OF_CHARGE}, ["free", "free"]),
    ],
    ids=["charged", "elsewhere", "here"],
)
def test_each_step_is_written_before_the_next_is_made(database, tmp_path, address, more, states):
    """Named before anything is reserved; asked before the first byte; ended after."""
    seen, ids = [], []

    class Watching(FakeBackend):
        def match(self, call):
            seen.append(pair_states(database)[0])
            # As another program reads it.
            with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as file:
                rows = file.execute("SELECT call_id FROM facematch_comparisons").fetchall()
            ids.append(rows == [(call.call_id,)])
            result = super().match(call)
            seen.append(pair_states(database)[0])
            return result

    run_once(database, write_study(tmp_path / "one", pairs=1), opener(Watching(**more)))
    assert (seen, ids) == (states, [states[0] == "begun"])
    assert pair_states(database) == ["answered"]


@pytest.mark.parametrize(
    ("step", "error", "is_written"),
    [
        ("ask", ConfigurationError("The disk is full."), False),
        ("ask", MemoryError(), False),
        ("begin", ConfigurationError("Busy."), True),
        ("ask", ConfigurationError("Busy."), True),
    ],
)
def test_no_byte_leaves_that_nothing_would_remember(  # noqa: PLR0917 - fixtures
    database, study, store, step, error, is_written
):
    """An exception of a hook is logged as a rule, and the call goes on; not this one."""
    replaced(database, step, [error], is_written=is_written)
    system = opener(policies=shop(store))
    summary = run_once(database, study, system)
    assert type(summary.error) is ConfigurationError
    # The scripted backend was called once, and was stopped where it wanted to send.
    assert (pair_states(database), store.open_reservations()) == (["free"] * 6, ())
    assert run_once(database, study, system).progress.states == {PairState.ANSWERED: 6}
    assert sums(store) == (6, 0, 0)


def test_a_pair_that_something_else_began_is_not_asked(database, study):
    """It ends the system: who changes the database behind a run may pay twice."""
    backend = FakeBackend()
    beginning, stolen = database.begin, []

    def begin(system, pair, call):
        if not stolen:
            stolen.append(pair)
            beginning(system, pair, attrs.evolve(call, id="somebody else's"))
        beginning(system, pair, call)

    database.begin = begin
    summary = run_once(database, study, opener(backend))
    assert "pair 1 has changed unexpectedly" in summary.error.message
    assert backend.calls == []
    assert pair_states(database) == ["begun", *["free"] * 5]


def test_a_paid_answer_is_written_as_soon_as_that_works_again(database, study, clock):
    replaced(database, "end", [ConfigurationError("Busy.")] * 2)
    summary = run_once(database, study, opener(), clock=clock)
    assert (summary.progress.states, summary.error) == ({PairState.ANSWERED: 6}, None)


def test_what_was_asked_when_the_database_went_away_is_unknown(database, study, clock):
    ended = []
    replaced(database, "end", [ConfigurationError("Gone.")] * 99)
    summary = run_once(
        database, study, opener(), clock=clock, progress=lambda *pair_end: ended.append(pair_end)
    )
    assert summary.error.message == "Gone."
    assert (summary.asked, ended) == (0, [])
    assert pair_states(database) == ["asked", *["free"] * 5]


def kept_and_lost(backend, **more):
    """A step of a script: the records have the answer, which is lost on its way."""

    def lose(call):
        backend.records[call.call_id] = charged_answer(ids=Ids(call=call.call_id), **more)(call)
        raise LOST

    return lose


def test_a_lost_answer_is_found_in_the_records_if_it_was_kept(database, study, store):
    backend = RecordingBackend()
    backend.script = [kept_and_lost(backend)]
    summary = run_once(database, study, opener(backend, policies=shop(store)), keep=["fake"])
    assert (summary.progress.states, sums(store)) == ({PairState.ANSWERED: 6}, (6, 0, 0))
    assert all(call.retention is Retention.KEEP for call in backend.calls)
    (answers,) = read_answers(database, database.study())
    assert "asked to keep each call" in answers.privacy


@pytest.mark.parametrize(
    "other",
    [{"score": Score(0.9, "fake/v2")}, {"environment": Environment.MOCK}],
    ids=["scale", "environment"],
)
@pytest.mark.parametrize(
    ("billed", "state", "spent", "unknown"),
    [
        (Charged.YES, "no response", 6, 0),
        (Charged.NO, "free", 5, 0),
        (Charged.UNKNOWN, "unresolved", 5, 1),
    ],
)
def test_a_found_answer_that_does_not_belong_brings_its_charge_alone(  # noqa: PLR0917 - fixtures
    database, study, store, other, billed, state, spent, unknown
):
    """As one that comes by itself: such answers do not compare with those before."""
    backend = RecordingBackend(script=[None, fail_with(LOST)], environment=None)
    run_once(database, study, opener(backend, policies=shop(store)), keep=["fake"])
    system = stored_system(database)
    (charge,) = database.unresolved(system)
    call_id, verifier = charge.call.id, FaceVerifier(backend)
    facts = {"billing": Billing(billed), "ids": Ids(call=call_id), **other}
    backend.records[call_id] = charged_answer(**facts)(backend.calls[1])
    look_for_calls(database, system, verifier, [store], charge.since + LATE)
    assert pair_states(database, system) == ["answered", state, *["answered"] * 4]
    assert sums(store) == (spent, 0, unknown)
    # What is known to be charged stays so, whatever else the records say of it.
    unsaid = attrs.evolve(backend.records[call_id], billing=Billing(Charged.UNKNOWN))
    backend.records[call_id] = unsaid
    look_for_calls(database, system, verifier, [store], charge.since + LATE)
    assert pair_states(database, system)[1] == state


def test_what_a_budget_in_the_same_file_knows_resolves_the_pair(database, study, store):
    backend = FakeBackend(script=[fail_with(LOST)] * 2)
    system = opener(backend, policies=shop(store))
    run_once(database, study, system)
    charges = database.unresolved(stored_system(database))
    entries = {entry.call.id: entry for entry in store.open_reservations()}
    assert set(entries) == {charge.call.id for charge in charges}
    for charge, billed in zip(charges, (Charged.YES, Charged.NO), strict=True):
        store.finalize(entries[charge.call.id], billed, at=charge.since)
    # What was free is asked again.
    assert run_once(database, study, system).asked == 1
    assert pair_states(database) == ["no response", *["answered"] * 5]


def test_what_all_budgets_elsewhere_know_resolves_the_pair(database, study, tmp_path):
    """Of the profile, in another database: the process ended between the two books."""
    with contextlib.closing(SqlStore(f"sqlite:///{tmp_path}/elsewhere.sqlite3")) as store:
        budgets = [Budget(100, name="shop", store=store), Budget(50, name="other", store=store)]
        system = opener(FakeBackend(script=[fail_with(LOST)] * 2), policies=budgets)
        run_once(database, study, system)
        first, second = database.unresolved(stored_system(database))
        for entry in store.open_reservations():
            # Of the second call one budget does not know it yet.
            if entry.call.id == first.call.id or entry.key.name == "shop":
                store.finalize(entry, Charged.NO, at=first.since)
        assert run_once(database, study, system).asked == 1
        assert pair_states(database) == ["answered", "unresolved", *["answered"] * 4]
        assert [entry.call.id for entry in store.open_reservations()] == [second.call.id]


def begun_call(database, study, store):
    """A system with a budget, as it is stored, and its first call: begun and reserved, not sent."""
    (budget,) = shop(store)
    system = opener(policies=[budget])
    with StudyRun(study, {"fake": system}, database) as run:
        (stored_system,) = [system.stored for system in run.systems]
    call = new_attempt()
    database.begin(stored_system.number, 0, call.call)
    budget.enter(call)
    return system, stored_system, call


def test_what_was_set_aside_for_a_call_that_was_not_sent_is_free_again(database, study, store):
    system, _, _ = begun_call(database, study, store)
    assert len(store.open_reservations()) == 1
    assert run_once(database, study, system).progress.states == {PairState.ANSWERED: 6}
    assert sums(store) == (6, 0, 0)


def test_what_a_killed_run_had_asked_is_unknown_to_its_budget_at_once(database, study, store):
    """The same call is not reserved in one place and unresolved in the other."""
    system, stored_system, call = begun_call(database, study, store)
    database.ask(stored_system.number, 0, call.call.id)
    assert sums(store) == (0, 1, 0)
    with StudyRun(study, {"fake": system}, database):
        assert (pair_states(database, stored_system)[0], sums(store)) == ("unresolved", (0, 0, 1))
    # Only an unresolved call is resolved, and for good.
    this = stored_system.number, call.call.id
    assert [database.resolve(*this, billed) for billed in (Charged.YES, Charged.NO)] == [
        True,
        False,
    ]


def test_a_call_of_which_one_book_knows_nothing_yet_stays_unresolved(database, study, address):
    """Two databases, and a try that is under way: all must have said it."""
    here, there = SqlStore(address), SqlStore(f"{address}.there")
    budgets = [Budget(9, name="a", store=here), Budget(9, name="b", store=there)]
    run_once(database, study, opener(FakeBackend(script=[fail_with(LOST)]), policies=budgets))
    system = stored_system(database)
    (charge,) = database.unresolved(system)
    (entry,) = here.open_reservations()
    here.finalize(entry, Charged.NO, at=charge.since)
    assert resolve_by_budgets(database, system, [there]) == 0
    # Another try of the same call, which has not ended.
    here.reserve(attrs.evolve(entry, number=2, state="reserved"), Decimal(99))
    (other,) = there.open_reservations()
    there.finalize(other, Charged.NO, at=charge.since)
    assert here.charges([charge.call.id]) == {charge.call.id: Charged.UNKNOWN}
    assert resolve_by_budgets(database, system, [there]) == 0
    (second,) = here.open_reservations()
    here.finalize(second, Charged.YES, at=charge.since)
    assert resolve_by_budgets(database, system, [there]) == 1
    assert pair_states(database, system) == ["no response", *["answered"] * 5]
    here.close()
    there.close()


def test_a_call_is_looked_for_at_once_and_when_it_is_late(database, study, clock):
    looked = []

    class Looking(RecordingBackend):
        def reconcile(self, attempt, *, deadline):
            looked.append(attempt.caller_ref)
            return super().reconcile(attempt, deadline=deadline)

    backend = Looking(script=[fail_with(LOST)] * 2, sends_caller_ref=True)
    more = {"keep": ["fake"], "clock": clock}
    run_once(database, study, opener(backend), **more)
    digest = database.study().digest[:16]
    assert looked == [f"facematch-{digest}-0", f"facematch-{digest}-1"]
    assert [call.caller_ref for call in backend.calls[:2]] == looked
    for minutes, times in ((0, 2), (14, 2), (1, 4), (0, 4), (600, 4)):
        clock.advance(minutes * 60)
        run_once(database, study, opener(backend), **more)
        assert len(looked) == times


@pytest.mark.parametrize(
    ("error", "searches"), [(VendorUnavailable("Down."), 2), (AuthenticationFailed("No."), 1)]
)
def test_a_search_that_fails_ends_nothing(database, study, error, searches):
    """Nothing is known of these calls: each start looks for them."""
    looked = []

    class Failing(RecordingBackend):
        def reconcile(self, attempt, *, deadline):
            looked.append(attempt.id)
            raise error

    backend = Failing(script=[fail_with(LOST)] * 2)
    for start in (1, 3):
        summary = run_once(database, study, opener(backend), keep=["fake"])
        assert (summary.error, len(looked)) == (None, start * searches)
    assert pair_states(database) == ["unresolved"] * 2 + ["answered"] * 4
