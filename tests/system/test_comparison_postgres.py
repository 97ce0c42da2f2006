"""A run on a real PostgreSQL server: several processes on one study, killed and not."""

import contextlib
import itertools
import threading

import pytest
import sqlalchemy
from attempts import of_nobody, passage
from core.comparison.run.runner import LEFT
from core.comparison.run.studies import entered, states
from core.comparison.run.test_kills import check, finish
from core.comparison.run.test_machine import Machine
from core.comparison.run.vendors import World
from hypothesis import settings

from facematch_core.comparison.run import PairState, RunDatabase, read_answers
from facematch_core.comparison.run.recover import take_back
from facematch_core.resilience import Budget
from facematch_core.store import Owner, SqlStore
from facematch_core.testing import ManualClock


def wait_for(world, calls):
    """Until so many calls were charged."""
    for _ in range(12000):
        if world.calls() >= calls:
            return
        threading.Event().wait(0.005)
    pytest.fail("the run does not go on")


def test_three_processes_on_one_study(tmp_path, server):
    """They start at once, make the tables at once, and ask about each pair once."""
    with World(tmp_path, store=server.new_database()) as world, contextlib.ExitStack() as stack:
        runners = [stack.enter_context(world.runner()) for _ in range(3)]
        for runner in runners:
            runner.begin(workers=2)
        # Each may end while another one still has a pair; none failed.
        assert {runner.ended() for runner in runners} <= {0, LEFT}
        assert check(world) == 0
        database = RunDatabase(world.store)
        answers = read_answers(database, database.study())
        assert [one.table.answered.all() for one in answers] == [True, True]
        database.close()


def test_three_processes_of_which_one_is_killed(tmp_path, server):
    """The others go on, and whatever it had is settled by the next start."""
    with World(tmp_path, store=server.new_database()) as world, contextlib.ExitStack() as stack:
        runners = [stack.enter_context(world.runner()) for _ in range(3)]
        for runner in runners:
            runner.begin(workers=2)
        wait_for(world, 120)
        runners[0].kill()
        assert {runner.ended() for runner in runners[1:]} <= {0, LEFT}
        finish(world, runners[1])
        check(world)


def test_killed_at_many_steps(tmp_path, server):
    """As on a file, each start a few steps later than the one before."""
    with World(tmp_path, pairs=40, store=server.new_database()) as world, world.runner() as runner:
        moment = 0
        while runner.run(workers=2, die_at=(moment := moment + 10)) != 0:
            pass
        finish(world, runner)
        check(world)


def test_claims_do_not_wait_for_each_other(server):
    """What one transaction is about to take, another one passes over."""
    database = RunDatabase(server.new_database())
    system = entered(database, 6)
    held = threading.Event()
    over = threading.Event()

    def hold(connection):
        connection.exec_driver_sql(
            "SELECT pair FROM facematch_comparisons WHERE pair < 2 FOR UPDATE"
        ).all()
        held.set()
        assert over.wait(30)

    thread = threading.Thread(target=database._database.run, args=[hold])
    thread.start()
    assert held.wait(30)
    assert [one.pair for one in database.claim(system.number, 3)] == [2, 3, 4]
    over.set()
    thread.join()
    assert [one.pair for one in database.claim(system.number, 9)] == [0, 1, 5]
    assert states(database, system) == [PairState.CLAIMED] * 6
    database.close()


def test_any_order_of_steps(server):
    """The state machine of the database in a file."""

    class PostgresMachine(Machine):
        """Over a database of its own."""

        def opened(self):
            if not hasattr(self, "databases"):
                self.address, self.databases = server.new_database(), []
            self.databases.append(RunDatabase(self.address, clock=self.clock))
            return self.databases[-1]

        def teardown(self):
            for database in getattr(self, "databases", ()):
                database.close()

    case = PostgresMachine.TestCase
    case.settings = settings(max_examples=15, stateful_step_count=25)
    case().runTest()


def test_a_server_that_goes_away(tmp_path, server):
    """One sentence, without the address; the database goes on when it is back."""
    from facematch_core import ConfigurationError

    database = RunDatabase(server.new_database())
    system = entered(database, 2)
    server.stop()
    try:
        with pytest.raises(ConfigurationError, match=r"failed \(\w+\)") as caught:
            database.claim(system.number)
    finally:
        server.start()
    assert str(server.folder) not in str(caught.value)
    assert len(database.claim(system.number)) == 1
    database.close()


def test_a_call_that_began_after_its_row_was_read(server, monkeypatch):
    """Its process is gone by then: the budgets are told of this call, too, by the next search."""
    address = server.new_database()
    database, dying, store = RunDatabase(address), RunDatabase(address), SqlStore(address)
    system = entered(database, 1)
    nobody, begun = of_nobody(), passage()
    with monkeypatch.context() as patched:
        patched.setattr(Owner, "here", staticmethod(lambda: nobody))
        (claim,) = dying.claim(system.number)
    gone = Owner.is_gone

    def its_last_moment(owner):
        if owner == nobody and not store.open_reservations():
            assert dying.begin(claim, begun.call)
            Budget(9, name="shop", store=store).enter(begun)
        return gone(owner)

    monkeypatch.setattr(Owner, "is_gone", its_last_moment)
    now = ManualClock().now()
    assert take_back(database, system, [store], now) == 0
    assert states(database, system) == [PairState.CLAIMED]
    assert take_back(database, system, [store], now) == 1
    assert states(database, system) == [PairState.FREE]
    assert store.open_reservations() == ()
    for one in (database, dying, store):
        one.close()


def test_two_that_take_back_the_same_do_not_wait_for_each_other(server, monkeypatch):
    """Whatever way the database finds the rows in, each takes them in one order."""
    address = server.new_database()
    database = RunDatabase(address)
    system = entered(database, 40)
    nobody = of_nobody()
    with monkeypatch.context() as patched:
        patched.setattr(Owner, "here", staticmethod(lambda: nobody))
        for first in reversed(range(40)):  # so that the rows lie backwards
            database.claim(system.number, 1, first=first)
    both_at_work = threading.Barrier(2)
    found = []

    def work(plan):
        engine = sqlalchemy.create_engine(
            address, connect_args={"options": f"-c enable_bitmapscan=off -c {plan}=off"}
        )
        updates = itertools.count()

        @sqlalchemy.event.listens_for(engine, "after_cursor_execute")
        def after(_connection, _cursor, statement, *_):
            if statement.startswith("UPDATE") and next(updates) == 0:
                with contextlib.suppress(threading.BrokenBarrierError):
                    both_at_work.wait(2)

        with contextlib.closing(RunDatabase(engine)) as one:
            found.append(take_back(one, system, [], ManualClock().now()))
        engine.dispose()

    threads = [
        threading.Thread(target=work, args=[plan])
        for plan in ("enable_seqscan", "enable_indexscan")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 40]
    assert states(database, system) == [PairState.FREE] * 40
    database.close()
