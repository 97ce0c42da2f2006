"""What is seen in pictures: the facts behind a score, and those that a test sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

import attrs

from facematch_mock_server.state import UNSET, Kept, Unset

#: How sure a vendor is that it knows a face from elsewhere.
Likeness = Literal["certain", "possible"]

#: SHA-256 of a probe and a reference; None for one that nobody has worked out.
Digests = tuple[str | None, str | None]
UNKNOWN: Digests = (None, None)


@attrs.frozen(kw_only=True, cache_hash=True)
class SeenFace:
    """One face in one picture: its edges in pixels, and how sure (0-1) it is a face."""

    box: tuple[int, int, int, int]
    confidence: float = 0.72
    age: float = 34.0
    gender: str = "female"


@attrs.frozen(kw_only=True, cache_hash=True)
class SeenPicture:
    """One picture, as the mock sees it.

    Attributes:
        decodes: Whether the bytes are a picture at all.
        faces: The largest first; empty if there is none, or none that is upright.
        angle: Degrees by which it was turned to find them: 0, 90, 180 or 270.
    """

    decodes: bool = True
    faces: tuple[SeenFace, ...] = ()
    angle: int = 0


@attrs.frozen(kw_only=True)
class MatchOutcome:
    """What a comparison found.

    Attributes:
        probe, reference: The pictures.
        score: 0-100, not rounded; None if no pair of faces could be scored.
        review: Whether a person is to look (only vendors and editions that know it say so).
        by: What decided: ``control``, ``card``, ``bytes``, or the engine's backend by its name.
    """

    probe: SeenPicture
    reference: SeenPicture
    score: float | None
    review: bool = False
    by: str = "bytes"


@attrs.frozen(kw_only=True)
class LivenessOutcome:
    """What a liveness check found, in words as `SetOutcome` and `MatchOutcome` have them.

    Without a face quality and luminance are None; blocklist and duplicate are for a face that the
    vendor does not know.
    """

    probe: SeenPicture
    score: float | None
    attack: bool = False
    quality: float | None = None
    luminance: float | None = None
    blocklist: Likeness | None = None
    duplicate: Likeness | None = None
    by: str = "bytes"


_DIGEST = re.compile(r"[0-9a-f]{64}")

#: What an outcome is of.
Kind = Literal["match", "liveness"]


def _digests(values: Iterable[object]) -> frozenset[str]:
    # What is no text is refused with what is no digest.
    return frozenset(value.lower() if isinstance(value, str) else "" for value in values)


def _percentage(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None or value is UNSET:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise ValueError(
            f"{attribute.name} of an outcome must be between 0 and 100, not {value!r:.40}"
        )


def _one_of(*values: str | bool | None) -> Callable[..., None]:
    words = " or ".join(str(one).lower() for one in values if one is not None)

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        # True equals 1: the type counts as well.
        if not any(type(value) is type(one) and value == one for one in values):
            raise ValueError(f"{attribute.name} of an outcome must be {words}, not {value!r:.40}")

    return check


_flag = _one_of(True, False, None)
_likeness = _one_of("certain", "possible", None)


@attrs.frozen(kw_only=True)
class SetOutcome:
    """One outcome that a test set. What it does not set is decided as it would be without it.

    A value that does not fit, or values that do not go together, are a ValueError.

    Attributes:
        kind: ``match`` or ``liveness``.
        score: 0-100, not rounded; None: no pair of faces could be scored (match), or the model
            gave no confidence (liveness).
        review: Of a match: whether a person is to look.
        faces: Of a liveness check: how many there are, 0-10.
        attack: Of a liveness check: whether an attack is recognised.
        quality, luminance: Of a liveness check: 0-100.
        blocklist, duplicate: Of a liveness check: whether the vendor knows the face from its
            blocklist or from another session, ``certain`` or ``possible``.
        times: For how many calls it still holds, from 1 on; None for all.
        digests: SHA-256 of the pictures it is for; empty for any.
    """

    kind: Kind = attrs.field(validator=_one_of("match", "liveness"))
    score: float | Unset | None = attrs.field(default=UNSET, validator=_percentage)
    review: bool | None = attrs.field(default=None, validator=_flag)
    faces: int | None = None
    attack: bool | None = attrs.field(default=None, validator=_flag)
    quality: float | None = attrs.field(default=None, validator=_percentage)
    luminance: float | None = attrs.field(default=None, validator=_percentage)
    blocklist: Likeness | None = attrs.field(default=None, validator=_likeness)
    duplicate: Likeness | None = attrs.field(default=None, validator=_likeness)
    times: int | None = 1
    digests: frozenset[str] = attrs.field(default=frozenset(), converter=_digests)

    def __attrs_post_init__(self) -> None:
        if self.kind == "match":
            for name in ("faces", "attack", "quality", "luminance", "blocklist", "duplicate"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} is an outcome of a liveness check, not of a match")
        elif self.review:
            raise ValueError("review is an outcome of a match, not of a liveness check")
        if self.faces is not None and (type(self.faces) is not int or not 0 <= self.faces <= 10):
            raise ValueError(
                f"faces of an outcome must be a number from 0 to 10, not {self.faces!r:.40}"
            )
        if self.faces == 0 and self.needs_a_face:
            raise ValueError(
                "without a face there is no score, attack, quality, luminance, blocklist or "
                "duplicate"
            )
        if self.times is not None and (type(self.times) is not int or self.times < 1):
            raise ValueError("times must be a whole number from 1, or null (None) for every call")
        if not all(map(_DIGEST.fullmatch, self.digests)):
            raise ValueError("a digest of a picture must be 64 hexadecimal digits (SHA-256)")

    @property
    def needs_a_face(self) -> bool:
        """Whether it says something that only a face can have."""
        told = (self.quality, self.luminance, self.blocklist, self.duplicate)
        has_score = isinstance(self.score, (int, float))
        return has_score or bool(self.attack) or any(value is not None for value in told)


class Waiting(Kept[SetOutcome]):
    """The outcomes that wait for their calls, in the order they were added."""

    def take(self, kind: Kind, digests: Iterable[str]) -> SetOutcome | None:
        """The outcome for a call, counted; None for none.

        One for a picture of the call goes before one for any picture; else the first one added.
        """
        if not self._kept:
            # Without the lock: most worlds never set one.
            return None
        pictures = set(digests)
        with self._lock:
            for aimed in (True, False):
                for index, outcome in enumerate(self._kept):
                    fits = bool(outcome.digests & pictures) if aimed else not outcome.digests
                    if outcome.kind == kind and fits:
                        self._count(index, outcome)
                        return outcome
        return None


class Recognizer(Protocol):
    """Decides what a vendor sees. Safe across threads.

    It is handed the SHA-256 of each picture, so that none is hashed twice; None where the world
    digests nothing.
    """

    def match(
        self, probe: bytes, reference: bytes, *, rotate: bool, digests: Digests = UNKNOWN
    ) -> MatchOutcome:
        """The facts of one comparison."""

    def liveness(self, probe: bytes, *, rotate: bool, digest: str | None = None) -> LivenessOutcome:
        """The facts of one liveness check."""

    def look(self, picture: bytes, *, rotate: bool, digest: str | None = None) -> SeenPicture:
        """What is seen in one picture; no outcome that was set is used up."""
