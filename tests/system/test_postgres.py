"""The stores on a real PostgreSQL server: as every store, and for several processes."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading
import time
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from core.checks.test_checks import *  # noqa: F403 - every test of it, and each new one
from core.checks.test_connections import (  # over PostgreSQL, too
    test_check_is_used_if_the_caller_commits,  # noqa: F401
    test_deadline_of_a_call_limits_its_wait_for_the_database,  # noqa: F401
    test_paid_verdict_is_returned_soon_although_the_database_is_locked,  # noqa: F401
)
from core.checks.test_erasing import *  # noqa: F403 - every test of it, and each new one
from core.sessions.test_beginning import *  # noqa: F403 - every test of it, and each new one
from core.sessions.test_connections import *  # noqa: F403 - every test of it, and each new one
from core.sessions.test_erasing import *  # noqa: F403 - every test of it, and each new one
from core.sessions.test_newer_rows import *  # noqa: F403 - every test of it, and each new one
from core.sessions.test_store import *  # noqa: F403 - every test of it, and each new one
from core.store import processes
from core.store.machine import Machine
from core.store.test_clocks import (  # by the server's own clock
    test_check_under_way_at_another_machine_is_paid_once,  # noqa: F401
    test_link_is_given_out_until_it_expires_whatever_the_clock_of_its_start,  # noqa: F401
    test_session_of_an_unknown_token_is_kept_until_it_ends_whatever_the_clock,  # noqa: F401
    test_start_under_way_at_another_machine_is_not_repeated,  # noqa: F401
    test_verdict_is_returned_again_and_used_although_the_clock_was_changed,  # noqa: F401
)
from core.store.test_decisions import *  # noqa: F403 - every test of it, and each new one
from core.store.test_decisions_at_once import (
    matters,  # noqa: F401
    test_120_decisions_while_three_workers_read,  # noqa: F401
    test_erasure_leaves_no_decision,  # noqa: F401
    test_of_64_decisions_at_once_one_stands,  # noqa: F401
    test_one_request_64_times_at_once_is_one_decision,  # noqa: F401
    test_payouts_uses_and_last_decisions_agree_after_40_kills,  # noqa: F401
    test_use_or_taking_back_and_never_both,  # noqa: F401
)

# The same tests as over the other stores, here over the fixtures `store` and `sql` below.
from core.store.test_processes import *  # noqa: F403 - every test of it, and each new one
from core.store.test_stores import *  # noqa: F403 - every test of it, and each new one
from hypothesis import settings
from kit.attempts import NOW, UNIT, entry, sums
from kit.fakes import FakeBackend, picture
from kit.sessions import Acme
from money.test_second_click import *  # noqa: F403 - every test of it, and each new one
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import InternalError, OperationalError
from system.postgres import connected, hand_over

import facematch_core as fm
from facematch_core import Charged, ConfigurationError, FaceVerifier, StoreUnavailable
from facematch_core.base.deadline import Deadline
from facematch_core.call_log import LoggedCall, Side
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore, engines


@pytest.fixture(autouse=True)
def _busy_machine(monkeypatch):
    """A connection that takes long is not given up, however busy the machine is."""
    monkeypatch.setattr("facematch_core.store.database.READ_TIMEOUT_S", 60.0)
    arguments = engines._CONNECT_ARGUMENTS["psycopg"]  # noqa: SLF001 - no option of an address can be set for all
    monkeypatch.setitem(arguments, "connect_timeout", 60)


@pytest.fixture
def address(postgres):
    return postgres.new_database()


@pytest.fixture
def store(address):
    with contextlib.closing(SqlStore(address)) as opened:
        yield opened


@pytest.fixture
def sql(store):
    return store


def test_four_processes_share_one_budget(address):
    passed, refused = processes.side_by_side(address, 4)
    assert passed == processes.CAP
    assert refused > 0
    with contextlib.closing(SqlStore(address)) as store:
        spent, reserved, unknown = sums(store)
    assert (spent + unknown, reserved) == (processes.CAP, 0)


def test_a_budget_created_concurrently_is_shared(store, address, monkeypatch):
    from facematch_core.store import transactions  # here: its name stops no other test

    with contextlib.closing(SqlStore(address)) as other:
        set_aside = transactions._add_to_reserved  # noqa: SLF001 - it is struck between two of its statements
        interruptions = []

        def interrupted(connection, *args):
            done = set_aside(connection, *args)
            if not done:
                interruptions.append(args)
                monkeypatch.setattr(transactions, "_add_to_reserved", set_aside)
                assert other.reserve(entry(), UNIT + UNIT) is None
            return done

        monkeypatch.setattr(transactions, "_add_to_reserved", interrupted)
        assert store.reserve(entry(), UNIT + UNIT) is None
    assert len(interruptions) == 1
    assert sums(store) == (0, 2, 0)


def test_an_unreachable_server_is_one_error_and_work_resumes(postgres, store):
    store.reserve(entry(), UNIT)
    with postgres.away(), pytest.raises(StoreUnavailable) as caught:
        store.reserve(entry(), UNIT)
    assert str(postgres.folder) not in str(caught.value)
    assert caught.value.__context__ is None
    assert sums(store) == (0, 1, 0)
    assert store.reserve(entry(), UNIT) is not None


def test_a_server_restart_during_a_run_loses_no_charge(postgres, store):
    verifier = FaceVerifier(FakeBackend(), policies=[Budget(20, name="shop", store=store)])
    begun, over = threading.Barrier(9), threading.Event()

    def wait(_call):
        begun.wait(timeout=60)
        over.wait(60)

    verifier.backend.script = [wait] * 8
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(verifier.verify, picture(), picture()) for _ in range(8)]
        begun.wait(timeout=60)
        with postgres.away():
            over.set()
            assert all(call.result(timeout=60).is_match for call in calls)
            with pytest.raises(StoreUnavailable):
                verifier.verify(picture(), picture())
    assert verifier.verify(picture(), picture()).is_match
    assert len(verifier.backend.calls) == 9
    assert sums(store) == (9, 0, 0)


def test_a_reservation_with_a_lost_commit_reply_is_released(postgres, store, address, monkeypatch):
    commit = Connection.commit

    def lose(connection):
        commit(connection)
        raise OperationalError("COMMIT", {}, OSError("lost"), connection_invalidated=True)

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "commit", lose)
        with pytest.raises(StoreUnavailable):
            store.reserve(entry(), UNIT)
    with contextlib.closing(SqlStore(address)) as other:
        assert sums(other) == (0, 1, 0)
        assert sums(store) == (0, 0, 0)
        assert sums(other) == (0, 0, 0)


def test_a_locked_row_is_awaited_until_the_deadline(store, address):
    reserved = entry()
    store.reserve(reserved, Decimal(5))
    with connected(address) as holder:
        holder.execute("SELECT * FROM facematch_budgets FOR UPDATE")
        for step in (
            lambda: store.reserve(entry(), Decimal(5), deadline=Deadline.after(1)),
            lambda: store.finalize(reserved, Charged.YES, at=NOW, deadline=Deadline.after(0)),
        ):
            with pytest.raises(StoreUnavailable):
                step()
        holder.rollback()
    assert sums(store) == (1, 0, 0)


@contextlib.contextmanager
def read_only(address):
    """New connections can only read, as those to the former primary server after a failover."""
    setting = f"ALTER DATABASE {make_url(address).database} {{}} default_transaction_read_only"
    with connected(address, autocommit=True) as admin:
        admin.execute(setting.format("SET") + " = on")
        yield
        admin.execute("SET default_transaction_read_only = off")
        admin.execute(setting.format("RESET"))


@pytest.mark.parametrize("owner", ["facematch", "application", "application with options"])
def test_one_call_fails_after_a_failover(address, owner):
    SqlStore(address).close()
    with contextlib.ExitStack() as stack:
        where = address
        if owner != "facematch":
            where = create_engine(address, pool_size=5)
            stack.callback(where.dispose)
        if owner == "application with options":
            where = where.execution_options(compiled_cache={})
        with read_only(address):
            stores = [stack.enter_context(SqlStore(where)) for _ in range(2)]
            # Five pooled connections of an application lead to the former server.
            with ThreadPoolExecutor(5) as pool:
                begun = threading.Barrier(5)
                steps = [pool.submit(read, store, begun) for store in [*stores, *stores, stores[0]]]
                futures.wait(steps)
        for store in stores if owner == "facematch" else stores[:1]:
            with pytest.raises(StoreUnavailable):
                store.reserve(entry(), Decimal(100))
        for _ in range(10):
            for store in stores:
                assert store.reserve(entry(), Decimal(100)) is None


def read(store, begun):
    """Read in a transaction, at the same time as others, so that each has its own connection."""

    def run(connection):
        begun.wait(60)
        return connection.exec_driver_sql("SELECT 1").scalar()

    return store._database.run(run)  # noqa: SLF001 - no method of it can be held in the middle


def test_tables_in_a_schema_of_their_own(address):
    with connected(address, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA faces")
        with contextlib.closing(SqlStore(f"{address}&options=-csearch_path%3Dfaces")) as store:
            assert store.reserve(entry(), UNIT) is None
        schemas = admin.execute(
            "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE 'facematch%'"
        )
        assert schemas.fetchall() == [("faces",)]


def test_applications_own_read_only_transaction_leaves_the_pool_alone(address):
    engine = create_engine(address)
    with contextlib.closing(SqlStore(engine)), engine.connect() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        with pytest.raises(InternalError):
            connection.exec_driver_sql("CREATE TABLE orders (id INTEGER)")
        assert not connection.invalidated
    engine.dispose()


# A server that falls silent

#: However slow the machine is; and sooner than the store's own patience, which is 30 seconds.
SOON_S = 20


@contextlib.contextmanager
def read_timeout(seconds):
    """Stores give up so soon; outside of the block, a busy machine has longer to answer."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("facematch_core.store.database.READ_TIMEOUT_S", seconds)
        yield


@contextlib.contextmanager
def silence(server, store, timeout_s=1.0):
    """The server is silent, and a store gives up after `timeout_s`."""
    with read_timeout(timeout_s), server.silence():
        yield
    wait_for_abandoned_threads(store)


def wait_for_abandoned_threads(store):
    """While a thread hangs, a store gives its server only a second to answer."""
    hung = set(store._database.abandoned)  # noqa: SLF001 - nothing else says when it has ended
    assert not futures.wait(hung, 60).not_done


def refused(step):
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        step()
    assert time.monotonic() - began < SOON_S


def verify(verifier, is_async, deadline_s):
    if not is_async:
        return verifier.verify(picture(), picture(), deadline_s=deadline_s)

    async def ask():
        async with fm.AsyncFaceVerifier(verifier) as waiting:
            return await waiting.verify(picture(), picture(), deadline_s=deadline_s)

    return asyncio.run(ask())


#: The seconds of a call's deadline, and after which a store gives up: the earlier one counts.
LIMITS = pytest.mark.parametrize(("deadline_s", "timeout_s"), [(3.0, 15.0), (None, 1.0)])


@pytest.mark.parametrize("is_async", [False, True])
@LIMITS
def test_nothing_is_sent_while_the_server_is_silent(
    postgres, store, deadline_s, timeout_s, is_async
):
    verifier = FaceVerifier(FakeBackend(), policies=[Budget(5, name="shop", store=store)])
    verifier.verify(picture(), picture())
    with silence(postgres, store, timeout_s):
        refused(lambda: verify(verifier, is_async, deadline_s))
    assert len(verifier.backend.calls) == 1
    assert sums(store) == (1, 0, 0)


@pytest.mark.parametrize("is_async", [False, True])
@LIMITS
def test_a_paid_result_is_returned_while_the_store_fails(
    postgres, store, deadline_s, timeout_s, is_async
):
    verifier = FaceVerifier(FakeBackend(), policies=[Budget(5, name="shop", store=store)])
    with contextlib.ExitStack() as stack:
        verifier.backend.script = [
            lambda _call: stack.enter_context(silence(postgres, store, timeout_s))
        ]
        began = time.monotonic()
        assert verify(verifier, is_async, deadline_s).is_match
        assert time.monotonic() - began < SOON_S
    assert sums(store) == (1, 0, 0)


@pytest.mark.parametrize("is_asked_meanwhile", [False, True])
@pytest.mark.parametrize("step", ["reserve", "finalize"])
def test_a_late_commit_is_undone_or_counted_once(store, monkeypatch, step, is_asked_meanwhile):
    reservation, over, commit = entry(), threading.Event(), Connection.commit
    if step == "finalize":
        store.reserve(reservation, UNIT)
    late = {
        "reserve": lambda: store.reserve(reservation, UNIT),
        "finalize": lambda: store.finalize(reservation, Charged.YES, at=NOW),
    }[step]
    with monkeypatch.context() as patched, read_timeout(1.0):
        patched.setattr(Connection, "commit", lambda own: (over.wait(60), commit(own)))
        refused(late)
    if is_asked_meanwhile:
        # Nobody knows yet whether the row will be there.
        refused(lambda: store.budget(reservation.key, deadline=Deadline.after(0.5)))
    over.set()
    wait_for_abandoned_threads(store)
    if step == "finalize":
        assert sums(store) == (1, 0, 0)
        assert not store.finalize(reservation, Charged.YES, at=NOW)
    else:
        assert sums(store) == (0, 0, 0)
        assert store.reserve(entry(), UNIT) is None
        assert sums(store) == (0, 1, 0)


def test_a_reservation_released_before_its_commit_fails(store):
    from facematch_core.store import transactions  # here: its name stops no other test

    reservation = entry()
    # Nobody can say this before it is reserved but a process that was overtaken.
    store._database.run(transactions.release, reservation)  # noqa: SLF001
    with pytest.raises(ConfigurationError):
        store.reserve(reservation, UNIT)
    assert store.reserve(entry(), UNIT) is None
    assert sums(store) == (0, 1, 0)


def test_a_busy_server_is_not_treated_as_silent(store, address):
    with contextlib.closing(SqlStore(address)) as other, read_timeout(3.0):
        store.reserve(entry(), Decimal(5))
        with connected(address) as holder:
            holder.execute("SELECT * FROM facematch_budgets FOR UPDATE")
            timer = threading.Timer(5, holder.rollback)
            timer.start()
            assert other.reserve(entry(), Decimal(5)) is None
            timer.join()
    assert sums(store) == (0, 2, 0)


def test_a_forked_child_uses_the_store_of_its_parent(postgres, store):
    store.reserve(entry(), Decimal(5))
    is_over, end = os.pipe()
    with postgres.silence():
        with read_timeout(1.0):
            refused(lambda: store.reserve(entry(), Decimal(5)))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.read(is_over, 1)
                code = 0 if store.reserve(entry(), Decimal(5)) is None else 2
            finally:
                os._exit(code)
    os.write(end, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(end)
    os.close(is_over)
    wait_for_abandoned_threads(store)
    assert sums(store) == (0, 2, 0)


def test_a_missing_write_permission_is_a_configuration_error(postgres, store, address):
    with connected(address) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    with (
        contextlib.closing(SqlStore(address.replace("facematch@", "reader@"))) as reader,
        pytest.raises(ConfigurationError),
    ):
        reader.reserve(entry(), UNIT)


def test_an_exhausted_connection_limit_is_temporary(postgres, address, store):
    store.close()
    with contextlib.ExitStack() as stack:
        with pytest.raises(psycopg.OperationalError):
            for _ in range(200):
                stack.enter_context(connected(address))
        with pytest.raises(StoreUnavailable):
            store.reserve(entry(), UNIT)
    assert store.reserve(entry(), UNIT) is None


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_matter_is_used_once_whatever_a_callers_snapshot_shows(address, level):
    with fm.CheckStore(address, FaceVerifier(FakeBackend())) as checks:
        case = checks.of("customer-17", purpose="payout", about="payout 1")
        case.verify_live(picture(), picture((10, 20, 30)))
        engine = create_engine(address, isolation_level=level)
        with contextlib.closing(engine.connect()) as late:
            late.execute(sqlalchemy.text("SELECT 1 FROM pg_class LIMIT 1")).all()
            case.verify_live(picture((1, 2, 3)), picture((10, 20, 30)))
            assert case.use() is fm.Use.FIRST
            if level == "READ COMMITTED":
                assert case.use(connection=late) is fm.Use.AGAIN
            else:
                with pytest.raises(OperationalError):
                    case.use(connection=late)
        engine.dispose()


def test_all_stores_share_the_pool_of_one_engine_within_the_limit_of_a_role(postgres, address):
    role = f"role_{make_url(address).database}"
    with connected(address, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 6")
        admin.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    url = make_url(address).set(username=role)
    engine = create_engine(url, pool_size=5, max_overflow=0, pool_pre_ping=True)
    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        budget = Budget(100, name="shop", store=stack.enter_context(SqlStore(engine)))
        log = stack.enter_context(fm.CallLog(engine, key="a key of a test"))
        verifier = FaceVerifier(FakeBackend(), policies=[budget], log=log)
        checks = stack.enter_context(fm.CheckStore(engine, verifier))
        shop = stack.enter_context(fm.SessionStore(engine, fm.Sessions(FaceVerifier(Acme()))))

        def visit(number):
            case = checks.of(f"customer-{number}", purpose="signup", about=None)
            case.verify_live(picture(), picture((number, 20, 30)))
            shop.look()
            return case.use()

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(visit, range(16))) == [fm.Use.FIRST] * 16


def test_any_order_of_steps_agrees_with_the_model(postgres):
    class PostgresMachine(Machine):
        def make_store(self):
            self.address, self.stores = postgres.new_database(), []
            return self.opened()

        def opened(self):
            self.stores.append(SqlStore(self.address))
            return self.stores[-1]

        def reopened(self):
            self.store.close()
            return self.opened()

        def teardown(self):
            # A call from before a reopening ends in its own store, which opens again for it.
            for store in getattr(self, "stores", ()):
                store.close()

    case = PostgresMachine.TestCase
    case.settings = settings(max_examples=20, stateful_step_count=25)
    case().runTest()


BOUNCER = """
[databases]
* = host={server} user=facematch
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = extra_float_digits
logfile = {folder}/log
pidfile = {folder}/pid
"""


@pytest.fixture
def bounced(postgres, missing_program):
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(program).exists():
        missing_program("pgbouncer")
    folder = postgres.folder / "b"
    folder.mkdir(exist_ok=True)
    (folder / "ini").write_text(BOUNCER.format(server=postgres.folder, folder=folder))
    place = postgres.new_database().replace(str(postgres.folder), f"{folder}&port=6432")
    process = subprocess.Popen([program, "-q", "ini"], cwd=folder, **hand_over(folder))
    try:
        for _ in range(100):
            with contextlib.suppress(psycopg.OperationalError), connected(place):
                break
            time.sleep(0.1)
        yield place
    finally:
        process.terminate()
        process.wait(30)


def test_a_transaction_pooler_loses_no_call_and_no_outcome(bounced):
    """Each transaction may be on another connection, where nothing of before is prepared."""
    calls = 90
    with contextlib.closing(SqlStore(bounced)) as store:
        verifier = FaceVerifier(FakeBackend(), policies=[Budget(calls, name="shop", store=store)])
        with ThreadPoolExecutor(8) as pool:
            verdicts = [pool.submit(verifier.verify, picture(), picture()) for _ in range(calls)]
            assert all(verdict.result(60).is_match for verdict in verdicts)
        assert sums(store) == (calls, 0, 0)


def _log_calls(address, name, number):
    with fm.CallLog(address, key="k") as log:
        verifier = FaceVerifier(FakeBackend(), log=log)
        for _ in range(number):
            verifier.verify(picture(), picture(), caller_ref=name)


def test_several_processes_write_one_call_log(address):
    names = ("a", "b", "c")
    children = [
        processes.FORK.Process(target=_log_calls, args=(address, name, 40)) for name in names
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    with fm.CallLog(address, key="k") as log:
        people = [row.person for row in log.rows()]
        assert [people.count(log.digest(name)) for name in names] == [40, 40, 40]
        assert log.forget("b") == 40
        assert len(log.rows()) == 80


def test_each_row_that_the_server_refuses_is_counted_and_costs_no_other(address):
    with fm.CallLog(address, key="k") as log:
        texts = ["m-0", "half \ud800", "zero \0", "m-3"]
        for number, model in enumerate(texts):
            facts = {"at": NOW, "operation": fm.Operation.MATCH, "side": Side.ANSWERED}
            log.add(LoggedCall(call_id=f"call-{number}", model=model, **facts))
        log.add(LoggedCall(call_id="call-4", charges=2**40, **facts))
        assert [row.model for row in log.rows()] == ["m-0", "m-3"]
        assert log.lost_rows == 3


def test_rows_wait_while_the_server_is_away(postgres, address):
    with fm.CallLog(address, key="k") as log:
        verifier = FaceVerifier(FakeBackend(), log=log)
        with postgres.away():
            for _ in range(30):
                verifier.verify(picture(), picture())
            assert not log.flush(0.2)
        assert log.flush(60)
        assert len(log.rows()) == 30
        assert log.lost_rows == 0
