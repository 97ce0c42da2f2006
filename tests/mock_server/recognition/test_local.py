"""Real scores for pictures that are no cards."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from kit.fakes import FakeBackend, picture

import facematch_core
from facematch_core import Environment
from facematch_mock_server.recognition import recognizer as _local
from facematch_mock_server.recognition.outcomes import SetOutcome
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.recognition.sheet import make_card

PHOTOGRAPHS = Path(__file__).parents[3] / "docs" / "photographs"
P1 = make_card("p1")
A = picture("teal", (100, 120), "PNG").data
B = picture("maroon", (100, 120), "PNG").data


@pytest.fixture(scope="module")
def local():
    """A decider with the backend local; loading takes half a second."""
    if not find_spec("cv2"):
        pytest.skip("the extra `local` is not installed")
    if not PHOTOGRAPHS.is_dir():
        pytest.skip("the sample photographs are not part of this copy of the project")
    deciding = Recognizer(engine="local")
    deciding.engine.load()
    yield deciding
    deciding.engine.close()
    deciding.engine.close()


def photograph(name):
    return (PHOTOGRAPHS / f"{name}.jpg").read_bytes()


def test_same_person_scores_high_and_different_people_low(local):
    hopper = photograph("grace-hopper")
    card = photograph("grace-hopper-card")
    same = local.match(hopper, card, rotate=False)
    other = local.match(hopper, photograph("eileen-collins"), rotate=False)
    assert same.score_source == other.score_source == "local"
    assert other.score < 50 < same.score
    (face,) = same.probe.faces
    left, top, right, bottom = face.box
    assert 0 <= left < right <= 512
    assert 0 <= top < bottom <= 600
    assert 0 < face.confidence < 1


def test_cards_and_set_outcomes_override_the_local_engine(local):
    hopper = photograph("grace-hopper")
    assert local.match(P1, hopper, rotate=False).score_source == "card"
    local.outcome_queue.add(SetOutcome(kind="match", score=30))
    assert local.match(hopper, hopper, rotate=False).score_source == "control"
    assert local.match(hopper, hopper, rotate=False).score_source == "local"
    assert local.match(hopper, b"no picture", rotate=False).score_source == "bytes"


def test_engine_is_opened_at_the_first_match_and_only_once(monkeypatch):
    opened = []

    class Verifier:
        backend = FakeBackend(environment=Environment.LOCAL)

        def verify(self, probe, reference):
            raise _local.InvalidImage("The picture cannot be decoded.")

        def close(self):
            opened.append("closed")

    def open_verifier(name, *, rotate):
        opened.append(name)
        return Verifier()

    monkeypatch.setattr(facematch_core, "open_verifier", open_verifier)
    deciding = Recognizer(engine="local")
    assert opened == []
    # What the engine cannot decode, the bytes decide.
    assert deciding.match(A, A, rotate=False).score_source == "bytes"
    assert deciding.match(A, B, rotate=False).score_source == "bytes"
    deciding.engine.close()
    assert opened == ["local", "closed"]
