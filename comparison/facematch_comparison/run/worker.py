"""Threads that ask one system about its pairs; see `pairs` for the states."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from facematch_comparison.study import Study
from facematch_core.base.clock import Clock
from facematch_core.base.files import read_regular
from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    ConfigurationError,
    FaceMatchError,
    OutcomeUnknown,
    UnexpectedResponse,
    VendorUnavailable,
)
from facematch_core.images.image import MAX_FILE_BYTES, Image
from facematch_core.models import Billing, Charged, Retention

from .pairs import PairOutcome, PairState
from .recover import finalize_budgets, look_for_calls, resolve_by_budgets
from .system import HeldBack, RunSystem

#: Called from any thread with the system's name and the state of a finished pair.
OnEnd: TypeAlias = Callable[[str, PairState], None]

#: Consecutive calls without an answer after which a system is stopped: it is down, or each call may
#: cost money.
MOST_FAILURES: Final = 20

#: Delays between attempts to store an outcome, in seconds. The outcome may have been paid for.
_AGAIN_S: Final = (0.5, 2.0, 8.0)

#: Maximum wait for an open circuit breaker, in seconds.
_LONGEST_S: Final = 60.0


class Worker:
    """Asks one system about the free pairs of a test set.

    Args:
        digests: SHA-256 of each picture when the run began.
        turns: Position of each pair in the order of the run.
        stop: Returns whether to start no more calls.
        on_end: Called for each finished pair.

    Attributes:
        count: Number of pairs finished in this run.
        error: The error that stopped this system early, or None.
        last_failure: The error of the last pair that failed without a charge, or None.
    """

    def __init__(
        self,
        system: RunSystem,
        study: Study,
        digests: Mapping[Path, str],
        turns: Sequence[int],
        *,
        clock: Clock,
        stop: Callable[[], bool],
        on_end: OnEnd,
    ) -> None:
        self.system, self.study, self.digests = system, study, digests
        self._turns, self._clock, self._stop, self._on_end = turns, clock, stop, on_end
        self.count = self._in_a_row = 0
        self.error: FaceMatchError | None = None
        self.last_failure: FaceMatchError | None = None
        self._has_answered = system.stored.answered_from is not None
        self._is_warm = system.is_careful
        self._lock, self._queue = threading.Lock(), deque[int]()

    @property
    def is_over(self) -> bool:
        """Whether to start no more calls."""
        return self.error is not None or self._stop()

    def end_with(self, error: FaceMatchError) -> None:
        """Start no more calls; only the first error is reported."""
        with self._lock:
            self.error = self.error or _drop_frames(error)

    def look_back(self) -> None:
        """Resolve calls without an answer from budgets, then from the vendor's records."""
        system, stores = self.system, self.system.stores
        resolve_by_budgets(self.system.database, system.stored, stores)
        now = self._clock.now()
        look_for_calls(self.system.database, system.stored, system.verifier, stores, now)

    def ask_all(self, threads: int) -> None:
        """Ask about every free pair, with this many threads."""
        self.line_up()
        with ThreadPoolExecutor(threads, f"facematch-{self.system.name}") as pool:
            futures = [pool.submit(self._ask_in_turn) for _ in range(threads)]
        for future in futures:
            future.result()

    def line_up(self) -> None:
        free = self.system.database.free(self.system.stored.number)
        self._queue = deque(sorted(free, key=self._turns.__getitem__))

    def take(self, count: int) -> list[int]:
        """Remove up to `count` pairs from the queue and return them."""
        pairs: list[int] = []
        with contextlib.suppress(IndexError):
            while len(pairs) < count and not self.is_over:
                pairs.append(self._queue.popleft())
        return pairs

    def _ask_in_turn(self) -> None:
        while pairs := self.take(1):
            self.ask_each(pairs, self.ask)

    def ask_each(self, pairs: Sequence[int], ask: Callable[[int], PairOutcome | None]) -> None:
        """Ask about these pairs and store their outcomes in one transaction."""
        ended: list[tuple[int, PairOutcome]] = []
        try:
            for pair in pairs:
                outcome = None if self.is_over else ask(pair)
                if outcome is not None:
                    ended.append((pair, outcome))
        finally:
            self._finish(ended)

    def _finish(self, outcomes: Sequence[tuple[int, PairOutcome]]) -> None:
        """Store outcomes; append pairs that are FREE again to the queue."""
        if not outcomes:
            return
        for wait_s in (*_AGAIN_S, None):
            try:
                kept, difference = self.system.database.end(self.system.stored.number, outcomes)
                break
            except ConfigurationError as error:
                if wait_s is None:
                    # The pairs keep their state; the next run marks ASKED ones as UNRESOLVED.
                    self.end_with(error)
                    return
                self._clock.sleep(wait_s)
        name = self.system.name
        if difference is not None:
            both = zip(kept, outcomes, strict=True)
            billed = [new.billed for (_, new), (_, old) in both if new is not old][-1]
            why = (
                f"{name} answered {difference}, so its answers are not comparable. If an address "
                "or a setting was changed, use another name for the system, or another run "
                "database."
            )
            self.end_with(UnexpectedResponse(why, billing=Billing(billed or Charged.NO)))
        for pair, outcome in kept:
            self._has_answered |= outcome.decision is not None
            if outcome.state is PairState.FREE:
                self._queue.append(pair)
                continue
            with self._lock:
                self.count += 1
            self._on_end(name, outcome.state)

    def ask(self, pair: int) -> PairOutcome | None:
        """Ask about one pair; return None if nothing was sent."""
        system, pictures = self.system, self.study.pairs[pair]
        current, retention = system.current, system.retention
        current.pair, current.call_id = pair if system.is_careful else None, None
        is_named = system.backend.capabilities.sends_caller_ref and retention is Retention.KEEP
        caller_ref = system.stored.reference(pair) if is_named else None
        # The first call of an engine loads its models, so its duration is not recorded.
        is_warm = self._is_warm
        try:
            probe, reference = self.picture(pictures.probe), self.picture(pictures.reference)
            result = system.verifier.verify(
                probe, reference, retention=retention, caller_ref=caller_ref
            )
        except FaceMatchError as error:
            return attrs.evolve(self._count_failure(error), call_id=current.call_id)
        except HeldBack as held:
            self.end_with(held.error)
            # If a budget cannot be written, the pair keeps its state: the next run writes both.
            with contextlib.suppress(FaceMatchError):
                # The policies count the call as possibly sent, but nothing was sent.
                finalize_budgets(system.stores, [held.call_id], Charged.NO, self._clock.now())
                self.system.database.release(system.stored.number, pair, held.call_id)
            return None
        finally:
            current.pair = None
        self._in_a_row, self._is_warm = 0, True
        return PairOutcome.of_result(result, elapsed_s=result.elapsed_s if is_warm else None)

    def picture(self, path: Path) -> Image:
        """Read a picture of the test set; raise `ConfigurationError` if it has changed."""
        try:
            data = read_regular(path, MAX_FILE_BYTES)
        except OSError as error:
            why = f"can no longer be read ({error.strerror or type(error).__name__})"
        else:
            if hashlib.sha256(data).hexdigest() == self.digests[path]:
                return Image.from_bytes(data)
            why = "has changed since the run began"
        raise ConfigurationError(f"The picture {path} {why}: it was not sent.")

    def _count_failure(self, error: FaceMatchError) -> PairOutcome:
        outcome = PairOutcome.of_error(
            error, has_answered=self._has_answered, is_billed=self.system.is_billed
        )
        if outcome.state is PairState.ANSWERED:
            return outcome
        if isinstance(error, FATAL):
            self.end_with(error)
            return outcome
        if outcome.state is PairState.FAILED:
            self.last_failure = _drop_frames(error)
        with self._lock:
            self._in_a_row += 1
            many = self._in_a_row
        if many >= MOST_FAILURES:
            kind = OutcomeUnknown if isinstance(error, OutcomeUnknown) else VendorUnavailable
            self.end_with(
                kind(
                    f"{self.system.name} returned no answer to {many} calls in a row and was "
                    f"stopped. Last error: {error.message} Run again later: pairs that were not "
                    "charged are retried.",
                    backend=getattr(error, "backend", None),
                    retryable=False,
                )
            )
        elif isinstance(error, BreakerOpen):
            until = self._clock.monotonic() + min(error.retry_after_s or 1.0, _LONGEST_S)
            while not self.is_over and (wait_s := until - self._clock.monotonic()) > 0:
                self._clock.sleep(min(wait_s, 0.2))
        return outcome


def _drop_frames(error: FaceMatchError) -> FaceMatchError:
    """Drop the traceback of an error, whose frames hold pictures."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
