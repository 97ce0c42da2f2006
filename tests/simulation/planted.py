"""Faults of the kind that were once made, each put into the product for some lives."""

import contextlib
import functools
from unittest import mock

from facematch_core.backend.session_types import Deletion, DeletionState, SessionResult
from facematch_core.checks import erasing, making
from facematch_core.checks import rows as check_rows
from facematch_core.checks.table import CheckTable
from facematch_core.sessions import rows as session_rows
from facematch_core.sessions.sessions import Sessions
from facematch_core.sessions.store import SessionStore
from facematch_core.store.database import Database
from facematch_core.store.table import Judged, Use

FAULTS = {}
GONE = Deletion(state=DeletionState.DONE)


def fault(function):
    """List a context manager under the words of its name."""
    FAULTS[function.__name__.replace("_", " ")] = contextlib.contextmanager(function)
    return function


def changed(owner, name, change):
    """Replace a function by `change`, whose first argument is the former one."""
    return mock.patch.object(owner, name, functools.partial(change, getattr(owner, name)))


@fault
def suspended_process_goes_on_after_its_lease():
    update = CheckTable.update

    def update_without_lease(self, *conditions, **values):
        return update(self, *conditions[: 1 if [*values] == ["call"] else None], **values)

    with mock.patch.object(CheckTable, "update", update_without_lease):
        yield


@fault
def mark_without_a_condition():
    def mark(self, connection, table):
        table.rows.update(connection, table.columns.id == self.row.id, **self.changes)
        return Use.FIRST

    with mock.patch.object(Judged, "_mark", mark):
        yield


@fault
def undo_is_forgotten():
    run = Database.run

    def run_without_undo(self, *arguments, undo=None, **options):
        return run(self, *arguments, **options)

    with mock.patch.object(Database, "run", run_without_undo):
        yield


@fault
def call_is_not_written_before_it_is_sent():
    update = CheckTable.update

    def update_but_no_call(self, *conditions, **values):
        return [self] if [*values] == ["call"] else update(self, *conditions, **values)

    with mock.patch.object(CheckTable, "update", update_but_no_call):
        yield


@fault
def erased_row_stays():
    with mock.patch.object(session_rows, "remove_row"):
        yield


@fault
def webhook_is_believed():
    receive = SessionStore.receive

    def receive_and_believe(self, body, headers):
        count = receive(self, body, headers)
        if count:
            believe = mock.patch.object(SessionResult, "why_not", return_value=())
            believing.enter_context(believe)
        return count

    patch = mock.patch.object(SessionStore, "receive", receive_and_believe)
    with contextlib.ExitStack() as believing, patch:
        yield


@fault
def case_may_have_two_open_sessions():
    def insert(former, connection, **values):
        return former(connection, **values | {"open_case_key": None})

    with changed(session_rows, "insert", insert):
        yield


@fault
def case_may_have_two_open_checks():
    def insert(former, connection, **values):
        return former(connection, **values | {"open_case_key": None})

    with changed(check_rows, "insert", insert):
        yield


@fault
def pictures_are_not_compared():
    with mock.patch.object(making._AskedCheck, "is_of", return_value=True):  # noqa: SLF001
        yield


@fault
def used_matter_is_paid_again():
    with mock.patch.object(making._AskedCheck, "find_used", return_value=None):  # noqa: SLF001
        yield


@fault
def erased_session_stays_at_the_vendor():
    with mock.patch.object(Sessions, "delete", return_value=GONE):
        yield


@fault
def erased_pictures_stay_at_the_vendor():
    with mock.patch.object(erasing, "_delete_kept", return_value=GONE):
        yield
