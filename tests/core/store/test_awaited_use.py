"""`use` in asyncio and trio: without `await`, in the caller's transaction, and cancelled."""

import asyncio
import contextlib
import gc
import inspect
import logging
import random
import runpy
import sys
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa
from core.checks.desk import *  # noqa: F403 - its fixtures
from core.checks.desk import DOCUMENT, PAYOUT, SELFIE
from core.sessions.shop import *  # noqa: F403 - its fixtures
from kit.fakes import Hold

import facematch_core as fm
from facematch_core.store.table import Judged

FIRST, AGAIN, NO = fm.Use
CLOCK = fm.base.deadline.SystemClock()
TESTS = Path(__file__).parents[2]


class Asynchronous:
    """As SQLAlchemy's AsyncSession, which needs greenlet: `run_sync` gets the synchronous one."""

    def __init__(self, connection):
        self.connection = connection
        self.runs = 0

    async def run_sync(self, function):
        self.runs += 1
        return function(self.connection)


class Checks:
    """A store of checks whose customers have passed."""

    async_store = fm.AsyncCheckStore

    def __init__(self, open_desk):
        self.desk = open_desk(clock=CLOCK)
        self.terms = {}
        self.store, self.address, self.opened = self.desk.store, self.desk.address, self.desk.opened

    def verify(self, customer):
        self.desk.of(customer).verify_live(SELFIE, DOCUMENT)


class Sessions:
    """A store of sessions whose customers have passed."""

    async_store = fm.AsyncSessionStore

    def __init__(self, open_shop):
        self.shop = open_shop(clock=CLOCK)
        self.terms = {"max_age_s": 3600}
        self.store, self.address, self.opened = self.shop.store, self.shop.address, self.shop.opened

    def verify(self, customer):
        session = self.shop.begin(customer)
        self.shop.vendor.finish(session.record.session_id)


@pytest.fixture(params=["checks", "sessions"])
def verified(request, open_desk, open_shop):
    return Checks(open_desk) if request.param == "checks" else Sessions(open_shop)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@contextlib.asynccontextmanager
async def opened(verified, customer="customer-17"):
    """Open the async store; yield the case of a customer."""
    async with verified.async_store(verified.store) as store:
        yield store.of(customer, **PAYOUT)


def uses(verified, customers=("customer-17",)):
    """Use the case of each customer twice, in a store that is opened anew."""
    store = verified.opened()
    cases = [store.of(customer, **PAYOUT) for customer in customers]
    return [case.use(**verified.terms) for case in cases for _ in range(2)]


def run(verified, function):
    """Run an async function with the case of customer 17, who was never verified."""

    async def main():
        async with opened(verified) as case:
            return await function(case)

    return asyncio.run(main())


MISUSES = runpy.run_path(str(TESTS / "typing" / "unawaited_use.py"))
RAISING = [name for name in MISUSES if name[0] != "_" and not name.startswith(("fm", "forgets"))]


@pytest.mark.filterwarnings("ignore:coroutine '.*Case.use' was never awaited:RuntimeWarning")
@pytest.mark.parametrize("name", RAISING)
def test_use_without_await_pays_nobody(open_desk, open_shop, name):
    is_of_sessions = "Verification" in MISUSES[name].__annotations__["case"].__name__
    verified = Sessions(open_shop) if is_of_sessions else Checks(open_desk)
    with pytest.raises((TypeError, fm.InvalidRequest), match="await"):
        run(verified, MISUSES[name])
    gc.collect()  # so that Python warns here


def test_use_can_be_awaited_after_a_truth_value_was_asked_for(verified):
    async def pay(case):
        unawaited = case.use(**verified.terms)
        with pytest.raises(TypeError, match="write await before it"):
            bool(unawaited)
        assert await unawaited is NO

    run(verified, pay)


def test_use_in_run_sync_is_refused_before_it_is_awaited(verified):
    async def pay(case):
        with pytest.raises(fm.InvalidRequest, match="AsyncSession"):
            await Asynchronous(object()).run_sync(
                lambda session: case.use(**verified.terms, connection=session)
            )

    run(verified, pay)


def test_a_task_of_use_is_printed_run_gathered_waited_for_and_cancelled(verified):
    verified.verify("customer-17")

    async def in_tasks(case):
        def begin():
            return case.use(**verified.terms)

        task = asyncio.create_task(begin())
        assert f"{type(case).__name__}.use" in repr(task)
        task.print_stack(file=sys.stderr)
        assert sorted(await asyncio.gather(task, begin(), begin())) == [AGAIN, AGAIN, FIRST]
        assert await asyncio.wait_for(begin(), 60) is AGAIN
        done, _ = await asyncio.wait([asyncio.create_task(begin())])
        assert [each.result() for each in done] == [AGAIN]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(begin()) for _ in range(2)]
        assert [each.result() for each in tasks] == [AGAIN, AGAIN]
        cancelled = asyncio.create_task(begin())
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    run(verified, in_tasks)


def test_asyncio_runs_use_itself(verified):
    store = verified.async_store(verified.store)
    assert asyncio.run(store.of("customer-17", **PAYOUT).use(**verified.terms)) is NO
    asyncio.run(store.aclose())


def test_error_of_a_lost_task_is_in_the_log(verified, caplog):
    async def lose(case):
        verified.store._table.rows = None  # noqa: SLF001 - so that `use` fails
        task = asyncio.create_task(case.use(**verified.terms))
        await asyncio.wait([task])
        del task
        gc.collect()

    with caplog.at_level(logging.ERROR, "asyncio"):
        run(verified, lose)
    (record,) = [each for each in caplog.records if "never retrieved" in each.getMessage()]
    assert record.exc_info[0] is AttributeError


@pytest.mark.parametrize("name", ["AsyncCheckCase", "AsyncVerificationCase"])
def test_frameworks_see_coroutine_functions(name):
    case_type = getattr(fm, name)
    own = inspect if sys.version_info >= (3, 12) else asyncio
    assert own.iscoroutinefunction(case_type.use)
    for method in ("find", "why_not"):
        assert inspect.iscoroutinefunction(getattr(case_type, method))
    assert inspect.iscoroutinefunction(fm.AsyncCheckStore.erase)
    assert inspect.iscoroutinefunction(fm.AsyncFaceVerifier.verify)


@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.anyio
async def test_use_in_the_callers_transaction_ends_with_it(verified, end):
    verified.verify("customer-17")
    engine = sa.create_engine(verified.address)
    with contextlib.closing(engine.connect()) as connection:
        session = Asynchronous(connection)
        async with opened(verified) as case:
            assert await case.use(**verified.terms, connection=session) is FIRST
            assert (await case.find()).used_at is None, "it is not committed yet"
            getattr(connection, end)()
            assert await case.use(**verified.terms) is (AGAIN if end == "commit" else FIRST)
    engine.dispose()


@pytest.mark.anyio
async def test_vendor_is_read_outside_the_callers_transaction_and_the_loop_goes_on(open_shop):
    verified = Sessions(open_shop)
    verified.verify("customer-17")
    hold = Hold()
    verified.shop.vendor.after_read = hold
    engine = sa.create_engine(verified.address)
    with contextlib.closing(engine.connect()) as connection:
        session = Asynchronous(connection)

        async def pay(case):
            assert await case.use(max_age_s=3600, connection=session) is FIRST
            connection.commit()

        async with opened(verified) as case, anyio.create_task_group() as group:
            group.start_soon(pay, case)
            await anyio.to_thread.run_sync(hold.wait_for)  # the loop runs while the vendor is read
            assert (session.runs, connection.in_transaction()) == (0, False)
            hold.go_on.set()
    engine.dispose()
    assert uses(verified) == [AGAIN, AGAIN]


@pytest.mark.anyio
async def test_use_that_is_cancelled_while_it_is_marked_is_undone(verified, monkeypatch):
    verified.verify("customer-17")
    hold = Hold()
    store = Judged.store

    def store_and_wait(*arguments):
        used = store(*arguments)
        hold()
        return used

    monkeypatch.setattr(Judged, "store", store_and_wait)
    async with opened(verified) as case:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: wait_for(case.use(**verified.terms)))
            await anyio.to_thread.run_sync(hold.wait_for)
            group.cancel_scope.cancel()
        hold.go_on.set()
    assert uses(verified) == [FIRST, AGAIN]


async def wait_for(awaitable):
    return await awaitable


@pytest.mark.anyio
async def test_use_that_was_marked_and_never_heard_of_is_undone(verified, monkeypatch):
    verified.verify("customer-17")
    hold = Hold()
    store = Judged.store

    def wait_and_store(*arguments):
        hold()
        return store(*arguments)

    monkeypatch.setattr(Judged, "store", wait_and_store)
    async with opened(verified) as case, anyio.create_task_group() as group:
        group.start_soon(lambda: wait_for(case.use(**verified.terms)))
        await anyio.to_thread.run_sync(hold.wait_for)
        hold.go_on.set()
        while case.case.find().used_at is None:
            pass  # the loop stands still, and hears of nothing
        group.cancel_scope.cancel()
    assert uses(verified) == [FIRST, AGAIN]


@pytest.mark.slow
@pytest.mark.anyio
async def test_of_60_random_cancellations_no_verdict_is_lost_and_none_is_used_twice(verified):
    randomness = random.Random(7)
    customers = [f"customer-{number}" for number in range(60)]
    heard = dict.fromkeys(customers)
    for customer in customers:
        verified.verify(customer)
    async with verified.async_store(verified.store) as store:
        for customer in customers:
            with anyio.move_on_after(randomness.random() * 0.012):
                heard[customer] = await store.of(customer, **PAYOUT).use(**verified.terms)
    assert {*heard.values()} <= {None, FIRST}
    expected = [[AGAIN if heard[customer] else FIRST, AGAIN] for customer in customers]
    assert uses(verified, customers) == [use for pair in expected for use in pair]
