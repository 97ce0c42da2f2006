"""Many pairs through one function, in order and in bounded memory."""

from __future__ import annotations

import collections
import inspect
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from ._enums import Decision
from ._results import MatchResult
from .errors import FaceMatchError, InvalidRequest

if TYPE_CHECKING:
    from concurrent.futures import Future

#: More threads than this never help: the vendor's rate or this machine's cores end first.
MAX_WORKERS = 256


@attrs.frozen(kw_only=True)
class PairOutcome:
    """What became of one pair: a result or an error, never both.

    Ask ``outcome.error is None``; a result has no truth value.

    Attributes:
        index: Position in the input, from 0.
        key: The caller's own key of the pair; None if it gave none.
        result: The comparison, or None.
        error: What kept us from one, or None.
    """

    index: int
    key: Hashable | None = None
    result: MatchResult | None = None
    error: FaceMatchError | None = None

    @property
    def decision(self) -> Decision | None:
        """The decision of the result; None for an error."""
        # `self.result and ...` would ask the result for a truth value, which it has not.
        return None if self.result is None else self.result.decision


Verify = Callable[..., MatchResult]


def run_pairs(
    verify: Verify,
    pairs: Iterable[Any],
    *,
    max_workers: Any,
    stop_on: Any,
    **options: Any,
) -> Iterator[PairOutcome]:
    """See `FaceVerifier.verify_many`. Checks its arguments now, not at the first outcome."""
    if type(max_workers) is not int or not 1 <= max_workers <= MAX_WORKERS:
        raise InvalidRequest(f"max_workers must be a whole number from 1 to {MAX_WORKERS}.")
    errors = stop_on if isinstance(stop_on, tuple) else (stop_on,)
    if not all(isinstance(cls, type) and issubclass(cls, FaceMatchError) for cls in errors):
        raise InvalidRequest("stop_on must be a tuple of error classes of facematch.")
    unknown = sorted(set(options) - set(inspect.signature(verify).parameters))
    if unknown:
        raise InvalidRequest(f"verify has no option {unknown[0]}.")
    try:
        source = iter(pairs)
    except TypeError:
        raise InvalidRequest(
            f"pairs must be something to iterate over, not {type(pairs).__name__}."
        ) from None
    return _Run(verify, _Source(source), max_workers, errors, options).outcomes()


class _Source:
    """The caller's pairs, numbered. A failure of theirs is kept until what is paid was yielded."""

    def __init__(self, pairs: Iterator[Any]) -> None:
        self._numbered = enumerate(pairs)
        self.failure: Exception | None = None

    def next(self) -> tuple[int, Any] | None:
        """The next pair, or None when there is none."""
        try:
            return next(self._numbered, None)
        except Exception as error:  # noqa: BLE001 - raised by the caller of this class, later
            self.failure = error
            self._numbered = enumerate(())
            return None


class _Run:
    """One run: what is under way, and whether to start more."""

    def __init__(
        self,
        verify: Verify,
        source: _Source,
        max_workers: int,
        stop_on: tuple[type[FaceMatchError], ...],
        options: dict[str, Any],
    ) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._verify, self._options = verify, options
        self._source, self._stop_on = source, stop_on
        self._ahead = 2 * max_workers
        self._pool = ThreadPoolExecutor(max_workers, thread_name_prefix="facematch")
        self._waiting: collections.deque[Future[PairOutcome | None]] = collections.deque()
        self._stop = threading.Event()
        self._failures: list[Exception] = []

    def outcomes(self) -> Iterator[PairOutcome]:
        """The outcomes in order; then whatever the source or a plug-in failed with is raised."""
        try:
            while True:
                while self._room() and (item := self._source.next()):
                    self._waiting.append(self._pool.submit(self._one, *item))
                if not self._waiting:
                    break
                outcome = self._waiting.popleft().result()
                if outcome is not None:
                    yield outcome
        finally:
            self._stop.set()
            # What runs may be paid for: it is waited for, never abandoned half way.
            self._pool.shutdown(wait=True, cancel_futures=True)
        for failure in (*self._failures, self._source.failure):
            if failure is not None:
                raise failure

    def _room(self) -> bool:
        # A finished head is handed out before anything more is read or started.
        finished = bool(self._waiting) and self._waiting[0].done()
        return len(self._waiting) < self._ahead and not self._stop.is_set() and not finished

    def _one(self, index: int, pair: Any) -> PairOutcome | None:
        """The outcome of one pair; None if it was not begun or failed without a name."""
        if self._stop.is_set():
            return None
        try:
            outcome = _outcome(self._verify, index, pair, self._options)
        except Exception as error:  # noqa: BLE001 - raised above, after what is paid for
            self._failures.append(error)
            self._stop.set()
            return None
        if isinstance(outcome.error, self._stop_on):
            self._stop.set()
        return outcome


def _outcome(verify: Verify, index: int, pair: Any, options: dict[str, Any]) -> PairOutcome:
    key = None
    try:
        match pair:
            case (probe, reference):
                pass
            case (probe, reference, key):
                pass
            case _:
                raise InvalidRequest(
                    "A pair must be (probe, reference) or (probe, reference, key), "
                    f"not {type(pair).__name__}."
                )
        return PairOutcome(index=index, key=key, result=verify(probe, reference, **options))
    except FaceMatchError as error:
        # The frames below hold the pictures, and so do those of its causes; an outcome lives long.
        error.__cause__ = error.__context__ = None
        return PairOutcome(index=index, key=key, error=error.with_traceback(None))
