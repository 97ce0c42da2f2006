"""One system of a run: the threads that lead its pairs through their steps (`pairs`)."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from facematch_comparison.study import Study
from facematch_core.base.clock import Clock
from facematch_core.base.files import read_regular
from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    ConfigurationError,
    FaceMatchError,
    InvalidRequest,
    OutcomeUnknown,
    UnexpectedResponse,
    Unsupported,
    VendorUnavailable,
)
from facematch_core.images.image import MAX_FILE_BYTES, Image
from facematch_core.models import Billing, Charged, Environment, Operation, Retention
from facematch_core.resilience import Budget
from facematch_core.store import CallStore
from facematch_core.verifier.events import CallEvent, EventKind
from facematch_core.verifier.verifier import FaceVerifier

from .pairs import PairOutcome, PairState, RunDatabase
from .recover import finalize_budgets, look_for_calls, resolve_by_budgets, stores_of
from .stored import Price, StoredSystem

#: Called with the system's name and the state, in any thread, when a pair has come to an end.
OnEnd: TypeAlias = Callable[[str, PairState], None]

#: After so many calls in a row without an answer a system is left alone: it is down, or each of
#: them may cost money.
MOST_FAILURES: Final = 20

#: Pairs that a thread takes at a time where nothing is charged and nothing leaves the machine: they
#: are written down together.
AT_A_TIME: Final = 16

#: Waits, in seconds, before what a call ended in is written once more: it may be paid for.
_AGAIN_S: Final = (0.5, 2.0, 8.0)

#: The longest that a breaker is waited for at a time, in seconds.
_LONGEST_S: Final = 60.0


class HeldBack(BaseException):
    """The call was stopped before its first byte, because nothing would have remembered it.

    Not an `Exception`: those of a hook are logged and change nothing, and this one must.
    """

    def __init__(self, call_id: str, error: FaceMatchError) -> None:
        super().__init__("held back")
        self.call_id = call_id
        self.error = error


class Worker:
    """A system of a run: its verifier, and the state that its threads share.

    Attributes:
        stored: The system, as the run database has it.
        current: Of this thread: the `pair` whose steps are written down, and its `call_id`.
        digests: SHA-256 of each picture when the run began.
        count: Pairs that came to an end in this run.
        error: What ended it early.
    """

    stored: StoredSystem
    study: Study
    digests: Mapping[Path, str]
    count: int
    error: FaceMatchError | None
    last_failure: FaceMatchError | None

    def __init__(
        self,
        name: str,
        opener: Callable[..., Any],
        database: RunDatabase,
        *,
        is_kept: bool,
        undo: contextlib.ExitStack,
    ) -> None:
        self.name, self.database = name, database
        self.retention = retention = Retention.KEEP if is_kept else Retention.MINIMAL
        self.current = threading.local()
        on_event = self._write
        self.verifier = verifier = opener(on_event=on_event)
        if callable(closing := getattr(verifier, "close", None)):
            undo.callback(closing)
        if not isinstance(verifier, FaceVerifier):
            raise InvalidRequest(
                f"The system {name[:60]!r} is a {type(verifier).__name__}: a comparison needs one "
                "backend under each name. Of a failover, name its members."
            )
        if verifier.on_event is not on_event:
            raise InvalidRequest(
                f"The system {name[:60]!r} was opened without the on_event that it was given: "
                "nothing would be written down of its calls. Hand it to FaceVerifier."
            )
        backend, can = verifier.backend, verifier.backend.capabilities
        what = "" if retention in can.retention else f"retention {retention}"
        if Operation.MATCH not in can.operations:
            what = str(Operation.MATCH)
        if what:
            raise Unsupported(
                f"The backend {backend.name} cannot be asked for {what}: leave {name[:60]!r} out, "
                "or ask it otherwise. Nothing was sent.",
                backend=backend.name,
                what=what,
            )

    def _write(self, event: CallEvent) -> None:
        """Write down the step that an event of a call stands for; `HeldBack` if it cannot be."""
        pair = getattr(self.current, "pair", None)
        if pair is None:
            return
        number, call_id = self.stored.number, event.call_id
        try:
            if event.kind is EventKind.STARTED and event.call is not None:
                self.current.call_id = call_id
                self.database.begin(number, pair, event.call)
            elif event.kind is EventKind.SENT:
                self.database.ask(number, pair, call_id)
            elif event.kind is EventKind.RETRYING:
                self.database.repeat(number, pair, call_id)
        except FaceMatchError as error:
            raise HeldBack(call_id, error) from None
        except Exception as error:  # noqa: BLE001 - whatever it is: nothing was written
            why = f"The run database failed with {type(error).__name__}: nothing was sent."
            raise HeldBack(call_id, ConfigurationError(why)) from None

    @property
    def is_billed(self) -> bool:
        """Whether its backend declares that a comparison costs money, wherever it is asked."""
        return Operation.MATCH in self.verifier.backend.capabilities.billed_operations

    @property
    def costs_money(self) -> bool:
        """Whether a comparison is charged for by a real vendor."""
        where = self.verifier.backend.environment
        return self.is_billed and where in (None, Environment.PRODUCTION)

    @property
    def is_careful(self) -> bool:
        """Whether every step of a call is written down: not for what never leaves the machine."""
        return self.is_billed or self.verifier.backend.environment is not Environment.LOCAL

    @property
    def budget_price(self) -> Price | None:
        """The price of a call that a budget reserves."""
        for policy in self.verifier.policies:
            if isinstance(policy, Budget) and (price := policy.price(Operation.MATCH)):
                return Price(amount=price[0], currency=price[1])
        return None

    @property
    def stores(self) -> list[CallStore]:
        return stores_of(self.verifier.policies)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the system, as the run database keeps them."""
        backend, kept = self.verifier.backend, self.retention is Retention.KEEP
        threshold, review = self.verifier.thresholds(Operation.MATCH)
        privacy = f"Both pictures of each pair were sent; {backend.name} "
        if backend.environment is Environment.LOCAL:
            privacy = "Nothing left this machine."
        elif kept:
            privacy = f"{backend.name} was asked to keep each call as a record, pictures included."
        elif Retention.KEEP in backend.capabilities.retention:
            privacy += "was asked to keep nothing."
        else:
            privacy += "cannot be asked to keep nothing, and what it keeps is not known."
        return {
            "backend": backend.name,
            "environment": (backend.environment or Environment.PRODUCTION).value,
            "threshold": threshold and threshold.value,
            "rule": (threshold.rule if threshold else backend.capabilities.threshold_rule).value,
            "review_threshold": review and review.value,
            "billed": self.is_billed,
            "kept": kept,
            "privacy": privacy,
        }

    # --- A run -----------------------------------------------------------------------------------

    def start(
        self,
        study: Study,
        digests: Mapping[Path, str],
        turns: Sequence[int],
        *,
        clock: Clock,
        stop: Callable[[], bool],
        on_end: OnEnd,
    ) -> None:
        """Begin a run: `turns` are those of the pairs, `on_end` is told of each that ends."""
        self.study, self.digests = study, digests
        self._turns, self._clock, self._stop, self._on_end = turns, clock, stop, on_end
        self.count, self.error, self.last_failure = 0, None, None
        self._has_answered = self.stored.answered_from is not None
        self._is_warm, self._in_a_row = self.is_careful, 0
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
        """Resolve what can be of calls without an answer: by budgets, then by vendors' records."""
        stores, now = self.stores, self._clock.now()
        resolve_by_budgets(self.database, self.stored, stores)
        look_for_calls(self.database, self.stored, self.verifier, stores, now)

    def ask_all(self, threads: int) -> None:
        """Ask about every free pair, with so many threads, until there is none or it is over."""
        self.line_up()
        count = 1 if self.is_careful else AT_A_TIME
        name = f"facematch-{self.name}"
        with ThreadPoolExecutor(threads, thread_name_prefix=name) as pool:
            futures = [pool.submit(self.ask_some, count, self.ask) for _ in range(threads)]
        for future in futures:
            future.result()

    def line_up(self) -> None:
        free = self.database.free(self.stored.number)
        self._queue = deque(sorted(free, key=self._turns.__getitem__))

    def ask_some(
        self,
        count: int,
        ask: Callable[[int], PairOutcome | None],
        prepare: Callable[[list[int]], None] = lambda _pairs: None,
    ) -> None:
        """Ask about pairs, each given to no other thread, and write down so many at a time."""
        while True:
            pairs: list[int] = []
            with contextlib.suppress(IndexError):
                while len(pairs) < count and not self.is_over:
                    pairs.append(self._queue.popleft())
            if not pairs:
                return
            ended: list[tuple[int, PairOutcome]] = []
            try:
                prepare(pairs)
                for pair in pairs:
                    outcome = None if self.is_over else ask(pair)
                    if outcome is not None:
                        ended.append((pair, outcome))
            finally:
                self._finish(ended)

    def _finish(self, outcomes: Sequence[tuple[int, PairOutcome]]) -> None:
        """Write down what pairs ended in; what is free again is asked after all others."""
        if not outcomes:
            return
        for wait_s in (*_AGAIN_S, None):
            try:
                kept, difference = self.database.end(self.stored.number, outcomes)
                break
            except ConfigurationError as error:
                if wait_s is None:
                    # The pairs keep their state; the next start marks asked ones as unresolved.
                    self.end_with(error)
                    return
                self._clock.sleep(wait_s)
        if difference is not None:
            both = zip(kept, outcomes, strict=True)
            billed = [new.billed for (_, new), (_, old) in both if new is not old][-1]
            self.end_with(
                UnexpectedResponse(
                    f"{self.name} answered {difference}: such answers do not belong "
                    "together. Was an address or a setting changed? Ask it under another name, or "
                    "in another run database.",
                    billing=Billing(billed or Charged.NO),
                )
            )
        for pair, outcome in kept:
            self._has_answered |= outcome.decision is not None
            if outcome.state is PairState.FREE:
                self._queue.append(pair)
                continue
            with self._lock:
                self.count += 1
            self._on_end(self.name, outcome.state)

    def ask(self, pair: int) -> PairOutcome | None:
        """Ask about one pair, once; return None if it was not asked and is free again."""
        pictures = self.study.pairs[pair]
        self.current.pair = pair if self.is_careful else None
        self.current.call_id = None
        sends_reference = self.verifier.backend.capabilities.sends_caller_ref
        is_named = sends_reference and self.retention is Retention.KEEP
        caller_ref = self.stored.reference(pair) if is_named else None
        # An engine loads its models with its first picture: that is not what a call takes.
        is_warm = self._is_warm
        try:
            probe, reference = self.picture(pictures.probe), self.picture(pictures.reference)
            result = self.verifier.verify(
                probe, reference, retention=self.retention, caller_ref=caller_ref
            )
        except FaceMatchError as error:
            return attrs.evolve(self._count_failure(error), call_id=self.current.call_id)
        except HeldBack as held:
            self.end_with(held.error)
            # If the budgets cannot be written, the pair stays begun: the next start writes them.
            with contextlib.suppress(FaceMatchError):
                # The policies count a byte that may have left; it has not.
                now = self._clock.now()
                finalize_budgets(self.stores, [held.call_id], Charged.NO, now)
                self.database.release(self.stored.number, pair, held.call_id)
            return None
        finally:
            self.current.pair = None
        self._in_a_row, self._is_warm = 0, True
        return PairOutcome.of_result(result, elapsed_s=result.elapsed_s if is_warm else None)

    def picture(self, path: Path) -> Image:
        """A picture of the test set; `ConfigurationError` if it is another one by now."""
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
            error, has_answered=self._has_answered, is_billed=self.is_billed
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
                    f"{self.name} gave no answer to {many} calls in a row, and is not asked "
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
