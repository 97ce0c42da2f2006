"""`Failover`: a verifier that tries several members in order."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from facematch_core import errors
from facematch_core.backend.kinds import nearest
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidRequest, VendorError
from facematch_core.images.image import Image
from facematch_core.models import (
    Answer,
    CallRecord,
    Charged,
    Operation,
    Reconciled,
    Reconciliation,
    Route,
    Skipped,
    Threshold,
)
from facematch_core.resilience.circuit_breaker import CircuitBreaker, is_outage

from .policy import CallOptions, check_deadline_s
from .verifier import FaceVerifier, Verifier

log = logging.getLogger("facematch")

#: Errors after which the next member is tried: an outage (or an open breaker), a rate limit, no
#: credit. An exceeded budget ends the call, so that no other vendor is paid instead. So do a bad
#: key and a rejected request: a failover would hide the mistake.
_NEXT_MEMBER = (errors.VendorUnavailable, errors.RateLimited, errors.InsufficientCredit)

#: Errors that stop a failover until somebody fixes a member's key.
_ABOUT_KEY = (errors.AuthenticationFailed, errors.PermissionDenied)

#: Errors of a member that cannot take this call; nothing was sent.
_UNABLE = (errors.InvalidImage, errors.Unsupported)

#: Seconds that a member gets to search after the deadline, so that it raises the error itself.
_MOMENT_S = 1e-3


class Failover(Verifier[Mapping[str, float | Threshold]]):
    """Try members in order until one answers; no call is paid twice.

    The next member is tried after an outage (or an open breaker), a rate limit, or no credit, and
    only if nothing was charged. A result ends the call, whatever its decision: a `NO_MATCH` is
    never retried elsewhere. `OutcomeUnknown`, a rejected request, a bad key, an exceeded budget, an
    unavailable budget store and configuration errors also end the call, and are raised.

    A member that does not support the call (the picture's format or size, an option, the
    operation) is skipped before anything is sent. A member whose last five calls failed is skipped
    for 30 seconds; then one call probes it (failures count as in `CircuitBreaker`). A result's
    `route` lists who answered and who was skipped; an error's `route`, every member tried. If no
    member answers, the last retryable error is raised, else the last `VendorError`, else the first.

    Thresholds are per member, because scales differ: the member's profile sets them, or
    ``threshold={"shop": 60}`` for one call. Members not named keep their own. Members of other
    vendors are skipped if a call sets a vendor's `options`. All other options go to every member.
    Each member has its own policies and retry, and emits its own events, with its own call id.

    `deadline_s` covers all members together. Each member but the last must send its first byte
    within an equal share of the time left, so that a connect timeout leaves time for the next
    member. Without it, each member's own deadline starts when the member is called.

    Thread-safe. Open it after a fork, not before. A context manager.

    Args:
        members: Verifiers by name, in the order to try them; or a list of verifiers, named after
            their backends. Closed together with the failover.
        deadline_s: Default deadline of a call in seconds, above 0; None for the members' own.
        clock: A clock, for tests.

    Raises:
        ConfigurationError: no members, a wrong member or deadline, or two members of one name.
    """

    def __init__(
        self,
        members: Mapping[str, FaceVerifier] | Iterable[FaceVerifier],
        *,
        deadline_s: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        value: Any = members
        if isinstance(value, Mapping):
            pairs = list(value.items())
        else:
            pairs = [(v.backend.name if isinstance(v, FaceVerifier) else "?", v) for v in value]
        if not pairs:
            raise ConfigurationError("A failover needs at least one member.")
        for name, verifier in pairs:
            if not isinstance(verifier, FaceVerifier):
                raise ConfigurationError(
                    f"Member {str(name)[:60]!r} of a failover must be a FaceVerifier, not "
                    f"{type(verifier).__name__}: failovers cannot be nested."
                )
        self._members: dict[str, FaceVerifier] = dict(pairs)
        if len(self._members) < len(pairs):
            raise ConfigurationError(
                "Two members of a failover use the same backend: name them, as in "
                'Failover({"shop": ..., "backup": ...}).'
            )
        self._deadline_s = check_deadline_s(deadline_s, ConfigurationError)
        self._clock = clock or SystemClock()
        self._breakers = {name: CircuitBreaker(clock=self._clock) for name in self._members}

    @property
    def deadline_s(self) -> float | None:
        """Default deadline for all members together, in seconds above 0; None for their own."""
        return self._deadline_s

    @property
    def members(self) -> Mapping[str, FaceVerifier]:
        """The members by name, in order."""
        return MappingProxyType(self._members)

    def reconcile(
        self, call: CallRecord | VendorError, *, deadline_s: float | None = None
    ) -> Reconciliation:
        """Look for a call in the records of every member of the same vendor.

        A call record does not name the account, so members are searched until one has the call.
        `NOT_YET` means that all were searched and none has it.

        Arguments and errors: see `FaceVerifier.reconcile`. A member's error is raised only if no
        other member has the call.
        """
        self._check_open()
        backend = getattr(call, "backend", None)
        members = [*self._members.items()]
        same = [(name, member) for name, member in members if member.backend.name == backend]
        deadline = self._deadline(deadline_s)
        best: Reconciliation | None = None
        failure: VendorError | None = None
        # If no member uses the call's backend, calling the first member raises the error.
        for name, member in same or members[:1]:
            limit_s = max(deadline.left_s(), _MOMENT_S) if deadline.is_limited else None
            try:
                reconciliation = member.reconcile(call, deadline_s=limit_s)
            except VendorError as error:
                failure = error.with_traceback(None)
                continue
            if reconciliation.result is not None:
                answer = attrs.evolve(reconciliation.result, route=Route(answered_by=name))
                return attrs.evolve(reconciliation, result=answer)
            # CANNOT_KNOW outranks NOT_YET: that member may have made the call.
            if best is None or reconciliation.outcome is Reconciled.CANNOT_KNOW:
                best = reconciliation
        if failure is not None:
            raise failure
        assert best is not None  # noqa: S101 - there is a member, and it answered or failed
        return best

    def close(self) -> None:
        """Close every member. May be called more than once."""
        self._closed = True
        with contextlib.ExitStack() as stack:
            for member in self._members.values():
                stack.callback(member.close)

    def __repr__(self) -> str:
        return f"Failover({', '.join(self._members)})"

    def _call(self, images: list[Image], options: CallOptions) -> Answer:
        self._check_open()
        route_log = _RouteLog()
        for name, member, member_options in self._able(options, route_log):
            breaker, call = self._breakers[name], object()
            try:
                breaker.admit(call, name)
                answer = member._call(images, member_options)  # noqa: SLF001 - a verifier, too
            except FaceMatchError as error:
                breaker.learn(call, name, is_outage(error), error)
                route_log.add(name, error)
            except BaseException:  # for example Ctrl-C
                breaker.learn(call, name, None, None)
                raise
            else:
                breaker.learn(call, name, failed=False, error=None)
                route = Route(answered_by=name, skipped=route_log.skipped)
                return attrs.evolve(answer, route=route)
        raise route_log.failure()

    def _refuse(
        self, images: list[Image], options: CallOptions, *, after: tuple[Operation, ...] = ()
    ) -> list[Image]:
        self._check_open()
        route_log = _RouteLog()
        for name, member, member_options in self._able(options, route_log):
            try:
                member._refuse(images, member_options, after=after)  # noqa: SLF001 - a verifier, too
            except FaceMatchError as error:
                route_log.add(name, error)
            else:
                # Unchanged: each member prepares the pictures for its own vendor.
                return images
        raise route_log.failure()

    def _able(
        self, options: CallOptions, route_log: _RouteLog
    ) -> Iterator[tuple[str, FaceVerifier, CallOptions]]:
        """Yield the members that support these options, each with its thresholds and deadline."""
        thresholds = self._by_member(f"{options.prefix}threshold", options.threshold)
        reviews = self._by_member(f"{options.prefix}review_threshold", options.review_threshold)
        # Check all members first: a wrong last member shows before it is needed.
        options_by_member: dict[str, CallOptions] = {}
        refusals: dict[str, FaceMatchError] = {}
        for name, member in self._members.items():
            options_by_member[name] = attrs.evolve(
                options, threshold=thresholds.get(name), review_threshold=reviews.get(name)
            )
            try:
                member._refuse([], options_by_member[name])  # noqa: SLF001 - a verifier, too
            except _UNABLE as error:
                refusals[name] = error
        able_count = len(self._members) - len(refusals)
        for name, member in self._members.items():
            if name in refusals:
                route_log.add(name, refusals[name])
                continue
            deadline = options.deadline
            if not deadline.is_limited:
                deadline = member._deadline(None)  # noqa: SLF001 - a verifier, too
            elif route_log.is_begun and deadline.is_over:
                return
            elif able_count > 1:
                deadline = deadline.sending_within(deadline.left_s() / able_count)
            yield name, member, attrs.evolve(options_by_member[name], deadline=deadline)
            able_count -= 1

    def _by_member(self, option: str, thresholds: object) -> Mapping[str, Any]:
        """Return thresholds by member; empty if each member uses its own."""
        if thresholds is None:
            return {}
        if not isinstance(thresholds, Mapping):
            raise InvalidRequest(
                f"A failover takes no single {option}, because the scales of its members cannot be "
                "compared: set it in each member's profile, or give one number per member: "
                f"{option}={{{', '.join(f'{name!r}: …' for name in self._members)}}}."
            )
        for name in thresholds:
            if name not in self._members:
                raise InvalidRequest(
                    f"{option}: unknown member {str(name)[:60]!r}; "
                    f"{nearest(str(name), self._members)}"
                )
        return thresholds


@attrs.define
class _RouteLog:
    """The members that did not answer a call, in order."""

    skipped: tuple[Skipped, ...] = ()
    #: Whether any member was called.
    is_begun: bool = False
    #: The error to raise if no member answers.
    error: FaceMatchError | None = None

    def add(self, member: str, error: FaceMatchError) -> None:
        """Record a member's error; raise it if it ends the call."""
        reason = type(error).__name__
        self.skipped += (Skipped(backend=member, reason=reason, message=error.message),)
        is_unpaid = isinstance(error, VendorError) and error.billing.charged is Charged.NO
        if not isinstance(error, _UNABLE) and not (is_unpaid and isinstance(error, _NEXT_MEMBER)):
            if isinstance(error, _ABOUT_KEY):
                log.warning(
                    "The member %s refused its key (%s). No other member was asked.", member, reason
                )
            error.route = Route(skipped=self.skipped)
            raise error
        log.info("The member %s did not answer: %s.", member, reason)
        self.is_begun = self.is_begun or isinstance(error, VendorError)
        # The traceback's frames keep the pictures alive.
        error = error.with_traceback(None)
        # Keep the last retryable error, else the last vendor error, else the first error.
        weight = _weight(error)
        if self.error is None or (weight and weight >= _weight(self.error)):
            self.error = error

    def failure(self) -> FaceMatchError:
        assert self.error is not None  # noqa: S101 - a failover has a member
        self.error.route = Route(skipped=self.skipped)
        return self.error


def _weight(error: FaceMatchError) -> int:
    return 1 + error.retryable if isinstance(error, VendorError) else 0
