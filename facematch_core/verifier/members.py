"""What `Failover` and `Share` have in common: named members, and a search."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import attrs

from facematch_core.base.deadline import Deadline
from facematch_core.base.frames import methods_clear_frames
from facematch_core.call.run import Runner, call_runners
from facematch_core.call.verdict import CallOptions
from facematch_core.errors import (
    AuthenticationFailed,
    ConfigurationError,
    InvalidRequest,
    PermissionDenied,
    VendorError,
)
from facematch_core.models import CallRecord, Reconciled, Reconciliation, Route

from .verifier import Verifier, close_log

M = TypeVar("M", bound=Verifier)

#: Minimum deadline for a member's search, in seconds. If no time is left, the member raises.
_SHORTEST_SEARCH_S = 1e-3


@methods_clear_frames
class VerifierOfMembers(Verifier, Generic[M]):
    """The base class of `Failover` and `Share`: a verifier whose calls its members make."""

    _members: dict[str, M]

    @property
    def members(self) -> Mapping[str, M]:
        """The members by name, in order."""
        return MappingProxyType(self._members)

    def close(self) -> None:
        """Close every member and the log. May be called more than once."""
        self.runner.is_closed = True
        with contextlib.ExitStack() as stack:
            stack.callback(close_log, self.runner)
            for member in self._members.values():
                stack.callback(member.close)

    def __repr__(self) -> str:
        # An object whose `__init__` failed has no members.
        return f"{type(self).__name__}({', '.join(getattr(self, '_members', ()))})"


@attrs.define(kw_only=True, eq=False)
class RunnerOfMembers(Runner, Generic[M]):
    """The base class of the runners of `Failover` and `Share`, which make calls with members.

    Attributes:
        members: The members by name, in order.
    """

    members: Mapping[str, M]

    @property
    def inner_runners(self) -> tuple[Runner, ...]:
        return tuple(member.runner for member in self.members.values())


def check_members(
    named: Iterable[tuple[Any, Any]], *, group: str, accepted: tuple[type[Verifier], ...]
) -> dict[str, Any]:
    """Return members by name; raise `ConfigurationError` if there is none, or one is invalid.

    Args:
        named: The names and members, as the caller passed them.
        group: What the members belong to, for messages: ``failover`` or ``share``.
        accepted: The classes that a member may have.
    """
    members = dict(named)
    if not members:
        raise ConfigurationError(f"A {group} needs at least one member.")
    for name, member in members.items():
        if not isinstance(name, str):
            raise ConfigurationError(
                f"The name of a member of a {group} must be a text, not {type(name).__name__}."
            )
        if not isinstance(member, accepted):
            classes = " or a ".join(cls.__name__ for cls in accepted)
            raise ConfigurationError(
                f"Member {name[:60]!r} of a {group} must be a {classes}, not a "
                f"{type(member).__name__}."
            )
    return members


def refuse_thresholds(options: CallOptions, *, group: str) -> None:
    """Raise `InvalidRequest` if a call sets a threshold, which would be on several scales."""
    for option in ("threshold", "review_threshold"):
        if getattr(options, option) is not None:
            raise InvalidRequest(
                f"A {group} takes no {options.prefix}{option}, because its members have different "
                "scales: open each member with its own, or set it in the member's profile. Nothing "
                "was sent."
            )


def members_of_call(members: Mapping[str, M], call: object) -> dict[str, M]:
    """Return the members that use the backend of a call or of an error.

    If there is none, return the first member, which raises the error for a call of another backend.
    """
    backend_name = getattr(call, "backend", None)
    members_of_backend = {
        name: member
        for name, member in members.items()
        if backend_name in [runner.backend.name for runner in call_runners(member.runner)]
    }
    if members_of_backend:
        return members_of_backend
    first_name = next(iter(members))
    return {first_name: members[first_name]}


def reconcile_with(
    members: Mapping[str, M], call: CallRecord | VendorError, deadline: Deadline
) -> Reconciliation:
    """Search for a call with each member, until one finds it.

    A member's error is raised only if no other member finds the call; a refused key only if no
    other member fails, because that one may still have the call.
    """
    best: Reconciliation | None = None
    failure: VendorError | None = None
    for name, member in members.items():
        limit_s = None
        if deadline.is_limited:
            limit_s = max(deadline.left_s(), _SHORTEST_SEARCH_S)
        try:
            reconciliation = member.reconcile(call, deadline_s=limit_s)
        except VendorError as error:
            if failure is None or isinstance(failure, (AuthenticationFailed, PermissionDenied)):
                failure = error.with_traceback(None)
            continue
        if reconciliation.result is not None:
            answer = attrs.evolve(reconciliation.result, route=Route(answered_by=name))
            return attrs.evolve(reconciliation, result=answer)
        # CANNOT_KNOW takes precedence over NOT_YET, because that member may have made the call.
        if best is None or reconciliation.outcome is Reconciled.CANNOT_KNOW:
            best = reconciliation
    if failure is not None:
        raise failure
    assert best is not None  # noqa: S101 - there is a member, and it answered or failed
    return best
