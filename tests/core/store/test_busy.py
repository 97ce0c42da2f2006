import contextlib
import sqlite3
import threading
import time
from decimal import Decimal

import attrs
import pytest
from kit.attempts import BUDGET_KEY, NOW, UNIT, entry, sums
from kit.fakes import PROBE, REFERENCE, FakeBackend, child_says_yes, together
from kit.marks import forks_beside_threads, needs_fork

import facematch_core as fm
from facematch_core.base.deadline import Deadline
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore


class Holder(sqlite3.Connection):
    def hold(self):
        self.execute("BEGIN IMMEDIATE")

    def let_go(self):
        self.execute("ROLLBACK")


@pytest.fixture
def holder(sql, tmp_path):
    shared = {"isolation_level": None, "check_same_thread": False, "factory": Holder}
    with contextlib.closing(sqlite3.connect(tmp_path / "attempts.sqlite3", **shared)) as connection:
        yield connection


#: Sooner than by the store's own patience, which is 30 seconds, however slow the machine is.
SOON_S = 20


def assert_unavailable_soon(step):
    """The step finds the store held, and does not wait for as long as the store itself would."""
    began = time.monotonic()
    with pytest.raises(fm.StoreUnavailable) as caught:
        step()
    assert time.monotonic() - began < SOON_S
    assert caught.value.__context__ is None


def test_step_with_a_deadline_does_not_wait_behind_one_without(sql, holder):
    holder.hold()
    patient = threading.Thread(target=sql.reserve, args=[entry(), UNIT])
    patient.start()
    reason = ""
    while "other threads use it" not in reason:
        with pytest.raises(fm.StoreUnavailable) as caught:
            sql.budget(BUDGET_KEY, deadline=Deadline.after(0))
        reason = caught.value.message
    outcomes = together(
        4,
        lambda: assert_unavailable_soon(
            lambda: sql.budget(BUDGET_KEY, deadline=Deadline.after(0.2))
        ),
    )
    assert outcomes == [None] * 4
    assert patient.is_alive()
    holder.let_go()
    patient.join()
    assert sums(sql) == (0, 1, 0)


def postponed(store, holder, charged=fm.Charged.YES):
    """A call whose outcome could not be written."""
    reservation = entry()
    store.reserve(reservation, Decimal(5))
    holder.hold()
    assert_unavailable_soon(
        lambda: store.finalize(reservation, charged, at=NOW, deadline=Deadline.after(0))
    )
    holder.let_go()
    return reservation


NEXT = {
    "reserve": lambda store: store.reserve(entry(attrs.evolve(BUDGET_KEY, name="x")), UNIT),
    "finalize": lambda store: store.finalize(entry(), fm.Charged.NO, at=NOW),
    "budgets": lambda store: store.budgets(),
}


@pytest.fixture
def elsewhere(address):
    with contextlib.closing(SqlStore(address)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("step", "charged", "written"),
    [
        ("reserve", fm.Charged.YES, (1, 0, 0)),
        ("finalize", fm.Charged.NO, (0, 0, 0)),
        ("budgets", fm.Charged.UNKNOWN, (0, 0, 1)),
    ],
)
def test_postponed_outcome_is_written_once_by_the_next_step(  # noqa: PLR0917 - fixtures and parameters
    sql, holder, elsewhere, step, charged, written
):
    reservation = postponed(sql, holder, charged)
    assert sums(elsewhere) == (0, 1, 0)
    NEXT[step](sql)
    assert sums(elsewhere) == written
    assert not elsewhere.finalize(reservation, charged, at=NOW)


@pytest.mark.slow
def test_closing_a_locked_store_returns_soon_and_logs_lost_charges(sql, holder, caplog):
    postponed(sql, holder)
    holder.hold()
    assert_unavailable_soon(lambda: sql.budget(BUDGET_KEY, deadline=Deadline.after(0)))
    began = time.monotonic()
    sql.close()
    assert time.monotonic() - began < SOON_S
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "before 1 writes" in caplog.text
    holder.let_go()
    assert sums(sql) == (1, 0, 0)


def test_closing_writes_the_charges_in_memory_and_logs_nothing(sql, holder, elsewhere, caplog):
    postponed(sql, holder)
    sql.close()
    assert sums(elsewhere) == (1, 0, 0)
    assert caplog.records == []


def test_end_of_a_with_block_closes_the_store(sql, holder, elsewhere):
    with sql as store:
        postponed(store, holder)
        assert sums(elsewhere) == (0, 1, 0)
    assert sums(elsewhere) == (1, 0, 0)


def test_postponed_outcome_does_not_overwrite_another_process(sql, holder, elsewhere):
    reservation = postponed(sql, holder)
    assert elsewhere.finalize(reservation, fm.Charged.NO, at=NOW)
    assert sums(sql) == (0, 0, 0)


def test_unreadable_row_does_not_block_other_reservations(sql, holder, tmp_path):
    postponed(sql, holder)
    holder.execute("UPDATE facematch_attempts SET amount = 'all'")
    assert sql.reserve(entry(), Decimal(5)) is None
    assert sums(sql) == (0, 2, 0)


@needs_fork
@forks_beside_threads
def test_forked_child_does_not_write_the_parents_postponed_outcome(sql, holder):
    postponed(sql, holder)
    assert child_says_yes(lambda: sums(sql) == (0, 1, 0))
    assert sums(sql) == (1, 0, 0)


# A budget before calls that have a deadline


@pytest.fixture
def verifier(sql, clock):
    budget = Budget(5, name="shop", store=sql)
    with fm.FaceVerifier(FakeBackend(), policies=[budget], clock=clock) as opened:
        yield opened


def test_nothing_is_sent_while_the_store_is_locked(verifier, sql, holder):
    holder.hold()
    # The clock stands still: only what waits for the store takes time.
    assert_unavailable_soon(lambda: verifier.verify(PROBE, REFERENCE, deadline_s=0.05))
    assert_unavailable_soon(lambda: verifier.verify_live(PROBE, REFERENCE, deadline_s=0.05))
    assert verifier.backend.calls == []
    holder.let_go()
    assert verifier.verify(PROBE, REFERENCE).is_match
    assert sums(sql) == (1, 0, 0)


@pytest.mark.slow
def test_lost_response_is_recorded_as_unknown_after_the_store_unlocks(verifier, sql, holder):
    def lose(_call):
        holder.hold()
        raise fm.OutcomeUnknown("Lost.")

    verifier.backend.script = [lose]
    with pytest.raises(fm.OutcomeUnknown):
        verifier.verify(PROBE, REFERENCE, deadline_s=2)
    holder.let_go()
    assert sums(sql) == (0, 0, 1)
