"""The nineteen ready cards."""

import io
from pathlib import Path

import PIL.Image
import pytest

import facematch_mock_server.recognition.sheet
from facematch_mock_server.recognition.cards import read_card
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.recognition.sheet import card_sheet, table, write_sheet

SHEET = Path(facematch_mock_server.recognition.sheet.__file__).parent / "sheet_cards"
ENTRIES = card_sheet()
THRESHOLD = 30


def same_pixels(one, other):
    """Whether two files show the same: encoders of two machines may pack them differently."""
    with PIL.Image.open(io.BytesIO(one)) as a, PIL.Image.open(io.BytesIO(other)) as b:
        return a.mode == b.mode and a.tobytes() == b.tobytes()


def test_nineteen_in_the_wheel():
    """The folder holds these cards, the table, and nothing else; all of it is small."""
    files = {path.name for path in SHEET.iterdir()}
    assert files == {f"{name}.png" for name in ENTRIES} | {"sheet.csv"}
    assert len(ENTRIES) == 19
    assert sum(path.stat().st_size for path in SHEET.iterdir()) < 400_000


def test_what_is_in_the_wheel_is_what_is_drawn(tmp_path):
    """The files are those that `write_sheet` writes today."""
    write_sheet(tmp_path)
    for path in SHEET.glob("*.png"):
        assert same_pixels(path.read_bytes(), (tmp_path / path.name).read_bytes()), path.name
    assert (SHEET / "sheet.csv").read_text(encoding="utf-8") == table()


@pytest.mark.parametrize("name", ENTRIES)
def test_each_is_what_it_says(name):
    """The packaged file of each card is that card, and no two are one picture."""
    entry = ENTRIES[name]
    assert entry.name == name
    assert read_card(entry.data) == entry.card
    assert sum(entry.data == other.data for other in ENTRIES.values()) == 1


@pytest.mark.parametrize("name", ENTRIES)
def test_answers_follow_from_what_is_seen(name):
    """Didit's verdicts on the sheet are those its documented rules give for what the mock sees."""
    entry, deciding = ENTRIES[name], PictureRecognizer()
    match = deciding.match(entry.data, ENTRIES["p1"].data, rotate=False)
    assert match.score == entry.score
    assert (entry.didit_match.status == "Approved") == ((match.score or 0) > THRESHOLD)
    risk = {None: {"NO_REFERENCE_IMAGE"}}.get(match.score, {"LOW_FACE_MATCH_SIMILARITY"})
    assert entry.didit_match.risks == (set() if entry.didit_match.status == "Approved" else risk)
    live = deciding.liveness(entry.data, rotate=False)
    expected = {
        "NO_FACE_DETECTED": not live.probe.faces,
        "LOW_LIVENESS_SCORE": bool(live.probe.faces) and (live.score or 0) <= THRESHOLD,
        "LIVENESS_FACE_ATTACK": live.attack,
        "MULTIPLE_FACES_DETECTED": len(live.probe.faces) > 1,
    }
    risks = {risk for risk, fires in expected.items() if fires}
    assert entry.didit_liveness.risks == risks
    declined = risks - {"MULTIPLE_FACES_DETECTED"}
    assert entry.didit_liveness.status == ("Declined" if declined else "Approved")
