"""One contender's part of a run: pairs claimed, asked, and written down, until all are."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from facematch_core._basics import Clock
from facematch_core.comparison.study import Study
from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    ConfigurationError,
    FaceMatchError,
    OutcomeUnknown,
    VendorUnavailable,
)
from facematch_core.images import Image
from facematch_core.models import Charged

from ._contender import Contender
from ._hook import HeldBack
from ._origin import Origin
from ._outcomes import of_error, of_result
from ._records import Claim, Outcome, PairState, StoredContender
from ._settling import hear_budgets, reconcile_left, take_back, tell_budgets

if TYPE_CHECKING:
    from ._journal import Journal

log = logging.getLogger("facematch")

T = TypeVar("T")

#: Called with the contender's name and the state, in any thread, when a pair has come to an end.
Progress: TypeAlias = Callable[[str, PairState], None]

#: After so many calls in a row without an answer a contender is left alone: it is down, or each of
#: them may cost money.
MOST_FAILURES: Final = 20

#: Waits, in seconds, before what a call ended in is written once more: it may be paid for.
_AGAIN_S: Final = (0.5, 2.0, 8.0)

#: The longest that a breaker is waited for at a time, in seconds.
_LONGEST_S: Final = 60.0


class Turn:
    """What the threads of one contender share.

    Args:
        contender: Whom to ask.
        stored: The same, in the journal.
        study: The pairs.
        digests: SHA-256 of each picture when the run began.
        journal: Where it is written down.
        stop: Whether to begin nothing more.
        progress: Told of each pair.
        clock: Time.

    Attributes:
        asked: How many pairs came to an end in this run.
        error: What ended it before all pairs were asked; None if nothing did.
    """

    def __init__(
        self,
        contender: Contender,
        stored: StoredContender,
        *,
        study: Study,
        digests: Mapping[Path, str],
        journal: Journal,
        stop: Callable[[], bool],
        progress: Progress,
        clock: Clock,
    ) -> None:
        self.contender, self.stored, self.study = contender, stored, study
        self._digests, self.journal = digests, journal
        self._stop, self._progress, self._clock = stop, progress, clock
        self._origin = Origin(journal, stored)
        self._lock = threading.Lock()
        self._first = 0
        self._in_a_row = 0
        self.asked = 0
        self.error: FaceMatchError | None = None

    @property
    def is_over(self) -> bool:
        """Whether to begin nothing more."""
        return self.error is not None or self._stop()

    def end_with(self, error: FaceMatchError) -> None:
        """Begin nothing more; the first reason is the one that is told."""
        error.__cause__ = error.__context__ = None
        with self._lock:
            # Its frames hold pictures.
            self.error = self.error or error.with_traceback(None)

    # Before and after

    def look_back(self) -> None:
        """Settle what can be of calls without an answer: by budgets, then by vendors' records."""
        hear_budgets(self.journal, self.stored, self.contender.budgets)
        contender = self.contender
        reconcile_left(
            self.journal,
            self.stored,
            contender.verifier,
            contender.budgets,
            self._clock.now(),
            only_due=True,
        )

    def recover(self) -> int:
        """Take back what processes that are gone had claimed; how many pairs are free again."""
        return take_back(self.journal, self.stored, self.contender.budgets, self._clock.now())

    # One pair

    def claim(self, count: int) -> list[Claim]:
        """Take up to `count` free pairs; none if there is none left."""
        for first in dict.fromkeys((self._first, 0)):
            claims = self.journal.claim(self.stored.number, count, first=first)
            if claims:
                # A hint for the next search: what is free again before it is found at the end.
                self._first = claims[-1].pair + 1
                return claims
        return []

    def ask(self, claim: Claim) -> Outcome | None:
        """One pair, asked once; None if it was not asked, and is given back."""
        contender, pair = self.contender, self.study.pairs[claim.pair]
        about = contender.hook.about(claim) if contender.is_careful else contextlib.nullcontext()
        options: dict[str, Any] = {"retention": contender.retention}
        if contender.sends_reference:
            options["caller_ref"] = self.stored.reference(claim.pair)
        try:
            probe, reference = self.picture(pair.probe), self.picture(pair.reference)
            with about:
                result = contender.verifier.verify(probe, reference, **options)
        except FaceMatchError as error:
            return self._failed(error)
        except HeldBack as held:
            self._held_back(claim, held)
            return None
        self._in_a_row = 0
        return of_result(result, elapsed_s=result.elapsed_s)

    def picture(self, path: Path) -> Image:
        """A picture of the study.

        Raises:
            InvalidImage: it cannot be used.
            ConfigurationError: it is not there any more, or another one.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            why = f"cannot be read any more ({error.strerror or type(error).__name__})"
        else:
            if hashlib.sha256(data).hexdigest() == self._digests[path]:
                return Image.from_bytes(data)
            why = "is another one than when the study began"
        raise ConfigurationError(f"The picture {path} {why}: nothing was sent of it.")

    def finish(
        self,
        claims: Sequence[Claim],
        outcomes: Sequence[tuple[Claim, Outcome]],
        begun: Container[Claim],
    ) -> None:
        """Write down what pairs ended in, and do nothing more with any of these claims.

        Those that were not begun are free again.
        """
        try:
            self.write(outcomes)
        finally:
            try:
                with contextlib.suppress(FaceMatchError):
                    self.journal.release(claim for claim in claims if claim not in begun)
            finally:
                self.journal.let_go(claims)

    def write(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
        """Write down what pairs ended in, and tell it."""
        kept = [(claim, self._fitting(outcome)) for claim, outcome in outcomes]
        if not kept:
            return
        noted = self._persistently(lambda: self.journal.end(kept))
        for (claim, outcome), is_noted in zip(kept, noted or [True] * len(kept), strict=True):
            if not is_noted and outcome.billed is not Charged.NO:
                log.error(
                    "Pair %d of %s ended as %s, but was settled before: what came of it is lost.",
                    claim.pair + 1,
                    self.stored.name,
                    outcome.state,
                )
            if outcome.state is PairState.FREE:
                continue
            with self._lock:
                self.asked += 1
            self._progress(self.stored.name, outcome.state)

    def _fitting(self, outcome: Outcome) -> Outcome:
        """What is kept of an outcome, as far as the journal can say which answers fit."""
        checked = self._persistently(lambda: self._origin.checked(outcome))
        if checked is None:
            return outcome
        fitting, error = checked
        if error is not None:
            self.end_with(error)
        return fitting

    def _failed(self, error: FaceMatchError) -> Outcome:
        outcome = of_error(error, has_answered=self._origin.is_known)
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

    def _held_back(self, claim: Claim, held: HeldBack) -> None:
        if held.error is not None:
            self.end_with(held.error)
        # If the budgets cannot be told, the pair stays claimed: the next search tells them.
        with contextlib.suppress(FaceMatchError):
            # The gates were told that a byte may have left; it has not.
            not_sent, now = [held.attempt_id], self._clock.now()
            tell_budgets(self.contender.budgets, not_sent, Charged.NO, now)
            self.journal.release([claim], held_back=True)

    def _persistently(self, step: Callable[[], T]) -> T | None:
        """What a step of the journal gives; None if it failed each time, which ends the turn."""
        failure: FaceMatchError
        for wait_s in (*_AGAIN_S, None):
            try:
                return step()
            except ConfigurationError as error:
                failure = error
            if wait_s is not None:
                self._clock.sleep(wait_s)
        self.end_with(failure)
        return None

    def _wait(self, seconds: float) -> None:
        """Wait, but not when the run is to end."""
        until = self._clock.monotonic() + min(seconds, _LONGEST_S)
        while not self.is_over and (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, 0.2))


def _too_many(name: str, many: int, error: FaceMatchError) -> FaceMatchError:
    unknown = isinstance(error, OutcomeUnknown)
    kind = OutcomeUnknown if unknown else VendorUnavailable
    return kind(
        f"{name} gave no answer to {many} calls in a row, and is not asked any further. The last "
        f"one: {error.message} Start again later: what was not charged is asked again.",
        backend=getattr(error, "backend", None),
        retryable=False,
    )
