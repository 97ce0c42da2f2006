"""`Failover`: a verifier made of verifiers. What one cannot answer, the next one is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

import attrs

from ._age import AgeResult
from ._asked import Asked, Picture, deadline, taken
from ._clock import Clock, SystemClock
from ._enums import Operation, Retention
from ._failover._looking import look
from ._failover._members import Member, members_of, per_member
from ._failover._rules import CANNOT
from ._failover._told import Told
from ._images import Image
from ._interface import Verifier
from ._reconcile import Attempt, Reconciliation
from ._results import LiveMatchResult, LivenessResult, MatchResult
from ._rules import Answer
from ._verifier import FaceVerifier
from .errors import EnvironmentMismatch, FaceMatchError, VendorError

#: Thresholds by the name of the member.
PerMember = Mapping[str, float]


class Failover(Verifier):
    """Asks its members in order until one answers, by rules that cannot pay twice.

    The next member is asked after an outage (also an open breaker), throttling, or no credit, and
    only if nothing was charged. A result ends the call, whatever its decision: a `NO_MATCH` is
    never asked elsewhere. So do `OutcomeUnknown`, a rejected request, a bad key, a spent budget and
    every mistake in the configuration: they are raised.

    A member that cannot take the call (the picture's format or size, an option, the operation) is
    passed over before anything is sent to it. Results tell `answered_by` and `skipped`; errors tell
    `skipped`, with every member that was tried. If no member answers, the last error after which a
    repetition may help is raised, else the last one.

    Thresholds are per member, because two scales do not compare: those of its profile, or
    ``thresholds={"shop": 60}`` for one call. A false match rate does compare: ``max_fmr=1e-3`` is
    one number for all members, each of which has a calibration. Everything else of a call goes to
    each member as it is. `deadline_s` covers all members together. Each member has its own gates
    and retries, and tells its own events, with an attempt id per member.

    Safe to share between threads, and usable in a child process after a fork. A context manager.

    Args:
        members: Verifiers by name, in the order in which they are asked; or a list of verifiers,
            named after their backends. They are closed with it.
        clock: Time, for tests.

    Raises:
        ConfigurationError: no member, one that is no `FaceVerifier`, or one that stands twice.
    """

    def __init__(
        self,
        members: Mapping[str, FaceVerifier] | Iterable[FaceVerifier],
        *,
        clock: Clock | None = None,
    ) -> None:
        self._members = members_of(members)
        self._clock = clock or SystemClock()

    @property
    def members(self) -> Mapping[str, FaceVerifier]:
        """The members by name, in their order."""
        return MappingProxyType({member.name: member.verifier for member in self._members})

    def verify(
        self,
        probe: Picture,
        reference: Picture,
        *,
        thresholds: PerMember | None = None,
        review_thresholds: PerMember | None = None,
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
        """Compare two faces.

        Args:
            thresholds: Where a match begins, 0-100, by the name of the member, on its scale. A
                member that is not named has its own.
            review_thresholds: Likewise, up to where a match becomes `REVIEW`.
            threshold, review_threshold: Refused.
            max_fmr: Instead of `thresholds`: the highest false match rate, above 0, at most 1. Each
                member has its own threshold for it, by its own calibration; one without a
                calibration is a mistake.
            options: Of one vendor: other members are passed over.
            deadline_s: Seconds for all members together.

        The other arguments, and the errors, are those of `FaceVerifier.verify`.
        """
        images, wrong = taken(probe, reference)
        del probe, reference
        if wrong:
            raise wrong
        asked = Asked(
            threshold=self._each("threshold", threshold, thresholds),
            review_threshold=self._each("review_threshold", review_threshold, review_thresholds),
            max_fmr=max_fmr,
            rotate=rotate,
            retention=retention,
            caller_ref=caller_ref,
            metadata=metadata,
            options=options,
            deadline_s=deadline_s,
        )
        return cast(MatchResult, self._make(Operation.MATCH, images, asked))

    def check_liveness(
        self,
        probe: Picture,
        *,
        thresholds: PerMember | None = None,
        review_thresholds: PerMember | None = None,
        threshold: float | None = None,
        review_threshold: float | None = None,
        rotate: bool = False,
        retention: Retention = Retention.MINIMAL,
        caller_ref: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> LivenessResult:
        """Check one picture for a live face (passive liveness).

        Arguments and errors are those of `verify`, on the scales of the members' liveness scores.
        """
        found = taken(probe)
        del probe
        asked = Asked(
            threshold=self._each("threshold", threshold, thresholds),
            review_threshold=self._each("review_threshold", review_threshold, review_thresholds),
            rotate=rotate,
            retention=retention,
            caller_ref=caller_ref,
            metadata=metadata,
            options=options,
            deadline_s=deadline_s,
        )
        return cast(LivenessResult, self._of_one(Operation.LIVENESS, found, asked))

    def verify_live(
        self,
        probe: Picture,
        reference: Picture,
        *,
        thresholds: PerMember | None = None,
        review_thresholds: PerMember | None = None,
        liveness_thresholds: PerMember | None = None,
        liveness_review_thresholds: PerMember | None = None,
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
        """Check the probe for a live face and, unless that ends it, compare it with the reference.

        Each of the two calls finds its own member, so two vendors may be asked and paid; both parts
        of the result tell which. That some member can take the comparison is checked before the
        liveness check is paid.

        Args:
            max_fmr: For the comparison; liveness has thresholds alone.
            liveness_thresholds, liveness_review_thresholds: Like `thresholds` and
                `review_thresholds`, for the liveness scores.
            liveness_threshold, liveness_review_threshold: Refused.
            deadline_s: Seconds for both calls and all members together.

        The other arguments and the errors are those of `verify`; see `FaceVerifier.verify_live`.
        """
        images, wrong = taken(probe, reference)
        del probe, reference
        if wrong:
            raise wrong
        each = self._each
        of_match = Asked(
            threshold=each("threshold", threshold, thresholds),
            review_threshold=each("review_threshold", review_threshold, review_thresholds),
            max_fmr=max_fmr,
            rotate=rotate,
            retention=retention,
            caller_ref=caller_ref,
            metadata=metadata,
            options=options,
            deadline_s=deadline_s,
        )
        of_liveness = attrs.evolve(
            of_match,
            max_fmr=None,
            threshold=each("liveness_threshold", liveness_threshold, liveness_thresholds),
            review_threshold=each(
                "liveness_review_threshold", liveness_review_threshold, liveness_review_thresholds
            ),
        )
        return self._live_match(images, of_liveness, of_match)

    def estimate_age(
        self,
        probe: Picture,
        *,
        minimum_age: int | None = None,
        thresholds: PerMember | None = None,
        review_thresholds: PerMember | None = None,
        threshold: float | None = None,
        review_threshold: float | None = None,
        rotate: bool = False,
        retention: Retention = Retention.MINIMAL,
        caller_ref: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> AgeResult:
        """Estimate how old the person in one picture looks; see `FaceVerifier.estimate_age`.

        Args:
            minimum_age: One for all members: it is in years, which do compare.
            thresholds, review_thresholds: Those of liveness, by the name of the member.
            threshold, review_threshold: Refused.
        """
        found = taken(probe)
        del probe
        asked = Asked(
            minimum_age=minimum_age,
            threshold=self._each("threshold", threshold, thresholds),
            review_threshold=self._each("review_threshold", review_threshold, review_thresholds),
            rotate=rotate,
            retention=retention,
            caller_ref=caller_ref,
            metadata=metadata,
            options=options,
            deadline_s=deadline_s,
        )
        return cast(AgeResult, self._of_one(Operation.AGE, found, asked))

    def reconcile(
        self,
        attempt: Attempt | VendorError | EnvironmentMismatch,
        *,
        deadline_s: float | None = None,
    ) -> Reconciliation:
        """Look for a call in the records of every member that asks the attempt's vendor.

        An attempt does not say which account it was made with, so that all of them are looked into
        until one has it. `NOT_YET` only if none of them has it, and all could tell.

        Arguments and errors are those of `FaceVerifier.reconcile`. An error of one member is raised
        only if no other one has the call.
        """
        self._check_open()
        made_by = getattr(getattr(attempt, "attempt", None) or attempt, "backend", None)
        same = [member for member in self._members if member.verifier.backend.name == made_by]
        # If there is none, the first member says what is wrong.
        return look(same or self._members[:1], attempt, deadline_s=deadline_s, now=self._now)

    def close(self) -> None:
        """Close every member. May be called more than once."""
        self._closed = True
        with contextlib.ExitStack() as stack:
            for member in self._members:
                stack.callback(member.verifier.close)

    def __repr__(self) -> str:
        return f"Failover({', '.join(member.name for member in self._members)})"

    def _each(self, option: str, number: object, given: object) -> Mapping[str, Any] | None:
        return per_member(option, number, given, self._members)

    def _make(
        self, operation: Operation, images: list[Image], asked: Asked, since: float | None = None
    ) -> Answer:
        self._check_open()
        started, limit = self._now() if since is None else since, deadline(asked.deadline_s)
        told = Told()
        for member in self._able(operation, asked, told):
            elapsed = self._now() - started
            if told.asked and limit is not None and elapsed >= limit:
                break
            try:
                answer = member.make(operation, images, asked, elapsed)
            except FaceMatchError as error:
                told.add(member, error)
            else:
                return told.answered(member, answer)
        raise told.failure()

    def _refuse(self, operation: Operation, images: list[Image], asked: Asked) -> list[Image]:
        told = Told()
        for member in self._able(operation, asked, told):
            try:
                member.refuse(operation, images, asked)
            except FaceMatchError as error:
                told.add(member, error)
            else:
                # As they were given: each member prepares them for its own vendor.
                return images
        raise told.failure()

    def _able(self, operation: Operation, asked: Asked, told: Told) -> Iterator[Member]:
        """The members that can pass these options on; what the others say goes into `told`.

        All are checked before the first is asked: a mistake in the configuration of the last one
        would else come to light on the day on which it is needed.
        """
        self._each("threshold", _number(asked.threshold), None)
        self._each("review_threshold", _number(asked.review_threshold), None)
        refusals: list[FaceMatchError | None] = []
        for member in self._members:
            try:
                member.refuse(operation, [], asked)
            except CANNOT as error:
                refusals.append(error)
            else:
                refusals.append(None)
        for member, refusal in zip(self._members, refusals, strict=True):
            if refusal is None:
                yield member
            else:
                told.add(member, refusal)

    def _now(self) -> float:
        return self._clock.monotonic()


def _number(threshold: object) -> object:
    return None if isinstance(threshold, Mapping) else threshold
