"""`AsyncFaceVerifier`: a verifier for programs with an event loop, asyncio's or trio's.

Calls run in threads of its own, because the one transport is requests, and nobody can stop a thread
from outside: who stops waiting takes the call back, unless its first byte has left.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import functools
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, NoReturn, Protocol, Self, TypeVar, Unpack

import anyio
import anyio.lowlevel

from facematch_core.base.cancellation import CANCELLATION, CallCancelled, Cancellation
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import (
    FATAL,
    ConfigurationError,
    FaceMatchError,
    InvalidRequest,
    VendorError,
    VendorUnavailable,
)
from facematch_core.models import (
    CallRecord,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    Reconciliation,
)

from .verifier import (
    AnyThreshold,
    LiveMatchOptions,
    LivenessOptions,
    MatchOptions,
    PairOutcome,
    PairRun,
    Picture,
    ThreadCall,
    Verifier,
    show_options,
)


class _MakesCalls(Protocol):
    """A verifier, or the sessions of one."""

    def close(self) -> None: ...

    @property
    def _deadline(self) -> Callable[[float | None], Deadline]: ...


R = TypeVar("R")
V = TypeVar("V", bound=_MakesCalls)

#: More threads than this in one process cost more than they bring.
MAX_CONCURRENCY = 1024

#: Keeps tasks alive, because a loop of asyncio references them weakly.
_tasks: set[asyncio.Task[None]] = set()


class Awaited(Generic[V]):
    """Awaits the methods of something that makes calls: in threads of its own."""

    def __init__(self, verifier: V, *, max_concurrency: int = 64) -> None:
        if type(max_concurrency) is not int or not 1 <= max_concurrency <= MAX_CONCURRENCY:
            raise ConfigurationError(
                f"max_concurrency must be a whole number from 1 to {MAX_CONCURRENCY}."
            )
        self._verifier: V = verifier
        self._max_concurrency = max_concurrency
        #: Calls that have begun and not ended, even if nobody waits for them.
        self._unfinished: set[Future[Any]] = set()
        self._keepers: dict[object, AsyncGenerator[None, None]] = {}
        self._closed = False
        self._closing: Future[None] | None = None
        self._begin_process()
        _awaited.add(self)

    def _begin_process(self) -> None:
        """Have new threads, and no call under way: a child of a fork has none of its parent's."""
        self._pool = ThreadPoolExecutor(self._max_concurrency, thread_name_prefix="facematch-aio")
        #: Starts threads in place of the loop, which would wait half a second for 64 of them.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="facematch-aio-starter")
        self._unfinished.clear()

    async def aclose(self) -> None:
        """Wait for the calls under way, then close the verifier. May be called more than once.

        It waits to the end even if it is cancelled.
        """
        self._closed = True
        try:
            await _wait_for_all(self._unfinished)
        finally:
            if self._closing is None:
                closing = ThreadCall(self._verifier.close)
                self._closing = closing.future
                if not closing.begin(self._pool):
                    self._closing = Future()
                    self._closing.set_result(self._verifier.close())
                self._starter.shutdown(wait=False)
                self._pool.shutdown(wait=False)
            await _wait_for_all([self._closing])
        if (keeper := self._keepers.get(_running_loop())) is not None:
            await keeper.aclose()
        self._forget_closed_loops()
        self._closing.result()

    async def __aenter__(self) -> Self:
        # Import what anyio needs for this loop now, not at the first call.
        await self._keep_loop()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled: open it in each process.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._verifier!r})"

    async def _call(self, method: Callable[..., R], /, *args: Any, **options: Any) -> R:
        await self._keep_loop()
        deadline = self._verifier._deadline(options.get("deadline_s"))  # noqa: SLF001 - of one house
        make: Callable[[], R] = functools.partial(method, *args, **options)
        ended = anyio.Event()
        call = self._begin(make, ended.set, deadline)
        try:
            with anyio.move_on_after(deadline.left_s()):
                await ended.wait()
            if not ended.is_set():
                call.refuse(_out_of_time(deadline))
            # Once a thread has begun it, the verifier keeps its deadline.
            await ended.wait()
            return call.future.result()
        except BaseException:
            call.take_back()
            raise
        finally:
            # The error's frames would hold the call, the call the error, and both the pictures.
            del call, make

    def _begin(
        self,
        make: Callable[[], R],
        wake: Callable[[], object],
        deadline: Deadline = NO_DEADLINE,
    ) -> _AwaitedCall[R]:
        """Make a call in the next free thread; then the loop calls `wake`."""
        if self._closed:
            raise ConfigurationError("This verifier is closed: open a new one.")
        call = _AwaitedCall(make, wake, deadline)
        self._unfinished.add(call.future)
        call.future.add_done_callback(self._unfinished.discard)
        call.begin(self._pool, self._starter)
        return call

    async def _keep_loop(self) -> None:
        """Keep the running loop from ending before the calls."""
        loop = _running_loop()
        if loop not in self._keepers:
            self._forget_closed_loops()
            self._keepers[loop] = _keep_open(self._unfinished, self._keepers)
            await anext(self._keepers[loop])

    def _forget_closed_loops(self) -> None:
        # A loop that was closed hard has not closed its generator.
        for closed in [loop for loop in self._keepers if _is_closed(loop)]:
            del self._keepers[closed]


#: All that are alive: each begins anew in the child of a fork.
_awaited: weakref.WeakSet[Awaited[Any]] = weakref.WeakSet()


def _in_child() -> None:
    for awaited in _awaited:
        awaited._begin_process()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)


class AsyncFaceVerifier(Awaited[Verifier]):
    """The methods of a `FaceVerifier` or a `Failover`, to be awaited.

    Arguments, results and errors are those of the verifier that it is made of. At most
    `max_concurrency` calls run at a time, the others wait for a thread; `deadline_s` counts that
    wait. `on_event` is called in the thread of the call, with the context variables of its caller.

    When an ``await`` is cancelled, nothing is sent if nothing was sent yet. Otherwise the request
    that is under way is finished in the background: its charge is written to the budget and its
    end is reported as an event, but nobody gets the result. `aclose`, and the end of the event
    loop, wait for such calls, which is as long as the time-outs of the backend.

    An asynchronous context manager. May be used by one event loop after another. Open it after a
    fork, not before; in a child it goes on without the calls that were under way.

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
        super().__init__(verifier, max_concurrency=max_concurrency)

    @property
    def verifier(self) -> Verifier:
        """The verifier that answers."""
        return self._verifier

    @show_options(MatchOptions)
    async def verify(
        self, probe: Picture, reference: Picture, **options: Unpack[MatchOptions[AnyThreshold]]
    ) -> MatchResult:
        """Compare two faces; see `FaceVerifier.verify`."""
        return await self._call(self._verifier.verify, probe, reference, **options)

    @show_options(LivenessOptions)
    async def check_liveness(
        self, probe: Picture, **options: Unpack[LivenessOptions[AnyThreshold]]
    ) -> LivenessResult:
        """Check one picture for a live face; see `FaceVerifier.check_liveness`."""
        return await self._call(self._verifier.check_liveness, probe, **options)

    @show_options(LiveMatchOptions)
    async def verify_live(
        self, probe: Picture, reference: Picture, **options: Unpack[LiveMatchOptions[AnyThreshold]]
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

    @show_options(MatchOptions)
    def verify_many(
        self,
        pairs: Iterable[Any] | AsyncIterable[Any],
        *,
        max_workers: int = 4,
        stop_on: tuple[type[FaceMatchError], ...] = FATAL,
        **options: Unpack[MatchOptions[AnyThreshold]],
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

    async def _many(
        self, run: PairRun, pairs: Iterable[Any] | AsyncIterable[Any]
    ) -> AsyncGenerator[PairOutcome, None]:
        await self._keep_loop()
        calls = _PairCalls(run, pairs, self._begin)
        # A task of its own, so that outcomes do not wait for a source that waits. It handles its
        # errors itself.
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio

            trio.lowlevel.spawn_system_task(calls.read, context=contextvars.copy_context())
        else:
            task = loop.create_task(calls.read())
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)
        try:
            while not calls.is_over:
                outcome = await calls.next_outcome()
                if outcome is not None:
                    yield outcome
        finally:
            calls.take_back()
        for failure in run.failures:
            raise failure


class _AwaitedCall(ThreadCall[R]):
    """A call that its caller can take back."""

    def __init__(
        self, make: Callable[[], R], wake: Callable[[], object], deadline: Deadline
    ) -> None:
        self._cancellation = cancellation = Cancellation(deadline)
        loop = _running_loop()

        def run_in_thread() -> R:
            # Nobody waits in a loop that was closed hard.
            if cancellation.is_cancelled or _is_closed(loop):
                raise CallCancelled
            if deadline.is_over:
                raise _out_of_time(deadline)
            CANCELLATION.set(cancellation)
            return make()

        super().__init__(run_in_thread)
        self.future.add_done_callback(functools.partial(_run_soon, loop, wake))

    def take_back(self) -> None:
        """Send nothing, unless the call is under way."""
        self._cancellation.cancel()
        self.refuse(CallCancelled())


class _PairCalls:
    """The calls of one run of `verify_many`: begun by one task, taken in order by another."""

    def __init__(
        self,
        run: PairRun,
        pairs: Iterable[Any] | AsyncIterable[Any],
        begin: Callable[
            [Callable[[], Any], Callable[[], object]], _AwaitedCall[PairOutcome | None]
        ],
    ) -> None:
        self.run, self._pairs, self._begin = run, pairs, begin
        #: Each with the index of its pair, and the pair.
        self._calls: collections.deque[tuple[_AwaitedCall[PairOutcome | None], int, Any]] = (
            collections.deque()
        )
        self._is_read = False
        self._reading, self._changed = anyio.CancelScope(), anyio.Event()

    @property
    def is_over(self) -> bool:
        return self._is_read and not self._calls

    async def read(self) -> None:
        """Begin a call for each pair, as soon as there is room; raises cancellations alone."""
        source = _enumerate_pairs(self._pairs)
        try:
            with self._reading:
                while not self.run.is_stopped:
                    most = self.run.max_workers
                    running = sum(not call.future.done() for call, *_ in self._calls)
                    if running < most and len(self._calls) < 2 * most:
                        index, pair = await anext(source)
                        make = functools.partial(self.run.verify_pair, index, pair)
                        self._calls.append((self._begin(make, self._wake), index, pair))
                        self._wake()
                    else:
                        await self._changed.wait()
        except StopAsyncIteration:
            pass
        except BaseException as error:
            # The run raises it after the calls that are paid for: also a cancellation out of the
            # source, without which the run would look complete.
            self.run.failures.append(error)
            if isinstance(error, anyio.get_cancelled_exc_class()):
                raise
        finally:
            self._is_read = True
            self._wake()
            with contextlib.suppress(Exception):
                await source.aclose()

    async def next_outcome(self) -> PairOutcome | None:
        """The outcome of the next pair; None if something else has changed."""
        if self._calls and self._calls[0][0].future.done():
            outcome = self.run.outcome(*self._calls.popleft())
            self._wake()
            if self.run.is_stopped:
                self._reading.cancel()  # the source may wait for ever
            return outcome
        await self._changed.wait()
        return None

    def take_back(self) -> None:
        """Read no more pairs, and send nothing that has not been sent."""
        # The reader notices its cancellation only where it next waits.
        self.run.is_stopped = True
        self._reading.cancel()
        for call, *_ in self._calls:
            call.take_back()

    def _wake(self) -> None:
        # Tasks that wait now hold the old event.
        self._changed.set()
        self._changed = anyio.Event()


def _out_of_time(deadline: Deadline) -> VendorUnavailable:
    return VendorUnavailable(
        f"The deadline of {deadline.limit_s:g} s ran out while the call waited for a thread. "
        "Nothing was sent.",
        retryable=False,
    )


def _running_loop() -> Any:
    return anyio.lowlevel.current_token().native_token


def _is_closed(loop: Any) -> bool:
    # Only asyncio's have this method; trio's loops end with their token.
    return bool(getattr(loop, "is_closed", bool)())


def _run_soon(loop: Any, function: Callable[[], object], _: object = None) -> None:
    """Have a loop run a function, from any thread."""
    run_soon = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
    # Nobody waits in a loop that has ended.
    with contextlib.suppress(RuntimeError):
        run_soon(function)


async def _wait_for_all(futures: Iterable[Future[Any]]) -> None:
    """Wait until all are done, and only then raise a cancellation."""
    interruption: BaseException | None = None
    loop = _running_loop()
    with anyio.CancelScope(shield=True):
        while unfinished := [future for future in tuple(futures) if not future.done()]:
            ended = anyio.Event()
            unfinished[0].add_done_callback(functools.partial(_run_soon, loop, ended.set))
            try:
                await ended.wait()
            except anyio.get_cancelled_exc_class() as error:
                # asyncio's own `Task.cancel` knows no shield.
                interruption = error
    if interruption is not None:
        raise interruption


async def _keep_open(
    unfinished: Iterable[Future[Any]], keepers: dict[object, Any]
) -> AsyncGenerator[None, None]:
    """Keep a loop from ending: at its end a loop closes its open generators, and waits for them."""
    try:
        yield
    finally:
        keepers.pop(_running_loop(), None)
        await _wait_for_all(unfinished)


async def _enumerate_pairs(
    pairs: Iterable[Any] | AsyncIterable[Any],
) -> AsyncGenerator[tuple[int, Any], None]:
    if isinstance(pairs, AsyncIterable):
        index = 0
        async for pair in pairs:
            yield index, pair
            index += 1
    else:
        for index, pair in enumerate(pairs):
            yield index, pair
