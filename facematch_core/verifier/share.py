"""`Share`: a verifier that gives each member a share of the callers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import get_args

import attrs

from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.base.digests import Algorithm, digest_of
from facematch_core.base.frames import methods_clear_frames
from facematch_core.base.functions import check_text
from facematch_core.base.masking import key_bytes
from facematch_core.call.verdict import CallOptions
from facematch_core.call_log import CallLog
from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidRequest, VendorError
from facematch_core.images.image import Image
from facematch_core.models import (
    Answer,
    CallRecord,
    Operation,
    Reconciliation,
    Route,
    Skipped,
)

from .failover import Failover
from .members import (
    RunnerOfMembers,
    VerifierOfMembers,
    check_members,
    members_of_call,
    reconcile_with,
    refuse_thresholds,
)
from .verifier import FaceVerifier, check_log

#: How far the numbers of a table may be from 100 in sum, because 33.3 has no exact float.
_SUM_TOLERANCE = 1e-6


@methods_clear_frames
class Share(VerifierOfMembers[FaceVerifier | Failover]):
    """A verifier that gives each member a percentage of the callers.

    Each call needs a `caller_ref`, your own reference for the person, or a `share_key` if the
    `caller_ref` names something else, such as a request. The member is chosen by a keyed digest of
    the `share_key`, or without one of the `caller_ref`: the same person is always given to the same
    member, in every process, until the percentages change. The order of the table means nothing.

    When the percentages change, a caller moves only to a member that grew by a greater factor than
    the caller's own member. So if one member grows and all others shrink by the same factor, which
    is always so with two members, callers move only to that member, and nobody leaves it.

    The chosen member alone makes the call: no other is tried after an error, or after any decision.
    To try another vendor during an outage, make the member a `Failover`. A result's `route` names
    the member as `answered_by`; an error's `route` names it last.

    Each member has its own thresholds, because scales differ; a call sets none. All other options
    are passed to the member. Each member has its own policies, retries, events, and default
    deadline.

    Thread-safe. Open it after a fork, not before. A context manager.

    Args:
        members: Verifiers by name, each a `FaceVerifier` or a `Failover`. The share also closes
            them.
        percent: A number for each member, 0-100; together they are 100. 0 is the off switch.
        key: A secret text or bytes, the same in all processes, so that nobody can choose their
            member by their reference; None for a digest of the members' names. Without a key,
            adding or renaming a member moves callers between all members.
        digest: The digest by which a member is chosen, the same in all processes: ``blake2b``, or
            ``sha256`` for machines in FIPS mode, which refuse the other. Another digest moves
            callers between all members.
        log: The log of the share's calls: a row per call, with the member that made it; None for
            none.
        clock: A clock, for tests.

    Raises:
        ConfigurationError: a member, a percentage or the key is invalid, or this machine refuses
            the digest.

    Example:
        >>> members = {"didit": open_verifier("didit"), "local": open_verifier("local")}
        >>> with Share(members, percent={"didit": 90, "local": 10}) as verifier:
        ...     result = verifier.verify(selfie, document, caller_ref="customer-17")
        ...     print(result.route.answered_by == verifier.choose("customer-17"))
        ...     options = {"caller_ref": "request-9", "share_key": "customer-17"}
        ...     again = verifier.verify(selfie, document, **options)
        ...     print(again.ids.caller, again.route == result.route)
        True
        request-9 True
    """

    def __init__(
        self,
        members: Mapping[str, FaceVerifier | Failover],
        percent: Mapping[str, float],
        *,
        key: str | bytes | None = None,
        digest: Algorithm = "blake2b",
        log: CallLog | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Check the members, the percentages and the digest; the class describes the arguments."""
        if not isinstance(members, Mapping):
            raise ConfigurationError(
                'The members of a share must be verifiers by name: {"shop": ..., "other": ...}.'
            )
        self._members = check_members(
            members.items(), group="share", accepted=(FaceVerifier, Failover)
        )
        if digest not in get_args(Algorithm):
            known = " or ".join(map(repr, get_args(Algorithm)))
            raise ConfigurationError(f"digest of a share must be {known} (got {digest!r:.40}).")
        # Decides which member a reference belongs to; see `_score`.
        if key is None:
            key = "\0".join(sorted(self._members))
        key_digest = digest_of(
            digest,
            key_bytes(key, "share"),
            remedy='pass digest="sha256" to the share on all hosts; many callers change members.',
        )
        self._runner = ShareRunner(
            clock=clock or SystemClock(),
            deadline_s=None,
            log=check_log(log, self._members.values()),
            members=self._members,
            percent=check_percent(percent, self._members),
            digest=digest,
            hash_key_by_member={
                name: digest_of(digest, name.encode(), key=key_digest) for name in self._members
            },
        )

    @property
    def runner(self) -> ShareRunner:
        """Makes the calls, for classes that are built on a verifier."""
        return self._runner

    @property
    def percent(self) -> Mapping[str, float]:
        """The percentage of each member, 0-100, as a copy."""
        return dict(self._runner.percent)

    def set_percent(self, percent: Mapping[str, float]) -> None:
        """Replace all percentages, from the next call on, in this process.

        A call that has begun stays with its member. `verify_live` makes two calls.

        Raises:
            ConfigurationError: a number is invalid or missing; the old percentages stay.

        Example:
            >>> members = {"didit": open_verifier("didit"), "local": open_verifier("local")}
            >>> share = Share(members, percent={"didit": 90, "local": 10})
            >>> share.set_percent({"didit": 0, "local": 100})
            >>> share.choose("customer-17")
            'local'
        """
        self._runner.percent = check_percent(percent, self._members)

    def choose(self, text: str) -> str:
        """Return the name of the member to which a `share_key` or `caller_ref` belongs.

        Sends nothing.

        Raises:
            InvalidRequest: `text` is not a text, is empty, or cannot be encoded as UTF-8.
        """
        check_text("The text to choose by", text)
        return self._runner.choose(text)

    def reconcile(
        self, call: CallRecord | VendorError, *, deadline_s: float | None = None
    ) -> Reconciliation:
        """Search for the call with the member that made it, also if its percentage is 0 by now.

        An error of this share names that member. A call record does not, so all members that use
        the call's backend are searched until the call is found; `NOT_YET` means all of them were.

        For arguments and errors, see `FaceVerifier.reconcile`. A member's error is raised only if
        no other member finds the call.
        """
        self._runner.check_open()
        asked_members = members_of_call(self._members, call)
        name = _member_of(call)
        if name in asked_members:
            asked_members = {name: asked_members[name]}
        return reconcile_with(asked_members, call, self._runner.deadline_after(deadline_s))


def check_percent(percent: object, members: Mapping[str, object]) -> dict[str, float]:
    """Return a table of percentages as floats; raise `ConfigurationError` if it is invalid."""
    if not isinstance(percent, Mapping) or set(percent) != set(members):
        raise ConfigurationError(
            "percent must have one number for each member, 0 to turn it off: "
            f"{', '.join(str(name)[:60] for name in members)}."
        )
    for name, number in percent.items():
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
        if not is_number or not 0 <= number <= 100:
            raise ConfigurationError(
                f"percent: the number of member {name[:60]!r} must be from 0 to 100, "
                f"not {str(number)[:40]}."
            )
    total = math.fsum(percent.values())
    if abs(total - 100) > _SUM_TOLERANCE:
        raise ConfigurationError(
            f"percent: the numbers of all members must be 100 together, not {total:g}."
        )
    return {name: float(number) for name, number in percent.items()}


def _score(percent: float, digest: bytes) -> float:
    """Return a member's score for a caller: the member with the highest score is chosen.

    This is weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): with `uniform` evenly
    spread between 0 and 1, a member wins in proportion to its percentage.

    Args:
        percent: The percentage of the member.
        digest: 8 bytes of the caller's digest with the key of the member.
    """
    # 52 bits and a half fit into a float exactly, so `uniform` is never 0 or 1.
    number = int.from_bytes(digest, "big") >> 12
    uniform = (number + 0.5) / 2**52
    return percent / -math.log(uniform)


def _member_of(call: object) -> str | None:
    """Return the member of a share that raised an error; None for a call record."""
    route = getattr(call, "route", None)
    if not isinstance(route, Route) or not route.skipped:
        return None
    return route.skipped[-1].backend


@attrs.define(kw_only=True, eq=False)
class ShareRunner(RunnerOfMembers[FaceVerifier | Failover]):
    """Makes a share's calls, each with the member of its caller.

    Attributes:
        members: The members by name.
        percent: The percentage of each member, 0-100. Never changed, only replaced as a whole, so
            that a thread sees either the old or the new percentages.
        digest: The algorithm of the digests of callers.
        hash_key_by_member: The key of each member's digests of callers.
    """

    percent: Mapping[str, float]
    digest: Algorithm
    hash_key_by_member: Mapping[str, bytes] = attrs.field(repr=False)

    def choose(self, text: str) -> str:
        """Return the name of the member of a caller."""
        keys = self.hash_key_by_member
        scores = {
            name: _score(percent, digest_of(self.digest, text.encode(), size=8, key=keys[name]))
            for name, percent in self.percent.items()
            if percent > 0
        }
        # Sorted, so that even equal scores do not depend on the order of the table.
        return max(sorted(scores), key=scores.__getitem__)

    def _call_unlogged(self, images: list[Image], options: CallOptions) -> Answer:
        """Return the answer of the caller's member, with the route to it.

        An error names the member.
        """
        self.check_open()
        name = self._member_for(options)
        try:
            member_options = self._options_for(name, options)
            answer = self.members[name].runner.call(images, member_options)
        except FaceMatchError as error:
            _add_member(error, name)
            raise
        # A member that is a failover has passed over some of its own members.
        skipped = answer.route.skipped if answer.route is not None else ()
        return attrs.evolve(answer, route=Route(answered_by=name, skipped=skipped))

    def check_call(
        self, images: list[Image], options: CallOptions, *, after: tuple[Operation, ...] = ()
    ) -> list[Image]:
        """Raise what the caller's member would raise; return the pictures as they are."""
        self.check_open()
        name = self._member_for(options)
        try:
            member_options = self._options_for(name, options)
            self.members[name].runner.check_call(images, member_options, after=after)
        except FaceMatchError as error:
            _add_member(error, name)
            raise
        # Return the originals: each member prepares the pictures for its own vendor.
        return images

    def _member_for(self, options: CallOptions) -> str:
        """Return the name of the member that a call belongs to."""
        if options.person_ref is None:
            raise InvalidRequest(
                "A share chooses the member by caller_ref: pass caller_ref= (the command's "
                "--caller-ref), your own reference for the person, or share_key= if caller_ref "
                "names something else. Nothing was sent."
            )
        check_text("caller_ref" if options.share_key is None else "share_key", options.person_ref)
        return self.choose(options.person_ref)

    def _options_for(self, name: str, options: CallOptions) -> CallOptions:
        """Return a call's options for a member, with the member's own deadline."""
        refuse_thresholds(options, group="share")
        if options.deadline.is_limited:
            return options
        deadline = self.members[name].runner.deadline_after(None)
        return attrs.evolve(options, deadline=deadline)


def _add_member(error: FaceMatchError, name: str) -> None:
    """Name the member of a share last in the route of its error."""
    earlier = error.route.skipped if error.route is not None else ()
    member = Skipped(backend=name, reason=type(error).__name__, message=error.message)
    error.route = Route(skipped=(*earlier, member))
