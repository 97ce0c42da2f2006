import asyncio
import contextlib
import gc
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import anyio.lowlevel
import pytest
from kit.attempts import budget_key, new_attempt, sums
from kit.fakes import PROBE, REFERENCE, FakeBackend, Hold, picture
from kit.money.lines import LOGIN, PAID, TwoVendors

import facematch_core as fm
from facematch_core.base.deadline import CallCancelled
from facematch_core.resilience import Budget, RateLimiter, RateWindow, Retry
from facematch_core.testing import ManualClock
from facematch_mock_server import Fault

LIMIT_S = 30


async def one_of(outcomes):
    """A coroutine, which `anext` is not."""
    return await anext(outcomes)


pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def opened(backend, **options):
    return fm.AsyncFaceVerifier(fm.FaceVerifier(backend), **options)


async def reached(hold):
    await anyio.to_thread.run_sync(hold.wait_for)


# What is answered


async def test_async_methods_return_and_raise_like_the_sync_verifier():
    backend = FakeBackend(script=[None, None, None, None, fm.RateLimited("slow")])

    async with opened(backend) as verifier:
        match = await verifier.verify(PROBE, REFERENCE, threshold=90, caller_ref="c1")
        liveness = await verifier.check_liveness(PROBE)
        live_match = await verifier.verify_live(PROBE, REFERENCE, liveness_threshold=70)
        with pytest.raises(fm.RateLimited):
            await verifier.verify(PROBE, REFERENCE)
        with pytest.raises(TypeError, match="levle"):
            await verifier.verify(PROBE, REFERENCE, levle=3)
        with pytest.raises(fm.InvalidRequest, match="CallRecord"):
            await verifier.reconcile("no attempt")
    assert (match.decision, match.ids.caller) == ("no_match", "c1")
    assert liveness.is_live
    assert live_match.liveness.threshold.value == 70
    assert backend.closed == 1


def test_invalid_arguments_are_refused():
    for wrong in (0, 1025, 2.0, True, None):
        with pytest.raises(fm.ConfigurationError):
            fm.AsyncFaceVerifier(fm.FaceVerifier(FakeBackend()), max_concurrency=wrong)
    with pytest.raises(fm.ConfigurationError):
        fm.AsyncFaceVerifier(FakeBackend())


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        pytest.param({"deadline_s": 60}, {"deadline_s": 0.013}, id="call"),
        pytest.param({"deadline_s": 0.013}, {}, id="verifier"),
    ],
)
async def test_deadline_ends_the_wait_for_a_concurrency_slot(settings, options):
    hold = Hold()
    backend = FakeBackend(script=[hold])
    verifier = fm.AsyncFaceVerifier(fm.FaceVerifier(backend, **settings), max_concurrency=1)
    async with verifier, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(verifier.verify, PROBE, REFERENCE, deadline_s=60))
        await reached(hold)
        with pytest.raises(fm.VendorUnavailable, match=r"\b0\.013 s\b") as raised:
            await verifier.verify(PROBE, REFERENCE, **options)
        hold.go_on.set()
    error = raised.value
    assert (error.billing.charged, error.retryable) == (fm.Charged.NO, False)
    assert len(backend.calls) == 1


@pytest.mark.parametrize("ending", ["cancelled", "late"])
async def test_call_made_by_a_hook_is_not_cancelled_with_the_outer_call(ending):
    """Its own deadline counts, and the events of the call go on to their end."""
    hold = Hold()
    clock = ManualClock()
    event_names = []
    answers = []
    verifier_of_hook = fm.FaceVerifier(FakeBackend(), clock=clock)

    def ask_another(event):
        event_names.append(event.kind.name)
        if event.kind is fm.EventKind.ANSWERED:
            answers.append(verifier_of_hook.verify(PROBE, REFERENCE, deadline_s=LIMIT_S))

    def answer(_):
        hold()
        clock.advance(2 if ending == "late" else 0)

    backend = FakeBackend(script=[answer])
    backend.keeps_deadline = True
    verifier = fm.FaceVerifier(backend, on_event=ask_another, clock=clock)
    async with fm.AsyncFaceVerifier(verifier) as opened, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(opened.verify, PROBE, REFERENCE, deadline_s=1))
        await reached(hold)
        if ending == "cancelled":
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
        hold.go_on.set()
    assert event_names == ["STARTED", "SENT", "ANSWERED", "CHARGED"]
    assert [answer.is_match for answer in answers] == [True]


async def test_few_threads_start_in_a_turn_of_the_loop(monkeypatch):
    run_sync = anyio.to_thread.run_sync
    started = []
    turns = []

    async def count(*args, **options):
        started.append(len(turns))
        return await run_sync(*args, **options)

    async def tick():
        while True:
            await anyio.lowlevel.checkpoint()
            turns.append(None)

    monkeypatch.setattr(anyio.to_thread, "run_sync", count)
    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        async with opened(FakeBackend(), max_concurrency=30) as verifier:
            assert len(started) == 30  # its threads, before they are needed
            async with anyio.create_task_group() as calls:
                for _ in range(40):
                    calls.start_soon(verifier.verify, PROBE, REFERENCE)
            assert len(started) == 70
        group.cancel_scope.cancel()
    # Trio runs the tasks of a turn in any order.
    assert max(map(started.count, started)) <= 8


async def test_verifier_opens_although_the_system_refuses_its_threads(monkeypatch):
    async def refuse(*_, **__):
        raise RuntimeError("can't start new thread")

    verifier = opened(FakeBackend())
    with monkeypatch.context() as refusing:
        refusing.setattr(anyio.to_thread, "run_sync", refuse)
        await verifier.__aenter__()
    async with verifier:
        assert (await verifier.verify(PROBE, REFERENCE)).decision is fm.Decision.MATCH


async def test_pictures_are_prepared_by_as_many_threads_as_there_are_cores(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    prepared = fm.Image.prepared
    third = threading.Barrier(3)
    busy = []
    most = 0

    def count(*args, **options):
        nonlocal most
        busy.append(None)
        most = max(most, len(busy))
        # All three come at once, unless at most two may.
        with contextlib.suppress(threading.BrokenBarrierError):
            third.wait(0.5)
        busy.pop()
        return prepared(*args, **options)

    monkeypatch.setattr(fm.Image, "prepared", count)
    async with opened(FakeBackend()) as verifier, anyio.create_task_group() as calls:
        for _ in range(8):
            calls.start_soon(verifier.verify, PROBE, REFERENCE)
    assert most == 2


async def test_backend_is_closed_once_and_later_calls_are_refused():
    backend = FakeBackend()
    verifier = opened(backend)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(verifier.aclose)
        tasks.start_soon(verifier.aclose)
    await verifier.aclose()
    with pytest.raises(fm.ConfigurationError):
        await verifier.verify(PROBE, REFERENCE)
    assert (backend.closed, backend.calls) == (1, [])


async def test_error_of_a_backend_that_cannot_be_closed_is_raised(monkeypatch):
    monkeypatch.setattr(FakeBackend, "close", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await opened(FakeBackend()).aclose()


def test_verifier_works_in_several_event_loops_in_turn():
    backend = FakeBackend()
    verifier = opened(backend, max_concurrency=1)

    async def ask():
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(verifier.verify, PROBE, REFERENCE)

    for name in ("asyncio", "trio", "asyncio"):
        anyio.run(ask, backend=name)
    anyio.run(verifier.aclose, backend="trio")
    assert (len(backend.calls), backend.closed) == (9, 1)


# verify_many


async def test_outcomes_keep_the_order_of_the_source():
    pairs = [(PROBE, REFERENCE, number) for number in range(20)]
    async with opened(FakeBackend()) as verifier:
        outcomes = [o async for o in verifier.verify_many(pairs, max_workers=8)]
    assert [(o.index, o.key, o.error) for o in outcomes] == [(n, n, None) for n in range(20)]


async def test_cancelled_batch_logs_the_outcomes_that_nobody_saw(caplog):
    hold = Hold()

    async def cancel(scope):
        await anyio.to_thread.run_sync(hold.wait_for, 2)
        scope.cancel()

    async with opened(FakeBackend(script=[hold, hold])) as verifier:
        async with anyio.create_task_group() as group:
            group.start_soon(cancel, group.cancel_scope)
            async for _outcome in verifier.verify_many([(PROBE, REFERENCE)] * 2):
                pytest.fail("no call is answered before the batch is cancelled")
        hold.go_on.set()
    (line,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert "pair 0: match, charged yes, call " in line
    assert "pair 1: match, charged yes, call " in line


async def test_cancelled_batch_logs_a_call_that_was_submitted_at_that_moment(caplog, monkeypatch):
    hold = Hold()
    is_cancelled = threading.Event()
    submit = ThreadPoolExecutor.submit

    def submit_and_wait(*arguments):
        future = submit(*arguments)
        assert is_cancelled.wait(LIMIT_S)
        return future

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit_and_wait)
    async with opened(FakeBackend(script=[hold])) as verifier:
        async with anyio.create_task_group() as group:
            group.start_soon(one_of, verifier.verify_many([(PROBE, REFERENCE)]))
            await reached(hold)
            group.cancel_scope.cancel()
        is_cancelled.set()
        hold.go_on.set()
    (line,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert "pair 0: match, charged yes, call " in line


def wait_for(condition):
    """Look again and again; for what no event says."""
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


async def test_fatal_error_or_failing_source_ends_the_batch():
    def failing():
        yield PROBE, REFERENCE
        raise OSError("the list is gone")

    fatal = FakeBackend(script=[None, fm.AuthenticationFailed("bad key")])
    got = []
    async with opened(fatal) as verifier:
        outcomes = [o async for o in verifier.verify_many([(PROBE, REFERENCE)] * 9, max_workers=1)]
        assert [type(o.error) for o in outcomes] == [type(None), fm.AuthenticationFailed]
        with pytest.raises(OSError, match="the list is gone"):
            async for outcome in verifier.verify_many(failing()):
                got.append(outcome.decision)
        with pytest.raises(fm.InvalidRequest):
            verifier.verify_many([], max_workers=0)
    assert (got, len(fatal.calls)) == (["match"], 3)


async def test_stopping_early_cancels_unsent_calls():
    first_call = Hold()
    second_call = Hold()
    pairs_read = []
    backend = FakeBackend(script=[first_call, second_call])
    events = []
    pairs = (pairs_read.append(number) or (PROBE, REFERENCE) for number in range(99))
    verifier = fm.FaceVerifier(backend, on_event=events.append)
    async with fm.AsyncFaceVerifier(verifier, max_concurrency=1) as opened:
        async with contextlib.aclosing(opened.verify_many(pairs)) as outcomes:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one_of, outcomes)
                await anyio.to_thread.run_sync(wait_for, lambda: len(pairs_read) == 2)
                first_call.go_on.set()
            await reached(second_call)
        second_call.go_on.set()
    assert len(backend.calls) == 2
    assert names(events).count("CHARGED") == 2


# Cancelled: what is sent, and what is paid


def names(events):
    return [event.kind.name for event in events]


class Stage:
    """A call to a mock that is held at a stage of its way.

    Args:
        vendor: Whom it asks.
        held_at: The name of an event, "sleeping", or moment and beginning of a path as `Line.at`
            has them.
        prepare: What is done to the stage first.
        window: The rate of the calls; None for no limit.
        retry: The verifier's.
    """

    def __init__(self, vendor, held_at, prepare=None, *, window=None, retry=None):
        self.world = TwoVendors()
        self.vendor = vendor
        self.hold = Hold()
        self.events = []
        self.held_at = held_at
        self.is_armed = True
        self.budget = Budget(9, name=vendor, clock=self.world.clock)
        self.world.line.at = lambda moment, path: self.reach((moment, path))
        self.world.clock.at = self.reach
        policies = [self.budget]
        if window is not None:
            policies.append(RateLimiter(window, max_wait_s=99, clock=self.world.clock))
        self.verifier = fm.FaceVerifier(
            self.world.backend(vendor),
            policies=policies,
            retry=retry,
            clock=self.world.clock,
            on_event=self.note,
        )
        if prepare:
            prepare(self)

    def note(self, event):
        self.events.append(event)
        self.reach(event.kind.name)

    def reach(self, moment):
        if self.is_armed and moment == self.held_at:
            self.is_armed = False
            self.hold()

    def ask_once(self):
        self.is_armed = False
        self.verifier.verify(PROBE, REFERENCE)
        self.events.clear()
        self.world.line.sent.clear()
        self.is_armed = True

    @property
    def charges_and_budget(self):
        """The vendor's charges, and the budget's spent, reserved and unknown ones."""
        spent, reserved, unknown = sums(self.budget.store, budget_key(self.vendor)) or (0, 0, 0)
        return len(self.world.charges(self.vendor)), spent, reserved, unknown


MATCH_PATH, LIVENESS_PATH = PAID["didit"][:2]
DEEPVUE_MATCH_PATH = PAID["deepvue"][0]


async def cancelled(stage, method="verify", verifier=None):
    """Cancel a call that is held at its stage: the await ends first, then the thread goes on."""
    opened = fm.AsyncFaceVerifier(verifier or stage.verifier)

    async def ask():
        try:
            await getattr(opened, method)(PROBE, REFERENCE)
        finally:
            stage.hold.go_on.set()

    async with opened, anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await reached(stage.hold)
        tasks.cancel_scope.cancel()


FREE = (0, 0, 0, 0)
SPENT = (1, 1, 0, 0)
UNKNOWN = (1, 0, 0, 1)
UNSENT = "STARTED REFUSED"
FINISHED = "STARTED SENT ANSWERED CHARGED"


def nobody_listens(stage):
    stage.world.line.cut[MATCH_PATH] = 1


def throttled(stage):
    stage.world.control("didit").set_limit("write", 0)


def broken_answer(stage):
    stage.world.control("didit").add_fault(Fault(stage="mid_body", kind="reset", path=MATCH_PATH))


def logged_out(stage):
    stage.ask_once()
    stage.world.control("deepvue").tokens.revoke()


#: It has room for the first call only.
ONE_A_MINUTE = RateWindow(1, 60)
RETRIED = "STARTED RETRYING REFUSED"
REFUSED = "STARTED SENT REFUSED"
LOST = "STARTED SENT UNKNOWN"
TAKEN_BACK = "CallCancelled"


@pytest.mark.parametrize(
    ("make_stage", "books", "events", "error"),
    [
        (partial(Stage, "didit", "STARTED"), FREE, UNSENT, TAKEN_BACK),
        (partial(Stage, "didit", ("before", MATCH_PATH)), FREE, UNSENT, TAKEN_BACK),
        (partial(Stage, "deepvue", ("sent", LOGIN)), FREE, UNSENT, TAKEN_BACK),
        (partial(Stage, "deepvue", ("before", DEEPVUE_MATCH_PATH)), FREE, UNSENT, TAKEN_BACK),
        (partial(Stage, "didit", ("sent", MATCH_PATH)), SPENT, FINISHED, None),
        (partial(Stage, "didit", "SENT"), SPENT, FINISHED, None),
        (partial(Stage, "didit", ("executed", MATCH_PATH)), SPENT, FINISHED, None),
        # While it waits for room beside a call that was made; and for another attempt.
        (
            partial(Stage, "didit", "sleeping", Stage.ask_once, window=ONE_A_MINUTE),
            SPENT,
            UNSENT,
            TAKEN_BACK,
        ),
        (
            partial(Stage, "didit", "sleeping", nobody_listens, retry=Retry()),
            FREE,
            RETRIED,
            TAKEN_BACK,
        ),
        (
            partial(Stage, "didit", ("sent", MATCH_PATH), throttled, retry=Retry()),
            FREE,
            REFUSED,
            "RateLimited",
        ),
        (
            partial(Stage, "didit", ("sent", MATCH_PATH), broken_answer),
            UNKNOWN,
            LOST,
            "OutcomeUnknown",
        ),
        # The request after another login is part of the call.
        (
            partial(Stage, "deepvue", ("sent", DEEPVUE_MATCH_PATH), logged_out),
            (2, 2, 0, 0),
            FINISHED,
            None,
        ),
    ],
)
async def test_cancelled_call_is_free_before_its_first_byte_and_finished_after(
    make_stage, books, events, error
):
    stage = make_stage()
    await cancelled(stage)
    assert stage.charges_and_budget == books
    assert names(stage.events) == events.split()
    assert stage.events[-1].error == error
    assert bool(stage.world.line.paid(stage.vendor)) is ("SENT" in events)


@pytest.mark.parametrize("moment", [("sent", LIVENESS_PATH), "ANSWERED", "CHARGED"])
async def test_cancelled_liveness_check_is_not_followed_by_a_comparison(moment):
    stage = Stage("didit", moment)
    await cancelled(stage, "verify_live")
    assert stage.charges_and_budget == SPENT
    assert stage.world.line.sent == [LIVENESS_PATH]
    assert names(stage.events) == FINISHED.split()


async def test_cancelled_call_does_not_fail_over():
    stage = Stage("didit", ("before", MATCH_PATH))
    spare = FakeBackend()
    stage.world.line.cut[MATCH_PATH] = 1
    failover = fm.Failover({"first": stage.verifier, "second": fm.FaceVerifier(spare)})
    await cancelled(stage, verifier=failover)
    assert (stage.charges_and_budget, spare.calls) == (FREE, [])


async def test_call_cancelled_while_waiting_releases_its_pictures():
    """It holds no picture any more, although no thread is free, and takes no other's turn."""
    stage = Stage("didit", ("sent", MATCH_PATH))
    probe = picture((7, 7, 7), kind="PNG")

    verifier = fm.AsyncFaceVerifier(stage.verifier, max_concurrency=1)
    async with verifier, anyio.create_task_group() as tasks:
        tasks.start_soon(verifier.verify, PROBE, REFERENCE)
        await reached(stage.hold)
        before = sys.getrefcount(probe)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as waiting_calls:
                for _ in range(5):
                    waiting_calls.start_soon(verifier.verify, probe, REFERENCE)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        del waiting_calls
        await anyio.wait_all_tasks_blocked()
        gc.collect()
        wait_for(lambda: sys.getrefcount(probe) == before)
        stage.hold.go_on.set()
        await verifier.verify(PROBE, REFERENCE)
    assert stage.charges_and_budget == (2, 2, 0, 0)
    assert names(stage.events).count("STARTED") == 2


# As asyncio cancels


def test_cancelled_aclose_still_waits_for_running_calls():
    stage = Stage("didit", ("executed", MATCH_PATH))

    async def main():
        verifier = fm.AsyncFaceVerifier(stage.verifier)
        call = asyncio.create_task(verifier.verify(PROBE, REFERENCE))
        await reached(stage.hold)
        closing = asyncio.create_task(verifier.aclose())
        for task in (call, closing, closing):
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0)
        assert not closing.done()
        stage.hold.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await closing

    asyncio.run(main())
    assert stage.charges_and_budget == (1, 1, 0, 0)


async def test_cancelled_aclose_sleeps_until_running_calls_end(monkeypatch):
    """Without the shield, it would ask again and again, and use a whole core."""
    stage = Stage("didit", ("executed", MATCH_PATH))
    waits = []
    run_sync = anyio.to_thread.run_sync

    def count(work, *args, **options):
        waits.append(work)
        return run_sync(work, *args, **options)

    verifier = fm.AsyncFaceVerifier(stage.verifier)
    async with anyio.create_task_group() as calls:
        calls.start_soon(verifier.verify, PROBE, REFERENCE)
        await reached(stage.hold)
        monkeypatch.setattr(anyio.to_thread, "run_sync", count)
        async with anyio.create_task_group() as closing:
            closing.start_soon(verifier.aclose)
            await anyio.wait_all_tasks_blocked()
            closing.cancel_scope.cancel()
            for _ in range(20):
                await anyio.lowlevel.cancel_shielded_checkpoint()
            stage.hold.go_on.set()
    assert len(waits) == 1
    assert stage.charges_and_budget == (1, 1, 0, 0)


def test_a_policy_can_keep_attempts_of_one_call_apart():
    attempt = new_attempt(id="a")
    next_attempt = new_attempt(id="a")
    assert len({attempt, next_attempt, attempt}) == 2


def test_attempt_is_either_stopped_or_sent():
    early = new_attempt()
    late = new_attempt()
    assert early.stop()
    with pytest.raises(CallCancelled):
        early.begin_sending()
    late.begin_sending()
    assert not late.stop()
