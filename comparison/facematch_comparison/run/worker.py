"""One system in one run: the threads that lead its pairs through their steps (`pairs`)."""

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

from .pairs import PairOutcome, PairState, RunDatabase
from .recover import finalize_budgets, look_for_calls, resolve_by_budgets
from .system import HeldBack, RunSystem

#: Called with the system's name and the state, in any thread, when a pair has come to an end.
OnEnd: TypeAlias = Callable[[str, PairState], None]

#: A system is not asked further after so many calls in a row without an answer: it is down, or each
#: of them may cost money.
MOST_FAILURES: Final = 20

#: Waits, in seconds, before an outcome is written again: it may be paid for.
_AGAIN_S: Final = (0.5, 2.0, 8.0)

#: The longest wait for a breaker at a time, in seconds.
_LONGEST_S: Final = 60.0


class Worker:
    """Asks one system about the free pairs of a test set.

    Args:
        digests: SHA-256 of each picture when the run began.
        turns: The turn of each pair.
        stop: Whether to begin nothing more.
        on_end: Called with each pair that came to an end.

    Attributes:
        count: Pairs that came to an end in this run.
        error: The error that ended the run of this system early.
        last_failure: The error of the last pair that failed without a charge.
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
        self._database: RunDatabase = system.database
        self._turns, self._clock, self._stop, self._on_end = turns, clock, stop, on_end
        self.count = self._in_a_row = 0
        self.error: FaceMatchError | None = None
        self.last_failure: FaceMatchError | None = None
        self._has_answered = system.stored.answered_from is not None
        self._is_warm = system.is_careful
        self._lock, self._queue = threading.Lock(), deque[int]()

    @property
    def is_over(self) -> bool:
        """Whether to begin nothing more."""
        return self.error is not None or self._stop()

    def end_with(self, error: FaceMatchError) -> None:
        """Begin nothing more; the first reason is reported."""
        with self._lock:
            self.error = self.error or _drop_frames(error)

    def look_back(self) -> None:
        """Resolve calls without an answer: by budgets, then by the vendor's records."""
        system, stores = self.system, self.system.stores
        resolve_by_budgets(self._database, system.stored, stores)
        now = self._clock.now()
        look_for_calls(self._database, system.stored, system.verifier, stores, now)

    def ask_all(self, threads: int) -> None:
        """Ask about every free pair with so many threads."""
        self.line_up()
        with ThreadPoolExecutor(threads, f"facematch-{self.system.name}") as pool:
            futures = [pool.submit(self._ask_in_turn) for _ in range(threads)]
        for future in futures:
            future.result()

    def line_up(self) -> None:
        free = self._database.free(self.system.stored.number)
        self._queue = deque(sorted(free, key=self._turns.__getitem__))

    def take(self, count: int) -> list[int]:
        """Take so many pairs at most; no other thread gets them."""
        pairs: list[int] = []
        with contextlib.suppress(IndexError):
            while len(pairs) < count and not self.is_over:
                pairs.append(self._queue.popleft())
        return pairs

    def _ask_in_turn(self) -> None:
        while pairs := self.take(1):
            self.ask_each(pairs, self.ask)

    def ask_each(self, pairs: Sequence[int], ask: Callable[[int], PairOutcome | None]) -> None:
        """Ask about these pairs and write them down together."""
        ended: list[tuple[int, PairOutcome]] = []
        try:
            for pair in pairs:
                outcome = None if self.is_over else ask(pair)
                if outcome is not None:
                    ended.append((pair, outcome))
        finally:
            self._finish(ended)

    def _finish(self, outcomes: Sequence[tuple[int, PairOutcome]]) -> None:
        """Write down outcomes; a pair that is free again is asked after all others."""
        if not outcomes:
            return
        for wait_s in (*_AGAIN_S, None):
            try:
                kept, difference = self._database.end(self.system.stored.number, outcomes)
                break
            except ConfigurationError as error:
                if wait_s is None:
                    # The pairs keep their state; the next start marks asked ones as unresolved.
                    self.end_with(error)
                    return
                self._clock.sleep(wait_s)
        name = self.system.name
        if difference is not None:
            both = zip(kept, outcomes, strict=True)
            billed = [new.billed for (_, new), (_, old) in both if new is not old][-1]
            why = (
                f"{name} answered {difference}: such answers do not belong together. Was an "
                "address or a setting changed? Ask it under another name, or in another run "
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
        """Ask about one pair, once; return None if it was not asked and is free again."""
        system, pictures = self.system, self.study.pairs[pair]
        current, retention = system.current, system.retention
        current.pair, current.call_id = pair if system.is_careful else None, None
        is_named = system.backend.capabilities.sends_caller_ref and retention is Retention.KEEP
        caller_ref = system.stored.reference(pair) if is_named else None
        # An engine loads its models with its first picture, which says nothing of later calls.
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
            # If the budgets cannot be written, the pair stays begun: the next start writes them.
            with contextlib.suppress(FaceMatchError):
                # The policies count a byte that may have left; it has not.
                finalize_budgets(system.stores, [held.call_id], Charged.NO, self._clock.now())
                self._database.release(system.stored.number, pair, held.call_id)
            return None
        finally:
            current.pair = None
        self._in_a_row, self._is_warm = 0, True
        return PairOutcome.of_result(result, elapsed_s=result.elapsed_s if is_warm else None)

    def picture(self, path: Path) -> Image:
        """Read a picture of the test set; `ConfigurationError` if it changed since the start."""
        try:
            data = read_regular(path, MAX_FILE_BYTES)
        except OSError as error:
            why = f"cannot be read any more ({error.strerror or type(error).__name__})"
        else:
            if hashlib.sha256(data).hexdigest() == self.digests[path]:
                return Image.from_bytes(data)
            why = "is another one than when the run began"
        raise ConfigurationError(f"The picture {path} {why}: nothing was sent of it.")

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
                    f"{self.system.name} gave no answer to {many} calls in a row, and is not asked "
                    f"any further. The last one: {error.message} Start again later: what was not "
                    "charged is asked again.",
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
    """Drop the frames of an error, which hold pictures."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
