"""Pictures that nobody said anything about."""

import io

import PIL.Image
import pytest
from kit.fakes import picture

from facematch_mock_server.recognition.outcomes import SeenPicture
from facematch_mock_server.recognition.recognizer import PictureRecognizer

A = picture("teal", (100, 120), "PNG").data
B = picture("maroon", (100, 120), "PNG").data


def test_same_bytes_are_the_same_person(match):
    """One picture twice scores 100."""
    found = match(A, bytes(A))
    assert (found.score, found.by, found.review) == (100.0, "bytes", False)


def test_different_bytes_are_two_persons(match):
    """The score is low, fixed by the pair, and the same either way round."""
    found = match(A, B)
    assert 2 <= found.score <= 20
    assert match(B, A).score == found.score == PictureRecognizer().match(A, B, rotate=False).score


def test_a_salt_gives_other_scores():
    """Two worlds can differ."""
    scores = {PictureRecognizer(salt=s).match(A, B, rotate=False).score for s in ("", "1", "2")}
    assert len(scores) == 3


def test_one_likely_face(match):
    """Each picture has one face, within it, fixed by its digest."""
    found = match(A, B)
    for shown in (found.probe, found.reference):
        (face,) = shown.faces
        left, top, right, bottom = face.box
        assert 0 <= left < right <= 100
        assert 0 <= top < bottom <= 120
        assert 0 < face.confidence < 1
        assert 20 <= face.age <= 60
        assert face.gender in ("female", "male")
    assert found.probe.faces != found.reference.faces
    assert match(A, B) == found


@pytest.mark.parametrize("size", [(63, 640), (640, 63), (1, 1)])
def test_small_pictures_have_no_face(match, liveness, size):
    """Below 64 pixels on a side there is nobody, even against itself."""
    small = picture(size=size).data
    assert match(small, small).score is None
    assert match(small, small).probe == SeenPicture()
    found = liveness(small)
    assert (found.score, found.quality, found.luminance, found.probe.faces) == (*[None] * 3, ())


def test_64_pixels_have_a_face(match):
    """The limit itself is enough."""
    assert match(picture(size=(64, 64)).data, A).score is not None


@pytest.mark.parametrize("data", [b"", b"no picture", A[:60], picture().data[:-200]])
def test_what_does_not_decode(match, liveness, data):
    """No picture, or half of one: neither faces nor a score."""
    found = match(A, data)
    assert found.reference == SeenPicture(decodes=False)
    assert found.score is None
    assert len(found.probe.faces) == 1
    assert not liveness(data).probe.decodes


def test_what_only_our_library_refuses(match):
    """An animation is a picture all the same."""
    pages = [PIL.Image.new("RGB", (80, 80), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    pages[0].save(file, "WEBP", save_all=True, append_images=pages[1:])
    assert match(file.getvalue(), A).probe.decodes


def test_a_live_face(liveness):
    """A liveness check finds somebody alive, with plausible numbers that stay."""
    found = liveness(A)
    assert 90 <= found.score <= 99
    assert 60 <= found.quality <= 90
    assert 40 <= found.luminance <= 60
    assert (found.attack, found.by) == (False, "bytes")
    assert liveness(A) == found != liveness(B)
