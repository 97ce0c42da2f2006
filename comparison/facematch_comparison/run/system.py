"""`RunSystem`: an opened system, and the threads that call it; see `database` for the states."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from facematch_comparison.study.reading import Study
from facematch_core.base.deadline import Clock
from facematch_core.base.files import read_regular
from facematch_core.call.events import CallEvent, EventKind
from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    ConfigurationError,
    EnvironmentMismatch,
    FaceMatchError,
    InvalidRequest,
    OutcomeUnknown,
    Unsupported,
    VendorError,
    VendorUnavailable,
)
from facematch_core.images.image import MAX_FILE_BYTES, Image
from facematch_core.models import Charged, Environment, MatchResult, Operation, Retention
from facematch_core.resilience import Budget
from facematch_core.store import CallStore, SqlStore
from facematch_core.verifier.verifier import FaceVerifier

from .database import RunDatabase
from .records import PairOutcome, PairState, Price, Progress, StoredSystem

#: Called from any thread with the system's name and the state of a finished pair.
OnEnd: TypeAlias = Callable[[str, PairState], None]

#: Number of consecutive calls without an answer after which a system is stopped: it is probably
#: down, and each call may cost money.
MOST_FAILURES: Final = 20

#: Delays between attempts to store an outcome, in seconds. The outcome may have been paid for.
_STORE_DELAYS_S: Final = (0.5, 2.0, 8.0)

#: Maximum wait for an open circuit breaker, in seconds.
_MAX_WAIT_S: Final = 60.0


class HeldBack(BaseException):
    """Raised to stop a call before its first byte, because its transition could not be stored.

    It is not an `Exception`, because the verifier only logs an `Exception` from a hook.
    """

    def __init__(self, call_id: str, error: FaceMatchError) -> None:
        super().__init__("held back")
        self.call_id = call_id
        self.error = error


class RunSystem:
    """A system in a run: a verifier whose calls are recorded in the run database.

    Args:
        asks_to_keep: Whether to ask the vendor to keep a record of each call.
        price: Price of a call; defaults to the price that the system's budget reserves.
        digests: SHA-256 of each picture when the run began.
        undo: Exit stack that closes the verifier, even if the constructor raises.

    Attributes:
        stored: The system's record in the run database.
        progress: States of the system's pairs, over all runs; a run sends `Progress.left` pairs.
        asked: Number of pairs finished in this run; one that is free again does not count.
        error: The error that stopped the system early, or None.
        last_failure: The error of the last pair that failed without a charge, or None.
    """

    progress: Progress

    def __init__(
        self,
        name: str,
        opener: Callable[..., Any],
        *,
        asks_to_keep: bool,
        price: Price | None,
        database: RunDatabase,
        study: Study,
        caller_ref_of: Callable[[int], str],
        digests: Mapping[Path, str],
        clock: Clock,
        undo: contextlib.ExitStack,
    ) -> None:
        self.name = name
        self.study = study
        self.digests = digests
        self.retention = Retention.KEEP if asks_to_keep else Retention.MINIMAL
        self._database = database
        self._clock = clock
        self._caller_ref_of = caller_ref_of
        self._lock = threading.Lock()
        # The `pair` that the current thread sends, and its `call_id`.
        self._current = threading.local()
        on_event = self._record
        self.verifier = verifier = opener(on_event=on_event)
        close = getattr(verifier, "close", None)
        if callable(close):
            undo.callback(close)
        if not isinstance(verifier, FaceVerifier):
            raise InvalidRequest(
                f"The system {name[:60]!r} is a {type(verifier).__name__}, but must be a single "
                "backend. Name the members of a failover or a share instead."
            )
        if verifier.on_event is not on_event:
            raise InvalidRequest(
                f"The opener of {name[:60]!r} ignored its argument on_event, so calls would not be "
                "recorded. Pass it to FaceVerifier."
            )
        self.backend = backend = verifier.backend
        capabilities = backend.capabilities
        if self.retention not in capabilities.retention:
            raise self._unsupported(f"retention {self.retention}")
        if Operation.MATCH not in capabilities.operations:
            raise self._unsupported(str(Operation.MATCH))
        self.budget_stores = stores_of(verifier.policies)
        #: Whether the backend declares comparisons as billed, in any environment.
        self.is_billed = Operation.MATCH in capabilities.billed_operations
        # The first call of a local engine loads its models, so its duration is not recorded.
        self._is_warm = backend.environment is not Environment.LOCAL
        for policy in verifier.policies:
            if price is None and isinstance(policy, Budget):
                reserved = policy.price(Operation.MATCH)
                price = reserved and Price(amount=reserved[0], currency=reserved[1])
        self.stored = StoredSystem(name=name, settings=self._settings(), price=price)

    def _unsupported(self, feature: str) -> Unsupported:
        return Unsupported(
            f"The backend {self.backend.name} does not support {feature}: leave out "
            f"{self.name[:60]!r}, or change its settings. Nothing was sent.",
            backend=self.backend.name,
            what=feature,
        )

    @property
    def costs_money(self) -> bool:
        """Whether a comparison is billed, and by a real vendor."""
        return self.is_billed and self.backend.environment in (None, Environment.PRODUCTION)

    def _settings(self) -> dict[str, Any]:
        backend = self.backend
        is_kept = self.retention is Retention.KEEP
        thresholds = self.verifier.thresholds(Operation.MATCH)
        threshold = thresholds.threshold
        review = thresholds.review_threshold
        privacy = f"Both pictures of each pair were sent; {backend.name} "
        if backend.environment is Environment.LOCAL:
            privacy = "Nothing left this machine."
        elif is_kept:
            privacy = f"{backend.name} was asked to keep each call as a record, pictures included."
        elif Retention.KEEP in backend.capabilities.retention:
            privacy += "was asked to keep nothing."
        else:
            privacy += "cannot be asked to keep nothing, and it is not known what it keeps."
        return {
            "backend": backend.name,
            "environment": (backend.environment or Environment.PRODUCTION).value,
            "threshold": threshold and threshold.value,
            "rule": (threshold.rule if threshold else backend.capabilities.threshold_rule).value,
            "review_threshold": review and review.value,
            "billed": self.is_billed,
            "kept": is_kept,
            "privacy": privacy,
        }

    def count_pairs(self) -> None:
        """Update `progress` from the run database."""
        self.progress = self._database.progress(self.stored.number)

    def run(
        self, turns: Sequence[int], workers: int, *, stop: Callable[[], bool], on_end: OnEnd
    ) -> None:
        """Call the system for the free pairs; search for lost calls before and after.

        Args:
            turns: Position of each pair in the run's order.
            workers: Concurrent calls.
            stop: Returns True when no more calls should start.
            on_end: Called for each finished pair.
        """
        self._stop = stop
        self._on_end = on_end
        self.error: FaceMatchError | None = None
        self.last_failure: FaceMatchError | None = None
        self.asked = self._in_a_row = 0
        self._has_answered = self.stored.answered_from is not None
        try:
            self._resolve_lost_calls()
            free = self._database.free(self.stored.number)
            self._queue = deque(sorted(free, key=turns.__getitem__))
            self._ask_all(workers)
            self._resolve_lost_calls()
        except FaceMatchError as error:
            self._stop_with(error)

    def _resolve_lost_calls(self) -> None:
        """Resolve calls without a stored answer: from budgets, then from the vendor's records."""
        database = self._database
        now = self._clock.now()
        resolve_by_budgets(database, self.stored, self.budget_stores)
        for charge in database.unresolved(self.stored):
            if not charge.is_due(now):
                continue
            call = attrs.evolve(charge.call, caller_ref=self._caller_ref_of(charge.pair))
            try:
                # If the call was never sent, this reads a whole day of records.
                result = self.verifier.reconcile(call).result
            except FATAL:
                return
            except (VendorError, EnvironmentMismatch):
                continue
            if not isinstance(result, MatchResult):
                database.answer_late(charge, None)
                continue
            answer = PairOutcome.of_result(result, elapsed_s=None)
            billed = result.billing.charged
            if billed is not Charged.UNKNOWN:
                write_charges(self.budget_stores, [call.id], billed, now)
            # Store only the charge of an answer on another scale or from another environment: it is
            # not comparable with the others.
            if not database.answer_late(charge, answer) and billed is not Charged.UNKNOWN:
                database.resolve(charge.system, call.id, billed)

    @property
    def is_over(self) -> bool:
        """Whether to start no more calls."""
        return self.error is not None or self._stop()

    def _stop_with(self, error: FaceMatchError) -> None:
        """Record an error and start no more calls. Only the first error is reported."""
        with self._lock:
            self.error = self.error or _drop_frames(error)

    def _ask_all(self, threads: int) -> None:
        def ask_in_turn(_thread: int) -> None:
            while not self.is_over:
                try:
                    pair = self._queue.popleft()
                except IndexError:
                    return
                outcome = self._ask(pair)
                if outcome is not None:
                    self._finish(pair, outcome)

        with ThreadPoolExecutor(threads, f"facematch-{self.name}") as pool:
            list(pool.map(ask_in_turn, range(threads)))

    def _finish(self, pair: int, outcome: PairOutcome) -> None:
        """Store an outcome; return the pair to the queue if it is FREE again."""
        for wait_s in (*_STORE_DELAYS_S, None):
            try:
                stored, difference = self._database.end(self.stored.number, pair, outcome)
                break
            except ConfigurationError as error:
                if wait_s is None:
                    # The pair keeps its state; the next run marks an ASKED one as UNRESOLVED.
                    self._stop_with(error)
                    return
                self._clock.sleep(wait_s)
        if difference is not None:
            self._stop_with(difference)
        self._has_answered |= stored.decision is not None
        if stored.state is PairState.FREE:
            self._queue.append(pair)
            return
        with self._lock:
            self.asked += 1
        self._on_end(self.name, stored.state)

    def _ask(self, pair: int) -> PairOutcome | None:
        """Call the system for one pair; return None if nothing was sent."""
        current = self._current
        current.pair = pair
        current.call_id = None
        pictures = self.study.pairs[pair]
        is_kept = self.retention is Retention.KEEP
        is_named = self.backend.capabilities.sends_caller_ref and is_kept
        caller_ref = self._caller_ref_of(pair) if is_named else None
        is_warm = self._is_warm
        try:
            result = self.verifier.verify(
                self._picture(pictures.probe),
                self._picture(pictures.reference),
                retention=self.retention,
                caller_ref=caller_ref,
            )
        except FaceMatchError as error:
            return attrs.evolve(self._count_failure(error), call_id=current.call_id)
        except HeldBack as held:
            self._stop_with(held.error)
            # If a budget cannot be written, the pair keeps its state: the next run updates both.
            free = PairOutcome(state=PairState.FREE, billed=Charged.NO, call_id=held.call_id)
            with contextlib.suppress(FaceMatchError):
                # The policies recorded the call as possibly sent, but nothing was sent.
                write_charges(self.budget_stores, [held.call_id], Charged.NO, self._clock.now())
                self._database.end(self.stored.number, pair, free)
            return None
        finally:
            current.pair = None
        self._in_a_row = 0
        self._is_warm = True
        return PairOutcome.of_result(result, elapsed_s=result.elapsed_s if is_warm else None)

    def _record(self, event: CallEvent) -> None:
        """Store the transition for an event of the call; raise `HeldBack` if that fails."""
        pair = getattr(self._current, "pair", None)
        if pair is None:
            return
        number = self.stored.number
        call_id = event.call_id
        database = self._database
        try:
            if event.kind is EventKind.STARTED and event.call is not None:
                self._current.call_id = call_id
                database.begin(number, pair, event.call)
            elif event.kind is EventKind.SENT:
                database.ask(number, pair, call_id)
            elif event.kind is EventKind.RETRYING:
                database.repeat(number, pair, call_id)
        except FaceMatchError as error:
            raise HeldBack(call_id, error) from None
        except Exception as error:  # noqa: BLE001 - after any error, nothing was written
            failed = f"The run database failed with {type(error).__name__}: nothing was sent."
            raise HeldBack(call_id, ConfigurationError(failed)) from None

    def _picture(self, path: Path) -> Image:
        """Read a picture of the test set; raise `ConfigurationError` if it has changed."""
        try:
            data = read_regular(path, MAX_FILE_BYTES)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ConfigurationError(
                f"The picture {path} can no longer be read ({reason}): it was not sent."
            ) from None
        if hashlib.sha256(data).hexdigest() != self.digests[path]:
            raise ConfigurationError(
                f"The picture {path} has changed since the run began: it was not sent."
            )
        return Image.from_bytes(data)

    def _count_failure(self, error: FaceMatchError) -> PairOutcome:
        """Return the outcome of an error; stop the system if other pairs would fail, too."""
        outcome = PairOutcome.of_error(
            error, has_answered=self._has_answered, is_billed=self.is_billed
        )
        if outcome.state is PairState.ANSWERED:
            return outcome
        if isinstance(error, FATAL):
            self._stop_with(error)
            return outcome
        if outcome.state is PairState.FAILED:
            self.last_failure = _drop_frames(error)
        with self._lock:
            self._in_a_row += 1
            failures = self._in_a_row
        if failures >= MOST_FAILURES:
            is_unknown = isinstance(error, OutcomeUnknown)
            error_class = OutcomeUnknown if is_unknown else VendorUnavailable
            self._stop_with(
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


# Budgets are written before the run database. If the process ends between the two writes, the call
# is still unresolved in the run database, and the next run repeats both.


def stores_of(policies: Iterable[object]) -> list[CallStore]:
    """Return the distinct stores of the budgets among the policies."""
    stores = [policy.store for policy in policies if isinstance(policy, Budget)]
    return list({id(store): store for store in stores}.values())


def write_charges(
    stores: Iterable[CallStore], call_ids: Iterable[str], billed: Charged, now: datetime
) -> None:
    """Write the charge of calls to the stores that have open reservations for them."""
    calls = set(call_ids)
    for store in stores if calls else ():
        for entry in store.open_reservations():
            if entry.call.id in calls:
                store.finalize(entry, billed, at=now)


def resolve_by_budgets(
    database: RunDatabase, system: StoredSystem, stores: Iterable[CallStore] = ()
) -> None:
    """Resolve pairs whose charge is recorded in every budget that has the call."""
    lost = database.unresolved(system)
    call_ids = [each.call.id for each in lost if each.state is PairState.UNRESOLVED]
    if not call_ids:
        return
    with contextlib.ExitStack() as stack:
        books = [store for store in stores if isinstance(store, SqlStore)]
        own_store = database.calls()
        if own_store is not None:
            books.append(stack.enter_context(contextlib.closing(own_store)))
        entries = [book.charges(call_ids) for book in books]
    for call_id in call_ids:
        billed = {book[call_id] for book in entries if call_id in book}
        if billed and Charged.UNKNOWN not in billed:
            charged = Charged.YES if Charged.YES in billed else Charged.NO
            database.resolve(system.number, call_id, charged)
