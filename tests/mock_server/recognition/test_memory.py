"""A picture is looked at once."""

import hashlib

import pytest
from kit.fakes import picture

from facematch_mock_server.recognition import facts as facts_module
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.recognition.sheet import make_card

P1 = make_card("p1")
A = picture("teal", (100, 120), "PNG").data
B = picture("maroon", (100, 120), "PNG").data


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def test_known_pictures_are_not_read_again(deciding, monkeypatch):
    """By its digest, which the caller may have already."""
    read = []
    monkeypatch.setattr(facts_module, "read_card", read.append)
    for _ in range(3):
        deciding.match(A, B, rotate=False)
        deciding.liveness(A, rotate=True, digest=digest_of(A))
        deciding.match(A, B, rotate=False, digests=(digest_of(A), digest_of(B)))
    assert read == [A, B]


def test_the_oldest_are_forgotten(monkeypatch):
    """The memory is bounded; those used last stay."""
    read = []
    monkeypatch.setattr(facts_module, "read_card", read.append)
    deciding = PictureRecognizer(cached_pictures=2)
    for data in (A, B, A, P1, A, B):
        deciding.liveness(data, rotate=False)
    assert read == [A, B, P1, B]


@pytest.mark.parametrize("wrong", [{"engine": "other"}])
def test_wrong_arguments(wrong):
    """They are refused."""
    with pytest.raises(ValueError):
        PictureRecognizer(**wrong)
