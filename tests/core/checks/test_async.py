"""Checks for event loops."""

import anyio
import pytest
from core.checks.desk import *  # noqa: F403 - its fixtures
from core.checks.desk import DOCUMENT, PAYOUT, SELFIE
from kit.fakes import Hold

import facematch_core as fm

FIRST, AGAIN, _ = fm.Use

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture
def desk(open_desk):
    return open_desk(clock=fm.base.deadline.SystemClock())


async def test_async_checks_have_the_same_methods(desk):
    async with fm.AsyncCheckStore(desk.store, max_concurrency=4) as store:
        case = store.of("customer-17", **PAYOUT)
        assert (case.subject_ref, case.purpose, case.about) == ("customer-17", *PAYOUT.values())
        assert (await case.check_liveness(SELFIE)).is_live
        assert (await case.verify(SELFIE, DOCUMENT)).is_match
        assert await case.why_not() == ("only a match was checked",)
        assert (await case.verify_live(SELFIE, DOCUMENT, deadline_s=20)).is_verified
        assert (await case.find()).result.is_verified
        assert (await case.reconcile(), await case.give_up()) == (None, False)
        assert (await store.unknown(), await store.reconcile()) == ((), ())
        assert [await case.use(), await case.use()] == [FIRST, AGAIN]
        assert await store.close_begun_before(desk.clock.now()) == 2
        assert len(await store.erase("customer-17", vendor_is_gone="fake")) == 4
        assert await store.forget(0) == ()
    with pytest.raises(fm.ConfigurationError):
        await case.find()


async def test_16_clicks_and_16_uses_pay_once_and_give_one_yes(desk):
    results = []

    async with fm.AsyncCheckStore(desk.store) as store:
        case = store.of("customer-17", **PAYOUT)

        async def click():
            results.append((await case.verify_live(SELFIE, DOCUMENT)).is_verified)

        async def use():
            results.append(bool(await case.use()))

        for act in (click, use):
            async with anyio.create_task_group() as group:
                for _ in range(16):
                    group.start_soon(act)
    assert desk.operations == "lm"
    assert sum(results) == 16 + 1


async def test_check_that_was_cancelled_while_it_was_sent_is_stored(desk):
    hold = Hold()
    desk.backend.script[:] = [hold]
    async with fm.AsyncCheckStore(desk.store) as store:
        case = store.of("customer-17", **PAYOUT)
        async with anyio.create_task_group() as group:
            group.start_soon(case.verify, SELFIE, DOCUMENT)
            await anyio.to_thread.run_sync(hold.wait_for)
            group.cancel_scope.cancel()
        hold.go_on.set()
        assert (await case.verify(SELFIE, DOCUMENT)).is_match
    assert desk.operations == "m"
