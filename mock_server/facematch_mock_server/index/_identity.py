"""Who is in a picture, and how alike two are: pure but for the decider that looks."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from facematch_mock_server.cards._scoring import pair_score

if TYPE_CHECKING:
    from facematch_mock_server.protocols import Decider

_DIGEST = "sha256:"


@attrs.frozen
class Identity:
    """Who is in a picture.

    Attributes:
        name: The person of a test card, else ``sha256:`` and the digest of the picture.
        score: The exact score of a test card, 0-100; None without one.
        embedding: A row of 128 numbers if an engine looked; None else. It is biometric data: it
            stays in memory.
    """

    name: str
    score: float | None = None
    embedding: Any = attrs.field(default=None, repr=False, eq=False)


class Named(Protocol):
    """What a likeness needs of either side: an `Identity`, or a face of the index."""

    @property
    def name(self) -> str:
        """Who it is."""
        ...

    @property
    def score(self) -> float | None:
        """The exact score of a test card."""
        ...


def likeness(probe: Named, other: Named, salt: str = "") -> float:
    """How alike two are who were not measured, 0-100, as cards and bytes score a pair.

    Args:
        probe, other: Whose exact score counts, if one has it: the probe's goes first.
        salt: As for `pair_score`.
    """
    for one in (probe, other):
        if one.score is not None:
            return one.score
    if probe.name == other.name and probe.name.startswith(_DIGEST):
        return 100.0
    return pair_score(probe.name, other.name, salt)


def identity_of(
    decider: Decider,
    picture: bytes,
    *,
    rotate: bool,
    digest: str | None = None,
    person: str | None = None,
) -> Identity:
    """Who is in a picture, as the decider says it, or by its bytes.

    Args:
        decider: Its ``identify`` is asked, if it has one.
        picture: The bytes.
        rotate: Whether quarter turns are tried.
        digest: SHA-256, if the caller has it already.
        person: Who it is, if somebody knows.
    """
    identify = getattr(decider, "identify", None)
    if identify is not None:
        identity: Identity = identify(picture, rotate=rotate, digest=digest)
        return identity
    return Identity(person or _DIGEST + (digest or hashlib.sha256(picture).hexdigest()))
