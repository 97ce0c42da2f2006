"""The members of a failover: named, in order, each with thresholds of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from facematch_core._asked import Asked
from facematch_core._enums import Operation
from facematch_core._images import Image
from facematch_core._nearest import nearest
from facematch_core._rules import Answer
from facematch_core._verifier import FaceVerifier
from facematch_core.errors import ConfigurationError, InvalidRequest


@attrs.frozen
class Member:
    """One member.

    Attributes:
        name: What results and errors call it.
        verifier: Who is asked.
    """

    name: str
    verifier: FaceVerifier

    def make(
        self, operation: Operation, images: list[Image], asked: Asked, elapsed_s: float
    ) -> Answer:
        """One call of this member, as `FaceVerifier` makes it.

        Args:
            elapsed_s: How much of the deadline is over.
        """
        since = self.verifier._now() - elapsed_s  # noqa: SLF001 - a member's call begins in its failover
        return self.verifier._make(operation, images, self.own(asked), since)

    def refuse(self, operation: Operation, images: list[Image], asked: Asked) -> None:
        """Raise what `make` would raise before it sends anything."""
        self.verifier._refuse(operation, images, self.own(asked))  # noqa: SLF001 - likewise

    def own(self, asked: Asked) -> Asked:
        """`asked` with this member's thresholds."""
        return attrs.evolve(
            asked,
            threshold=(asked.threshold or {}).get(self.name),
            review_threshold=(asked.review_threshold or {}).get(self.name),
        )


def members_of(given: Any) -> tuple[Member, ...]:
    """The members that a caller named; `ConfigurationError` if they are not ones."""
    named = _named(given)
    if not named:
        raise ConfigurationError("A failover needs at least one member.")
    for name, verifier in named:
        if not isinstance(name, str) or not name:
            raise ConfigurationError("The name of a failover's member must be text, not empty.")
        if not isinstance(verifier, FaceVerifier):
            raise ConfigurationError(
                f"The member {name[:60]!r} of a failover must be a FaceVerifier, not "
                f"{type(verifier).__name__}: a failover of failovers is not offered."
            )
    if len({id(verifier) for _, verifier in named}) < len(named):
        raise ConfigurationError("A failover names the same verifier twice: name each once.")
    if len({name for name, _ in named}) < len(named):
        raise ConfigurationError(
            "Two members of a failover ask the same backend: name them, as in "
            'Failover({"shop": ..., "backup": ...}).'
        )
    return tuple(Member(name, verifier) for name, verifier in named)


def _named(given: Any) -> list[tuple[Any, Any]]:
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise ConfigurationError(
            f"Failover takes verifiers by name, or a list of them, not one {type(given).__name__}."
        )
    return [(v.backend.name if isinstance(v, FaceVerifier) else "?", v) for v in given]


def per_member(
    option: str, number: object, given: object, members: Iterable[Member]
) -> Mapping[str, Any] | None:
    """Thresholds by the member's name, or None for each member's own.

    Args:
        option: What the call names it: ``threshold``, for one.
        number: One for all, which there is not.
        given: By name.
        members: Who there is.

    Raises:
        InvalidRequest: one number for all, or a name that no member has.
    """
    names = [member.name for member in members]
    if number is not None:
        raise InvalidRequest(
            f"A failover takes no single {option}, because the scales of its members do not "
            f"compare: set it in each member's profile, or give {option}s with a number per "
            f"member ({', '.join(names)})."
        )
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidRequest(
            f"{option}s must map the names of members to numbers, not {type(given).__name__}."
        )
    for name in given:
        if name not in names:
            raise InvalidRequest(
                f"{option}s names no member {str(name)[:60]!r}; {nearest(str(name), names)}"
            )
    return given
