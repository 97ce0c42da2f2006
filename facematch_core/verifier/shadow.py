"""`Shadow`: a verifier that also asks a candidate, in the background, what it would have said."""

from __future__ import annotations

import enum
import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from facematch_core.base.background import BackgroundQueue
from facematch_core.base.deadline import CANCELLATION, Clock, Deadline, SystemClock
from facematch_core.base.frames import methods_clear_frames
from facematch_core.base.functions import check_function
from facematch_core.base.threads import fork_safe_lock
from facematch_core.call.run import CallRunner, Runner
from facematch_core.call.verdict import CallOptions
from facematch_core.call_log import CallLog, LoggedCall, NotAsked, Side
from facematch_core.call_log.log import before_logs_close
from facematch_core.errors import ConfigurationError, FaceMatchError, VendorError
from facematch_core.images.image import Image
from facematch_core.models import Answer, CallRecord, Operation, Reconciliation

from .verifier import FaceVerifier, Verifier, check_log, close_log

logger = logging.getLogger("facematch")

#: Guards the counts of every shadow, because it is held for microseconds only.
_lock = fork_safe_lock()

#: Draws the calls. The state of `random` belongs to the program, which may seed it for each call.
_random: Final = random.SystemRandom()

#: The share of calls that is drawn unless another is given.
DEFAULT_FRACTION: Final = 0.05
#: Maximum number of calls whose pictures wait in memory for the candidate.
MOST_WAITING_CALLS: Final = 100
#: Maximum size of these pictures together, in bytes.
MOST_WAITING_BYTES: Final = 100 * 2**20
#: Seconds in which a candidate without a deadline of its own must have answered.
_DEADLINE_S: Final = 60.0
#: Seconds that `close` waits for the answers to calls that are under way.
CLOSE_TIMEOUT_S: Final = 5.0


class ShadowEnd(enum.StrEnum):
    """How a drawn shadow call ended."""

    #: The candidate returned a result.
    ANSWERED = "answered"
    #: The candidate was asked, and returned no result.
    FAILED = "failed"
    #: A budget, a policy or the picture refused the call; nothing was sent.
    REFUSED = "refused"
    # The others are the values of `NotAsked`.
    NOT_ALLOWED = NotAsked.NOT_ALLOWED.value
    QUEUE_FULL = NotAsked.QUEUE_FULL.value
    LATE = NotAsked.LATE.value
    CLOSED = NotAsked.CLOSED.value
    NOT_LOGGED = NotAsked.NOT_LOGGED.value


@attrs.frozen(kw_only=True)
class ShadowCall:
    """An answered call about which `asks_if` decides whether the candidate is asked, too.

    Attributes:
        operation: The operation.
        caller_ref: The caller's own reference, or None. Not in `repr`.
        share_key: The caller's own reference for the person, or None. Not in `repr`.
        metadata: The caller's metadata, or None. Not in `repr`.
        result: The result that the caller gets.
    """

    operation: Operation
    caller_ref: str | None = attrs.field(repr=False)
    share_key: str | None = attrs.field(repr=False)
    metadata: Mapping[str, Any] | None = attrs.field(repr=False)
    result: Answer


@methods_clear_frames
class Shadow(Verifier):
    """A verifier that answers by `verifier`, and asks `candidate` about some of the same pictures.

    Every result, error and charge that the caller sees is `verifier`'s, as if there were no
    candidate. After a result, a share of the calls is drawn, and the candidate is asked about the
    same pictures in the background. Nobody gets its answer: both answers are rows of `log`, for
    `facematch compare shadow`. `verify_live` is two calls, each drawn for itself.

    The candidate receives the pictures of people who did not choose it: `asks_if` must refuse
    whoever has not agreed to a second processor. It receives no `caller_ref`, no `share_key`, no
    `metadata` and no vendor's `options`, is asked to store as little as it can
    (`Retention.MINIMAL`), and has its own thresholds, policies, retries, deadline and events. A
    `Budget` limits what it may cost.

    Pictures wait in memory only: at most 100 calls with 100 MiB. A shadow call is dropped if that
    is full, if the candidate's deadline (from the draw on; 60 s if it has none) has passed before
    its turn, or if the shadow is closed. `counts` and the log count such calls and the candidate's
    errors. After a fork, the child asks about its own calls only.

    The row of a shadow call is written before the candidate is asked, as `Unfinished` with an
    unknown charge, and completed afterwards. So a call whose answer is lost, because the process
    was killed, is in the log, too; and while the log cannot be written, nothing is asked. `close`
    and the end of the process wait up to 5 seconds for calls that are under way.

    Thread-safe. Open it after a fork, not before. A context manager.

    Args:
        verifier: Answers all calls; any verifier.
        candidate: The verifier to try.
        log: The log of both answers. Neither verifier may have the same log.
        fraction: The share of calls with a result that are drawn, 0-1.
        asks_if: Called with a `ShadowCall` in the caller's thread, for each drawn call, and must
            be fast. Unless it returns True, the candidate is not asked. None for all calls.
        most_at_once: Maximum number of concurrent calls of the candidate, 1-256.
        clock: A clock, for tests.

    Raises:
        ConfigurationError: an argument is invalid.

    Example:
        >>> calls = CallLog("sqlite:///shadow.sqlite3", key="from your secret store")
        >>> budget = Budget(cap=1000, name="trial")
        >>> candidate = open_verifier("local", policies=[budget])
        >>> verifier = Shadow(open_verifier("didit"), candidate, log=calls, fraction=1)
        >>> result = verifier.verify(selfie, document, caller_ref="customer-17")
        >>> verifier.wait(30)
        True
        >>> print(result.backend, verifier.counts)
        didit {'answered': 1}
        >>> verifier.close()
        >>> print([(call.side.value, call.system) for call in calls.rows()])
        [('answered', 'didit'), ('shadow', 'local')]
    """

    def __init__(
        self,
        verifier: Verifier,
        candidate: FaceVerifier,
        *,
        log: CallLog,
        fraction: float = DEFAULT_FRACTION,
        asks_if: Callable[[ShadowCall], bool] | None = None,
        most_at_once: int = 4,
        clock: Clock | None = None,
    ) -> None:
        """Check the arguments, which the class describes."""
        if not isinstance(verifier, Verifier):
            raise ConfigurationError(
                f"verifier must be any verifier, not {type(verifier).__name__}."
            )
        if not isinstance(candidate, FaceVerifier):
            raise ConfigurationError(
                f"candidate must be a FaceVerifier, not {type(candidate).__name__}."
            )
        if candidate is verifier:
            raise ConfigurationError("verifier and candidate must be two verifiers.")
        call_log = check_log(log, (verifier, candidate))
        if call_log is None:
            raise ConfigurationError("A shadow needs a log, where the candidate's answers are.")
        check_function("asks_if", asks_if, "one ShadowCall")
        if type(most_at_once) is not int or not 1 <= most_at_once <= 256:
            raise ConfigurationError("most_at_once must be a whole number from 1 to 256.")
        self._verifier = verifier
        self._candidate = candidate
        self._runner = ShadowRunner(
            clock=clock or SystemClock(),
            deadline_s=verifier.deadline_s,
            log=call_log,
            inner=verifier.runner,
            candidate=candidate.runner,
            fraction=check_fraction(fraction),
            asks_if=asks_if,
            most_at_once=most_at_once,
        )

    @property
    def runner(self) -> ShadowRunner:
        """Makes the calls, for classes that are built on a verifier."""
        return self._runner

    @property
    def verifier(self) -> Verifier:
        """The verifier that answers."""
        return self._verifier

    @property
    def candidate(self) -> FaceVerifier:
        """The verifier that is tried."""
        return self._candidate

    @property
    def counts(self) -> Mapping[str, int]:
        """How many drawn calls of this process ended in which way, by the values of `ShadowEnd`."""
        return self._runner.counts()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the candidate has been asked about all drawn calls; return whether it has."""
        return self._runner.queue.wait(timeout_s)

    def reconcile(
        self, call: CallRecord | VendorError, *, deadline_s: float | None = None
    ) -> Reconciliation:
        """Search for a call that `verifier` made; see `FaceVerifier.reconcile`."""
        return self._verifier.reconcile(call, deadline_s=deadline_s)

    def close(self) -> None:
        """Drop the calls that wait; close both verifiers and the log.

        Waits for the answers to calls that are under way, at most 5 seconds. Call `wait` before,
        to have the candidate asked about all drawn calls. May be called more than once.
        """
        self._runner.is_closed = True
        try:
            self._runner.add_last_rows(CLOSE_TIMEOUT_S)
        finally:
            self._candidate.close()
            self._verifier.close()
            close_log(self._runner)

    def __repr__(self) -> str:
        # An object whose `__init__` failed has no verifiers.
        verifier, candidate = (getattr(self, name, None) for name in ("_verifier", "_candidate"))
        return f"Shadow({verifier!r}, {candidate!r})"


def check_fraction(fraction: object) -> float:
    """Return a share of calls as a float; raise `ConfigurationError` unless it is from 0 to 1."""
    is_number = isinstance(fraction, (int, float)) and not isinstance(fraction, bool)
    if not is_number or not 0 <= fraction <= 1:  # type: ignore[operator]  # a number by now
        raise ConfigurationError(
            f"fraction must be a number from 0 to 1, such as 0.05 for 5 %, not {fraction!r:.40}."
        )
    return float(fraction)  # type: ignore[arg-type]


@attrs.define(eq=False)
class _Waiting:
    """A drawn call that waits for the candidate."""

    #: The row of the shadow call, without an answer.
    row: LoggedCall
    images: list[Image] = attrs.field(repr=False)
    #: The candidate's deadline, which began when the call was drawn.
    deadline: Deadline


@attrs.define(kw_only=True, eq=False)
class ShadowRunner(Runner):
    """Makes calls with one runner, and asks another about some of them.

    Attributes:
        log: The log of the calls, and of the shadow calls.
        inner: Makes the calls.
        candidate: Is asked in the background.
        fraction: The share of calls with a result that are drawn, 0-1.
        asks_if: Returns whether the candidate may be asked about a call; None for all.
        most_at_once: Maximum number of concurrent calls of the candidate.
        queue: The drawn calls.
    """

    log: CallLog
    inner: Runner
    candidate: CallRunner
    fraction: float
    asks_if: Callable[[ShadowCall], bool] | None
    most_at_once: int
    queue: BackgroundQueue[_Waiting] = attrs.field(init=False)
    #: By process id, because a fork copies the parent's counts.
    _counts: dict[int, Counter[str]] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.queue = BackgroundQueue(
            self._ask,
            "facematch-shadow",
            most_items=MOST_WAITING_CALLS,
            most_bytes=MOST_WAITING_BYTES,
            threads=self.most_at_once,
        )
        before_logs_close(self)

    @property
    def inner_runners(self) -> tuple[Runner, ...]:
        return (self.inner, self.candidate)

    @property
    def system(self) -> str | None:
        return self.inner.system

    def check_call(
        self, images: list[Image], options: CallOptions, *, after: tuple[Operation, ...] = ()
    ) -> list[Image]:
        self.check_open()
        self.inner.check_call(images, options, after=after)
        # Return the originals: the candidate prepares the pictures for its own vendor.
        return images

    def _call_unlogged(self, images: list[Image], options: CallOptions) -> Answer:
        self.check_open()
        return self.inner.call(images, options)

    def call(self, images: list[Image], options: CallOptions) -> Answer:
        """Make and log a call, return its result, and perhaps ask the candidate later."""
        answer = super().call(images, options)
        # If an `await` was cancelled, the caller has got no answer.
        if _random.random() < self.fraction and not CANCELLATION.get().is_cancelled:
            self._draw(images, options, answer)
        return answer

    def counts(self) -> dict[str, int]:
        """Return how many drawn calls of this process ended in which way."""
        with _lock:
            counts = dict(self._counts.get(os.getpid(), {}))
        return {end.value: counts[end.value] for end in ShadowEnd if end.value in counts}

    def add_last_rows(self, timeout_s: float) -> None:
        """Drop the calls that wait; wait for the answers to the others, at most so long."""
        for waiting in self.queue.take_waiting():
            self._drop(waiting.row, NotAsked.CLOSED)
        # Another thread may have drawn a call in between.
        for waiting in self.queue.close(timeout_s):
            self._drop(waiting.row, NotAsked.CLOSED)

    def _draw(self, images: list[Image], options: CallOptions, answer: Answer) -> None:
        """Ask the candidate about an answered call, later. Raises nothing."""
        try:
            row = self._shadow_row(options, answer)
            if self.is_closed:  # by another thread, while the caller waited for the answer
                self._drop(row, NotAsked.CLOSED)
                return
            if not self._is_allowed(options, answer):
                self._drop(row, NotAsked.NOT_ALLOWED)
                return
            deadline_s = self.candidate.deadline_s or _DEADLINE_S
            waiting = _Waiting(row, list(images), Deadline.after(deadline_s, self.candidate.clock))
            size_bytes = sum(image.size_bytes for image in images)
            if not self.queue.offer(waiting, size_bytes):
                self._drop(row, NotAsked.QUEUE_FULL)
        except Exception as error:  # noqa: BLE001 - the caller's paid answer must survive it
            logger.error("A shadow call was not drawn: %s.", type(error).__name__)  # noqa: TRY400 - a traceback may show pictures

    def _is_allowed(self, options: CallOptions, answer: Answer) -> bool:
        """Return whether the candidate may see the pictures of a call."""
        if self.asks_if is None:
            return True
        call = ShadowCall(
            operation=options.operation,
            caller_ref=options.caller_ref,
            share_key=options.share_key,
            metadata=answer.metadata,
            result=answer,
        )
        try:
            return self.asks_if(call) is True
        except Exception as error:  # noqa: BLE001 - in doubt, nothing is sent
            logger.error(  # noqa: TRY400 - a traceback may show what it held
                "asks_if failed with %s: the candidate was not asked.", type(error).__name__
            )
            return False

    def _shadow_row(self, options: CallOptions, answer: Answer) -> LoggedCall:
        """Return the row of a shadow call that has not been made."""
        return LoggedCall(
            call_id=str(answer.ids.call),
            side=Side.SHADOW,
            at=self.clock.now(),
            operation=options.operation,
            system=self.candidate.system,
            person=self.person_of(options),
        )

    def _ask(self, batch: list[_Waiting]) -> None:
        """Ask the candidate about one call, in a thread of the queue."""
        # Taken out of the list, which would keep the pictures while the thread waits for a call.
        waiting = batch.pop()
        row = waiting.row
        if waiting.deadline.is_over:
            self._drop(row, NotAsked.LATE)
            return
        if not self._is_logged(row, waiting.deadline):
            self._drop(row, NotAsked.NOT_LOGGED)
            return
        options = CallOptions(operation=row.operation, deadline=waiting.deadline)
        started_s = self.clock.monotonic()
        end = ShadowEnd.ANSWERED
        try:
            answer = self.candidate.call(waiting.images, options)
            row = row.with_answer(answer)
        except FaceMatchError as error:
            if self.candidate.is_closed and isinstance(error, ConfigurationError):
                self._drop(row, NotAsked.CLOSED)
                return
            row = row.with_error(error)
            end = ShadowEnd.FAILED if isinstance(error, VendorError) else ShadowEnd.REFUSED
        except BaseException as error:  # noqa: BLE001 - not even a plug-in's sys.exit may end the thread
            row = row.with_error(error)
            end = ShadowEnd.FAILED
        elapsed_s = max(0.0, self.clock.monotonic() - started_s)
        self._count_and_log(attrs.evolve(row, elapsed_s=elapsed_s), end)

    def _is_logged(self, row: LoggedCall, deadline: Deadline) -> bool:
        """Write the row of a call that is about to be made; return whether it is written."""
        billed_operations = self.candidate.backend.capabilities.billed_operations
        begun = row.begun(may_be_charged=row.operation in billed_operations)
        return self.log.write(begun, deadline.left_s())

    def _drop(self, row: LoggedCall, reason: NotAsked) -> None:
        self._count_and_log(attrs.evolve(row, not_asked=reason), ShadowEnd(reason.value))

    def _count_and_log(self, row: LoggedCall, end: ShadowEnd) -> None:
        """Count and log a drawn call."""
        with _lock:
            counts = self._counts.setdefault(os.getpid(), Counter())
            counts[end.value] += 1
        self.log.add(row)
