"""What a card may say, and its 128 bits."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.recognition.cards import PAYLOAD_BYTES, Card, card_of, payload_of
from facematch_mock_server.recognition.sheet import make_card

CARDS = st.builds(
    Card,
    person=st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True),
    faces=st.integers(0, 4),
    quality=st.integers(0, 100),
    luminance=st.integers(0, 100),
    liveness=st.none() | st.integers(0, 100),
    attack=st.booleans(),
    age=st.none() | st.integers(0, 120),
    gender=st.sampled_from([None, "female", "male"]),
    review=st.booleans(),
    score=st.none() | st.integers(0, 10_000).map(lambda n: n / 100),
    turned=st.sampled_from([0, 90, 180, 270]),
)

WRONG = [
    *({"person": person} for person in ("", "p 1", "p1\n", "ü", "1234567890123", 1, None)),
    *({"faces": faces} for faces in (-1, 5, 1.0, True, None)),
    *({"quality": quality} for quality in (-1, 101, None)),
    *({"luminance": luminance} for luminance in (-1, 101, 5.5)),
    *({"liveness": liveness} for liveness in (-1, 101, 30.5, "30")),
    *({"attack": 1}, {"review": None}, {"age": 121}, {"gender": "other"}),
    *({"score": score} for score in (-0.01, 100.01, 30.001, float("nan"), True, "30")),
    *({"turned": turned} for turned in (45, 90.0, -90, 360, None)),
]


@given(CARDS)
def test_bits_hold_every_card(card):
    """Whatever a card says comes back from its bits; how it lies is told from outside."""
    payload = payload_of(card)
    assert len(payload) == PAYLOAD_BYTES
    assert card_of(payload, card.turned) == card


@given(st.binary(min_size=PAYLOAD_BYTES, max_size=PAYLOAD_BYTES))
def test_any_bits_are_one_card_or_none(payload):
    """Bits that are a card are the only ones for it; others are refused without an error."""
    card = card_of(payload, 0)
    assert card is None or payload_of(card) == payload


@given(CARDS, st.integers(0, 8 * PAYLOAD_BYTES - 1))
def test_one_wrong_bit_is_another_card_or_none(card, bit):
    """A card has one form only: no bit of it is idle."""
    bits = int.from_bytes(payload_of(card), "big") ^ 1 << bit
    other = card_of(bits.to_bytes(PAYLOAD_BYTES, "big"), card.turned)
    assert other is None or (other != card and payload_of(other) == bits.to_bytes(16, "big"))


def test_bits_of_a_later_kind_are_no_card():
    """A card of another version is not misread."""
    payload = bytearray(payload_of(Card(person="p1")))
    payload[0] ^= 0b0100_0000
    assert card_of(bytes(payload), 0) is None


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_facts_are_refused(wrong):
    """A value of another type or range is refused with its name."""
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} of a card "):
        make_card(**{"person": "p1", **wrong})


@pytest.mark.parametrize("size", [(119, 640), (480, 4001), (480,), 480, (480.0, 640), None])
def test_wrong_sizes_are_refused(size):
    """A card has a width and a height within limits."""
    with pytest.raises(ValueError, match=r"^size of a card "):
        make_card(size=size)


def test_unknown_kinds_are_refused():
    """Only kinds that vendors take are made."""
    with pytest.raises(ValueError, match=r"^kind of a card must be one of PNG, JPEG, WEBP, TIFF"):
        make_card(kind="GIF")


def test_cards_do_not_change():
    """A card is a value."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Card(person="p1").person = "p2"


@pytest.mark.parametrize(("turned", "angle"), [(0, 0), (90, 270), (180, 180), (270, 90)])
def test_angle_turns_it_upright(turned, angle):
    """A card that lies turned clockwise is turned on by the rest of a full turn."""
    assert Card(person="p1", turned=turned).angle == angle
