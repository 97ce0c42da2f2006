"""What a card may say, its 128 bits, and the block code that shows them; the ready cards."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_mock_server import card_sheet, make_card
from facematch_mock_server.recognition.block_code import FINENESS, dark_cells, read_payload
from facematch_mock_server.recognition.cards import Card
from facematch_mock_server.recognition.layout import COLUMNS, ROWS
from facematch_mock_server.recognition.payload import (
    FAILING_PAYLOAD_BYTES,
    PAYLOAD_BYTES,
    decode_card,
    encode_card,
)
from facematch_mock_server.recognition.reading import read_card

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

#: Fields of a card, with values that it refuses.
INVALID = {
    "person": ["", "p 1", "ü", "1234567890123", None],
    "faces": [-1, 5, True],
    "quality": [-1, 101],
    "luminance": [-1, 101],
    "liveness": [-1, 101],
    "attack": [1],
    "review": [None],
    "age": [121],
    "gender": ["other"],
    "score": [-0.01, 100.01, 30.001, float("nan"), True, "30"],
    "turned": [45, 90.0, -90, 360, None],
    "status": [399, 600, 503.0, True, "503"],
    "delay": [0, -1, 0.05, 0.15, 600.1, float("nan"), True, "5"],
    "lost": ["", "after", True],
    "size": [(9, 9), 640],
    "kind": ["gif"],
}
SIZES = st.sampled_from([PAYLOAD_BYTES, FAILING_PAYLOAD_BYTES])
PAYLOADS = st.binary(min_size=16, max_size=16)
WIDTH = COLUMNS * FINENESS


def greys_of(payload):
    """Draw the code of a payload."""
    greys = bytearray([235]) * (WIDTH * ROWS * FINENESS)
    for position, is_dark in enumerate(dark_cells(payload)):
        if is_dark:
            row, column = divmod(position, COLUMNS)
            cover(greys, range(column, column + 1), range(row, row + 1), 20)
    return greys


def cover(greys, columns, rows, grey):
    for y in range(rows.start * FINENESS, rows.stop * FINENESS):
        for x in range(columns.start * FINENESS, columns.stop * FINENESS):
            greys[y * WIDTH + x] = grey


@given(CARDS)
def test_every_card_round_trips_through_its_bits(card):
    payload = encode_card(card)
    fails = card.status or card.delay or card.lost
    assert len(payload) == (FAILING_PAYLOAD_BYTES if fails else PAYLOAD_BYTES)
    assert decode_card(payload, card.turned) == card
    assert (card.turned + card.angle) % 360 == 0 <= card.angle < 360


@given(SIZES.flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_any_bits_are_no_card_or_round_trip(payload):
    card = decode_card(payload, 0)
    assert card is None or encode_card(card) == payload


def test_bits_of_a_newer_format_version_are_no_card():
    payload = bytearray(encode_card(Card(person="p1")))
    payload[0] ^= 0b0100_0000
    assert decode_card(bytes(payload), 0) is None


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in INVALID.items() for value in values]
)
def test_invalid_card_field_is_rejected_by_name(field, value):
    with pytest.raises(ValueError, match=f"^{field} of a card "):
        make_card(**{"person": "p1", field: value})


@pytest.mark.parametrize(
    ("status", "retry_after"), [(503, -1), (503, 61), (503, 0.5), (503, "1"), (None, 1)]
)
def test_wait_of_a_card_is_of_seconds_and_needs_a_status(status, retry_after):
    with pytest.raises(ValueError, match=r"^retry_after of a card "):
        make_card(status=status, retry_after=retry_after)


@pytest.mark.parametrize(
    "failures",
    [
        {"status": 503, "delay": 1},
        {"delay": 1, "lost": "after_charge"},
        {"status": 503, "lost": "before_charge"},
    ],
    ids=str,
)
def test_card_can_have_only_one_kind_of_failure(failures):
    with pytest.raises(ValueError, match="one of status, delay and lost"):
        make_card(**failures)


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("PNG", {"status": 429, "retry_after": 60}),
        ("JPEG", {"delay": 0.3}),
        ("WEBP", {"lost": "after_charge"}),
        ("TIFF", {"status": 503}),
    ],
    ids=str,
)
def test_card_failure_is_readable_in_every_image_format(kind, failure):
    facts = {"person": "p1", "score": 12.5, "turned": 90, **failure}
    for size in ((480, 640), (240, 320)):
        assert read_card(make_card(**facts, kind=kind, size=size)) == Card(**facts)


@settings(max_examples=15)
@given(PAYLOADS, st.integers(0, 255), st.booleans())
def test_code_is_readable_with_half_of_it_covered_except_the_corners(payload, grey, first_cell):
    greys = greys_of(payload)
    half = COLUMNS // 2
    columns = range(3, half) if first_cell else range(half, COLUMNS - 3)
    cover(greys, columns, range(ROWS), grey)
    assert read_payload(greys) == payload


SHEET = card_sheet()


@pytest.mark.parametrize("name", SHEET)
def test_a_ready_card_has_its_facts(name):
    assert read_card(SHEET[name].data) == SHEET[name].card
