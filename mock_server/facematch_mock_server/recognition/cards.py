"""Test cards: pictures that encode the results that a mock vendor returns for them."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from typing import Any

import attrs

_PERSON = re.compile(r"[A-Za-z0-9_-]{1,12}")

#: The possible rotations in degrees.
TURNS = (0, 90, 180, 270)
GENDERS = ("female", "male")
LOSSES = ("before_charge", "after_charge")
#: The highest age a card can encode, in years.
MAX_AGE = 120


def _must_be(allowed: str, is_allowed: Callable[[Any], bool]) -> Callable[..., None]:
    """Return a validator whose error says that the value must be `allowed`."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not is_allowed(value):
            raise ValueError(f"{attribute.name} of a card must be {allowed}, not {value!r:.40}")

    return check


def _one_of(*values: object) -> Callable[..., None]:
    # Compare the type as well: True == 1, and 90.0 == 90.
    typed_values = [(type(value), value) for value in values]
    return _must_be(
        f"one of {', '.join(map(str, values))}", lambda value: (type(value), value) in typed_values
    )


def _number(low: float, high: float, *, decimals: int = 0, optional: bool = True) -> Any:
    """Return a validator of numbers within a range; bool is refused, None allowed if optional."""
    allowed = f"a whole number from {low} to {high}"
    if decimals:
        allowed = f"between {low} and {high} in steps of {10**-decimals},"
    if optional:
        allowed += " or None"

    def is_allowed(value: object) -> bool:
        if value is None:
            return optional
        # True is an int.
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if isinstance(value, float) and not decimals:
            return False
        return low <= value <= high and round(value, decimals) == value

    return _must_be(allowed, is_allowed)


_person = _must_be(
    "1 to 12 letters, digits, hyphens or underscores (ASCII)",
    lambda value: isinstance(value, str) and _PERSON.fullmatch(value) is not None,
)


@attrs.frozen(kw_only=True)
class Card:
    """The facts that a test card encodes, and how calls with the card fail, if they do.

    At most one of `status`, `delay` and `lost` can be set. Raises ValueError for an invalid
    value.

    Attributes:
        person: The person's name: 1-12 ASCII letters, digits, ``-`` or ``_``; case-sensitive.
        faces: The number of faces, 0-4. The largest face belongs to `person`.
        quality, luminance: Quality and luminance of the face, 0-100.
        liveness: The score of a liveness check, 0-100; None for no score.
        attack: Whether a presentation attack is detected.
        age: The age in years, 0-120; None to derive it from `person`.
        gender: ``female`` or ``male``; None to derive it from `person`.
        review: Whether comparisons with the card need a manual review.
        score: The exact score of comparisons with the card, 0-100 with at most two decimals; None
            to derive it from the two persons. The probe's score overrides the reference's.
        status: The response status of calls with the card, 400-599; they are not charged.
        retry_after: Seconds in ``Retry-After``, 0-60; requires a status. None for the vendor's
            own header, if any.
        delay: Seconds by which the response is delayed, 0.1-600 with at most one decimal; the call
            is charged at once.
        lost: When to reset the connection, without a response: ``before_charge`` or
            ``after_charge``.
        turned: The clockwise rotation of the card in degrees: 0, 90, 180 or 270.
    """

    person: str = attrs.field(validator=_person)
    faces: int = attrs.field(default=1, validator=_number(0, 4, optional=False))
    quality: int = attrs.field(default=85, validator=_number(0, 100, optional=False))
    luminance: int = attrs.field(default=55, validator=_number(0, 100, optional=False))
    liveness: int | None = attrs.field(default=97, validator=_number(0, 100))
    attack: bool = attrs.field(default=False, validator=_one_of(False, True))
    age: int | None = attrs.field(default=None, validator=_number(0, MAX_AGE))
    gender: str | None = attrs.field(default=None, validator=_one_of(*GENDERS, None))
    review: bool = attrs.field(default=False, validator=_one_of(False, True))
    score: float | None = attrs.field(default=None, validator=_number(0, 100, decimals=2))
    status: int | None = attrs.field(default=None, validator=_number(400, 599))
    retry_after: int | None = attrs.field(default=None, validator=_number(0, 60))
    delay: float | None = attrs.field(default=None, validator=_number(0.1, 600, decimals=1))
    lost: str | None = attrs.field(default=None, validator=_one_of(*LOSSES, None))
    turned: int = attrs.field(default=0, validator=_one_of(*TURNS))

    def __attrs_post_init__(self) -> None:
        failures = [self.status, self.delay, self.lost]
        if len(failures) - failures.count(None) > 1:
            raise ValueError("a card can have only one of status, delay and lost")
        if self.retry_after is not None and self.status is None:
            raise ValueError("retry_after of a card requires a status, such as 503")

    @functools.cached_property
    def fails(self) -> bool:
        return self.status is not None or self.delay is not None or self.lost is not None

    @property
    def angle(self) -> int:
        """The clockwise rotation in degrees that makes the picture upright."""
        return -self.turned % 360


#: The score ranges (from, to) for two pictures of one person, and for two persons.
SAME_PERSON = (90.0, 99.0)
OTHER_PERSON = (2.0, 20.0)


def seeded_bytes(seed: str, size: int) -> bytes:
    """Return pseudo-random bytes that depend on `seed` alone; others in FIPS mode.

    They stay the same in every release, because tests expect the scores that follow from them.
    """
    try:
        return hashlib.blake2b(seed.encode(), digest_size=size).digest()
    except ValueError:  # in FIPS mode, OpenSSL refuses BLAKE2b
        return hashlib.sha256(seed.encode()).digest()[:size]


def fraction(*seed_words: str) -> float:
    """Return a pseudo-random number, at least 0 and below 1, seeded with these words."""
    return int.from_bytes(seeded_bytes("\0".join(seed_words), 6), "big") / 2**48


def between(low: float, high: float, *seed_words: str) -> float:
    """Return a pseudo-random number, at least `low` and below `high`, seeded with these words."""
    return low + (high - low) * fraction(*seed_words)


@functools.lru_cache(maxsize=4096)
def pair_score(person: str, other_person: str) -> float:
    """Return the unrounded score of two persons: in `SAME_PERSON` if the names are equal."""
    low, high = SAME_PERSON if person == other_person else OTHER_PERSON
    return between(low, high, "pair", "", *sorted((person, other_person)))
