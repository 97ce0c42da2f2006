"""The ready cards."""

import io

import PIL.Image
import pytest

from facematch_mock_server import card_sheet, make_card

SHEET = card_sheet()


def same_pixels(first, other):
    """Whether two files show the same: encoders of two machines may pack them differently."""
    with PIL.Image.open(io.BytesIO(first)) as a, PIL.Image.open(io.BytesIO(other)) as b:
        return a.mode == b.mode and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", SHEET)
def test_a_ready_card_is_as_make_card_draws_it(name):
    card = SHEET[name].card
    drawn = make_card(
        card.person,
        faces=card.faces,
        quality=card.quality,
        liveness=card.liveness,
        attack=card.attack,
    )
    assert same_pixels(SHEET[name].data, drawn)
