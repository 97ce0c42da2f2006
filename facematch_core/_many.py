"""Many pairs through one function, in order and in bounded memory."""

from __future__ import annotations

import collections
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
    max_workers: int,
    stop_on: tuple[type[FaceMatchError], ...],
    **options: Any,
) -> Iterator[PairOutcome]:
    """See `FaceVerifier.verify_many`. Checks its arguments now, not at the first outcome."""
    if type(max_workers) is not int or not 1 <= max_workers <= MAX_WORKERS:
        raise InvalidRequest(f"max_workers must be a whole number from 1 to {MAX_WORKERS}.")
    return _run(verify, iter(pairs), max_workers, stop_on, options)


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


def _run(
    verify: Verify,
    pairs: Iterator[Any],
    max_workers: int,
    stop_on: tuple[type[FaceMatchError], ...],
    options: dict[str, Any],
) -> Iterator[PairOutcome]:
    from concurrent.futures import ThreadPoolExecutor

    source = _Source(pairs)
    stop = threading.Event()
    waiting: collections.deque[Future[PairOutcome | None]] = collections.deque()

    def one(index: int, pair: Any) -> PairOutcome | None:
        if stop.is_set():
            return None
        outcome = _outcome(verify, index, pair, options)
        if isinstance(outcome.error, stop_on):
            stop.set()
        return outcome

    pool = ThreadPoolExecutor(max_workers, thread_name_prefix="facematch")
    try:
        while True:
            while len(waiting) < 2 * max_workers and not stop.is_set() and (item := source.next()):
                waiting.append(pool.submit(one, *item))
            if not waiting:
                break
            outcome = waiting.popleft().result()
            if outcome is not None:
                yield outcome
    finally:
        stop.set()
        # What runs may be paid for: it is waited for, never abandoned half way.
        pool.shutdown(wait=True, cancel_futures=True)
    if source.failure is not None:
        raise source.failure


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
        # The frames below hold the pictures; an outcome may live long.
        return PairOutcome(index=index, key=key, error=error.with_traceback(None))
