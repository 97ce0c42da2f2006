"""From the facts of a picture to what a vendor sees in it: pure."""

from __future__ import annotations

import functools

from facematch_mock_server.cards import Card
from facematch_mock_server.cards._card import GENDERS
from facematch_mock_server.cards._layout import FACES, Part, upright_size
from facematch_mock_server.cards._scoring import between, fraction
from facematch_mock_server.outcomes import LivenessOutcome, SeenFace, SeenPicture

from ._facts import Facts

#: A picture with a shorter side, in pixels, has no face.
MIN_SIDE = 64
#: The size that a picture is given whose outcome was set although it does not decode.
_SOME_SIZE = (480, 640)


# Tests send the same few pictures again and again: working faces out is dear, remembering is not.
@functools.lru_cache(maxsize=2000)
def seen(facts: Facts, *, rotate: bool) -> SeenPicture:
    """What is seen in a picture.

    Args:
        rotate: Whether quarter turns are tried.
    """
    if facts.size is None:
        return SeenPicture(decodes=False)
    if min(facts.size) < MIN_SIDE:
        return SeenPicture()
    if facts.card is not None:
        return _seen_card(facts.card, facts, facts.size, rotate=rotate)
    return SeenPicture(faces=(likely_face(facts),))


def likely_face(facts: Facts, number: int = 0) -> SeenFace:
    """A face that the picture could have: the digest fixes where it is and whose it might be.

    Args:
        number: Which one, from 0 for the largest on.
    """
    width, height = facts.size or _SOME_SIZE
    key = (facts.digest, str(number))
    side = between(0.35, 0.5, "side", *key) * min(width, height) / (1 + number)
    left = between(0.3, 0.7, "left", *key) * (width - side)
    top = between(0.2, 0.5, "top", *key) * (height - side)
    box = (round(left), round(top), round(left + side), round(top + side))
    return SeenFace(
        box=box, confidence=_confidence(*key), age=_age(*key), gender=_gender("gender", *key)
    )


def liveness_of_card(card: Card, picture: SeenPicture) -> LivenessOutcome:
    """What a liveness check finds in a card."""
    if not picture.faces:
        return LivenessOutcome(probe=picture, score=None, review=card.review, by="card")
    return LivenessOutcome(
        probe=picture,
        score=None if card.liveness is None else float(card.liveness),
        attack=card.attack,
        quality=float(card.quality),
        luminance=float(card.luminance),
        review=card.review,
        by="card",
    )


def likely_liveness(facts: Facts, picture: SeenPicture) -> LivenessOutcome:
    """What a liveness check finds in any other picture: a live face, if it has one."""
    if not picture.faces:
        return LivenessOutcome(probe=picture, score=None)
    return LivenessOutcome(
        probe=picture,
        score=between(90, 99, "liveness", facts.digest),
        quality=between(60, 90, "quality", facts.digest),
        luminance=between(40, 60, "luminance", facts.digest),
    )


def _seen_card(card: Card, facts: Facts, size: tuple[int, int], *, rotate: bool) -> SeenPicture:
    if not card.faces or (card.turned and not rotate):
        return SeenPicture(person=card.person)
    parts = FACES[card.faces]
    upright = upright_size(size, card.turned)
    return SeenPicture(
        faces=tuple(
            _card_face(card, facts, number, part, upright) for number, part in enumerate(parts)
        ),
        angle=card.angle,
        person=card.person,
    )


def _card_face(
    card: Card, facts: Facts, number: int, part: Part, size: tuple[int, int]
) -> SeenFace:
    who = (card.person, str(number))
    told = number == 0
    return SeenFace(
        box=part.box(size),
        confidence=_confidence(facts.digest, str(number)),
        age=float(card.age) if told and card.age is not None else _age(*who),
        gender=card.gender if told and card.gender else _gender("gender", *who),
    )


def _confidence(*key: str) -> float:
    return round(between(0.68, 0.79, "confidence", *key), 6)


def _age(*key: str) -> float:
    return round(between(20, 60, "age", *key), 2)


def _gender(*key: str) -> str:
    return GENDERS[int(fraction(*key) * len(GENDERS))]
