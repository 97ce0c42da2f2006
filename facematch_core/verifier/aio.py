"""`AsyncFaceVerifier`: a verifier for asyncio and trio. Each call runs in a thread.

Threads cannot be killed: a cancelled call either stops before its first byte is sent, or finishes.
"""

from __future__ import annotations

import functools
import math
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future, wait
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, Self, TypeVar, Unpack

import anyio
import anyio.lowlevel
import anyio.to_thread

from facematch_core.base.deadline import CANCELLATION, Cancellation, Deadline
from facematch_core.base.frames import clear_frames_with_pictures, clears_frames
from facematch_core.base.threads import DEFAULT_CONCURRENCY, DEFAULT_WORKERS, fulfil
from facematch_core.call.run import Runner
from facematch_core.errors import FATAL, ConfigurationError, FaceMatchError, VendorUnavailable
from facematch_core.models import MatchResult

from .verifier import (
    MatchOptions,
    PairOutcome,
    PairOutcomes,
    PairRun,
    Verifier,
    log_lost_outcomes,
    no_pairs,
)

P = ParamSpec("P")
R = TypeVar("R")

#: Upper limit for `max_concurrency`: more threads in one process do not help.
MAX_CONCURRENCY = 1024
#: Maximum number of calls that start in a turn of the event loop, each in a new thread perhaps.
_STARTS_PER_TURN = 4


class Awaited:
    """Base class of the async classes. Runs methods of a verifier or of `Sessions` in threads."""

    #: None if `__init__` failed.
    _verifier: Any = None

    def __init__(
        self, verifier: object, runner: Runner, *, max_concurrency: int = DEFAULT_CONCURRENCY
    ) -> None:
        """Take a verifier and its runner.

        Raise ConfigurationError for a number of calls out of range.
        """
        if type(max_concurrency) is not int or not 1 <= max_concurrency <= MAX_CONCURRENCY:
            raise ConfigurationError(
                f"max_concurrency must be a whole number from 1 to {MAX_CONCURRENCY}."
            )
        self._verifier = verifier
        self._runner = runner
        self._max_concurrency = max_concurrency
        #: The most recent event loop, and the limits of its calls; None before the first call.
        self._loop: object = None
        self._limits: _Limits | None = None
        #: Running calls by process id, because a forked child inherits a copy of this set.
        self._calls: dict[int, set[Future[Any]]] = {}
        self._closing: Future[None] | None = None

    async def aclose(self) -> None:
        """Wait for running calls, then close the verifier. May be called more than once.

        If the task is cancelled, the cancellation is raised once the verifier is closed.
        """
        if self._closing is None:
            closing: Future[None] = Future()
            # If no thread can be started, the next call tries again.
            threading.Thread(target=fulfil, args=(closing, self._close)).start()
            self._closing = closing
        interruption: BaseException | None = None
        with anyio.CancelScope(shield=True):
            while not self._closing.done():
                try:
                    await _in_abandonable_thread(wait, [self._closing])
                except anyio.get_cancelled_exc_class() as error:
                    interruption = error  # asyncio's own Task.cancel ignores the shield
        if interruption is not None:
            raise interruption
        self._closing.result()

    def _close(self) -> None:
        while True:
            calls = tuple(self._calls.get(os.getpid(), ()))
            if not calls:
                break
            wait(calls)
        self._verifier.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled: open it in each process.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._verifier!r})"

    async def _call(self, method: Callable[..., R], /, *args: Any, **options: Any) -> R:
        """Run a method in a thread as soon as the limiter permits."""
        self._check_open()
        deadline = self._runner.deadline_after(options.get("deadline_s"))
        limits = self._limits_of_loop()
        call = _Call(functools.partial(method, *args, **options), deadline, limits.preparing)
        calls = self._calls.setdefault(os.getpid(), set())
        calls.add(call.future)
        call.future.add_done_callback(calls.discard)
        try:
            with anyio.move_on_after(deadline.left_s()) as waiting:
                await limits.running.acquire_on_behalf_of(call)
            if waiting.cancelled_caught:
                raise out_of_time(deadline)
            try:
                async with limits.starting:
                    await anyio.lowlevel.checkpoint()
                await _in_abandonable_thread(_run, [call])
                return call.future.result()
            finally:
                limits.running.release_on_behalf_of(call)
        finally:
            call.cancel()
            del call  # break the reference cycle through the error, which keeps the pictures alive

    def _limits_of_loop(self) -> _Limits:
        """Return the running event loop's limits; limiters cannot be shared between loops."""
        loop = anyio.lowlevel.current_token().native_token
        if self._limits is None or self._loop is not loop:
            self._loop = loop
            self._limits = _Limits(self._max_concurrency)
        return self._limits

    def _check_open(self) -> None:
        if self._closing is not None:
            raise ConfigurationError("This verifier is closed: open a new one.")


def awaited(
    method: Callable[Concatenate[Any, P], R],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]:
    """Return the async version of `method`, for a class with `Awaited._verifier` and `_call`."""

    @functools.wraps(method, updated=())
    async def call(self: Any, /, *args: P.args, **options: P.kwargs) -> R:
        try:
            result: R = await self._call(getattr(self._verifier, method.__name__), *args, **options)
        except BaseException as error:
            del args, options
            clear_frames_with_pictures(error)
            raise
        return result

    return call


class _Limits:
    """The limits of an event loop: how many calls run, start in a turn, and prepare pictures.

    A thread that starts holds up the loop, and so does each that works on a picture meanwhile:
    with 64 in one turn, for half a second.
    """

    def __init__(self, max_concurrency: int) -> None:
        self.running = anyio.CapacityLimiter(max_concurrency)
        self.starting = anyio.CapacityLimiter(_STARTS_PER_TURN)
        self.preparing = threading.Semaphore(os.cpu_count() or 1)


class _Call(Generic[R]):
    """A call that can be cancelled until its first byte is sent."""

    def __init__(
        self, make_call: Callable[[], R], deadline: Deadline, preparing: threading.Semaphore
    ) -> None:
        # Emptied by the call, because an error's frames refer to this object.
        self._pending = [make_call]
        self._deadline = deadline
        self._cancellation = Cancellation(deadline)
        self._cancellation.preparing = preparing
        self._lock = threading.Lock()
        self.is_begun = False
        self.future: Future[R] = Future()

    def run(self) -> None:
        """Make the call in this thread."""
        with self._lock:
            if self._cancellation.is_cancelled:
                return
            self.is_begun = True
        fulfil(self.future, self._make)

    def _make(self) -> R:
        """Make the call, if its deadline has not passed."""
        if self._deadline.is_over:
            raise out_of_time(self._deadline)
        CANCELLATION.set(self._cancellation)  # in the thread's copy of the context
        # No variable holds the call, and with it the pictures, while it runs.
        return self._pending.pop()()

    def cancel(self) -> None:
        """Cancel the call, unless its first byte has been sent."""
        with self._lock:
            self._cancellation.cancel()
            if not self.is_begun and self.future.cancel():
                self.future.set_running_or_notify_cancel()  # wakes up waiters


class AsyncFaceVerifier(Awaited):
    """Any verifier, such as a `FaceVerifier` or a `Failover`, with async methods.

    The methods have the same arguments, results and errors as the verifier's. At most
    `max_concurrency` calls run at the same time; other calls wait, and `deadline_s` includes the
    wait. `on_event` is called in the call's thread, with the caller's context variables.

    If an ``await`` is cancelled before the first byte is sent, nothing is sent. If it is cancelled
    later, the request finishes in the background: its charge is written to the budget and its end
    is reported as an event, but its result is lost. `aclose` waits for such calls.

    An async context manager. Use it in one event loop at a time, and open it after a fork, not
    before. A child process does not inherit its parent's running calls.

    Args:
        verifier: The verifier to call; `aclose` also closes it.
        max_concurrency: Maximum number of threads, 1 to 1024. ``async with`` starts them; those
            that were idle for ten seconds end, and start again on demand.

    Raises:
        ConfigurationError: an argument is invalid.

    Example:
        >>> import asyncio
        >>> async def compare():
        ...     async with AsyncFaceVerifier(open_verifier("didit"), max_concurrency=8) as verifier:
        ...         return await verifier.verify(selfie, document)
        >>> print(asyncio.run(compare()).decision)
        match
    """

    _verifier: Verifier

    def __init__(self, verifier: Verifier, *, max_concurrency: int = DEFAULT_CONCURRENCY) -> None:
        if not isinstance(verifier, Verifier):
            raise ConfigurationError(
                "AsyncFaceVerifier takes a FaceVerifier or another verifier, not "
                f'{type(verifier).__name__}; with a name, call open_async_verifier("local").'
            )
        super().__init__(verifier, verifier.runner, max_concurrency=max_concurrency)

    @property
    def verifier(self) -> Verifier:
        """The wrapped verifier."""
        return self._verifier

    async def __aenter__(self) -> Self:
        """Start the threads, so that the first calls do not. Idle ones end after ten seconds."""
        are_started = threading.Event()
        try:
            async with anyio.create_task_group() as group:
                for number in range(self._max_concurrency):
                    group.start_soon(_in_abandonable_thread, are_started.wait)
                    if number % _STARTS_PER_TURN == 0:
                        await anyio.lowlevel.checkpoint()
                are_started.set()
        except* RuntimeError:  # the system refuses so many threads: fewer calls run at once
            pass
        finally:
            are_started.set()
        return self

    verify = awaited(Verifier.verify)
    """Compare two faces; see `FaceVerifier.verify`."""

    check_liveness = awaited(Verifier.check_liveness)
    """Check one picture for a live face; see `FaceVerifier.check_liveness`."""

    verify_live = awaited(Verifier.verify_live)
    """Check the probe for a live face, then compare it; see `FaceVerifier.verify_live`.

    If the call is cancelled during the liveness check, the comparison is not made.
    """

    reconcile = awaited(Verifier.reconcile)
    """Search the vendor's records for a call; see `FaceVerifier.reconcile`."""

    @clears_frames
    def verify_many(
        self,
        pairs: Iterable[Any],
        *,
        max_workers: int = DEFAULT_WORKERS,
        stop_on: tuple[type[FaceMatchError], ...] = FATAL,
        **options: Unpack[MatchOptions],
    ) -> AsyncGenerator[PairOutcome, None]:
        """Compare many pairs concurrently, in bounded memory; see `FaceVerifier.verify_many`.

        To stop early, use ``async with contextlib.aclosing(verifier.verify_many(pairs)) as
        outcomes``: leaving the block cancels calls that have not been sent.

        Args:
            pairs: An iterable, which is read a few pairs ahead in a thread, and must not wait for
                an outcome.
            max_workers: Maximum concurrent calls of this run, 1-256, limited to `max_concurrency`.
            stop_on, options: See `FaceVerifier.verify_many`.

        Raises:
            InvalidRequest, Unsupported, ConfigurationError: see `FaceVerifier.verify_many`.
        """
        cancellation = Cancellation()

        def verify(*pair: Any, **arguments: Any) -> MatchResult:
            CANCELLATION.set(cancellation)  # in the thread's copy of the context
            return self._verifier.verify(*pair, **arguments)

        run = PairRun(verify, self._verifier.runner, max_workers, stop_on, options)
        run.max_workers = min(run.max_workers, self._max_concurrency)
        if not isinstance(pairs, Iterable):
            raise no_pairs(pairs)
        # An iterator, because the generator's frame would show a list of pictures.
        return self._many(run, iter(pairs), cancellation)

    async def _many(
        self, run: PairRun, pairs: Iterator[Any], cancellation: Cancellation
    ) -> AsyncGenerator[PairOutcome, None]:
        """Yield the outcomes; however it ends, cancel the unsent calls and close in a thread."""
        self._check_open()
        outcomes = PairOutcomes(run, pairs)
        closed: Future[None] = Future()
        calls = self._calls.setdefault(os.getpid(), set())
        calls.add(closed)
        closed.add_done_callback(calls.discard)
        interrupted_calls: tuple[Future[PairOutcome | None], ...] = ()
        try:
            while True:
                outcome = await _in_abandonable_thread(next, outcomes, None)
                if outcome is None:
                    break
                yield outcome
        except anyio.get_cancelled_exc_class():
            # Before its calls are read, because the abandoned thread may be starting another.
            run.is_stopped = True
            interrupted_calls = outcomes.started_calls
            raise
        finally:
            run.is_stopped = True
            cancellation.cancel()

            def close() -> None:
                outcomes.close()
                log_lost_outcomes(interrupted_calls)

            # Calls that have been sent finish in the background.
            threading.Thread(target=fulfil, args=(closed, close)).start()


async def _in_abandonable_thread(work: Callable[..., R], *args: Any) -> R:
    """Run `work` in a thread that continues if the caller is cancelled."""
    limiter = anyio.CapacityLimiter(math.inf)
    return await anyio.to_thread.run_sync(work, *args, abandon_on_cancel=True, limiter=limiter)


def _run(calls: list[_Call[Any]]) -> None:
    # An idle anyio thread references its last arguments, so empty the list to free the pictures.
    calls.pop().run()


def out_of_time(deadline: Deadline) -> VendorUnavailable:
    """Return the error for a call that got no thread before its deadline."""
    return VendorUnavailable(
        f"The deadline of {deadline.limit_s:g} s expired while the call waited for a thread. "
        "Nothing was sent.",
        retryable=False,
    )
