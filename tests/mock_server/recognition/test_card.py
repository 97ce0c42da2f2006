"""What a card may say, and its 128 bits."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.recognition.cards import (
    COLUMNS,
    FAILING_BYTES,
    FINENESS,
    PAYLOAD_BYTES,
    ROWS,
    Card,
    card_of,
    dark_cells,
    payload_in,
    payload_of,
    read_card,
)
from facematch_mock_server.recognition.sheet import make_card

#: One way to fail, or none.
FAILURES = (
    st.just({})
    | st.builds(
        lambda status, wait: {"status": status, "retry_after": wait},
        st.integers(400, 599),
        st.none() | st.integers(0, 60),
    )
    | st.builds(lambda tenths: {"delay": tenths / 10}, st.integers(1, 6000))
    | st.sampled_from([{"lost": "before_charge"}, {"lost": "after_charge"}])
)
CARDS = st.builds(
    lambda failure, **facts: Card(**facts, **failure),
    FAILURES,
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
    *({"status": status} for status in (399, 600, 503.0, True, "503")),
    *({"retry_after": wait, "status": 503} for wait in (-1, 61, 0.5, "1")),
    {"retry_after": 1},
    *({"delay": delay} for delay in (0, -1, 0.05, 0.15, 600.1, float("nan"), True, "5")),
    *({"lost": lost} for lost in ("", "after", True)),
]
TWO_WAYS = [
    {"status": 503, "delay": 1},
    {"delay": 1, "lost": "after_charge"},
    {"status": 503, "lost": "before_charge"},
]


@given(CARDS)
def test_bits_hold_every_card(card):
    """Whatever a card says comes back from its bits; how it lies is told from outside."""
    payload = payload_of(card)
    fails = card.status or card.delay or card.lost
    assert len(payload) == (FAILING_BYTES if fails else PAYLOAD_BYTES)
    assert card_of(payload, card.turned) == card


@given(
    st.sampled_from([PAYLOAD_BYTES, FAILING_BYTES]).flatmap(
        lambda size: st.binary(min_size=size, max_size=size)
    )
)
def test_any_bits_are_one_card_or_none(payload):
    """Bits that are a card are the only ones for it; others are refused without an error."""
    card = card_of(payload, 0)
    assert card is None or payload_of(card) == payload


@given(CARDS, st.integers(0, 8 * FAILING_BYTES - 1))
def test_one_wrong_bit_is_another_card_or_none(card, bit):
    """A card has one form only: no bit of it is idle."""
    size = len(payload_of(card))
    bits = int.from_bytes(payload_of(card), "big") ^ 1 << bit % (8 * size)
    other = card_of(bits.to_bytes(size, "big"), card.turned)
    assert other is None or (other != card and payload_of(other) == bits.to_bytes(size, "big"))


@given(CARDS)
def test_cells_hold_every_card(card):
    """Drawn as cells and read again."""
    cells = dark_cells(payload_of(card))
    greys = bytes(
        0 if cells[row // FINENESS * COLUMNS + column // FINENESS] else 255
        for row in range(ROWS * FINENESS)
        for column in range(COLUMNS * FINENESS)
    )
    assert payload_in(greys) == payload_of(card)


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


@pytest.mark.parametrize("ways", TWO_WAYS, ids=str)
def test_a_card_fails_in_one_way(ways):
    """Two are refused, with their names."""
    with pytest.raises(ValueError, match="one of status, delay and lost"):
        make_card(**ways)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    "failure",
    [{"status": 429, "retry_after": 60}, {"delay": 0.3}, {"lost": "after_charge"}],
    ids=str,
)
def test_a_picture_says_how_its_call_fails(failure, kind):
    """In each kind of file, and half as large."""
    for size in ((480, 640), (240, 320)):
        made = make_card("p1", score=12.5, **failure, turned=90, kind=kind, size=size)
        assert read_card(made) == Card(person="p1", score=12.5, **failure, turned=90)


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
