"""What a test card says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs

_PERSON = re.compile(r"[A-Za-z0-9_-]{1,12}")

#: The turns that exist, in degrees.
TURNS = (0, 90, 180, 270)
GENDERS = ("female", "male")
#: The oldest age a card can tell, in years.
MAX_AGE = 120


def _whole(low: int, high: int, *, optional: bool = False) -> Callable[..., None]:
    def check(_: Any, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is None and optional:
            return
        if type(value) is not int or not low <= value <= high:
            raise ValueError(
                f"{attribute.name} of a card is a whole number from {low} to {high}"
                f"{' or None' if optional else ''}, not {value!r:.40}"
            )

    return check


def _one_of(values: tuple[object, ...]) -> Callable[..., None]:
    def check(_: Any, attribute: attrs.Attribute[Any], value: object) -> None:
        # True equals 1, and 90.0 equals 90: the type counts as well.
        if not any(type(value) is type(known) and value == known for known in values):
            words = ", ".join(map(str, values))
            raise ValueError(f"{attribute.name} of a card is one of {words}, not {value!r:.40}")

    return check


def _person(_: Any, __: Any, value: Any) -> None:
    if not isinstance(value, str) or not _PERSON.fullmatch(value):
        raise ValueError(
            "person of a card is 1 to 12 letters, digits, hyphens or underscores (ASCII), "
            f"not {value!r:.40}"
        )


def _score(_: Any, __: Any, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise ValueError(f"score of a card lies between 0 and 100 or is None, not {value!r:.40}")
    if round(value, 2) != value:
        raise ValueError(f"score of a card has at most two decimals, not {value!r:.40}")


@attrs.frozen(kw_only=True)
class Card:
    """The facts of one test card: what a mock vendor is to see in it.

    Attributes:
        person: Who it is: 1-12 ASCII letters, digits, ``-`` or ``_``; case counts.
        faces: How many faces it shows, 0-4. The first is the largest, and is `person`.
        quality, luminance: Of the face, 0-100.
        liveness: Score of a liveness check, 0-100; None if the model gives no confidence.
        attack: Whether a presentation attack is recognised.
        age: Years, 0-120; None for an age that the person fixes.
        gender: ``female`` or ``male``; None for one that the person fixes.
        review: Whether a person is to look at calls with it.
        score: The exact score of a comparison with it, 0-100 with at most two decimals; None to
            let the persons decide. The probe's goes before the reference's.
        turned: By how many degrees clockwise the card lies in its picture: 0, 90, 180 or 270.

    Raises:
        ValueError: a value of another type or range.
    """

    person: str = attrs.field(validator=_person)
    faces: int = attrs.field(default=1, validator=_whole(0, 4))
    quality: int = attrs.field(default=85, validator=_whole(0, 100))
    luminance: int = attrs.field(default=55, validator=_whole(0, 100))
    liveness: int | None = attrs.field(default=97, validator=_whole(0, 100, optional=True))
    attack: bool = attrs.field(default=False, validator=_one_of((False, True)))
    age: int | None = attrs.field(default=None, validator=_whole(0, MAX_AGE, optional=True))
    gender: str | None = attrs.field(default=None, validator=_one_of((*GENDERS, None)))
    review: bool = attrs.field(default=False, validator=_one_of((False, True)))
    score: float | None = attrs.field(default=None, validator=_score)
    turned: int = attrs.field(default=0, validator=_one_of(TURNS))

    @property
    def angle(self) -> int:
        """By how many degrees clockwise the picture has to be turned to be upright."""
        return -self.turned % 360
