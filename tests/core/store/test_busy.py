"""A store in a file that another process holds: how long one waits, and what is written later."""

import contextlib
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import attrs
import pytest
import sqlalchemy
from kit.attempts import KEY, NOW, ONE, entry, sums
from kit.fakes import FakeBackend, picture

from facematch_core import (
    Charged,
    EventKind,
    FaceVerifier,
    OutcomeUnknown,
    StoreUnavailable,
)
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore

A, B = picture(), picture((10, 20, 30))


class Holder:
    """Somebody else who writes into a file."""

    def __init__(self, connection):
        self.connection = connection

    def hold(self):
        self.connection.execute("BEGIN IMMEDIATE")

    def let_go(self):
        self.connection.execute("ROLLBACK")


@pytest.fixture
def other(sql, tmp_path):
    """Another program with the same file."""
    connection = sqlite3.connect(
        tmp_path / "attempts.sqlite3", isolation_level=None, check_same_thread=False
    )
    with contextlib.closing(connection):
        yield Holder(connection)


def seconds(step):
    """How long it takes until the store is said to be busy."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        step()
    assert caught.value.__context__ is None
    return time.monotonic() - began


def test_threads_wait_side_by_side(sql, other):
    """Each until its own deadline, not one after the other."""
    other.hold()
    waits = [lambda: sql.reserve(entry(), ONE, wait_s=1.0)] * 4
    with ThreadPoolExecutor(4) as pool:
        took = list(pool.map(seconds, waits))
    assert min(took) > 0.9
    assert max(took) < 2.5
    other.let_go()
    assert sql.budget(KEY) is None


def test_one_with_a_deadline_does_not_wait_for_one_without(sql, other):
    """Who has time waits on, and holds up nobody."""
    other.hold()
    patient = threading.Thread(target=sql.reserve, args=[entry(), ONE])
    patient.start()
    turn = sql._database.turn
    while turn.acquire(blocking=False):
        turn.release()
    assert seconds(lambda: sql.budget(KEY, wait_s=0.3)) < 5
    assert patient.is_alive()
    other.let_go()
    patient.join()
    assert sums(sql) == (0, 1, 0)


@pytest.mark.parametrize("step", ["reserve", "finalize", "budget", "open_reservations"])
def test_without_time_it_is_tried_once(sql, other, step):
    """Whatever is asked."""
    one = entry()
    sql.reserve(one, Decimal(5))
    other.hold()
    steps = {
        "reserve": lambda: sql.reserve(entry(), Decimal(5), wait_s=0),
        "finalize": lambda: sql.finalize(one, Charged.YES, at=NOW, wait_s=0),
        "budget": lambda: sql.budget(KEY, wait_s=0),
        "open_reservations": lambda: sql.open_reservations(KEY, wait_s=0),
    }
    assert seconds(steps[step]) < 1


def test_a_moment_is_waited_for(sql, other):
    """Whoever has time gets through."""
    other.hold()
    timer = threading.Timer(0.3, other.let_go)
    timer.start()
    assert sql.reserve(entry(), ONE, wait_s=20) is None
    timer.join()


def test_another_store_is_not_stopped(sql, other, tmp_path):
    """One that is held holds nobody else."""
    other.hold()
    with contextlib.closing(SqlStore(f"sqlite:///{tmp_path}/free.sqlite3")) as free:
        waiting = threading.Thread(target=sql.reserve, args=[entry(), ONE])
        waiting.start()
        free.reserve(entry(), ONE, wait_s=5)
        assert waiting.is_alive()
        other.let_go()
        waiting.join()


def test_two_stores_of_one_file_take_turns(sql, address):
    """They are two objects and one file: each write gets its turn, without time to wait."""
    with contextlib.closing(SqlStore(address)) as twin, ThreadPoolExecutor(8) as pool:
        stores = [sql, twin] * 40
        done = list(pool.map(lambda store: store.reserve(entry(), Decimal(100)), stores))
    assert done == [None] * 80
    assert sums(sql) == (0, 80, 0)


def test_an_engine_keeps_its_patience(tmp_path):
    """What a step sets up for itself is gone after it."""
    engine = sqlalchemy.create_engine(
        f"sqlite:///{tmp_path}/shop.sqlite3", connect_args={"timeout": 7}
    )
    store = SqlStore(engine)
    store.reserve(entry(), ONE, wait_s=1)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 7000
    engine.dispose()


def postponed(store, other, charged=Charged.YES):
    """A call whose outcome could not be written."""
    one = entry()
    store.reserve(one, Decimal(5))
    other.hold()
    seconds(lambda: store.finalize(one, charged, at=NOW, wait_s=0))
    other.let_go()
    return one


NEXT = {
    "reserve": lambda store: store.reserve(entry(attrs.evolve(KEY, name="x")), ONE),
    "finalize": lambda store: store.finalize(entry(), Charged.NO, at=NOW),
    "budgets": lambda store: store.budgets(),
    "close": lambda store: store.close(),
}


@pytest.fixture
def elsewhere(address):
    """The same file, as another process sees it."""
    with contextlib.closing(SqlStore(address)) as opened:
        yield opened


@pytest.mark.parametrize("step", NEXT)
@pytest.mark.parametrize("charged", Charged)
def test_it_is_written_with_the_next_step(sql, other, elsewhere, step, charged):
    """Of any kind; others see it then, and it is written once."""
    one = postponed(sql, other, charged)
    assert sums(elsewhere) == (0, 1, 0)
    NEXT[step](sql)
    after = {Charged.YES: (1, 0, 0), Charged.NO: (0, 0, 0), Charged.UNKNOWN: (0, 0, 1)}
    assert sums(elsewhere) == after[charged]
    assert not elsewhere.finalize(one, charged, at=NOW)


def test_it_is_kept_for_longer(sql, other):
    """Until a step succeeds; and a store that is closed while it is held waits only a moment."""
    postponed(sql, other)
    other.hold()
    seconds(lambda: sql.budget(KEY, wait_s=0))
    began = time.monotonic()
    sql.close()
    assert time.monotonic() - began < 10
    other.let_go()
    assert sums(sql) == (1, 0, 0)


def test_what_somebody_else_said_meanwhile_stands(sql, other, elsewhere):
    """What is final stays so."""
    one = postponed(sql, other)
    assert elsewhere.finalize(one, Charged.NO, at=NOW)
    assert sums(sql) == (0, 0, 0)


def test_one_that_cannot_be_read_stops_no_other(sql, other, tmp_path):
    """It stays set aside, and the next steps go on."""
    postponed(sql, other)
    other.connection.execute("UPDATE facematch_attempts SET amount = 'all'")
    assert sql.reserve(entry(), Decimal(5)) is None
    assert sums(sql) == (0, 2, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_the_child_of_a_fork_leaves_it_to_its_parent(sql, other):
    """It would be written twice, or by a child that is gone at once."""
    postponed(sql, other)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if sums(sql) == (0, 1, 0) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert sums(sql) == (1, 0, 0)


class TestOfAVerifier:
    """A budget before calls that have a deadline."""

    @pytest.fixture
    def events(self):
        return []

    @pytest.fixture
    def verifier(self, sql, events):
        policies = [Budget(5, name="shop", store=sql)]
        with FaceVerifier(FakeBackend(), policies=policies, on_event=events.append) as opened:
            yield opened

    def test_nothing_is_sent_while_it_is_held(self, verifier, sql, other):
        other.hold()
        took = seconds(lambda: verifier.verify(A, B, deadline_s=0.5))
        assert 0.4 < took < 2
        assert verifier.backend.calls == []
        other.let_go()
        assert verifier.verify(A, B).is_match
        assert sums(sql) == (1, 0, 0)

    def test_an_answer_that_was_paid_for_reaches_its_caller(self, verifier, sql, other, events):
        """In time; what it cost is written when the file is free."""
        verifier.backend.script = [lambda _call: other.hold()]
        began = time.monotonic()
        assert verifier.verify(A, B, deadline_s=0.5).is_match
        assert time.monotonic() - began < 2
        assert [one.kind for one in events].count(EventKind.POSTPONED) == 1
        other.let_go()
        assert sums(sql) == (1, 0, 0)

    def test_a_lost_answer_is_unknown(self, verifier, sql, other):
        """Its outcome is known to be unknown, and so it is written."""

        def lose(_call):
            other.hold()
            raise OutcomeUnknown("Lost.")

        verifier.backend.script = [lose]
        with pytest.raises(OutcomeUnknown):
            verifier.verify(A, B, deadline_s=0.5)
        other.let_go()
        assert sums(sql) == (0, 0, 1)

    def test_a_group_of_calls_is_refused_in_time(self, verifier, other):
        """Before the first of them is paid."""
        other.hold()
        assert seconds(lambda: verifier.verify_live(A, B, deadline_s=0.3)) < 2
        assert verifier.backend.calls == []
        other.let_go()

    def test_a_batch_goes_on(self, verifier, sql, other):
        """The pairs that met a store that was held are errors of their own."""
        verifier.backend.script = [None, lambda _call: other.hold()]
        outcomes = []
        for one in verifier.verify_many([(A, B)] * 5, max_workers=1, deadline_s=0.3):
            outcomes.append(one)
            if isinstance(one.error, StoreUnavailable) and other.connection.in_transaction:
                other.let_go()
        assert len(outcomes) == 5
        answered = sum(one.error is None for one in outcomes)
        assert answered >= 3
        assert {type(one.error) for one in outcomes} == {type(None), StoreUnavailable}
        assert sums(sql) == (answered, 0, 0)
