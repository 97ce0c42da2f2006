"""What a mock vendor sees in pictures: the facts behind a score, whatever decided them."""

from __future__ import annotations

import enum
from typing import Literal

import attrs

#: How sure a vendor is that it knows a face from elsewhere.
Likeness = Literal["certain", "possible"]


class Unset(enum.Enum):
    """The value of what was not set. None is another one: no score."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return self.name


UNSET = Unset.UNSET


@attrs.frozen(kw_only=True)
class SeenFace:
    """One face in one picture.

    Attributes:
        box: Left, top, right, bottom in pixels of the processed picture.
        confidence: Of the detection, 0-1.
        age: Years.
        gender: ``male`` or ``female``.
    """

    box: tuple[int, int, int, int]
    confidence: float = 0.72
    age: float = 34.0
    gender: str = "female"


@attrs.frozen(kw_only=True)
class SeenPicture:
    """One picture, as the mock sees it.

    Attributes:
        decodes: Whether the bytes are a picture at all.
        faces: The largest first; empty if there is none, or none that is upright.
        angle: Degrees by which it was turned to find them: 0, 90, 180 or 270.
        person: Who it is, as text; None if nobody knows.
    """

    decodes: bool = True
    faces: tuple[SeenFace, ...] = ()
    angle: int = 0
    person: str | None = None


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
    """What a liveness check found.

    Attributes:
        probe: The picture.
        score: 0-100, not rounded; None if the model gave no confidence.
        attack: Whether an attack was recognised.
        quality, luminance: 0-100; None without a face.
        blocklist: How sure the face is one of the vendor's blocklist; None if it is not.
        duplicate: How sure it is one of another approved session; None if it is not.
        age_known: Whether the age of the largest face can be told.
        review: As in `MatchOutcome`.
        by: As in `MatchOutcome`.
    """

    probe: SeenPicture
    score: float | None
    attack: bool = False
    quality: float | None = None
    luminance: float | None = None
    blocklist: Likeness | None = None
    duplicate: Likeness | None = None
    age_known: bool = True
    review: bool = False
    by: str = "bytes"
