"""`AsyncFaceVerifier`: a verifier for programs with an event loop, asyncio's or trio's.

Calls run in threads of its own, because the one transport is requests. What a thread does cannot be
stopped from outside, and a request that has begun to leave may be charged. So whoever stops waiting
takes the call back: before its first byte it is never sent; after that it is finished without them.
"""

from __future__ import annotations

import collections
import contextlib
import contextvars
import functools
import queue
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, NoReturn, Self, TypedDict, TypeVar, Unpack, cast

import anyio
import anyio.lowlevel

from ._cancellation import CANCELLATION, Cancellation
from .clock import SystemClock
from .errors import (
    FATAL,
    ConfigurationError,
    FaceMatchError,
    InvalidRequest,
    VendorError,
)
from .models import (
    CallRecord,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    Reconciliation,
    Retention,
)
from .verifier import AnyThreshold, PairOutcome, PairRun, Picture, Verifier

R = TypeVar("R")

#: More threads than this in one process cost more than they bring.
MAX_CONCURRENCY = 1024
#: What is left of a deadline that ran out before there was a thread: the verifier then says so.
_MOMENT_S = 1e-6
_CLOCK = SystemClock()
#: Calls that are made ready at a time, and how long one waits for its turn.
_TURNS, _PATIENCE_S = 4, 0.05


class LivenessOptions(TypedDict, total=False):
    """Arguments of `check_liveness`."""

    threshold: AnyThreshold | None
    review_threshold: AnyThreshold | None
    rotate: bool
    retention: Retention
    caller_ref: str | None
    metadata: Mapping[str, Any] | None
    options: Any
    deadline_s: float | None


class MatchOptions(LivenessOptions, total=False):
    """Arguments of `verify`."""

    max_fmr: float | None


class LiveMatchOptions(MatchOptions, total=False):
    """Arguments of `verify_live`."""

    liveness_threshold: AnyThreshold | None
    liveness_review_threshold: AnyThreshold | None


class AsyncFaceVerifier:
    """The methods of a `FaceVerifier` or a `Failover`, to be awaited.

    Arguments, results and errors are those of the verifier that it is made of. At most
    `max_concurrency` calls run at a time, the others wait for a thread; `deadline_s` counts that
    wait. `on_event` is called in the thread of the call, with the context variables of its caller.

    When an ``await`` is cancelled, nothing is sent if nothing was sent yet. Otherwise the request
    that is under way is finished in the background: its charge is written to the budget and its
    end is reported as an event, but nobody gets the result. `aclose`, and the end of the event
    loop, wait for such calls, which is as long as the time-outs of the backend.

    An asynchronous context manager. May be used by one event loop after another. Open it after a
    fork, not before.

    Args:
        verifier: The verifier that answers; closed together with this one.
        max_concurrency: Threads, 1 to 1024; they are started as they are needed.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    def __init__(self, verifier: Verifier, *, max_concurrency: int = 64) -> None:
        if not isinstance(verifier, Verifier):
            raise ConfigurationError(
                "AsyncFaceVerifier takes a FaceVerifier or a Failover, not "
                f'{type(verifier).__name__}; with a name, call open_async_verifier("local").'
            )
        if type(max_concurrency) is not int or not 1 <= max_concurrency <= MAX_CONCURRENCY:
            raise ConfigurationError(
                f"max_concurrency must be a whole number from 1 to {MAX_CONCURRENCY}."
            )
        self._verifier = verifier
        self._threads = _Threads(max_concurrency)
        #: A semaphore, but in C: a token for each that may begin.
        self._turns: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(_TURNS):
            self._turns.put(None)
        #: Calls that have begun and not ended, whether anybody waits for them or not.
        self._unfinished: set[_Call[Any]] = set()
        self._keepers: dict[object, AsyncGenerator[None, None]] = {}
        self._closed = False
        self._closing: _Call[None] | None = None

    @property
    def verifier(self) -> Verifier:
        """The verifier that answers."""
        return self._verifier

    async def verify(
        self, probe: Picture, reference: Picture, **options: Unpack[MatchOptions]
    ) -> MatchResult:
        """Compare two faces; see `FaceVerifier.verify`."""
        return await self._call(self._verifier.verify, probe, reference, **options)

    async def check_liveness(
        self, probe: Picture, **options: Unpack[LivenessOptions]
    ) -> LivenessResult:
        """Check one picture for a live face; see `FaceVerifier.check_liveness`."""
        return await self._call(self._verifier.check_liveness, probe, **options)

    async def verify_live(
        self, probe: Picture, reference: Picture, **options: Unpack[LiveMatchOptions]
    ) -> LiveMatchResult:
        """Check the probe for a live face, then compare it; see `FaceVerifier.verify_live`.

        If it is cancelled during the first call, the second one is not made.
        """
        return await self._call(self._verifier.verify_live, probe, reference, **options)

    async def reconcile(
        self, call: CallRecord | VendorError, *, deadline_s: float | None = None
    ) -> Reconciliation:
        """Look for a call in the vendor's records; see `FaceVerifier.reconcile`."""
        return await self._call(self._verifier.reconcile, call, deadline_s=deadline_s)

    def verify_many(
        self,
        pairs: Iterable[Any] | AsyncIterable[Any],
        *,
        max_workers: int = 4,
        stop_on: tuple[type[FaceMatchError], ...] = FATAL,
        **options: Unpack[MatchOptions],
    ) -> AsyncGenerator[PairOutcome, None]:
        """Compare many pairs, in bounded memory; see `FaceVerifier.verify_many`.

        Calls are begun while you wait for the next outcome. If you stop before the last one, use
        ``async with contextlib.aclosing(verifier.verify_many(pairs)) as outcomes``: what was not
        sent is then taken back at once.

        Args:
            pairs: Also an asynchronous iterable. Another one is read in the event loop, and should
                not block it.
            max_workers: Calls of this run at a time, 1-256, as far as `max_concurrency` lets them.
        """
        run = PairRun(self._verifier.verify, max_workers, stop_on, options)
        if not isinstance(pairs, (Iterable, AsyncIterable)):
            raise InvalidRequest(
                f"pairs must be something to iterate over, not {type(pairs).__name__}."
            )
        return self._many(run, pairs)

    async def aclose(self) -> None:
        """Wait for the calls under way, then close the verifier. May be called more than once.

        It waits to the end even if it is cancelled.
        """
        self._closed = True
        try:
            await _all_done(self._unfinished)
        finally:
            if self._closing is None:
                self._closing = _Call(self._turns, self._verifier.close, (), {})
                self._threads.add(self._closing)
            await _all_done([self._closing])
            self._threads.end()
        keeper = self._keepers.get(_loop())
        if keeper is not None:
            await keeper.aclose()
        self._closing.outcome()

    async def __aenter__(self) -> Self:
        # Now, and not at the first call, what anyio has for this loop is imported.
        await self._keep_loop()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError("An AsyncFaceVerifier cannot be pickled: open one in each process.")

    def __repr__(self) -> str:
        return f"AsyncFaceVerifier({self._verifier!r})"

    async def _call(self, method: Callable[..., R], /, *args: Any, **options: Any) -> R:
        """One call in a thread."""
        await self._keep_loop()
        call = self._begin(method, *args, **options)
        try:
            await _one_done([call])
        except BaseException:
            call.take_back()
            raise
        try:
            return call.outcome()
        finally:
            del call  # as in `outcome`

    def _begin(self, method: Callable[..., R], /, *args: Any, **options: Any) -> _Call[R]:
        """Let a thread make a call as soon as one is free."""
        if self._closed:
            raise ConfigurationError("This verifier is closed: open a new one.")
        call = _Call(self._turns, method, args, options)
        self._unfinished.add(call)
        call.when_done(lambda: self._unfinished.discard(call))
        self._threads.add(call)
        return call

    async def _many(
        self, run: PairRun, pairs: Iterable[Any] | AsyncIterable[Any]
    ) -> AsyncGenerator[PairOutcome, None]:
        await self._keep_loop()
        source, max_workers = _numbered(pairs), run.max_workers
        waiting: collections.deque[_Call[PairOutcome | None]] = collections.deque()
        reading = True
        try:
            while waiting or (reading and not run.stop.is_set()):
                running = [call for call in waiting if not call.done]
                room = len(running) < max_workers and len(waiting) < 2 * max_workers
                if waiting and waiting[0].done:
                    outcome = waiting.popleft().outcome()
                    if outcome is not None:
                        yield outcome
                elif room and reading and not run.stop.is_set():
                    try:
                        waiting.append(self._begin(run.one, *await anext(source)))
                    except StopAsyncIteration:
                        reading = False
                    except Exception as error:  # noqa: BLE001 - raised below, after what is paid for
                        run.failures.append(error)
                        reading = False
                else:
                    await _one_done(running)
        finally:
            for call in waiting:
                call.take_back()
            await source.aclose()
        for failure in run.failures:
            raise failure

    async def _keep_loop(self) -> None:
        """See to it that the running loop does not end before the calls."""
        loop = _loop()
        if loop not in self._keepers:
            self._keepers[loop] = _keeper(self._unfinished, self._keepers)
            await anext(self._keepers[loop])


class _Call(Generic[R]):
    """A call that a thread makes, or will make.

    Lighter than a `Future`, because a loop that begins 500 calls at once does nothing else until
    it has begun the last.
    """

    def __init__(
        self,
        turns: queue.SimpleQueue[None],
        method: Callable[..., R],
        args: tuple[Any, ...],
        options: dict[str, Any],
    ) -> None:
        self._cancellation = _Withdrawal(turns)
        made = functools.partial(_made, self._cancellation, _CLOCK.monotonic(), method)
        self._make = functools.partial(contextvars.copy_context().run, made, *args, **options)
        self._waking: list[Callable[[], None]] = []
        self._result: R | None = None
        self._error: BaseException | None = None
        self.done = False

    def make(self) -> None:
        """Make it, in this thread."""
        try:
            self._result = self._make()
        except BaseException as error:  # noqa: BLE001 - raised again for whoever waits
            self._error = error
        # First this, then those who wait; they do it the other way round.
        self.done = True
        while self._waking:
            self._waking.pop()()
        del self  # as in `outcome`

    def when_done(self, wake: Callable[[], None]) -> None:
        """Call `wake` when it is done, perhaps twice, perhaps in its thread."""
        self._waking.append(wake)
        if self.done:
            wake()

    def take_back(self) -> None:
        """Send nothing for it, unless it is under way."""
        self._cancellation.cancel()

    def outcome(self) -> R:
        """What it returned or raised, once it is done."""
        if self._error is None:
            return cast(R, self._result)
        try:
            raise self._error
        finally:
            # The error's frames would hold the call, the call the error, and both the pictures.
            del self


class _Withdrawal(Cancellation):
    """A `Cancellation` of a call that waits for its turn before it is made ready.

    What comes before the first byte, reading pictures above all, is work for the interpreter,
    which runs one thread at a time: with 64 at it, the event loop waits for its turn behind all of
    them. So only a few begin at a time. Each waits for that but a moment, because those before it
    may wait themselves: for room at the vendor, for a connection.
    """

    def __init__(self, turns: queue.SimpleQueue[None]) -> None:
        super().__init__()
        self._turns, self._mine = turns, False

    def begin(self) -> None:
        """Wait for a turn, but not long."""
        with contextlib.suppress(queue.Empty):
            self._turns.get(timeout=_PATIENCE_S)
            self._mine = True

    def commit(self) -> None:
        """The first byte leaves, and the next call may begin."""
        super().commit()
        self.end()

    def end(self) -> None:
        """Leave the turn to the next, if this has one."""
        if self._mine:
            self._mine = False
            self._turns.put(None)


def _made(
    cancellation: _Withdrawal, since: float, method: Callable[..., R], /, *args: Any, **options: Any
) -> R:
    """What a call does in its thread and its context."""
    cancellation.check()
    CANCELLATION.set(cancellation)
    cancellation.begin()
    try:
        given: Any = options.get("deadline_s")
        if type(given) in (int, float) and given > 0:
            options["deadline_s"] = max(given - (_CLOCK.monotonic() - since), _MOMENT_S)
        return method(*args, **options)
    finally:
        cancellation.end()


class _Threads:
    """Threads that make calls, as many as there are calls and no more than `most`.

    A thread is started by the one before it. To the event loop each start would cost as long as
    the busy ones hold the interpreter: half a second for 64 of them.
    """

    def __init__(self, most: int) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="facematch-aio")
        self._most = most
        self._lock = threading.Lock()
        self._calls: collections.deque[_Call[Any]] = collections.deque()
        self._running = 0
        self._starting = False
        self._looked_after_by: object = None

    def add(self, call: _Call[Any]) -> None:
        """Have it made as soon as a thread is free, and the loop has begun what it is to begin."""
        self._calls.append(call)
        loop = _loop()
        if self._looked_after_by is not loop:
            self._looked_after_by = loop
            _run_soon(loop, self._start)

    def _start(self) -> None:
        self._looked_after_by = None
        with self._lock:
            start = self._may_start()
        if start:
            self._pool.submit(self._work)

    def end(self) -> None:
        """Let the threads end when they have nothing more to do."""
        self._pool.shutdown(wait=False)

    def _may_start(self) -> bool:
        if not self._calls or self._starting or self._running == self._most:
            return False
        self._starting = True
        self._running += 1
        return True

    def _work(self) -> None:
        with self._lock:
            self._starting = False
        while True:
            with self._lock:
                if not self._calls:
                    self._running -= 1
                    return
                call = self._calls.popleft()
                start = self._may_start()
            if start:
                # Refused when the interpreter ends: then this thread makes the rest.
                with contextlib.suppress(RuntimeError):
                    self._pool.submit(self._work)
            call.make()
            del call


def _loop() -> Any:
    """The running event loop, as it is known to other threads."""
    return anyio.lowlevel.current_token().native_token


def _run_soon(loop: Any, function: Callable[[], Any]) -> None:
    """Have a loop run a function, from any thread."""
    run_soon = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
    # A loop that is gone has nobody who waits.
    with contextlib.suppress(RuntimeError):
        run_soon(function)


async def _one_done(calls: Iterable[_Call[Any]]) -> None:
    """Wait until one of them is done."""
    done = anyio.Event()
    wake = functools.partial(_run_soon, _loop(), done.set)
    for call in calls:
        call.when_done(wake)
    await done.wait()


async def _all_done(calls: Iterable[_Call[Any]]) -> None:
    """Wait until all of them are done, and then raise what would have interrupted that."""
    interruption: BaseException | None = None
    with anyio.CancelScope(shield=True):
        while left := [call for call in tuple(calls) if not call.done]:
            try:
                await _one_done(left)
            except anyio.get_cancelled_exc_class() as error:
                # asyncio's own `Task.cancel` knows no shield.
                interruption = error
    if interruption is not None:
        raise interruption


async def _keeper(
    unfinished: Iterable[_Call[Any]], keepers: dict[object, Any]
) -> AsyncGenerator[None, None]:
    """A generator that stays open, because a loop that ends closes its open generators, and waits
    for that, after it has cancelled its tasks. This one is closed when all calls are finished.
    """
    try:
        yield
    finally:
        keepers.pop(_loop(), None)
        await _all_done(unfinished)


async def _numbered(
    pairs: Iterable[Any] | AsyncIterable[Any],
) -> AsyncGenerator[tuple[int, Any], None]:
    """The pairs and their places, from 0."""
    index = 0
    if isinstance(pairs, AsyncIterable):
        async for pair in pairs:
            yield index, pair
            index += 1
    else:
        for item in enumerate(pairs):
            yield item
