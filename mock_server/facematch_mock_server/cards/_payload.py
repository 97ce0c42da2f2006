"""A card as 128 bits, and back. The bits do not tell how the card lies in its picture."""

from __future__ import annotations

from ._card import GENDERS, Card

PAYLOAD_BYTES = 16

_VERSION = 1
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_GENDERS = (None, *GENDERS)
#: Name and width in bits of each part, the first one highest. All ones stand for None.
_PARTS: tuple[tuple[str, int], ...] = (
    *(("version", 3), ("length", 4), ("person", 72), ("faces", 3), ("quality", 7)),
    *(("luminance", 7), ("liveness", 7), ("attack", 1), ("review", 1), ("age", 7)),
    *(("gender", 2), ("score", 14)),
)
_NONES = {name: (1 << width) - 1 for name, width in _PARTS}


def payload_of(card: Card) -> bytes:
    """The card's facts in `PAYLOAD_BYTES` bytes."""
    person = 0
    for letter in card.person:
        person = person << 6 | _ALPHABET.index(letter)
    values = {
        "version": _VERSION,
        "length": len(card.person),
        "person": person,
        "faces": card.faces,
        "quality": card.quality,
        "luminance": card.luminance,
        "liveness": card.liveness,
        "attack": card.attack,
        "review": card.review,
        "age": card.age,
        "gender": _GENDERS.index(card.gender),
        "score": None if card.score is None else round(card.score * 100),
    }
    bits = 0
    for name, width in _PARTS:
        value = values[name]
        bits = bits << width | (_NONES[name] if value is None else int(value))
    return bits.to_bytes(PAYLOAD_BYTES, "big")


def card_of(payload: bytes, turned: int) -> Card | None:
    """The card that was written; None if these are no bits of one, or of a later kind of card.

    Args:
        payload: `PAYLOAD_BYTES` bytes.
        turned: How the card lies in its picture, in degrees clockwise.
    """
    bits = int.from_bytes(payload, "big")
    parts: dict[str, int] = {}
    for name, width in reversed(_PARTS):
        parts[name] = bits & ((1 << width) - 1)
        bits >>= width
    length, person = parts["length"], parts["person"]
    if parts["version"] != _VERSION or parts["gender"] >= len(_GENDERS) or person >> 6 * length:
        return None
    letters = (_ALPHABET[person >> 6 * place & 63] for place in reversed(range(length)))
    score = _or_none(parts, "score")
    try:
        return Card(
            person="".join(letters),
            faces=parts["faces"],
            quality=parts["quality"],
            luminance=parts["luminance"],
            liveness=_or_none(parts, "liveness"),
            attack=bool(parts["attack"]),
            age=_or_none(parts, "age"),
            gender=_GENDERS[parts["gender"]],
            review=bool(parts["review"]),
            score=None if score is None else score / 100,
            turned=turned,
        )
    except ValueError:
        return None


def _or_none(parts: dict[str, int], name: str) -> int | None:
    return None if parts[name] == _NONES[name] else parts[name]
