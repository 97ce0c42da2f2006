import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import gc
import os
import sys
import threading
import time
import weakref

import anyio
import anyio.lowlevel
import pytest
from kit.attempts import budget_key, new_attempt, sums
from kit.fakes import FakeBackend, child_says_yes, picture
from kit.money.lines import LOGIN, PAID, TwoVendors

import facematch_core as fm
from facematch_core.base.cancellation import CallCancelled
from facematch_core.resilience import Budget, RateLimiter, RateWindow, Retry
from facematch_core.testing import ManualClock
from facematch_core.verifier import aio
from facematch_core.verifier.verifier import ThreadCall
from facematch_mock_server import Fault, make_card

A, B = picture(), picture((10, 20, 30))
LIMIT_S = 30


async def one_of(outcomes):
    """A coroutine, which `anext` is not."""
    return await anext(outcomes)


pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


class Hold:
    def __init__(self):
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self, *_):
        self.reached.set()
        assert self.go_on.wait(LIMIT_S)

    async def wait(self):
        assert await anyio.to_thread.run_sync(self.reached.wait, LIMIT_S)


# What is answered


async def test_every_method_answers_as_the_verifier_does():
    backend = FakeBackend(script=[None, None, None, None, fm.RateLimited("slow")])

    async with fm.AsyncFaceVerifier(fm.FaceVerifier(backend)) as verifier:
        match = await verifier.verify(A, B, threshold=90, caller_ref="c1")
        liveness = await verifier.check_liveness(A)
        both = await verifier.verify_live(A, B, liveness_threshold=70)
        with pytest.raises(fm.RateLimited, match="slow"):
            await verifier.verify(A, B)
        with pytest.raises(fm.InvalidImage):
            await verifier.verify("text", B)
        with pytest.raises(TypeError, match="levle"):
            await verifier.verify(A, B, levle=3)
        with pytest.raises(fm.InvalidRequest, match="CallRecord"):
            await verifier.reconcile("no attempt")
    assert (match.decision, match.threshold.value, match.ids.caller) == ("no_match", 90, "c1")
    assert liveness.decision is fm.LivenessDecision.LIVE
    assert (both.decision, both.liveness.threshold.value) == ("verified", 70)
    assert backend.closed == 1


async def test_it_is_opened_by_the_name_of_a_backend(didit_server):
    keywords = {"api_key": didit_server.live_key, "base_url": didit_server.url}
    async with fm.open_async_verifier(
        "didit", max_concurrency=2, threshold=2, **keywords
    ) as verifier:
        result = await verifier.verify(make_card("p1"), make_card("p1"))
    assert (result.decision, result.threshold.value) == ("match", 2)


def test_it_is_made_of_a_verifier_and_of_1_to_1024_threads():
    for wrong in (0, 1025, 2.0, True, None):
        with pytest.raises(fm.ConfigurationError):
            fm.AsyncFaceVerifier(fm.FaceVerifier(FakeBackend()), max_concurrency=wrong)
    with pytest.raises(fm.ConfigurationError):
        fm.AsyncFaceVerifier(FakeBackend())


@pytest.mark.parametrize("of", ["call", "verifier"])
async def test_a_deadline_ends_the_wait_for_the_only_thread(of):
    hold = Hold()
    backend = FakeBackend(script=[hold])

    limits = {"deadline_s": 0.013}, {"deadline_s": 60}
    options, settings = limits if of == "call" else ({}, limits[0])
    verifier = fm.AsyncFaceVerifier(fm.FaceVerifier(backend, **settings), max_concurrency=1)
    async with verifier, anyio.create_task_group() as tasks:
        tasks.start_soon(functools.partial(verifier.verify, A, B, deadline_s=60))
        await hold.wait()
        with pytest.raises(fm.VendorUnavailable, match=r"\b0\.013 s\b") as raised:
            await verifier.verify(A, B, **options)
        hold.go_on.set()
    error = raised.value
    assert (error.billing.charged, error.retryable) == (fm.Charged.NO, False)
    assert len(backend.calls) == 1


@pytest.mark.parametrize(("waited_s", "calls"), [(20, 1), (60, 0)])
async def test_a_call_is_given_what_the_wait_for_a_thread_took_from_its_deadline(
    clock, monkeypatch, waited_s, calls
):
    backend = FakeBackend()
    begin = ThreadCall.begin

    def wait(call, pool, starter=None):
        if starter is not None:
            clock.advance(waited_s)
        return begin(call, pool, starter)

    monkeypatch.setattr(ThreadCall, "begin", wait)

    async with fm.AsyncFaceVerifier(fm.FaceVerifier(backend, clock=clock)) as verifier:
        with contextlib.nullcontext() if calls else pytest.raises(fm.VendorUnavailable):
            await verifier.verify(A, B, deadline_s=60)
    assert [seconds for seconds, _ in backend.times] == [40] * calls


def refuse(_thread):
    raise RuntimeError("can't start new thread")


async def test_a_thread_that_cannot_be_started_fails_one_call_and_stops_no_closing():
    backend = FakeBackend()

    with pytest.MonkeyPatch.context() as patch:
        async with fm.AsyncFaceVerifier(fm.FaceVerifier(backend)) as verifier:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(fm.VendorUnavailable) as raised:
                await verifier.verify(A, B)
            patch.undo()
            result = await verifier.verify(A, B)
            patch.setattr(threading.Thread, "start", refuse)
    assert (raised.value.billing.charged, result.is_match) == (fm.Charged.NO, True)
    assert (len(backend.calls), backend.closed) == (1, 1)


async def test_hooks_see_the_context_variables_of_the_caller():
    request, seen = contextvars.ContextVar("request"), []

    verifier = fm.FaceVerifier(FakeBackend(), on_event=lambda _: seen.append(request.get()))
    async with fm.AsyncFaceVerifier(verifier) as opened:
        request.set("r1")
        await opened.verify(A, B)
    assert set(seen) == {"r1"}


@pytest.mark.parametrize("why", ["cancelled", "late"])
async def test_what_a_hook_asks_is_no_part_of_a_call_that_its_caller_has_left(why):
    """Its own deadline counts, and the events of the call go on to their end."""
    hold, clock, kinds, answers = Hold(), ManualClock(), [], []
    other = fm.FaceVerifier(FakeBackend(), clock=clock)

    def ask_another(event):
        kinds.append(event.kind.name)
        if event.kind is fm.EventKind.ANSWERED:
            answers.append(other.verify(A, B, deadline_s=LIMIT_S))

    def answer(_):
        hold()
        clock.advance(2 if why == "late" else 0)

    backend = FakeBackend(script=[answer])
    backend.keeps_deadline = True
    verifier = fm.FaceVerifier(backend, on_event=ask_another, clock=clock)
    async with fm.AsyncFaceVerifier(verifier) as opened, anyio.create_task_group() as tasks:
        tasks.start_soon(functools.partial(opened.verify, A, B, deadline_s=1))
        await hold.wait()
        if why == "cancelled":
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
        hold.go_on.set()
    assert kinds == ["STARTED", "SENT", "ANSWERED", "CHARGED"]
    assert [answer.is_match for answer in answers] == [True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_the_child_of_a_fork_waits_for_no_thread_and_no_call_of_its_parent(anyio_backend):
    hold = Hold()
    backend = FakeBackend(script=[hold])
    verifier = fm.AsyncFaceVerifier(fm.FaceVerifier(backend), max_concurrency=1)

    async def ask():
        return (await verifier.verify(A, B)).is_match

    def ask_and_close():
        is_match = anyio.run(ask, backend=anyio_backend)
        anyio.run(verifier.aclose, backend=anyio_backend)
        return is_match

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        answer = thread.submit(ask_and_close)
        assert hold.reached.wait(LIMIT_S)
        is_answered = child_says_yes(ask_and_close)
        hold.go_on.set()
        assert answer.result(LIMIT_S)
    assert is_answered


async def test_it_is_closed_once_and_asks_nothing_afterwards():
    backend = FakeBackend()

    verifier = fm.AsyncFaceVerifier(fm.FaceVerifier(backend))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(verifier.aclose)
        tasks.start_soon(verifier.aclose)
    await verifier.aclose()
    with pytest.raises(fm.ConfigurationError):
        await verifier.verify(A, B)
    assert (backend.closed, backend.calls) == (1, [])


@pytest.fixture
def _no_collection():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collection")
async def test_an_error_holds_no_picture_once_it_is_forgotten():
    def lose(_):
        raise fm.OutcomeUnknown("lost")

    backend, probe = FakeBackend(script=[lose]), picture((1, 1, 1), kind="PNG")
    before = sys.getrefcount(probe)
    async with fm.AsyncFaceVerifier(fm.FaceVerifier(backend)) as verifier:
        with contextlib.suppress(fm.OutcomeUnknown):
            await verifier.verify(probe, B)
        backend.calls.clear()
    # Its thread may be on its way back from the call.
    wait_for(lambda: sys.getrefcount(probe) == before)


# verify_many


async def test_an_outcome_does_not_wait_for_the_next_pair():
    """A queue's worker takes its next job when the one before it is answered."""
    answered = []

    done = anyio.Event()

    async def jobs():
        yield A, B, "first"
        await done.wait()
        yield A, B, "second"

    async with (
        fm.AsyncFaceVerifier(fm.FaceVerifier(FakeBackend())) as verifier,
        contextlib.aclosing(verifier.verify_many(jobs())) as outcomes,
    ):
        async for outcome in outcomes:
            answered.append(outcome.key)
            done.set()
    assert answered == ["first", "second"]


async def test_who_stops_while_the_source_waits_ends_the_source():
    ends = []

    async def jobs():
        try:
            yield A, B
            await anyio.sleep_forever()
        finally:
            ends.append("the source")

    async with fm.AsyncFaceVerifier(fm.FaceVerifier(FakeBackend())) as verifier:
        async with contextlib.aclosing(verifier.verify_many(jobs())) as outcomes:
            assert (await anext(outcomes)).result.is_match
        await anyio.wait_all_tasks_blocked()
    assert ends == ["the source"]


async def test_who_has_stopped_reads_and_sends_nothing_more():
    """Also when the task that reads has just been woken, or has not begun."""

    for is_cancelled in [False, True] * 10:
        backend, read = FakeBackend(), []
        pairs = (read.append(number) or (A, B) for number in range(99))
        async with fm.AsyncFaceVerifier(fm.FaceVerifier(backend)) as verifier:
            with anyio.CancelScope() as scope:
                if is_cancelled:
                    scope.cancel()
                many = verifier.verify_many(pairs, max_workers=1)
                async with contextlib.aclosing(many) as outcomes:
                    await anext(outcomes)
            read_so_far = len(read)
            await anyio.wait_all_tasks_blocked()
            assert len(read) == read_so_far
        assert len(backend.calls) <= read_so_far


async def test_a_fatal_error_ends_the_run_while_the_source_waits():
    async def jobs():
        yield A, B
        await anyio.sleep_forever()

    fatal = FakeBackend(script=[fm.AuthenticationFailed("bad key")])
    async with fm.AsyncFaceVerifier(fm.FaceVerifier(fatal)) as verifier:
        ends = [type(o.error) async for o in verifier.verify_many(jobs())]
    assert ends == [fm.AuthenticationFailed]


def test_a_cancellation_in_the_source_is_no_end_of_the_pairs():
    answered = []

    async def jobs():
        yield A, B
        job = asyncio.ensure_future(asyncio.sleep(LIMIT_S))
        job.cancel()
        await job

    async def main():
        async with fm.AsyncFaceVerifier(fm.FaceVerifier(FakeBackend())) as verifier:
            with pytest.raises(asyncio.CancelledError):
                async for outcome in verifier.verify_many(jobs()):
                    answered.append(outcome.decision)  # noqa: PERF401 - it ends in an error

    asyncio.run(asyncio.wait_for(main(), LIMIT_S))
    assert answered == ["match"]


async def test_many_pairs_come_in_order_from_either_kind_of_source():
    async def pairs():
        for number in range(20):
            await anyio.lowlevel.checkpoint()
            yield A, B, number

    async with fm.AsyncFaceVerifier(fm.FaceVerifier(FakeBackend())) as verifier:
        for source in (pairs(), [(A, B, n) for n in range(20)]):
            outcomes = [o async for o in verifier.verify_many(source, max_workers=8)]
            assert [(o.index, o.key, o.error) for o in outcomes] == [
                (n, n, None) for n in range(20)
            ]


async def test_an_endless_source_is_read_only_a_little_ahead():
    hold, read, head = Hold(), [], picture((1, 2, 3))

    def answer(call):
        if call.probe == head:
            hold()

    backend = FakeBackend(script=[answer] * 99)

    def endless():
        while True:
            read.append(A if read else head)
            yield read[-1], B

    async with (
        fm.AsyncFaceVerifier(fm.FaceVerifier(backend)) as verifier,
        contextlib.aclosing(verifier.verify_many(endless(), max_workers=2)) as outcomes,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(one_of, outcomes)
        await hold.wait()
        await anyio.to_thread.run_sync(wait_for, lambda: len(backend.calls) == 4)
        await anyio.wait_all_tasks_blocked()
        assert len(read) == 4
        hold.go_on.set()


def wait_for(condition):
    """Look again and again; for what no event says."""
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


async def test_a_fatal_error_or_a_failing_source_ends_the_run_after_what_is_paid():
    def failing():
        yield A, B
        raise OSError("the list is gone")

    fatal, got = FakeBackend(script=[None, fm.AuthenticationFailed("bad key")]), []
    async with fm.AsyncFaceVerifier(fm.FaceVerifier(fatal)) as verifier:
        outcomes = [o async for o in verifier.verify_many([(A, B)] * 9, max_workers=1)]
        assert [type(o.error) for o in outcomes] == [type(None), fm.AuthenticationFailed]
        with pytest.raises(OSError, match="the list is gone"):
            async for outcome in verifier.verify_many(failing()):
                got.append(outcome.decision)  # noqa: PERF401 - it ends in an error
        for wrong in ({"max_workers": 0}, {"levle": 1}, {"pairs": 3}):
            with pytest.raises(fm.InvalidRequest):
                verifier.verify_many(**{"pairs": [], **wrong})
    assert (got, len(fatal.calls)) == (["match"], 3)


async def test_stopping_early_takes_back_what_was_not_sent():
    first, second = Hold(), Hold()
    backend, events = FakeBackend(script=[first, second]), []

    verifier = fm.FaceVerifier(backend, on_event=events.append)
    async with fm.AsyncFaceVerifier(verifier, max_concurrency=1) as opened:
        pairs = ((A, B) for _ in range(99))
        async with contextlib.aclosing(opened.verify_many(pairs, max_workers=3)) as outcomes:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one_of, outcomes)
                await anyio.wait_all_tasks_blocked()
                first.go_on.set()
            await second.wait()
        second.go_on.set()
    assert len(backend.calls) == 2
    assert names(events).count("CHARGED") == 2


# Cancelled: what is sent, and what is paid


def names(events):
    return [event.kind.name for event in events]


class Stage:
    """A call to a mock that is held at a stage of its way.

    Args:
        vendor: Whom it asks.
        at: The name of an event, "sleeping", or moment and beginning of a path as `Line.at` has
            them.
        before: What is done to the stage first.
        more: `policies`, each made with the clock, and `retry`.
    """

    def __init__(self, vendor, at, before=None, more=None):
        policies, retry = (more or {}).get("policies", ()), (more or {}).get("retry")
        self.world, self.vendor, self.hold, self.events = TwoVendors(), vendor, Hold(), []
        self.at, self.armed = at, True
        self.budget = Budget(9, name=vendor, clock=self.world.clock)
        self.world.line.at = lambda moment, path: self.reach((moment, path))
        self.world.clock.at = self.reach
        self.verifier = fm.FaceVerifier(
            self.world.backend(vendor),
            policies=[self.budget, *(make(self.world.clock) for make in policies)],
            retry=retry,
            clock=self.world.clock,
            on_event=self.note,
        )
        if before:
            before(self)

    def note(self, event):
        self.events.append(event)
        self.reach(event.kind.name)

    def reach(self, place):
        if self.armed and place == self.at:
            self.armed = False
            self.hold()

    def ask_once(self):
        self.armed = False
        self.verifier.verify(A, B)
        self.events.clear()
        self.world.line.sent.clear()
        self.armed = True

    @property
    def books(self):
        """The vendor's charges, and the budget's spent, reserved and unknown ones."""
        counted = sums(self.budget.store, budget_key(self.vendor)) or (0, 0, 0)
        return len(self.world.charges(self.vendor)), *counted


MATCH, LIVENESS = PAID["didit"][:2]
DEEPVUE_MATCH = PAID["deepvue"][0]


async def cancelled(stage, method="verify", verifier=None):
    """Cancel a call that is held at its stage: the await ends first, then the thread goes on."""
    opened = fm.AsyncFaceVerifier(verifier or stage.verifier)

    async def ask():
        try:
            await getattr(opened, method)(A, B)
        finally:
            stage.hold.go_on.set()

    async with opened, anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await stage.hold.wait()
        tasks.cancel_scope.cancel()


FREE, SPENT, UNKNOWN = (0, 0, 0, 0), (1, 1, 0, 0), (1, 0, 0, 1)
UNSENT = "STARTED REFUSED"
FINISHED = "STARTED SENT ANSWERED CHARGED"


def nobody_listens(stage):
    stage.world.line.cut[MATCH] = 1


def throttled(stage):
    stage.world.control("didit").set_limit("write", 0)


def broken_answer(stage):
    stage.world.control("didit").add_fault(Fault(stage="mid_body", kind="reset", path=MATCH))


def logged_out(stage):
    stage.ask_once()
    stage.world.control("deepvue").tokens.revoke()


RETRIES = {"retry": Retry()}
#: Rates that have room for the first call only.
FULL = {"policies": [lambda clock: RateLimiter(RateWindow(1, 60), max_wait_s=99, clock=clock)]}
RETRIED = "STARTED RETRYING REFUSED"
REFUSED = "STARTED SENT REFUSED"
LOST = "STARTED SENT UNKNOWN"
TAKEN_BACK = "CallCancelled"


@pytest.mark.parametrize(
    ("held", "books", "events", "error"),
    [
        (("didit", "STARTED"), FREE, UNSENT, TAKEN_BACK),
        (("didit", ("before", MATCH)), FREE, UNSENT, TAKEN_BACK),
        (("deepvue", ("sent", LOGIN)), FREE, UNSENT, TAKEN_BACK),
        (("deepvue", ("before", DEEPVUE_MATCH)), FREE, UNSENT, TAKEN_BACK),
        (("didit", ("sent", MATCH)), SPENT, FINISHED, None),
        (("didit", "SENT"), SPENT, FINISHED, None),
        (("didit", ("executed", MATCH)), SPENT, FINISHED, None),
        # While it waits for room beside a call that was made; and for another try.
        (("didit", "sleeping", Stage.ask_once, FULL), SPENT, UNSENT, TAKEN_BACK),
        (("didit", "sleeping", nobody_listens, RETRIES), FREE, RETRIED, TAKEN_BACK),
        (("didit", ("sent", MATCH), throttled, RETRIES), FREE, REFUSED, "RateLimited"),
        (("didit", ("sent", MATCH), broken_answer), UNKNOWN, LOST, "OutcomeUnknown"),
        # The request after another login is part of the call.
        (("deepvue", ("sent", DEEPVUE_MATCH), logged_out), (2, 2, 0, 0), FINISHED, None),
    ],
)
async def test_a_cancelled_call_is_free_before_its_first_byte_and_finished_after_it(
    held, books, events, error
):
    stage = Stage(*held)
    await cancelled(stage)
    assert stage.books == books
    assert names(stage.events) == events.split()
    assert stage.events[-1].error == error
    assert bool(stage.world.line.paid(stage.vendor)) is ("SENT" in events)


async def test_a_cancelled_call_sends_nothing_from_a_thread_of_its_plug_in_either(monkeypatch):
    begun, gone, sent = threading.Event(), threading.Event(), []

    class Noticed(aio.Cancellation):
        def cancel(self):
            super().cancel()
            gone.set()

    class Detached(FakeBackend):
        keeps_deadline = True

        def match(self, call):
            def send():
                begun.set()
                assert gone.wait(LIMIT_S)
                call.on_sent()
                sent.append(call)

            with concurrent.futures.ThreadPoolExecutor() as pool:
                pool.submit(send).result(LIMIT_S)
            raise AssertionError("it was sent")

    monkeypatch.setattr(aio, "Cancellation", Noticed)
    verifier = fm.FaceVerifier(Detached())
    async with fm.AsyncFaceVerifier(verifier) as opened, anyio.create_task_group() as tasks:
        tasks.start_soon(opened.verify, A, B)
        assert await anyio.to_thread.run_sync(begun.wait, LIMIT_S)
        tasks.cancel_scope.cancel()
    assert sent == []


async def test_nobody_waits_for_a_wait_that_is_cancelled(monkeypatch):
    """It ends at once by the machine's clock: half a minute would be too long for this test."""
    backend, events, waits = FakeBackend(), [], threading.Event()
    policies = [RateLimiter(RateWindow(1, 60), max_wait_s=99)]

    class Waiting(aio.Cancellation):
        def sleep(self, seconds, clock):
            waits.set()
            super().sleep(seconds, clock)

    monkeypatch.setattr(aio, "Cancellation", Waiting)
    verifier = fm.FaceVerifier(backend, on_event=events.append, policies=policies)
    async with fm.AsyncFaceVerifier(verifier) as opened, anyio.create_task_group() as tasks:
        await opened.verify(A, B)
        tasks.start_soon(opened.verify, A, B)
        assert await anyio.to_thread.run_sync(waits.wait, LIMIT_S)
        tasks.cancel_scope.cancel()
    assert events[-1].error == "CallCancelled"


@pytest.mark.parametrize("at", [("sent", LIVENESS), "ANSWERED", "CHARGED"])
async def test_cancelled_within_the_first_of_two_calls_the_second_is_not_made(at):
    stage = Stage("didit", at)
    await cancelled(stage, "verify_live")
    assert stage.books == SPENT
    assert stage.world.line.sent == [LIVENESS]
    assert names(stage.events) == FINISHED.split()


async def test_cancelled_within_a_failover_the_next_member_is_not_asked():
    stage, second = Stage("didit", ("before", MATCH)), FakeBackend()
    stage.world.line.cut[MATCH] = 1
    failover = fm.Failover({"first": stage.verifier, "second": fm.FaceVerifier(second)})
    await cancelled(stage, verifier=failover)
    assert (stage.books, second.calls) == (FREE, [])


async def test_what_is_cancelled_while_it_waits_for_a_thread_is_forgotten_at_once():
    """It holds no picture any more, although no thread is free, and takes no other's turn."""
    stage, probe = Stage("didit", ("sent", MATCH)), picture((7, 7, 7), kind="PNG")

    verifier = fm.AsyncFaceVerifier(stage.verifier, max_concurrency=1)
    async with verifier, anyio.create_task_group() as tasks:
        tasks.start_soon(verifier.verify, A, B)
        await stage.hold.wait()
        before = sys.getrefcount(probe)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as others:
                for _ in range(5):
                    others.start_soon(verifier.verify, probe, B)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        del others
        await anyio.wait_all_tasks_blocked()
        gc.collect()
        wait_for(lambda: sys.getrefcount(probe) == before)
        stage.hold.go_on.set()
        await verifier.verify(A, B)
    assert stage.books == (2, 2, 0, 0)
    assert names(stage.events).count("STARTED") == 2


async def test_leaving_the_block_waits_for_calls_though_all_around_is_cancelled():
    stage = Stage("didit", ("executed", MATCH))

    async def release():
        await anyio.wait_all_tasks_blocked()
        stage.hold.go_on.set()

    async with anyio.create_task_group() as outside:
        with anyio.CancelScope() as scope:
            async with (
                fm.AsyncFaceVerifier(stage.verifier) as verifier,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(verifier.verify, A, B)
                await stage.hold.wait()
                scope.cancel()
                outside.start_soon(release)
        assert stage.books == (1, 1, 0, 0)


# As asyncio cancels


def test_closing_waits_to_the_end_though_it_is_cancelled():
    stage = Stage("didit", ("executed", MATCH))

    async def main():
        verifier = fm.AsyncFaceVerifier(stage.verifier)
        call = asyncio.create_task(verifier.verify(A, B))
        await stage.hold.wait()
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
    assert stage.books == (1, 1, 0, 0)


def test_the_end_of_the_loop_waits_for_calls_of_a_verifier_that_nobody_closed(anyio_backend):
    stage = Stage("didit", ("executed", MATCH))
    verifier = fm.AsyncFaceVerifier(stage.verifier)
    released = []

    def release():
        released.append(names(stage.events))
        stage.hold.go_on.set()

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(verifier.verify, A, B)
            await stage.hold.wait()
            tasks.cancel_scope.cancel()
        threading.Timer(0.05, release).start()

    anyio.run(main, backend=anyio_backend)
    assert released == [["STARTED", "SENT"]]
    assert stage.books == SPENT
    assert names(stage.events)[-1] == "CHARGED"
    anyio.run(verifier.aclose, backend=anyio_backend)


def test_a_loop_that_is_closed_hard_finishes_what_is_sent_and_sends_no_more():
    hold, events = Hold(), []
    backend = FakeBackend(script=[hold])
    verifier = fm.AsyncFaceVerifier(
        fm.FaceVerifier(backend, on_event=events.append), max_concurrency=1
    )
    loop = asyncio.new_event_loop()
    # It reports tasks that end unfinished, as those of this test do.
    loop.set_exception_handler(lambda *_: None)
    tasks = [loop.create_task(verifier.verify(A, B)) for _ in range(2)]
    loop.run_until_complete(hold.wait())
    loop.close()
    hold.go_on.set()
    asyncio.run(verifier.aclose())
    assert (len(backend.calls), backend.closed, names(events)[-1]) == (1, 1, "CHARGED")
    assert not any(task.done() for task in tasks)


def test_of_the_end_and_the_first_byte_whichever_comes_first_wins():
    early, late = new_attempt(), new_attempt()
    assert early.stop()
    with pytest.raises(CallCancelled):
        early.begin_sending()
    late.begin_sending()
    assert not late.stop()


def test_loops_that_were_closed_hard_are_let_go_of():
    verifier = fm.AsyncFaceVerifier(fm.FaceVerifier(FakeBackend()), max_concurrency=1)
    others, loops = {*threading.enumerate()}, weakref.WeakSet()
    for _ in range(5):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(verifier.verify(A, B))
        loops.add(loop)
        loop.close()
        del loop
    gc.collect()
    assert len(loops) <= 2, "the last one, and that of the thread"
    asyncio.run(verifier.aclose())
    # A thread that has woken its loop holds it until it runs again itself.
    for thread in {*threading.enumerate()} - others:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    gc.collect()
    assert not loops
