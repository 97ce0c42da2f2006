"""The nineteen ready cards, posted to the real engine, give what their sheet says."""

import json

import pytest
import requests
from kit import mock_deepvue as deepvue

from facematch_mock_server import MockServer, card_sheet

SHEET = card_sheet()
REFERENCE = SHEET["p1"].data


@pytest.fixture(scope="module")
def ask():
    """Posts pictures by field, and gives the block of the answer that tells the verdict."""
    with MockServer(edition="2026-07", seed=3) as mock, requests.Session() as session:

        def post(path, block, fields=None, **pictures):
            answer = session.post(
                f"{mock.url}{path}",
                headers={"x-api-key": mock.live_key},
                data=fields,
                files={name: ("card.png", data) for name, data in pictures.items()},
                timeout=10,
            )
            assert answer.status_code == 200, answer.text
            return answer.json()[block]

        yield post


@pytest.fixture(scope="module")
def match(ask):
    """Compares a card with p1."""

    def compare(data, **fields):
        path = "/v3/face-match/"
        return ask(path, "face_match", fields, user_image=data, ref_image=REFERENCE)

    return compare


def told(block):
    return block["status"], {warning["risk"] for warning in block["warnings"]}


def test_there_are_nineteen():
    """As many as the documentation says."""
    assert len(SHEET) == 19


@pytest.mark.parametrize("name", SHEET)
def test_face_match(match, name):
    """Status, risks and score of the card against p1."""
    card = SHEET[name]
    block = match(card.data)
    assert told(block) == (card.didit_match.status, card.didit_match.risks)
    if card.score is None:
        assert block["score"] is None
    else:
        assert block["score"] == pytest.approx(card.score, abs=0.0051)


@pytest.mark.parametrize("name", SHEET)
def test_liveness(ask, name):
    """Status, risks and numbers of the card in a liveness check."""
    card = SHEET[name]
    # Kept, each card of p1 would be a duplicate of the one before.
    fields = {"save_api_request": "false"}
    block = ask("/v3/passive-liveness/", "liveness", fields, user_image=card.data)
    assert told(block) == (card.didit_liveness.status, card.didit_liveness.risks)
    facts = card.card
    seen = bool(facts.faces) and not facts.turned
    expected = (facts.liveness, facts.quality, facts.luminance) if seen else (None, None, None)
    assert (block["score"], block["face_quality"], block["face_luminance"]) == expected


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_turned_cards_stand_up_when_asked_to(match, turned):
    """With `rotate_image` the lying cards match, and the answer tells by how much they lay."""
    block = match(SHEET[f"turned-{turned}"].data, rotate_image="true")
    assert told(block) == ("Approved", set())
    angles = {"user": block["user_image"]["best_angle"], "ref": block["ref_image"]["best_angle"]}
    assert angles["ref"] == 0
    assert angles["user"] in {90, 270} if turned != 180 else angles["user"] == 180


@pytest.fixture(scope="module")
def ask_deepvue():
    """Sends a call with a good token, and gives one value of its data, or the message."""
    engine = MockServer(vendor="deepvue", seed=3).app
    token = deepvue.token_of(engine)

    def ask(made, *pictures, key, **more):
        body = engine.handle(made(*pictures, token=token, **more)).json()
        return json.dumps(body["data"][key]) if "data" in body else body["message"]

    return ask


@pytest.mark.parametrize("name", SHEET)
def test_deepvue(ask_deepvue, name):
    """The same card, compared and checked by the other vendor."""
    card, names = SHEET[name], ("a.png", "b.png")
    found = ask_deepvue(deepvue.match, card.data, REFERENCE, names=names, key="match")
    assert found == card.deepvue_match.status
    assert ask_deepvue(deepvue.liveness, card.data, key="is_live") == card.deepvue_liveness.status
