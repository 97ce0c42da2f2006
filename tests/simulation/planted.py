"""Faults of the kind that were once made, each put into the product for some lives."""

import contextlib
import functools
from unittest import mock

import attrs

from facematch_core.backend.session_types import SessionResult
from facematch_core.checks import making
from facematch_core.checks import rows as check_rows
from facematch_core.checks.table import CheckTable
from facematch_core.sessions import rows as session_rows
from facematch_core.sessions.store import SessionStore
from facematch_core.store.database import Database
from facematch_core.store.table import Judged, StoreTable, Use

FAULTS = {}
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


@found_in(96, 0)
def suspended_process_goes_on_after_its_lease():
    def update(former, table, *conditions, **values):
        return former(table, *conditions[: 1 if [*values] == ["call"] else None], **values)

    with changed(CheckTable, "update", update):
        yield


@found_in(47, 27, 28, 29)
def mark_without_a_condition():
    def mark(self, connection, table):
        table.rows.update(connection, table.columns.id == self.row.id, **self.changes)
        return Use.FIRST

    with mock.patch.object(Judged, "_mark", mark):
        yield


@found_in(94, 24, 25)
def decision_overtakes_another():
    def update(former, connection, *conditions, **values):
        is_decision = [*values] == ["decisions"]
        return former(connection, *conditions[: 1 if is_decision else None], **values)

    with changed(session_rows, "update", update), changed(check_rows, "update", update):
        yield


@found_in(0, 31, 34, 36)
def decision_by_an_old_page():
    def evidence_of(former, table, row, result):
        return former(table, attrs.evolve(row, decisions=None), result)

    with changed(StoreTable, "evidence_of", evidence_of):
        yield


@found_in(90, 0)
def undo_is_forgotten():
    def run(former, *arguments, undo=None, **options):
        return former(*arguments, **options)

    with changed(Database, "run", run):
        yield


@found_in(0, 35)
def call_is_not_written_before_it_is_sent():
    def update(former, table, *conditions, **values):
        return [table] if [*values] == ["call"] else former(table, *conditions, **values)

    with changed(CheckTable, "update", update):
        yield


@found_in(4, 27)
def unknown_check_is_made_again():
    def wait_for(former, table, row, waiting):
        if row.lease_until > table.now():
            former(table, row, waiting)
        else:
            making.close_unfinished(table, row)

    with changed(making, "_wait_for", wait_for):
        yield


@found_in(1, 34)
def used_matter_is_paid_again():
    def find_rows(former, asked):
        return [row for row in former(asked) if row.used_at is None]

    with changed(_Asked, "find_rows", find_rows):
        yield


@found_in(0, 31)
def case_may_have_two_open_checks():
    def insert(former, connection, **values):
        return former(connection, **values | {"open_case_key": None})

    with changed(check_rows, "insert", insert):
        yield


@found_in(3, 4, 5, 26)
def case_may_have_two_open_sessions():
    def insert(former, connection, **values):
        return former(connection, **values | {"open_case_key": None})

    with changed(session_rows, "insert", insert):
        yield


@found_in(3, 10, 29, 32)
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


@found_in(2, 12, 21)
def erased_row_stays():
    with mock.patch.object(session_rows, "remove_row"):
        yield
