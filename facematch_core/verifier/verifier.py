"""`FaceVerifier`, which calls one backend, and its base class `Verifier`."""

from __future__ import annotations

import abc
import collections
import contextlib
import contextvars
import functools
import logging
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import (
    IO,
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    NoReturn,
    Self,
    TypeAlias,
    TypedDict,
    Unpack,
    cast,
)

import attrs

from facematch_core import errors
from facematch_core.backend import Backend
from facematch_core.backend.kinds import suggest_name
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.base.frames import methods_clear_frames
from facematch_core.base.functions import check_function
from facematch_core.base.threads import DEFAULT_WORKERS, MAX_WORKERS, HelperThreads, fulfil
from facematch_core.call.events import CallEvent, EventEmitter
from facematch_core.call.run import CallRunner, Runner, all_runners, load_images
from facematch_core.call.verdict import (
    CallOptions,
    CallThresholds,
    VerdictRules,
    check_deadline_s,
    check_thresholds,
)
from facematch_core.call_log import CallLog
from facematch_core.errors import (
    FATAL,
    FaceMatchError,
    InvalidRequest,
    VendorError,
)
from facematch_core.images.image import Image
from facematch_core.images.stored import S3Picture, refuse_s3
from facematch_core.models import (
    CallRecord,
    Decision,
    Environment,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciliation,
    Retention,
    Threshold,
    ends_early,
)
from facematch_core.resilience import Policy, Retry

if TYPE_CHECKING:
    import PIL.Image

logger = logging.getLogger("facematch")

#: Maximum number of concurrent calls with a deadline, including abandoned calls, of a backend that
#: does not keep deadlines itself (`Backend.keeps_deadline`).
MAX_HELPER_THREADS: Final = 8

#: The accepted types of a picture. For a `str`, use `Image.read` (a path) or `Image.from_base64`.
Picture: TypeAlias = (
    Image | bytes | bytearray | memoryview | os.PathLike[str] | IO[bytes] | "PIL.Image.Image"
)


class MatchOptions(TypedDict, total=False):
    """Options of `verify` and `check_liveness`."""

    threshold: float | Threshold | None
    review_threshold: float | Threshold | None
    retention: Retention
    caller_ref: str | None
    share_key: str | None
    metadata: Mapping[str, Any] | None
    options: Any
    deadline_s: float | None
    retry: Retry | Literal[False] | None


class LiveMatchOptions(MatchOptions, total=False):
    """Options of `verify_live`."""

    liveness_threshold: float | Threshold | None
    liveness_review_threshold: float | Threshold | None


@attrs.frozen(kw_only=True)
class PairOutcome:
    """The outcome of a pair: either a result or an error.

    Check ``outcome.error is None``, because a result has no truth value.

    Attributes:
        index: Position in the input, from 0.
        key: The caller's own key for the pair, or None.
        result: The result, or None.
        error: The error, or None.

    Example:
        >>> pairs = [(selfie, document, "customer-17"), (b"%PDF-1.7", document, "customer-18")]
        >>> for outcome in verifier.verify_many(pairs):
        ...     if outcome.error is None:
        ...         print(outcome.key, outcome.decision)
        ...     else:
        ...         print(outcome.key, "not compared:", type(outcome.error).__name__)
        customer-17 match
        customer-18 not compared: InvalidImage
    """

    index: int
    key: Hashable | None = None
    result: MatchResult | None = None
    error: FaceMatchError | None = None

    @property
    def decision(self) -> Decision | None:
        """The decision of the result; None if there is an error."""
        # Not `self.result and ...`, because a result has no truth value.
        return None if self.result is None else self.result.decision


@methods_clear_frames
class Verifier(abc.ABC):
    """The common base class of all verifiers; see `open_verifier`.

    Use it as a type annotation to accept all. A `Failover` and a `Share` take no thresholds in a
    call, because the scales of their members differ; a `Share` needs `caller_ref` or `share_key` in
    each call. A `Shadow` takes what its verifier takes.

    Example:
        >>> def is_customer(verifier: Verifier) -> bool:
        ...     return verifier.verify(selfie, document).is_match
        >>> is_customer(verifier)
        True
    """

    @property
    @abc.abstractmethod
    def runner(self) -> Runner:
        """Makes the calls, for classes that are built on a verifier, such as `Sessions`."""

    @property
    def deadline_s(self) -> float | None:
        """The default deadline of a call, in seconds above 0; None if there is no limit."""
        return self.runner.deadline_s

    def verify(
        self,
        probe: Picture | S3Picture,
        reference: Picture | S3Picture,
        **options: Unpack[MatchOptions],
    ) -> MatchResult:
        """Compare two faces.

        Args:
            probe: The live or candidate face, as an `Image`, bytes, a path, an open file or a
                Pillow image. A `FaceVerifier` of `rekognition` also takes an `S3Picture`.
            reference: The face to compare with, for example from an identity document.
            threshold: The threshold for a match, 0-100 on the backend's scale. Not for a failover
                or a share, whose members have their own.
            review_threshold: A score above `threshold`, at most 100; matches up to it are `REVIEW`.
            retention: How much the vendor is asked to store.
            caller_ref: Your own reference; the vendor may limit its length.
            share_key: Your own reference for the person, if `caller_ref` differs in each call of
                the same person; None for `caller_ref`. A `Share` chooses the member by it, and a
                `CallLog` finds the person's rows by it. Never sent or returned.
            metadata: Your own JSON object.
            options: The backend's own typed options.
            deadline_s: Seconds for the whole call, above 0; None for the verifier's `deadline_s`.
            retry: The retry policy; False for no retries, None for the verifier's policy. Calls
                that may have been charged are never retried.

        Returns:
            The result. A mismatch is a result, not an error.

        Raises:
            InvalidImage, InvalidRequest, Unsupported, ConfigurationError: nothing was sent.
            BudgetExceeded: the call would exceed a budget; nothing was sent.
            VendorError: the call returned no result; see `billing` for the charge.
        """
        call_options = self._read_options("verify", Operation.MATCH, options)
        pictures = [probe, reference]
        del probe, reference
        images = load_images(pictures, takes_s3=self.runner.takes_s3)
        return cast(MatchResult, self.runner.call(images, call_options))

    def check_liveness(self, probe: Picture, **options: Unpack[MatchOptions]) -> LivenessResult:
        """Check one picture for a live face (passive liveness).

        For arguments and errors, see `verify`. Thresholds are on the liveness score's scale.
        """
        call_options = self._read_options("check_liveness", Operation.LIVENESS, options)
        pictures = [probe]
        del probe
        return cast(LivenessResult, self.runner.call(load_images(pictures), call_options))

    def verify_live(
        self, probe: Picture, reference: Picture, **options: Unpack[LiveMatchOptions]
    ) -> LiveMatchResult:
        """Check the probe for a live face, then compare it with the reference.

        Makes two calls, both charged. If the probe is not live or has no face, the comparison is
        not made and not charged. An unusable picture, an invalid option, or a budget that is too
        small for both calls raises before anything is sent. If only the comparison fails, its error
        has the paid liveness result as `liveness`. A failover may use a different member per call.

        Args:
            liveness_threshold, liveness_review_threshold: The thresholds for the liveness score.
            deadline_s: Seconds for both calls together.

        For other arguments and for errors, see `verify`.
        """
        liveness_thresholds: dict[str, Any] = {
            "threshold": options.pop("liveness_threshold", None),
            "review_threshold": options.pop("liveness_review_threshold", None),
        }
        match_options = self._read_options("verify_live", Operation.MATCH, options)
        liveness_options = attrs.evolve(
            match_options, operation=Operation.LIVENESS, prefix="liveness_", **liveness_thresholds
        )
        pictures = [probe, reference]
        del probe, reference
        images = self.runner.check_call(
            load_images(pictures), match_options, after=(Operation.LIVENESS,)
        )
        liveness = cast(LivenessResult, self.runner.call(images[:1], liveness_options))
        if ends_early(liveness):
            return LiveMatchResult.of(liveness, None)
        try:
            match = cast(MatchResult, self.runner.call(images, match_options))
        except FaceMatchError as error:
            error.liveness = liveness
            raise
        return LiveMatchResult.of(liveness, match)

    def verify_many(
        self,
        pairs: Iterable[Any],
        *,
        max_workers: int = DEFAULT_WORKERS,
        stop_on: tuple[type[FaceMatchError], ...] = FATAL,
        **options: Unpack[MatchOptions],
    ) -> PairOutcomes:
        """Compare many pairs concurrently, in bounded memory, and yield the outcomes in order.

        Args:
            pairs: An iterable, possibly endless, of ``(probe, reference)`` or
                ``(probe, reference, key)``. It is read a few pairs ahead, in the caller's thread,
                and must not wait for an outcome. The outcome of a pair of another form has an
                `InvalidRequest`, and never ends the run.
            max_workers: Maximum number of concurrent calls, 1-256.
            stop_on: Errors of calls that end the run: no further pairs are started, and started
                pairs are finished and yielded. By default, errors that every pair would raise: key,
                credit, budget, configuration.
            **options: Options of `verify`, applied to every pair.

        Returns:
            An iterator with one `PairOutcome` per started pair. An error is an outcome, too.

        To stop early, use ``with verifier.verify_many(pairs) as outcomes``. Leaving the block (or
        calling ``outcomes.close()``) cancels pairs that have not started and waits for the others.
        After a plain ``break``, started pairs finish in the background, and only the event hook
        reports their results, which may have been charged. Ctrl-C waits for started pairs, too: one
        line of the log, which is also a note of the exception, has the outcomes that were not
        returned (the position in `pairs`, decision, charge and call id). A second Ctrl-C does not
        wait.

        Raises:
            InvalidRequest, Unsupported, ConfigurationError: an argument is invalid, or no pair can
                be compared with these settings. Raised immediately, not at the first outcome.
        """
        run = PairRun(self.verify, self.runner, max_workers, stop_on, options)
        if not isinstance(pairs, Iterable):
            raise no_pairs(pairs)
        return PairOutcomes(run, iter(pairs))

    @abc.abstractmethod
    def reconcile(
        self, call: CallRecord | VendorError, *, deadline_s: float | None = None
    ) -> Reconciliation:
        """Search the vendor's records for a call; see `FaceVerifier.reconcile`."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the verifier. May be called more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} cannot be pickled: open one in each process.")

    def _read_options(
        self, method: str, operation: Operation, arguments: Mapping[str, Any]
    ) -> CallOptions:
        """Return a call's arguments as `CallOptions`; raise `TypeError` for an unknown argument."""
        if arguments.keys() - MatchOptions.__optional_keys__:
            raise TypeError(_describe_unknown(method, arguments))
        return _new_options(self.runner, operation, arguments)


def _new_options(runner: Runner, operation: Operation, arguments: Mapping[str, Any]) -> CallOptions:
    """Return the arguments of a call that begins now as `CallOptions`."""
    options = dict(arguments)
    deadline = runner.deadline_after(options.pop("deadline_s", None))
    return CallOptions(operation=operation, deadline=deadline, **options)


@methods_clear_frames
class FaceVerifier(Verifier):
    """Compares faces and checks liveness with one backend.

    Thread-safe. Open it after a fork, not before. A context manager.

    Args:
        backend: The backend to call.
        threshold, liveness_threshold: Default threshold for a pass, 0-100 on the backend's scale;
            None for the backend's documented default.
        review_threshold, liveness_review_threshold: Passes up to this score, 0-100, become REVIEW;
            None for no review.
        deadline_s: Default deadline of a call, in seconds above 0, including retries and waits;
            with None, only the backend's timeouts apply.
        fit_images: Whether to shrink or convert pictures that the vendor would otherwise reject.
        require_environment: The environment that results must come from. Results from another or an
            unknown environment raise `EnvironmentMismatch`.
        on_event: Called with a `CallEvent` at each step of a call, usually in the calling thread
            (SENT may be reported in a helper thread). Its exceptions are logged and ignored.
        policies: Policies such as `Budget`, `RateLimiter` and `CircuitBreaker`, entered in the
            given order before each attempt.
        retry: The retry policy for calls that were certainly not charged; None for no retries.
        log: The log of calls and their results; None for none. `close` writes its waiting rows.
        clock: A clock, for tests.

    Raises:
        ConfigurationError: an argument is invalid.

    Example:
        >>> from pathlib import Path
        >>> from facematch_local import LocalBackend
        >>> with FaceVerifier(LocalBackend(), threshold=60, deadline_s=10) as verifier:
        ...     result = verifier.verify(Path("selfie.jpg"), Path("id.jpg"))
        >>> print(result.decision)
        match
    """

    def __init__(
        self,
        backend: Backend,
        *,
        threshold: float | Threshold | None = None,
        liveness_threshold: float | Threshold | None = None,
        review_threshold: float | Threshold | None = None,
        liveness_review_threshold: float | Threshold | None = None,
        deadline_s: float | None = None,
        fit_images: bool = True,
        require_environment: Environment | None = None,
        on_event: Callable[[CallEvent], None] | None = None,
        policies: Iterable[Policy] = (),
        retry: Retry | None = None,
        log: CallLog | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Check the arguments, which the class describes, against what the backend can do."""
        if not isinstance(backend, Backend):
            raise errors.ConfigurationError(
                "FaceVerifier takes a Backend such as LocalBackend(), not "
                f'{type(backend).__name__}; with a name, call open_verifier("local").'
            )
        if not isinstance(fit_images, bool):
            # Such as "false", which would be true.
            raise errors.ConfigurationError("fit_images must be True or False.")
        if not isinstance(retry, (Retry, type(None))):
            raise errors.ConfigurationError("retry must be a Retry or None.")
        all_policies = _check_policies(policies)
        if clock is not None and not callable(getattr(clock, "monotonic", None)):
            raise errors.ConfigurationError("clock must be a Clock such as SystemClock().")
        check_function("on_event", on_event, "one event")
        if require_environment not in (None, *Environment):
            raise errors.ConfigurationError(
                f"require_environment must be one of {', '.join(Environment)}."
            )
        verifier_clock = clock or SystemClock()
        self._runner = CallRunner(
            backend=backend,
            rules=VerdictRules(
                backend=backend,
                defaults=check_thresholds(
                    threshold=threshold,
                    liveness_threshold=liveness_threshold,
                    review_threshold=review_threshold,
                    liveness_review_threshold=liveness_review_threshold,
                ),
                required_environment=require_environment and Environment(require_environment),
            ),
            policies=all_policies,
            retry=retry,
            fit_images=fit_images,
            events=EventEmitter(backend, on_event, verifier_clock),
            helpers=HelperThreads(MAX_HELPER_THREADS, "facematch-call"),
            clock=verifier_clock,
            deadline_s=check_deadline_s(deadline_s, errors.ConfigurationError),
            log=check_log(log),
        )

    @property
    def runner(self) -> CallRunner:
        """Makes the calls, for classes that are built on a verifier, such as `Sessions`."""
        return self._runner

    @property
    def backend(self) -> Backend:
        """The backend that this verifier calls."""
        return self._runner.backend

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies, in order, for example to call `CircuitBreaker.reset`."""
        return self._runner.policies

    @property
    def on_event(self) -> Callable[[CallEvent], None] | None:
        """The event hook, or None."""
        return self._runner.events.hook

    def thresholds(self, operation: Operation) -> CallThresholds:
        """Return an operation's default `threshold` and `review_threshold`. Either may be None."""
        return self._runner.rules.thresholds_for(CallOptions(operation=operation))

    def reconcile(
        self, call: CallRecord | VendorError, *, deadline_s: float | None = None
    ) -> Reconciliation:
        """Search the vendor's records for a call with an unknown outcome. Free of charge.

        Finds calls with ``retention=Retention.KEEP``, and calls of an asynchronous vendor by the id
        that the vendor returned. Records are matched by the call's id only; its time and
        `caller_ref` merely shorten the search.

        Args:
            call: The record of a call to this verifier's backend, or an error with such a `call`
                (`OutcomeUnknown`, `UnexpectedResponse`, or `EnvironmentMismatch` after an answer).
            deadline_s: Seconds for the whole search, above 0; None for the verifier's `deadline_s`.

        Returns:
            `FOUND` with the result, checked like a result of `verify`; `NOT_YET` if the call is not
            in the records; `CANNOT_KNOW` if the records cannot show whether it was executed.

        Raises:
            InvalidRequest: the call was certainly not charged, or another backend made it.
            VendorError: the records could not be read. Not charged.
        """
        return self._runner.reconcile(call, self._runner.deadline_after(deadline_s))

    def close(self) -> None:
        """Close the backend, the policies and the log. May be called more than once."""
        self._runner.is_closed = True
        self.backend.close()
        for policy in self.policies:
            policy.close()
        close_log(self._runner)

    def __repr__(self) -> str:
        # An object whose `__init__` failed has no backend.
        return f"FaceVerifier({getattr(getattr(self, 'backend', None), 'name', None)})"


def check_log(log: object, members: Iterable[Verifier] = ()) -> CallLog | None:
    """Return a verifier's log, or None; raise `ConfigurationError` if it is invalid.

    It is invalid if it is no `CallLog`, or if a verifier below has it, too.

    Args:
        log: The argument `log` of a verifier.
        members: The verifiers that make its calls. With the same log, each call would be in it
            twice.
    """
    if log is None:
        return None
    if not isinstance(log, CallLog):
        raise errors.ConfigurationError(f"log must be a CallLog, not {type(log).__name__}.")
    for member in members:
        if log in [runner.log for runner in all_runners(member.runner)]:
            raise errors.ConfigurationError(
                "A verifier and one of its members have the same log, so that each call would be "
                "in it twice: pass the log to the outer verifier only."
            )
    return log


def close_log(runner: Runner) -> None:
    """Close a verifier's log, if it has one. Other verifiers of the log reconnect when needed."""
    if runner.log is not None:
        runner.log.close()


_POLICIES: Final = (
    "policies is a list, each of type Policy, such as [Budget(...)]; a Retry is passed as retry=."
)


def _check_policies(policies: object) -> tuple[Policy, ...]:
    """Return policies as a tuple; raise `ConfigurationError` unless each is a `Policy`."""
    if not isinstance(policies, Iterable):  # for example a policy that is in no list
        raise errors.ConfigurationError(_POLICIES)
    all_policies = tuple(policies)
    if not all(isinstance(policy, Policy) for policy in all_policies):
        raise errors.ConfigurationError(_POLICIES)
    return all_policies


#: Our names for options that other libraries name differently.
_FOREIGN_NAMES = {"timeout": "deadline_s", "deadline": "deadline_s", "min_score": "threshold"}


#: Minimum similarity, 0-1, for suggesting an option. deepface's `enforce_detection` is less similar
#: to `retention`.
_SUGGESTED_SIMILARITY: Final = 0.7


def _describe_unknown(method: str, arguments: Mapping[str, Any]) -> str:
    """Return the error text for the first unknown option, with a suggestion."""
    known = MatchOptions.__optional_keys__
    if method == "verify_many":
        known |= {"max_workers", "stop_on"}
    unknown = min(arguments.keys() - known)
    if unknown in _FOREIGN_NAMES:
        return f"{method}() has no option {unknown!r}: use {_FOREIGN_NAMES[unknown]}."
    hint = suggest_name(unknown, known, min_similarity=_SUGGESTED_SIMILARITY)
    return f"{method}() has no option {unknown!r}: {hint}"


def no_pairs(pairs: object) -> InvalidRequest:
    """Return the error for an argument `pairs` that cannot be iterated over."""
    return InvalidRequest(f"pairs must be an iterable, not {type(pairs).__name__}.")


class PairRun:
    """The state shared by the threads of a `verify_many` run.

    Args:
        verify: Compares one pair.
        runner: The verifier's runner, which checks the options.
        max_workers, stop_on, options: See `Verifier.verify_many`.

    Raises:
        InvalidRequest, Unsupported, ConfigurationError: every pair would raise this error.
    """

    def __init__(
        self,
        verify: Callable[..., MatchResult],
        runner: Runner,
        max_workers: int,
        stop_on: tuple[type[FaceMatchError], ...],
        options: Mapping[str, Any],
    ) -> None:
        """Raise what every pair would raise, before any is sent."""
        if type(max_workers) is not int or not 1 <= max_workers <= MAX_WORKERS:
            raise InvalidRequest(f"max_workers must be a whole number from 1 to {MAX_WORKERS}.")
        stopping_errors: Any = stop_on
        if not isinstance(stopping_errors, tuple):
            stopping_errors = (stopping_errors,)
        for cls in stopping_errors:
            if not isinstance(cls, type) or not issubclass(cls, FaceMatchError):
                raise InvalidRequest("stop_on must be a tuple of error classes of facematch.")
        if options.keys() - MatchOptions.__optional_keys__:
            raise InvalidRequest(_describe_unknown("verify_many", options))
        runner.check_call([], _new_options(runner, Operation.MATCH, options))
        self._verify = verify
        self._stop_on = stopping_errors
        self._options = options
        self.max_workers = max_workers
        #: Whether no further pair may start.
        self.is_stopped = False
        #: Exceptions from `pairs` or a plug-in, raised once all started calls have been yielded.
        self.failures: list[BaseException] = []

    def verify_pair(self, index: int, pair: object) -> PairOutcome | None:
        """Compare a pair; return None if the run is stopped or an unexpected exception stops it.

        Args:
            index: The position of the pair in the input, from 0.
            pair: A pair as the caller passed it.
        """
        if self.is_stopped:
            return None
        key = None
        try:
            probe, reference, key = _split_pair(pair)
        except InvalidRequest as error:
            # One malformed row among thousands does not end the run.
            return PairOutcome(index=index, error=error.with_traceback(None))
        try:
            # Also where `verify` would take it.
            refuse_s3(probe)
            refuse_s3(reference)
            result = self._verify(probe, reference, **self._options)
        except FaceMatchError as error:
            # Remove tracebacks, which would keep the pictures alive as long as the outcome.
            error.__cause__ = error.__context__ = None
            if isinstance(error, self._stop_on):
                self.is_stopped = True
            return PairOutcome(index=index, key=key, error=error.with_traceback(None))
        except Exception as error:  # noqa: BLE001 - raised later, after the paid calls
            self.stop_with(error)
            return None
        return PairOutcome(index=index, key=key, result=result)

    def stop_with(self, failure: Exception) -> None:
        """Start no further pair; raise `failure` once all started calls have been yielded."""
        self.failures.append(failure)
        self.is_stopped = True


def _split_pair(pair: object) -> tuple[Any, Any, Hashable | None]:
    """Return the probe, the reference and the key of a pair; a pair of two has the key None."""
    match pair:
        case (probe, reference):
            return probe, reference, None
        case (probe, reference, key):
            return probe, reference, key
    given = type(pair).__name__
    if isinstance(pair, (tuple, list)):
        given = f"{len(pair)} values"
    raise InvalidRequest(
        f"A pair must be (probe, reference) or (probe, reference, key), not {given}."
    )


def log_lost_outcomes(calls: Iterable[Future[PairOutcome | None]]) -> str | None:
    """Log, in one line, the outcomes of calls that nobody will see; return the line, if any."""
    texts: list[str] = []
    running_calls = 0
    for call in calls:
        if call.running():
            running_calls += 1
        elif call.done() and not call.cancelled() and call.exception() is None:
            outcome = call.result()
            if outcome is not None:
                texts.append(_describe_outcome(outcome))
    if running_calls:
        texts.append(f"calls that still run, and may be charged: {running_calls}")
    if not texts:
        return None
    line = f"verify_many was interrupted; outcomes that it did not return: {'; '.join(texts)}."
    logger.warning(line)
    return line


def _describe_outcome(outcome: PairOutcome) -> str:
    """Describe an outcome without its key, which may be a person's name."""
    answer: Any = outcome.error if outcome.result is None else outcome.result
    ended = type(answer).__name__ if outcome.decision is None else outcome.decision
    call = f", call {answer.ids.call}" if isinstance(answer, (MatchResult, VendorError)) else ""
    return f"pair {outcome.index}: {ended}, charged {answer.billing.charged}{call}"


class NoPairNow(Exception):
    """No pair can be read: at the end of the pairs, after a failure, or before a call has ended."""


@methods_clear_frames
class PairOutcomes(Iterator[PairOutcome]):
    """The iterator that `Verifier.verify_many` returns. A context manager."""

    def __init__(self, run: PairRun, pairs: Iterator[Any]) -> None:
        """Prepare the threads; no pair is read before the first outcome is asked for."""
        self._run = run
        self._pairs = pairs
        #: The position in the input of the next pair to start.
        self._next_index = 0
        #: The thread pool. Its threads end when it is garbage collected.
        self._pool = ThreadPoolExecutor(run.max_workers, thread_name_prefix="facematch")
        #: The started calls whose outcomes have not been yielded, in the order of the input. The
        #: result is None if a pair has no outcome.
        self._calls = collections.deque[Future[PairOutcome | None]]()

    def __next__(self) -> PairOutcome:
        """Return the next outcome, in the order of the pairs.

        After the last one, raise what reading the pairs or a plug-in has raised, else
        StopIteration. If interrupted, no further pair is started.
        """
        try:
            while True:
                self._start_pairs()
                if not self._calls:
                    break
                # It stays among the calls while it runs, for `started_calls`.
                outcome = self._calls[0].result()
                if self._calls:  # else `close` was called in another thread
                    self._calls.popleft()
                if outcome is not None:
                    return outcome
        except BaseException as interruption:  # for example Ctrl-C
            self._end_interrupted(interruption)
            raise
        self.close()
        if self._run.failures:
            failure = self._run.failures[0]
            self._run.failures = []
            raise failure
        raise StopIteration

    def _start_pairs(self) -> None:
        """Start pairs while workers need some, and the first outcome is not ready."""
        calls = self._calls
        while len(calls) < 2 * self._run.max_workers and not self._run.is_stopped:
            if calls and calls[0].done():
                return  # yield its outcome before reading another pair, which may take long
            try:
                pair = self._read_pair()
            except NoPairNow:
                return
            self._begin(self._next_index, pair)
            self._next_index += 1

    def _begin(self, index: int, pair: object) -> None:
        """Submit a pair to the pool, with the caller's context variables."""
        future: Future[PairOutcome | None] = Future()
        verify_pair = functools.partial(self._run.verify_pair, index, pair)
        # Before it is submitted: an interruption right after that would miss a call that is sent.
        self._calls.append(future)
        try:
            self._pool.submit(contextvars.copy_context().run, fulfil, future, verify_pair)
        except RuntimeError as error:
            # No thread could be started, but the pool has already queued the pair. If another of
            # its threads is running the pair, the future cannot be cancelled.
            if future.cancel():
                with contextlib.suppress(ValueError):  # `close` was called in another thread
                    self._calls.remove(future)
                self._run.stop_with(error)

    def _end_interrupted(self, interruption: BaseException) -> None:
        """Close, and tell which outcomes nobody will see; at a second Ctrl-C without a wait."""
        calls = self.started_calls
        try:
            self.close()
        except BaseException as second:
            interruption = second
            raise
        finally:
            lost = log_lost_outcomes(calls)
            if lost is not None:
                interruption.add_note(lost)

    @property
    def started_calls(self) -> tuple[Future[PairOutcome | None], ...]:
        """The calls whose outcomes have not been returned, in the order of the input."""
        return tuple(self._calls)

    def close(self) -> None:
        """Cancel calls that have not started; wait for the others. May be called more than once."""
        self._cancel()
        # Wait for running calls, because they may be charged.
        self._pool.shutdown(wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # This must not wait or acquire a lock: it may be garbage-collected while any lock is held.
        self._cancel()

    def _cancel(self) -> None:
        self._run.is_stopped = True  # queued calls return immediately
        self._calls.clear()

    def _read_pair(self) -> Any:
        """Return the next pair; raise `NoPairNow` at the end, or if the input fails."""
        try:
            return next(self._pairs)
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001 - raised after the started calls are yielded
            self._run.failures.append(error)
            self._pairs = iter(())
        raise NoPairNow
