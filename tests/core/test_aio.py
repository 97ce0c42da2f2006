"""`AsyncFaceVerifier` under asyncio and trio: what is answered, taken back, and paid."""

import asyncio
import contextlib
import contextvars
import functools
import gc
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from kit.fakes import FakeBackend, picture
from kit.money.lines import LOGIN, PAID, World

from facematch_core import (
    AsyncFaceVerifier,
    AuthenticationFailed,
    Charged,
    ConfigurationError,
    Environment,
    FaceVerifier,
    Failover,
    InvalidImage,
    InvalidRequest,
    LivenessDecision,
    OutcomeUnknown,
    RateLimited,
    VendorUnavailable,
    aio,
    open_async_verifier,
)
from facematch_core._cancellation import CANCELLATION, CallCancelled, Cancellation
from facematch_core.clock import SystemClock
from facematch_core.resilience import (
    Budget,
    Period,
    Policy,
    RateLimiter,
    RateWindow,
    Retry,
)
from facematch_core.store import BudgetKey
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, MockServer, VirtualClock, make_card

A, B = picture(), picture((10, 20, 30))
LIMIT_S = 30


@pytest.fixture(params=["asyncio", "trio"])
def run(request):
    """Run an asynchronous function in a loop of either kind; a test that hangs fails."""

    def run(main):
        async def bounded():
            with anyio.fail_after(LIMIT_S):
                return await main()

        return anyio.run(bounded, backend=request.param)

    return run


class Hold:
    """A place where a thread waits until it may go on."""

    def __init__(self):
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self, *_):
        self.reached.set()
        assert self.go_on.wait(LIMIT_S)

    async def wait(self):
        """Wait until a thread is there."""
        assert await anyio.to_thread.run_sync(self.reached.wait, LIMIT_S)


class Unsent(FakeBackend):
    """Holds each call just before its first byte."""

    def __init__(self, hold):
        super().__init__()
        self.hold = hold

    def match(self, call):
        self.hold()
        return super().match(call)


def names(events):
    """The kinds of these events."""
    return [event.kind.name for event in events]


# What is answered


def test_every_method_answers_as_the_verifier_does(run):
    """Same objects, same options, same errors."""
    backend = FakeBackend(script=[None, None, None, None, RateLimited("slow")])

    async def main():
        async with AsyncFaceVerifier(FaceVerifier(backend)) as verifier:
            match = await verifier.verify(A, B, threshold=90, caller_ref="c1")
            liveness = await verifier.check_liveness(A)
            both = await verifier.verify_live(A, B, liveness_threshold=70)
            with pytest.raises(RateLimited, match="slow"):
                await verifier.verify(A, B)
            with pytest.raises(InvalidImage):
                await verifier.verify("text", B)
            with pytest.raises(TypeError, match="levle"):
                await verifier.verify(A, B, levle=3)
            with pytest.raises(InvalidRequest, match="CallRecord"):
                await verifier.reconcile("no attempt")
        return match, liveness, both

    match, liveness, both = run(main)
    assert (match.decision, match.threshold.value, match.ids.caller) == ("no_match", 90, "c1")
    assert liveness.decision is LivenessDecision.LIVE
    assert (both.decision, both.liveness.threshold.value) == ("verified", 70)
    assert backend.closed == 1


def test_a_failover_is_asked_likewise(run):
    """Its own arguments go through."""
    members = {
        "first": FaceVerifier(FakeBackend(script=[VendorUnavailable("down")])),
        "second": FaceVerifier(FakeBackend()),
    }

    async def main():
        async with AsyncFaceVerifier(Failover(members)) as verifier:
            return await verifier.verify(A, B, threshold={"second": 90})

    result = run(main)
    assert (result.route.answered_by, result.threshold.value) == ("second", 90)


def test_it_is_opened_by_name(run, didit_server):
    """`open_async_verifier` takes what `open_verifier` takes."""
    keywords = {"api_key": didit_server.live_key, "base_url": didit_server.url}

    async def main():
        async with open_async_verifier(
            "didit", max_concurrency=2, threshold=2, **keywords
        ) as verifier:
            return await verifier.verify(make_card("p1"), make_card("p1"))

    result = run(main)
    assert (result.decision, result.threshold.value) == ("match", 2)


@pytest.mark.parametrize("wrong", [0, 1025, 2.0, True, None])
def test_wrong_arguments_are_refused(wrong):
    """When it is made, not at the first call."""
    with pytest.raises(ConfigurationError, match="max_concurrency"):
        AsyncFaceVerifier(FaceVerifier(FakeBackend()), max_concurrency=wrong)
    with pytest.raises(ConfigurationError, match="FaceVerifier or a Failover"):
        AsyncFaceVerifier(FakeBackend())


def test_it_is_not_pickled():
    """As a verifier is not."""
    with pytest.raises(TypeError, match="open one in each process"):
        pickle.dumps(AsyncFaceVerifier(FaceVerifier(FakeBackend())))


def test_500_awaits_are_answered_once_each(run):
    """Through 64 threads, and never more calls at a time; the mock charged for 500."""
    server = MockServer(clock=VirtualClock(running=True))
    server.control.set_balance(10**6)
    server.control.set_limit("write", None)
    under_way, most, lock = 0, 0, threading.Lock()

    def count(event):
        nonlocal under_way, most
        with lock:
            under_way += {"STARTED": 1, "ANSWERED": -1}.get(event.kind.name, 0)
            most = max(most, under_way)

    async def main():
        backend = DiditBackend(api_key=server.live_key, base_url=server.url)
        verifier = AsyncFaceVerifier(FaceVerifier(backend, on_event=count), max_concurrency=64)
        answers = {}

        async def ask(number):
            answers[number] = await verifier.verify(A, B, caller_ref=f"c{number}")

        async with verifier, anyio.create_task_group() as tasks:
            for number in range(500):
                tasks.start_soon(ask, number)
        return answers

    with server:
        answers = run(main)
        charges = len(server.control.charges())
    assert {number: f"c{number}" for number in range(500)} == {
        number: answer.ids.caller for number, answer in answers.items()
    }
    assert len({answer.ids.vendor for answer in answers.values()}) == charges == 500
    assert (most <= 64, under_way) == (True, 0)


@pytest.mark.parametrize("of", ["call", "verifier"])
def test_a_deadline_ends_the_wait_for_a_thread(run, of):
    """While the only one is at work: nothing is sent, and the error has the caller's number."""
    hold = Hold()
    backend = FakeBackend(script=[hold])

    async def main():
        limits = {"deadline_s": 0.013}, {"deadline_s": 60}
        options, own = limits if of == "call" else ({}, limits[0])
        verifier = AsyncFaceVerifier(FaceVerifier(backend, **own), max_concurrency=1)
        async with verifier, anyio.create_task_group() as tasks:
            tasks.start_soon(functools.partial(verifier.verify, A, B, deadline_s=60))
            await hold.wait()
            with pytest.raises(VendorUnavailable, match=r"\b0\.013 s\b") as raised:
                await verifier.verify(A, B, **options)
            hold.go_on.set()
        return raised.value

    error = run(main)
    assert (error.billing.charged, error.retryable) == (Charged.NO, False)
    assert len(backend.calls) == 1


def test_a_call_is_given_what_the_wait_left_of_its_deadline(run):
    """So that both together are no longer than asked."""
    hold, given = Hold(), []
    backend = FakeBackend(script=[hold, lambda call: given.append(call.deadline_s)])

    async def main():
        verifier = AsyncFaceVerifier(FaceVerifier(backend), max_concurrency=1)
        async with verifier, anyio.create_task_group() as tasks:
            tasks.start_soon(verifier.verify, A, B)
            await hold.wait()
            tasks.start_soon(functools.partial(verifier.verify, A, B, deadline_s=60))
            await anyio.wait_all_tasks_blocked()
            await anyio.sleep(0.1)
            hold.go_on.set()

    run(main)
    assert 60 - LIMIT_S < given[0] < 59.9


def test_a_thread_that_cannot_be_started_fails_one_call(run, monkeypatch):
    """The verifier goes on working, and can be closed."""
    backend, start, refused = FakeBackend(), threading.Thread.start, []

    def refuse_once(thread):
        if not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    async def main():
        async with AsyncFaceVerifier(FaceVerifier(backend)) as verifier:
            monkeypatch.setattr(threading.Thread, "start", refuse_once)
            with pytest.raises(VendorUnavailable) as raised:
                await verifier.verify(A, B)
            return raised.value, await verifier.verify(A, B)

    error, result = run(main)
    assert (error.billing.charged, len(refused), result.is_match) == (Charged.NO, 1, True)
    assert (len(backend.calls), backend.closed) == (1, 1)


def test_a_verifier_is_closed_although_no_thread_can_be_started(run, monkeypatch):
    """Here, then."""
    backend = FakeBackend()

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    async def main():
        async with AsyncFaceVerifier(FaceVerifier(backend)):
            monkeypatch.setattr(threading.Thread, "start", refuse)

    run(main)
    assert backend.closed == 1


def test_hooks_see_the_context_of_the_caller(run):
    """So a trace that is begun around the await goes on in the thread."""
    request, seen = contextvars.ContextVar("request"), []

    async def main():
        verifier = FaceVerifier(FakeBackend(), on_event=lambda _: seen.append(request.get()))
        async with AsyncFaceVerifier(verifier) as opened:
            request.set("r1")
            await opened.verify(A, B)

    run(main)
    assert set(seen) == {"r1"}


def test_it_is_used_by_one_loop_after_another(run):
    """A verifier of a module may be asked by several `asyncio.run`."""
    verifier = AsyncFaceVerifier(FaceVerifier(FakeBackend()))

    async def once():
        return (await verifier.verify(A, B)).is_match

    assert [run(once), run(once)] == [True, True]
    run(verifier.aclose)


def test_after_closing_nothing_is_asked(run):
    """And closing twice does no harm."""
    backend = FakeBackend()

    async def main():
        verifier = AsyncFaceVerifier(FaceVerifier(backend))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(verifier.aclose)
            tasks.start_soon(verifier.aclose)
        await verifier.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await verifier.verify(A, B)

    run(main)
    assert (backend.closed, backend.calls) == (1, [])


def test_closing_waits_for_those_who_wait_themselves(run):
    """A server that is stopped answers what it has begun, queued calls too."""
    hold = Hold()
    backend, answers = FakeBackend(script=[hold]), []

    async def main():
        verifier = AsyncFaceVerifier(FaceVerifier(backend), max_concurrency=1)

        async def ask():
            answers.append(await verifier.verify(A, B))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
            await hold.wait()
            tasks.start_soon(verifier.aclose)
            await anyio.wait_all_tasks_blocked()
            assert backend.closed == 0
            hold.go_on.set()

    run(main)
    assert (len(answers), backend.closed) == (2, 1)


def test_an_error_holds_no_picture_once_it_is_forgotten(run):
    """No circle keeps the frames of a call alive."""

    def lose(_):
        raise OutcomeUnknown("lost")

    async def main():
        backend, probe = FakeBackend(script=[lose]), picture((1, 1, 1), kind="PNG")
        before = sys.getrefcount(probe)
        async with AsyncFaceVerifier(FaceVerifier(backend)) as verifier:
            with contextlib.suppress(OutcomeUnknown):
                await verifier.verify(probe, B)
            backend.calls.clear()
        # Its thread may be on its way back from the call.
        wait_for(lambda: sys.getrefcount(probe) == before)

    gc.disable()
    try:
        run(main)
    finally:
        gc.enable()


# verify_many


def test_many_pairs_come_in_order(run):
    """From an ordinary iterable and from an asynchronous one; never more calls than allowed."""
    lock, under_way, most = threading.Lock(), 0, 0

    def busy(call):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0)
        with lock:
            under_way -= 1

    async def pairs():
        for number in range(50):
            await anyio.lowlevel.checkpoint()
            yield A, B, number

    async def main():
        async with AsyncFaceVerifier(FaceVerifier(FakeBackend(script=[busy] * 100))) as verifier:
            one = [o async for o in verifier.verify_many(pairs(), max_workers=8)]
            other = [o async for o in verifier.verify_many([(A, B, n) for n in range(50)])]
        return one, other

    for outcomes in run(main):
        assert [(o.index, o.key, o.error) for o in outcomes] == [(n, n, None) for n in range(50)]
    assert most <= 8


def test_a_slow_head_holds_back_only_so_many(run):
    """An endless source is read a little ahead of what is handed out, and no further."""
    hold, read, head = Hold(), [], picture((1, 2, 3))

    def answer(call):
        if call.probe == head:
            hold()

    backend = FakeBackend(script=[answer] * 99)

    def endless():
        while True:
            read.append(A if read else head)
            yield read[-1], B

    async def main():
        async with (
            AsyncFaceVerifier(FaceVerifier(backend)) as verifier,
            contextlib.aclosing(verifier.verify_many(endless(), max_workers=2)) as outcomes,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(anext, outcomes)
            await hold.wait()
            await anyio.to_thread.run_sync(wait_for, lambda: len(backend.calls) == 4)
            await anyio.wait_all_tasks_blocked()
            assert len(read) == 4
            hold.go_on.set()

    run(main)


def wait_for(condition):
    """Look again and again; for what no event tells."""
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_what_is_wrong_ends_the_run_after_what_is_paid(run):
    """A fatal error is an outcome; a failing source or plug-in raises at the end."""

    def failing():
        yield A, B
        raise OSError("the list is gone")

    async def main():
        fatal = FakeBackend(script=[None, AuthenticationFailed("bad key")])
        async with AsyncFaceVerifier(FaceVerifier(fatal)) as verifier:
            outcomes = [o async for o in verifier.verify_many([(A, B)] * 9, max_workers=1)]
            assert [type(o.error) for o in outcomes] == [type(None), AuthenticationFailed]
            got = []
            with pytest.raises(OSError, match="the list is gone"):
                async for outcome in verifier.verify_many(failing()):
                    got.append(outcome.decision)  # noqa: PERF401 - it ends in an error
            assert got == ["match"]
            with pytest.raises(InvalidRequest, match="max_workers"):
                verifier.verify_many([], max_workers=0)
            with pytest.raises(InvalidRequest, match="levle"):
                verifier.verify_many([], levle=1)
            with pytest.raises(InvalidRequest, match="iterate"):
                verifier.verify_many(3)
        assert len(fatal.calls) == 3

    run(main)


def test_a_pair_without_a_thread_is_an_outcome(run, monkeypatch):
    """The pairs before and after it are decided; it is not made when a thread is free."""
    hold, start, started = Hold(), threading.Thread.start, []
    refused, fail = threading.Event(), Future.set_exception
    backend = FakeBackend(script=[hold])

    def refuse_second(thread):
        if thread.name.startswith("facematch-aio_"):  # of the pool
            started.append(thread)
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    def note(future, error):
        fail(future, error)
        if isinstance(error, VendorUnavailable):
            refused.set()

    def pairs():
        yield A, B, "a"
        yield A, B, "b"
        # Else the first thread might be free in time to take it.
        assert refused.wait(LIMIT_S)
        hold.go_on.set()
        yield A, B, "c"

    async def main():
        async with AsyncFaceVerifier(FaceVerifier(backend)) as verifier:
            monkeypatch.setattr(threading.Thread, "start", refuse_second)
            monkeypatch.setattr(Future, "set_exception", note)
            return [o async for o in verifier.verify_many(pairs())]

    outcomes = run(main)
    assert [(o.index, o.key, type(o.error)) for o in outcomes] == [
        (0, "a", type(None)),
        (1, "b", VendorUnavailable),
        (2, "c", type(None)),
    ]
    assert (outcomes[1].error.billing.charged, len(backend.calls)) == (Charged.NO, 2)


def test_stopping_early_takes_back_what_was_not_sent(run):
    """The first outcome is wanted, the second is under way, the third is never begun."""
    first, second = Hold(), Hold()
    backend, events = FakeBackend(script=[first, second]), []

    async def main():
        verifier = FaceVerifier(backend, on_event=events.append)
        async with AsyncFaceVerifier(verifier, max_concurrency=1) as opened:
            pairs = ((A, B) for _ in range(99))
            async with contextlib.aclosing(opened.verify_many(pairs, max_workers=3)) as outcomes:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(anext, outcomes)
                    await anyio.wait_all_tasks_blocked()
                    first.go_on.set()
                await second.wait()
            second.go_on.set()

    run(main)
    assert len(backend.calls) == 2
    assert names(events).count("CHARGED") == 2


# Cancelled: what is sent, and what is paid


def standing(budget, vendor):
    """What the budget of a test counts."""
    return budget.store.budget(
        BudgetKey(
            name=vendor, currency=None, environment=Environment.PRODUCTION, period=Period.TOTAL
        )
    )


def spent(budget, vendor):
    """Spent, reserved and unknown calls."""
    found = standing(budget, vendor)
    return (0, 0, 0) if found is None else (found.spent, found.reserved, found.unknown)


class Stage:
    """A call to a mock that is held at a stage of its way.

    Args:
        vendor: Whom it asks.
        at: "started", "sleeping", or moment and beginning of a path as `Line.at` has them.
    """

    def __init__(self, vendor, at, *, policies=(), retry=None):
        self.world, self.vendor, self.hold, self.events = World(), vendor, Hold(), []
        self.at, self.armed = at, True
        self.budget = Budget(9, name=vendor, clock=self.world.clock)
        self.world.line.at = lambda moment, path: self.reach((moment, path))
        self.world.clock.at = self.reach
        self.verifier = FaceVerifier(
            self.world.backend(vendor),
            policies=[self.budget, *(make(self.world.clock) for make in policies)],
            retry=retry,
            clock=self.world.clock,
            on_event=self.note,
        )

    def note(self, event):
        self.events.append(event)
        self.reach(event.kind.name)

    def reach(self, place):
        if self.armed and place == self.at:
            self.armed = False
            self.hold()

    @property
    def books(self):
        """The vendor's charges, and the budget's spent, reserved and unknown ones."""
        return len(self.world.charges(self.vendor)), *spent(self.budget, self.vendor)


def full(clock):
    """Rates that have room for the first call only."""
    return RateLimiter([RateWindow(1, 60)], max_wait_s=99, clock=clock)


MATCH = PAID["didit"][0]
DEEPVUE_MATCH = PAID["deepvue"][0]
UNSENT = {
    "started": ("didit", "STARTED", {}),
    "connected": ("didit", ("before", MATCH), {}),
    "logging in": ("deepvue", ("sent", LOGIN), {}),
    "logged in": ("deepvue", ("before", DEEPVUE_MATCH), {}),
}
SENT = {
    "first byte": ("didit", ("sent", MATCH)),
    "told as sent": ("didit", "SENT"),
    "carried out": ("didit", ("executed", MATCH)),
    "carried out, Deepvue": ("deepvue", ("executed", DEEPVUE_MATCH)),
    "answered": ("didit", "ANSWERED"),
}


def cancelled_at(stage, method="verify", verifier=None):
    """What cancels a call that is held there: the await ends first, then the thread may go on."""

    async def main():
        opened = AsyncFaceVerifier(verifier or stage.verifier)

        async def ask():
            try:
                await getattr(opened, method)(A, B)
            finally:
                stage.hold.go_on.set()

        async with opened, anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await stage.hold.wait()
            tasks.cancel_scope.cancel()

    return main


@pytest.mark.parametrize("name", UNSENT)
def test_cancelled_before_the_first_byte(run, name):
    """Nothing is sent, charged, spent or unknown."""
    vendor, at, more = UNSENT[name]
    stage = Stage(vendor, at, **more)
    run(cancelled_at(stage))
    assert stage.books == (0, 0, 0, 0)
    assert stage.world.line.paid(vendor) == 0
    assert names(stage.events) == ["STARTED", "REFUSED"]
    assert stage.events[-1].error == "CallCancelled"


@pytest.mark.parametrize("name", SENT)
def test_cancelled_after_the_first_byte(run, name):
    """The call is finished: its charge is in the budget, its end is told."""
    stage = Stage(*SENT[name])
    run(cancelled_at(stage))
    assert stage.books == (1, 1, 0, 0)
    assert names(stage.events) == ["STARTED", "SENT", "ANSWERED", "CHARGED"]


class Counting(Policy):
    """Counts who comes."""

    def __init__(self):
        self.entered = 0

    def enter(self, passage):
        self.entered += 1
        return lambda ending: None


def test_cancelled_before_the_gates(run):
    """It takes no place there from a call that will be made."""
    counting = Counting()
    stage = Stage("didit", "STARTED", policies=[lambda clock: counting])
    run(cancelled_at(stage))
    assert counting.entered == 0


def test_cancelled_while_it_waits_for_room(run):
    """What is held back by the vendor's rates is not sent, and its reservation is free again."""
    stage = Stage("didit", "sleeping", policies=[full])
    stage.verifier.verify(A, B)
    stage.events.clear()
    run(cancelled_at(stage))
    assert stage.books == (1, 1, 0, 0)
    assert names(stage.events) == ["STARTED", "REFUSED"]


@pytest.mark.parametrize("waits_in", ["pacing", "retry"])
def test_nobody_waits_for_a_wait_that_is_cancelled(run, waits_in):
    """It ends at once by the machine's clock; half a minute would be too long for this test."""
    backend, events, waits = FakeBackend(), [], threading.Event()
    if waits_in == "pacing":
        more = {"policies": [RateLimiter([RateWindow(1, 60)], max_wait_s=99)]}
    else:
        more = {"retry": Retry(first_s=99, longest_s=99)}
        backend.script = [None, VendorUnavailable("down")]

    class Waiting(Cancellation):
        def sleep(self, seconds, clock):
            waits.set()
            super().sleep(seconds, clock)

    async def main():
        verifier = FaceVerifier(backend, on_event=events.append, **more)
        async with AsyncFaceVerifier(verifier) as opened, anyio.create_task_group() as tasks:
            await opened.verify(A, B)
            tasks.start_soon(opened.verify, A, B)
            assert await anyio.to_thread.run_sync(waits.wait, LIMIT_S)
            tasks.cancel_scope.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aio, "Cancellation", Waiting)
        run(main)
    assert events[-1].error == "CallCancelled"


@pytest.mark.parametrize("at", ["sleeping", "RETRYING"])
def test_cancelled_before_it_is_made_again(run, at):
    """A call that failed before its first byte is not repeated for nobody."""
    stage = Stage("didit", at, retry=Retry())
    stage.world.line.cut[MATCH] = 1
    run(cancelled_at(stage))
    assert stage.books == (0, 0, 0, 0)
    assert names(stage.events) == ["STARTED", "RETRYING", "REFUSED"]


def test_cancelled_on_its_way_to_a_refusal(run):
    """What the vendor refused unpaid is told as that, and not made again."""
    stage = Stage("didit", ("sent", MATCH), retry=Retry())
    stage.world.control("didit").set_limit("write", 0)
    run(cancelled_at(stage))
    assert stage.books == (0, 0, 0, 0)
    assert names(stage.events) == ["STARTED", "SENT", "REFUSED"]
    assert stage.events[-1].error == "RateLimited"


def test_cancelled_while_the_vendor_asks_for_another_login(run):
    """The second request of a call that is under way is part of it."""
    stage = Stage("deepvue", ("sent", DEEPVUE_MATCH))
    stage.armed = False
    stage.verifier.verify(A, B)
    stage.events.clear()
    stage.world.control("deepvue").tokens.revoke()
    stage.armed = True
    run(cancelled_at(stage))
    assert stage.world.line.paid("deepvue") == 3
    assert stage.books == (2, 2, 0, 0)
    assert names(stage.events) == ["STARTED", "SENT", "ANSWERED", "CHARGED"]


@pytest.mark.parametrize("at", [("sent", PAID["didit"][1]), "ANSWERED", "CHARGED"])
def test_cancelled_within_the_first_of_two_calls(run, at):
    """The check for a live face is finished; the comparison is not made."""
    stage = Stage("didit", at)
    run(cancelled_at(stage, "verify_live"))
    assert stage.books == (1, 1, 0, 0)
    assert stage.world.line.sent == [PAID["didit"][1]]
    assert names(stage.events) == ["STARTED", "SENT", "ANSWERED", "CHARGED"]


def test_cancelled_within_a_failover(run):
    """The next member is not asked for nobody."""
    stage, second = Stage("didit", ("before", MATCH)), FakeBackend()
    stage.world.line.cut[MATCH] = 1
    failover = Failover({"first": stage.verifier, "second": FaceVerifier(second)})

    run(cancelled_at(stage, verifier=failover))
    assert (stage.books, second.calls) == ((0, 0, 0, 0), [])


def test_cancelled_before_there_is_a_thread(run):
    """What waits for a thread is forgotten at once; no thread is taken from the others."""
    stage = Stage("didit", ("sent", MATCH))

    async def main():
        verifier = AsyncFaceVerifier(stage.verifier, max_concurrency=1)
        async with verifier, anyio.create_task_group() as tasks:
            tasks.start_soon(verifier.verify, A, B)
            await stage.hold.wait()
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as others:
                    for _ in range(5):
                        others.start_soon(verifier.verify, A, B)
                    await anyio.wait_all_tasks_blocked()
                    scope.cancel()
            stage.hold.go_on.set()

    run(main)
    assert stage.books == (1, 1, 0, 0)
    assert names(stage.events).count("STARTED") == 1


def test_cancelled_calls_keep_their_threads(run):
    """A call that nobody waits for counts: there are never more than `max_concurrency`."""
    holds = [Hold() for _ in range(4)]
    backend = FakeBackend(script=list(holds))

    async def main():
        async with AsyncFaceVerifier(FaceVerifier(backend), max_concurrency=2) as verifier:
            async with anyio.create_task_group() as tasks:
                for hold in holds[:2]:
                    tasks.start_soon(verifier.verify, A, B)
                    await hold.wait()
                tasks.cancel_scope.cancel()
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(verifier.verify, A, B)
                await anyio.wait_all_tasks_blocked()
                assert len(backend.calls) == 2
                for hold in holds:
                    hold.go_on.set()

    run(main)
    assert len(backend.calls) == 4


def test_what_a_call_leaves_behind_keeps_its_place(run):
    """The caller has the answer at once; the next call is made when that has ended."""
    left = Future()

    def leave(_):
        CANCELLATION.get().left_behind = [left]

    backend = FakeBackend(script=[leave])

    async def main():
        async with AsyncFaceVerifier(FaceVerifier(backend), max_concurrency=1) as verifier:
            await verifier.verify(A, B)
            with pytest.raises(VendorUnavailable):
                await verifier.verify(A, B, deadline_s=0.05)
            assert len(backend.calls) == 1
            left.set_result(None)
            await verifier.verify(A, B)

    run(main)
    assert len(backend.calls) == 2


def test_closing_within_what_is_cancelled(run):
    """`async with` waits for the call although everything around it is cancelled, and sleeps."""
    stage = Stage("didit", ("executed", MATCH))

    async def release():
        await anyio.wait_all_tasks_blocked()
        stage.hold.go_on.set()

    async def main():
        async with anyio.create_task_group() as outside:
            with anyio.CancelScope() as scope:
                async with (
                    AsyncFaceVerifier(stage.verifier) as verifier,
                    anyio.create_task_group() as tasks,
                ):
                    tasks.start_soon(verifier.verify, A, B)
                    await stage.hold.wait()
                    scope.cancel()
                    outside.start_soon(release)
            assert stage.books == (1, 1, 0, 0)

    run(main)


def test_an_outcome_that_is_unknown_is_remembered(run):
    """As if somebody had waited: it stays set aside in the budget, and is told."""
    stage = Stage("didit", ("sent", MATCH))
    stage.world.control("didit").add_fault(Fault(stage="mid_body", kind="reset", path=MATCH))
    run(cancelled_at(stage))
    assert stage.books == (1, 0, 0, 1)
    assert names(stage.events) == ["STARTED", "SENT", "UNKNOWN"]
    assert stage.events[-1].error == "OutcomeUnknown"


# As asyncio cancels


def test_a_timeout_of_asyncio():
    """`asyncio.timeout` is over at once; the call is not."""
    stage = Stage("didit", ("executed", MATCH))

    async def main():
        async with AsyncFaceVerifier(stage.verifier) as verifier:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as timeout:
                    asyncio.get_running_loop().create_task(expire_when_held(timeout))
                    await verifier.verify(A, B)
            assert stage.books == (1, 0, 1, 0)
            stage.hold.go_on.set()

    async def expire_when_held(of_call):
        await stage.hold.wait()
        of_call.reschedule(asyncio.get_running_loop().time())

    asyncio.run(main())
    assert stage.books == (1, 1, 0, 0)


def test_a_failure_in_a_task_group():
    """One call that failed takes back those that were not sent."""
    hold, events = Hold(), []
    verifier = FaceVerifier(Unsent(hold), on_event=events.append)

    async def main():
        async with AsyncFaceVerifier(verifier) as opened, asyncio.TaskGroup() as tasks:
            held = tasks.create_task(opened.verify(A, B))
            await hold.wait()
            held.add_done_callback(lambda _: hold.go_on.set())
            tasks.create_task(opened.verify("text", B))

    with pytest.raises(ExceptionGroup) as failed:
        asyncio.run(main())
    assert failed.group_contains(InvalidImage)
    assert names(events) == ["STARTED", "REFUSED"]
    assert events[-1].error == "CallCancelled"


def test_closing_waits_to_the_end_though_it_is_cancelled():
    """`Task.cancel`, again and again, does not leave a call behind; and it is not swallowed."""
    stage = Stage("didit", ("executed", MATCH))

    async def main():
        verifier = AsyncFaceVerifier(stage.verifier)
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


def test_the_end_of_the_loop_waits_for_calls(run):
    """Also of a verifier that nobody closed: what was sent is finished before `run` returns."""
    stage = Stage("didit", ("executed", MATCH))
    verifier = AsyncFaceVerifier(stage.verifier)
    over, returned, early = threading.Event(), threading.Event(), []

    def release():
        assert over.wait(LIMIT_S)
        early.append(returned.wait(0.2))
        stage.hold.go_on.set()

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(verifier.verify, A, B)
            await stage.hold.wait()
            tasks.cancel_scope.cancel()
        over.set()

    thread = threading.Thread(target=release)
    thread.start()
    run(main)
    returned.set()
    thread.join(LIMIT_S)
    assert early == [False]
    assert stage.books == (1, 1, 0, 0)
    assert names(stage.events)[-1] == "CHARGED"
    run(verifier.aclose)


def test_a_task_that_is_left_at_the_end_of_the_loop():
    """`asyncio.run` cancels it; nothing is sent."""
    stage = Stage("didit", ("before", MATCH))

    async def main():
        verifier = AsyncFaceVerifier(stage.verifier)
        task = asyncio.create_task(verifier.verify(A, B))
        await stage.hold.wait()
        task.add_done_callback(lambda _: stage.hold.go_on.set())

    asyncio.run(main())
    assert stage.books == (0, 0, 0, 0)


def test_a_loop_that_is_closed_hard():
    """What is under way is finished; what waits for a thread is not sent for nobody."""
    hold, events = Hold(), []
    backend = FakeBackend(script=[hold])
    verifier = AsyncFaceVerifier(FaceVerifier(backend, on_event=events.append), max_concurrency=1)
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(verifier.verify(A, B)) for _ in range(2)]
    loop.run_until_complete(hold.wait())
    loop.close()
    hold.go_on.set()
    asyncio.run(verifier.aclose())
    assert (len(backend.calls), backend.closed, names(events)[-1]) == (1, 1, "CHARGED")
    for task in tasks:
        task._log_destroy_pending = False


ENDLESS = """
import asyncio
from concurrent.futures import Future
from kit.fakes import FakeBackend, picture
from facematch_core import AsyncFaceVerifier, FaceVerifier
from facematch_core._cancellation import CANCELLATION

def leave(_):
    CANCELLATION.get().left_behind = [Future()]

async def main():
    verifier = AsyncFaceVerifier(FaceVerifier(FakeBackend(script=[leave])))
    print((await verifier.verify(picture(), picture())).is_match)
    {end}

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["pass", "await verifier.aclose()"])
def test_the_interpreter_does_not_wait_for_what_never_ends(end):
    """An engine that was left behind, whether the verifier is closed or not."""
    program = subprocess.run(
        [sys.executable, "-c", ENDLESS.format(end=end)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        timeout=LIMIT_S,
        text=True,
        check=False,
    )
    assert (program.returncode, program.stdout, program.stderr) == (0, "True\n", "")


# The small object in between


def test_whichever_comes_first():
    """Cancel or commit: one of them wins, and the other learns it."""
    early, late = Cancellation(), Cancellation()
    assert early.cancel() is True
    with pytest.raises(CallCancelled):
        early.commit()
    late.commit()
    assert late.cancel() is False
    with pytest.raises(CallCancelled):
        late.commit()


def test_a_wait_ends_when_the_call_is_taken_back():
    """At once, and not when the time has passed."""
    cancellation, began = Cancellation(), threading.Event()
    raised = []

    def wait():
        began.set()
        try:
            cancellation.sleep(3600, SystemClock())
        except CallCancelled as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert began.wait(LIMIT_S)
    cancellation.cancel()
    thread.join(LIMIT_S)
    assert len(raised) == 1
