"""What can be asked of a verifier, whether one backend answers or the first that can of several."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, Self, cast

from . import _rules
from ._asked import Asked, Picture
from ._enums import Operation, Retention
from ._images import Image
from ._many import PairOutcome, run_pairs
from ._reconcile import Attempt, Reconciliation
from ._results import LiveMatchResult, LivenessResult, MatchResult
from ._single import SinglePictureCalls
from .errors import FATAL, ConfigurationError, EnvironmentMismatch, FaceMatchError, VendorError


class Verifier(SinglePictureCalls):
    """What `FaceVerifier` and `Failover` have in common, and what `open_verifier` opens.

    A program that works with both takes a `Verifier`. Thresholds are the one difference: a
    `FaceVerifier` takes one number, a `Failover` a number per member. `max_fmr` is one number for
    both, where every backend is calibrated.
    """

    _closed = False

    @abc.abstractmethod
    def verify(
        self,
        probe: Picture,
        reference: Picture,
        *,
        threshold: float | None = None,
        review_threshold: float | None = None,
        max_fmr: float | None = None,
        rotate: bool = False,
        retention: Retention = Retention.MINIMAL,
        caller_ref: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> MatchResult:
        """Compare two faces; see `FaceVerifier.verify`."""

    @abc.abstractmethod
    def verify_live(
        self,
        probe: Picture,
        reference: Picture,
        *,
        threshold: float | None = None,
        review_threshold: float | None = None,
        max_fmr: float | None = None,
        liveness_threshold: float | None = None,
        liveness_review_threshold: float | None = None,
        rotate: bool = False,
        retention: Retention = Retention.MINIMAL,
        caller_ref: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> LiveMatchResult:
        """Check the probe for a live face, then compare it; see `FaceVerifier.verify_live`."""

    def verify_many(
        self,
        pairs: Iterable[Any],
        *,
        max_workers: int = 4,
        stop_on: tuple[type[FaceMatchError], ...] = FATAL,
        **options: Any,
    ) -> Iterator[PairOutcome]:
        """Compare many pairs, in bounded memory, and yield the outcomes in order.

        Args:
            pairs: Any iterable, also an endless generator, of ``(probe, reference)`` or
                ``(probe, reference, key)``; it is read only a little ahead of what is yielded.
            max_workers: Calls at a time, 1-256.
            stop_on: Errors that end the run: no further pair is started, those that were started
                are finished and yielded. By default what would fail for every pair: key, credit,
                budget, configuration.
            **options: Those of `verify`, for every pair.

        Yields:
            One `PairOutcome` per started pair, in the order of `pairs`; an error is an outcome.

        When the caller stops early (``break``, ``close()``), what has not started is cancelled and
        what has is waited for; those results, which may be paid for, reach only the event hook.
        `pairs` is read in the caller's thread and must not wait for an outcome.

        Raises:
            InvalidRequest: an argument is wrong. It is checked now, not at the first outcome.
        """
        return run_pairs(self.verify, pairs, max_workers=max_workers, stop_on=stop_on, **options)

    @abc.abstractmethod
    def reconcile(
        self,
        attempt: Attempt | VendorError | EnvironmentMismatch,
        *,
        deadline_s: float | None = None,
    ) -> Reconciliation:
        """Look for a call in the vendor's records; see `FaceVerifier.reconcile`."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give back what is held. May be called more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} is not pickled: open one in each process.")

    @abc.abstractmethod
    def _refuse(self, operation: Operation, images: list[Image], asked: Asked) -> list[Image]:
        """Raise what `_make` would raise before it sends anything; else the pictures to use."""

    @abc.abstractmethod
    def _now(self) -> float:
        """Seconds on the clock that deadlines are counted on."""

    def _live_match(
        self, images: list[Image], of_liveness: Asked, of_match: Asked
    ) -> LiveMatchResult:
        """Both calls of `verify_live`."""
        started = self._now()
        # Whatever could refuse the second call is asked before the first one is paid.
        images = self._refuse(Operation.MATCH, images, of_match)
        answer = self._make(Operation.LIVENESS, images[:1], of_liveness, since=started)
        liveness = cast(LivenessResult, answer)
        if _rules.ends_early(liveness):
            return _rules.together(liveness, None)
        try:
            match = cast(MatchResult, self._make(Operation.MATCH, images, of_match, since=started))
        except FaceMatchError as error:
            error.liveness = liveness
            raise
        return _rules.together(liveness, match)

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigurationError("This verifier is closed: open a new one.")
