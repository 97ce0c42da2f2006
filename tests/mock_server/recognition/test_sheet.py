"""The ready cards, and the answers of two vendors to them."""

import io

import PIL.Image
import pytest
import requests

from facematch_mock_server import MockServer, card_sheet, make_card

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


LOW, NOT_LIVE = "LOW_FACE_MATCH_SIMILARITY", {"LOW_LIVENESS_SCORE", "LIVENESS_FACE_ATTACK"}


@pytest.fixture(scope="module")
def ask():
    """Post pictures by field; return status and risks of the answer's block."""
    with MockServer(seed=3) as mock, requests.Session() as session:

        def post(path, block, **pictures):
            answer = session.post(
                f"{mock.url}{path}",
                headers={"x-api-key": mock.live_key},
                files={name: ("card.png", data) for name, data in pictures.items()},
                timeout=10,
            )
            body = answer.json()[block]
            return body["status"], {warning["risk"] for warning in body["warnings"]}

        yield post
