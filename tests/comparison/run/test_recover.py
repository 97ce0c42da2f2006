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

from facematch_comparison import PairState, StudyRun, read_answers
from facematch_core import (
    Billing,
    Charged,
    ConfigurationError,
    Environment,
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
from facematch_core.testing import ManualClock

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


def money(store):
    """Spent, reserved and unknown, of the one budget."""
    (progress,) = store.budgets()
    return progress.spent, progress.reserved, progress.unknown


def fail_first(database, step, errors, *, is_written=False):
    """Fail at a step with each of these errors; with `is_written` once it is stored."""
    run_step = getattr(database, step)

    def fail_then_run(*arguments):
        if not errors:
            return run_step(*arguments)
        if is_written:
            run_step(*arguments)
        raise errors.pop(0)

    setattr(database, step, fail_then_run)


@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param({}, id="charged"),
        pytest.param(
            {"environment": Environment.MOCK, "billed_operations": frozenset()}, id="elsewhere"
        ),
        pytest.param(
            {"environment": Environment.LOCAL, "billed_operations": frozenset()}, id="here"
        ),
    ],
)
def test_each_step_is_stored_before_the_next(database, tmp_path, address, vendor):
    """Named before anything is reserved; asked before the first byte; ended after."""
    states = []
    calls_in_file = []

    class Watching(FakeBackend):
        def match(self, request):
            states.extend(pair_states(database))
            # As another program reads it.
            with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as file:
                calls_in_file.extend(file.execute("SELECT call_id FROM facematch_comparisons"))
            result = super().match(request)
            states.extend(pair_states(database))
            return result

    backend = Watching(**vendor)
    run_once(database, write_study(tmp_path / "one", pairs=1), opener(backend))
    assert [*states, *pair_states(database)] == ["begun", "asked", "answered"]
    assert calls_in_file == [(backend.calls[0].call_id,)]


def test_a_call_of_a_backend_that_does_not_report_its_first_byte_may_be_sent_at_once(
    database, tmp_path, clock
):
    """Also after an attempt without a charge: a kill must leave it unresolved, not free."""
    states = []

    class Silent(FakeBackend):
        reports_sent = False

        def match(self, request):
            states.extend(pair_states(database))
            return super().match(request)

    study = write_study(tmp_path / "one", pairs=1)
    backend = Silent(script=[fail_with(RateLimited("Slower."))])
    system = opener(backend, retry=Retry(), clock=clock)
    run_once(database, study, system, clock=clock)
    assert (states, pair_states(database)) == (["asked", "asked"], ["answered"])


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
    fail_first(database, step, [error], is_written=is_written)
    system = opener(policies=shop(store))
    summary = run_once(database, study, system)
    assert type(summary.error) is ConfigurationError
    # The scripted backend was called once, and was stopped where it wanted to send.
    assert (pair_states(database), store.open_reservations()) == (["free"] * 6, ())
    assert run_once(database, study, system).progress.states == {PairState.ANSWERED: 6}
    assert money(store) == (6, 0, 0)


def test_a_pair_started_by_another_process_is_not_sent(database, study):
    """It ends the system: who changes the database behind a run may pay twice."""
    backend = FakeBackend()
    begin = database.begin

    def begin_after_another(system, pair, call, pictures):
        database.begin = begin
        begin(system, pair, attrs.evolve(call, id="somebody else's"))
        begin(system, pair, call, pictures)

    database.begin = begin_after_another
    summary = run_once(database, study, opener(backend))
    assert "pair 1 has changed unexpectedly" in summary.error.message
    assert backend.calls == []
    assert pair_states(database) == ["begun"] + ["free"] * 5


def test_a_paid_answer_is_stored_once_the_database_works_again(database, study):
    fail_first(database, "end", [BUSY] * 3)
    summary = run_once(database, study, opener(), clock=ManualClock())
    assert (summary.asked, summary.error) == (6, None)
    assert pair_states(database) == ["answered"] * 6


def test_a_database_that_fails_four_times_ends_the_system(database, study):
    fail_first(database, "end", [BUSY] * 4)
    summary = run_once(database, study, opener(), clock=ManualClock())
    assert summary.asked == 0
    assert summary.error is not None
    assert pair_states(database) == ["asked"] + ["free"] * 5


def kept_and_lost(backend):
    """A step of a script: the records have the answer, which is lost on its way."""

    def lose(call):
        backend.records[call.call_id] = charged_answer(ids=Ids(call=call.call_id))(call)
        raise LOST

    return lose


def test_a_lost_answer_is_found_in_the_vendors_records_if_stored(database, tmp_path, store):
    study = write_study(tmp_path / "one", pairs=1)
    backend = RecordingBackend()
    backend.script = [kept_and_lost(backend)]
    summary = run_once(database, study, opener(backend, policies=shop(store)), keep=["fake"])
    assert summary.progress.states == {PairState.ANSWERED: 1}
    assert money(store) == (1, 0, 0)
    assert [call.retention for call in backend.calls] == [Retention.KEEP]
    (answers,) = read_answers(database)
    assert (answers.scale, answers.scores.tolist()) == ("fake/v1", [80])


class LostCall:
    """The second of six calls, whose answer was lost; the vendor's records have it later."""

    def __init__(self, database, study, policies):
        self._database = database
        self._study = study
        self._backend = RecordingBackend(script=[None, fail_with(LOST)], environment=None)
        self._opener = opener(self._backend, policies=policies)
        run_once(database, study, self._opener, keep=["fake"])
        (self._charge,) = database.unresolved(stored_system(database))

    def find(self, **attributes):
        """Start a run that finds this answer, and return the state of the pair."""
        call_id = self._charge.call.id
        result = charged_answer(ids=Ids(call=call_id), **attributes)(self._backend.calls[1])
        self._backend.records[call_id] = result
        clock = ManualClock(self._charge.since + LATE)
        systems = {"fake": self._opener}
        with StudyRun(self._study, systems, self._database, keep=["fake"], clock=clock) as run:
            run.run(stop=lambda: True)
        first, state, *others = pair_states(self._database)
        assert [first, *others] == ["answered"] * 5
        return state


OTHER_SETTINGS = pytest.mark.parametrize(
    "other",
    [{"score": Score(0.9, "fake/v2")}, {"environment": Environment.MOCK}],
    ids=["scale", "environment"],
)


@OTHER_SETTINGS
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
    lost_call = LostCall(database, study, shop(store))
    assert lost_call.find(billing=Billing(billed), **other) == state
    assert money(store) == (spent, 0, unknown)


@OTHER_SETTINGS
def test_what_is_known_to_be_charged_stays_so(database, study, store, other):
    lost_call = LostCall(database, study, shop(store))
    lost_call.find(billing=Billing(Charged.YES), **other)
    assert lost_call.find(billing=Billing(Charged.UNKNOWN), **other) == "no response"


def test_a_found_answer_belongs_to_its_pair(database, study):
    backend = RecordingBackend()
    backend.script = [fail_with(LOST), kept_and_lost(backend)]
    run_once(database, study, opener(backend), keep=["fake"])
    assert pair_states(database) == ["unresolved"] + ["answered"] * 5


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


@pytest.mark.parametrize("state", [PairState.UNRESOLVED, PairState.NO_RESPONSE])
def test_a_call_that_ended_without_an_answer_does_not_end_again(database, state):
    system = enter_system(database)
    call = ask_pair(database, system)
    database.end(system.number, 0, pair_outcome(state, call.id))
    with pytest.raises(ConfigurationError):
        database.end(system.number, 0, pair_outcome(PairState.FREE, call.id))
    assert pair_states(database, system)[0] == state


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
    database.recover_from_dead_run(enter_system(database, billed=False), lambda *_: None)
    assert pair_states(database, system)[0] == "unresolved"


def test_a_charge_known_to_every_budget_resolves_a_pair(database, study, store, tmp_path):
    """The process ended between the two books: one in the file of the run, one elsewhere."""

    def note(book, charge, billed):
        (entry,) = (entry for entry in book.open_reservations() if entry.call.id == charge.call.id)
        book.finalize(entry, billed, at=charge.since)

    with contextlib.closing(SqlStore(f"sqlite:///{tmp_path}/elsewhere.sqlite3")) as elsewhere:
        budgets = [Budget(100, name="a", store=store), Budget(100, name="b", store=elsewhere)]
        system = opener(FakeBackend(script=[fail_with(LOST)] * 4), policies=budgets)
        run_once(database, study, system)
        free, charged, half_charged, half_free = database.unresolved(stored_system(database))
        note(store, free, Charged.NO)
        note(elsewhere, free, Charged.NO)
        note(store, charged, Charged.YES)
        note(elsewhere, charged, Charged.NO)
        note(store, half_charged, Charged.YES)
        note(elsewhere, half_free, Charged.NO)
        # What was free is asked again.
        assert run_once(database, study, system).asked == 1
    states = ["answered", "no response", "unresolved", "unresolved", "answered", "answered"]
    assert pair_states(database) == states


@pytest.mark.parametrize(
    ("is_sent", "state", "unknown"), [(False, "free", 0), (True, "unresolved", 1)]
)
def test_after_a_kill_database_and_budget_agree(  # noqa: PLR0917
    database, study, store, is_sent, state, unknown
):
    """The same call is not reserved in one place and free, or unresolved, in the other."""
    (budget,) = shop(store)
    system = opener(policies=[budget])
    attempt = new_attempt()
    with StudyRun(study, {"fake": system}, database) as run:
        number = run.systems[0].stored.number
    database.begin(number, 0, attempt.call)
    budget.enter(attempt)
    if is_sent:
        database.ask(number, 0, attempt.call.id)
    assert money(store) == (0, 1, 0)
    with StudyRun(study, {"fake": system}, database):
        assert pair_states(database)[0] == state
        assert money(store) == (0, 0, unknown)
    # Only an unresolved call is resolved, and for good.
    assert database.resolve(number, attempt.call.id, Charged.YES) is is_sent
    assert database.resolve(number, attempt.call.id, Charged.NO) is False
    run_once(database, study, system)
    assert money(store) == (6 - unknown, 0, unknown)


class SearchedBackend(RecordingBackend):
    """Notes the calls that are looked for in its records, which fail with `error`."""

    error = None

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.searched = []

    def reconcile(self, call, *, deadline):
        self.searched.append(call.caller_ref)
        if self.error:
            raise self.error
        return super().reconcile(call, deadline=deadline)


def test_a_lost_call_is_searched_at_once_and_again_later(database, study, clock):
    backend = SearchedBackend(script=[fail_with(LOST)] * 2, sends_caller_ref=True)

    def searches_after(minutes):
        clock.advance(minutes * 60)
        run_once(database, study, opener(backend), keep=["fake"], clock=clock)
        return len(backend.searched)

    assert searches_after(minutes=0) == 2
    digest = database.study().digest[:16]
    assert backend.searched == [f"facematch-{digest}-0", f"facematch-{digest}-1"]
    assert [call.caller_ref for call in backend.calls[:2]] == backend.searched
    assert searches_after(minutes=0) == 2
    assert searches_after(minutes=14) == 2
    assert searches_after(minutes=1) == 4
    assert searches_after(minutes=0) == 4
    assert searches_after(minutes=600) == 4


@pytest.mark.parametrize(
    ("error", "searches"), [(VendorUnavailable("Down."), 2), (AuthenticationFailed("No."), 1)]
)
def test_a_failed_search_does_not_end_the_run(database, study, error, searches):
    """Nothing is known of these calls: each start looks for them, at once and in the end."""
    backend = SearchedBackend(script=[fail_with(LOST)] * 2)
    backend.error = error
    first = run_once(database, study, opener(backend), keep=["fake"])
    assert (first.error, len(backend.searched)) == (None, searches)
    second = run_once(database, study, opener(backend), keep=["fake"])
    assert (second.error, len(backend.searched)) == (None, 3 * searches)
    assert pair_states(database) == ["unresolved"] * 2 + ["answered"] * 4


def test_a_kill_between_two_attempts_costs_nothing(database, study, clock):
    """Whoever is killed while it waits for the next attempt has paid nothing."""
    sleep = clock.sleep
    states_while_waiting = []

    def note_and_sleep(seconds):
        states_while_waiting.append(pair_states(database)[0])
        sleep(seconds)

    clock.sleep = note_and_sleep
    backend = FakeBackend(script=[fail_with(RateLimited("Slower.")), fail_with(LOST)])
    run_once(database, study, opener(backend, retry=Retry(), clock=clock), clock=clock)
    assert states_while_waiting == ["begun"]
    assert len(backend.calls) == 7
    (charge,) = database.unresolved(stored_system(database))
    assert charge.since == clock.now()


def test_a_lost_commit_reply_causes_no_second_charge(database, tmp_path, clock):
    """A pair is free again once that is certain: no other thread has it before."""
    study = write_study(tmp_path / "pictures", pairs=1)
    refusal = BreakerOpen("Down.", retry_after_s=0.01, billing=Billing(Charged.NO))
    backend = FakeBackend(script=[refusal, charged_answer()])
    end = database.end
    ends = []

    def end_and_fail_once(system, pair, outcome, changed):
        ends.append((outcome.state, len(backend.calls)))
        end(system, pair, outcome, changed)
        if len(ends) == 1:
            raise BUSY

    database.end = end_and_fail_once
    run_once(database, study, opener(backend), workers=2, clock=clock)
    assert pair_states(database) == ["answered"]
    assert ends == [("free", 1), ("free", 1), ("answered", 2)]


@pytest.mark.parametrize(
    ("is_billed", "is_asked", "state", "charged"),
    [
        (True, False, "free", Charged.NO),
        (True, True, "unresolved", Charged.UNKNOWN),
        (False, True, "free", Charged.NO),
    ],
)
def test_a_lost_call_is_free_once_every_budget_has_it_as_uncharged(
    database, is_billed, is_asked, state, charged
):
    system = enter_system(database, 2, billed=is_billed)
    call = begin_pair(database, system)
    if is_asked:
        database.ask(system.number, 0, call.id)
    states = pair_states(database, system)
    reported = []

    def fail(call_ids, _billed):
        if call_ids:
            raise BUSY

    with pytest.raises(ConfigurationError):
        database.recover_from_dead_run(system, fail)
    assert pair_states(database, system) == states
    database.recover_from_dead_run(
        system, lambda calls, billed: reported.extend([billed] * len(calls))
    )
    assert reported == [charged]
    assert pair_states(database, system) == [state, "free"]


def test_calls_of_another_system_are_not_taken_back(database):
    other = enter_system(database, 2, name="other")
    ask_pair(database, other)
    database.end(other.number, 1, pair_outcome(PairState.FAILED, None))
    database.recover_from_dead_run(enter_system(database, 2), lambda *_: None)
    assert pair_states(database, other) == ["asked", "failed"]


def fail_busy(*_arguments, **_options):
    raise BUSY


def test_a_pair_stays_begun_while_its_budget_is_unavailable(database, study, store):
    system = opener(policies=shop(store))
    with pytest.MonkeyPatch.context() as unavailable:
        unavailable.setattr(database, "ask", fail_busy)
        unavailable.setattr(store, "finalize", fail_busy)
        assert run_once(database, study, system).progress.left == 6
        assert pair_states(database) == ["begun"] + ["free"] * 5
    assert run_once(database, study, system).progress.states == {PairState.ANSWERED: 6}
    assert money(store) == (6, 0, 0)
