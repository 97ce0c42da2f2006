"""Calls that end without an answer, and runs that end before their calls: nothing is paid twice."""

import contextlib
import sqlite3
from datetime import timedelta

import attrs
import pytest
from kit.attempts import new_attempt
from kit.comparison.studies import (
    RecordingBackend,
    ask_pair,
    begin_pair,
    charged_answer,
    enter_system,
    fail_with,
    opener,
    pair_outcome,
    pair_states,
    run_once,
    stored_system,
    write_study,
)
from kit.fakes import FakeBackend
from mutants.reference import JobSimulator

from facematch_comparison import PairState, StudyRun, read_answers
from facematch_core import (
    Billing,
    Charged,
    ConfigurationError,
    Environment,
    FaceVerifier,
    Retention,
    Retry,
    Score,
)
from facematch_core.errors import (
    AuthenticationFailed,
    BreakerOpen,
    OutcomeUnknown,
    RateLimited,
    VendorUnavailable,
)
from facematch_core.models import Ids
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_core.testing import ManualClock, Situation

pytestmark = pytest.mark.usefixtures("in_file_order")

LOST = OutcomeUnknown("Lost.", reconcilable=True)

BUSY = ConfigurationError("Busy.")

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
        ({"environment": Environment.LOCAL, **FREE_OF_CHARGE}, ["begun", "asked"]),
    ],
    ids=["charged", "elsewhere", "here"],
)
def test_each_step_is_stored_before_the_next(database, tmp_path, address, more, states):
    """Named before anything is reserved; asked before the first byte; ended after."""
    seen, ids = [], []

    class Watching(FakeBackend):
        def match(self, request):
            seen.append(pair_states(database)[0])
            # As another program reads it.
            with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as file:
                rows = file.execute("SELECT call_id FROM facematch_comparisons").fetchall()
            ids.append(rows == [(request.call_id,)])
            result = super().match(request)
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
        ("begin", BUSY, True),
        ("ask", BUSY, True),
    ],
)
def test_nothing_is_sent_if_it_cannot_be_stored(  # noqa: PLR0917 - fixtures
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


def test_a_pair_started_by_another_process_is_not_sent(database, study):
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


@pytest.mark.parametrize(("failures", "asked"), [(3, 6), (4, 0)])
def test_a_paid_answer_is_stored_once_the_database_works_again(database, study, failures, asked):
    replaced(database, "end", [BUSY] * failures)
    summary = run_once(database, study, opener(), clock=ManualClock())
    assert (summary.asked, summary.error is None) == (asked, asked > 0)
    assert pair_states(database) == (["answered"] * 6 if asked else ["asked", *["free"] * 5])


def kept_and_lost(backend, **more):
    """A step of a script: the records have the answer, which is lost on its way."""

    def lose(call):
        backend.records[call.call_id] = charged_answer(ids=Ids(call=call.call_id), **more)(call)
        raise LOST

    return lose


def test_a_lost_answer_is_found_in_the_vendors_records_if_stored(database, tmp_path, store):
    study, backend = write_study(tmp_path / "one", pairs=1), RecordingBackend()
    backend.script = [kept_and_lost(backend)]
    summary = run_once(database, study, opener(backend, policies=shop(store)), keep=["fake"])
    assert (summary.progress.states, sums(store)) == ({PairState.ANSWERED: 1}, (1, 0, 0))
    assert all(call.retention is Retention.KEEP for call in backend.calls)
    (answers,) = read_answers(database)
    assert (answers.scale, answers.scores.tolist()) == ("fake/v1", [80])
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
def test_a_found_answer_of_other_settings_only_counts_its_charge(  # noqa: PLR0917 - fixtures
    database, study, store, other, billed, state, spent, unknown
):
    """As one that comes by itself: such answers do not compare with those before."""
    backend = RecordingBackend(script=[None, fail_with(LOST)], environment=None)
    run_once(database, study, opener(backend, policies=shop(store)), keep=["fake"])
    system = stored_system(database)
    (charge,) = database.unresolved(system)
    call_id, clock = charge.call.id, ManualClock(charge.since + LATE)
    facts = {"billing": Billing(billed), "ids": Ids(call=call_id), **other}
    backend.records[call_id] = charged_answer(**facts)(backend.calls[1])

    def look():
        systems = {"fake": opener(backend, policies=shop(store))}
        with StudyRun(study, systems, database, keep=["fake"], clock=clock) as run:
            run.run(stop=lambda: True)

    look()
    assert pair_states(database, system) == ["answered", state, *["answered"] * 4]
    assert sums(store) == (spent, 0, unknown)
    # What is known to be charged stays so, whatever else the records say of it.
    unsaid = attrs.evolve(backend.records[call_id], billing=Billing(Charged.UNKNOWN))
    backend.records[call_id] = unsaid
    look()
    assert pair_states(database, system)[1] == state


def test_a_found_answer_belongs_to_its_pair(database, study):
    backend = RecordingBackend()
    backend.script = [fail_with(LOST), kept_and_lost(backend)]
    run_once(database, study, opener(backend), keep=["fake"])
    assert pair_states(database) == ["unresolved", *["answered"] * 5]


def test_transitions_are_allowed_from_their_states_only(database):
    system = enter_system(database)
    with pytest.raises(ConfigurationError):
        database.ask(system.number, 0, "unknown")
    call = begin_pair(database, system)
    with pytest.raises(ConfigurationError):
        database.repeat(system.number, 0, call.id)
    database.ask(system.number, 0, call.id)
    database.end(system.number, 0, pair_outcome(PairState.UNRESOLVED, call.id))
    with pytest.raises(ConfigurationError):
        database.begin(system.number, 0, call)
    for state in ("unresolved", "no response"):
        assert pair_states(database, system)[0] == state
        with pytest.raises(ConfigurationError):
            database.end(system.number, 0, pair_outcome(PairState.FREE, call.id))
        database.resolve(system.number, call.id, Charged.YES)


@pytest.mark.parametrize(("billed", "maybe_charged", "left"), [(True, 1, 5), (False, 0, 6)])
def test_a_sent_call_of_a_billed_system_may_be_charged(database, billed, maybe_charged, left):
    system = enter_system(database, billed=billed)
    ask_pair(database, system)
    progress = database.progress(system.number)
    assert (progress.maybe_charged, progress.left) == (maybe_charged, left)


def test_a_system_that_becomes_billed_is_not_called_again(database):
    enter_system(database, billed=False)
    system = enter_system(database, billed=True)
    ask_pair(database, system)
    database.take_back(enter_system(database, billed=False), lambda *_: None)
    assert pair_states(database, system)[0] == "unresolved"


def test_a_charge_known_to_every_budget_resolves_a_pair(database, study, store, tmp_path):
    """The process ended between the two books: one in the file of the run, one elsewhere."""
    with contextlib.closing(SqlStore(f"sqlite:///{tmp_path}/elsewhere.sqlite3")) as elsewhere:
        budgets = [
            Budget(100, name=name, store=each)
            for name, each in zip("ab", (store, elsewhere), strict=True)
        ]
        system = opener(FakeBackend(script=[fail_with(LOST)] * 4), policies=budgets)
        run_once(database, study, system)
        charges = database.unresolved(stored_system(database))
        known = [
            (Charged.NO, Charged.NO),
            (Charged.YES, Charged.NO),
            (Charged.YES, None),
            (None, Charged.NO),
        ]
        for charge, of_call in zip(charges, known, strict=True):
            for book, billed in zip((store, elsewhere), of_call, strict=True):
                (entry,) = (
                    each for each in book.open_reservations() if each.call.id == charge.call.id
                )
                if billed is not None:
                    book.finalize(entry, billed, at=charge.since)
        # What was free is asked again.
        assert run_once(database, study, system).asked == 1
    states = ["answered", "no response", "unresolved", "unresolved", "answered", "answered"]
    assert pair_states(database) == states


@pytest.mark.parametrize(
    ("is_sent", "state", "of_budget"), [(False, "free", (0, 0, 0)), (True, "unresolved", (0, 0, 1))]
)
def test_after_a_kill_database_and_budget_agree(  # noqa: PLR0917
    database, study, store, is_sent, state, of_budget
):
    """The same call is not reserved in one place and free, or unresolved, in the other."""
    (budget,) = shop(store)
    system, call = opener(policies=[budget]), new_attempt()
    with StudyRun(study, {"fake": system}, database) as run:
        number = run.systems[0].stored.number
    database.begin(number, 0, call.call)
    budget.enter(call)
    if is_sent:
        database.ask(number, 0, call.call.id)
    assert sums(store) == (0, 1, 0)
    with StudyRun(study, {"fake": system}, database):
        assert (pair_states(database)[0], sums(store)) == (state, of_budget)
    # Only an unresolved call is resolved, and for good.
    resolved = [
        database.resolve(number, call.call.id, billed) for billed in (Charged.YES, Charged.NO)
    ]
    assert resolved == [is_sent, False]
    run_once(database, study, system)
    assert sums(store) == (6 - is_sent, 0, is_sent)


def test_a_lost_call_is_searched_at_once_and_again_later(database, study, clock):
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
def test_a_failed_search_does_not_end_the_run(database, study, error, searches):
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


def test_a_kill_between_two_attempts_costs_nothing(database, study, clock):
    """Whoever is killed while it waits for the next attempt has paid nothing."""
    waiting, sleep = [], clock.sleep

    def look(seconds):
        waiting.append(pair_states(database)[0])
        sleep(seconds)

    clock.sleep = look
    backend = FakeBackend(script=[fail_with(RateLimited("Slower.")), fail_with(LOST)])
    run_once(database, study, opener(backend, retry=Retry(), clock=clock), clock=clock)
    assert (waiting, len(backend.calls)) == (["begun"], 7)
    assert database.unresolved(stored_system(database))[0].since == clock.now()


def test_a_lost_commit_reply_causes_no_second_charge(database, tmp_path, clock):
    """A pair is free again once that is certain: no other thread has it before."""
    study = write_study(tmp_path / "pictures", pairs=1)
    end, written = database.end, []
    refusal = BreakerOpen("Down.", retry_after_s=0.01, billing=Billing(Charged.NO))
    backend = FakeBackend(script=[refusal, charged_answer()])

    def ending(system, pair, outcome):
        written.append((outcome.state, len(backend.calls)))
        done = end(system, pair, outcome)
        if len(written) == 1:
            raise BUSY
        return done

    database.end = ending
    run_once(database, study, opener(backend), workers=2, clock=clock)
    assert pair_states(database) == ["answered"]
    assert written == [("free", 1), ("free", 1), ("answered", 2)]


@pytest.mark.parametrize(
    ("is_billed", "asks", "state", "charged"),
    [
        (True, False, "free", Charged.NO),
        (True, True, "unresolved", Charged.UNKNOWN),
        (False, True, "free", Charged.NO),
    ],
)
def test_a_lost_call_is_free_once_every_budget_has_it_as_uncharged(
    database, is_billed, asks, state, charged
):
    other = enter_system(database, 2, name="other")
    ask_pair(database, other)
    database.end(other.number, 1, pair_outcome(PairState.FAILED, None))
    system = enter_system(database, 2, billed=is_billed)
    call = begin_pair(database, system)
    if asks:
        database.ask(system.number, 0, call.id)
    before, reported = pair_states(database, system), []

    def busy(call_ids, _billed):
        if call_ids:
            raise BUSY

    with pytest.raises(ConfigurationError):
        database.take_back(system, busy)
    assert pair_states(database, system) == before
    database.take_back(system, lambda calls, billed: reported.extend([billed] * len(calls)))
    assert (reported, pair_states(database, system)) == ([charged], [state, "free"])
    assert pair_states(database, other) == ["asked", "failed"]


def test_a_pair_stays_unresolved_while_its_budget_is_unavailable(database, study, store):
    ask, finalize = database.ask, store.finalize
    database.ask = store.finalize = lambda *_args, **_more: fail_with(BUSY)(None)
    system = opener(policies=shop(store))
    assert run_once(database, study, system).progress.left == 6
    assert pair_states(database) == ["begun", *["free"] * 5]
    store.finalize, database.ask = finalize, ask
    assert run_once(database, study, system).progress.states == {PairState.ANSWERED: 6}
    assert sums(store) == (6, 0, 0)


@pytest.fixture
def vendor():
    with JobSimulator() as simulator:
        yield simulator


@pytest.fixture
def slow(vendor, clock, store):
    vendor.set_situation(Situation.NEVER_DONE)
    more = {"clock": clock, "deadline_s": 5, "policies": shop(store)}
    return lambda on_event: FaceVerifier(vendor.backend(), on_event=on_event, **more)


def test_a_paid_job_is_polled_by_the_next_run(  # noqa: PLR0917 - fixtures
    database, study, clock, vendor, slow, store
):
    summary = run_once(database, study, slow, clock=clock)
    assert summary.progress.states == {PairState.NO_RESPONSE: 6}
    assert (vendor.charges, summary.progress.charged) == (6, 6)
    charges = database.unresolved(stored_system(database))
    assert len({charge.call.vendor_id for charge in charges} - {None}) == 6
    assert all(charge.call.retention is Retention.MINIMAL for charge in charges)
    vendor.set_situation(Situation.SAME_PERSON)
    again = run_once(database, study, slow, clock=clock)
    assert (again.asked, vendor.charges) == (0, 6)
    assert pair_states(database) == ["answered"] * 6
    assert (again.progress.charged, again.progress.maybe_charged) == (6, 0)
    assert sums(store) == (6, 0, 0)


def test_a_job_finished_before_the_end_of_the_run_is_read(database, study, clock, vendor, slow):
    def done_by_now(_name, _state):
        vendor.set_situation(Situation.SAME_PERSON)

    summary = run_once(database, study, slow, clock=clock, progress=done_by_now)
    assert summary.progress.states == {PairState.ANSWERED: 6}
    assert vendor.charges == 6
