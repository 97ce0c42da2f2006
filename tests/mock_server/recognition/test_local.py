"""Real scores for pictures that are no cards."""

import io
from pathlib import Path

import PIL.Image
import pytest
from kit.fakes import FakeBackend, picture

from facematch_core import Environment
from facematch_mock_server.recognition import engine as _local
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.recognition.sheet import make_card

PHOTOGRAPHS = Path(__file__).parents[3] / "docs" / "photographs"
P1 = make_card("p1")
A = picture("teal", (100, 120), "PNG").data
B = picture("maroon", (100, 120), "PNG").data


@pytest.fixture(scope="module")
def local():
    """A decider with the backend local; loading takes half a second."""
    pytest.importorskip("dlib", reason="the extra `local` is not installed")
    pytest.importorskip("facematch_local._runtime", reason="the extra `local` is not installed")
    if not PHOTOGRAPHS.is_dir():
        pytest.skip("the sample photographs are not part of this copy of the project")
    deciding = PictureRecognizer(engine="local")
    deciding.load()
    yield deciding
    deciding.close()
    deciding.close()


def photograph(name):
    return (PHOTOGRAPHS / f"{name}.jpg").read_bytes()


def test_real_scores(local):
    """One person scores high, two score low; faces are where they are."""
    hopper, card = photograph("grace-hopper"), photograph("grace-hopper-card")
    same = local.match(hopper, card, rotate=False)
    other = local.match(hopper, photograph("eileen-collins"), rotate=False)
    assert same.by == other.by == "local"
    assert other.score < 50 < same.score
    (face,) = same.probe.faces
    left, top, right, bottom = face.box
    assert 0 <= left < right <= 512
    assert 0 <= top < bottom <= 600
    assert 0 < face.confidence < 1


def test_no_face(local):
    """A cat has none that counts."""
    found = local.match(photograph("no-face-cat"), photograph("grace-hopper"), rotate=False)
    assert (found.score, found.probe.faces, found.by) == (None, (), "local")


def test_turned_photographs(local):
    """A photograph on its side is found if turns are tried."""
    hopper = photograph("grace-hopper")
    with PIL.Image.open(io.BytesIO(hopper)) as opened:
        file = io.BytesIO()
        opened.transpose(PIL.Image.Transpose.ROTATE_90).save(file, "JPEG")
    found = local.match(file.getvalue(), hopper, rotate=True)
    assert found.probe.angle == 90
    assert found.score > 90
    assert local.match(file.getvalue(), hopper, rotate=False).score is None


def test_cards_and_set_outcomes_go_first(local):
    """The engine is asked last."""
    hopper = photograph("grace-hopper")
    assert local.match(P1, hopper, rotate=False).by == "card"
    local.set_outcome("match", score=30)
    assert local.match(hopper, hopper, rotate=False).by == "control"
    assert local.match(hopper, hopper, rotate=False).by == "local"
    assert local.match(hopper, b"no picture", rotate=False).by == "bytes"


def test_liveness_is_for_the_bytes(local):
    """The backend local checks none."""
    assert local.liveness(photograph("grace-hopper"), rotate=False).by == "bytes"


def test_several_real_faces(local):
    """Are several in a liveness check as well."""
    found = local.liveness(photograph("four-people"), rotate=False)
    assert len(found.probe.faces) > 1


def test_opened_when_needed(monkeypatch):
    """Not before the first pair, and once."""
    opened = []

    class Verifier:
        backend = FakeBackend(environment=Environment.LOCAL)

        def verify(self, probe, reference, *, rotate):
            raise _local.InvalidImage("The picture cannot be decoded.")

        def close(self):
            opened.append("closed")

    def open_verifier(name):
        opened.append(name)
        return Verifier()

    monkeypatch.setattr(_local, "open_verifier", open_verifier)
    deciding = PictureRecognizer(engine="local")
    assert opened == []
    # What the engine cannot decode, the bytes decide.
    assert deciding.match(A, A, rotate=False).by == "bytes"
    assert deciding.match(A, B, rotate=False).by == "bytes"
    deciding.close()
    assert opened == ["local", "closed"]


def test_cards_open_nothing():
    """With the other engine there is nothing to open or close."""
    deciding = PictureRecognizer()
    deciding.load()
    deciding.close()
    assert deciding.match(P1, P1, rotate=False).by == "card"
