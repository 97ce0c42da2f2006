"""`Failover`: a verifier that tries several members in order."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from facematch_core import errors
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.base.frames import methods_clear_frames
from facematch_core.call.verdict import CallOptions, check_deadline_s
from facematch_core.call_log import CallLog
from facematch_core.errors import ConfigurationError, FaceMatchError, VendorError
from facematch_core.images.image import Image
from facematch_core.models import (
    Answer,
    CallRecord,
    Charged,
    Operation,
    Reconciliation,
    Route,
    Skipped,
)
from facematch_core.resilience.circuit_breaker import CircuitBreaker, VendorHealth, health_after

from .members import (
    RunnerOfMembers,
    VerifierOfMembers,
    check_members,
    members_of_call,
    reconcile_with,
    refuse_thresholds,
)
from .verifier import FaceVerifier, check_log

logger = logging.getLogger("facematch")

#: Errors after which the next member is tried: an outage (or an open breaker), a rate limit, or no
#: credit. An exceeded budget ends the call, so that no other vendor is paid instead. An invalid key
#: or a rejected request also ends the call, because trying the next member would hide the mistake.
_NEXT_MEMBER = (errors.VendorUnavailable, errors.RateLimited, errors.InsufficientCredit)

#: Errors about a member's key, which end every call until the key is corrected.
_KEY_ERRORS = (errors.AuthenticationFailed, errors.PermissionDenied)

#: Errors from a member that does not support the call; nothing was sent.
_UNABLE = (errors.InvalidImage, errors.Unsupported)


@methods_clear_frames
class Failover(VerifierOfMembers[FaceVerifier]):
    """A verifier that tries its members in order until one answers. No call is paid twice.

    The next member is tried after an outage (or an open breaker), a rate limit, or no credit, and
    only if nothing was charged. Any result ends the call: a `NO_MATCH` is not retried with another
    member. All other errors end the call and are raised: `OutcomeUnknown`, a rejected request, an
    invalid key, an exceeded budget, an unavailable budget store, a configuration error.

    A member that does not support the call (the picture's format or size, an option, the operation)
    is skipped before anything is sent. A member whose last five calls failed is skipped for 30
    seconds; then one call probes it (see `CircuitBreaker`). A result's `route` lists the member
    that answered and the skipped members; an error's `route` lists all members tried. If no member
    answers, the last retryable error is raised, or else the last `VendorError`, or the first error.

    Each member has its own thresholds, because scales differ; a call sets none. If a call sets a
    vendor's `options`, members of other vendors are skipped. All other options are passed to every
    member. Each member has its own policies and retries, and emits its own events with its own call
    id.

    `deadline_s` is the deadline for all members together. Each member but the last must send its
    first byte within an equal share of the remaining time, so that a connect timeout leaves time
    for the next member. With None, each member's own deadline starts when the member is called.

    Thread-safe. Open it after a fork, not before. A context manager.

    Args:
        members: Verifiers by name, in the order to try them; or a list of verifiers, named after
            their backends. The failover also closes them.
        deadline_s: Default deadline of a call in seconds, above 0; None for the members' own.
        log: The log of the failover's calls: a row per call, with the member that answered; None
            for none.
        clock: A clock, for tests.

    Raises:
        ConfigurationError: there is no member, a value is invalid, or two members share a name.

    Example:
        >>> members = {"first": open_verifier("didit"), "second": open_verifier("local")}
        >>> with Failover(members, deadline_s=20) as verifier:
        ...     result = verifier.verify(selfie, document)
        >>> print(result.decision, result.route.answered_by)
        match first
    """

    def __init__(
        self,
        members: Mapping[str, FaceVerifier] | Iterable[FaceVerifier],
        *,
        deadline_s: float | None = None,
        log: CallLog | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Check the members, and give each a circuit breaker; the class describes the arguments."""
        self._members = _check_members(members)
        failover_clock = clock or SystemClock()
        self._runner = FailoverRunner(
            clock=failover_clock,
            deadline_s=check_deadline_s(deadline_s, ConfigurationError),
            log=check_log(log, self._members.values()),
            members=self._members,
            breakers={name: CircuitBreaker(clock=failover_clock) for name in self._members},
        )

    @property
    def runner(self) -> FailoverRunner:
        """Makes the calls, for classes that are built on a verifier."""
        return self._runner

    def reconcile(
        self, call: CallRecord | VendorError, *, deadline_s: float | None = None
    ) -> Reconciliation:
        """Search for the call with every member that uses the call's backend.

        A call record does not name the account, so the members are searched until the call is
        found. `NOT_YET` means that all of them were searched.

        For arguments and errors, see `FaceVerifier.reconcile`. A member's error is raised only if
        no other member finds the call.
        """
        self._runner.check_open()
        asked_members = members_of_call(self._members, call)
        return reconcile_with(asked_members, call, self._runner.deadline_after(deadline_s))


def _check_members(members: object) -> dict[str, FaceVerifier]:
    """Return the members by name; raise `ConfigurationError` if one is invalid."""
    named: list[tuple[Any, Any]] = []
    if isinstance(members, Mapping):
        named.extend(members.items())
    elif isinstance(members, Iterable):
        for verifier in members:
            name = verifier.backend.name if isinstance(verifier, FaceVerifier) else "?"
            named.append((name, verifier))
    verifiers = check_members(named, group="failover", accepted=(FaceVerifier,))
    if len(verifiers) < len(named):
        raise ConfigurationError(
            "Two members of a failover use the same backend: name them, as in "
            'Failover({"shop": ..., "backup": ...}).'
        )
    return verifiers


@attrs.define(kw_only=True, eq=False)
class FailoverRunner(RunnerOfMembers[FaceVerifier]):
    """Makes a failover's calls with its members.

    Attributes:
        members: The members by name, in the order to try them.
        breakers: A circuit breaker for each member.
    """

    breakers: Mapping[str, CircuitBreaker]

    def _call_unlogged(self, images: list[Image], options: CallOptions) -> Answer:
        """Return the answer of the first member that answers, with the route to it.

        A member fails over only by a FaceMatchError that is no verdict. Raise what explains the
        route if none answers.
        """
        self.check_open()
        route_log = _RouteLog()
        for name, member, member_options in self._supporting(options, route_log):
            breaker = self.breakers[name]
            call = object()  # identifies this call to the breaker
            try:
                breaker.admit(call, name)
                answer = member.runner.call(images, member_options)
            except FaceMatchError as error:
                breaker.note_end(call, name, health_after(error), error)
                route_log.add(name, error)
            except BaseException:  # for example Ctrl-C
                breaker.note_end(call, name, VendorHealth.UNCLEAR)
                raise
            else:
                breaker.note_end(call, name, VendorHealth.RESPONDS)
                route = Route(answered_by=name, skipped=route_log.skipped)
                return attrs.evolve(answer, route=route)
        raise route_log.failure()

    def check_call(
        self, images: list[Image], options: CallOptions, *, after: tuple[Operation, ...] = ()
    ) -> list[Image]:
        """Raise what each member would raise, if none could make the call.

        Return the pictures as they are.
        """
        self.check_open()
        route_log = _RouteLog()
        for name, member, member_options in self._supporting(options, route_log):
            try:
                member.runner.check_call(images, member_options, after=after)
            except FaceMatchError as error:
                route_log.add(name, error)
            else:
                # Return the originals: each member prepares the pictures for its own vendor.
                return images
        raise route_log.failure()

    def _supporting(
        self, options: CallOptions, route_log: _RouteLog
    ) -> Iterator[tuple[str, FaceVerifier, CallOptions]]:
        """Yield each member that supports these options, with its own deadline."""
        refuse_thresholds(options, group="failover")
        # Check all members first, to find a misconfigured last member before it is needed.
        refusals: dict[str, FaceMatchError] = {}
        for name, member in self.members.items():
            try:
                member.runner.check_call([], options)
            except _UNABLE as error:
                refusals[name] = error
        untried_count = len(self.members) - len(refusals)
        for name, member in self.members.items():
            if name in refusals:
                route_log.add(name, refusals[name])
                continue
            deadline = options.deadline
            if not deadline.is_limited:
                deadline = member.runner.deadline_after(None)
            elif route_log.has_vendor_error and deadline.is_over:
                return
            elif untried_count > 1:
                deadline = deadline.sending_within(deadline.left_s() / untried_count)
            yield name, member, attrs.evolve(options, deadline=deadline)
            untried_count -= 1


@attrs.define
class _RouteLog:
    """The members that did not answer a call, in order."""

    skipped: tuple[Skipped, ...] = ()
    #: Whether an error is a `VendorError`: then no member is tried after the deadline.
    has_vendor_error: bool = False
    #: The error to raise if no member answers.
    error: FaceMatchError | None = None

    def add(self, member: str, error: FaceMatchError) -> None:
        """Record a member's error; raise it unless the next member may be tried.

        It may be tried only if nothing can have been charged.
        """
        reason = type(error).__name__
        self.skipped += (Skipped(backend=member, reason=reason, message=error.message),)
        if not _is_free_and_worth_another_member(error):
            if isinstance(error, _KEY_ERRORS):
                logger.warning(
                    "The key of member %s was rejected (%s). No other was tried.", member, reason
                )
            error.route = Route(skipped=self.skipped)
            raise error
        logger.info("The member %s did not answer: %s.", member, reason)
        self.has_vendor_error = self.has_vendor_error or isinstance(error, VendorError)
        # The traceback's frames would keep the pictures alive.
        error = error.with_traceback(None)
        if self.error is None or _is_preferred(error, self.error):
            self.error = error

    def failure(self) -> FaceMatchError:
        assert self.error is not None  # noqa: S101 - a failover has a member
        self.error.route = Route(skipped=self.skipped)
        return self.error


def _is_free_and_worth_another_member(error: FaceMatchError) -> bool:
    """Return whether the next member is tried after an error: nothing was paid."""
    if isinstance(error, _UNABLE):
        return True
    return isinstance(error, _NEXT_MEMBER) and error.billing.charged is Charged.NO


def _is_preferred(later: FaceMatchError, earlier: FaceMatchError) -> bool:
    """Return whether to raise the later of two members' errors.

    The last retryable error is raised, or else the last `VendorError`, or else the first error.
    """
    if not isinstance(later, VendorError):
        return False
    if not isinstance(earlier, VendorError):
        return True
    return later.retryable or not earlier.retryable
