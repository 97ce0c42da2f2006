"""The payload of a test card: the card's facts in 16 bytes, and its failure in two more."""

from __future__ import annotations

from typing import Any

import attrs

from .cards import GENDERS, LOSSES, Card

#: The size of the payload of a card whose calls do not fail, in bytes.
PAYLOAD_BYTES = 16
#: The size of the payload of a card whose calls fail, in bytes.
FAILING_PAYLOAD_BYTES = 18
#: The format of a card whose calls do not fail, and of one whose calls fail.
_VERSION = 1
_FAILING_VERSION = 2

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LETTER_BITS = 6
_GENDERS = (None, *GENDERS)
#: The width of each field in bits, highest bits first. `length` is the number of letters in
#: `person`. A field in `_OPTIONAL` is None if all its bits are set.
_WIDTHS = {
    "version": 3,
    "length": 4,
    "person": 72,
    "faces": 3,
    "quality": 7,
    "luminance": 7,
    "liveness": 7,
    "attack": 1,
    "review": 1,
    "age": 7,
    "gender": 2,
    "score": 14,
}
_OPTIONAL = frozenset({"liveness", "age", "score"})

#: A failure's two highest bits are its kind, one of these three.
_STATUS = 0
_DELAY = 1
_LOST = 2
#: The other bits of a failure. For a status, they are the status minus 400 (8 bits) and Retry-After
#: in seconds (6 bits); else the delay in tenths of a second, or the index in `LOSSES`.
_VALUE_BITS = 14
_WAIT_BITS = 6
#: The bits of Retry-After in a card without it. The longest wait is 60 s.
_NO_WAIT = 63


def _all_ones(width: int) -> int:
    return (1 << width) - 1


def encode_card(card: Card) -> bytes:
    """Encode a card in `PAYLOAD_BYTES` bytes, or in `FAILING_PAYLOAD_BYTES` if its calls fail."""
    failure = _encode_failure(card)
    person = 0
    for letter in card.person:
        person = person << _LETTER_BITS | _LETTERS.index(letter)
    values = attrs.asdict(card)
    values["version"] = _VERSION if failure is None else _FAILING_VERSION
    values["length"] = len(card.person)
    values["person"] = person
    values["gender"] = _GENDERS.index(card.gender)
    if card.score is not None:
        values["score"] = round(card.score * 100)
    bits = 0
    for name, width in _WIDTHS.items():
        value = _all_ones(width) if values[name] is None else int(values[name])
        bits = bits << width | value
    payload = bits.to_bytes(PAYLOAD_BYTES, "big")
    if failure is None:
        return payload
    return payload + failure.to_bytes(2, "big")


def _encode_failure(card: Card) -> int | None:
    """Encode a card's failure in sixteen bits. Returns None if the card does not fail."""
    if card.status is not None:
        wait = _NO_WAIT if card.retry_after is None else card.retry_after
        return _STATUS << _VALUE_BITS | card.status - 400 << _WAIT_BITS | wait
    if card.delay is not None:
        return _DELAY << _VALUE_BITS | round(card.delay * 10)
    if card.lost is not None:
        return _LOST << _VALUE_BITS | LOSSES.index(card.lost)
    return None


def decode_card(payload: bytes, turned: int) -> Card | None:
    """Decode a card that is turned by so many degrees.

    Returns None for invalid bits and newer formats.
    """
    fields = _split_fields(int.from_bytes(payload[:PAYLOAD_BYTES], "big"))
    failure = payload[PAYLOAD_BYTES:]
    version = fields.pop("version")
    if version != (_FAILING_VERSION if failure else _VERSION):
        return None
    person = _decode_person(fields["person"], fields.pop("length"))
    if person is None or fields["gender"] >= len(_GENDERS):
        return None
    fields["person"] = person
    fields["gender"] = _GENDERS[fields["gender"]]
    fields["attack"] = bool(fields["attack"])
    fields["review"] = bool(fields["review"])
    if fields["score"] is not None:
        fields["score"] /= 100
    try:
        if failure:
            fields |= _decode_failure(int.from_bytes(failure, "big"))
        return Card(**fields, turned=turned)
    except ValueError:
        return None


def _split_fields(bits: int) -> dict[str, Any]:
    """Split the bits into the numbers of all fields."""
    fields: dict[str, Any] = {}
    for name, width in reversed(_WIDTHS.items()):
        number = bits & _all_ones(width)
        is_none = name in _OPTIONAL and number == _all_ones(width)
        fields[name] = None if is_none else number
        bits >>= width
    return fields


def _decode_person(bits: int, length: int) -> str | None:
    """Decode a name of `length` letters. Returns None if the bits contain more letters."""
    letters = []
    for _ in range(length):
        letters.append(_LETTERS[bits & _all_ones(_LETTER_BITS)])
        bits >>= _LETTER_BITS
    if bits:
        return None
    return "".join(reversed(letters))


def _decode_failure(bits: int) -> dict[str, Any]:
    """Decode a failure. Raises ValueError for an unknown failure."""
    failure_kind = bits >> _VALUE_BITS
    value = bits & _all_ones(_VALUE_BITS)
    if failure_kind == _STATUS:
        wait = value & _all_ones(_WAIT_BITS)
        retry_after = None if wait == _NO_WAIT else wait
        return {"status": 400 + (value >> _WAIT_BITS), "retry_after": retry_after}
    if failure_kind == _DELAY:
        return {"delay": value / 10}
    if failure_kind == _LOST and value < len(LOSSES):
        return {"lost": LOSSES[value]}
    raise ValueError("a failure of a newer card format")
