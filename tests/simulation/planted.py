"""Faults of the kind that were once made, each put into the product for some lives."""

import contextlib
import functools
from unittest import mock

import attrs

from facematch_core.backend.session_types import Deletion, DeletionState, SessionResult
from facematch_core.call.retry import Retry
from facematch_core.call.run import CallRunner
from facematch_core.checks import erasing, making
from facematch_core.checks import rows as check_rows
from facematch_core.checks.table import CheckTable
from facematch_core.errors import OutcomeUnknown, VendorUnavailable
from facematch_core.models import Charged, Decision
from facematch_core.sessions import beginning
from facematch_core.sessions import rows as session_rows
from facematch_core.sessions.sessions import Sessions
from facematch_core.sessions.store import SessionStore
from facematch_core.sessions.table import SessionTable
from facematch_core.store import decisions, records
from facematch_core.store.database import Database
from facematch_core.store.sql import SqlStore
from facematch_core.store.table import Judged, StoreTable, Use
from facematch_core.verifier import failover

FAULTS = {}
GONE = Deletion(state=DeletionState.DONE)
_Asked = making._AskedCheck  # noqa: SLF001


@attrs.frozen
class Fault:
    """A fault of the product.

    Attributes:
        plant: Returns a context manager, in which the product has the fault.
        seed: The number of a life that breaks a law by it.
        steps: The numbers of the steps of that life that are enough.
    """

    plant: object
    seed: int
    steps: tuple[int, ...]


def found_in(seed, *steps):
    """List a context manager under the words of its name."""

    def add(function):
        plant = contextlib.contextmanager(function)
        FAULTS[function.__name__.replace("_", " ")] = Fault(plant, seed, steps)

    return add


def changed(owner, name, change):
    """Replace a function or a method by `change`, whose first argument is the former one."""
    former = getattr(owner, name)

    @functools.wraps(former)
    def replacement(*arguments, **options):
        return change(former, *arguments, **options)

    return mock.patch.object(owner, name, replacement)


@found_in(2658, 22)
def suspended_process_goes_on_after_its_lease():
    def update(former, table, *conditions, **values):
        return former(table, *conditions[: 1 if [*values] == ["call"] else None], **values)

    with changed(CheckTable, "update", update):
        yield


@found_in(23, 23, 24, 29)
def mark_without_a_condition():
    def mark(self, connection, table):
        table.rows.update(connection, table.columns.id == self.row.id, **self.changes)
        return Use.FIRST

    with mock.patch.object(Judged, "_mark", mark):
        yield


@found_in(25, 38, 39)
def decision_overtakes_another():
    def update(former, connection, *conditions, **values):
        is_decision = [*values] == ["decisions"]
        return former(connection, *conditions[: 1 if is_decision else None], **values)

    with changed(session_rows, "update", update), changed(check_rows, "update", update):
        yield


@found_in(3, 32, 33, 34)
def decision_by_an_old_page():
    def evidence_of(former, table, row, result):
        return former(table, attrs.evolve(row, decisions=None), result)

    with changed(StoreTable, "evidence_of", evidence_of):
        yield


@found_in(94, 32)
def undo_is_forgotten():
    def run(former, *arguments, undo=None, **options):
        return former(*arguments, **options)

    with changed(Database, "run", run):
        yield


@found_in(14, 36)
def call_is_not_written_before_it_is_sent():
    def update(former, table, *conditions, **values):
        return [table] if [*values] == ["call"] else former(table, *conditions, **values)

    with changed(CheckTable, "update", update):
        yield


@found_in(6, 1, 5)
def unknown_check_is_made_again():
    def wait_for(former, table, row, waiting):
        if row.lease_until > table.now():
            former(table, row, waiting)
        else:
            making.close_unfinished(table, row)

    with changed(making, "_wait_for", wait_for):
        yield


@found_in(10, 22)
def used_matter_is_paid_again():
    def find_rows(former, asked):
        return [row for row in former(asked) if row.used_at is None]

    with changed(_Asked, "find_rows", find_rows):
        yield


@found_in(0, 29)
def case_may_have_two_open_checks():
    def insert(former, connection, **values):
        return former(connection, **values | {"open_case_key": None})

    with changed(check_rows, "insert", insert):
        yield


@found_in(13, 11)
def case_may_have_two_open_sessions():
    def insert(former, connection, **values):
        return former(connection, **values | {"open_case_key": None})

    with changed(session_rows, "insert", insert):
        yield


@found_in(11, 15, 24, 27)
def webhook_is_believed():
    with contextlib.ExitStack() as believing:

        def receive(former, store, body, headers):
            count = former(store, body, headers)
            if count:
                believe = mock.patch.object(SessionResult, "why_not", return_value=())
                believing.enter_context(believe)
            return count

        with changed(SessionStore, "receive", receive):
            yield


@found_in(0, 32)
def erased_row_stays():
    with mock.patch.object(session_rows, "remove_row"):
        yield


@found_in(1, 28)
def lease_ends_at_once():
    with mock.patch.object(making, "LEASE_S", 0.0):
        yield


@found_in(14, 15)
def erased_row_is_revived():
    def save_access(_former, table, row, result):
        changes = beginning._changes_of_access(table, row, result)  # noqa: SLF001
        return next(iter(table.update(table.columns.id == row.id, **changes)), None)

    with changed(beginning, "_save_access", save_access):
        yield


@found_in(45, 0, 1, 2, 37, 38)
def decision_outweighs_the_vendors_no():
    def accepted(former, table, result):
        return former(table, attrs.evolve(result, is_refused=False))

    unread = mock.patch.object(decisions, "NOT_APPROVED", "nothing")
    with unread, changed(SessionTable, "accepted", accepted):
        yield


@found_in(26, 2, 16)
def erased_session_stays_at_the_vendor():
    with mock.patch.object(Sessions, "delete", return_value=GONE):
        yield


@found_in(0, 29)
def erased_pictures_stay_at_the_vendor():
    with mock.patch.object(erasing, "_delete_kept", return_value=GONE):
        yield


@found_in(1, 15, 17)
def pictures_are_not_compared():
    with mock.patch.object(_Asked, "is_of", return_value=True):
        yield


@found_in(54, 9)
def paid_half_is_forgotten():
    def make(former, asked, rows, last_place):
        return former(asked, [], last_place)

    with changed(_Asked, "make", make):
        yield


@found_in(6, 1)
def unknown_charge_is_forgotten():
    def finalize(former, store, reservation, charged, **options):
        is_unknown = charged is Charged.UNKNOWN
        return former(store, reservation, Charged.NO if is_unknown else charged, **options)

    with changed(SqlStore, "finalize", finalize):
        yield


@found_in(14, 36)
def reservation_of_a_dead_process_stays():
    with mock.patch.object(records, "LEASE_S", 10**9):
        yield


@found_in(14, 36)
def call_is_counted_after_its_answer():
    reserve = SqlStore.reserve

    def finalize(former, store, reservation, charged, **options):
        if not store.charges([reservation.call.id]):
            reserve(store, reservation, 10**9)
        return former(store, reservation, charged, **options)

    unreserved = mock.patch.object(SqlStore, "reserve", return_value=None)
    with unreserved, changed(SqlStore, "finalize", finalize):
        yield


@found_in(6, 1)
def lost_call_is_repeated():
    def wait_s(former, retry, error, attempt):
        is_lost = isinstance(error, OutcomeUnknown) and attempt.number == 1
        return 1.0 if is_lost else former(retry, error, attempt)

    with changed(Retry, "wait_s", wait_s):
        yield


@found_in(11, 0)
def lost_call_is_made_by_the_second_vendor():
    def is_worth_another(former, error):
        return isinstance(error, OutcomeUnknown) or former(error)

    with changed(failover, "_is_free_and_worth_another_member", is_worth_another):
        yield


@found_in(0, 9)
def second_vendor_is_asked_after_a_no():
    def call(former, runner, images, options):
        answer = former(runner, images, options)
        if answer.backend == "didit" and answer.decision is Decision.NO_MATCH:
            raise VendorUnavailable("no", backend="didit")
        return answer

    with changed(CallRunner, "call", call):
        yield
