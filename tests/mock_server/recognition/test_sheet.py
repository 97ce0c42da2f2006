"""The nineteen ready cards, and what the real engine answers to them."""

import io
import json
from pathlib import Path

import PIL.Image
import pytest
import requests
from kit import mock_deepvue as deepvue

import facematch_mock_server.recognition.sheet
from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.recognition.sheet import table, write_sheet

FOLDER = Path(facematch_mock_server.recognition.sheet.__file__).parent / "sheet_cards"
SHEET = card_sheet()


def same_pixels(one, other):
    """Whether two files show the same: encoders of two machines may pack them differently."""
    with PIL.Image.open(io.BytesIO(one)) as a, PIL.Image.open(io.BytesIO(other)) as b:
        return a.mode == b.mode and a.tobytes() == b.tobytes()


def test_nineteen_cards_and_their_table_are_in_the_wheel():
    files = {path.name for path in FOLDER.iterdir()}
    assert files == {f"{name}.png" for name in SHEET} | {"sheet.csv"}
    assert len(SHEET) == 19
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 400_000


def test_what_is_in_the_wheel_is_what_is_drawn(tmp_path):
    write_sheet(tmp_path)
    for path in FOLDER.glob("*.png"):
        assert same_pixels(path.read_bytes(), (tmp_path / path.name).read_bytes()), path.name
    assert (FOLDER / "sheet.csv").read_text(encoding="utf-8") == table()


REFERENCE = SHEET["p1"].data


@pytest.fixture(scope="module")
def ask():
    """Posts pictures by field, and gives the block of the answer that has the verdict."""
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
    def compare(data, **fields):
        path = "/v3/face-match/"
        return ask(path, "face_match", fields, user_image=data, ref_image=REFERENCE)

    return compare


def verdict(block):
    return block["status"], {warning["risk"] for warning in block["warnings"]}


@pytest.mark.parametrize("name", SHEET)
def test_face_match_gives_status_risks_and_score_of_the_sheet(match, name):
    card = SHEET[name]
    block = match(card.data)
    assert verdict(block) == (card.didit_match.status, card.didit_match.risks)
    if card.score is None:
        assert block["score"] is None
    else:
        assert block["score"] == pytest.approx(card.score, abs=0.0051)


@pytest.mark.parametrize("name", SHEET)
def test_liveness_gives_status_risks_and_numbers_of_the_sheet(ask, name):
    card = SHEET[name]
    # Kept, each card of p1 would be a duplicate of the one before.
    fields = {"save_api_request": "false"}
    block = ask("/v3/passive-liveness/", "liveness", fields, user_image=card.data)
    assert verdict(block) == (card.didit_liveness.status, card.didit_liveness.risks)
    facts = card.card
    seen = bool(facts.faces) and not facts.turned
    expected = (facts.liveness, facts.quality, facts.luminance) if seen else (None, None, None)
    assert (block["score"], block["face_quality"], block["face_luminance"]) == expected


@pytest.fixture(scope="module")
def ask_deepvue():
    engine = MockServer(vendor="deepvue", seed=3).app
    token = deepvue.token_of(engine)

    def ask(made, *pictures, key, **more):
        body = engine.handle(made(*pictures, token=token, **more)).json()
        return json.dumps(body["data"][key]) if "data" in body else body["message"]

    return ask


@pytest.mark.parametrize("name", SHEET)
def test_deepvue_gives_what_the_sheet_says_of_it(ask_deepvue, name):
    card, names = SHEET[name], ("a.png", "b.png")
    found = ask_deepvue(deepvue.deepvue_match, card.data, REFERENCE, names=names, key="match")
    assert found == card.deepvue_match.status
    assert (
        ask_deepvue(deepvue.deepvue_liveness, card.data, key="is_live")
        == card.deepvue_liveness.status
    )
