"""One pair's life with one system, and the threads of one system that lead pairs through it.

::

              begin (names the call)      ask (before the first byte)
      FREE ──────────────────────▶ BEGUN ─────────────────────────────▶ ASKED
       ▲ ▲                          │ ▲                                   │
       │ └── held back, not sent ───┘ └── repeat: a try failed unpaid ────┤
       │                                                                  │ end
       │ next start                                                       │
       ├───────────────  FAILED       ◀── certainly not charged ──────────┤
       │                 ANSWERED     ◀── something, or picture refused ──┤
       │                 NO_RESPONSE  ◀── charged, no answer ─────────────┤
       │ not charged                                                      │
       └───────────────  UNRESOLVED   ◀── may have been charged; or its ──┘
                             │            process is gone
                             ├──▶ NO_RESPONSE   a budget, or a person, says: charged
                             └──▶ ANSWERED      found in the vendor's records

Every arrow is one transaction (`journal`), of a row that is still as it was left. Every arrow is
written *before* what it stands for is done, so that whoever is killed leaves a pair in a state that
says what may have happened: BEGUN is never paid for, ASKED may be. One process at a time holds the
run database; what an earlier one has left is taken back when the next one starts (`recover`): BEGUN
becomes free, once budgets know that nothing was sent; ASKED becomes UNRESOLVED. UNRESOLVED and
NO_RESPONSE are never asked again by themselves. So each pair is charged once for each system,
whoever dies when.

An error that is about the run and not about the pair (wrong key, no credit, an open circuit
breaker) leads from BEGUN back to FREE.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from facematch_comparison.study import Study
from facematch_core import EventKind
from facematch_core.clock import Clock
from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    ConfigurationError,
    FaceMatchError,
    InvalidImage,
    OutcomeUnknown,
    RequestRejected,
    StoreUnavailable,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.events import CallEvent
from facematch_core.images import Image
from facematch_core.models import Billing, Charged, Environment, Ids, Operation, Retention
from facematch_core.resilience import Budget
from facematch_core.store import CallStore
from facematch_core.verifier import FaceVerifier

from .journal import RunDatabase
from .recover import finalize_budgets, reconcile_charges, resolve_by_budgets
from .schema import Outcome, PairState, StoredSystem

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

    Attributes:
        call_id: Of the call. Not one byte of it has left.
        error: Why nothing was written.
    """

    def __init__(self, call_id: str, error: FaceMatchError) -> None:
        super().__init__("held back")
        self.call_id = call_id
        self.error = error


@attrs.define(eq=False)
class Asking:
    """What a thread is about: a pair of a stored system, and the call that it has become."""

    system: int
    pair: int
    call_id: str | None = None


class Hook:
    """`on_event` of a system's verifier: each step is written down before the call goes on.

    Each thread says first which pair it is about.
    """

    def __init__(self, database: RunDatabase) -> None:
        self._database = database
        self._own = threading.local()

    @contextlib.contextmanager
    def about(self, asking: Asking) -> Iterator[None]:
        """Within it, events of this thread's verifier are about this pair."""
        self._own.asking = asking
        try:
            yield
        finally:
            self._own.asking = None

    def __call__(self, event: CallEvent) -> None:
        """Write a step down; `HeldBack` if that fails."""
        asking: Asking | None = getattr(self._own, "asking", None)
        if asking is None:
            return
        failure: FaceMatchError
        try:
            self._write(event, asking)
        except FaceMatchError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever it is: nothing was written
            failure = ConfigurationError(
                f"The run database failed with {type(error).__name__}: nothing was sent."
            )
        else:
            return
        # Outside the except block: what the call raises next has nothing to do with it.
        raise HeldBack(event.call_id, failure)

    def _write(self, event: CallEvent, asking: Asking) -> None:
        system, pair = asking.system, asking.pair
        if event.kind is EventKind.STARTED and event.call is not None:
            asking.call_id = event.call_id
            self._database.begin(system, pair, event.call)
        elif event.kind is EventKind.SENT:
            self._database.ask(system, pair, event.call_id)
        elif event.kind is EventKind.RETRYING:
            self._database.repeat(system, pair, event.call_id)


@attrs.frozen(kw_only=True, eq=False)
class OpenSystem:
    """A verifier under the name that its answers have.

    Attributes:
        name: Of the backend or profile.
        verifier: Opened.
        hook: Its `on_event`.
        retention: What its vendor is asked to keep.
    """

    name: str
    verifier: FaceVerifier
    hook: Hook
    retention: Retention

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
    def budgets(self) -> tuple[CallStore, ...]:
        """Where its budgets are remembered, each once."""
        stores = [one.store for one in self.verifier.policies if isinstance(one, Budget)]
        return tuple({id(store): store for store in stores}.values())

    @property
    def settings(self) -> dict[str, Any]:
        """What it is asked with, as the run database keeps it.

        Raises:
            FaceMatchError: it cannot be asked to compare two faces like that.
        """
        backend = self.verifier.backend
        threshold, review = self.verifier.thresholds(Operation.MATCH)
        return {
            "backend": backend.name,
            "environment": (backend.environment or Environment.PRODUCTION).value,
            "threshold": threshold and threshold.value,
            "rule": (threshold.rule if threshold else backend.capabilities.threshold_rule).value,
            "review_threshold": review and review.value,
            "kept": self.retention is Retention.KEEP,
            "privacy": self._privacy,
        }

    @property
    def _privacy(self) -> str:
        backend = self.verifier.backend
        if backend.environment is Environment.LOCAL:
            return "Nothing left this machine."
        if self.retention is Retention.KEEP:
            return f"{backend.name} was asked to keep each call as a record, pictures included."
        if Retention.KEEP in backend.capabilities.retention:
            return (
                f"Both pictures of each pair were sent; {backend.name} was asked to keep nothing."
            )
        return (
            f"Both pictures of each pair were sent; {backend.name} cannot be asked to keep "
            "nothing, and what it keeps is not known."
        )


class Worker:
    """What the threads of one system share: pairs taken, asked and written down, until all are.

    Args:
        system: Whom to ask.
        stored: The same, in the run database.
        study: The pairs.
        digests: SHA-256 of each picture when the run began.
        database: Where everything is written down.
        stop: Whether to begin nothing more.
        on_end: Called with each pair that has come to an end.
        clock: Time.

    Attributes:
        asked: How many pairs came to an end in this run.
        error: What ended it before all pairs were asked; None if nothing did.
    """

    def __init__(
        self,
        system: OpenSystem,
        stored: StoredSystem,
        *,
        study: Study,
        digests: Mapping[Path, str],
        database: RunDatabase,
        stop: Callable[[], bool],
        on_end: OnEnd,
        clock: Clock,
    ) -> None:
        self.system, self.stored, self.study = system, stored, study
        self.digests, self.database = digests, database
        self._stop, self._on_end, self._clock = stop, on_end, clock
        self._scale, self._answered_from = stored.scale, stored.answered_from
        self._lock = threading.Lock()
        self._left: deque[int] = deque()
        self._in_a_row = 0
        self._is_warm = system.is_careful
        self.asked = 0
        self.error: FaceMatchError | None = None

    @property
    def is_over(self) -> bool:
        """Whether to begin nothing more."""
        return self.error is not None or self._stop()

    def end_with(self, error: FaceMatchError) -> None:
        """Begin nothing more; the first reason is the one that is reported."""
        error.__cause__ = error.__context__ = None
        with self._lock:
            # Its frames hold pictures.
            self.error = self.error or error.with_traceback(None)

    # --- Before and after ---------------------------------------------------------------------

    def look_back(self) -> None:
        """Resolve what can be of calls without an answer: by budgets, then by vendors' records."""
        system = self.system
        resolve_by_budgets(self.database, self.stored, system.budgets)
        reconcile_charges(
            self.database,
            self.stored,
            system.verifier,
            system.budgets,
            self._clock.now(),
            only_due=True,
        )

    # --- All pairs ----------------------------------------------------------------------------

    def ask_all(self, threads: int) -> None:
        """Ask about every free pair, with so many threads, until there is none or it is over."""
        self.line_up()
        name = f"facematch-{self.stored.name}"
        with ThreadPoolExecutor(threads, thread_name_prefix=name) as pool:
            work = [pool.submit(self._ask_some) for _ in range(threads)]
        for one in work:
            one.result()

    def _ask_some(self) -> None:
        while pairs := self.take(1 if self.system.is_careful else AT_A_TIME):
            ended: list[tuple[int, Outcome]] = []
            try:
                for pair in pairs:
                    if self.is_over:
                        break
                    outcome = self.ask(pair)
                    if outcome is not None:
                        ended.append((pair, outcome))
            finally:
                self.finish(ended)

    def line_up(self) -> None:
        """Have every free pair ready."""
        self._left = deque(self.database.free(self.stored.number))

    def take(self, count: int) -> list[int]:
        """Up to `count` pairs that no other thread gets; none if it is over."""
        pairs: list[int] = []
        with contextlib.suppress(IndexError):
            while len(pairs) < count and not self.is_over:
                pairs.append(self._left.popleft())
        return pairs

    # --- One pair -----------------------------------------------------------------------------

    def ask(self, pair: int) -> Outcome | None:
        """One pair, asked once; None if it was not asked, and is given back."""
        system, pictures = self.system, self.study.pairs[pair]
        asking = Asking(self.stored.number, pair)
        about = system.hook.about(asking) if system.is_careful else contextlib.nullcontext()
        options: dict[str, Any] = {"retention": system.retention}
        can = system.verifier.backend.capabilities
        if system.retention is Retention.KEEP and can.sends_caller_ref:
            options["caller_ref"] = self.stored.reference(pair)
        # An engine loads its models with its first picture: that is not what a call takes.
        is_warm = self._is_warm
        try:
            probe, reference = self.picture(pictures.probe), self.picture(pictures.reference)
            with about:
                result = system.verifier.verify(probe, reference, **options)
        except FaceMatchError as error:
            return attrs.evolve(self._failed(error), call_id=asking.call_id)
        except HeldBack as held:
            self._held_back(pair, held)
            return None
        self._in_a_row, self._is_warm = 0, True
        return Outcome.of_result(result, elapsed_s=result.elapsed_s if is_warm else None)

    def picture(self, path: Path) -> Image:
        """A picture of the test set.

        Raises:
            InvalidImage: it cannot be used.
            ConfigurationError: it is not there any more, or another one.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            why = f"cannot be read any more ({error.strerror or type(error).__name__})"
        else:
            if hashlib.sha256(data).hexdigest() == self.digests[path]:
                return Image.from_bytes(data)
            why = "is another one than when the run began"
        raise ConfigurationError(f"The picture {path} {why}: nothing was sent of it.")

    def finish(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        """Write down what pairs ended in; what is free again is asked after all others."""
        if not outcomes:
            return
        kept = [(pair, self._fitting(outcome)) for pair, outcome in outcomes]
        if not self._persistently(lambda: self.database.end(self.stored.number, kept)):
            # They stay as they are: if asked, the next start takes them for unresolved.
            return
        for pair, outcome in kept:
            if outcome.state is PairState.FREE:
                self._left.append(pair)
                continue
            with self._lock:
                self.asked += 1
            self._on_end(self.stored.name, outcome.state)

    def _fitting(self, outcome: Outcome) -> Outcome:
        """An answer on the scale and from the place of the first.

        Of another one only the charge is kept, and the system is asked no further: such answers do
        not compare. A change of the model alone shows in the answers, and ends nothing.
        """
        if outcome.decision is None:
            return outcome
        if self._answered_from is None or (outcome.scale is not None and self._scale is None):

            def fix() -> None:
                self._scale, self._answered_from = self.database.fix_origin(
                    self.stored.number, outcome.scale, outcome.environment
                )

            if not self._persistently(fix):
                return outcome
        what = outcome.differs_from(self._scale, self._answered_from)
        if what is None:
            return outcome
        error = UnexpectedResponse(
            f"{self.stored.name} answered {what}: such answers do not belong together. Was an "
            "address or a setting changed? Ask it under another name, or in another run database.",
            billing=Billing(outcome.billed),
            ids=Ids(call=outcome.call_id),
        )
        self.end_with(error)
        return Outcome(
            state=_BY_CHARGE.get(outcome.billed, PairState.FREE),
            billed=outcome.billed,
            environment=outcome.environment,
            error=type(error).__name__,
            call_id=outcome.call_id,
        )

    def _failed(self, error: FaceMatchError) -> Outcome:
        outcome = outcome_of_error(error, has_answered=self._answered_from is not None)
        if outcome.state is PairState.ANSWERED:
            return outcome
        if isinstance(error, FATAL):
            self.end_with(error)
            return outcome
        with self._lock:
            self._in_a_row += 1
            many = self._in_a_row
        if many >= MOST_FAILURES:
            self.end_with(_too_many(self.stored.name, many, error))
        elif isinstance(error, BreakerOpen):
            self._wait(error.retry_after_s or 1.0)
        return outcome

    def _held_back(self, pair: int, held: HeldBack) -> None:
        self.end_with(held.error)
        # If the budgets cannot be written, the pair stays begun: the next start writes them.
        with contextlib.suppress(FaceMatchError):
            # The policies count a byte that may have left; it has not.
            now = self._clock.now()
            finalize_budgets(self.system.budgets, [held.call_id], Charged.NO, now)
            self.database.release(self.stored.number, pair, held.call_id)

    def _persistently(self, step: Callable[[], object]) -> bool:
        """Whether a step of the run database was made; if it failed each time, that ends all."""
        failure: FaceMatchError
        for wait_s in (*_AGAIN_S, None):
            try:
                step()
            except ConfigurationError as error:
                failure = error
            else:
                return True
            if wait_s is not None:
                self._clock.sleep(wait_s)
        self.end_with(failure)
        return False

    def _wait(self, seconds: float) -> None:
        """Wait, but not when the run is to end."""
        until = self._clock.monotonic() + min(seconds, _LONGEST_S)
        while not self.is_over and (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, 0.2))


# --- What an error means for its pair -------------------------------------------------------------

#: Errors that are about the run and not about the pair, which stays free.
_NOT_THE_PAIR: Final[tuple[type[FaceMatchError], ...]] = (*FATAL, BreakerOpen, StoreUnavailable)

#: Statuses by which a vendor refuses what is in a request, and not its address or its sender:
#: of a request that a backend made, the pictures.
_ABOUT_PICTURES: Final = frozenset({400, 413, 415, 422})

#: Of an error that was charged, or may have been: whatever else it says.
_BY_CHARGE: Final = {Charged.YES: PairState.NO_RESPONSE, Charged.UNKNOWN: PairState.UNRESOLVED}


def outcome_of_error(error: FaceMatchError, *, has_answered: bool = True) -> Outcome:
    """What an error means for the pair.

    A picture that is refused, by the vendor or before it is sent, is a failure to acquire: this
    system cannot use it, and nobody would be accepted by it. What was certainly not charged may be
    asked again.

    Args:
        error: It.
        has_answered: Whether the system has compared any pair yet. Until then a vendor that refuses
            may be one that is asked in a wrong way.
    """
    billed = error.billing.charged if isinstance(error, VendorError) else Charged.NO
    is_refusal = isinstance(error, RequestRejected) and error.status_code in _ABOUT_PICTURES
    state = _BY_CHARGE.get(billed)
    if state is None:
        if isinstance(error, InvalidImage) or (has_answered and is_refusal):
            state = PairState.ANSWERED
        elif isinstance(error, _NOT_THE_PAIR) or is_refusal:
            state = PairState.FREE
        else:
            state = PairState.FAILED
    return Outcome(
        state=state,
        billed=billed,
        environment=getattr(error, "environment", None) if billed is not Charged.NO else None,
        error=type(error).__name__,
    )


def _too_many(name: str, many: int, error: FaceMatchError) -> FaceMatchError:
    kind = OutcomeUnknown if isinstance(error, OutcomeUnknown) else VendorUnavailable
    return kind(
        f"{name} gave no answer to {many} calls in a row, and is not asked any further. The last "
        f"one: {error.message} Start again later: what was not charged is asked again.",
        backend=getattr(error, "backend", None),
        retryable=False,
    )
