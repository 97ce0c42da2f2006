"""The block code, without a picture."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.recognition.cards import COLUMNS, FINENESS, ROWS, dark_cells, payload_in

PAYLOADS = st.binary(min_size=16, max_size=16)
WIDTH = COLUMNS * FINENESS


def greys_of(payload, dark=20, light=235):
    """The grey values of a perfect picture."""
    cells = dark_cells(payload)
    return bytearray(
        dark if cells[y // FINENESS * COLUMNS + x // FINENESS] else light
        for y in range(ROWS * FINENESS)
        for x in range(WIDTH)
    )


def cover(greys, columns, rows, grey):
    """Lay one grey over some cells."""
    for y in range(rows.start * FINENESS, rows.stop * FINENESS):
        for x in range(columns.start * FINENESS, columns.stop * FINENESS):
            greys[y * WIDTH + x] = grey


@given(PAYLOADS, st.integers(0, 200), st.integers(40, 255))
def test_any_payload_is_read_back(payload, dark, contrast):
    """Dark may be grey and light may be dim."""
    light = min(255, dark + contrast)
    assert payload_in(greys_of(payload, dark, light)) == payload


@given(PAYLOADS, st.integers(0, 2**32))
def test_strong_noise_does_no_harm(payload, seed):
    """Each grey value may be off by nearly half of the contrast."""
    dice = random.Random(seed)
    noisy = [grey + dice.randint(-100, 100) for grey in greys_of(payload)]
    assert payload_in(noisy) == payload


@given(PAYLOADS, st.integers(0, 255), st.booleans())
def test_half_of_it_is_enough(payload, grey, left):
    """All but the corners of either half may be covered."""
    greys = greys_of(payload)
    half = COLUMNS // 2
    cover(greys, range(3, half) if left else range(half, COLUMNS - 3), range(ROWS), grey)
    assert payload_in(greys) == payload


@pytest.mark.parametrize("column", [0, COLUMNS - 3])
@pytest.mark.parametrize("row", [0, ROWS - 3])
@pytest.mark.parametrize("grey", [0, 255])
def test_a_corner_may_be_lost(column, row, grey):
    """Three corners are enough."""
    greys = greys_of(b"sixteen letters!")
    cover(greys, range(column, column + 3), range(row, row + 3), grey)
    assert payload_in(greys) == b"sixteen letters!"


def test_faint_pictures_are_no_codes():
    """A picture of nearly one grey is given up at once."""
    assert payload_in(greys_of(bytes(16), 100, 131)) is None


def test_it_is_read_only_upright():
    """Upside down it is none: the corners tell where up is."""
    assert payload_in(greys_of(bytes(range(16)))[::-1]) is None


@given(st.integers(0, 2**32))
def test_noise_within_right_corners_is_no_code(seed):
    """The checksum stands between noise and a card."""
    dice = random.Random(seed)
    greys = greys_of(bytes(16))
    for x in range(3 * FINENESS, WIDTH - 3 * FINENESS):
        for y in range(ROWS * FINENESS):
            greys[y * WIDTH + x] = dice.randrange(256)
    assert payload_in(greys) is None
