"""Pictures seen the way up that their files say."""

import io

import pytest
from PIL import ExifTags
from PIL import Image as Pillow

from facematch_mock_server import make_card
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.simulators import Upright, upright

CARD = make_card("p1", kind="JPEG")
BACK = {
    3: Pillow.Transpose.ROTATE_180,
    6: Pillow.Transpose.ROTATE_90,
    8: Pillow.Transpose.ROTATE_270,
}


def as_a_phone_stores_it(orientation):
    """The card, turned back, with the orientation that says so."""
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    with Pillow.open(io.BytesIO(CARD)) as card:
        card.transpose(BACK[orientation]).save(file, "JPEG", exif=exif, quality=95)
    return file.getvalue()


@pytest.mark.parametrize("orientation", sorted(BACK))
def test_an_orientation_is_followed(orientation):
    """A face that lies on its side is found, and is the same person's."""
    turned, decider = as_a_phone_stores_it(orientation), PictureRecognizer()
    assert decider.match(turned, CARD, rotate=False).score is None
    seen = Upright()
    assert seen.match(turned, CARD, rotate=False).score > 90
    assert seen.match(CARD, turned, rotate=False).score > 90
    assert seen.liveness(turned, rotate=False).probe.faces
    assert not decider.look(turned, rotate=False).faces
    assert seen.look(turned, rotate=False).faces


@pytest.mark.parametrize("picture", [CARD, b"", b"no picture"], ids=["upright", "nothing", "text"])
def test_everything_else_stays_as_it_is(picture):
    """Byte by byte: what needs no turn, and what is no picture."""
    assert upright(picture) is picture


def test_a_turned_card_still_lies_on_its_side():
    """Without an orientation nobody knows that it should be turned."""
    seen = Upright()
    assert seen.match(make_card("p1", turned=90), CARD, rotate=False).score is None


def test_everything_else_is_as_ever():
    """What a test sets, say."""
    seen = Upright()
    seen.set_outcome("match", score=12)
    assert seen.match(CARD, CARD, rotate=False).score == 12
    seen.set_outcome("match", score=12)
    seen.clear()
    assert not seen.outcomes
