"""`RecordedSystem`: the threads that call one system; see `recorder` for the states."""

from __future__ import annotations

import abc
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any, Final

import attrs

from facematch_core.base.deadline import Clock
from facematch_core.base.threads import MAX_WORKERS
from facematch_core.call.events import CallEvent, EventKind
from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    ConfigurationError,
    FaceMatchError,
    InvalidRequest,
    OutcomeUnknown,
    VendorUnavailable,
)
from facematch_core.images.image import Image
from facematch_core.models import Charged, MatchResult, Retention
from facematch_core.store import CallStore

from .charges import resolve_by_budgets, write_charges
from .recorder import Recorder
from .records import PairOutcome, PairState, StoredSystem

#: Number of consecutive calls without an answer after which a system is stopped: it is probably
#: down, and each call may cost money.
MOST_FAILURES: Final = 20

#: Delays between attempts to store an outcome, in seconds. The outcome may have been paid for.
_STORE_DELAYS_S: Final = (0.5, 2.0, 8.0)

#: Maximum wait for an open circuit breaker, in seconds.
_MAX_WAIT_S: Final = 60.0

#: Maximum time until a run notices a signal: Python runs its handler when a wait has ended.
#: A signal ends no wait on Windows, and elsewhere none that it precedes by a moment.
_SIGNAL_CHECK_S: Final = 0.1


class NotRecorded(BaseException):
    """Raised to stop a call before its first byte, because something could not be stored.

    It is not an `Exception`, because the verifier only logs an `Exception` from a hook.
    """

    def __init__(self, call_id: str | None, error: FaceMatchError) -> None:
        super().__init__("not recorded")
        self.call_id = call_id
        self.error = error


class RecordedSystem(abc.ABC):
    """A system of a batch: a verifier whose calls are recorded before they are sent.

    Args:
        name: What messages call it.

    Attributes:
        verifier: The verifier, opened with `record` as its event hook.
        members: What makes its calls: the verifiers of one backend that it has, or their runners.
        stored: The system in the record.
        budget_stores: The stores of its budgets.
        is_billed: Whether a backend declares comparisons as billed, in any environment.
        retention: How much the vendor is asked to store.
        asked: Number of pairs finished in this run; one that is free again does not count.
        error: The error that stopped the system early, or None.
        last_failure: The error of the last pair that failed without a charge, or None.
    """

    verifier: Any
    members: Sequence[Any]
    stored: StoredSystem
    budget_stores: Sequence[CallStore]
    is_billed: bool
    retention: Retention

    #: State of a pair whose pictures were rejected without a charge.
    refused_state = PairState.ANSWERED
    #: Whether the system has answered a pair, so that a rejection is about its pictures.
    has_answered = True

    def __init__(self, name: str, recorder: Recorder, clock: Clock) -> None:
        """Set what is known before there is a verifier; no pair can be sent yet.

        A subclass then sets `verifier`, `stored` and the others that the class declares.
        """
        self.name = name
        self.error: FaceMatchError | None = None
        self.last_failure: FaceMatchError | None = None
        self.asked = 0
        self._recorder = recorder
        self._clock = clock
        self._lock = threading.Lock()
        # The `pair` that the current thread sends, its `pictures` and its `call_id`.
        self._current = threading.local()
        #: The pair of each call under way. A backend may send in a thread of its own.
        self._pairs_of_calls: dict[str, int] = {}

    # --- What a kind of batch has of its own ------------------------------------------------------

    @abc.abstractmethod
    def load(self, pair: int) -> list[Image]:
        """Return both pictures; raise `FaceMatchError`, or `NotRecorded` to send nothing."""

    @abc.abstractmethod
    def options_of(self, pair: int) -> Mapping[str, Any]:
        """Return the options of a pair's comparison."""

    @abc.abstractmethod
    def complete(
        self,
        pair: int,
        outcome: PairOutcome,
        result: MatchResult | None,
        error: FaceMatchError | None,
    ) -> tuple[PairOutcome, FaceMatchError | None]:
        """Return the outcome to store of a call that has ended, and an error to end the system."""

    @abc.abstractmethod
    def ended(self, pair: int, outcome: PairOutcome, *, is_stored: bool) -> None:
        """Take the outcome of a pair. It could not be stored if `is_stored` is False."""

    def resolve_lost_calls(self) -> None:
        """Resolve calls without a stored answer, by the charges that budgets have."""
        resolve_by_budgets(self._recorder, self.stored, self.budget_stores)

    # --- A run ------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Bring the record and the budgets to one state after a process that has ended."""
        write = partial(write_charges, self.budget_stores, now=self._clock.now())
        self._recorder.recover_from_dead_run(self.stored, write)

    def run(self, pairs: Iterable[int], workers: int, *, stop: Callable[[], bool]) -> None:
        """Call the system for the free pairs; resolve lost calls before and after.

        Args:
            pairs: The pairs of the run, in its order. Only those that are FREE are asked.
            workers: Concurrent calls.
            stop: Returns True when no more calls should start.
        """
        self._stop = stop
        self.error = None
        self.last_failure = None
        self.asked = self._in_a_row = 0
        try:
            self.resolve_lost_calls()
            free = set(self._recorder.free(self.stored.number))
            self._queue = deque(pair for pair in pairs if pair in free)
            self._ask_all(workers)
            self.resolve_lost_calls()
        except FaceMatchError as error:
            self.stop_with(error)

    @property
    def is_over(self) -> bool:
        """Whether to start no more calls."""
        return self.error is not None or self._stop()

    def stop_with(self, error: FaceMatchError) -> None:
        """Record an error and start no more calls. Only the first error is reported."""
        with self._lock:
            self.error = self.error or _drop_frames(error)

    def _ask_all(self, threads: int) -> None:
        """Send the pairs of the queue by several threads, until it is empty or the system stops."""

        def ask_in_turn(_thread: int) -> None:
            while not self.is_over:
                try:
                    pair = self._queue.popleft()
                except IndexError:
                    return
                self._ask(pair)

        with ThreadPoolExecutor(threads, f"facematch-{self.name}") as pool:
            list(pool.map(ask_in_turn, range(threads)))

    def _ask(self, pair: int) -> None:
        """Call the system for one pair, and store the outcome.

        `record`, the verifier's event hook, sets `call_id`. It raises `NotRecorded` if it cannot
        store that the call begins.
        """
        current = self._current
        current.pair = pair
        current.call_id = None
        result = error = None
        try:
            result = self.verifier.verify(*self._load(pair), **self.options_of(pair))
            outcome = self.outcome_of(result)
            self._in_a_row = 0
        except FaceMatchError as failure:
            error = _drop_frames(failure)
            outcome = attrs.evolve(
                self._count_failure_and_maybe_stop(error), call_id=current.call_id
            )
        except NotRecorded as problem:
            self.stop_with(problem.error)
            self._take_back(pair, problem.call_id)
            return
        finally:
            current.pair = None
            self._pairs_of_calls.pop(current.call_id, None)
        self._finish(pair, outcome, result, error)

    def _load(self, pair: int) -> list[Image]:
        """Return both pictures, and note their digests for `record`."""
        images = self.load(pair)
        self._current.pictures = " ".join(image.digest for image in images)
        return images

    def outcome_of(self, result: MatchResult) -> PairOutcome:
        """Return the outcome of a result."""
        return PairOutcome.of_result(result, elapsed_s=result.elapsed_s)

    def _take_back(self, pair: int, call_id: str | None) -> None:
        """Make a pair FREE again whose call was held back.

        The policies recorded the call as possibly sent, but nothing was sent. If a budget cannot be
        written, the pair keeps its state: the next run updates both.
        """
        free = PairOutcome(state=PairState.FREE, billed=Charged.NO, call_id=call_id)
        with contextlib.suppress(FaceMatchError):
            if call_id is not None:
                write_charges(self.budget_stores, [call_id], Charged.NO, self._clock.now())
                self._recorder.end(self.stored.number, pair, free)

    def _finish(
        self,
        pair: int,
        outcome: PairOutcome,
        result: MatchResult | None,
        error: FaceMatchError | None,
    ) -> None:
        """Store an outcome; return the pair to the queue if it is FREE again."""
        outcome, difference = self.complete(pair, outcome, result, error)
        for wait_s in (*_STORE_DELAYS_S, None):
            try:
                self._recorder.end(self.stored.number, pair, outcome, self.stored)
                break
            except ConfigurationError as failure:
                if wait_s is None:
                    # The pair keeps its state; the next run marks an ASKED one as UNRESOLVED.
                    self.stop_with(failure)
                    self.ended(pair, outcome, is_stored=False)
                    return
                self._clock.sleep(wait_s)
        if difference is not None:
            self.stop_with(difference)
        self.has_answered |= outcome.decision is not None
        if outcome.state is PairState.FREE:
            self._queue.append(pair)
            return
        with self._lock:
            self.asked += 1
        self.ended(pair, outcome, is_stored=True)

    def record(self, event: CallEvent) -> None:
        """Store the transition for an event of a call; raise `NotRecorded` if that fails."""
        current = self._current
        call_id = event.call_id
        pair = self._pairs_of_calls.get(call_id, getattr(current, "pair", None))
        if pair is None:
            return  # of another call, such as a search for a lost one
        number = self.stored.number
        try:
            if event.kind is EventKind.STARTED and event.call is not None:
                current.call_id = call_id
                self._pairs_of_calls[call_id] = pair
                self._recorder.begin(number, pair, event.call, current.pictures)
                if not self._reports_sent:
                    self._recorder.ask(number, pair, call_id)
            elif event.kind is EventKind.SENT and self._reports_sent:
                self._recorder.ask(number, pair, call_id)
            elif event.kind is EventKind.RETRYING and self._reports_sent:
                self._recorder.repeat(number, pair, call_id)
            elif event.kind is EventKind.REFUSED and len(self.members) > 1:
                # The next member makes a call of its own.
                free = PairOutcome(state=PairState.FREE, billed=Charged.NO, call_id=call_id)
                self._recorder.end(number, pair, free)
                del self._pairs_of_calls[call_id]
        except FaceMatchError as error:
            raise NotRecorded(call_id, error) from None
        except Exception as error:  # noqa: BLE001 - after any error, nothing was written
            failed = f"The record of calls failed with {type(error).__name__}: nothing was sent."
            raise NotRecorded(call_id, ConfigurationError(failed)) from None

    @property
    def _reports_sent(self) -> bool:
        """Whether each backend tells when it sends. A call of another one may send at once."""
        return all(member.backend.reports_sent for member in self.members)

    def _count_failure_and_maybe_stop(self, error: FaceMatchError) -> PairOutcome:
        """Return the outcome of an error; stop the system if other pairs would fail, too.

        An open breaker is waited for.
        """
        outcome = PairOutcome.of_error(
            error, has_answered=self.has_answered, is_billed=self.is_billed
        )
        if outcome.state is PairState.ANSWERED:
            return attrs.evolve(outcome, state=self.refused_state)
        if isinstance(error, FATAL):
            self.stop_with(error)
            return outcome
        if outcome.state is PairState.FAILED:
            self.last_failure = error
        with self._lock:
            self._in_a_row += 1
            failures = self._in_a_row
        if failures >= MOST_FAILURES:
            is_unknown = isinstance(error, OutcomeUnknown)
            error_class = OutcomeUnknown if is_unknown else VendorUnavailable
            self.stop_with(
                error_class(
                    f"{self.name} returned no answer to {failures} calls in a row and was stopped. "
                    f"Last error: {error.message} Run again later: pairs that were not charged are "
                    "retried.",
                    backend=getattr(error, "backend", None),
                    retryable=False,
                )
            )
        elif isinstance(error, BreakerOpen):
            until = self._clock.monotonic() + min(error.retry_after_s or 1.0, _MAX_WAIT_S)
            while not self.is_over:
                wait_s = until - self._clock.monotonic()
                if wait_s <= 0:
                    break
                self._clock.sleep(min(wait_s, 0.2))
        return outcome


def _drop_frames(error: FaceMatchError) -> FaceMatchError:
    """Remove the traceback of an error, because its frames refer to pictures."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def run_systems(
    systems: Iterable[RecordedSystem],
    *,
    pairs: Sequence[int],
    workers: int,
    stop: Callable[[], bool] | None = None,
) -> bool:
    """Run the remaining pairs of every system, each in its own threads; return if it was stopped.

    Args:
        pairs: The pairs, in the order of the run.
        workers: Concurrent calls per system, 1-256.
        stop: Returns True when no more calls should start. Calls in flight are finished.

    Raises:
        InvalidRequest: `workers` is out of range.
        KeyboardInterrupt: after calls in flight are finished.
    """
    if type(workers) is not int or not 1 <= workers <= MAX_WORKERS:
        raise InvalidRequest(f"workers must be a whole number from 1 to {MAX_WORKERS}.")
    over = threading.Event()

    def is_stopped() -> bool:
        return over.is_set() or (stop is not None and stop())

    systems = tuple(systems)
    with ThreadPoolExecutor(len(systems), "facematch-run") as pool:
        try:
            futures = [pool.submit(each.run, pairs, workers, stop=is_stopped) for each in systems]
            while wait(futures, timeout=_SIGNAL_CHECK_S).not_done:
                pass
        except BaseException:
            # The pool waits for calls in flight, because they may be charged.
            over.set()
            raise
    for future in futures:
        future.result()
    return is_stopped()
